"""What entries come to that name objects and groups: the elements that packets are compared with.

A group may hold groups (`verify` has seen that none holds itself, and how deep they nest). Every entry of an access
list becomes the product of its services, sources and destinations; ``inactive`` ones become nothing. An entry with a
``time-range`` fails closed, because the clock is not asked: one that permits becomes nothing, one that denies always
does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from appliance.config.config import Config
from appliance.policy.acl import ANY, AccessList, Ace, Element, Endpoint, IcmpType, Named, Ports
from appliance.policy.objects import Member, Service

#: Elements, and members of groups on the way to them, of one configuration: some seconds and some 100 MB of rules.
MOST = 200_000


class TooMany(Exception):
    """The configuration's entries come to more than `MOST`."""


class Elements:
    """The elements of one configuration's entries; TooMany where they pass all bounds."""

    def __init__(self, config: Config) -> None:
        self._networks = {each.name: each for each in config.objects}
        self._services = {each.name: each for each in config.service_objects}
        self._groups = {each.name: each for each in config.groups}
        self._own = {each.nameif: each.address for each in config.interfaces}
        self._flat: dict[str, tuple[Member, ...]] = {}
        self._left = MOST

    def of_list(self, access_list: AccessList) -> Iterator[Element]:
        """The elements of a list, in order."""
        for ace in access_list.aces:
            yield from self.of(ace)

    def of(self, ace: Ace) -> Iterator[Element]:
        """The elements of an entry, in the order of what it names."""
        if ace.inactive or (ace.time_range and ace.permit):
            return
        services = self.services(ace)
        for source, destination in itertools.product(self.networks(ace.source), self.networks(ace.destination)):
            self._spend(len(services))
            for each in services:
                yield Element(ace.permit, each.protocol, source, each.source, destination, each.destination, each.icmp)

    def count(self, ace: Ace) -> int:
        """How many elements an entry comes to, at most: they are not made for it."""
        found = len(self.services(ace)) * len(self.networks(ace.source)) * len(self.networks(ace.destination))
        self._spend(found)
        return found

    def networks(self, endpoint: Endpoint) -> tuple[IPv4Network, ...]:
        """The addresses that an end of an entry stands for."""
        if isinstance(endpoint, IPv4Network):
            return (endpoint,)
        match endpoint.kind:
            case "object":
                known = self._networks.get(endpoint.name)
                return known.networks if known else ()
            case "interface":
                own = self._own.get(endpoint.name)
                return (IPv4Network(own.ip),) if own else ()
            case "object-group":
                leaves = (each for each in self._leaves(endpoint.name) if isinstance(each, IPv4Network | Named))
                return tuple(dict.fromkeys(itertools.chain.from_iterable(map(self.networks, leaves))))
            case "any4":
                return (ANY,)
            case _:
                return ()  # of IPv6

    def services(self, ace: Ace) -> tuple[Service, ...]:
        """The protocols of an entry, each with the ports or ICMP types it asks for."""
        protocol, source, destination, icmp = ace.protocol, ace.source_ports, ace.destination_ports, ace.icmp
        if not (
            isinstance(protocol, Named)
            or isinstance(source, Named)
            or isinstance(destination, Named)
            or isinstance(icmp, Named)
        ):
            return (Service(protocol, source, destination, icmp),)
        plain = self._named(ace.protocol) if isinstance(ace.protocol, Named) else (Service(ace.protocol),)
        ports = itertools.product(self._ports(ace.source_ports), self._ports(ace.destination_ports))
        return tuple(
            dict.fromkeys(
                Service(each.protocol, source or each.source, destination or each.destination, icmp or each.icmp)
                for each, (source, destination), icmp in itertools.product(plain, ports, self._types(ace.icmp))
            )
        )

    def _named(self, named: Named) -> tuple[Service, ...]:
        """The services of a service object, or of a group of services or protocols."""
        if named.kind == "object":
            known = self._services.get(named.name)
            return tuple(_split(known.service)) if known and known.service else ()
        return tuple(dict.fromkeys(self._of_group(named.name)))

    def _of_group(self, name: str) -> Iterator[Service]:
        for leaf in self._leaves(name):
            match leaf:
                case Service():
                    yield from _split(leaf)
                case str():
                    yield Service(leaf)
                case Named():
                    yield from self._named(leaf)

    def _ports(self, ports: Ports | Named | None) -> tuple[Ports | None, ...]:
        if not isinstance(ports, Named):
            return (ports,)
        found = (each.destination for each in self._of_group(ports.name))
        return tuple(dict.fromkeys(each for each in found if each is not None))

    def _types(self, icmp: IcmpType | Named | None) -> Iterable[IcmpType | None]:
        if not isinstance(icmp, Named):
            return (icmp,)
        return [each for each in self._leaves(icmp.name) if isinstance(each, IcmpType)]

    def _leaves(self, name: str) -> tuple[Member, ...]:
        """The members of a group and of those it holds, each once; ports as services."""
        if name not in self._flat:
            group = self._groups.get(name)
            found: dict[Member, None] = {}
            for member in group.members if group else ():
                inner: tuple[Member, ...] = (member,)
                if isinstance(member, Named) and member.kind == "group-object":
                    inner = self._leaves(member.name)
                elif isinstance(member, Ports) and group:
                    inner = (Service(group.protocol, destination=member),)
                self._spend(len(inner))
                found.update(dict.fromkeys(inner))
            self._flat[name] = tuple(found)
        return self._flat[name]

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooMany


def _split(service: Service) -> Iterator[Service]:
    """``tcp-udp`` is two protocols."""
    for protocol in service.protocol.split("-") if service.protocol == "tcp-udp" else [service.protocol]:
        yield Service(protocol, service.source, service.destination, service.icmp)
