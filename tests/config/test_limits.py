"""What a configuration says of limits, as the connection table gets it."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.config.config import Config
from appliance.config.diagnostics import Severity
from appliance.config.limits import limits, longest, shortest_embryonic
from appliance.config.load import load
from appliance.config.names import NEVER
from appliance.config.render import running_config
from appliance.nat.classes import Limits, Opening, limited_class
from appliance.nat.connection import State

INTERFACES = """\
interface Ethernet0/0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet0/1
 nameif inside
 ip address 192.0.2.1 255.255.255.0
"""
ALL = {"outside", "inside"}


def read(text: str) -> Config:
    loaded = load(text)
    assert loaded.config is not None, loaded.diagnostics
    return loaded.config


def of(text: str) -> Limits:
    return limits(read(INTERFACES + text), {"outside", "inside"})


def test_a_static_is_only_where_both_its_interfaces_are() -> None:
    config = read(INTERFACES + "static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255 tcp 50 100\n")
    [static] = limits(config, {"outside", "inside"}).statics
    assert (static.max_conns, static.max_embryonic) == (50, 100)
    assert limits(config, {"outside"}).statics == ()


@pytest.mark.parametrize(
    ("text", "choosing"),
    [
        ("nat (inside) 1 192.0.2.0 255.255.255.0\nglobal (outside) 1 203.0.113.200-203.0.113.210\n", {"inside"}),
        ("static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255\n", set()),
        ("static (inside,outside) tcp 203.0.113.126 2525 192.0.2.26 25 netmask 255.255.255.255\n", set()),
        (
            "static (inside,outside) tcp 203.0.113.126 2525 192.0.2.26 25 netmask 255.255.255.255\n"
            "static (inside,outside) 203.0.113.127 192.0.2.26 netmask 255.255.255.255\n",
            {"outside"},  # which of the two a connection is to is known there alone
        ),
        ("object network servers\n subnet 192.0.2.0 255.255.255.0\n nat (any,outside) dynamic interface\n", ALL),
        ("nat (inside) 0 192.0.2.0 255.255.255.0\n", set()),
    ],
)
def test_interfaces_behind_which_a_translation_is_chosen(text: str, choosing: set[str]) -> None:
    assert of(text).choosing == choosing


CALLED = "static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255 tcp 0 5\n"
PORT = "static (inside,outside) tcp 203.0.113.126 2525 192.0.2.25 25 netmask 255.255.255.255 tcp 0 5\n"
HOSTS = {"one": "192.0.2.25", "two": "192.0.2.26", "far": "198.51.100.9", "other": "192.0.2.77"}
FAR_STATIC = "static (outside,inside) 192.0.2.99 198.51.100.9 netmask 255.255.255.255\n"
HOSTS_OF = "object network both\n subnet 192.0.2.0 255.255.255.0\n"
OBJECTS = HOSTS_OF + "".join(f"object network {name}\n host {address}\n" for name, address in HOSTS.items())


@pytest.mark.parametrize("static", [CALLED, PORT])
@pytest.mark.parametrize(
    ("text", "intercepted"),
    [
        ("", True),
        ("nat (inside) 1 192.0.2.0 255.255.255.0\nglobal (outside) 1 203.0.113.200\n", True),
        ("nat (outside) 1 203.0.113.0 255.255.255.0 outside\nglobal (inside) 1 192.0.2.200\n", False),
        ("object network all\n subnet 0.0.0.0 0.0.0.0\n nat (any,outside) dynamic interface\n", True),
        ("object network all\n subnet 0.0.0.0 0.0.0.0\n nat (any,any) dynamic 203.0.113.200\n", False),
        ("static (inside,outside) tcp 203.0.113.127 26 192.0.2.25 26 netmask 255.255.255.255\n", True),  # another name
        ("nat (outside,inside) source dynamic far other destination static one one\n", False),
        ("nat (outside,inside) source dynamic far other destination static two two\n", True),  # calls another host
        ("nat (inside,outside) source static one one destination static other far\n", False),  # known as `other` there
        ("nat (inside,outside) source static two two destination static other far\n", True),
        ("nat (inside,outside) source static one one destination static far far\n", True),
        ("nat (outside,inside) source static far far destination static one one\n", True),  # which it is anyway
        (f"{FAR_STATIC}nat (outside,inside) source static far far destination static one one\n", False),
        (f"{FAR_STATIC}nat (outside,inside) source static far far destination static two two\n", True),
        ("nat (any,any) source static both both destination static both both\n", True),
        ("nat (outside,inside) source static far far destination static two two\n", True),
    ],
)
def test_a_static_whose_clients_are_translated_as_they_connect_is_not_intercepted(
    text: str, intercepted: bool, static: str
) -> None:
    """SYNPROXY's packets would not be."""
    loaded = load(INTERFACES + OBJECTS + text + static)
    assert loaded.config is not None, loaded.diagnostics
    [limited] = [each for each in loaded.config.all_statics if each.max_embryonic]
    assert limited.own is not intercepted
    assert any("TCP Intercept" in each.message for each in loaded.diagnostics) is not intercepted


