"""After any storm the counters are what the table's own recount says, and return to zero.

Clients open, talk, close, half-close, abort and vanish at random over a line that loses packets; beside them entries
are killed, released, cleared and swept under a clock that jumps, limits change, and the program is restarted on its
pinned maps.
"""

from __future__ import annotations

import os
import random
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.kernel.bpf import ConnectionTable
from appliance.lab.network import MAPPED_SERVER, SERVER
from appliance.nat.classes import Limits
from appliance.nat.connection import Connection, State
from appliance.nat.static import Static
from tests.admission import line, mail
from tests.bpf.storm import serve, storm
from tests.bpf.test_network import host
from tests.ground import Ground, eventually

pytestmark = pytest.mark.root

__all__ = ["host"]  # the fixture

CLIENTS = 4
OPENED = 1500 if os.environ.get("FIXUP_LONG") else 150  # by each
RESTART_EVERY = 40  # turns of meddling


def limits(dice: random.Random) -> Limits:
    limited = mail(max_conns=dice.choice((0, 30, 60)), client_max=dice.choice((0, 40)))
    static = Static("inside", "outside", MAPPED_SERVER, SERVER, dice.choice((0, 40, 80)))
    return Limits((static,), (limited,), (line(limited),))


def recount(connections: list[Connection]) -> tuple[int, int]:
    counted = [each for each in connections if each.state is not State.WAITING and each.key.mapped == MAPPED_SERVER]
    return len(counted), sum(each.embryonic for each in counted)


def by_client(connections: list[Connection]) -> Counter[IPv4Address]:
    return Counter(each.key.client for each in connections if each.state is not State.WAITING)


def agrees(table: ConnectionTable) -> bool:
    """The counters are the table's recount. Packets may still come: then another look has to agree."""
    connections = table.connections()
    [static], [limited] = table.counts(), table.classes()
    found = recount(connections)
    counted = static.connections, static.embryonic
    in_class = limited.connections, limited.embryonic
    return found == counted == in_class and all(
        each.connections <= by_client(connections)[each.address] for each in limited.clients
    )


def test_after_a_storm_the_counters_are_the_recount_and_return_to_zero(host: Ground, pins: Path) -> None:
    dice = random.Random(5)
    interfaces: dict[str, int] = {}
    jumped = 0

    def load() -> ConnectionTable:
        with host.within("firewall"):
            interfaces.update({name: socket.if_nametoindex(f"{name}0") for name in ("outside", "inside")})
            table = ConnectionTable(pins, size=8192)
            table.set_clock_offset(jumped)
            table.set_limits(limits(dice), interfaces)
            table.attach(["outside0", "inside0"])
        return table

    def later(table: ConnectionTable, seconds: int) -> int:
        nonlocal jumped
        jumped += seconds * 10**9
        table.set_clock_offset(jumped)
        return table.sweep()

    def meddle(table: ConnectionTable) -> None:
        known = [each.ends for each in table.connections()]
        chosen = dice.sample(known, min(4, len(known)))
        deeds: list[Callable[[], object]] = [
            lambda: [table.kill(each) for each in chosen],
            lambda: [table.release(each) for each in chosen],
            lambda: table.clear(chosen),
            lambda: table.set_limits(limits(dice), interfaces),
            lambda: later(table, 20),
        ]
        dice.choice(deeds)()
        table.events()

    lossy = ["-m", "statistic", "--mode", "random", "--probability", "0.05", "-j", "DROP"]
    host.run("firewall", "iptables", "-A", "FORWARD", *lossy)
    table = load()
    server = host.beside("inside", partial(serve, 1))
    clients = [host.beside("outside", partial(storm, seed, lambda opened: opened == OPENED)) for seed in range(CLIENTS)]
    turns = 0
    while not all(each.done() for each in clients):
        meddle(table)
        clients[0].done(0.02)
        turns += 1
        if turns % RESTART_EVERY == 0:
            table.close()
            table = load()
    assert [each.result() for each in clients] == [OPENED] * CLIENTS
    server.kill()
    assert eventually(lambda: agrees(table))
    for seconds in (31, 601, 3601):
        later(table, seconds)
        assert agrees(table)
    assert table.connections() == []
    assert [(each.connections, each.embryonic) for each in table.counts()] == [(0, 0)]
    assert [(each.servers, each.clients) for each in table.classes()] == [((), ())]
    assert table.refused_full() == 0
    table.close()
