"""What limits connections, of a whole configuration: statics, classes with `set connection`, and whose translation is
chosen as they connect.

One class decides for a connection, by its first packet: the first that matches, of an interface's policy before the
global one (asa.md §6.2). Addresses are real ones, as everywhere (row 17).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Set
from dataclasses import replace
from ipaddress import IPv4Network

from appliance.config.config import Config, Timeouts
from appliance.config.elements import Elements
from appliance.config.names import NEVER
from appliance.config.real_ends import RealEnds
from appliance.config.translations import is_static, translations
from appliance.config.versions import Addresses
from appliance.nat.classes import LimitedClass, Limits, PortSpan, Rule
from appliance.nat.connection import State
from appliance.nat.translation import Kind
from appliance.policy.acl import ANY, Ports
from appliance.policy.maps import (
    CLASS_DEFAULT,
    ClassMap,
    MatchAccessList,
    MatchAny,
    MatchDefaultInspectionTraffic,
    MatchPort,
    PolicyClass,
    SetConnection,
)

_SMTP = PortSpan(25, 25)
_ALL = PortSpan()
_TCP = ("ip", "tcp", "6")

#: What a line matches: source and its ports, destination and its, and whether it permits.
_Line = tuple[IPv4Network, PortSpan, IPv4Network, PortSpan, bool]


def limits(config: Config, interfaces: Set[str]) -> Limits:
    """The limits of a verified `config` where only `interfaces` (each a nameif) have a device."""
    usable = (each for each in config.all_statics if {each.real_interface, each.mapped_interface} <= interfaces)
    classes = [each for each in _classes(config) if each[1].interface is None or each[1].interface in interfaces]
    found = tuple(limited for _, limited in classes)
    choosing = frozenset(_choosing(config) & interfaces)
    return Limits(tuple(usable), found, _rules(config, classes), choosing, ways(config, interfaces))


def ways(config: Config, interfaces: Set[str]) -> frozenset[tuple[str, str]]:
    """From where to where, of `interfaces`, a class's embryonic limits hold for calls to a host's own address, too.

    An ASA intercepts towards the more secure side (asa.md §5.4). Nothing on the way may choose the client's address or
    port, for SYNPROXY opens the connection in its name; and the access lists must speak of addresses as SYNPROXY's
    packets have them, which are never translated.
    """
    as_called = config.defaults.addresses is Addresses.MAPPED and translations(config)
    if as_called or not any(each.intercepts for each in limited_classes(config)):
        return frozenset()
    levels = {
        str(each.nameif): each.security_level or 0
        for each in config.interfaces
        if each.nameif in interfaces and not each.shutdown
    }
    plain = levels.keys() - _choosing(config)
    return frozenset((one, other) for one in plain for other, level in levels.items() if levels[one] < level)


def limited_classes(config: Config) -> tuple[LimitedClass, ...]:
    """The classes with `set connection`, in the order in which they are tried."""
    return tuple(limited for _, limited in _classes(config))


def rules(config: Config) -> tuple[Rule, ...]:
    """The lines of what they match."""
    return _rules(config, list(_classes(config)))


def longest(config: Config) -> Timeouts:
    """How long a connection may live at most, whichever class it is of."""
    sets, known = _connections(config), config.timeouts
    return replace(
        known,
        embryonic=max([known.embryonic, *(each.embryonic for each in sets if each.embryonic is not None)]),
        half_closed=max([known.half_closed, *(each.half_closed for each in sets if each.half_closed is not None)]),
        conn=max([known.conn, *(each.idle for each in sets if each.idle is not None)]),
    )


def shortest_embryonic(config: Config) -> int:
    """How long a half-open connection may live at least, in seconds."""
    sets = _connections(config)
    return min([config.timeouts.embryonic, *(each.embryonic for each in sets if each.embryonic is not None)])


def _connections(config: Config) -> list[SetConnection]:
    return [each.connection for policy in config.policy_maps for each in policy.classes]


def _classes(config: Config) -> Iterator[tuple[ClassMap, LimitedClass]]:
    for service in sorted(config.service_policies, key=lambda each: each.interface is None):
        policy = config.policy_map(service.policy_map)
        for each in policy.classes if policy else ():
            class_map = CLASS_DEFAULT if each.name == CLASS_DEFAULT.name else config.class_map(each.name)
            if class_map is not None and each.connection != SetConnection():
                yield class_map, _limited(service.policy_map, service.interface, each)


def _limited(policy: str, interface: str | None, each: PolicyClass) -> LimitedClass:
    said = each.connection
    times = {
        State.SYN: said.embryonic,
        State.SYN_ACK: said.embryonic,
        State.ESTABLISHED: said.idle,
        State.HALF_CLOSED: said.half_closed,
        State.CLOSING: said.half_closed,
        State.DEAD: None if said.half_closed == NEVER else said.half_closed,
    }
    return LimitedClass(
        policy,
        interface,
        each.name,
        said.conn_max,
        said.embryonic_conn_max,
        said.per_client_max,
        said.per_client_embryonic_max,
        {state: seconds for state, seconds in times.items() if seconds is not None},
        said.reset,
    )


def _rules(config: Config, classes: list[tuple[ClassMap, LimitedClass]]) -> tuple[Rule, ...]:
    """The lines, class by class. Where an interface's policy limits anything the global one does not (asa.md §6.2)."""
    elements = Elements(config)
    blocks = [(limited, list(_lines(config, elements, class_map))) for class_map, limited in classes]
    own = [each for each in blocks if each[0].interface is not None]
    everywhere = blocks[len(own) :]
    interfaces = dict.fromkeys(limited.interface for limited, _ in own) if everywhere else {}
    end = sum(len(lines) for _, lines in blocks) + len(interfaces)
    found: list[Rule] = []
    for each in own:
        found += _block(len(found), *each)
    found += (Rule(ANY, _ALL, ANY, _ALL, interface, None, end) for interface in interfaces)
    for each in everywhere:
        found += _block(len(found), *each)
    return tuple(found)


