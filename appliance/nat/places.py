"""Which places a connection takes, and whether there is one more: the model of bpf/places.h.

No count is kept. A place is taken by an entry that holds one, and a count is the entries' own recount. Source: design
rows 15 and 16, asa.md 5.3 and 5.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.nat.classes import LimitedClass
from appliance.nat.connection import Limit, State
from appliance.nat.machine import EMBRYONIC, Entry
from appliance.nat.static import End, Ends, Static

#: What an entry is found by: its two ends, real addresses, in no order.
Tuple = frozenset[End]


@dataclass(frozen=True, slots=True)
class Charge:
    """What a SYN takes its places from: the static it calls, and in its class its server's and its client's."""

    static: Static | None
    limited: LimitedClass | None
    server: IPv4Address  # the real one
    client: IPv4Address


@dataclass(frozen=True, slots=True)
class Row:
    """One limit of a connection: which, whose it is, the places taken, and how many there are."""

    which: Limit
    whose: Ends | str
    count: int
    limit: int

    @property
    def reached(self) -> bool:
        """There is no room for one more; 0 is no limit."""
        return bool(self.limit and self.count >= self.limit)


class Places:
    """The places that `entries` hold."""

    def __init__(self, entries: Mapping[Tuple, Entry]) -> None:
        self._entries = entries

    def total(self, static: Ends) -> int:
        """Places taken at a static; DEAD connections hold theirs, WAITING ones have none."""
        return sum(each.static == static for each in self._holders())

    def embryonic(self, static: Ends) -> int:
        """Half-open connections at a static."""
        return sum(each.static == static and each.state in EMBRYONIC for each in self._holders())

    def to_server(self, limited: LimitedClass, server: IPv4Address) -> tuple[int, int]:
        """Connections of a class to the real address `server`, and half-open ones."""
        return _both(each for each in self._of(limited) if each.server[0] == server)

    def from_client(self, limited: LimitedClass, client: IPv4Address) -> tuple[int, int]:
        """Connections of a class that are counted among those from `client`, and half-open ones."""
        return _both(each for each in self._of(limited) if each.per_client and each.key.client == client)

    def reached(self, charge: Charge, *, half_open: bool = True) -> Row | None:
        """The limit that has no room for one more; those of all connections are asked first."""
        rows = sorted(self._rows(charge), key=lambda row: row.which.half_open)
        return next((row for row in rows if row.reached and (half_open or not row.which.half_open)), None)

    def full(self, charge: Charge) -> bool:
        """Whether a cookie that comes back now would find no place."""
        return any(row.reached for row in self._rows(charge) if not row.which.half_open)

    def _rows(self, charge: Charge) -> Iterator[Row]:
        own = charge.static is not None and charge.static.own
        rows = (*self._of_static(charge.static), *self._of_class(charge))
        return (row for row in rows if not (own and row.which.half_open))

    def _of_static(self, static: Static | None) -> Iterator[Row]:
        if static is not None:
            whose = static.ends
            yield Row(Limit.MAX_CONNS, whose, self.total(whose), static.max_conns)
            yield Row(Limit.EMBRYONIC, whose, self.embryonic(whose), static.max_embryonic)

    def _of_class(self, charge: Charge) -> Iterator[Row]:
        limited = charge.limited
        if limited is not None:
            total, embryonic = self.to_server(limited, charge.server)
            yield Row(Limit.MAX_CONNS, limited.identity, total, limited.max_conns)
            yield Row(Limit.EMBRYONIC, limited.identity, embryonic, limited.max_embryonic)
            total, embryonic = self.from_client(limited, charge.client)
            yield Row(Limit.CLIENT_MAX, limited.identity, total, limited.client_max)
            yield Row(Limit.CLIENT_EMBRYONIC, limited.identity, embryonic, limited.client_embryonic)

    def _holders(self) -> Iterator[Entry]:
        return (each for each in self._entries.values() if each.state is not State.WAITING)

    def _of(self, limited: LimitedClass) -> Iterator[Entry]:
        return (each for each in self._holders() if each.limited and each.limited.identity == limited.identity)


def _both(entries: Iterable[Entry]) -> tuple[int, int]:
    found = list(entries)
    return len(found), sum(each.state in EMBRYONIC for each in found)
