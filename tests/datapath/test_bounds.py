"""What an engine may cost: attackers only evict each other, idle connections are small, ended ones leave nothing."""

from __future__ import annotations

import gc
import os
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from operator import sub

import pytest

from appliance.datapath import kept, reader
from appliance.datapath.datapath import LIFETIMES, Datapath
from appliance.datapath.effects import Drop
from appliance.tcp.connection import State
from appliance.tcp.segment import ACK, FIN, RST
from tests.datapath.double import Double
from tests.datapath.test_session import DIALOGUE, RELEASED, play
from tests.wire import CLIENT, MS, SECOND, SERVER, Wire, count, engine

GREETED = DIALOGUE[:3]
ROUNDS, IN_A_ROUND = (100, 10_000) if os.environ.get("FIXUP_LONG") else (4, 1_500)


def wire(datapath: Datapath, number: int, beside: Wire | None = None) -> Wire:
    """Connection `number` of many; `beside` another whose call may bring its packets' verdicts."""
    books = {} if beside is None else {"sent": beside.sent, "verdicts": beside.verdicts}
    made = Wire(datapath, ("203.0.113.10", 1_024 + number), handle=number * 10_000, client_isn=number * 7_919, **books)
    return made.open()


def dropped(of: Wire) -> int:
    """How many packets of its own were."""
    first = of.handle // 10_000 * 10_000
    return sum(isinstance(of.verdicts.get(handle), Drop) for handle in range(first, of.handle + 1))


def test_twenty_attackers_with_256_tiny_segments_each_do_not_stop_other_mail() -> None:
    datapath = engine()
    victim = wire(datapath, 50)
    attackers = [wire(datapath, number, victim) for number in range(20)]
    for at in range(256):
        for each in attackers:
            each.send(CLIENT, 10 + 2 * at, b"x")  # a gap before every one
    assert datapath.waiting == 4_096
    late = [(start, DIALOGUE[5][1][start : start + 9]) for start in range(0, len(DIALOGUE[5][1]), 9)]
    play(victim, lambda _, octets: reversed(late) if octets == DIALOGUE[5][1] else [(0, octets)])
    assert (victim.got(CLIENT), victim.got(SERVER)) == (RELEASED[CLIENT], RELEASED[SERVER])
    assert dropped(victim) == 0
    assert sum(map(dropped, attackers)) == 20 * 256 - datapath.waiting


def test_the_one_who_holds_most_loses_first() -> None:
    datapath = engine(Double)
    hog = wire(datapath, 0)
    others = [wire(datapath, number, hog) for number in range(1, 9)]
    for at in range(1_024):
        hog.send(CLIENT, 10 + 2 * at, b"x")
    for at in range(384):
        for each in others:
            each.send(CLIENT, 10 + 2 * at, b"x")
    assert datapath.waiting == 4_096
    assert count(datapath, "evicted") == 0
    for at in range(20):
        others[0].send(CLIENT, 2_000 + 2 * at, b"x")
    assert (count(datapath, "evicted"), dropped(hog), sum(map(dropped, others))) == (20, 20, 0)


def test_idle_connections_are_small() -> None:
    """Ten thousand may cost 60 MB."""
    datapath = engine()
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(1_000):
        each = wire(datapath, number).talk(GREETED)
        each.acked[SERVER] = sum(len(octets) for side, octets in GREETED if side is SERVER)
        each.send(CLIENT, len(GREETED[1][1]))  # the ACK of the reply
    del each
    gc.collect()
    cost = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(datapath) == 1_000
    assert cost / 1_000 <= 6_000, f"{cost / 1_000:.0f} octets each"


def ended(datapath: Datapath, number: int, now: int) -> None:
    """A connection that ends in one of the ways there are."""
    each = wire(datapath, number)
    each.now = now
    each.talk(GREETED[:2])
    match number % 5:
        case 0:
            each.close(CLIENT, len(GREETED[1][1]))
            each.close(SERVER, len(GREETED[0][1]))
        case 1:
            each.send(CLIENT, len(GREETED[1][1]), flags=RST | ACK)
        case 2:
            each.send(CLIENT, len(GREETED[1][1]), b"MAIL FROM:<a|b@example>\r\n")  # killed by inspection
        case 3:
            each.send(CLIENT, 9_000, b"waits until it expires")
        case _:
            each.send(SERVER, len(GREETED[0][1]), b"250-hel", flags=ACK | FIN)  # its line never ends


