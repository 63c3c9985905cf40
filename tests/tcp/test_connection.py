"""The rules of one connection: numbers, SYN, RST, FIN, and the bounds of what waits."""

from __future__ import annotations

import pytest

from appliance.flow import Side
from appliance.tcp.connection import (
    MAX_WAITING,
    MAX_WAITING_OCTETS,
    Connection,
    Refusal,
    State,
    reverse,
)
from appliance.tcp.segment import ACK, FIN, RST, SYN
from appliance.tcp.stream import MAX_WINDOW, Parcel, Stream
from tests.wire import CLIENT, SERVER, packet, segment

ENDS = ("203.0.113.10", 40_000), ("192.0.2.25", 25)
KEY = segment(packet(*ENDS)).key


@pytest.fixture
def connection() -> Connection:
    """Five octets of the client were read; its offset 0 is 101, the server's 501."""
    made = Connection(KEY, Stream(101), Stream(501), 0)
    made.client.append(b"abcde")
    made.client.decided = 5
    return made


def refusal(connection: Connection, side: Side, at: int, payload: bytes = b"", flags: int = ACK) -> Refusal | None:
    ends = ENDS if side is CLIENT else ENDS[::-1]
    first, other = (101, 501) if side is CLIENT else (501, 101)
    made = segment(packet(*ends, first + at, other, flags, payload))
    return connection.refusal(side, made, at, at + len(payload))


def test_a_key_reversed_is_the_other_sides() -> None:
    assert reverse(KEY) == segment(packet(*ENDS[::-1])).key
    assert reverse(reverse(KEY)) == KEY


@pytest.mark.parametrize(
    ("side", "at", "payload", "flags", "why"),
    [
        (SERVER, -1, b"", SYN | ACK, None),
        (SERVER, -1, b"x", SYN | ACK, Refusal.SYN_DATA),
        (SERVER, 0, b"", SYN | ACK, Refusal.SYN_ELSEWHERE),
        (CLIENT, -1, b"", SYN | ACK, Refusal.SYN_ELSEWHERE),
        (CLIENT, -1, b"", SYN, None),
        (CLIENT, -1, b"EHLO", SYN, Refusal.SYN_DATA),
        (SERVER, -1, b"", SYN, Refusal.SYN_ELSEWHERE),
        (CLIENT, 5, b"", RST, None),
        (CLIENT, 5, b"secret", RST | ACK, None),
        (CLIENT, 4, b"", RST, Refusal.RST_ELSEWHERE),
        (CLIENT, 6, b"", RST, Refusal.RST_ELSEWHERE),
        (SERVER, 0, b"", RST, None),
        (SERVER, 1, b"", RST, Refusal.RST_ELSEWHERE),
        (CLIENT, 5, b"f", ACK | FIN, None),
        (CLIENT, 3, b"", ACK | FIN, Refusal.BEYOND_END),
        (CLIENT, 5 + MAX_WINDOW, b"f", ACK, None),
        (CLIENT, 6 + MAX_WINDOW, b"f", ACK, Refusal.BEYOND_WINDOW),
    ],
)
def test_what_may_not_pass(
    connection: Connection, side: Side, at: int, payload: bytes, flags: int, why: Refusal | None
) -> None:
    assert refusal(connection, side, at, payload, flags) is why


@pytest.mark.parametrize(
    ("at", "payload", "flags"), [(0, b"a", ACK), (5, b"f", ACK), (3, b"de", ACK | FIN), (5, b"f", RST)]
)
def test_octets_behind_an_rst(connection: Connection, at: int, payload: bytes, flags: int) -> None:
    connection.become(State.RESET)
    assert refusal(connection, CLIENT, at, payload, flags) is Refusal.BEHIND_RESET


def test_data_behind_a_fin(connection: Connection) -> None:
    connection.client.fin = 5
    assert refusal(connection, CLIENT, 5, b"f") is Refusal.BEYOND_END
    assert refusal(connection, CLIENT, 2, b"cde", ACK | FIN) is None
    assert refusal(connection, SERVER, 0, b"f") is None


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("side", [CLIENT, SERVER])
def test_one_that_is_over_makes_room_on_its_tuple(connection: Connection, state: State, side: Side) -> None:
    connection.state = state
    assert connection.replaceable(side) is (state is not State.OPEN)


def test_so_does_one_that_never_began(connection: Connection) -> None:
    fresh = Connection(KEY, Stream(101), Stream(501), 0)
    assert fresh.replaceable(SERVER)
    assert not fresh.replaceable(CLIENT)


class TestWaiting:
    def parcel(self, start: int, length: int = 1, arrived: int = 0) -> Parcel:
        made = segment(packet(*ENDS))
        return Parcel(start, made, start, start + length, arrived)

    def test_packets_are_bounded(self, connection: Connection) -> None:
        for at in range(MAX_WAITING):
            assert connection.hold(CLIENT if at % 2 else SERVER, self.parcel(10 + at))
        assert not connection.hold(CLIENT, self.parcel(10_000))
        connection.take(connection.client, connection.client.early[0])
        assert connection.hold(CLIENT, self.parcel(10_000))
        assert connection.waiting == MAX_WAITING == 3_072

    def test_octets_are_bounded(self, connection: Connection) -> None:
        assert connection.hold(CLIENT, self.parcel(10, MAX_WAITING_OCTETS - 1))
        assert not connection.hold(SERVER, self.parcel(10, 2))
        assert connection.hold(SERVER, self.parcel(10, 1))
        assert connection.waiting_octets == MAX_WAITING_OCTETS == 4_194_304

    def test_a_refused_packet_changes_nothing(self, connection: Connection) -> None:
        connection.hold(CLIENT, self.parcel(10, 5))
        assert not connection.hold(CLIENT, self.parcel(11, 2))
        assert (connection.waiting, connection.waiting_octets) == (1, 5)

    def test_the_last_is_early_and_the_clients_rather(self, connection: Connection) -> None:
        for side, start in ((CLIENT, 10), (CLIENT, 12), (SERVER, 30), (CLIENT, 11)):
            connection.hold(side, self.parcel(start))
        connection.hold_undecided(SERVER, self.parcel(0))
        last = []
        for stream in (*[connection.client] * 3, *[connection.server] * 2):
            parcel = connection.last_waiting()
            connection.take(stream, parcel)
            last.append(parcel.start)
        assert (last, connection.waiting, connection.waiting_octets) == ([12, 11, 10, 30, 0], 0, 0)

    def test_all_are_taken_at_once(self, connection: Connection) -> None:
        connection.hold(CLIENT, self.parcel(10))
        connection.hold(SERVER, self.parcel(11))
        connection.hold_undecided(SERVER, self.parcel(0))
        assert [each.start for each in connection.take_all()] == [10, 0, 11]
        assert (connection.take_all(), connection.waiting, connection.waiting_octets) == ([], 0, 0)
        assert connection.hold(CLIENT, self.parcel(10)), "what left may come again"