LEVELS = INTERFACES.replace(" nameif inside\n", " nameif inside\n security-level 100\n")
CLASSES = """\
class-map all
 match any
policy-map global_policy
 class all
  set connection {limits}
service-policy global_policy global
"""


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        (CLASSES.format(limits="embryonic-conn-max 5"), {("outside", "inside")}),
        (CLASSES.format(limits="per-client-embryonic-max 5"), {("outside", "inside")}),
        (CLASSES.format(limits="conn-max 5"), set()),
        (
            CLASSES.format(limits="embryonic-conn-max 5")
            + "object network servers\n subnet 192.0.2.0 255.255.255.0\n nat (inside,outside) dynamic interface\n",
            {("outside", "inside")},  # who calls from outside keeps his address
        ),
        (
            CLASSES.format(limits="embryonic-conn-max 5")
            + "object network clients\n subnet 198.51.100.0 255.255.255.0\n nat (outside,inside) dynamic interface\n",
            set(),
        ),
        ("ASA Version 9.8(2)\n" + CLASSES.format(limits="embryonic-conn-max 5"), {("outside", "inside")}),
        ("ASA Version 8.2(5)\n" + CLASSES.format(limits="embryonic-conn-max 5"), {("outside", "inside")}),
        (
            "ASA Version 8.2(5)\n"
            + CLASSES.format(limits="embryonic-conn-max 5")
            + "static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255\n",
            set(),  # lists speak of mapped addresses, which are asked of connection tracking
        ),
        (CLASSES.format(limits="embryonic-conn-max 5") + "interface Ethernet0/1\n shutdown\n", set()),
        (CLASSES.format(limits="embryonic-conn-max 5") + "interface Ethernet0/0\n security-level 100\n", set()),
    ],
)
def test_the_ways_on_which_a_hosts_own_address_is_intercepted(text: str, ways: set[tuple[str, str]]) -> None:
    assert limits(read(LEVELS + text), ALL).ways == ways
    assert limits(read(LEVELS + text), {"inside"}).ways == set()


def test_a_port_that_is_translated_is_a_static_of_its_own() -> None:
    text = "static (inside,outside) tcp 203.0.113.126 2525 192.0.2.26 25 netmask 255.255.255.255 tcp 50 0\n"
    [static] = of(text).statics
    assert (static.name, static.place, static.max_conns) == (
        (IPv4Address("203.0.113.126"), 2525),
        (IPv4Address("192.0.2.26"), 25),
        50,
    )
    assert of(text.replace("tcp", "udp", 1).replace(" tcp 50 0", "")).statics == ()


def test_a_port_that_nothing_comes_to_is_no_static() -> None:
    text = (
        "object network a\n host 192.0.2.25\n nat (inside,outside) static 203.0.113.125\n"
        "object network b\n host 192.0.2.27\n nat (inside,outside) static 203.0.113.125 service tcp 8026 8025\n"
    )
    assert [each.ports for each in of(text).statics] == [None]
    assert len(of(text.replace("192.0.2.27", "192.0.2.24")).statics) == 2


POLICY = """static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255
access-list relays extended deny tcp host 203.0.113.66 any
access-list relays extended permit udp any any
access-list relays extended permit tcp 203.0.113.64 255.255.255.192 host 203.0.113.125 eq smtp
access-list relays extended permit tcp any neq 7 any lt 20
class-map relays
 match access-list relays
class-map mail
 match port tcp eq smtp
policy-map global_policy
 class relays
  set connection per-client-max 5
 class mail
  set connection conn-max 50 embryonic-conn-max 100
  set connection per-client-embryonic-max 3
  set connection timeout embryonic 0:00:20 half-closed 0:05:00
  set connection timeout tcp 2:00:00 reset
policy-map inner
 class class-default
  set connection conn-max 9
service-policy global_policy global
service-policy inner interface inside
"""


def opening(source: str, port: int = 25, to: str = "192.0.2.25", source_port: int = 40000, *crossed: str) -> Opening:
    return Opening(IPv4Address(source), source_port, IPv4Address(to), port, frozenset(crossed or ("outside", "dmz")))


def test_a_class_has_what_set_connection_says() -> None:
    _, relays, mail = of(POLICY).classes
    assert (relays.name, relays.client_max, relays.max_conns, relays.lifetimes) == ("relays", 5, 0, {})
    assert (mail.max_conns, mail.max_embryonic, mail.client_max, mail.client_embryonic) == (50, 100, 0, 3)
    assert mail.lifetimes[State.SYN] == mail.lifetimes[State.SYN_ACK] == 20
    assert (mail.lifetimes[State.ESTABLISHED], mail.lifetimes[State.HALF_CLOSED], mail.resets) == (7200, 300, True)
    assert State.WAITING not in mail.lifetimes


