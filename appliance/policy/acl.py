"""Access lists as values: what a packet is compared with, in order, first match decides (asa.md §6.4).

An `Ace` is an entry as it is written; it may name objects and groups, and what it comes to is its `Element`s.
"""

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

    def holds(self, port: int) -> bool:
        """Whether `port` is one of them."""
        match self.operator:
            case "lt":
                return port < self.low
            case "gt":
                return port > self.low
            case "neq":
                return port != self.low
            case _:
                return self.low <= port <= self.high

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last of them; of ``neq`` the one that is not."""
        first = {"lt": 0, "gt": self.low + 1}.get(self.operator, self.low)
        last = {"lt": self.low - 1, "gt": 65535, "range": self.high}.get(self.operator, self.low)
        return first, last


@dataclass(frozen=True, slots=True)
class IcmpType:
    """``echo-reply``, ``unreachable 4``: a type, and a code where one is given."""

    type: int
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Named:
    """``object NAME``, ``object-group NAME``, ``interface NAMEIF``; ``any6``, which names nothing of IPv4."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


#: Where a packet comes from or goes to.
Endpoint = IPv4Network | Named


@dataclass(frozen=True, slots=True)
class Log:
    """``log [LEVEL] [interval SECONDS]``, ``log disable``, ``log default``: how an entry's hits are to be told."""

    keyword: str = ""  # disable default
    level: int | None = None
    interval: int | None = None

    @property
    def counted(self) -> bool:
        """Its hits are told by flow and interval (106100)."""
        return not self.keyword

    @property
    def severity(self) -> int:
        """At which they are told; informational where it is not said."""
        return 6 if self.level is None else self.level

    @property
    def seconds(self) -> int:
        """How long an interval is."""
        return 300 if self.interval is None else self.interval


@dataclass(frozen=True, slots=True)
class Ace:
    """One access control entry as it is written. `protocol` is ASA's word (ip tcp udp icmp …) or a number as text."""

    permit: bool
    protocol: str | Named
    source: Endpoint
    source_ports: Ports | Named | None
    destination: Endpoint
    destination_ports: Ports | Named | None
    line: int = field(default=0, compare=False)  # of the rule file, for errors
    icmp: IcmpType | Named | None = None
    log: Log | None = None
    inactive: bool = False
    time_range: str = ""


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


@dataclass(frozen=True, slots=True)
class Element:
    """An entry with nothing named any more: addresses and ports alone."""

    permit: bool
    protocol: str
    source: IPv4Network
    source_ports: Ports | None
    destination: IPv4Network
    destination_ports: Ports | None
    icmp: IcmpType | None = None
