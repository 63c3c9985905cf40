"""What the statements of translation come to: rules in the order they are asked, and the hosts they translate.

Up to 8.2: ``nat 0 access-list``, then statics in the file's order, then ``nat`` with a list, in order, then ``nat`` by
its longest network. From 8.3:
manual rules, then those of objects (static before dynamic, the smaller before the larger, then by address), then
manual rules ``after-auto`` (asa.md §5.1-5.2; the orders are of Cisco's NAT chapters, key NAT72 and NAT82). A file that
mixes both has 8.2's first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from appliance.config.config import Config
from appliance.config.elements import Elements, TooMany
from appliance.config.nat import (
    ANYWHERE,
    GlobalStatement,
    ManualNat,
    NatStatement,
    ObjectNat,
    PolicyStaticStatement,
    StaticStatement,
)
from appliance.nat.static import Static
from appliance.nat.translation import Far, Kind, Pool, PortMap, Translation
from appliance.policy.acl import ANY, Element, Named, Ports
from appliance.policy.objects import AddressRange

#: Hosts of one static that are known one by one, with limits and ARP: its netmask is 255.255.255.0 or longer.
HOSTS = 256
#: Hosts that are translated whole: the connection table's statics.
STATICS = 1_024


def translations(config: Config) -> tuple[Translation, ...]:
    """The rules of `config`, first match first. What a name that is not defined would mean is left out."""
    elements = Elements(config)
    objects = {each.name: each for each in config.objects}
    statements = config.translations
    manual = [each for each in statements if isinstance(each, ManualNat)]
    of_objects = [each for each in statements if isinstance(each, ObjectNat) and each.name in objects]
    found = [
        *_exempt(config, elements),
        *itertools.chain.from_iterable(_statics(config, elements)),
        *_dynamic(config, elements),
        *itertools.chain.from_iterable(_manual(config, elements, each) for each in manual if not each.after_auto),
        *sorted(
            itertools.chain.from_iterable(_of_object(config, elements, each) for each in of_objects),
            key=lambda each: (each.kind is Kind.DYNAMIC, -each.real.prefixlen, each.real),
        ),
        *itertools.chain.from_iterable(_manual(config, elements, each) for each in manual if each.after_auto),
    ]
    return tuple(each for each in found if each is not None)


def hosts(config: Config) -> tuple[Static, ...]:
    """Every host that is translated whole, between two interfaces that are named, with its limits.

    One more than `STATICS` at most: what has so many is refused, as is what comes to too many elements (none then).
    """
    try:
        return tuple(itertools.islice(_hosts(config), STATICS + 1))
    except TooMany:
        return ()


def is_static(rule: Translation) -> bool:
    """Whether a rule translates a host, or one port of it, the same way whoever is at the other end."""
    named = rule.real_interface is not None and rule.mapped_interface is not None
    always = rule.kind is not Kind.DYNAMIC and rule.far is None and not rule.one_way
    return named and always and rule.real.prefixlen >= 24


def ports(config: Config) -> tuple[Static, ...]:
    """Every TCP port that is translated by itself, between two named interfaces, with its limits; as `hosts`."""
    try:
        return tuple(itertools.islice(_ports(config), STATICS + 1))
    except TooMany:
        return ()


def covering(rules: Sequence[Translation]) -> dict[Translation, Translation]:
    """The rules of ports that nothing comes to, each with the rule before it that translates its whole address."""
    found: dict[Translation, Translation] = {}
    wholes: dict[tuple[str | None, IPv4Network], Translation] = {}
    for each in rules:
        if isinstance(each.mapped, Pool):
            continue
        if each.whole:
            wholes.setdefault((each.mapped_interface, each.mapped), each)
        elif each.kind is not Kind.DYNAMIC and each.ports is not None and not each.one_way:
            networks = (each.mapped.supernet(new_prefix=length) for length in range(each.mapped.prefixlen, 0, -1))
            places = itertools.product((each.mapped_interface, None), networks)
            before = next((whole for place in places if (whole := wholes.get(place))), None)
            if before is not None:
                found[each] = before
    return found


def _ports(config: Config) -> Iterator[Static]:
    own = {each.address.ip for each in config.interfaces if each.address is not None}
    rules = translations(config)
    covered = covering(rules)
    for each in rules:
        of_tcp = each.ports is not None and each.ports.protocol == "tcp"
        if not of_tcp or not is_static(each) or isinstance(each.mapped, Pool) or each in covered:
            continue
        interfaces = str(each.real_interface), str(each.mapped_interface)
        for real, known in zip(each.real, each.mapped, strict=True):
            limits = each.max_conns, each.max_embryonic
            yield Static(*interfaces, known, real, *limits, each.line, each.ports, known in own)


def _hosts(config: Config) -> Iterator[Static]:
    own = {each.address.ip for each in config.interfaces if each.address is not None}
    for each in translations(config):
        real_interface, mapped_interface, mapped = each.real_interface, each.mapped_interface, each.mapped
        if real_interface is None or mapped_interface is None or not each.whole or isinstance(mapped, Pool):
            continue
        if each.real.prefixlen < 24:
            continue  # so many are translated by their network
        for real, known in zip(each.real, mapped, strict=True):
            if known not in own:
                limits = each.max_conns, each.max_embryonic
                yield Static(real_interface, mapped_interface, known, real, *limits, each.line)


@dataclass(frozen=True, slots=True)
class Answered:
    """A mapped address that the firewall answers for (or, without `arp`, only takes), and where it leads."""

    address: IPv4Address
    mapped_interface: str
    real_interface: str
    arp: bool


def answered(config: Config) -> tuple[Answered, ...]:
    """Every mapped address that is nobody's own: of hosts, of ports, of pools; each once on an interface."""
    own = {each.address.ip for each in config.interfaces if each.address is not None}
    found: dict[tuple[IPv4Address, str], Answered] = {}
    for each in translations(config):
        real_interface, mapped_interface = each.real_interface, each.mapped_interface
        if real_interface is None or mapped_interface is None or (each.kind is Kind.NONE and not each.whole):
            continue
        arp = each.proxy_arp and mapped_interface not in config.no_proxy_arp
        for address in _addresses(each.mapped):
            if address not in own:
                answer = Answered(address, mapped_interface, real_interface, arp)
                found.setdefault((address, mapped_interface), answer)
    return tuple(found.values())


