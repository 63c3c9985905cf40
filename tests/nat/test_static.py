"""Which of a server's statics may be intercepted."""

from __future__ import annotations

from ipaddress import IPv4Address

from appliance.nat.static import Static, intercepted_once
from appliance.nat.translation import PortMap

REAL = IPv4Address("192.0.2.25")


def static(name: int, limit: int = 0, port: int = 0, interface: str = "outside", own: bool = False) -> Static:
    ports = PortMap("tcp", port, 2000 + port) if port else None
    mapped = IPv4Address("203.0.113.0") + name
    return Static("inside", interface, mapped, REAL, max_embryonic=limit, ports=ports, own=own)


def intercepted(*statics: Static) -> list[bool]:
    return [not each.own for each in intercepted_once(statics)]


def test_of_a_server_one_static_is_intercepted() -> None:
    assert intercepted(static(1), static(2, interface="dmz")) == [True, False]
    assert intercepted(static(1), static(2, port=25), static(1, port=80)) == [True, False, False]
    assert intercepted(static(1, own=True), static(2)) == [False, True]


def test_it_is_the_one_with_a_limit() -> None:
    assert intercepted(static(1), static(2, limit=5)) == [False, True]
    assert intercepted(static(1), static(1, limit=5, port=25), static(1, port=80)) == [False, True, True]


def test_ports_are_servers_of_their_own() -> None:
    assert intercepted(static(1, port=25), static(1, port=80)) == [True, True]
    assert intercepted(static(1, port=25), static(2, port=25)) == [True, False]
