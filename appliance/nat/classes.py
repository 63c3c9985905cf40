"""The classes whose connections `set connection` limits, and what they match, as values (asa.md §5.3, §6.2).

A class is decided once, on a connection's first packet and real addresses, by a list of rules tried in turn: the first
that a packet meets says the class. The kernel's program walks the same list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from appliance.nat.connection import State
from appliance.nat.static import UNLIMITED, Static

#: Lines of what the classes match, at most: the kernel's program walks them for a connection's first packet.
RULES = 256


@dataclass(frozen=True, slots=True)
class LimitedClass:
    """A class with limits: `max_conns` and `max_embryonic` to each server, the others of each client; 0 is unlimited.

    `lifetimes` are the seconds an entry lives in a state where the class says other than ``timeout``.
    """

    policy: str
    interface: str | None  # None: the global policy
    name: str
    max_conns: int = UNLIMITED
    max_embryonic: int = UNLIMITED
    client_max: int = UNLIMITED
    client_embryonic: int = UNLIMITED
    lifetimes: Mapping[State, int] = field(default_factory=dict, hash=False)
    resets: bool = False  # both ends of a connection that was idle for too long

    @property
    def identity(self) -> str:
        """What it is known by, whatever its limits become."""
        return f"{self.policy}/{self.interface or ''}/{self.name}"

    @property
    def per_client(self) -> bool:
        """Its clients' connections are counted."""
        return bool(self.client_max or self.client_embryonic)

    @property
    def intercepts(self) -> bool:
        """It has a limit of half-open connections."""
        return bool(self.max_embryonic or self.client_embryonic)


@dataclass(frozen=True, slots=True)
class Opening:
    """A connection's first packet on real addresses, and the interfaces it crosses."""

    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int
    interfaces: frozenset[str]


@dataclass(frozen=True, slots=True)
class PortSpan:
    """The ports from `low` to `high`, or all but these."""

    low: int = 0
    high: int = 65535
    but: bool = False

    def holds(self, port: int) -> bool:
        """Whether `port` is one of them."""
        return (self.low <= port <= self.high) != self.but


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of what the classes match. Met, it says `limited`, or sends the search on to rule `otherwise`."""

    source: IPv4Network
    source_ports: PortSpan
    destination: IPv4Network
    destination_ports: PortSpan
    interface: str | None  # of an interface's policy; None is the global one
    limited: LimitedClass | None  # None: this line denies
    otherwise: int = 0

    def meets(self, packet: Opening) -> bool:
        """Whether the first packet of a connection is what this line speaks of."""
        return (
            (self.interface is None or self.interface in packet.interfaces)
            and packet.source in self.source
            and packet.destination in self.destination
            and self.source_ports.holds(packet.source_port)
            and self.destination_ports.holds(packet.destination_port)
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that limits connections: the statics, and the classes with the rules that lead to them.

    `choosing` are the interfaces from which connections come that are translated as no static says: their client (a
    pool, PAT), or their server for some alone (policy NAT). `ways` lead from an interface to one that is more secure:
    there a class's embryonic limits hold for hosts that are called by their own address, too.
    """

    statics: tuple[Static, ...] = ()
    classes: tuple[LimitedClass, ...] = ()
    rules: tuple[Rule, ...] = ()
    choosing: frozenset[str] = frozenset()
    ways: frozenset[tuple[str, str]] = frozenset()


def limited_class(rules: Sequence[Rule], packet: Opening) -> LimitedClass | None:
    """The class that limits a connection; None if none does. A line that denies leads only onwards."""
    at = 0
    while at < len(rules):
        rule = rules[at]
        if not rule.meets(packet):
            at += 1
        elif rule.limited is not None:
            return rule.limited
        else:
            at = rule.otherwise
    return None
