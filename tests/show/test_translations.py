"""The reports of `show xlate` and `show nat`."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from appliance import show
from appliance.config.config import Config
from appliance.config.translations import translations as rules
from appliance.datapath.snapshot import CalledUse
from appliance.flow import Endpoint
from appliance.nat.connection import Connection, Key, State
from appliance.plain import from_plain, to_plain
from appliance.show import (
    AddressRange,
    NatReport,
    PortsReport,
    TranslationReport,
    TranslationsReport,
    TranslationsWanted,
)
from tests.appliances import MAPPED, NOW, PLAIN, REAL, SECOND, SEED, configured, connection

USED = replace(SEED, last_uses={(MAPPED, 0): NOW - 97 * SECOND}, translations=3, most_translations=5)


def span(address: IPv4Address) -> AddressRange:
    return AddressRange(address, address)


def test_every_static_is_a_translation_idle_since_its_latest_connection() -> None:
    report = show.translations(PLAIN, USED, TranslationsWanted())
    assert (report.in_use, report.most_used) == (3, 5)
    first = report.translations[0]
    assert (first.real_interface, first.real, first.mapped_interface, first.mapped) == (
        "inside",
        REAL,
        "outside",
        MAPPED,
    )
    assert (first.flags, first.idle, first.timeout) == ("s", 97, 0)
    assert report.translations[1].idle == 0
    assert show.standing(PLAIN) == 3


WANTED = [
    (TranslationsWanted(), 3),
    (TranslationsWanted(mapped=span(MAPPED)), 1),
    (TranslationsWanted(mapped=span(REAL)), 0),
    (TranslationsWanted(real=span(REAL)), 1),
    (TranslationsWanted(real=span(MAPPED)), 0),
    (TranslationsWanted(interfaces=("inside",)), 3),
    (TranslationsWanted(interfaces=("dmz", "outside")), 3),
    (TranslationsWanted(interfaces=("dmz",)), 0),
    (TranslationsWanted(real=span(REAL), interfaces=("dmz",)), 0),
]


@pytest.mark.parametrize(("wanted", "count"), WANTED)
def test_wanted_ones(wanted: TranslationsWanted, count: int) -> None:
    report = show.translations(PLAIN, USED, wanted)
    assert (report.in_use, len(report.translations)) == (3, count)


@pytest.mark.parametrize(("wanted", "count"), WANTED)
def test_connections_that_go_through_wanted_ones(wanted: TranslationsWanted, count: int) -> None:
    through = connection(State.ESTABLISHED)
    past = replace(through, key=replace(through.key, mapped=REAL))  # as where nothing is translated
    found = show.Reporter(PLAIN).wanted([through, past], wanted, NOW)
    assert [each for each, _ in found] == ([through] if count else [])


OWN, PEER, INSIDE = IPv4Address("203.0.113.1"), IPv4Address("203.0.113.10"), IPv4Address("192.0.2.30")
#: From inside to a peer, which knows it by a port of the firewall's own address.
GIVEN = replace(
    connection(State.ESTABLISHED, uptime=5), key=Key(PEER, 25, INSIDE, 40000), real=PEER, beyond=(OWN, 1025)
)


ANY = TranslationsWanted()


def chosen(*connections: Connection, wanted: TranslationsWanted = ANY, text: str = "") -> list[TranslationReport]:
    return list(show.Chosen(configured(HEAD + OLD + text)).wanted(connections, wanted, NOW))


def test_what_a_connection_was_given_is_a_translation_as_long_as_it_lives() -> None:
    (found,) = chosen(GIVEN, replace(GIVEN, beyond=None))
    assert found == TranslationReport("inside", INSIDE, "outside", OWN, "ri", 5, 30, PortsReport("tcp", 40000, 1025))
    assert [len(chosen(replace(GIVEN, state=state))) for state in State] == [0, 1, 1, 1, 1, 1, 0, 0]
    assert [each.timeout for each in chosen(GIVEN, text="timeout pat-xlate 0:01:00\n")] == [60]
    assert show.standing(configured(HEAD + OLD)) == 1


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (TranslationsWanted(mapped=span(OWN)), True),
        (TranslationsWanted(mapped=span(INSIDE)), False),
        (TranslationsWanted(real=span(INSIDE)), True),
        (TranslationsWanted(real=span(PEER)), False),
        (TranslationsWanted(interfaces=("outside",)), True),
        (TranslationsWanted(interfaces=("dmz",)), False),
    ],
)
def test_wanted_ones_of_what_was_given_are_listed_and_cleared(wanted: TranslationsWanted, there: bool) -> None:
    assert bool(chosen(GIVEN, wanted=wanted)) == there
    cleared = show.Reporter(configured(HEAD + OLD)).wanted([GIVEN], wanted, NOW)
    assert bool(list(cleared)) == there


def test_another_port_of_the_same_address_is_a_translation() -> None:
    given = replace(GIVEN, beyond=(INSIDE, 1025))
    assert len(chosen(given)) == len(list(show.Reporter(PLAIN).wanted([given], TranslationsWanted(), NOW))) == 1
    same = replace(GIVEN, beyond=None)
    assert list(show.Reporter(configured(HEAD + OLD)).wanted([same], TranslationsWanted(), NOW)) == []


POLICY = """
access-list some extended permit ip host 192.0.2.27 host 203.0.113.11
access-list port extended permit tcp host 192.0.2.27 eq smtp host 203.0.113.12
access-list port extended permit tcp host 192.0.2.27 eq smtp host 203.0.113.13
static (inside,outside) 203.0.113.130 access-list some
static (inside,outside) tcp 203.0.113.131 2525 access-list port
"""
MANUAL = """ASA Version 8.4(1)
object network called
 host 198.51.100.9
