"""What the statements of translation up to 8.2 come to: `static`, and `nat` with its `global`.

They are asked in this order: ``nat 0 access-list``, statics in the file's order, ``nat`` with a list, in order, ``nat``
by its longest network (asa.md §5.1; the order is of Cisco's NAT chapters, key NAT72).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from appliance.config.config import Config
from appliance.config.elements import Elements
from appliance.config.nat import GlobalStatement, NatStatement, PolicyStaticStatement, StaticStatement
from appliance.nat.translation import Far, Kind, Pool, PortMap, Translation
from appliance.policy.acl import ANY, Element
from appliance.policy.objects import AddressRange


def rules(config: Config, elements: Elements) -> Iterator[Translation]:
    """Those of `config`, first match first."""
    yield from _exempt(config, elements)
    for each in config.translations:
        if isinstance(each, StaticStatement):
            yield from _static(config, each)
        elif isinstance(each, PolicyStaticStatement):
            yield from _policy_static(config, elements, each)
    yield from _dynamic(config, elements)


def _exempt(config: Config, elements: Elements) -> Iterator[Translation]:
    for each in config.translations:
        if not isinstance(each, NatStatement) or not each.access_list or each.number != 0:
            continue
        access_list = config.access_list(each.access_list)
        for element in elements.of_list(access_list) if access_list else ():
            if element.permit:
                far = Far(element.destination, element.destination)
                yield Translation(
                    Kind.NONE, each.interface, None, element.source, element.source, far=far, line=each.line
                )


def _static(config: Config, static: StaticStatement) -> Iterator[Translation]:
    mapped = config.own_address(static.mapped_interface)
    if static.mapped is not None:
        mapped = IPv4Network((static.mapped, static.prefix), strict=False)
    real = IPv4Network((static.real, static.prefix), strict=False)
    if mapped is not None:
        yield Translation(
            Kind.NONE if mapped == real and static.ports is None else Kind.STATIC,
            static.real_interface,
            static.mapped_interface,
            real,
            mapped,
            static.ports,
            proxy_arp=static.mapped is not None,
            max_conns=static.trailer.tcp,
            max_embryonic=static.trailer.embryonic,
            line=static.line,
        )


def _policy_static(config: Config, elements: Elements, static: PolicyStaticStatement) -> Iterator[Translation]:
    interfaces = static.real_interface, static.mapped_interface
    if static.protocol:
        yield from _policy_ports(config, elements, static)
    for real, far in _policies(config, elements, static.access_list) if static.mapped and not static.protocol else ():
        mapped = IPv4Network((static.mapped, real.prefixlen), strict=False)
        kind = Kind.NONE if real == mapped else Kind.STATIC
        yield Translation(kind, *interfaces, real, mapped, far=far, line=static.line)


def _policy_ports(config: Config, elements: Elements, static: PolicyStaticStatement) -> Iterator[Translation]:
    """One port, for each peer that the list has."""
    mapped = config.own_address(static.mapped_interface) if static.mapped is None else IPv4Network(static.mapped)
    access_list = config.access_list(static.access_list)
    for each in elements.of_list(access_list) if access_list and mapped is not None else ():
        if of_a_port(each, static.protocol) and each.source_ports is not None and mapped is not None:
            yield Translation(
                Kind.STATIC,
                static.real_interface,
                static.mapped_interface,
                each.source,
                mapped,
                PortMap(static.protocol, each.source_ports.low, static.port),
                Far(each.destination, each.destination),
                proxy_arp=static.mapped is not None,
                line=static.line,
            )


def of_a_port(element: Element, protocol: str) -> bool:
    """Whether an entry says which port of which host a policy static of a port translates, and for which peers."""
    ports = element.source_ports
    of_one = element.source.prefixlen == 32 and ports is not None and ports.operator == "eq"
    return element.permit and element.protocol == protocol and of_one and element.destination_ports is None


def _policies(config: Config, elements: Elements, name: str) -> Iterator[tuple[IPv4Network, Far]]:
    """Whom the access list of a policy NAT translates, for whom."""
    access_list = config.access_list(name)
    for each in elements.of_list(access_list) if access_list else ():
        if each.permit:
            protocol, ports = "" if each.protocol == "ip" else each.protocol, each.destination_ports
            yield each.source, Far(each.destination, each.destination, protocol, ports.span if ports else None)


def _dynamic(config: Config, elements: Elements) -> Iterator[Translation]:
    """Those for some peers first, in the file's order."""
    pools = [each for each in config.translations if isinstance(each, GlobalStatement)]
    nats = [each for each in config.translations if isinstance(each, NatStatement)]
    for each in nats:
        for network, far in _policies(config, elements, each.access_list) if each.number else ():
            yield from _to_pools(config, pools, each, Translation(Kind.NONE, None, None, network, network, far=far))
    nats = [each for each in nats if each.network is not None]
    for each in sorted(nats, key=lambda each: -(each.network or ANY).prefixlen):
        network = each.network or ANY
        if each.number == 0:
            yield Translation(Kind.NONE, each.interface, None, network, network, one_way=True, line=each.line)
            continue
        yield from _to_pools(config, pools, each, Translation(Kind.NONE, None, None, network, network))


def _to_pools(
    config: Config, pools: Iterable[GlobalStatement], nat: NatStatement, like: Translation
) -> Iterator[Translation]:
    """A rule for each interface that has a pool of the number; `like` says for whom."""
    interfaces: dict[str, GlobalStatement] = {}
    for pool in pools:
        if pool.number == nat.number:
            interfaces.setdefault(pool.interface, pool)
    for interface, pool in interfaces.items():
        to = _pool(config, interface, pool.pool)
        if to is not None and interface != nat.interface:
            yield Translation(Kind.DYNAMIC, nat.interface, interface, like.real, to, far=like.far, line=nat.line)


def _pool(config: Config, interface: str, pool: AddressRange | None) -> Pool | None:
    if pool is not None:
        return Pool(pool.first, pool.last)
    own = config.own_address(interface)
    return Pool(own.network_address, own.network_address) if own else None
