"""What is sent over a way in one round, and what is measured: messages a second, or a command's round trip.

Postfix's smtp-source sends, its smtp-sink inside throws away what it gets. A round trip is a
closed loop: one client, one NOOP at a time, on a connection on which nothing else happens.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import time
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from appliance.kernel import namespaces
from bench.ways import Way

_ROUND_TRIPS = 400


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: the figure, and the segments the client had to send again."""

    figure: float
    again: int


@dataclass(frozen=True, slots=True)
class Part:
    """`count` messages of `octets` over `parallel` connections at once, one message a connection."""

    octets: int
    count: int
    parallel: int

    def command(self, server: IPv4Address) -> list[str]:
        """What sends them."""
        command = ["smtp-source", "-s", str(self.parallel), "-m", str(self.count), "-l", str(self.octets)]
        return [*command, "-f", "a@outside.example", "-t", "b@inside.example", f"{server}:25"]

    def source(self, server: IPv4Address) -> subprocess.Popen[bytes]:
        """Begin to send them, from where this process is."""
        return subprocess.Popen(self.command(server))


@dataclass(frozen=True, slots=True)
class Mails:
    """Messages of one or several kinds, all kinds at once; messages a second."""

    name: str
    parts: tuple[Part, ...]
    unit: str = "mails/s"

    def measure(self, way: Way) -> Measured:
        """One round."""
        with namespaces.within(way.lab.network.namespace("outside")):
            again = retransmitted()
            began = time.monotonic()
            for source in [each.source(way.server) for each in self.parts]:
                if code := source.wait(600):
                    raise subprocess.CalledProcessError(code, source.args)
            took = time.monotonic() - began
            return Measured(sum(each.count for each in self.parts) / took, retransmitted() - again)

    def warm(self) -> Mails:
        """As little of it as makes caches warm and neighbours known."""
        return replace(self, parts=tuple(replace(each, count=each.parallel) for each in self.parts))

    def ratio(self, figure: float, direct: float) -> float:
        """Of direct forwarding: more is better."""
        return figure / direct


@dataclass(frozen=True, slots=True)
class Latency:
    """One command and its reply on an open connection, µs; the median of a round."""

    name: str
    unit: str = "µs"

    def measure(self, way: Way) -> Measured:
        """One round."""
        with namespaces.within(way.lab.network.namespace("outside")):
            again = retransmitted()
            with socket.create_connection((str(way.server), 25), 10) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client.recv(1000)
                client.sendall(b"HELO client.outside.example\r\n")
                client.recv(1000)
                took = [_round_trip(client) for _ in range(_ROUND_TRIPS)]
                client.sendall(b"QUIT\r\n")
                client.recv(1000)
            return Measured(statistics.median(took) / 1000, retransmitted() - again)

    def warm(self) -> Latency:
        """The load itself: it is short."""
        return self

    def ratio(self, figure: float, direct: float) -> float:
        """Of direct forwarding: less is better."""
        return figure / direct


Load = Mails | Latency

NEAR: tuple[Load, ...] = (
    Mails("4 kB, 10 at once", (Part(4096, 600, 10),)),
    Mails("4 kB, 40 at once", (Part(4096, 600, 40),)),
    Mails("4 kB, one by one", (Part(4096, 300, 1),)),
    Mails("1 MB, 4 at once", (Part(1 << 20, 40, 4),)),
    Latency("NOOP"),
)
FAR: tuple[Load, ...] = (
    Mails("bad line, 4 kB, 10 at once", (Part(4096, 60, 10),)),
    Mails("bad line, 200 kB, 10 at once", (Part(200_000, 20, 10),)),
    Mails("bad line, 5 MB, 2 at once", (Part(5_000_000, 4, 2),)),
    Mails("bad line, mixed", (Part(4096, 40, 4), Part(200_000, 12, 4), Part(5_000_000, 2, 2))),
)


def _round_trip(client: socket.socket) -> int:
    began = time.perf_counter_ns()
    client.sendall(b"NOOP\r\n")
    client.recv(1000)
    return time.perf_counter_ns() - began


def retransmitted() -> int:
    """The segments this network namespace has sent again (RFC 4022's tcpRetransSegs)."""
    names, values = (
        line.split()
        for line in Path("/proc/thread-self/net/snmp").read_text(encoding="ascii").splitlines()
        if line.startswith("Tcp:")
    )
    return int(values[names.index("RetransSegs")])
