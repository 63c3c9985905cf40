"""Connections that are known by other ends beyond a translation: of one port, or chosen as they connect (a pool, PAT),
or of a server that only some may call by an address (policy NAT).

192.0.2.30 is 203.0.113.1 outside, at a port of its own; 203.0.113.130 port 2525 is 192.0.2.30 port 25 for some.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP

from appliance import marks
from appliance.kernel.bpf_program import Run
from appliance.nat.classes import Limits
from appliance.nat.connection import Ending, Event, Key, State
from appliance.nat.static import Static
from tests.admission import CLIENT, DESK, MAPPED, POOL, PORTS, REAL, limits_of, line, mail, police, static

pytestmark = pytest.mark.root

PASS, DROP = -1, 2
ALIAS = 8  # enum conn_state
C, M, R = str(CLIENT), str(MAPPED), str(REAL)
ELSE = "198.51.100.7"

HERE, THERE = "192.0.2.30", "203.0.113.1"
OUTBOUND = Key(IPv4Address(ELSE), 25, IPv4Address(HERE), 1000)


def from_desk(at: str, port: int = 1000, *, id: int = 7, **fields: Any) -> Any:
    return IP(src=at, dst=ELSE, id=id) / tcp(sport=port, **fields)


def to_desk(at: str, port: int = 1000, **fields: Any) -> Any:
    return IP(src=ELSE, dst=at) / tcp(sport=25, dport=port, **{"seq": 500, "ack": 101, **fields})


def goes_out(box: Any, port: int = 40000, *, sport: int = 1000, id: int = 7, **fields: Any) -> int:
    """A packet of the desk comes in, and leaves translated; what becomes of it."""
    assert box.run("ingress", from_desk(HERE, sport, id=id, **fields), box.inside, box.inside).value == PASS
    return int(box.run("egress", from_desk(THERE, port, id=id, **fields), box.outside, box.inside).value)


def comes_back(box: Any, port: int = 40000, **fields: Any) -> int:
    """A packet to the desk comes in and leaves; the mark it had between."""
    run = arrives(box, to_desk(THERE, port, **fields))
    assert run.value == PASS
    assert box.run("egress", to_desk(HERE, **fields), box.inside, box.outside).value == PASS
    return marks.DISPOSITION.get(run.mark)


def translated(box: Any, *ports: int) -> list[Event]:
    """Connections are opened that get these ports, one after the other; what is told of it."""
    for port in ports:
        assert goes_out(box, port) == PASS
    return list(box.events())


def test_what_is_translated_as_it_connects_has_an_entry_by_its_real_ends(box: Any) -> None:
    [built] = translated(box, 40000)
    assert (built.key, built.beyond) == (OUTBOUND, (IPv4Address(THERE), 40000))
    assert comes_back(box, flags="SA") == marks.Disposition.QUEUE
    assert goes_out(box, flags="A", seq=101, ack=501) == PASS
    assert box.states() == {OUTBOUND: State.ESTABLISHED}
    assert comes_back(box, flags="A", seq=501) == marks.Disposition.SKIP
    [entry] = box.table.connections()
    assert (entry.beyond, entry.octets) == ((IPv4Address(THERE), 40000), 0)
    goes_out(box, flags="FA", seq=101, ack=501)
    comes_back(box, flags="FA", seq=501, ack=102)
    assert goes_out(box, flags="A", seq=102, ack=502) == PASS
    [ended] = box.events()
    assert (ended.key, ended.beyond, ended.ending) == (OUTBOUND, built.beyond, Ending.FINS)
    assert len(box.table._module.table("conns")) == 0  # nor anything else


def test_its_worker_is_that_of_its_first_packet(box: Any) -> None:
    """Which connection tracking keeps for all of them."""
    box.table.set_workers(7)
    for port in range(1000, 1010):
        goes_out(box, 39000 + port, sport=port, id=port)
        run = box.run("ingress", from_desk(HERE, port, id=port), box.inside, box.inside)
        assert marks.WORKER.get(run.mark) == box.table.worker(replace(OUTBOUND, client_port=port))


def test_a_syn_that_gets_another_port_is_known_by_that_one(box: Any) -> None:
    assert len(translated(box, 40000, 40001)) == 1
    comes_back(box, 40001, flags="SA")
    goes_out(box, 40001, flags="A", seq=101, ack=501)
    assert box.states() == {OUTBOUND: State.ESTABLISHED}
    assert comes_back(box, 40001, flags="A", seq=501) == marks.Disposition.SKIP
    assert comes_back(box, 40000, flags="A", seq=501) == marks.Disposition.QUEUE
    box.clear(OUTBOUND)
    assert len(box.table._module.table("conns")) == 0


def test_a_port_that_another_connection_gets_is_that_ones(box: Any) -> None:
    translated(box, 40000)
    for program, source, device in (("ingress", "192.0.2.31", box.inside), ("egress", THERE, box.outside)):
        frame = from_desk(source, 1000 if program == "ingress" else 40000, id=8)
        assert box.run(program, frame, device, box.inside).value == PASS
    other = Key(OUTBOUND.mapped, 25, IPv4Address("192.0.2.31"), 1000)
    assert set(box.states()) == {OUTBOUND, other}
    box.clear(OUTBOUND)  # which leaves the other's alone
    box.table.set_workers(7)
    run = arrives(box, to_desk(THERE, 40000, flags="SA"))
    assert marks.WORKER.get(run.mark) == box.table.worker(other)
    box.clear(other)
    assert len(box.table._module.table("conns")) == 0


def test_what_is_left_of_what_is_over_is_swept(box: Any) -> None:
    conns = box.table._module.table("conns")
    translated(box, 40000)
    [alias] = [key for key, leaf in conns.items() if leaf.state == ALIAS]
    left = conns[alias]
    box.clear(OUTBOUND)
    conns[alias] = left
    assert (box.sweep(), len(conns)) == (0, 1)
    box.later(25)
    assert (box.sweep(), len(conns)) == (0, 0)
    translated(box, 40000)
    box.later(25)
    assert (box.sweep(), len(conns)) == (0, 2)


def test_a_syn_that_nobody_saw_come_in_comes_again(box: Any) -> None:
    gone = from_desk(THERE, 40000, id=9)
    assert box.run("egress", gone, box.outside, box.inside).value == DROP
    assert box.states() == {}
    assert box.run("egress", IP(src=C, dst=HERE) / tcp(), box.inside, box.outside).value == PASS  # from where none is
    assert len(box.states()) == 1


def test_one_note_is_of_one_connection(box: Any) -> None:
    """All that a SYN is known by beyond the rules is its sender's choice: two alike are not on their way at once."""
    assert box.run("ingress", from_desk(HERE, 1000), box.inside, box.inside).value == PASS
    for source, port in ((HERE, 1001), ("192.0.2.31", 1000)):
        assert box.run("ingress", from_desk(source, port), box.inside, box.inside).value == DROP
    assert box.run("ingress", from_desk(HERE, 1000), box.inside, box.inside).value == PASS, "the same one again"
    assert box.run("egress", from_desk(THERE, 40000), box.outside, box.inside).value == PASS
    assert box.run("egress", from_desk(THERE, 40001), box.outside, box.inside).value == DROP, "it has left"
    assert box.run("ingress", from_desk(HERE, 1001), box.inside, box.inside).value == PASS
    assert box.run("egress", from_desk(THERE, 40001), box.outside, box.inside).value == PASS
    assert set(box.states()) == {OUTBOUND, replace(OUTBOUND, client_port=1001)}


