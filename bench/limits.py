"""What counting connections costs: ns a packet by every way through the kernel's program, and connections a second.

The first part runs the loaded programs on frames (BPF_PROG_TEST_RUN), beside a table that holds `ENTRIES` connections;
the first row is what a run costs that finds nothing to do. The second opens connections through a router of
namespaces, each reset at once: without the programs, with them, and with what else Linux limits connections by.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path

from appliance.kernel import namespaces
from appliance.kernel.bpf import ConnectionTable
from appliance.kernel.bpf_program import Run
from appliance.kernel.errors import KernelError
from appliance.lab.network import SERVER
from appliance.nat.classes import LimitedClass, Limits, PortSpan, Rule
from appliance.nat.static import Static
from appliance.policy.acl import ANY
from appliance.tcp.segment import ACK, SYN, bare
from bench import report
from bench.instructions import Instructions
from tests.ground import Ground, router

ENTRIES = 100_000
REPEAT = 200_000
RUNS = 5
ADMITTED = 2_000  # SYNs in a run of those that are
OPENED = 5_000  # connections in a round
ROUNDS = 5
PORT = 25

MAPPED, REAL, CLIENT = IPv4Address("203.0.113.125"), IPv4Address("192.0.2.25"), IPv4Address("203.0.113.10")
FLOOD = IPv4Address("198.51.100.7")
_ETHERNET = bytes(12) + b"\x08\x00"
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: a close resets
_ROOMY = LimitedClass("p", None, "c", max_conns=2 * ENTRIES)


@dataclass(frozen=True, slots=True)
class Opened:
    """Connections opened: how many a second, and what the kernel did for each on all three hosts, in instructions."""

    rate: float
    instructions: float


def main(out: Path) -> int:
    """Run both, print the tables, write JSON."""
    if os.geteuid() != 0:
        print("bench limits needs root for its network namespaces", file=sys.stderr)
        return 2
    where = report.machine()
    print(where)
    try:
        packets, connections = _packets(), _connections()
    except KernelError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    told = {
        "machine": where,
        "ns a packet": packets,
        "connections": {name: [asdict(each) for each in rounds] for name, rounds in connections.items()},
    }
    (out / "limits.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"\n{out}/limits.json")
    return 0


# -- ns a packet


def _packets() -> dict[str, list[float]]:
    """By way, the runs' ns."""
    found = dict[str, list[float]]()
    name = f"bench-limits-{os.getpid()}"
    namespaces.create(name)
    try:
        with namespaces.within(name), tempfile.TemporaryDirectory() as place:
            table = ConnectionTable(cache=Path(place))
            print(f"\n{'way through the program':44}{'ns a packet':>12}   [least-most of {RUNS}]")
            for row, run in _ways(table):
                figures = found[row] = [run() for _ in range(RUNS)]
                print(f"{row:44}{statistics.median(figures):12.0f}   [{min(figures):.0f}-{max(figures):.0f}]")
            table.close()
    finally:
        namespaces.remove(name)
    return found


#: A way through the program: what it is called, and what runs it once; → ns a packet.
Timed = tuple[str, Callable[[], float]]
_LOCAL = {"outside": 1, "inside": 1}  # loopback, the one device of the namespace, is both


def _ways(table: ConnectionTable) -> Iterator[Timed]:
    """Each way: a step may lay the ground for the next."""
    yield from _without_entry(table)
    _fill(table)
    yield from _established(table)
    yield from _looked_at(table)
    yield from _classified(table)
    yield from _admitted(table)


def _without_entry(table: ConnectionTable) -> Iterator[Timed]:
    _limit(table)
    other = bytearray(_client(ACK))
    other[9] = socket.IPPROTO_UDP
    yield "a UDP packet", _timed(table, "ingress", bytes(other))
    yield "TCP without an entry", _timed(table, "ingress", _client(ACK, source=FLOOD))


