"""The program where it belongs: at the firewall's devices, with real TCP and NAT between outside and inside."""

from __future__ import annotations

import json
import os
import select
import shutil
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from pyroute2 import IPRoute
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether

from appliance.kernel import bpf_pins, clsact
from appliance.kernel.bpf import SOURCE, ConnectionTable
from appliance.kernel.errors import KernelError
from appliance.lab.network import MAPPED_SERVER, SERVER
from appliance.nat.classes import Limits
from appliance.nat.connection import Built, Ending, Event, Limit, Refused, State, TornDown
from appliance.nat.static import Static
from tests.admission import line, mail
from tests.ground import Ground, Moment, eventually, router

pytestmark = pytest.mark.root

CLIENTS, PROCESSES, PLACES = 200, 8, 50
ROUNDS = 100 if os.environ.get("FIXUP_LONG") else 3
PATIENCE = 30.0  # s; only a failure takes as long
PORT = 25


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Ground]:
    """The router, translating the server as a static does."""
    with router(f"bpf-{os.getpid()}", tmp_path / "found") as ground:
        ground.run("outside", "ip", "route", "add", str(MAPPED_SERVER), "via", "203.0.113.1")
        nat = f"""*nat
-A PREROUTING -d {MAPPED_SERVER} -j DNAT --to-destination {SERVER}
-A POSTROUTING -o outside0 -s {SERVER} -j SNAT --to-source {MAPPED_SERVER}
COMMIT
"""
        ground.run("firewall", "iptables-restore", "--noflush", text=nat)
        yield ground


@pytest.fixture
def table(host: Ground, loaded: Any) -> Iterator[ConnectionTable]:
    """The program at both devices, no limits yet."""
    loaded.empty()
    with host.within("firewall"):
        loaded.table.set_clock_offset(0)
        limit(loaded.table)
        loaded.table.attach(["outside0", "inside0"])
    yield loaded.table
    with host.within("firewall"):
        clsact.detach(["outside0", "inside0"])


def limit(table: ConnectionTable, max_conns: int = 0, max_embryonic: int = 0) -> None:
    static = Static("inside", "outside", MAPPED_SERVER, SERVER, max_conns, max_embryonic)
    interfaces = {name: socket.if_nametoindex(f"{name}0") for name in ("outside", "inside")}
    table.set_limits(Limits((static,)), interfaces)


def limit_class(table: ConnectionTable, **limits: int) -> None:
    """One class of all there is, and a static without limits."""
    static = Static("inside", "outside", MAPPED_SERVER, SERVER)
    interfaces = {name: socket.if_nametoindex(f"{name}0") for name in ("outside", "inside")}
    table.set_limits(Limits((static,), (mail(**limits),), (line(mail(**limits)),)), interfaces)


def serve(until: int) -> int:
    """Accept connections and close each when its client does, until `until` of them are over."""
    with socket.create_server((str(SERVER), PORT), backlog=512) as listener:
        opened: list[socket.socket] = []
        over = 0
        while over < until:
            readable, _, _ = select.select([listener, *opened], [], [], PATIENCE)
            assert readable, "nothing happens"
            for each in readable:
                if each is listener:
                    opened.append(listener.accept()[0])
                else:
                    opened.remove(each)
                    each.close()
                    over += 1
    return over


def race(count: int, wait: float) -> int:
    """Open `count` connections at once; how many are there after `wait` s, closed then."""
    clients = start(count)
    time.sleep(wait)
    done = connected(clients)
    for each in clients:
        each.close()
    return len(done)


def start(count: int) -> list[socket.socket]:
    """Begin to open so many connections."""
    clients = [socket.socket() for _ in range(count)]
    for each in clients:
        each.setblocking(False)
        each.connect_ex((str(MAPPED_SERVER), PORT))
    return clients


def connected(clients: list[socket.socket]) -> list[socket.socket]:
    done = [each for each in clients if select.select([], [each], [], 0)[1]]
    return [each for each in done if each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0]