def test_a_note_is_forgotten_with_time(box: Any) -> None:
    assert box.run("ingress", from_desk(HERE, 1000), box.inside, box.inside).value == PASS
    box.later(11)
    assert box.run("egress", from_desk(THERE, 40000), box.outside, box.inside).value == DROP
    for verdict in (DROP, PASS):  # what comes again may be another
        assert box.run("ingress", from_desk(HERE, 1001), box.inside, box.inside).value == verdict
    assert box.run("egress", from_desk(THERE, 40000), box.outside, box.inside).value == PASS
    assert set(box.states()) == {replace(OUTBOUND, client_port=1001)}


def test_one_that_is_translated_at_both_ends_has_no_entry(box: Any) -> None:
    frame = IP(src=HERE, dst="192.0.2.200", id=7) / tcp()
    assert box.run("ingress", frame, box.inside, box.inside).value == PASS
    assert box.run("egress", from_desk(THERE, 40000), box.outside, box.inside).value == PASS
    assert box.states() == {}


def test_a_place_refused_leaves_nothing(box: Any) -> None:
    police(box, mail(max_conns=1), statics=(0, 0))
    translated(box, 40000)
    frame = from_desk(HERE, 1001, id=8)
    box.run("ingress", frame, box.inside, box.inside)
    assert box.run("egress", from_desk(THERE, 40001, id=8), box.outside, box.inside).value == DROP
    states = [leaf.state for leaf in box.table._module.table("conns").values()]
    assert sorted(states) == [State.SYN, ALIAS]