object network server
 host 203.0.113.11
object network real
 host 192.0.2.27
object network mapped
 host 203.0.113.130
nat (inside,outside) source static any any destination static called server
nat (inside,outside) source static real mapped destination static server server
"""
SERVER, ALIAS = Endpoint("inside", IPv4Address("192.0.2.27"), 0), Endpoint("outside", IPv4Address("203.0.113.130"), 0)
FAR, CALLED = Endpoint("outside", IPv4Address("203.0.113.11"), 0), Endpoint("inside", IPv4Address("198.51.100.9"), 0)
HOSTS = CalledUse(SERVER, ALIAS, NOW - 7 * SECOND)
PORT = CalledUse(replace(SERVER, port=25), replace(ALIAS, port=2525), NOW)
DESTINATION = CalledUse(FAR, CALLED, NOW)


def called(text: str, *uses: CalledUse, wanted: TranslationsWanted = ANY) -> list[TranslationReport]:
    return list(show.Chosen(configured(text)).called(uses, wanted, NOW))


def test_as_whom_only_some_call_a_server_is_a_static() -> None:
    host, port = called(HEAD + POLICY, HOSTS, PORT)
    assert host == TranslationReport("inside", SERVER.address, "outside", ALIAS.address, "s", 7, 0)
    assert (port.flags, port.ports) == ("sr", PortsReport("tcp", 25, 2525))
    assert show.standing(configured(HEAD + POLICY)) == 0, "it is there by its connections"


def test_a_rule_for_both_ends_translates_twice() -> None:
    source, destination, other = called(MANUAL + HEAD, HOSTS, DESTINATION, replace(HOSTS, mapped=CALLED))
    assert (source.flags, destination.flags, other.flags) == ("sT", "sT", "s")
    assert (destination.real_interface, destination.mapped_interface) == ("outside", "inside")


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        (TranslationsWanted(mapped=span(ALIAS.address)), True),
        (TranslationsWanted(mapped=span(SERVER.address)), False),
        (TranslationsWanted(real=span(SERVER.address)), True),
        (TranslationsWanted(interfaces=("dmz",)), False),
    ],
)
def test_wanted_ones_of_what_servers_are_called_are_listed_and_cleared(wanted: TranslationsWanted, there: bool) -> None:
    assert bool(called(HEAD + POLICY, HOSTS, wanted=wanted)) == there
    through = replace(
        connection(State.ESTABLISHED), key=Key(ALIAS.address, 25, FAR.address, 40000), real=SERVER.address
    )
    assert bool(list(show.Reporter(configured(HEAD + POLICY)).wanted([through], wanted, NOW))) == there


def report(config: Config) -> list[tuple[int, int, str, str, str]]:
    hits = [(each, 1, 2) for each in rules(config)]
    found = show.nat(config, hits).rules
    return [(each.section, each.number, each.source, each.more, each.mapped_interface) for each in found]


def test_statics_are_rules_of_the_second_section() -> None:
    one, two, three = rules(PLAIN)
    found = show.nat(PLAIN, [(one, 1, 2), (two, 0, 0), (three, 3, 4)]).rules
    assert [(each.number, each.translate_hits, each.untranslate_hits) for each in found] == [
        (1, 1, 2),
        (2, 0, 0),
        (3, 3, 4),
    ]
    assert (found[0].source, found[0].origin, found[0].translated) == (
        "static 192.0.2.25 203.0.113.125",
        ("192.0.2.25/32",),
        ("203.0.113.125/32",),
    )


HEAD = """
interface Ethernet0/0
 hardware outside0
 nameif outside
 security-level 0
 ip address 203.0.113.1 255.255.255.0