def compete(count: int, go: Moment, stop: Moment, here: Moment, done: Moment) -> int:
    """Open `count` connections at `go`, at `stop` give up those that are not there, `here` then, at `done` the others;
    how many those were."""
    go.wait()
    clients = start(count)
    stop.wait()
    won = connected(clients)
    for each in set(clients) - set(won):
        each.close()
    here.come()
    done.wait()
    for each in won:
        each.close()
    return len(won)


def used(table: ConnectionTable) -> tuple[int, int]:
    [use] = table.counts()
    return use.connections, use.embryonic


@pytest.mark.parametrize("limited", ["by the static", "by a class"])
def test_of_200_clients_that_race_for_50_places_exactly_50_get_one(
    host: Ground, table: ConnectionTable, limited: str
) -> None:
    with host.within("firewall"):
        if limited == "by a class":
            limit_class(table, max_conns=PLACES)
        else:
            limit(table, PLACES)
    server = host.beside("inside", partial(serve, ROUNDS * PLACES))
    events: list[Event] = []
    for _ in range(ROUNDS):
        with ExitStack() as over:
            _one_race(host, table, [over.enter_context(closing(Moment())) for _ in range(3 + PROCESSES)])
        events += table.events()
    assert server.result() == ROUNDS * PLACES
    assert sum(isinstance(event, Built) for event in events) == ROUNDS * PLACES
    assert [event.ending for event in events if isinstance(event, TornDown)] == [Ending.FINS] * ROUNDS * PLACES
    assert all(not each.servers for each in table.classes())


