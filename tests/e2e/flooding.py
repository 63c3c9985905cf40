"""A SYN flood from addresses that are nobody's, as fast as one CPU sends it: bounded in count and in time.

It comes from outside's own device, in the lab alone, from a documentation range; the answers go back there and are
thrown away. A child sends a SYN of each address in one system call, each time from another port, and leaves what it
did on a page that it shares with us.
"""

import contextlib
import ctypes
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
_PORT, _LOW = 34, 40  # octets of a frame: the port, and the lower half of the initial number
_PAGE = struct.Struct("=QQQ")  # SYNs sent, ns it took, ns of a CPU it took
_BYPASS_QDISC = 20  # PACKET_QDISC_BYPASS, linux/if_packet.h
_NOBODY = b"\x02\x00\x5e\x00\x53\x01"  # a hardware address
_ANSWERS = ["PREROUTING", "-d", str(SOURCES), "-j", "DROP"]


class _Piece(ctypes.Structure):
    """struct iovec."""

    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("pieces", ctypes.POINTER(_Piece)),
        ("piece_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = [("header", _Header), ("sent", ctypes.c_uint32)]


class Flood:
    """One that is on, or was."""

    def __init__(self, ground: Ground, page: mmap.mmap) -> None:
        self._ground, self._page = ground, page

    def sent(self) -> tuple[int, float]:
        """How many SYNs so far, and in how many s."""
        count, took, _ = _PAGE.unpack_from(self._page)
        return count, took / 1e9

    def cost(self) -> float:
        """The s of a CPU that each SYN took: what sends it, and all that the same CPU does with it at once."""
        count, _, worked = _PAGE.unpack_from(self._page)
        return worked / 1e9 / count

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
            out.setsockopt(263, _BYPASS_QDISC, 1)  # SOL_PACKET
            _send(out.fileno(), frames, page, seconds, most, rate)

    child = ground.beside("outside", send)
    try:
        yield Flood(ground, page)
    finally:
        child.kill()


def _send(to: int, frames: list[bytes], page: mmap.mmap, seconds: float, most: int, rate: float) -> None:
    send_many = ctypes.CDLL(None, use_errno=True).sendmmsg
    all_of_them, count, length = bytearray().join(frames), len(frames), len(frames[0])
    start = ctypes.addressof(ctypes.c_char.from_buffer(all_of_them))
    pieces = (_Piece * count)(*(_Piece(start + at * length, length) for at in range(count)))
    messages = (_Message * count)()
    for message, piece in zip(messages, pieces, strict=True):
        message.header.pieces, message.header.piece_count = ctypes.pointer(piece), 1
    # What the port gains the initial number loses: the checksum stays right (RFC 1624).
    both = sum(struct.unpack_from("!H", all_of_them, at)[0] for at in (_PORT, _LOW))
    ports = random.Random(5).sample(_PORTS, len(_PORTS))
    sent, began, worked, turn = 0, time.perf_counter_ns(), time.process_time_ns(), 0
    while sent < most and (took := time.perf_counter_ns() - began) < seconds * 1e9:
        if sent > rate * took / 1e9:
            time.sleep(0.001)
            continue
        port = ports[turn % len(ports)]
        for at, value in ((_PORT, port), (_LOW, (both - port) % 0xFFFF)):
            all_of_them[at::length] = bytes((value >> 8,)) * count
            all_of_them[at + 1 :: length] = bytes((value & 0xFF,)) * count
        sent += max(0, send_many(to, messages, count, 0))
        turn += 1
        _PAGE.pack_into(page, 0, sent, time.perf_counter_ns() - began, time.process_time_ns() - worked)


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
