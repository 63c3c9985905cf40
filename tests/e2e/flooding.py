"""A SYN flood from addresses that are nobody's, as fast as one CPU sends it: bounded in count and in time.

It comes from outside's own device by a packet socket, in the lab alone, from a documentation range; the answers go back
there and are thrown away. A child shares a ring of frames with the kernel, a SYN of each address, and has all of them
sent in one system call, each time from another port. It leaves what it did on a page that it shares with us.
Source: packet(7); Linux, uapi/linux/if_packet.h and virtio_net.h.
"""

import contextlib
import mmap
import os
import random
import re
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from appliance.lab import burst
from appliance.lab.network import CLIENTS, MAPPED_SERVER, OUTSIDE
from tests.ground import Ground

SOURCES = IPv4Network("198.51.100.0/24")
_PORTS = range(1024, 65536)  # with the addresses: 16 million tuples before one comes again
_PAGE = struct.Struct("=QQ")  # SYNs sent, ns it took
_PACKET, _VERSION, _RING, _HEADER, _BYPASS_QDISC = 263, 10, 13, 15, 20  # SOL_PACKET, and PACKET_… of it
_GO = b"\1"  # TP_STATUS_SEND_REQUEST, in the first octet of a place: the kernel clears it
_PLACE = 128  # octets of the ring that a frame has
_LENGTH, _DATA = 4, 32  # where in a place they are
_COPIED = struct.Struct("=2x4H")  # struct virtio_net_hdr: how much of a frame is not left in the ring, but copied
_PORT, _LOW = _DATA + _COPIED.size + 34, _DATA + _COPIED.size + 40  # the port, and the initial number's lower half
_NOBODY = b"\x02\x00\x5e\x00\x53\x01"  # a hardware address
_ANSWERS = ["PREROUTING", "-d", str(SOURCES), "-j", "DROP"]


class Flood:
    """One that is on, or was; `pid` sends it."""

    def __init__(self, ground: Ground, page: mmap.mmap, pid: int) -> None:
        self._ground, self._page, self.pid = ground, page, pid

    def sent(self) -> tuple[int, float]:
        """How many SYNs so far, and in how many s."""
        count, took = _PAGE.unpack_from(self._page)
        return count, took / 1e9

    def answered(self) -> int:
        """How many SYN-ACKs came back so far."""
        told = self._ground.run("outside", "iptables", "-t", "raw", "-vxnL", "PREROUTING")
        return int(re.findall(r"^ *(\d+) +\d+ DROP", told, re.MULTILINE)[0])


@contextlib.contextmanager
def flooding(
    ground: Ground,
    *,
    seconds: float,
    most: int,
    rate: float = float("inf"),
    server: IPv4Address = MAPPED_SERVER,
    cpu: int | None = None,
    astray: bool = False,
) -> Iterator[Flood]:
    """`with flooding(…) as flood`: SYNs to `server` for at most `seconds`, `most` in all and `rate` a second.

    `astray`: in frames that are for nobody, which the firewall's kernel drops as it gets them.
    """
    with ground.within("outside"):
        hardware = _NOBODY if astray else _gateway()
    frames = _frames(server, hardware)
    ground.run("outside", "iptables", "-t", "raw", "-A", *_ANSWERS)
    ground.run("firewall", "ip", "route", "replace", str(SOURCES), "via", str(CLIENTS[0]))
    page = mmap.mmap(-1, mmap.PAGESIZE)

    def send() -> None:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
            out.bind(("eth0", 0))
            _send(out, _ring(out, frames), page, seconds, most, rate)

    child = ground.beside("outside", send)
    try:
        yield Flood(ground, page, child.pid)
    finally:
        child.kill()


def _ring(out: socket.socket, frames: list[bytes]) -> mmap.mmap:
    """A place for each, from which the socket sends them."""
    for option in (_BYPASS_QDISC, _HEADER, _VERSION):
        out.setsockopt(_PACKET, option, 1)  # as a version that is TPACKET_V2
    octets = _PLACE * len(frames)
    out.setsockopt(_PACKET, _RING, struct.pack("=4I", octets, 1, _PLACE, len(frames)))  # all in one block
    ring = mmap.mmap(out.fileno(), octets)
    for start, frame in zip(range(0, octets, _PLACE), frames, strict=True):
        data = _COPIED.pack(len(frame), 0, 0, 0) + frame
        struct.pack_into("=I", ring, start + _LENGTH, len(data))
        ring[start + _DATA : start + _DATA + len(data)] = data
    return ring


def _send(out: socket.socket, ring: mmap.mmap, page: mmap.mmap, seconds: float, most: int, rate: float) -> None:
    count = len(ring) // _PLACE
    # What the port gains the initial number loses: the checksum stays right (RFC 1624).
    both = sum(struct.unpack_from("!H", ring, at)[0] for at in (_PORT, _LOW))
    ports = random.Random(5).sample(_PORTS, len(_PORTS))
    sent, began, turn = 0, time.perf_counter_ns(), 0
    while sent < most and (took := time.perf_counter_ns() - began) < seconds * 1e9:
        if sent > rate * took / 1e9:
            time.sleep(0.001)
            continue
        port = ports[turn % len(ports)]
        for at, value in ((_PORT, port), (_LOW, (both - port) % 0xFFFF)):
            ring[at::_PLACE] = bytes((value >> 8,)) * count
            ring[at + 1 :: _PLACE] = bytes((value & 0xFF,)) * count
        ring[::_PLACE] = _GO * count
        with contextlib.suppress(OSError):  # the device has no room for some
            out.send(b"")
        sent += count - ring[::_PLACE].count(_GO)
        turn += 1
        _PAGE.pack_into(page, 0, sent, time.perf_counter_ns() - began)


def _frames(server: IPv4Address, hardware: bytes) -> list[bytes]:
    """An Ethernet frame with a SYN for each source; who sent it is nobody."""
    head = hardware + bytes(6) + b"\x08\x00"
    return [head + burst.syn(source, server, _PORTS.start) for source in SOURCES]


def _gateway() -> bytes:
    """The firewall's hardware address, as outside knows it."""
    with contextlib.suppress(OSError):
        socket.create_connection((str(OUTSIDE.ip), 9), 1)
    told = subprocess.run(["ip", "neigh", "show", str(OUTSIDE.ip)], capture_output=True, text=True, check=True).stdout
    return bytes.fromhex(told.split("lladdr ")[1].split()[0].replace(":", ""))
