"""What the statements of translation from 8.3 on come to: `nat` of an object, and manual `nat` between objects.

They are asked in this order: manual rules, those of objects (static before dynamic, the smaller before the larger, then
by address), manual rules ``after-auto`` (asa.md §5.2; the order is of Cisco's NAT chapters, key NAT82).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from appliance.config.config import Config
from appliance.config.elements import Elements
from appliance.config.nat import ANYWHERE, ManualNat, ObjectNat
from appliance.nat.translation import Far, Kind, Pool, PortMap, Translation
from appliance.policy.acl import ANY, Named


def rules(config: Config, elements: Elements) -> Iterator[Translation]:
    """Those of `config`, first match first."""
    known = {each.name for each in config.objects}
    of_objects = [each for each in config.translations if isinstance(each, ObjectNat) and each.name in known]
    manual = [each for each in config.translations if isinstance(each, ManualNat) and "inactive" not in each.options]
    for each in manual:
        if not each.after_auto:
            yield from _manual(config, elements, each)
    yield from sorted(
        (rule for each in of_objects for rule in _of_object(config, elements, each)),
        key=lambda rule: (rule.kind is Kind.DYNAMIC, -rule.real.prefixlen, rule.real),
    )
    for each in manual:
        if each.after_auto:
            yield from _manual(config, elements, each)


def _networks(elements: Elements, name: str) -> tuple[IPv4Network, ...]:
    """What a name in a rule stands for: an object, a group, or any."""
    if name == ANYWHERE:
        return (ANY,)
    return elements.networks(Named("object", name)) or elements.networks(Named("object-group", name))


def _of_object(config: Config, elements: Elements, nat: ObjectNat) -> Iterator[Translation]:
    real = elements.networks(Named("object", nat.name))
    if nat.mapped is None:
        mapped: Iterable[IPv4Network] = filter(None, [config.own_address(nat.mapped_interface)])
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
    real = _networks(elements, nat.real)
    if nat.mapped is None:
        mapped = tuple(filter(None, [config.own_address(nat.mapped_interface)]))
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
    return None, (real.protocol, ports.span)


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


def _any(nameif: str) -> str | None:
    return None if nameif == ANYWHERE else nameif