def test_a_static_of_a_port_is_limited_and_leads_to_its_port(box: Any) -> None:
    box.set_limits(limits_of(static(), port=1))
    for port in (1, 2):
        first = arrives(box, IP(src=C, dst=str(POOL)) / tcp(sport=port))
        assert first.value == (PASS if port == 1 else DROP)
        if first.value == PASS:
            box.run("egress", IP(src=C, dst=str(DESK)) / tcp(sport=port, dport=2500), box.inside, box.outside)
        assert box.states() == {Key(POOL, 25, CLIENT, 1): State.SYN}
    built, refused = box.events()
    assert (built.key, built.real, built.real_port) == (Key(POOL, 25, CLIENT, 1), DESK, 2500)
    assert (refused.key.port, refused.real_port, refused.count, refused.limit) == (25, 2500, 1, 1)
    answer = IP(src=str(POOL), dst=C) / TCP(sport=25, dport=1, flags="SA", seq=500, ack=101)
    box.run("egress", answer, box.outside, box.inside)
    assert box.states() == {Key(POOL, 25, CLIENT, 1): State.SYN_ACK}
    assert arrives(box, IP(src=C, dst=str(POOL)) / tcp(sport=2, dport=26)).value == PASS  # another port is not its


def test_a_host_and_a_port_of_it_are_told_apart_by_what_was_called(box: Any) -> None:
    port = Static("inside", "outside", POOL, REAL, ports=PORTS)
    box.set_limits(Limits((static(), port), choosing=frozenset({"outside", "inside"})))
    for called, sport, dport in ((M, 1, 2500), (str(POOL), 2, 25)):
        arrives(box, IP(src=C, dst=called, id=sport) / tcp(sport=sport, dport=dport))
        box.run("egress", IP(src=C, dst=R, id=sport) / tcp(sport=sport, dport=2500), box.inside, box.outside)
    assert set(box.states()) == {Key(MAPPED, 2500, CLIENT, 1), Key(POOL, 25, CLIENT, 2)}
    assert [use.connections for use in box.table.counts()] == [1, 1]


CALLED = "203.0.113.130"
SOME = Key(IPv4Address(CALLED), 2525, CLIENT, 1000)


def calls(box: Any, *, id: int = 7, **fields: Any) -> int | None:
    """A packet of one that may call the server comes in and leaves; the mark it had between, None if it did not."""
    run = arrives(box, IP(src=C, dst=CALLED, id=id) / tcp(**fields, dport=2525))
    assert run.value == PASS
    left = box.run("egress", IP(src=C, dst=HERE, id=id) / tcp(**fields), box.inside, box.outside)
    return marks.DISPOSITION.get(run.mark) if left.value == PASS else None


