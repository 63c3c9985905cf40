"""The flow table: found from both sides, replaced, expired, bounded."""

from __future__ import annotations

import pytest

from appliance.tcp.connection import Connection, State
from appliance.tcp.stream import Stream
from appliance.tcp.table import Table
from tests.wire import CLIENT, SERVER, packet, segment

LIFETIMES = {State.OPEN: 100, State.BYPASS: 100, State.CLOSED: 10, State.RESET: 20, State.DEAD: 50}
SILENCE = 30


def connection(port: int, now: int = 0) -> Connection:
    key = segment(packet(("203.0.113.10", port), ("192.0.2.25", 25))).key
    return Connection(key, Stream(1), Stream(1), now)


@pytest.fixture
def table() -> Table[Connection]:
    return Table(LIFETIMES, SILENCE, limit=3)


def test_either_side_finds_it(table: Table[Connection]) -> None:
    one = connection(1_025)
    assert table.add(one) is None
    assert table.find(one.key) == (one, CLIENT, one.client, one.server)
    assert table.find(one.server_key) == (one, SERVER, one.server, one.client)
    assert table.find(connection(1_026).key) is None
    assert (len(table), list(table)) == (1, [one])


def test_a_tuple_used_again_forgets_the_one_before(table: Table[Connection]) -> None:
    one, two = connection(1_025), connection(1_025)
    table.add(one)
    table.end(one, State.CLOSED)
    assert table.add(two) is one
    assert table.find(two.key) == (two, CLIENT, two.client, two.server)
    assert len(table) == 1


def test_roles_may_have_changed(table: Table[Connection]) -> None:
    one = connection(1_025)
    two = Connection(one.server_key, Stream(1), Stream(1), 0)
    table.add(one)
    assert table.add(two) is one
    assert table.find(one.key) == (two, SERVER, two.server, two.client)
    assert len(table) == 1


def test_full_of_living_ones_it_takes_no_more(table: Table[Connection]) -> None:
    for port in range(3):
        one = connection(port)
        table.add(one)
        table.heard(one)
    late = connection(9)
    assert table.add(late) is late
    assert table.find(late.key) is None
    assert len(table) == 3


def test_the_one_that_was_over_first_makes_room(table: Table[Connection]) -> None:
    ones = [connection(port) for port in range(3)]
    for each in ones:
        table.add(each)
    table.end(ones[2], State.DEAD)
    table.end(ones[0], State.CLOSED)
    assert table.add(connection(8)) is ones[2]
    assert table.add(connection(9)) is ones[0]
    assert table.find(ones[1].key) == (ones[1], CLIENT, ones[1].client, ones[1].server)


def test_one_whose_client_was_never_heard_makes_room_when_none_is_over(table: Table[Connection]) -> None:
    ones = [connection(port) for port in range(3)]
    for each in ones:
        table.add(each)
    table.heard(ones[0])
    assert table.add(connection(8)) is ones[1]
    table.end(ones[0], State.CLOSED)
    assert table.add(connection(9)) is ones[0], "what is over goes first"


def test_silence_has_a_time_of_its_own(table: Table[Connection]) -> None:
    silent, heard = connection(1_025), connection(1_026)
    table.add(silent)
    table.add(heard)
    table.heard(heard)
    assert table.idle(SILENCE) == []
    assert table.idle(SILENCE + 1) == [silent]


@pytest.mark.parametrize("state", State)
def test_each_state_has_its_time(table: Table[Connection], state: State) -> None:
    one = connection(1_025, now=7)
    table.add(one)
    table.heard(one)
    if state in (State.CLOSED, State.RESET, State.DEAD):
        table.end(one, state)
    one.state = state
    assert table.idle(7 + LIFETIMES[state]) == []
    assert table.idle(8 + LIFETIMES[state]) == [one]


def test_ten_thousand_connections_leave_nothing_behind(table: Table[Connection]) -> None:
    one = connection(1_025)
    for _ in range(10_000):
        table.add(one)
        table.end(one, State.CLOSED)
        table.remove(one)
    assert (len(table), len(table._sides), len(table._over), len(table._silent)) == (0, 0, 0, 0)
