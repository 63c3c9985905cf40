"""Elements of access lists on real addresses: one that names what a static maps stands for what is behind it (row 17).

Which of them do is the version's: from 8.3 on lists know real addresses alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from appliance.config.config import Config
from appliance.config.translations import translations
from appliance.config.versions import Addresses
from appliance.nat.translation import Kind
from appliance.policy.acl import ANY, Element, Ports


class RealEnds:
    """The statics of one configuration, by what its lists call them."""

    def __init__(self, config: Config) -> None:
        named = config.defaults.addresses is not Addresses.REAL
        self._known: dict[IPv4Network, list[IPv4Network]] = {}
        self._hosts = [(IPv4Network(each.mapped), IPv4Network(each.real)) for each in config.statics if named]
        self._ports = [
            (each.mapped, each.real, each.ports)
            for each in (translations(config) if named else ())
            if each.kind is Kind.STATIC and each.ports is not None and isinstance(each.mapped, IPv4Network)
        ]

    def of(self, element: Element, *, sources: bool = True) -> Iterator[Element]:
        """What `element` stands for; without `sources` a network of them stays what it is."""
        asked = sources or element.source.prefixlen == 32
        for source in self._behind(element.source) if asked else [element.source]:
            for destination in self._behind(element.destination):
                yield replace(element, source=source, destination=destination)
            yield from (replace(each, source=source) for each in self._behind_ports(element))

    def _behind(self, network: IPv4Network) -> list[IPv4Network]:
        """The addresses behind those of `network`: of a mapped host its real one, of others they themselves."""
        if network == ANY or not self._hosts:
            return [network]
        if network not in self._known:
            known = dict.fromkeys(real for mapped, real in self._hosts if mapped.subnet_of(network))
            if network.prefixlen < 32:
                known = {network: None, **{each: None for each in known if not each.subnet_of(network)}}
            self._known[network] = list(known) or [network]
        return self._known[network]

    def _behind_ports(self, element: Element) -> Iterator[Element]:
        """Where the mapped address and port of what is one port of a host are named: that port of it."""
        for mapped, real, ports in self._ports if element.destination != ANY else ():
            named = mapped.subnet_of(element.destination) and element.protocol in ("ip", ports.protocol)
            if named and (element.destination_ports is None or element.destination_ports.holds(ports.mapped)):
                only = Ports("eq", ports.real, ports.real)
                yield replace(element, protocol=ports.protocol, destination=real, destination_ports=only)