def _addresses(mapped: IPv4Network | Pool) -> Iterator[IPv4Address]:
    first, last = (mapped.first, mapped.last) if isinstance(mapped, Pool) else (mapped[0], mapped[-1])
    if int(last) - int(first) < HOSTS:
        yield from (IPv4Address(each) for each in range(int(first), int(last) + 1))


def _own(config: Config, nameif: str) -> IPv4Network | None:
    interface = config.interface(nameif)
    return IPv4Network(interface.address.ip) if interface is not None and interface.address is not None else None


def _any(nameif: str) -> str | None:
    return None if nameif == ANYWHERE else nameif


# -- up to 8.2


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


def _statics(config: Config, elements: Elements) -> Iterator[Iterable[Translation]]:
    for each in config.translations:
        if isinstance(each, StaticStatement):
            yield filter(None, [_static(config, each)])
        elif isinstance(each, PolicyStaticStatement):
            yield _policy_static(config, elements, each)


def _policy_static(config: Config, elements: Elements, static: PolicyStaticStatement) -> Iterator[Translation]:
    interfaces = static.real_interface, static.mapped_interface
    if static.protocol:
        yield from _policy_ports(config, elements, static)
    for real, far in policies(config, elements, static.access_list) if static.mapped and not static.protocol else ():
        mapped = IPv4Network((static.mapped, real.prefixlen), strict=False)
        kind = Kind.NONE if real == mapped else Kind.STATIC
        yield Translation(kind, *interfaces, real, mapped, far=far, line=static.line)


