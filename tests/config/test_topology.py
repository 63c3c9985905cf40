"""Where the ends of a connection are, and which of them is the less secure."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest

from appliance.config.config import Config, Interface, Route
from appliance.config.topology import Ends, Topology
from appliance.flow import Endpoint
from appliance.nat.connection import Key, Parties
from appliance.nat.static import Static
from tests.appliances import configured

REAL = IPv4Address("192.0.2.25")
MAPPED = IPv4Address("203.0.113.125")
KEY = Key(MAPPED, 25, IPv4Address("203.0.113.10"), 40000)


def ends(outside: int | None, inside: int | None, *statics: Static) -> Ends:
    interfaces = (
        Interface("Ethernet0/0", nameif="outside", security_level=outside),
        Interface("Ethernet0/1", nameif="inside", security_level=inside),
    )
    return Topology(Config(interfaces=interfaces, statics=statics)).ends(Parties(KEY, REAL))


STATIC = Static("inside", "outside", MAPPED, REAL)


def test_a_client_is_where_the_static_is_mapped_and_the_server_where_it_is_real() -> None:
    found = ends(0, 100, STATIC)
    assert str(found.client) == "outside:203.0.113.10/40000"
    assert str(found.server) == "inside:192.0.2.25/25"
    assert str(found.server_mapped) == "outside:203.0.113.125/25"


@pytest.mark.parametrize(
    ("outside", "inside", "inbound"), [(0, 100, True), (100, 0, False), (50, 50, True), (None, None, True)]
)
def test_the_less_secure_side_is_the_lower(outside: int | None, inside: int | None, inbound: bool) -> None:
    found = ends(outside, inside, STATIC)
    assert found.inbound is inbound
    client, server = (found.client, found.client), (found.server, found.server_mapped)
    lower, upper = (client, server) if inbound else (server, client)
    assert (found.lower, found.lower_mapped) == lower
    assert (found.upper, found.upper_mapped) == upper


def test_a_server_that_only_some_may_call_so_is_called_where_they_are() -> None:
    interfaces = tuple(
        Interface("Ethernet0/0", nameif=nameif, security_level=level, address=IPv4Interface(address))
        for nameif, level, address in (("outside", 0, "203.0.113.1/24"), ("inside", 100, "192.0.2.1/24"))
    )
    topology = Topology(Config(interfaces=interfaces))
    for called in (KEY, replace(KEY, mapped=REAL, port=2525)):
        found = topology.ends(Parties(called, REAL, real_port=25))
        assert str(found.server) == "inside:192.0.2.25/25"
        assert str(found.server_mapped) == f"outside:{called.mapped}/{called.port}"
        assert found.otherwise
    found = topology.ends(Parties(replace(KEY, mapped=REAL), REAL))
    assert found.server_mapped == found.server, "it is known by that everywhere"
    assert not found.otherwise
    assert not ends(0, 100, STATIC).otherwise, "a static says so"


def test_an_address_of_which_the_configuration_says_nothing_is_behind_an_unknown_interface() -> None:
    found = ends(0, 100)
    assert str(found.client) == "unknown:203.0.113.10/40000"
    assert str(found.server) == "unknown:192.0.2.25/25"
    assert found.inbound


# Connections to no static

HOST, FAR, ROUTED = IPv4Address("192.0.2.30"), IPv4Address("203.0.113.10"), IPv4Address("198.51.100.7")


def topology(*statics: Static) -> Topology:
    interfaces = (
        Interface("e0", nameif="outside", security_level=0, address=IPv4Interface("203.0.113.1/24")),
        Interface("e1", nameif="inside", security_level=100, address=IPv4Interface("192.0.2.1/24")),
    )
    default = Route("outside", IPv4Network("0.0.0.0/0"), IPv4Address("203.0.113.2"))
    inner = Route("inside", IPv4Network("198.51.100.0/28"), IPv4Address("192.0.2.2"))
    return Topology(Config(interfaces=interfaces, routes=(default, inner), statics=statics))


def test_an_address_is_behind_the_interface_of_the_longest_network_that_holds_it() -> None:
    behind = topology().interface
    assert [behind(each) for each in (HOST, FAR, ROUTED, IPv4Address("198.51.100.77"))] == [
        *("inside", "outside", "inside", "outside")
    ]


def test_a_connection_from_inside_is_outbound_and_its_client_the_upper_end() -> None:
    found = topology().ends(Parties(Key(FAR, 25, HOST, 40000), FAR))
    assert not found.inbound
    assert (str(found.lower), str(found.lower_mapped)) == ("outside:203.0.113.10/25", "outside:203.0.113.10/25")
    assert (str(found.upper), str(found.upper_mapped)) == ("inside:192.0.2.30/40000", "inside:192.0.2.30/40000")


def test_a_host_behind_a_static_goes_out_by_its_mapped_address() -> None:
    found = topology(STATIC).ends(Parties(Key(FAR, 25, REAL, 40000), FAR))
    assert (str(found.upper), found.upper_mapped.address) == ("inside:192.0.2.25/40000", MAPPED)


def test_who_calls_the_real_address_of_a_static_does_not_call_the_static() -> None:
    found = topology(STATIC).ends(Parties(Key(REAL, 25, ROUTED, 40000), REAL))
    assert (str(found.client), str(found.server_mapped)) == ("inside:198.51.100.7/40000", "inside:192.0.2.25/25")


NETWORKS = """\
interface Ethernet0/0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet0/1
 nameif inside
 ip address 192.0.2.1 255.255.255.0
"""
EXEMPT = f"""{NETWORKS}access-list kept extended permit ip host {REAL} 203.0.113.8 255.255.255.248
static (inside,outside) {MAPPED} {REAL} netmask 255.255.255.255
nat (inside) 0 access-list kept
"""
TWICE = f"""{NETWORKS}object network server
 host {REAL}
object network known
 host {MAPPED}
object network peers
 subnet 203.0.113.8 255.255.255.248
"""
STATICALLY = "nat (inside,outside) source static server known\n"
IDENTICALLY = "nat (inside,outside) source static server server destination static peers peers\n"


@pytest.mark.parametrize(
    ("text", "to", "known"),
    [
        (EXEMPT, "203.0.113.10", REAL),
        (EXEMPT, "203.0.113.20", MAPPED),
        (EXEMPT.replace("nat (inside)", "nat (outside)"), "203.0.113.10", MAPPED),
        (TWICE + IDENTICALLY + STATICALLY, "203.0.113.10", REAL),
        (TWICE + STATICALLY + IDENTICALLY, "203.0.113.10", MAPPED),  # the first that fits
    ],
)
def test_a_client_that_is_exempt_is_known_by_its_own_address(text: str, to: str, known: IPv4Address) -> None:
    called = IPv4Address(to)
    found = Topology(configured(text)).ends(Parties(Key(called, 25, REAL, 40000), called))
    assert found.beyond == Endpoint("outside", known, 40000)
