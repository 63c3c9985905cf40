"""The report of `show local-host`: hosts by interface, their limits, whose connections are whose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from appliance import show
from appliance.datapath.snapshot import AddressUse, ClassUse, StaticUse
from appliance.nat.classes import LimitedClass
from appliance.nat.connection import Connection, State
from appliance.nat.translation import PortMap
from appliance.plain import from_plain, to_plain
from appliance.show import (
    AddressRange,
    Behind,
    HostsWanted,
    HostUse,
    LocalHostsReport,
    PortsReport,
    TranslationReport,
    TranslationsWanted,
)
from tests.appliances import MAPPED, NOW, PLAIN, REAL, SEED, connection

HOSTS = {"outside": (2, 3), "inside": (1, 1)}
MAIL, ESA, LIMITED = PLAIN.statics
USES = (StaticUse(MAIL, 12, 1), StaticUse(ESA, 0, 0), StaticUse(LIMITED, 1, 1))
REPORT = show.local_hosts(PLAIN, replace(SEED, hosts=HOSTS, statics=USES))
ENTRIES = (
    connection(State.ESTABLISHED, 1),
    connection(State.ESTABLISHED, 2),
    connection(State.SYN, 3, client="203.0.113.9"),
)


#: Those of the statics, and one that a client was given.
GIVEN = TranslationReport(
    "outside", IPv4Address("203.0.113.10"), "inside", IPv4Address("192.0.2.1"), "ri", 3, 30, PortsReport("tcp", 1, 1025)
)
TRANSLATIONS = (*show.translations(PLAIN, SEED, TranslationsWanted()).translations, GIVEN)


def listed(
    wanted: HostsWanted = HostsWanted(),  # noqa: B008  # it is frozen
    entries: Iterable[Connection] = ENTRIES,
    **more: bool,
) -> list[Behind]:
    reports = [show.Reporter(PLAIN).report(each, NOW) for each in entries]
    return list(show.behind(REPORT, reports, TRANSLATIONS, wanted, **more))


def test_interfaces_come_in_the_files_order_with_their_sums() -> None:
    assert [(each.interface, each.active, each.maximum, each.denied) for each in REPORT.interfaces] == [
        ("outside", 2, 3, 0),
        ("inside", 1, 1, 0),
    ]
    assert [each.interface for each in listed()] == list(REPORT.interfaces)


def test_limits_are_of_the_real_host() -> None:
    assert REPORT.uses[0] == HostUse("inside", REAL, 12, 50, 1, 100)
    assert (REPORT.uses[1].limit, REPORT.uses[1].watermark) == (0, 0)


@pytest.mark.parametrize(
    ("of_class", "limits"),
    [((7, 0), (7, 100)), ((70, 3), (50, 3)), ((0, 0), (50, 100))],
)
def test_the_lower_of_a_statics_limit_and_a_classs_holds(of_class: tuple[int, int], limits: tuple[int, int]) -> None:
    servers = (AddressUse(REAL, 12, 1),)
    classes = (ClassUse(LimitedClass("p", None, "c", *of_class), servers),)
    report = show.local_hosts(PLAIN, replace(SEED, statics=USES, classes=classes))
    assert (report.uses[0].limit, report.uses[0].watermark) == limits
    assert (report.uses[1].limit, report.uses[2].watermark) == (0, 20)


def test_a_host_of_several_statics_is_one() -> None:
    port = replace(MAIL, ports=PortMap("tcp", 2500, 25), max_conns=7, max_embryonic=0)
    classes = (ClassUse(LimitedClass("p", None, "c", 55, 0), (AddressUse(REAL, 15, 3),)),)
    for of_class, limit in (((), 57), (classes, 55)):
        uses = StaticUse(MAIL, 12, 1), StaticUse(port, 3, 2)
        [use] = show.local_hosts(PLAIN, replace(SEED, statics=uses, classes=of_class)).uses
        assert (use.connections, use.limit, use.embryonic, use.watermark) == (15, limit, 3, 0)


def test_each_end_of_a_connection_is_a_host() -> None:
    outside, inside = listed()
    assert [(str(each.address), each.count, len(each.connections)) for each in outside.hosts] == [
        ("203.0.113.9", 1, 1),
        ("203.0.113.10", 2, 2),
    ]
    server = inside.hosts[0]
    assert (server.address, server.limit, server.watermark) == (REAL, 50, 100)
    assert len(server.connections) == 3


def test_each_host_has_its_translations_and_none_is_a_host_by_them_alone() -> None:
    outside, inside = listed()
    assert [each.translations for each in outside.hosts] == [(), (GIVEN,)]
    assert [[each.mapped for each in host.translations] for host in inside.hosts] == [[MAPPED], [LIMITED.mapped]]
    elsewhere = (replace(GIVEN, real_interface="inside"),)
    assert [each.translations for each in next(show.behind(REPORT, (), elsewhere, HostsWanted())).hosts] == []


def test_of_a_brief_list_nothing_is_kept() -> None:
    hosts = [host for each in listed(listed=False) for host in each.hosts]
    assert {(host.translations, host.connections) for host in hosts} == {((), ())}
    assert [host.count for host in hosts] == [1, 2, 12, 1]


def test_a_place_without_a_connection_is_counted() -> None:
    """Row 14: one that inspection closed holds its place."""
    (host,) = [each for each in listed()[1].hosts if each.address == LIMITED.real]
    assert (host.count, host.connections) == (1, ())
    assert not [each for each in listed()[1].hosts if each.address == ESA.real]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (HostsWanted(AddressRange(REAL, REAL)), [REAL]),
        (HostsWanted(connections=range(2, 13)), [IPv4Address("203.0.113.10"), REAL]),
        (HostsWanted(connections=range(13, 99)), []),
        (HostsWanted(embryonic=range(1, 2)), [REAL, LIMITED.real]),
    ],
)
def test_wanted(wanted: HostsWanted, shown: list[IPv4Address]) -> None:
    assert [host.address for each in listed(wanted) for host in each.hosts] == shown


def test_it_survives_json() -> None:
    assert from_plain(LocalHostsReport, to_plain(REPORT)) == REPORT