def _policy_ports(config: Config, elements: Elements, static: PolicyStaticStatement) -> Iterator[Translation]:
    """One port, for each peer that the list has."""
    mapped = _own(config, static.mapped_interface) if static.mapped is None else IPv4Network(static.mapped)
    access_list = config.access_list(static.access_list)
    for each in elements.of_list(access_list) if access_list and mapped is not None else ():
        if of_a_port(each, static.protocol) and each.source_ports is not None and mapped is not None:
            ports, far = (
                PortMap(static.protocol, each.source_ports.low, static.port),
                Far(each.destination, each.destination),
            )
            yield Translation(
                Kind.STATIC,
                static.real_interface,
                static.mapped_interface,
                each.source,
                mapped,
                ports,
                far,
                proxy_arp=static.mapped is not None,
                line=static.line,
            )


def of_a_port(element: Element, protocol: str) -> bool:
    """Whether an entry says which port of which host a policy static of a port translates, and for which peers."""
    of_one = (
        element.source.prefixlen == 32 and element.source_ports is not None and element.source_ports.operator == "eq"
    )
    return element.permit and element.protocol == protocol and of_one and element.destination_ports is None


def policies(config: Config, elements: Elements, name: str) -> Iterator[tuple[IPv4Network, Far]]:
    """Whom the access list of a policy NAT translates, for whom."""
    access_list = config.access_list(name)
    for each in elements.of_list(access_list) if access_list else ():
        if each.permit:
            protocol, ports = "" if each.protocol == "ip" else each.protocol, each.destination_ports
            yield each.source, Far(each.destination, each.destination, protocol, _span(ports) if ports else None)


def _span(ports: Ports) -> tuple[int, int]:
    """The ports, first to last; `verify` refuses the ``neq`` of these."""
    first = {"lt": 0, "gt": ports.low + 1}.get(ports.operator, ports.low)
    last = {"lt": ports.low - 1, "gt": 65535, "range": ports.high}.get(ports.operator, ports.low)
    return first, last


