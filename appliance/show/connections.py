"""``show conn``: the connections of the kernel's table, their flags, and which of them are wanted.

A report is made for a run of the table's entries at a time: a full table has a million, and is never held at once.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Protocol

from appliance.config.config import Config, Timeouts
from appliance.config.topology import Ends, Topology
from appliance.flow import Endpoint, Side
from appliance.nat.connection import Connection, State

_SECOND = 1_000_000_000  # ns


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A connection, the end of lower security first; seconds since its last packet and its first, until it times
    out when idle, and octets of payload in both directions."""

    lower: Endpoint
    lower_mapped: Endpoint
    upper: Endpoint
    upper_mapped: Endpoint
    inbound: bool  # it was opened from the end of lower security
    state: str
    flags: str
    idle: int
    uptime: int
    timeout: int
    octets: int

    @property
    def initiator(self) -> Endpoint:
        """The end that opened it."""
        return self.lower if self.inbound else self.upper

    @property
    def responder(self) -> Endpoint:
        """The other one."""
        return self.upper if self.inbound else self.lower


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

    def takes_ends(self, ends: Ends) -> bool:
        """Whether one between `ends` may be meant: of most, nothing else need be looked at."""

    def takes(self, report: ConnectionReport) -> bool:
        """Whether `report` is of one whose ends are taken, and that is meant."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `show conn` and `clear conn` are asked for: each address and port is one of an end's, real or mapped, and
    the connection is in one of the states. Nothing of a kind is anything of it."""

    addresses: tuple[AddressRange, ...] = ()
    ports: tuple[PortRange, ...] = ()
    states: tuple[Progress, ...] = ()
    tcp: bool = True

    def takes_ends(self, ends: Ends) -> bool:
        """Whether a wanted connection may be between `ends`."""
        every = (ends.client, ends.server, ends.client_mapped, ends.server_mapped)
        return (
            self.tcp
            and all(each.holds(every) for each in self.addresses)
            and all(each.holds(every) for each in self.ports)
        )

    def takes(self, report: ConnectionReport) -> bool:
        """Whether `report` is of a connection that is so far."""
        if report.state == _DEAD:
            return Progress.DEAD in self.states
        return not self.states or any(_FLAGS.get(each, set()) & set(report.flags) for each in self.states)


_DEAD = State.DEAD.name.lower()

#: States of entries that are no connection any more, or not yet (design §2).
_HIDDEN = frozenset({State.CLOSED, State.WAITING})


class Reporter:
    """Makes reports of connections under one configuration; times are counted to `now`, the kernel's clock in ns."""

    def __init__(self, config: Config) -> None:
        self._topology = Topology(config)
        self._timeouts = config.timeouts

    def wanted(
        self, connections: Iterable[Connection], wanted: Choice, now: int
    ) -> Iterator[tuple[Connection, ConnectionReport]]:
        """The connections that are wanted, each with its report."""
        for each in connections:
            if each.state in _HIDDEN:
                continue
            ends = self._topology.ends(each)
            if not wanted.takes_ends(ends):
                continue
            report = self._report(each, ends, now)
            if wanted.takes(report):
                yield each, report

    def report(self, connection: Connection, now: int) -> ConnectionReport:
        """The report of a connection."""
        return self._report(connection, self._topology.ends(connection), now)

    def _report(self, connection: Connection, ends: Ends, now: int) -> ConnectionReport:
        return ConnectionReport(
            ends.lower,
            ends.lower_mapped,
            ends.upper,
            ends.upper_mapped,
            ends.inbound,
            connection.state.name.lower().replace("_", "-"),
            flags(connection, ends.inbound),
            max(0, now - connection.last) // _SECOND,
            max(0, now - connection.started) // _SECOND,
            connection.lifetime or _timeout(connection, self._timeouts),
            connection.octets,
        )


def flags(connection: Connection, inbound: bool) -> str:
    """ASA's letters for a connection's progress: ``SaAB`` → ``aB`` → ``UB`` → ``UIOB`` (asa.md §3.5).

    Small letters are of the inside, capital ones of the outside, but for ``a``/``s``, which wait for the outside.
    ``M`` is mail that is inspected, and no TLS; what inspection has closed was inspected.
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
        ("M", connection.state is State.DEAD or (connection.inspected and not connection.bypass)),
    )
    return "".join(letter for letter, holds in letters if holds)


def _timeout(connection: Connection, timeouts: Timeouts) -> int:
    """Seconds of silence that end a connection in this state."""
    if connection.embryonic:
        return timeouts.embryonic
    return timeouts.conn if connection.state is State.ESTABLISHED else timeouts.half_closed
