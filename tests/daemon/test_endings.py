"""Which connections are over, as workers hear of it."""

from __future__ import annotations

from ipaddress import IPv4Address

from appliance.daemon import endings
from appliance.nat.connection import Ending, Key, TornDown
from tests.wire import packet

MAPPED, REAL = IPv4Address("203.0.113.125"), IPv4Address("192.0.2.25")


def torn_down(port: int, ending: Ending = Ending.FINS) -> TornDown:
    return TornDown(Key(MAPPED, 25, IPv4Address("203.0.113.10"), port), REAL, ending, 1, 1 << 60, 2)


def test_a_connection_is_known_as_its_packets_in_the_queue_are() -> None:
    [message] = endings.encode([torn_down(40_000), torn_down(40_001, Ending.IDLE_TIMEOUT)])
    keys = [packet(("203.0.113.10", port), (str(REAL), 25))[12:24] for port in (40_000, 40_001)]
    assert list(endings.decode(message)) == [(keys[0], 1 << 60, True), (keys[1], 1 << 60, False)]


def test_many_are_told_in_several_messages() -> None:
    messages = endings.encode([torn_down(port) for port in range(1, 2_001)])
    assert len(messages) > 1
    assert max(map(len, messages)) <= endings.MAX_MESSAGE
    ports = [int.from_bytes(key[8:10], "big") for each in messages for key, _, _ in endings.decode(each)]
    assert ports == list(range(1, 2_001))


def test_of_nothing_nothing_is_told() -> None:
    assert endings.encode([]) == []