def _static(config: Config, static: StaticStatement) -> Translation | None:
    mapped = _own(config, static.mapped_interface)
    if static.mapped is not None:
        mapped = IPv4Network((static.mapped, static.prefix), strict=False)
    real = IPv4Network((static.real, static.prefix), strict=False)
    if mapped is None:
        return None
    return Translation(
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


def _dynamic(config: Config, elements: Elements) -> Iterator[Translation]:
    """Those for some peers first, in the file's order."""
    pools = [each for each in config.translations if isinstance(each, GlobalStatement)]
    nats = [each for each in config.translations if isinstance(each, NatStatement)]
    for each in nats:
        for network, far in policies(config, elements, each.access_list) if each.number else ():
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
    own = _own(config, interface)
    return Pool(own.network_address, own.network_address) if own else None


# -- from 8.3


def _networks(elements: Elements, name: str) -> tuple[IPv4Network, ...]:
    """What a name in a rule stands for: an object, a group, or any."""
    if name == ANYWHERE:
        return (ANY,)
    return elements.networks(Named("object", name)) or elements.networks(Named("object-group", name))


def _of_object(config: Config, elements: Elements, nat: ObjectNat) -> Iterator[Translation]:
    real = elements.networks(Named("object", nat.name))
    if nat.mapped is None:
        mapped: Iterable[IPv4Network] = filter(None, [_own(config, nat.mapped_interface)])
    elif isinstance(nat.mapped, str):
        mapped = _networks(elements, nat.mapped)
    else:
        mapped = [IPv4Network((nat.mapped, real[0].prefixlen), strict=False)] if len(real) == 1 else []
        mapped = [IPv4Network(nat.mapped)] if nat.dynamic else mapped
    yield from _rules(
        nat.real_interface,
        nat.mapped_interface,
        nat.dynamic,
        real,
        tuple(mapped),
        Translation(
            Kind.STATIC,
            None,
            None,
            ANY,
            ANY,
            nat.ports,
            proxy_arp=nat.mapped is not None and "no-proxy-arp" not in nat.options,
            line=nat.line,
        ),
    )


def _manual(config: Config, elements: Elements, nat: ManualNat) -> Iterator[Translation]:
    if "inactive" in nat.options:
        return
    real = _networks(elements, nat.real)
    if nat.mapped is None:
        mapped = tuple(filter(None, [_own(config, nat.mapped_interface)]))
    else:
        mapped = _networks(elements, nat.mapped)
    ends: list[Far | None] = [None]
    if nat.destination is not None:
        both = [_networks(elements, name) for name in nat.destination]
        ends = [Far(*each) for each in zip(*both, strict=False)]
    ports, far_ports = served(config, nat)
    if far_ports is not None:
        ends = [Far(*((each.mapped, each.real) if each else (ANY, ANY)), *far_ports) for each in ends]
    for far in ends:
        like = Translation(
            Kind.STATIC,
            None,
            None,
            ANY,
            ANY,
            ports,
            far=far,
            one_way="unidirectional" in nat.options,
            proxy_arp=nat.mapped is not None and "no-proxy-arp" not in nat.options,
            line=nat.line,
        )
        yield from _rules(nat.real_interface, nat.mapped_interface, nat.dynamic, real, mapped, like)


def served(config: Config, nat: ManualNat) -> tuple[PortMap | None, tuple[str, tuple[int, int]] | None]:
    """What ``service`` asks: one port of the real side, as another; or a protocol and ports of the other end.

    Nothing where it asks for what is not carried out, which `verify` refuses.
    """
    if nat.services is None:
        return None, None
    known = {each.name: each.service for each in config.service_objects}
    real, mapped = (known.get(each) for each in nat.services)
    if real is None or mapped is None or real.protocol != mapped.protocol or real.protocol not in ("tcp", "udp"):
        return None, None
    if real.destination is None and mapped.destination is None and real.source and mapped.source:
        single = all(each.operator == "eq" for each in (real.source, mapped.source))
        return (PortMap(real.protocol, real.source.low, mapped.source.low) if single else None), None
    ports = real.destination
    if real != mapped or real.source is not None or ports is None or ports.operator == "neq":
        return None, None
    return None, (real.protocol, _span(ports))


def _rules(
    real_interface: str,
    mapped_interface: str,
    dynamic: bool,
    real: tuple[IPv4Network, ...],
    mapped: tuple[IPv4Network, ...],
    like: Translation,
) -> Iterator[Translation]:
    """A rule for each network of the real side; `like` has the rest."""
    interfaces = _any(real_interface), _any(mapped_interface)
    ports, far, one_way, arp, line = like.ports, like.far, like.one_way, like.proxy_arp, like.line
    if dynamic and mapped:
        pool = Pool(mapped[0].network_address, _contiguous(mapped))
        for network in real:
            yield Translation(Kind.DYNAMIC, *interfaces, network, pool, ports, far, one_way, arp, line=line)
    elif not dynamic:
        for network, to in zip(real, mapped, strict=False):
            if network.prefixlen == to.prefixlen:
                kind = Kind.NONE if network == to and ports is None and not _translates(far) else Kind.STATIC
                yield Translation(kind, *interfaces, network, to, ports, far, one_way, arp, line=line)


def _contiguous(networks: tuple[IPv4Network, ...]) -> IPv4Address:
    """Where the addresses end that follow on the first without a gap: a range is several networks."""
    last = networks[0].broadcast_address
    for each in networks[1:]:
        if int(each.network_address) != int(last) + 1:
            break
        last = each.broadcast_address
    return last


def _translates(far: Far | None) -> bool:
    return far is not None and far.mapped != far.real