def _block(at: int, limited: LimitedClass, lines: list[_Line]) -> Iterator[Rule]:
    """The lines of one class, of which the first is rule `at`."""
    behind = at + len(lines)
    for source, from_ports, to, to_ports, permit in lines:
        yield Rule(source, from_ports, to, to_ports, limited.interface, limited if permit else None, behind)


def _lines(config: Config, elements: Elements, class_map: ClassMap) -> Iterator[_Line]:
    match class_map.match:
        case MatchAny():
            yield ANY, _ALL, ANY, _ALL, True
        case MatchPort(protocol="tcp", ports=ports):
            yield ANY, _ALL, ANY, _span(ports), True
        case MatchDefaultInspectionTraffic(access_list=""):
            yield ANY, _ALL, ANY, _SMTP, True
        case MatchDefaultInspectionTraffic(access_list=name):  # of whose ports nothing is asked
            for source, _, destination, _, permit in _listed(config, elements, name):
                yield source, _ALL, destination, _SMTP, permit
        case MatchAccessList(name=name):
            yield from _listed(config, elements, name)
        case _:
            return


def _listed(config: Config, elements: Elements, name: str) -> Iterator[_Line]:
    access_list, real = config.access_list(name), RealEnds(config)
    found = elements.of_list(access_list) if access_list else ()
    for each in itertools.chain.from_iterable(map(real.of, found)):
        if each.protocol in _TCP:
            sources, destinations = _span(each.source_ports), _span(each.destination_ports)
            yield each.source, sources, each.destination, destinations, each.permit


def _span(ports: Ports | None) -> PortSpan:
    return PortSpan(*ports.span, ports.operator == "neq") if ports else _ALL


def _choosing(config: Config) -> set[str]:
    """The interfaces from which comes what is translated neither as a whole host nor as one port.

    And where a host is called by both: which of them it was only the first packet says.
    """
    names = {each.nameif for each in config.interfaces if each.nameif is not None}
    found: set[str] = set()
    for each in translations(config):
        if each.kind is not Kind.NONE and not is_static(each):
            found |= names if each.real_interface is None else {each.real_interface}
            if each.kind is Kind.STATIC:
                found |= names if each.mapped_interface is None else {each.mapped_interface}
    hosts = {(each.mapped_interface, each.real) for each in config.statics}
    ports = {(each.mapped_interface, each.real) for each in config.port_statics}
    return found | {interface for interface, _ in hosts & ports}
