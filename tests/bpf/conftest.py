"""The kernel's program as a subject: run on frames by BPF_PROG_TEST_RUN, in a namespace whose two devices only lend
their numbers."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute

from appliance import marks
from appliance.flow import Side
from appliance.kernel import bpf_pins, namespaces
from appliance.kernel.bpf import ConnectionTable
from appliance.kernel.bpf_program import Run
from appliance.nat.classes import Limits
from appliance.nat.connection import Event, Key, State
from appliance.nat.machine import Packet, Verdict
from appliance.nat.static import Ends
from tests import admission, wire
from tests.admission import INTERFACES, SECOND, by_real
from tests.bpf.tracking import Tracking

TC_ACT_UNSPEC, TC_ACT_SHOT = -1, 2  # uapi/linux/pkt_cls.h
ETHERNET = bytes.fromhex("020000000002 020000000001 0800")
MORE_FRAGMENTS = 0x2000
SCOPE_LINK = 253  # uapi/linux/rtnetlink.h
VERDICTS = {
    marks.Disposition.QUEUE: Verdict.PASS,
    marks.Disposition.SKIP: Verdict.SKIP,
    marks.Disposition.INTERCEPT: Verdict.INTERCEPT,
    marks.Disposition.FULL: Verdict.FULL,
    marks.Disposition.COOKIE: Verdict.COOKIE,
}
NAMESPACE = f"bpf-unit-{os.getpid()}"


@dataclass
class Box:
    """The program with one static, its clock standing at `now`."""

    table: ConnectionTable
    outside: int  # ifindex
    inside: int
    elsewhere: int
    now: int = field(default_factory=time.monotonic_ns)
    tracking: Tracking = field(default_factory=Tracking)
    numbers: dict[object, int] = field(default_factory=dict)  # of senders' packets; nothing on the way changes one

    def set_limits(self, limits: Limits) -> list[Key]:
        self.tracking.put(limits.statics, limits.choosing)
        return list(self._at_now(self.table.set_limits, limits, self.interfaces))

    @property
    def interfaces(self) -> dict[str, int]:
        """The interfaces with a nameif."""
        return {"outside": self.outside, "inside": self.inside}

    def empty(self) -> None:
        """No connections, no limits, nothing told."""
        self._at_now(self.table.clear, [each.ends for each in self.table.connections()])
        self.table.set_limits(Limits(), {})
        self.table.set_limits(Limits(), {})  # which lets go of what the one before has left
        self.table._module.table("notes").clear()
        counts = self.table._module.table("counts")
        counts[0] = counts.Leaf()
        self.numbers.clear()
        self.tracking.follow(())
        admission.limit(self, 0)
        self.events()

    def run(self, program: str, packet: Any, device: int, came_in: int, mark: int = 0, repeat: int = 1) -> Run:
        """The program on an IPv4 packet, octets or scapy's, at `device`, which came in at `came_in`."""
        self.table.set_clock_offset(self.now - time.monotonic_ns())
        return self.table.programs[program].run(
            ETHERNET + bytes(packet), mark=mark, ifindex=device, ingress_ifindex=came_in, repeat=repeat
        )

    def arrives(self, packet: Packet) -> Verdict:
        here = self._side(packet, packet.side)
        return verdict(self.run("ingress", self.frame(packet, packet.side), here, here))

    def leaves(self, packet: Packet) -> Verdict:
        came_in = 0 if packet.local else self._side(packet, packet.side)
        return verdict(
            self.run("egress", self.frame(packet, packet.side.peer), self._side(packet, packet.side.peer), came_in)
        )

    def frame(self, packet: Packet, at: Side) -> bytes:
        """The packet on the wire at one side of the firewall, where the other side may be known by another address."""
        key, track = packet.key, self.tracking.of(packet)
        client, server = (key.client, key.client_port), (key.mapped, key.port)
        both = (client, server) if packet.side is Side.CLIENT else (track.place, client)
        if at is Side.SERVER:
            client, server = track.client, track.place
        ends = (client, server) if packet.side is Side.CLIENT else (server, client)
        return wire.packet(
            *((str(address), port) for address, port in ends),
            *(packet.seq, packet.ack, packet.flags, b"x" * packet.payload),
            fragment=0 if packet.whole else MORE_FRAGMENTS,
            identification=self.numbers.setdefault((both, self.tracking.reloads), len(self.numbers)),
        )

    def _side(self, packet: Packet, side: Side) -> int:
        """The interface that a side of the packet's connection is behind."""
        address = packet.key.client if side is Side.CLIENT else self.tracking.of(packet).place[0]
        return self.inside if INTERFACES.get(address) == "inside" else self.outside

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    def sweep(self) -> int:
        return self._at_now(self.table.sweep)

    def kill(self, key: Key) -> bool:
        return self._at_now(self.table.kill, self._ends(key))

    def release(self, key: Key) -> bool:
        return self._at_now(self.table.release, self._ends(key))

    def clear(self, *keys: Key) -> int:
        return self._at_now(self.table.clear, [self._ends(key) for key in keys])

    def _ends(self, key: Key) -> Key:
        """A connection as the program knows it."""
        known = (each.ends for each in self.table.connections() if each.key == key)
        return next(known, None) or by_real(key)

    def states(self) -> dict[Key, State]:
        return {connection.key: connection.state for connection in self.table.connections()}

    def use(self) -> tuple[int, int]:
        use = self.table.counts()[0]
        return use.connections, use.embryonic

    def uses(self) -> dict[Ends, tuple[int, int]]:
        return {each.static.ends: (each.connections, each.embryonic) for each in self.table.counts()}

    def shares(self) -> dict[str, tuple[dict[IPv4Address, tuple[int, int]], ...]]:
        return {
            each.limited.name: tuple(
                {row.address: (row.connections, row.embryonic) for row in rows} for rows in (each.servers, each.clients)
            )
            for each in self.table.classes()
        }

    def events(self) -> list[Event]:
        return self.table.events()

    def _at_now(self, call: Any, *arguments: Any) -> Any:
        self.table.set_clock_offset(self.now - time.monotonic_ns())
        return call(*arguments)