def _fill(table: ConnectionTable) -> None:
    """ENTRIES connections are half-open, and one is established."""
    for number in range(ENTRIES):
        source = IPv4Address(int(IPv4Address("198.18.0.0")) + (number >> 15))
        _run(table, "egress", _client(SYN, number & 0x7FFF, 100, source, REAL), repeat=1)
    for packet in (_client(SYN, seq=100, to=REAL), _server(SYN | ACK, MAPPED, seq=500), _client(ACK, to=REAL)):
        _run(table, "egress", packet, repeat=1)
    assert len(table.connections()) > ENTRIES, "the table is filled"


def _established(table: ConnectionTable) -> Iterator[Timed]:
    yield "arrives, established, from the client", _timed(table, "ingress", _client(ACK))
    yield "arrives, established, from the server", _timed(table, "ingress", _server(ACK, REAL))
    yield "leaves, established, to the server", _timed(table, "egress", _client(ACK, to=REAL))
    yield "leaves, established, to the client", _timed(table, "egress", _server(ACK, MAPPED))


def _looked_at(table: ConnectionTable) -> Iterator[Timed]:
    syn = _timed(table, "ingress", _client(SYN, source=FLOOD))
    yield "arrives, a SYN to the static, no limits", syn
    _limit(table, 1)
    yield "arrives, a SYN, max_conns reached", syn
    _limit(table, 0, 1)
    yield "arrives, a SYN, embryonic limit reached", syn


def _classified(table: ConnectionTable) -> Iterator[Timed]:
    for lines in (1, 16, 256):
        _limit(table, 0, 0, *(_line(_ROOMY, 80) for _ in range(lines - 1)), _line(_ROOMY, PORT))
        yield f"arrives, a SYN, class by line {lines}", _timed(table, "ingress", _client(SYN, source=FLOOD))


def _admitted(table: ConnectionTable) -> Iterator[Timed]:
    ports = iter(range(1, 65536))

    def admit() -> float:
        """One run each: the same SYN again would be a retransmission."""
        packets = [_client(SYN, next(ports), 100, FLOOD, REAL) for _ in range(ADMITTED)]
        return statistics.mean(_run(table, "egress", packet, repeat=1).duration for packet in packets)

    _limit(table)
    yield "leaves, a SYN, admitted (cold)", admit
    _limit(table, 0, 0, _line(_ROOMY, PORT))
    yield "leaves, a SYN, admitted in a class (cold)", admit


def _limit(table: ConnectionTable, max_conns: int = 0, max_embryonic: int = 0, *lines: Rule) -> None:
    classes = tuple(dict.fromkeys(each.limited for each in lines if each.limited))
    static = Static("inside", "outside", MAPPED, REAL, max_conns, max_embryonic)
    table.set_limits(Limits((static,), classes, lines), _LOCAL)


def _timed(table: ConnectionTable, program: str, packet: bytes) -> Callable[[], float]:
    return lambda: _run(table, program, packet, repeat=REPEAT).duration


def _run(table: ConnectionTable, program: str, packet: bytes, repeat: int) -> Run:
    return table.programs[program].run(_ETHERNET + packet, ifindex=1, ingress_ifindex=1, repeat=repeat)


def _client(
    flags: int, port: int = 1000, seq: int = 101, source: IPv4Address = CLIENT, to: IPv4Address = MAPPED
) -> bytes:
    return bare(source, port, to, PORT, seq, 501 if flags & ACK else 0, flags)


def _server(flags: int, source: IPv4Address, seq: int = 501) -> bytes:
    return bare(source, PORT, CLIENT, 1000, seq, 101, flags)


def _line(limited: LimitedClass, port: int) -> Rule:
    return Rule(ANY, PortSpan(), ANY, PortSpan(port, port), None, limited)


# -- connections a second


def _connections() -> dict[str, list[Opened]]:
    """By way, the rounds; none of what is not installed."""
    found: dict[str, list[Opened]] = {name: [] for name in _LIMITERS}
    processors = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(processors)})  # or what one of them does for the other would be nobody's
    try:
        for _ in range(ROUNDS):
            for name, limit in _LIMITERS.items():
                found[name] += _opened(limit)
    finally:
        os.sched_setaffinity(0, processors)
    _print(found)
    return found


