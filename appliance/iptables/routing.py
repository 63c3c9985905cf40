"""What the kernel's routing makes of a packet's addresses, where the configuration makes the routes.

Between nat PREROUTING and everything that is said of forwarded packets the kernel looks up the destination, and drops
a source that can be nobody's (Linux, net/ipv4/route.c `ip_route_input_slow`, fib_frontend.c `fib_validate_source`).
Of what an ASA drops (asa.md §4.5, 106016) it lets two kinds pass: 0.0.0.0/8 from 5.3 on, and directed broadcasts as a
source where no reverse path is asked for. Rules of ours drop these.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from appliance.iptables.tables import Scene

THIS_NETWORK = IPv4Network("0.0.0.0/8")
_LIMITED_BROADCAST = IPv4Address("255.255.255.255")


def spoofed(scene: Scene, source: IPv4Address) -> bool:
    """No host can have this address: nobody's, a group's, this machine's own, a broadcast's."""
    if source in THIS_NETWORK or source.is_loopback or source.is_multicast or source == _LIMITED_BROADCAST:
        return True
    return source in _own(scene) or source in broadcasts(scene)


def unforwardable(destination: IPv4Address) -> bool:
    """No route leads there, whatever routes there are: multicast needs a router of its own."""
    return destination in THIS_NETWORK or destination.is_loopback or destination.is_multicast


def delivered(scene: Scene, destination: IPv4Address) -> bool:
    """It is for this machine itself: its own address, or one that means everybody on a network of its."""
    everybody = destination == _LIMITED_BROADCAST or destination in broadcasts(scene)
    return everybody or destination in _own(scene)


def broadcasts(scene: Scene) -> list[IPv4Address]:
    """The directed broadcasts of its networks; one of two addresses or one has none."""
    networks = (each.network for each in _addresses(scene) if each.network.prefixlen < 31)
    return list(dict.fromkeys(each.broadcast_address for each in networks))


def _own(scene: Scene) -> list[IPv4Address]:
    return [each.ip for each in _addresses(scene)]


def _addresses(scene: Scene) -> Iterator[IPv4Interface]:
    for each in scene.ours:
        if each.address is not None and not each.shutdown:
            yield each.address


def next_hop(scene: Scene, destination: IPv4Address) -> tuple[str, IPv4Address] | None:
    """The interface and the next hop towards an address, as the kernel's routes are made of the configuration."""
    config = scene.config
    found: list[tuple[int, int, str, IPv4Address]] = []
    used = {str(each.nameif): each for each in scene.ours if not each.shutdown}
    for nameif, each in used.items():
        if each.address is not None and destination in each.address.network:
            found.append((-each.address.network.prefixlen, 0, nameif, destination))
    for static in config.statics:
        if static.mapped == destination and static.real_interface in used:
            found.append((-32, 0, static.real_interface, destination))
    for route in config.routes:
        if destination in route.network and route.interface in used:
            found.append((-route.network.prefixlen, route.metric, route.interface, route.gateway))
    best = min(found, key=lambda each: each[:2], default=None)
    return None if best is None else best[2:]