def answers(box: Any, **fields: Any) -> int:
    """A packet of the server comes in and leaves; the mark it had between."""
    fields = {"sport": 25, "dport": 1000, "seq": 500, "ack": 101, **fields}
    run = box.run("ingress", IP(src=HERE, dst=C) / TCP(**fields), box.inside, box.inside)
    assert run.value == PASS
    frame = IP(src=CALLED, dst=C) / TCP(**{**fields, "sport": 2525})
    assert box.run("egress", frame, box.outside, box.inside).value == PASS
    return int(marks.DISPOSITION.get(run.mark))


@pytest.fixture
def called(box: Any) -> Any:
    """A box where some that come from outside call a server by an address of their own."""
    box.set_limits(Limits((static(),), choosing=frozenset({"outside"})))
    return box


def test_what_only_some_may_call_has_an_entry_by_its_real_ends(called: Any) -> None:
    assert calls(called) == marks.Disposition.SKIP
    [built] = called.events()
    assert (built.key, built.server, built.beyond) == (SOME, (IPv4Address(HERE), 25), None)
    assert answers(called, flags="SA") == marks.Disposition.QUEUE
    assert calls(called, flags="A", seq=101, ack=501) == marks.Disposition.SKIP
    assert called.states() == {SOME: State.ESTABLISHED}
    assert calls(called, flags="PA", seq=101, ack=501) == marks.Disposition.SKIP
    assert answers(called, flags="A", seq=501) == marks.Disposition.SKIP
    [entry] = called.table.connections()
    assert (entry.key, entry.server, entry.beyond, entry.octets) == (SOME, (IPv4Address(HERE), 25), None, 0)
    calls(called, flags="FA", seq=101, ack=501)
    answers(called, flags="FA", seq=501, ack=102)
    calls(called, flags="A", seq=102, ack=502)
    [ended] = called.events()
    assert (ended.key, ended.server, ended.ending) == (SOME, built.server, Ending.FINS)
    assert len(called.table._module.table("conns")) == 0  # nor anything else


def test_a_syn_that_comes_again_is_of_the_same_connection(called: Any) -> None:
    for bits in ("S", "S"):
        assert calls(called, flags=bits) == marks.Disposition.SKIP
    assert len(list(called.events())) == 1
    answers(called, flags="SA")
    calls(called, flags="A", seq=101, ack=501)
    calls(called, flags="FA", seq=101, ack=501)
    answers(called, flags="FA", seq=501, ack=101)
    assert called.states() == {SOME: State.CLOSING}
    called.events()
    assert calls(called, seq=900) == marks.Disposition.SKIP
    assert called.states() == {SOME: State.SYN}
    ended, built = called.events()
    assert (ended.key, ended.ending, built.key) == (SOME, Ending.REPLACED, SOME)
    assert answers(called, flags="SA", ack=901) == marks.Disposition.QUEUE
    assert called.states() == {SOME: State.SYN_ACK}
    called.clear(SOME)
    assert len(called.table._module.table("conns")) == 0


def test_the_worker_of_what_is_called_so_is_that_of_its_first_packet(called: Any) -> None:
    called.table.set_workers(7)
    for port in range(1000, 1010):
        found = []
        for _ in range(2):  # it has no entry; and has one, which connection tracking may have forgotten
            run = arrives(called, IP(src=C, dst=CALLED, id=port) / tcp(sport=port, dport=2525))
            found.append(marks.WORKER.get(run.mark))
            leaving = IP(src=C, dst=HERE, id=port) / tcp(sport=port)
            assert called.run("egress", leaving, called.inside, called.outside).value == PASS
        assert set(found) == {called.table.worker(Key(IPv4Address(HERE), 25, CLIENT, port))}


