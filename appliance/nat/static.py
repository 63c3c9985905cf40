"""``static (real_ifc,mapped_ifc) mapped real netmask 255.255.255.255 tcp MAX EMB`` as a value (asa.md §5.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address

UNLIMITED = 0


@dataclass(frozen=True, slots=True)
class Static:
    """A one-to-one translation of a host with the limits it carries; 0 means unlimited."""

    real_interface: str
    mapped_interface: str
    mapped: IPv4Address
    real: IPv4Address
    max_conns: int = UNLIMITED
    max_embryonic: int = UNLIMITED
    line: int = field(default=0, compare=False)  # of the rule file, for errors


def mapped_addresses(statics: Iterable[Static]) -> dict[tuple[str, IPv4Address], IPv4Address]:
    """(interface, real address) -> the address by which a host is known behind that interface."""
    return {(each.mapped_interface, each.real): each.mapped for each in statics}
