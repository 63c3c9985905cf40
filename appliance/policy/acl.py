"""Access lists as values: what a packet is compared with, in order, first match decides (asa.md §6.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network

ANY = IPv4Network("0.0.0.0/0")


@dataclass(frozen=True, slots=True)
class Ports:
    """A port operator: ``eq smtp``, ``range 1 1024``, … as the inclusive range(s) it stands for."""

    operator: str  # eq neq lt gt range
    low: int
    high: int  # equal to `low` but for `range`


@dataclass(frozen=True, slots=True)
class Ace:
    """One access control entry. `protocol` is ASA's word (ip tcp udp icmp …) or a decimal number as text."""

    permit: bool
    protocol: str
    source: IPv4Network
    source_ports: Ports | None
    destination: IPv4Network
    destination_ports: Ports | None
    line: int = field(default=0, compare=False)  # of the rule file, for errors


@dataclass(frozen=True, slots=True)
class Remark:
    """``access-list ID remark TEXT``: it takes a line number of its own."""

    text: str


@dataclass(frozen=True, slots=True)
class AccessList:
    """An extended access list; what no entry matches is denied."""

    name: str
    entries: tuple[Ace | Remark, ...]

    @property
    def aces(self) -> tuple[Ace, ...]:
        """The entries that match packets."""
        return tuple(entry for entry in self.entries if isinstance(entry, Ace))