interface Ethernet0/1
 hardware inside0
 nameif inside
 security-level 100
 ip address 192.0.2.1 255.255.255.0
"""
OLD = """
nat (inside) 1 192.0.2.0 255.255.255.0
global (outside) 1 interface
access-list nonat extended permit ip 192.0.2.0 255.255.255.0 198.51.100.0 255.255.255.0
access-list nonat extended permit ip 192.0.2.0 255.255.255.0 host 203.0.113.9
nat (inside) 0 access-list nonat
static (inside,outside) tcp 203.0.113.125 2525 192.0.2.25 smtp netmask 255.255.255.255
"""
NEW = """
object network mail
 host 192.0.2.25
 nat (inside,outside) static 203.0.113.125 service tcp smtp 2525
object network all
 subnet 192.0.2.0 255.255.255.0
object network peer
 host 198.51.100.7
nat (inside,outside) source static all all destination static peer peer
nat (inside,outside) after-auto source dynamic all interface
"""


def test_every_form_has_its_words() -> None:
    assert report(configured(HEAD + OLD)) == [
        (2, 1, "exempt access-list nonat", "", "any"),
        (2, 2, "static 192.0.2.25 203.0.113.125", "service tcp smtp 2525", "outside"),
        (2, 3, "dynamic 192.0.2.0/24 203.0.113.1", "", "outside"),
    ]
    assert report(configured(f"ASA Version 8.4(1)\n{HEAD}{NEW}")) == [
        (1, 1, "static all all", "destination static peer peer", "outside"),
        (2, 1, "static mail 203.0.113.125", "service tcp smtp 2525", "outside"),
        (3, 1, "dynamic all interface", "", "outside"),
    ]


def test_a_rule_that_asks_for_the_other_end_says_which() -> None:
    exempt, *_ = show.nat(configured(HEAD + OLD), [(each, 0, 0) for each in rules(configured(HEAD + OLD))]).rules
    assert exempt.origin == exempt.translated == ("192.0.2.0/24",)
    assert exempt.far_origin == exempt.far_translated == ("198.51.100.0/24", "203.0.113.9/32")
    twice = configured(f"ASA Version 8.4(1)\n{HEAD}{NEW.replace('static peer peer', 'static mail peer')}")
    manual, *_ = show.nat(twice, [(each, 0, 0) for each in rules(twice)]).rules
    assert (manual.far_origin, manual.far_translated) == (("192.0.2.25/32",), ("198.51.100.7/32",))


def test_a_static_of_one_port_is_a_translation_of_it() -> None:
    found = show.translations(configured(HEAD + OLD), SEED, TranslationsWanted()).translations
    assert [(str(each.real), str(each.mapped), each.flags, each.ports) for each in found] == [
        ("192.0.2.25", "203.0.113.125", "sr", PortsReport("tcp", 25, 2525))
    ]


def test_they_survive_json() -> None:
    translations, nat = (
        show.translations(PLAIN, USED, TranslationsWanted()),
        show.nat(PLAIN, [(each, 0, 0) for each in rules(PLAIN)]),
    )
    assert from_plain(TranslationsReport, to_plain(translations)) == translations
    assert from_plain(NatReport, to_plain(nat)) == nat
    assert from_plain(TranslationsWanted, to_plain(WANTED[-1][0])) == WANTED[-1][0]
