"""Statics that a reload adds, takes away or gives another name, while connections of them live."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP

from appliance.kernel import bpf_limits
from appliance.kernel.bpf import ConnectionTable
from appliance.nat.classes import LimitedClass, Limits
from appliance.nat.connection import Ending, Key, Limit, State, TornDown
from appliance.nat.static import Static, intercepted_once
from appliance.nat.translation import PortMap
from tests.admission import CLIENT, MAPPED, OTHER, REAL, mail, police

pytestmark = pytest.mark.root

PASS, DROP = -1, 2
RENAMED = IPv4Address("203.0.113.127")
HOST = Static("inside", "outside", MAPPED, REAL)
PORT = Static("inside", "outside", MAPPED, OTHER, ports=PortMap("tcp", 8026, 8025))


def put(box: Any, *statics: Static) -> Any:
    return box.table.set_limits(Limits(statics), box.interfaces)


def calls(box: Any, mapped: IPv4Address, real: IPv4Address, sport: int, dport: int = 8025, real_port: int = 0) -> int:
    """A SYN arrives and leaves, translated by the rules to `real`; what becomes of it."""
    ends = {"sport": sport, "flags": "S", "seq": 100}
    arrives = IP(src=str(CLIENT), dst=str(mapped)) / TCP(dport=dport, **ends)
    leaves = IP(src=str(CLIENT), dst=str(real)) / TCP(dport=real_port or dport, **ends)
    if box.run("ingress", arrives, box.outside, box.outside).value == DROP:
        return DROP
    return int(box.run("egress", leaves, box.inside, box.outside).value)


def answers(box: Any, mapped: IPv4Address, dport: int, sport: int = 8025) -> None:
    frame = IP(src=str(mapped), dst=str(CLIENT)) / TCP(sport=sport, dport=dport, flags="SA", seq=500, ack=101)
    box.run("egress", frame, box.outside, box.inside)


def clear(box: Any) -> int:
    return int(box.table.clear(each.ends for each in box.table.connections()))


def counts(box: Any) -> list[int]:
    return [each.connections for each in box.table.counts()]


def test_a_static_that_takes_the_number_of_one_that_is_gone_has_its_own_name_and_counts(
    box: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bpf_limits, "STATICS", 2)  # room for one
    put(box, Static("inside", "outside", MAPPED, REAL, 2))
    for port in (1, 2, 3):
        calls(box, MAPPED, REAL, port)
    clear(box)
    put(box, renamed := Static("inside", "outside", RENAMED, REAL, 2))
    assert box.table.counts()[0].refused_max == 0
    assert [calls(box, RENAMED, REAL, port) for port in (1, 2, 3)] == [PASS, PASS, DROP]
    assert set(box.states()) == {Key(RENAMED, 8025, CLIENT, port) for port in (1, 2)}
    put(box, renamed)
    assert (calls(box, RENAMED, REAL, 4), counts(box)) == (DROP, [2])
    assert clear(box) == 2


def test_what_a_host_has_opened_goes_on_when_its_static_is_gone(box: Any) -> None:
    put(box, HOST)
    opened = Key(CLIENT, 25, REAL, 1000)
    for frame, here, there in (
        (IP(src=str(REAL), dst=str(CLIENT)) / TCP(sport=1000, dport=25, flags="S", seq=100), box.inside, box.outside),
        (IP(src=str(CLIENT), dst=str(REAL)) / TCP(sport=25, dport=1000, flags="SA", seq=500, ack=101), 0, box.inside),
    ):
        if here:
            box.run("ingress", frame, here, here)
            frame[IP].src = str(MAPPED)
        box.run("egress", frame, there, here or box.outside)
    for _ in range(2):  # with the second it is gone since an earlier reload
        put(box)
    frame = IP(src=str(MAPPED), dst=str(CLIENT)) / TCP(sport=1000, dport=25, flags="A", seq=101, ack=501)
    box.run("egress", frame, box.outside, box.inside)
    assert box.states() == {opened: State.ESTABLISHED}
    clear(box)
    put(box)
    assert len(box.table._module.table("faces")) == 0


def test_a_number_is_not_another_statics_while_packets_may_be_on_their_way(box: Any) -> None:
    put(box, Static("inside", "outside", MAPPED, REAL, 2))
    put(box, Static("inside", "outside", RENAMED, REAL, 2))
    assert set(box.table._limits.ends) == {1, 2}
    put(box)
    assert set(box.table._limits.ends) == {2}


def test_a_class_that_takes_the_number_of_one_that_is_gone_has_its_own_counts(
    box: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bpf_limits, "CLASSES", 2)  # room for one
    police(box, mail(max_conns=1), statics=(0, 0))
    for port in (1, 2):
        calls(box, MAPPED, REAL, port)
    [refused] = box.table.classes()
    assert refused.refused[Limit.MAX_CONNS] == 1
    clear(box)
    other = LimitedClass("global_policy", None, "other", max_conns=1)
    police(box, other, statics=(0, 0))
    [use] = box.table.classes()
    assert (use.limited.name, use.refused[Limit.MAX_CONNS]) == ("other", 0)


def test_a_static_that_went_while_nobody_was_there_is_known_to_who_comes_after(box: Any, pins: Path) -> None:
    first = replace(box, table=ConnectionTable(pins, size=64))
    put(first, HOST)
    calls(first, MAPPED, REAL, 1)
    first.table.close()  # the pins stay, as behind a kill
    second = replace(box, table=ConnectionTable(pins, size=64))
    try:
        put(second)
        answers(second, MAPPED, 1)
        assert second.states() == {Key(MAPPED, 8025, CLIENT, 1): State.SYN_ACK}
    finally:
        second.table.close()


def test_a_port_that_gets_a_static_of_its_own_ends_what_its_host_was_called_by(box: Any) -> None:
    put(box, HOST)
    calls(box, MAPPED, REAL, 1)
    calls(box, MAPPED, REAL, 2, dport=25)
    box.events()
    assert put(box, PORT, HOST) == [Key(MAPPED, 8025, CLIENT, 1)]
    [ended] = box.events()
    assert isinstance(ended, TornDown)
    assert (ended.ending, ended.real) == (Ending.CLEARED, REAL)
    assert (set(box.states()), counts(box)) == ({Key(MAPPED, 25, CLIENT, 2)}, [0, 1])
    calls(box, MAPPED, OTHER, 3, real_port=8026)
    assert put(box, PORT, HOST) == []
    assert counts(box) == [1, 1]


def test_a_port_that_loses_its_static_is_its_hosts(box: Any) -> None:
    put(box, PORT, HOST)
    calls(box, MAPPED, OTHER, 1, real_port=8026)
    assert put(box, HOST) == [Key(MAPPED, 8025, CLIENT, 1)]
    calls(box, MAPPED, REAL, 2)
    answers(box, MAPPED, 2)
    assert (box.states(), counts(box)) == ({Key(MAPPED, 8025, CLIENT, 2): State.SYN_ACK}, [1])


def test_what_is_left_of_a_static_of_a_host_is_known_beside_one_of_a_port(box: Any) -> None:
    put(box, HOST)
    calls(box, MAPPED, REAL, 1, dport=25)
    assert put(box, PORT) == []
    answers(box, MAPPED, 1, sport=25)
    assert box.states() == {Key(MAPPED, 25, CLIENT, 1): State.SYN_ACK}


def test_a_host_whose_static_is_gone_is_counted_nowhere_when_it_is_called_by_its_own_address(box: Any) -> None:
    put(box, HOST)
    calls(box, MAPPED, REAL, 1)
    put(box)
    answers(box, MAPPED, 1)
    calls(box, REAL, REAL, 2)
    answers(box, REAL, 2)
    named = {Key(MAPPED, 8025, CLIENT, 1), Key(REAL, 8025, CLIENT, 2)}
    assert box.states() == dict.fromkeys(named, State.SYN_ACK)
    put(box, HOST)
    assert counts(box) == [1]


WHOLE = Static("inside", "outside", MAPPED, REAL, 2)
BESIDE = Static("inside", "outside", MAPPED, REAL, 2, ports=PortMap("tcp", 8025, 2525))


@pytest.mark.parametrize("killed", [False, True])
def test_a_client_port_in_use_is_not_good_for_another_name_of_the_server(box: Any, killed: bool) -> None:
    box.table.set_limits(Limits((BESIDE, WHOLE), (), (), frozenset({"outside"})), box.interfaces)
    assert calls(box, MAPPED, REAL, 1) == PASS
    answers(box, MAPPED, 1)
    if killed:
        [connection] = box.table.connections()
        assert box.table.kill(connection.ends)
    assert calls(box, MAPPED, REAL, 1, dport=2525, real_port=8025) == DROP
    assert counts(box) == [0, 1]
    assert calls(box, MAPPED, REAL, 2, dport=2525, real_port=8025) == PASS
    assert counts(box) == [1, 1]


def test_what_nobody_counts_is_not_answered_by_another_name(box: Any) -> None:
    box.table.set_limits(Limits((BESIDE, WHOLE), (), (), frozenset({"outside"})), box.interfaces)
    calls(box, MAPPED, REAL, 1)
    frame = IP(src=str(MAPPED), dst=str(CLIENT)) / TCP(sport=2525, dport=1, flags="SA", seq=500, ack=101)
    assert box.run("egress", frame, box.outside, box.inside).value == DROP
    frame[TCP].flags = "A"
    assert box.run("egress", frame, box.outside, box.inside).value == PASS
    assert set(box.states().values()) == {State.SYN}


def test_what_synproxy_opens_is_counted_at_the_static_that_is_intercepted(box: Any) -> None:
    limited, beside = replace(HOST, max_embryonic=5), replace(HOST, mapped=RENAMED, mapped_interface="elsewhere")
    statics = intercepted_once((limited, beside, replace(BESIDE, max_conns=0)))
    box.table.set_limits(Limits(statics), {**box.interfaces, "elsewhere": box.elsewhere})
    syn = IP(src=str(CLIENT), dst=str(REAL)) / TCP(sport=1, dport=8025, flags="S", seq=100, ack=7000)
    assert box.run("egress", syn, box.inside, 0).value == PASS
    assert counts(box) == [1, 0, 0]


def test_what_synproxy_opens_for_a_client_elsewhere_is_of_no_static(box: Any) -> None:
    """Such a client calls the host by its own address. Nobody is there: it is the firewall's own."""
    limited = replace(HOST, max_embryonic=5)
    interfaces = {**box.interfaces, "elsewhere": box.elsewhere}
    box.table.set_limits(Limits((replace(limited, mapped_interface="elsewhere"),)), interfaces)
    syn = IP(src=str(CLIENT), dst=str(REAL)) / TCP(sport=1, dport=8025, flags="S", seq=100, ack=7000)
    assert box.run("egress", syn, box.inside, 0).value == PASS
    assert counts(box) == [0]
    assert box.states() == {Key(REAL, 8025, CLIENT, 1): State.SYN}
    box.table.set_limits(Limits(), {"inside": box.inside})
    box.table.clear([Key(REAL, 8025, CLIENT, 1)])
    assert box.run("egress", syn, box.inside, 0).value == PASS
    assert box.states() == {}
