"""The model of admission keeps the rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance.flow import Side
from appliance.nat.classes import Limits
from appliance.nat.connection import Key, State
from appliance.nat.limits import Table
from appliance.nat.machine import Packet, Verdict
from appliance.nat.static import Static
from appliance.nat.translation import PortMap
from appliance.tcp.segment import SYN
from tests.admission import CLIENT, INTERFACES, MAPPED, OTHER, REAL, RULES, SOME, Model, Rule


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_model_keeps(rule: Rule) -> None:
    rule.script(Model())


#: One server by two names: its host's, and that of its port 25 alone.
HOST = Static("inside", "outside", MAPPED, REAL, 1)
PORT = Static("inside", "outside", MAPPED, REAL, 1, ports=PortMap("tcp", 25, 2525))


def calls(table: Table, port: int, client_port: int = 1000) -> Verdict:
    """A SYN to the server by this port crosses; clients' translations are chosen."""
    packet = Packet(Key(MAPPED, port, CLIENT, client_port), Side.CLIENT, SYN, 100)
    return table.egress(packet, 0) if table.ingress(packet, 0) is not Verdict.DROP else Verdict.DROP


def by_two_names() -> Table:
    return Table(Limits((PORT, HOST), choosing=frozenset({"outside"})), {}, INTERFACES)


def test_a_clients_port_in_use_is_not_good_for_another_name_of_the_server() -> None:
    table = by_two_names()
    assert calls(table, 25) is Verdict.PASS
    assert calls(table, 2525) is Verdict.DROP
    assert [entry.key.port for entry in table.entries.values()] == [25]
    assert [table.places.total(each.ends) for each in (HOST, PORT)] == [1, 0]
    assert calls(table, 25) is Verdict.PASS, "by the first name it is the connection's own SYN again"
    assert calls(table, 2525, client_port=1001) is Verdict.PASS


@pytest.mark.parametrize("first", [0, 1])
def test_nor_for_a_name_that_only_some_may_call_it_by(first: int) -> None:
    table = Table(Limits((), choosing=frozenset({"outside"})), {}, INTERFACES)
    own = Packet(Key(OTHER, 25, CLIENT, 1000), Side.CLIENT, SYN, 100)
    packets = own, replace(own, key=replace(own.key, mapped=SOME), place=(OTHER, 25))
    said = []
    for packet in (packets[first], packets[1 - first], packets[first]):
        table.ingress(packet, 0)
        said.append(table.egress(packet, 0))
    assert said == [Verdict.PASS, Verdict.DROP, Verdict.PASS]
    assert [entry.key for entry in table.entries.values()] == [packets[first].key]


def test_what_waits_for_a_place_holds_none_for_its_name() -> None:
    table = by_two_names()
    packet = Packet(Key(MAPPED, 25, CLIENT, 1000), Side.CLIENT, SYN, 100)
    table.ingress(packet, 0)  # before the place is taken
    assert calls(table, 25, client_port=1001) is Verdict.PASS
    assert table.egress(packet, 0) is Verdict.DROP
    assert {entry.state for entry in table.entries.values()} == {State.SYN, State.WAITING}
    assert calls(table, 2525) is Verdict.PASS
    assert [table.places.total(each.ends) for each in (HOST, PORT)] == [1, 1]
