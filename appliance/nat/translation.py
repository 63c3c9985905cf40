"""A rule of address translation, whichever statement it was written as: the first that fits a connection translates it.

Real addresses are behind the real interface; behind the mapped one a host is known by its mapped address. A *static*
rule holds for connections opened from either side, a *dynamic* one for those opened from the real side alone.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network


class Kind(enum.Enum):
    """What is done where a rule fits."""

    STATIC = "static"
    DYNAMIC = "dynamic"
    NONE = "none"  # identity: the address stays, and no later rule is asked


@dataclass(frozen=True, slots=True)
class PortMap:
    """``tcp 25 2525``: of one port alone; its number on the real side and on the mapped one."""

    protocol: str
    real: int
    mapped: int


@dataclass(frozen=True, slots=True)
class Pool:
    """The addresses of a dynamic rule, first to last."""

    first: IPv4Address
    last: IPv4Address

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


@dataclass(frozen=True, slots=True)
class Far:
    """The other end, where a rule asks for it: as the real side addresses it (`mapped`), and where it is (`real`); of
    one protocol alone, and of its ports from the first to the last, where these are said."""

    mapped: IPv4Network
    real: IPv4Network
    protocol: str = ""
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """One rule. An interface None is any. `mapped` is as large as `real` (STATIC), the real one (NONE), or a `Pool`."""

    kind: Kind
    real_interface: str | None
    mapped_interface: str | None
    real: IPv4Network
    mapped: IPv4Network | Pool
    ports: PortMap | None = None
    far: Far | None = None
    one_way: bool = False  # STATIC for connections opened from the real side alone
    proxy_arp: bool = True
    max_conns: int = 0
    max_embryonic: int = 0
    line: int = field(default=0, compare=False)

    @property
    def whole(self) -> bool:
        """Whether it is of whole hosts, whoever is at the other end: limits are for such."""
        return self.kind is not Kind.DYNAMIC and self.ports is None and self.far is None and not self.one_way