def test_what_is_called_so_is_limited_by_its_class(called: Any) -> None:
    one = mail(max_conns=1)
    called.set_limits(Limits((static(),), (one,), (line(one),), frozenset({"outside"})))
    assert calls(called, sport=1) == marks.Disposition.SKIP
    assert calls(called, sport=2, id=8) is None
    assert calls(called, sport=2, id=8) is None
    assert called.shares()["mail"][0] == {IPv4Address(HERE): (1, 1)}
    built, refused = called.events()
    assert (refused.key.mapped, refused.key.port, refused.key.client_port) == (IPv4Address(CALLED), 2525, 2)
    first = Key(SOME.mapped, 2525, CLIENT, 1)
    assert built.key == first
    states = [leaf.state for leaf in called.table._module.table("conns").values()]
    assert sorted(states) == [State.SYN, ALIAS]
    called.clear(first)
    assert calls(called, sport=2, id=8) == marks.Disposition.SKIP


def test_who_gets_another_port_as_he_calls_another_name_tries_again(called: Any) -> None:
    """By what is translated at both of its ends he would pass uncounted."""
    calls(called, sport=1000)
    other = str(IPv4Address(CALLED) + 1)
    assert arrives(called, IP(src=C, dst=other, id=8) / tcp(dport=2525)).value == PASS
    frame = IP(src=C, dst=HERE, id=8) / tcp(sport=1024)
    assert called.run("egress", frame, called.inside, called.outside).value == DROP
    assert set(called.states()) == {SOME}


@pytest.mark.parametrize("states", [1, 3])
def test_while_one_lives_its_client_gets_no_other_by_the_servers_own_name(called: Any, states: int) -> None:
    """From that port: connection tracking would give it another, and two would hold one place."""
    calls(called)
    if states == State.ESTABLISHED:
        answers(called, flags="SA")
        calls(called, flags="A", seq=101, ack=501)
    assert called.states() == {SOME: State(states)}
    assert arrives(called, IP(src=C, dst=HERE, id=8) / tcp()).value == PASS
    frame = IP(src=C, dst=HERE, id=8) / tcp(sport=1024)
    assert called.run("egress", frame, called.inside, called.outside).value == DROP
    assert answers(called, flags="SA") == marks.Disposition.QUEUE, "it is known as it was"


def test_what_a_static_says_and_the_rules_do_not_has_no_entry(called: Any) -> None:
    arrives(called, IP(src=C, dst=M, id=8) / tcp())
    leaving = IP(src=C, dst=HERE, id=8) / tcp()
    assert called.run("egress", leaving, called.inside, called.outside).value == PASS
    assert called.states() == {}


def test_what_inspection_closes_passes_by_no_address(called: Any) -> None:
    calls(called)
    assert called.kill(SOME)
    assert arrives(called, IP(src=C, dst=CALLED) / tcp(dport=2525, flags="A", seq=101, ack=501)).value == DROP
    frame = IP(src=HERE, dst=C) / TCP(sport=25, dport=1000, flags="R", seq=500)
    assert called.run("ingress", frame, called.inside, called.inside).value == DROP
    assert len(called.table._module.table("conns")) == 0  # its server has let go


def test_a_host_with_a_static_may_be_called_otherwise_by_some(called: Any) -> None:
    for called_by, leads_to, sport in ((M, R, 1), (CALLED, R, 2)):
        arrives(called, IP(src=C, dst=called_by, id=sport) / tcp(sport=sport))
        called.run("egress", IP(src=C, dst=leads_to, id=sport) / tcp(sport=sport), called.inside, called.outside)
    assert set(called.states()) == {Key(MAPPED, 25, CLIENT, 1), Key(IPv4Address(CALLED), 25, CLIENT, 2)}
    assert called.use() == (1, 1)  # the static's places are of those that call it


def tcp(**fields: Any) -> TCP:
    return TCP(**{"sport": 1000, "dport": 25, "flags": "S", "seq": 100, **fields})


def arrives(box: Any, frame: Any) -> Run:
    run: Run = box.run("ingress", frame, box.outside, box.outside)
    return run
