"""What counting connections costs: ns a packet by every way through the kernel's program, and connections a second.

The first part runs the loaded programs on frames (BPF_PROG_TEST_RUN), beside a table that holds `ENTRIES` connections;
the first row is what a run costs that finds nothing to do. The second opens connections through a router of
namespaces, each reset at once: without the programs, with them, and with what else Linux limits connections by.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path

from appliance.kernel import clsact, namespaces
from appliance.kernel.bpf import ConnectionTable
from appliance.kernel.bpf_program import Run
from appliance.kernel.errors import KernelError
from appliance.lab.network import SERVER
from appliance.nat.classes import LimitedClass, Limits, PortSpan, Rule
from appliance.nat.static import Static
from appliance.policy.acl import ANY
from appliance.tcp.segment import ACK, SYN, bare
from bench import report
from tests.ground import Ground, router

ENTRIES = 100_000
REPEAT = 200_000
RUNS = 5
OPENED = 5_000  # connections in a round
ROUNDS = 5
PORT = 25

MAPPED, REAL, CLIENT = IPv4Address("203.0.113.125"), IPv4Address("192.0.2.25"), IPv4Address("203.0.113.10")
FLOOD = IPv4Address("198.51.100.7")
_ETHERNET = bytes(12) + b"\x08\x00"
_ABORT = struct.pack("ii", 1, 0)  # SO_LINGER: a close resets


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
    told = {"machine": where, "ns a packet": packets, "connections a second": connections}
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


def _ways(table: ConnectionTable) -> Iterator[tuple[str, Callable[[], float]]]:
    """Each way and what runs it; at loopback, the one device of the namespace, which is both interfaces."""
    local = {"outside": 1, "inside": 1}

    def limit(max_conns: int = 0, max_embryonic: int = 0, *lines: Rule) -> None:
        classes = tuple(dict.fromkeys(each.limited for each in lines if each.limited))
        table.set_limits(
            Limits((Static("inside", "outside", MAPPED, REAL, max_conns, max_embryonic),), classes, lines), local
        )

    def run(program: str, packet: bytes, came_in: int = 1, repeat: int = REPEAT) -> Run:
        return table.programs[program].run(_ETHERNET + packet, ifindex=1, ingress_ifindex=came_in, repeat=repeat)

    def timed(program: str, packet: bytes) -> Callable[[], float]:
        return lambda: run(program, packet).duration

    def client(
        flags: int, port: int = 1000, seq: int = 101, source: IPv4Address = CLIENT, to: IPv4Address = MAPPED
    ) -> bytes:
        return bare(source, port, to, PORT, seq, 501 if flags & ACK else 0, flags)

    def server(flags: int, port: int = 1000, seq: int = 501, source: IPv4Address = REAL) -> bytes:
        return bare(source, PORT, CLIENT, port, seq, 101, flags)

    limit()
    other = bytearray(client(ACK))
    other[9] = socket.IPPROTO_UDP
    yield "a UDP packet", timed("ingress", bytes(other))
    yield "TCP without an entry", timed("ingress", client(ACK, source=FLOOD))
    for number in range(ENTRIES):
        source = IPv4Address(int(IPv4Address("198.18.0.0")) + (number >> 15))
        run("egress", client(SYN, number & 0x7FFF, 100, source, REAL), repeat=1)
    for packet in (client(SYN, seq=100, to=REAL), server(SYN | ACK, seq=500, source=MAPPED), client(ACK, to=REAL)):
        run("egress", packet, repeat=1)
    full = len(table.connections())
    assert full > ENTRIES, "the table is filled"
    yield "arrives, established, from the client", timed("ingress", client(ACK))
    yield "arrives, established, from the server", timed("ingress", server(ACK))
    yield "leaves, established, to the server", timed("egress", client(ACK, to=REAL))
    yield "leaves, established, to the client", timed("egress", server(ACK, source=MAPPED))
    yield "arrives, a SYN to the static, no limits", timed("ingress", client(SYN, source=FLOOD))
    limit(1)
    yield "arrives, a SYN, max_conns reached", timed("ingress", client(SYN, source=FLOOD))
    limit(0, 1)
    yield "arrives, a SYN, embryonic limit reached", timed("ingress", client(SYN, source=FLOOD))
    for lines in (1, 16, 256):
        rules = [
            _line(LimitedClass("p", None, "c", max_conns=ENTRIES), PORT if n == lines - 1 else 80) for n in range(lines)
        ]
        limit(0, 0, *rules)
        yield f"arrives, a SYN, class by line {lines}", timed("ingress", client(SYN, source=FLOOD))
    limit()
    ports = iter(range(1, 65536))
    for name, rules in (
        ("admitted", []),
        ("admitted in a class", [_line(LimitedClass("p", None, "c", max_conns=ENTRIES), PORT)]),
    ):
        limit(0, 0, *rules)

        def admit() -> float:
            """One run each: the same SYN again would be a retransmission."""
            packets = [client(SYN, next(ports), 100, FLOOD, REAL) for _ in range(2_000)]
            return statistics.mean(run("egress", packet, repeat=1).duration for packet in packets)

        yield f"leaves, a SYN, {name} (cold)", admit


def _line(limited: LimitedClass, port: int) -> Rule:
    return Rule(ANY, PortSpan(), ANY, PortSpan(port, port), None, limited)


# -- connections a second


def _connections() -> dict[str, list[float]]:
    """By way, the rounds' connections a second; none of what is not installed."""
    with tempfile.TemporaryDirectory() as place, router(f"bench-{os.getpid()}", Path(place) / "found") as ground:
        server = ground.beside("inside", _serve)
        found: dict[str, list[float]] = {name: [] for name in _WAYS}
        try:
            for turn in range(ROUNDS):
                for name, way in (*list(_WAYS.items())[turn:], *list(_WAYS.items())[:turn]):
                    with contextlib.ExitStack() as undo:
                        if way(ground, undo):
                            found[name].append(ground.beside("outside", _open).result(120))
        finally:
            server.kill()
    print(f"\n{'limited by':44}{'connections/s':>14}   of nothing [least-most of {ROUNDS}]")
    for name, figures in found.items():
        if not figures:
            print(f"{name:44}{'not installed':>14}")
            continue
        ratios = [each / none for each, none in zip(figures, found["nothing"], strict=True)]
        spread = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
        print(f"{name:44}{statistics.median(figures):14.0f}   {spread}")
    return found