@pytest.mark.parametrize(
    ("packet", "name"),
    [
        (opening("203.0.113.70"), "relays"),  # by the real address of the static that the entry names
        (opening("203.0.113.66"), "mail"),  # a denial ends the class, not the search
        (opening("203.0.113.10"), "mail"),
        (opening("203.0.113.10", 19), "relays"),
        (opening("203.0.113.10", 19, source_port=7), None),
        (opening("203.0.113.10", 80), None),
        (opening("203.0.113.70", 25, "192.0.2.25", 40000, "outside", "inside"), "class-default"),  # before the global
    ],
)
def test_the_first_class_that_matches_a_first_packet_limits(packet: Opening, name: str | None) -> None:
    found = limited_class(of(POLICY).rules, packet)
    assert (found.name if found else None) == name


def test_where_an_interfaces_policy_limits_the_global_one_does_not() -> None:
    """Whether its own classes match or not: the whole feature is the interface's there (asa.md §6.2)."""
    narrow = POLICY.replace(" class class-default\n", " class relays\n")
    crossed = opening("203.0.113.66", 25, "192.0.2.25", 40000, "outside", "inside")
    assert limited_class(of(narrow).rules, crossed) is None
    assert limited_class(of(POLICY.replace("service-policy inner", "!")).rules, crossed) is not None
    elsewhere = limited_class(of(narrow).rules, opening("203.0.113.66"))
    assert elsewhere is not None
    assert elsewhere.name == "mail"


def test_what_is_not_acted_on_may_stand_in_the_same_line() -> None:
    lines = (
        "  set connection conn-max 60 random-sequence-number disable embryonic-conn-max 70\n"
        "  set connection timeout idle 0 reset dcd 0:15:00 5 half-closed 0:00:00\n"
    )
    config = read(INTERFACES + POLICY + "policy-map global_policy\n class mail\n" + lines)
    mail = of(POLICY + "policy-map global_policy\n class mail\n" + lines).classes[-1]
    assert (mail.max_conns, mail.max_embryonic, mail.resets) == (60, 70, True)
    assert mail.lifetimes[State.ESTABLISHED] == mail.lifetimes[State.HALF_CLOSED] == NEVER
    assert State.DEAD not in mail.lifetimes, "what inspection closed does not hold its place for ever"
    text = running_config(config)
    assert "  set connection timeout embryonic 0:00:20 half-closed 0:00:00 idle 0:00:00 reset\n" in text
    assert "  set connection random-sequence-number disable\n  set connection timeout dcd 0:15:00 5\n" in text
    assert read(text) == config


def test_set_connection_is_printed_as_one_statement_and_parses_to_itself() -> None:
    config = read(INTERFACES + POLICY)
    text = running_config(config)
    assert "  set connection conn-max 50 embryonic-conn-max 100 per-client-embryonic-max 3\n" in text
    assert "  set connection timeout embryonic 0:00:20 half-closed 0:05:00 idle 2:00:00 reset\n" in text
    assert read(text) == config


def test_no_takes_away_what_it_names() -> None:
    edit = "policy-map global_policy\n class mail\n  no set connection conn-max 50\n"
    edit += "  no set connection timeout tcp 2:00:00\n"
    mail = of(POLICY + edit).classes[-1]
    assert (mail.max_conns, mail.max_embryonic) == (0, 100)
    assert (State.ESTABLISHED in mail.lifetimes, mail.resets, mail.lifetimes[State.SYN]) == (False, False, 20)


@pytest.mark.parametrize(
    "wrong",
    [
        "set connection conn-max 2000001",
        "set connection conn-max",
        "set connection most 5",
        "set connection timeout embryonic 0:00:04",
        "set connection timeout idle 0:04:59",
        "set connection timeout half-closed 0:00:29 reset",
        "set connection random-sequence-number maybe",
        "set connection timeout dcd 0:15:00 256",
    ],
)
def test_what_set_connection_cannot_be_is_refused(wrong: str) -> None:
    loaded = load(f"class-map m\n match any\npolicy-map p\n class m\n  {wrong}\n")
    assert loaded.config is None
    assert 5 in {each.place.line for each in loaded.diagnostics if each.severity is Severity.ERROR}


def test_more_lines_than_the_kernel_walks_are_refused() -> None:
    entries = "".join(f"access-list many extended permit tcp host 198.51.100.{n} any\n" for n in range(256))
    rest = "class-map m\n match access-list many\npolicy-map p\n class m\n  set connection conn-max {}\n"
    assert load(entries + rest.format(5) + "service-policy p global\n").config is not None
    one_more = "access-list many extended permit tcp host 203.0.113.9 any\n"
    loaded = load(entries + one_more + rest.format(5) + "service-policy p global\n")
    assert loaded.config is None
    assert "257 lines" in loaded.diagnostics[0].message


def test_connection_tracking_goes_by_the_extremes_of_all_classes() -> None:
    config = read(INTERFACES + POLICY)
    assert shortest_embryonic(config) == 20
    assert (longest(config).embryonic, longest(config).conn, longest(config).half_closed) == (30, 7200, 600)
