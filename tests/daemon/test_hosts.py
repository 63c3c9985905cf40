"""Which hosts have connections, counted by beginnings and ends of which some may be lost."""

from __future__ import annotations

from ipaddress import IPv4Address

from appliance.daemon.hosts import Hosts
from appliance.flow import Endpoint


def end(last: int, port: int = 1, interface: str = "outside") -> Endpoint:
    return Endpoint(interface, IPv4Address(f"203.0.113.{last}"), port)


def test_a_host_is_as_old_as_its_first_connection() -> None:
    hosts = Hosts()
    assert hosts.enter(end(10), 100)
    assert not hosts.enter(end(10, 2), 200)
    assert hosts.leave(end(10), 300) is None
    assert hosts.leave(end(10, 2), 400) == 300
    assert hosts.enter(end(10), 500)


def test_an_address_behind_two_interfaces_is_two_hosts() -> None:
    hosts = Hosts()
    assert hosts.enter(end(10), 0)
    assert hosts.enter(end(10, interface="dmz"), 0)
    assert hosts.counts() == {"outside": (1, 1), "dmz": (1, 1)}


def test_the_maximum_stays() -> None:
    hosts = Hosts()
    for last in (10, 11, 12):
        hosts.enter(end(last), 0)
    hosts.leave(end(10), 0)
    hosts.leave(end(11), 0)
    assert hosts.counts() == {"outside": (1, 3)}
    hosts.enter(end(13), 0)
    assert hosts.counts() == {"outside": (2, 3)}


def test_an_end_without_a_beginning_is_nobodys() -> None:
    hosts = Hosts()
    assert hosts.leave(end(10), 0) is None
    assert hosts.counts() == {}


def test_a_recount_keeps_since_when_a_host_is_known() -> None:
    hosts = Hosts()
    hosts.enter(end(10), 100)
    hosts.enter(end(11), 100)
    hosts.recount([(end(10), 900), (end(10, 2), 950), (end(12), 700)])
    assert hosts.leave(end(11), 1000) is None
    assert hosts.leave(end(10), 1000) is None
    assert hosts.leave(end(10, 2), 1000) == 900
    assert hosts.leave(end(12), 1000) == 300