def _serve() -> None:
    with socket.create_server((str(SERVER), PORT), backlog=4096) as listener:
        while True:
            listener.accept()[0].close()


def _open() -> float:
    """Open OPENED connections one behind the other, each reset at once; how many a second."""
    began = time.perf_counter()
    for _ in range(OPENED):
        with socket.create_connection((str(SERVER), PORT), 5) as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    return OPENED / (time.perf_counter() - began)


def _nothing(_: Ground, __: contextlib.ExitStack) -> bool:
    return True


def _program(ground: Ground, undo: contextlib.ExitStack, *lines: Rule) -> bool:
    devices = ["outside0", "inside0"]
    with ground.within("firewall"):
        table = ConnectionTable()
        classes = tuple(each.limited for each in lines if each.limited)
        indices = {name: socket.if_nametoindex(f"{name}0") for name in ("outside", "inside")}
        table.set_limits(Limits((), classes, lines), indices)
        table.attach(devices)

    def off() -> None:
        with ground.within("firewall"):
            clsact.detach(devices)
        table.close()

    undo.callback(off)
    return True


def _iptables(ground: Ground, undo: contextlib.ExitStack) -> bool:
    rule = [
        "FORWARD",
        "-p",
        "tcp",
        "--syn",
        "-m",
        "connlimit",
        "--connlimit-above",
        "1000",
        "--connlimit-mask",
        "32",
        "--connlimit-daddr",
        "-j",
        "DROP",
    ]
    ground.run("firewall", "iptables", "-A", *rule)
    undo.callback(ground.run, "firewall", "iptables", "-D", *rule)
    return True


def _nft(ground: Ground, undo: contextlib.ExitStack) -> bool:
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
    undo.callback(ground.run, "firewall", "nft", "delete", "table", "ip", "bench")
    return True


_CLASS = LimitedClass("p", None, "c", max_conns=1000, client_max=1000)
_WAYS: dict[str, Callable[[Ground, contextlib.ExitStack], bool]] = {
    "nothing": _nothing,
    "the program, no limit": _program,
    "the program, a class, by server and client": lambda ground, undo: _program(ground, undo, _line(_CLASS, PORT)),
    "xt_connlimit": _iptables,
    "nft ct count": _nft,
}