def _opened(limit: Limiter) -> Iterator[Opened]:
    """A round on a router of its own: what limits leaves hooks behind."""
    name = f"fxl{os.getpid()}"
    with tempfile.TemporaryDirectory() as place, router(name, Path(place) / "found") as ground, ExitStack() as undo:
        ground.unspread()
        if limit(ground, undo):
            server = ground.serve(_serve)
            yield ground.beside("outside", lambda: _open(server.pid)).result(120)


def _print(found: dict[str, list[Opened]]) -> None:
    of_nothing = f"of nothing [least-most of {ROUNDS}]"
    print(f"\n{'limited by':44}{'instructions':>12}{'of nothing':>12}{'connections/s':>15}   {of_nothing}")
    none = found["nothing"]
    least = statistics.median(each.instructions for each in none)
    for name, rounds in found.items():
        if not rounds:
            print(f"{name:44}{'not installed':>12}")
            continue
        cost = statistics.median(each.instructions for each in rounds)
        ratios = [each.rate / other.rate for each, other in zip(rounds, none, strict=True)]
        spread = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
        rate = statistics.median(each.rate for each in rounds)
        print(f"{name:44}{cost:12.0f}{least / cost if cost else 0:12.2f}{rate:15.0f}   {spread}")


def _serve() -> None:
    with socket.create_server((str(SERVER), PORT), backlog=4096) as listener:
        while True:
            listener.accept()[0].close()


def _open(server: int) -> Opened:
    """Open OPENED connections one behind the other, each reset at once."""
    counters = [Instructions(pid) for pid in (os.getpid(), server)]
    began = time.perf_counter()
    for _ in range(OPENED):
        with socket.create_connection((str(SERVER), PORT), 5) as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    took = time.perf_counter() - began
    return Opened(OPENED / took, sum(each.so_far() for each in counters) / OPENED)


# -- what limits them: each makes it so on a router, or says that it cannot


Limiter = Callable[[Ground, ExitStack], bool]


def _nothing(_: Ground, __: ExitStack) -> bool:
    return True


def _program(ground: Ground, undo: ExitStack, *lines: Rule) -> bool:
    with ground.within("firewall"):
        table = ConnectionTable()
        undo.callback(table.close)
        classes = tuple(each.limited for each in lines if each.limited)
        indices = {name: socket.if_nametoindex(f"{name}0") for name in ("outside", "inside")}
        table.set_limits(Limits((), classes, lines), indices)
        table.attach(["outside0", "inside0"])
    return True


def _rule(*words: str) -> Limiter:
    """A rule of iptables."""

    def limit(ground: Ground, _: ExitStack) -> bool:
        ground.run("firewall", "iptables", *words)
        return True

    return limit


def _nft(ground: Ground, _: ExitStack) -> bool:
    rules = """table ip bench {
 set servers { type ipv4_addr; size 1024; flags dynamic; }
 chain forward { type filter hook forward priority 0;
  tcp flags & (syn|ack) == syn ct state new add @servers { ip daddr ct count over 1000 } drop
 }
}
"""
    try:
        ground.run("firewall", "nft", "-f", "-", text=rules)
    except FileNotFoundError:
        return False
    return True


_CLASS = LimitedClass("p", None, "c", max_conns=1000, client_max=1000)
_ABOVE = ["-m", "connlimit", "--connlimit-above", "1000", "--connlimit-mask", "32", "--connlimit-daddr"]
_LIMITERS: dict[str, Limiter] = {
    "nothing": _nothing,
    "the program, no limit": _program,
    "the program, a class, by server and client": lambda ground, undo: _program(ground, undo, _line(_CLASS, PORT)),
    "xt_connlimit": _rule("-A", "FORWARD", "-p", "tcp", "--syn", *_ABOVE, "-j", "DROP"),
    "nft ct count": _nft,
    "nothing, the reverse path asked": _rule(
        "-t", "raw", "-A", "PREROUTING", "-m", "rpfilter", "--invert", "-j", "DROP"
    ),
}
