"""Threat detection's counts: samples of a window, thresholds at a sample's end, bounds."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.nat import attacks
from appliance.nat.attacks import SAMPLES, Attack, Attacks, Flood, Server
from appliance.nat.connection import Key, Limit, Refused

SECOND = 1_000_000_000
MAPPED, REAL = IPv4Address("203.0.113.125"), IPv4Address("192.0.2.25")
MAIL = Server(MAPPED, REAL, 25)
WINDOW = 60  # s: a sample is 2 s


def told(client: str = "203.0.113.10", port: int = 25, time: int = 0, which: Limit = Limit.EMBRYONIC) -> Refused:
    return Refused(Key(MAPPED, port, IPv4Address(client), 40000), REAL, which, 20, 20, time)


def traced(burst: int = 100, average: int = 10) -> Attacks:
    made = Attacks(WINDOW, burst, average, now=0)
    assert list(made.count({(MAPPED, 0): 1000}, 0)) == []  # what was before is not counted
    return made


def only(made: Attacks) -> Attack:
    (attack,) = made.attacks()
    return attack


def test_nothing_is_an_attack_until_a_syn_is_intercepted() -> None:
    made = traced()
    made.hear(told(which=Limit.MAX_CONNS))
    assert list(made.count({(MAPPED, 0): 1000}, 10 * SECOND)) == []
    assert made.attacks() == ()


def test_the_rates_are_of_the_window_and_of_its_last_sample() -> None:
    made = traced(burst=10_000, average=10_000)
    made.hear(told(time=SECOND))
    list(made.count({(MAPPED, 0): 1600}, SECOND))
    assert (only(made).total, only(made).current, only(made).average) == (600, 0, 10)
    list(made.count({(MAPPED, 0): 1600}, 2 * SECOND))
    attack = only(made)
    assert (attack.total, attack.current, attack.average) == (600, 300, 10)
    assert attack.history == (600, *[0] * (SAMPLES - 1))
    assert (attack.server, str(attack.source), attack.various, attack.last) == (MAIL, "203.0.113.10", False, SECOND)


def test_a_window_later_nothing_is_left_of_it() -> None:
    made = traced()
    made.hear(told())
    list(made.count({(MAPPED, 0): 1600}, 2 * SECOND))
    list(made.count({(MAPPED, 0): 1600}, 60 * SECOND))
    assert only(made).history == (*[0] * (SAMPLES - 1), 600)
    list(made.count({(MAPPED, 0): 1600}, 62 * SECOND))
    assert made.attacks() == ()


@pytest.mark.parametrize(
    ("count", "floods"),
    [
        (200, []),  # 100 a second in the sample, 3 in the window
        (202, [Flood(MAIL, True, 101, 100)]),
        (659, [Flood(MAIL, True, 329, 100)]),
        (660, [Flood(MAIL, False, 11, 10), Flood(MAIL, True, 330, 100)]),
    ],
)
def test_thresholds_are_exceeded_at_a_samples_end(count: int, floods: list[Flood]) -> None:
    made = traced()
    made.hear(told())
    assert list(made.count({(MAPPED, 0): 1000 + count}, SECOND)) == []
    assert list(made.count({(MAPPED, 0): 1000 + count}, 2 * SECOND)) == floods


def test_what_is_counted_before_it_is_told_of_is_put_to_who_is_told_of() -> None:
    made = traced()
    list(made.count({(MAPPED, 0): 1050}, SECOND))
    made.hear(told())
    list(made.count({(MAPPED, 0): 1060}, SECOND))
    assert only(made).total == 60


def test_sources_are_various_when_they_are_told_to_be() -> None:
    made = traced()
    for client in ("203.0.113.10", "203.0.113.10", "203.0.113.11"):
        made.hear(told(client))
        list(made.count({(MAPPED, 0): 1001}, SECOND))
    assert (str(only(made).source), only(made).various) == ("203.0.113.11", True)


def test_ports_are_servers_of_their_own_and_the_worst_is_first() -> None:
    made = traced()
    made.hear(told(port=587))
    list(made.count({(MAPPED, 0): 1010}, SECOND))
    made.hear(told(port=25))
    list(made.count({(MAPPED, 0): 1050}, SECOND))
    assert [(each.server.port, each.total) for each in made.attacks()] == [(25, 40), (587, 10)]


def test_so_many_are_traced_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attacks, "TRACED", 2)
    made = traced()
    for number, port in enumerate((1, 2, 1, 3), 1):
        made.hear(told(port=port))
        list(made.count({(MAPPED, 0): 1000 + number}, SECOND))
    assert sorted(each.server.port for each in made.attacks()) == [1, 3]


def test_statics_of_ports_are_counted_apart() -> None:
    made = Attacks(WINDOW, 100, 10, now=0)
    names = (MAPPED, 25), (MAPPED, 80)
    list(made.count(dict.fromkeys(names, 0), 0))
    made.hear(told())
    list(made.count({names[0]: 5000, names[1]: 0}, SECOND))
    assert (only(made).server.port, only(made).total) == (25, 5000)


def test_servers_without_a_static_are_counted_as_one() -> None:
    made = traced(burst=10_000, average=10_000)
    list(made.count({(MAPPED, 0): 1000, None: 50}, 0))
    own = IPv4Address("192.0.2.30")
    made.hear(told())
    made.hear(Refused(Key(own, 587, IPv4Address("203.0.113.10"), 40000), own, Limit.EMBRYONIC, 20, 20, 0))
    list(made.count({(MAPPED, 0): 1100, None: 350}, SECOND))
    assert {each.server: each.total for each in made.attacks()} == {MAIL: 100, Server(own, own, 587): 300}
