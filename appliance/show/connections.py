"""``show conn``: the connections of the kernel's table, their flags, and which of them are wanted.

A report is made for a run of the table's entries at a time: a full table has a million, and is never held at once.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from appliance.config.config import Config, Timeouts
from appliance.config.topology import Topology
from appliance.flow import Endpoint, Side
from appliance.nat.connection import Connection, Key, State

_SECOND = 1_000_000_000  # ns


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A connection, the end of lower security first; seconds since its last packet and its first, until it times
    out when idle, and octets of payload in both directions."""

    lower: Endpoint
    lower_mapped: Endpoint
    upper: Endpoint
    upper_mapped: Endpoint
    initiator: Endpoint
    responder: Endpoint
    state: str
    flags: str
    idle: int
    uptime: int
    timeout: int
    octets: int


@dataclass(frozen=True, slots=True)
class ConnectionsReport:
    """``show conn``: how many there are, how many there were at most, and which (none for ``count``)."""

    in_use: int
    most_used: int
    connections: tuple[ConnectionReport, ...]


@dataclass(frozen=True, slots=True)
class ClearedReport:
    """``clear conn`` and the like: how many connections there were."""

    connections: int


# --- which are wanted -------------------------------------------------------------------------------------------


class Progress(enum.Enum):
    """``show conn state …``: ASA's words for how far a connection is; the last one is ours (row 14)."""

    UP = "up"
    INBOUND = "conn_inbound"
    DATA_IN = "data_in"
    DATA_OUT = "data_out"
    FIN_IN = "finin"
    FIN_OUT = "finout"
    SMTP_DATA = "smtp_data"
    EMBRYONIC = "tcp_embryonic"
    DEAD = "dead"


#: The flags of which one says that a connection is that far.
_FLAGS = {
    Progress.UP: {"U"},
    Progress.INBOUND: {"B"},
    Progress.DATA_IN: {"I"},
    Progress.DATA_OUT: {"O"},
    Progress.FIN_IN: {"F"},
    Progress.FIN_OUT: {"f"},
    Progress.SMTP_DATA: {"M"},
    Progress.EMBRYONIC: {"A", "a"},
}


@dataclass(frozen=True, slots=True)
class AddressRange:
    """``address A[-B]``, both included."""

    first: IPv4Address
    last: IPv4Address

    def holds(self, ends: Iterable[Endpoint]) -> bool:
        """Whether one of `ends` is in it."""
        return any(self.first <= each.address <= self.last for each in ends)


@dataclass(frozen=True, slots=True)
class PortRange:
    """``port P[-Q]``, both included."""

    first: int
    last: int

    def holds(self, ends: Iterable[Endpoint]) -> bool:
        """Whether one of `ends` is in it."""
        return any(self.first <= each.port <= self.last for each in ends)


class Choice(Protocol):
    """Says which connections are meant."""

    def takes(self, report: ConnectionReport) -> bool:
        """Whether `report` is of one of them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `show conn` and `clear conn` are asked for: each address and port is one of an end's, real or mapped, and
    the connection is in one of the states. Nothing of a kind is anything of it."""

    addresses: tuple[AddressRange, ...] = ()
    ports: tuple[PortRange, ...] = ()
    states: tuple[Progress, ...] = ()
    tcp: bool = True

    def takes(self, report: ConnectionReport) -> bool:
        """Whether `report` is of a wanted connection."""
        ends = (report.lower, report.upper, report.lower_mapped, report.upper_mapped)
        return (
            self.tcp
            and self._is_so_far(report)
            and all(each.holds(ends) for each in self.addresses)
            and all(each.holds(ends) for each in self.ports)
        )

    def _is_so_far(self, report: ConnectionReport) -> bool:
        if report.state == _DEAD:
            return Progress.DEAD in self.states
        return not self.states or any(_FLAGS.get(each, set()) & set(report.flags) for each in self.states)


_DEAD = State.DEAD.name.lower()

#: States of entries that are no connection any more, or not yet (design §2).
_HIDDEN = frozenset({State.CLOSED, State.WAITING})


class Reporter:
    """Makes reports of connections under one configuration; times are counted to `now`, the kernel's clock in ns."""

    def __init__(self, config: Config, now: int) -> None:
        self._topology = Topology(config)
        self._timeouts = config.timeouts
        self._now = now

    def wanted(
        self, connections: Iterable[Connection], wanted: Choice, inspected: Collection[Key] = ()
    ) -> list[tuple[Connection, ConnectionReport]]:
        """The connections that are wanted, each with its report; which are in a class that inspects is `inspected`."""
        shown = (each for each in connections if each.state not in _HIDDEN)
        pairs = ((each, self.report(each, each.key in inspected)) for each in shown)
        return [pair for pair in pairs if wanted.takes(pair[1])]

    def report(self, connection: Connection, inspected: bool = False) -> ConnectionReport:
        """The report of a connection. What inspection has closed was inspected."""
        ends = self._topology.ends(connection)
        return ConnectionReport(
            ends.lower,
            ends.lower_mapped,
            ends.upper,
            ends.upper_mapped,
            ends.client,
            ends.server,
            connection.state.name.lower().replace("_", "-"),
            flags(connection, ends.inbound, connection.state is State.DEAD or (inspected and not connection.bypass)),
            max(0, self._now - connection.last) // _SECOND,
            max(0, self._now - connection.started) // _SECOND,
            connection.lifetime or _timeout(connection, self._timeouts),
            connection.octets,
        )


def flags(connection: Connection, inbound: bool, inspected: bool = False) -> str:
    """ASA's letters for a connection's progress: ``SaAB`` → ``aB`` → ``UB`` → ``UIOB`` (asa.md §3.5).

    Small letters are of the inside, capital ones of the outside, but for ``a``/``s``, which wait for the outside.
    ``M`` is mail that is inspected, and no TLS.
    """
    opened = "B" if inbound else ""
    match connection.state:
        case State.SYN:
            return ("SaA" if inbound else "saA") + opened
        case State.SYN_ACK:
            return ("a" if inbound else "A") + opened
    outside = Side.CLIENT if inbound else Side.SERVER
    data_in = connection.from_client if inbound else connection.from_server
    data_out = connection.from_server if inbound else connection.from_client
    letters = (
        ("U", True),
        ("f", outside.peer in connection.fin),
        ("F", outside in connection.fin),
        ("r", outside.peer in connection.acknowledged),
        ("R", outside in connection.acknowledged),
        ("I", data_in),
        ("O", data_out),
        ("B", inbound),
        ("M", inspected),
    )
    return "".join(letter for letter, holds in letters if holds)


def _timeout(connection: Connection, timeouts: Timeouts) -> int:
    """Seconds of silence that end a connection in this state."""
    if connection.embryonic:
        return timeouts.embryonic
    return timeouts.conn if connection.state is State.ESTABLISHED else timeouts.half_closed
