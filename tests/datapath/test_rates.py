"""``rate-limit`` under the datapath: the packet of a command over its rate is dropped, comes again, and goes."""

from __future__ import annotations

import pytest

from appliance.policy.counters import MATCHES_BASE, Slot
from appliance.policy.maps import Deed, InspectMap, Match, Reaction
from appliance.tcp.segment import ACK, FIN
from tests.wire import CLIENT, MS, SECOND, SERVER, Wire, count, engine

HELLO = [
    (SERVER, b"220 mx\r\n"),
    (CLIENT, b"EHLO client.example\r\n"),
    (SERVER, b"250-mx\r\n250 PIPELINING\r\n"),
]
START = sum(len(octets) for side, octets in HELLO if side is CLIENT)
NOOP = b"NOOP\r\n"


def wire(rate: int = 1, *more: Match) -> Wire:
    slow = Match("cmd-verb", Reaction(Deed.RATE_LIMIT, rate=rate), words=("NOOP", "QUIT"))
    opened = Wire(engine(inspect_map=InspectMap("slow", matches=(slow, *more)))).open()
    opened.talk(HELLO)
    return opened


def block(wire: Wire) -> object:
    return wire.datapath._blocks[1]


def test_within_the_rate_nothing_is_dropped() -> None:
    slow = wire(rate=3)
    slow.send(CLIENT, START, NOOP * 3)
    assert slow.got(CLIENT).endswith(NOOP * 3)
    assert block(slow)[MATCHES_BASE] == 0


def test_over_it_the_packet_is_dropped_and_goes_when_it_comes_again_in_time() -> None:
    slow = wire()
    slow.send(CLIENT, START, NOOP)
    slow.send(CLIENT, START + 6, NOOP + b"RSET\r\n")
    assert slow.went(slow.handle) is None
    for slow.now in (200 * MS, 600 * MS, 999 * MS):
        slow.send(CLIENT, START + 6, NOOP + b"RSET\r\n")
        assert slow.went(slow.handle) is None
    slow.now = SECOND
    slow.send(CLIENT, START + 6, NOOP + b"RSET\r\n")
    assert slow.got(CLIENT).endswith(NOOP + NOOP + b"RSET\r\n")
    assert slow.effects == []


def test_the_same_octets_are_inspected_and_counted_once() -> None:
    slow = wire()
    slow.send(CLIENT, START, NOOP + NOOP)
    for slow.now in (100 * MS, 300 * MS, 700 * MS, 1500 * MS):
        slow.send(CLIENT, START, NOOP + NOOP)
    assert block(slow)[Slot.COMMAND] == 3
    assert block(slow)[MATCHES_BASE] == 1
    assert block(slow)[Slot.PACKET] == 4
    assert block(slow)[Slot.DROP] == 0
    assert count(slow.datapath, "deferred") == 4
    assert count(slow.datapath, "octets_inspected") == count(slow.datapath, "octets_released")


def test_a_packet_of_many_waits_for_the_last_of_them() -> None:
    slow = wire()
    slow.send(CLIENT, START, NOOP * 4)
    slow.now = 2 * SECOND
    slow.send(CLIENT, START, NOOP * 4)
    assert slow.got(CLIENT).endswith(b"EHLO client.example\r\n")
    slow.send(CLIENT, START, NOOP * 3)  # cut anew: these had their turn
    assert slow.got(CLIENT).endswith(b"\r\n" + NOOP * 3)
    slow.now = 3 * SECOND
    slow.send(CLIENT, START, NOOP * 4)
    assert slow.got(CLIENT).endswith(b"\r\n" + NOOP * 4)


def test_what_follows_waits_behind_it_and_order_is_kept() -> None:
    slow = wire()
    slow.send(CLIENT, START, NOOP * 2)
    slow.send(CLIENT, START + 12, b"RSET\r\n")
    assert slow.went(slow.handle) is None
    slow.now = SECOND
    slow.send(CLIENT, START + 12, b"RSET\r\n")
    slow.send(CLIENT, START, NOOP * 2)
    assert slow.got(CLIENT).endswith(NOOP * 2 + b"RSET\r\n")


def test_early_packets_behind_it_lose_nothing() -> None:
    slow = wire()
    slow.send(CLIENT, START + 12, b"RSET\r\n")
    slow.send(CLIENT, START, NOOP * 2)
    assert len(slow.datapath._room) == 0
    slow.now = SECOND
    slow.send(CLIENT, START, NOOP * 2 + b"RSET\r\n")
    assert slow.got(CLIENT).endswith(NOOP * 2 + b"RSET\r\n")


def test_a_retransmission_says_what_was_inspected() -> None:
    slow = wire()
    slow.send(CLIENT, START, NOOP * 2)
    slow.now = SECOND
    slow.send(CLIENT, START, b"EXPN\r\n" * 2)
    assert slow.got(CLIENT).endswith(NOOP * 2)


def test_a_fin_comes_again_with_it() -> None:
    slow = wire()
    slow.send(CLIENT, START, NOOP + b"QUIT\r\n", flags=ACK | FIN)
    slow.now = SECOND
    slow.send(CLIENT, START, NOOP + b"QUIT\r\n", flags=ACK | FIN)
    assert slow.got(CLIENT).endswith(NOOP + b"QUIT\r\n")
    slow.acked[CLIENT] = START + 13
    slow.close(SERVER, len(slow.got(SERVER)))
    assert count(slow.datapath, "exceptions") == 0


@pytest.mark.parametrize("bad", [b"NOOP\n", b"MAIL FROM:<|>\r\n", b"DATA\r\nx"])
def test_what_closes_behind_it_closes_at_once(bad: bytes) -> None:
    slow = wire()
    slow.send(CLIENT, START, NOOP * 2 + bad)
    assert slow.went(slow.handle) is None
    assert slow.got(CLIENT).endswith(b"EHLO client.example\r\n")
    slow.now = 5 * SECOND
    slow.send(CLIENT, START, NOOP * 2)
    assert slow.went(slow.handle) is None


def test_each_line_of_the_map_has_its_own_rate() -> None:
    slow = wire(1, Match("cmd-verb", Reaction(Deed.RATE_LIMIT, rate=2), words=("RSET",)))
    slow.send(CLIENT, START, NOOP + b"RSET\r\n" * 2)
    assert slow.got(CLIENT).endswith(b"RSET\r\n" * 2)
    slow.send(CLIENT, START + 18, b"RSET\r\n")
    slow.send(CLIENT, START + 24, NOOP)
    slow.now = 500 * MS
    slow.send(CLIENT, START + 18, b"RSET\r\n")
    assert slow.got(CLIENT).endswith(b"RSET\r\n" * 3)
    slow.send(CLIENT, START + 24, NOOP)
    assert slow.got(CLIENT).endswith(b"RSET\r\n" * 3)
