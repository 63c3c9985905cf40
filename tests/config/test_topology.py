"""Where the ends of a connection are, and which of them is the less secure."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.config.config import Config, Interface
from appliance.config.topology import Ends, Topology
from appliance.nat.connection import Key
from appliance.nat.static import Static

REAL = IPv4Address("192.0.2.25")
MAPPED = IPv4Address("203.0.113.125")
KEY = Key(MAPPED, 25, IPv4Address("203.0.113.10"), 40000)


def ends(outside: int | None, inside: int | None, *statics: Static) -> Ends:
    interfaces = (
        Interface("Ethernet0/0", nameif="outside", security_level=outside),
        Interface("Ethernet0/1", nameif="inside", security_level=inside),
    )
    return Topology(Config(interfaces=interfaces, statics=statics)).ends(KEY, REAL)


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


def test_a_static_that_is_gone_leaves_the_interfaces_unknown() -> None:
    found = ends(0, 100)
    assert str(found.client) == "unknown:203.0.113.10/40000"
    assert str(found.server) == "unknown:192.0.2.25/25"
    assert found.inbound