def test_connections_that_ended_leave_nothing() -> None:
    """Rounds of connections; from the second on not one block of memory more. A million of them with `make soak`."""
    datapath = engine(lifetimes=dict.fromkeys(LIFETIMES, SECOND))
    sizes = []
    for turn in range(ROUNDS):
        now = turn * 1_000 * SECOND
        for number in range(IN_A_ROUND):
            ended(datapath, number, now)
        for later in range(10, 50, 10):
            datapath.tick(now + later * SECOND)
        assert (len(datapath), datapath.waiting, datapath._kept.octets) == (0, 0, 0)
        gc.collect()
        sizes.append(sys.getallocatedblocks())
    print(f"blocks of memory after each {IN_A_ROUND} connections: {sizes[0]}, {sizes[1]}, …, {sizes[-1]}")
    assert max(sizes[1:]) - min(sizes[1:]) < 1_000, sizes  # 1,500 connections would be 30,000 and more


def test_a_port_used_again_within_time_wait_is_another_connection() -> None:
    datapath = engine()
    first = wire(datapath, 7)
    first.talk(DIALOGUE)
    for side in (CLIENT, SERVER):
        first.close(side, sum(len(octets) for one, octets in DIALOGUE if one is side))
    assert [each.state for each in datapath._table] == [State.CLOSED]
    again = Wire(datapath, first.client, client_isn=5, server_isn=2**32 - 20).open()
    play(again, lambda _, octets: [(0, octets)])
    assert (again.got(CLIENT), again.got(SERVER)) == (RELEASED[CLIENT], RELEASED[SERVER])
    assert (len(datapath), count(datapath, "connections")) == (1, 2)


def calls(of: Callable[[], object]) -> int:
    """How many functions are called for it."""
    seen = [0]

    def see(_frame: object, event: str, _what: object) -> None:
        seen[0] += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        of()
    finally:
        sys.setprofile(before)
    return seen[0]


def crowd(holders: int, each: int) -> Datapath:
    """So many connections have `each` early packets waiting, of which one a millisecond came."""
    datapath = engine()
    wires = [wire(datapath, number) for number in range(holders)]
    for at in range(each):
        for number, one in enumerate(wires):
            one.now = (at * holders + number) * MS
            one.send(CLIENT, 10 + 2 * at, b"x")
    assert datapath.waiting == holders * each
    return datapath


def test_what_waits_elsewhere_makes_no_call_dearer() -> None:
    """A deadline, an eviction, the end of a connection: with 4,096 connections that wait as with sixteen."""
    costs = []
    for holders in (16, 4_096):
        datapath = crowd(holders, 4_096 // holders)
        late = wire(datapath, 5_000)
        late.now = 4_096 * MS
        evict = calls(partial(late.send, CLIENT, 10, b"x"))
        end = calls(partial(late.send, CLIENT, 0, flags=RST | ACK))
        assert (count(datapath, "evicted"), datapath.waiting) == (1, 4_095)
        expire = calls(partial(datapath.tick, datapath.next_deadline))
        assert (count(datapath, "expired"), datapath.waiting) == (1, 4_094)
        ahead = calls(partial(getattr, datapath, "next_deadline"))
        costs.append((evict, end, expire, ahead))
    few, many = costs
    assert max(map(sub, many, few)) <= 8, costs


def over(datapath: Datapath, number: int, acknowledged: bool) -> None:
    """A connection both of whose FINs were read; of its last octets the peers may have told."""
    each = wire(datapath, number)
    each.send(CLIENT, 0, b"quit\n", flags=ACK | FIN)
    each.acked[CLIENT] = 6
    each.send(SERVER, 0, b"221\n", flags=ACK | FIN)
    each.acked[SERVER] = 5
    if acknowledged:
        each.send(CLIENT, 6)


@pytest.mark.parametrize("acknowledged", [True, False])
def test_what_is_over_makes_no_packet_at_the_cap_dearer(acknowledged: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few of them make room at once, and of those that keep nothing, none."""
    costs = []
    for many in (32, 320):
        datapath = engine(Double)
        for number in range(many):
            over(datapath, number, acknowledged)
        late = wire(datapath, 5_000)
        for module in (kept, reader):
            monkeypatch.setattr(module, "MAX_KEPT_IN_ALL", 100)
        costs.append(calls(partial(late.send, CLIENT, 0, b"x" * 101)))
        monkeypatch.undo()
        assert (len(datapath), dropped(late)) == (many + 1 - (0 if acknowledged else kept.LOOKS), 1)
    assert costs[0] == costs[1]


def test_a_connection_with_all_it_may_have_waiting_ends_with_few_calls_for_each_packet() -> None:
    datapath = engine()
    hog = wire(datapath, 0)
    for at in range(3_072):
        hog.send(CLIENT, 10 + 2 * at, b"x")
    assert calls(lambda: hog.send(CLIENT, 0, flags=RST | ACK)) < 20 * 3_072
    assert (datapath.waiting, dropped(hog)) == (0, 3_072)
