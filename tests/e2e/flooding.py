"""A SYN flood from addresses that are nobody's, as fast as one CPU sends it: bounded in count and in time.

It comes in by the firewall's outside device, in the lab alone, from a documentation range, as its driver would hand it
over; the answers go out by it and are thrown away there. A child has the kernel make the SYNs (flood.bpf.c), and leaves
what it did on a page that it shares with us.
"""

import contextlib
import functools
import mmap
import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from appliance.kernel import headers
from appliance.kernel.bpf_program import Module
from appliance.lab import burst
from appliance.lab.network import CLIENTS, MAPPED_SERVER
from tests.ground import Ground

SOURCES = IPv4Network("198.51.100.0/24")
_FIRST_PORT = 1024  # with the addresses: 16 million tuples before one comes again
_SYNS = 64  # sent before any of them is received: as many as an interface's driver hands over at a time
_TURNS = 16  # of so many in one system call
_PAGE = struct.Struct("=QQ")  # SYNs sent, ns it took
_DEVICE = "outside0"  # of the firewall
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
    with ground.within("firewall"):
        hardware, device = _NOBODY if astray else _hardware(), socket.if_nametoindex(_DEVICE)
    frame = hardware + bytes(6) + b"\x08\x00" + burst.syn(SOURCES[0], server, _FIRST_PORT)  # who sent it is nobody
    program = _sender().programs["flood"]
    ground.run("outside", "iptables", "-t", "raw", "-A", *_ANSWERS)
    ground.run("firewall", "ip", "route", "replace", str(SOURCES), "via", str(CLIENTS[0]))
    page = mmap.mmap(-1, mmap.PAGESIZE)

    def send(turn: int, turns: int) -> int:
        return program.run(frame, mark=turn, ifindex=device, repeat=turns).mark

    def flood() -> None:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        _send(send, page, seconds, most, rate)

    child = ground.beside("firewall", flood)
    try:
        yield Flood(ground, page, child.pid)
    finally:
        child.kill()


@functools.cache
def _sender() -> Module:
    source = Path(__file__).with_name("flood.bpf.c")
    return Module(source, [f"SYNS={_SYNS}", f"FIRST_PORT={_FIRST_PORT}"], ["flood"], headers.CACHE)


def _send(send: Callable[[int, int], int], page: mmap.mmap, seconds: float, most: int, rate: float) -> None:
    """`send` sends so many turns of _SYNS from a turn on; → the next turn."""
    turn, sent, began = 0, 0, time.perf_counter_ns()
    while sent < most and (took := time.perf_counter_ns() - began) < seconds * 1e9:
        if sent > rate * took / 1e9:
            time.sleep(0.001)
            continue
        turn = send(turn, 1 if rate < float("inf") else _TURNS)
        sent = turn * _SYNS
        _PAGE.pack_into(page, 0, sent, time.perf_counter_ns() - began)


def _hardware() -> bytes:
    """The address of the device."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as here:
        here.bind((_DEVICE, 0))
        return bytes(here.getsockname()[4])
