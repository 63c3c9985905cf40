"""The report of `show threat-detection statistics top tcp-intercept`."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

from appliance import show
from appliance.config.config import TcpInterceptStatistics
from appliance.nat.attacks import SAMPLES, Attack, Server
from appliance.plain import from_plain, to_plain
from appliance.show import TOP, AttacksReport
from tests.appliances import MAPPED, NOW, PLAIN, REAL, SECOND, SEED

CONFIG = replace(PLAIN, tcp_intercept=TcpInterceptStatistics())


def attack(port: int) -> Attack:
    source = IPv4Address("203.0.113.10")
    return Attack(Server(MAPPED, REAL, port), 5, 7, 9000, source, False, NOW - 3 * SECOND, (0,) * SAMPLES)


MANY = replace(SEED, attacks=tuple(attack(port) for port in range(1, 14)))


def report(everything: bool = False) -> AttacksReport:
    found = show.attacks(CONFIG, MANY, everything)
    assert found is not None
    return found


def test_the_top_ten_or_all() -> None:
    assert [each.port for each in report().servers] == list(range(1, TOP + 1))
    assert [each.rank for each in report(everything=True).servers] == list(range(1, 14))


def test_a_server_is_known_by_its_real_side() -> None:
    first = report().servers[0]
    assert (first.address, first.interface, first.ago) == (REAL, "inside", 3)
    assert (report().window, report().sampling) == (30, 60)


def test_a_server_without_a_static_is_where_its_network_is() -> None:
    own = IPv4Address("192.0.2.30")
    snapshot = replace(SEED, attacks=(replace(attack(25), server=Server(own, own, 25)),))
    found = show.attacks(CONFIG, snapshot)
    assert found is not None
    assert [(each.address, each.interface) for each in found.servers] == [(own, "inside")]


def test_without_statistics_there_is_no_report() -> None:
    assert show.attacks(PLAIN, MANY) is None


def test_it_survives_json() -> None:
    assert from_plain(AttacksReport, to_plain(report())) == report()