def verdict(run: Run) -> Verdict:
    if run.value == TC_ACT_SHOT:
        return Verdict.DROP
    assert run.value == TC_ACT_UNSPEC
    return VERDICTS[marks.Disposition(marks.DISPOSITION.get(run.mark))]


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """The program, compiled once."""
    namespaces.create(NAMESPACE)
    try:
        with namespaces.within(NAMESPACE), IPRoute() as netlink:
            for name in ("outside", "inside", "elsewhere"):
                netlink.link("add", ifname=name, kind="veth", peer={"ifname": f"{name}-peer"})
            indexes = [netlink.link_lookup(ifname=name)[0] for name in ("outside", "inside", "elsewhere")]
            _lead(netlink, *indexes[:2])
        table = ConnectionTable(size=4096, cache=tmp_path_factory.mktemp("headers"))
        yield Box(table, *indexes)
        table.close()
    finally:
        namespaces.remove(NAMESPACE)


def _lead(netlink: IPRoute, outside: int, inside: int) -> None:
    """Packets to 192.0.2.0/24 go inside, all others outside."""
    for index, name, network in ((inside, "inside", "192.0.2.0/24"), (outside, "outside", "0.0.0.0/0")):
        netlink.link("set", index=index, state="up")
        netlink.route("add", dst=network, oif=index, scope=SCOPE_LINK)
        Path(f"/proc/sys/net/ipv4/conf/{name}/forwarding").write_text("1", encoding="ascii")


@pytest.fixture
def box(loaded: Box) -> Iterator[Box]:
    """An empty table without limits, in the namespace of its devices."""
    with namespaces.within(NAMESPACE):
        loaded.now = time.monotonic_ns()
        loaded.table.set_workers(1)
        loaded.empty()
        assert loaded.use() == (0, 0)
        yield loaded


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Path]:
    """A BPF file system of the test's own."""
    directory = bpf_pins.mount(tmp_path / "maps")
    try:
        yield directory
    finally:
        bpf_pins.unmount(directory)
