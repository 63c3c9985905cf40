"""The mapped addresses that the firewall answers for: nobody else has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from appliance.config.config import Config
from appliance.config.statics import HOSTS
from appliance.config.translations import translations
from appliance.nat.translation import Kind, Pool


@dataclass(frozen=True, slots=True)
class Answered:
    """A mapped address that the firewall answers for (or, without `arp`, only takes), and where it leads."""

    address: IPv4Address
    mapped_interface: str
    real_interface: str
    arp: bool


def answered(config: Config) -> tuple[Answered, ...]:
    """Every mapped address that is nobody's own: of hosts, of ports, of pools; each once on an interface."""
    own = config.own_addresses
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