def _one_race(host: Ground, table: ConnectionTable, moments: list[Moment]) -> None:
    before = _refused(table)
    go, stop, done, *here = moments
    racers = [host.beside("outside", partial(compete, CLIENTS // PROCESSES, go, stop, each, done)) for each in here]
    go.come()
    assert eventually(lambda: _states(table)[State.ESTABLISHED] == PLACES)
    assert eventually(lambda: _refused(table) - before >= CLIENTS - PLACES)
    stop.come()
    for each in here:
        each.wait()
    assert used(table) == (PLACES, 0)
    done.come()
    assert sum(racer.result() for racer in racers) == PLACES
    assert eventually(lambda: used(table) == (0, 0))
    table.clear(each.ends for each in table.connections())


def _refused(table: ConnectionTable) -> int:
    return table.counts()[0].refused_max + sum(each.refused[Limit.MAX_CONNS] for each in table.classes())


def _states(table: ConnectionTable) -> Counter[State]:
    return Counter(each.state for each in table.connections())


def test_half_open_connections_end_at_the_embryonic_limit(host: Ground, table: ConnectionTable) -> None:
    """The server's SYN-ACKs are dropped on their way, so every connection stays half-open."""
    with host.within("firewall"):
        limit(table, 0, 20)
    host.run("firewall", "iptables", "-A", "FORWARD", "-i", "inside0", "-j", "DROP")
    server = host.beside("inside", partial(serve, 1))
    racers = [host.beside("outside", partial(race, 10, 0.5)) for _ in range(PROCESSES)]
    assert [racer.result() for racer in racers] == [0] * PROCESSES
    total, embryonic = used(table)
    assert 20 <= total == embryonic < 28  # and those that were between the look and the count
    server.kill()
    table.set_clock_offset(31 * 10**9)
    assert table.sweep() >= 20
    assert used(table) == (0, 0)


def test_a_priority_tag_leads_around_no_limit(host: Ground, table: ConnectionTable) -> None:
    """The kernel delivers a frame of VLAN 0 as it does one without a tag, and one of VLAN 0 within VLAN 0."""
    with host.within("firewall"):
        limit(table, 0, 1)
    host.run("firewall", "iptables", "-A", "FORWARD", "-i", "inside0", "-j", "DROP")
    [device] = json.loads(host.run("firewall", "ip", "-json", "link", "show", "outside0"))
    untagged = Ether(dst=device["address"])
    tags = (untagged, untagged / Dot1Q(vlan=0) / Dot1Q(vlan=0), untagged / Dot1Q(vlan=0), untagged / Dot1AD(vlan=0))

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
            wire.bind(("eth0", 0))
            for port, tag in enumerate((*tags, untagged), 2000):
                syn = IP(src="203.0.113.10", dst=str(MAPPED_SERVER)) / TCP(sport=port, dport=PORT)
                wire.send(bytes(tag / syn))

    host.beside("outside", send).result()
    assert eventually(lambda: table.counts()[0].refused_embryonic == 3)
    assert used(table) == (1, 1)


def test_what_the_rules_drop_takes_no_place(host: Ground, table: ConnectionTable) -> None:
    with host.within("firewall"):
        limit(table, 5)
    host.run("firewall", "iptables", "-A", "FORWARD", "-i", "outside0", "-j", "DROP")
    assert host.beside("outside", partial(race, 20, 0.2)).result() == 0
    assert (used(table), table.connections(), table.events()) == ((0, 0), [], [])


def test_a_connection_the_server_opens_takes_no_place_at_its_static(host: Ground, table: ConnectionTable) -> None:
    with host.within("firewall"):
        limit(table, 1, 1)

    def listen() -> bytes:
        with socket.create_server(("203.0.113.10", PORT)) as listener:
            listener.settimeout(PATIENCE)
            return listener.accept()[0].recv(100)

    def call() -> str:
        with socket.socket() as caller:
            caller.bind((str(SERVER), 0))
            assert eventually(lambda: caller.connect_ex(("203.0.113.10", PORT)) == 0)
            caller.sendall(b"mail")
            return "sent"

    listening = host.beside("outside", listen)
    assert host.beside("inside", call).result() == "sent"
    assert listening.result() == b"mail"
    assert eventually(lambda: table.connections() == [])
    built, ended = [event for event in table.events() if not isinstance(event, Refused)][-2:]
    assert isinstance(built, Built)
    assert (built.key.client, built.key.mapped, built.real) == (SERVER, *[IPv4Address("203.0.113.10")] * 2)
    assert isinstance(ended, TornDown)
    assert (ended.key, ended.octets) == (built.key, len(b"mail"))
    assert used(table) == (0, 0)


def test_a_killed_connection_is_silent_both_ways_until_its_server_lets_go(host: Ground, table: ConnectionTable) -> None:
    def talk() -> bytes:
        with socket.create_server((str(SERVER), PORT)) as listener:
            listener.settimeout(PATIENCE)
            peer = listener.accept()[0]
            peer.settimeout(1)
            try:
                return peer.recv(100)
            except TimeoutError:
                return b"silence"

    def speak() -> str:
        with socket.socket() as caller:
            assert eventually(lambda: caller.connect_ex((str(MAPPED_SERVER), PORT)) == 0)
            assert eventually(lambda: not table.kill(entry) if (entry := _entry(table)) else False)
            caller.sendall(b"too late")
            time.sleep(1.5)
        return "spoken"

    server = host.beside("inside", talk)
    assert host.beside("outside", speak).result() == "spoken"
    assert server.result() == b"silence"
    assert eventually(lambda: used(table) == (0, 0))  # by the FIN of the server, which gave up
    assert table.connections() == []


def _entry(table: ConnectionTable) -> object:
    return next((each.ends for each in table.connections() if each.state in (State.ESTABLISHED, State.DEAD)), None)


# Reload, restart, removal


def test_connections_survive_a_reload_and_a_restart(host: Ground, pins: Path) -> None:
    with host.within("firewall"):
        first = ConnectionTable(pins, size=4096)
        limit(first, 2)
        first.attach(["outside0", "inside0"])
    server, restarted = host.beside("inside", partial(serve, 1)), host.moment()

    def hold() -> bool:
        caller = socket.socket()
        assert eventually(lambda: caller.connect_ex((str(MAPPED_SERVER), PORT)) == 0)
        restarted.wait()
        caller.close()
        return True

    holding = host.beside("outside", hold)
    assert eventually(lambda: any(each.state is State.ESTABLISHED for each in first.connections()))
    before = first.connections()
    first.close()

    with host.within("firewall"):
        second = ConnectionTable(pins, size=4096)
        assert second.connections() == before
        limit(second, 7)
        assert used(second) == (1, 0)
        second.attach(["outside0", "inside0"])
        shown = host.run("firewall", "tc", "filter", "show", "dev", "outside0", "ingress")
        assert shown.count("fixup-ingress") == 1
    restarted.come()
    assert holding.result()
    assert server.result() == 1
    assert eventually(lambda: used(second) == (0, 0))
    second.close()


def test_detach_leaves_nothing_and_only_takes_ours(host: Ground, table: ConnectionTable) -> None:
    with host.within("firewall"):
        index, program = socket.if_nametoindex("inside0"), table.programs["reap"]
        with IPRoute() as netlink:
            theirs = {"fd": program.fd, "name": "theirs", "parent": "ffff:fff2", "classid": 1, "direct_action": True}
            netlink.tc("add-filter", "bpf", index, 1, prio=7, protocol=clsact.ETH_P_ALL, **theirs)
        clsact.detach(["outside0", "inside0", "gone0"])
        clsact.detach(["outside0", "inside0"])
    assert "clsact" not in host.run("firewall", "tc", "qdisc", "show", "dev", "outside0")
    left = host.run("firewall", "tc", "filter", "show", "dev", "inside0", "ingress")
    assert "theirs" in left
    assert "fixup" not in left


def test_what_is_pinned_can_be_removed(pins: Path) -> None:
    ConnectionTable(pins, size=64).close()
    mark = bpf_pins.uncounted(pins)
    assert mark.is_dir()
    [version] = [each for each in pins.iterdir() if each.is_dir() and each != mark]
    assert sorted(pin.name for pin in version.iterdir()) == [
        "classes",
        "conns",
        "counts",
        "faces",
        "limits",
        "refusals",
        "shares",
    ]
    bpf_pins.remove(pins)
    assert not version.exists()
    assert not mark.exists()


def test_a_file_system_that_is_there_is_used(pins: Path) -> None:
    before = Path("/proc/self/mounts").read_text()
    assert bpf_pins.mount(pins / "deeper") == pins / "deeper"
    bpf_pins.unmount(pins / "deeper")
    assert Path("/proc/self/mounts").read_text() == before


def test_maps_of_another_layout_are_not_adopted(pins: Path) -> None:
    assert bpf_pins.versioned(pins, "one") != bpf_pins.versioned(pins, "another")
    assert bpf_pins.versioned(pins, "one") == bpf_pins.versioned(pins, "one")


def test_a_layout_is_what_its_declarations_say(pins: Path) -> None:
    one = bpf_pins.versioned(pins, "struct a {\n\tu8 b; /* a\n b */ };")
    assert one == bpf_pins.versioned(pins, "struct a { u8 b; };")
    assert one != bpf_pins.versioned(pins, "struct a { u16 b; };")


def test_maps_are_adopted_unless_keys_or_tags_are_made_otherwise(pins: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(SOURCE.parent, tmp_path / "bpf")
    for adopted in (False, True):
        table = ConnectionTable(pins, size=64, source=copy / SOURCE.name)
        assert table.adopted is adopted
        table.close()
    ends = copy / "ends.h"
    ends.write_text(ends.read_text().replace("0x2c1b3c6d", "0x2c1b3c6f"))
    other = ConnectionTable(pins, size=64, source=copy / SOURCE.name)
    assert not other.adopted
    assert len({each for each in pins.iterdir() if each.is_dir()} - {bpf_pins.uncounted(pins)}) == 2
    bpf_pins.remove(pins, but=other.pins)
    assert [each for each in pins.iterdir() if each.is_dir()] == [other.pins]
    other.close()


def test_no_bpf_file_system_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"^maps cannot be pinned at .*: No such file or directory$"):
        bpf_pins.versioned(tmp_path / "none", "layout")
