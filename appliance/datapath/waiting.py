"""The packets of all connections that wait: behind a gap, or for a decision.

They are the queue's packets and hold places in it, so they are bounded for the whole worker: beyond the bound the
connection that holds most loses its oldest (design §2). Twenty attackers with 256 packets each only evict each other.
"""

from __future__ import annotations

from collections.abc import MutableSequence

from appliance.datapath.counters import EARLY, EVICTED, EXPIRED, NO_ROOM, RETRANSMITTED, UNDECIDED, WAITED
from appliance.datapath.inspected import Inspected
from appliance.datapath.outcome import Outcome
from appliance.flow import Side
from appliance.tcp.connection import MAX_WAIT
from appliance.tcp.stream import Parcel, Stream

#: Packets of all connections that may wait (design §2; the queue is 8,192 long).
MAX_WAITING = 2_048


class WaitingRoom:
    """Who waits. `due` is when the clock has something to do here (ns): it may be early, never late."""

    def __init__(self, outcome: Outcome, count: MutableSequence[int]) -> None:
        self._outcome = outcome
        self._count = count
        self._connections: dict[Inspected, None] = {}
        self._packets = 0
        self.due: int | None = None

    def __len__(self) -> int:
        return self._packets

    @property
    def connections(self) -> list[Inspected]:
        """The connections with packets that wait."""
        return list(self._connections)

    def hold_early(self, connection: Inspected, side: Side, parcel: Parcel) -> None:
        """A packet is beyond a gap: it waits, if there is room for it and anything new in it."""
        if connection.hold(side, parcel):
            self._enter(connection, parcel, EARLY)
        else:
            self._outcome.drop(parcel.handle, NO_ROOM if connection.stream(side).lacks(parcel) else RETRANSMITTED)

    def hold_undecided(self, connection: Inspected, side: Side, parcel: Parcel) -> None:
        """A packet's octets have been read and are not decided: it waits."""
        connection.hold_undecided(side, parcel)
        self._enter(connection, parcel, UNDECIDED)

    def take_ready(self, connection: Inspected, stream: Stream) -> Parcel | None:
        """The next packet of `stream` behind a gap that is filled."""
        return self._leave(connection, connection.take_ready(stream))

    def take_decided(self, connection: Inspected, stream: Stream) -> Parcel | None:
        """The next packet of `stream` that has been decided."""
        return self._leave(connection, connection.take_decided(stream))

    def take_oldest(self, connection: Inspected) -> Parcel | None:
        """The packet of the connection that has waited longest."""
        return self._leave(connection, connection.take_oldest())

    def expire(self, connection: Inspected, now: int) -> None:
        """Packets that have waited too long are dropped: octets nobody read never pass."""
        while (parcel := self._leave(connection, connection.take_expired(now))) is not None:
            self._outcome.drop(parcel.handle, EXPIRED)

    def look_ahead(self) -> None:
        """Find out when the clock has something to do."""
        self.due = min((each.due() for each in self._connections), default=None)

    def _enter(self, connection: Inspected, parcel: Parcel, counter: int) -> None:
        self._count[counter] += 1
        self._connections[connection] = None
        self._packets += 1
        due = parcel.arrived + MAX_WAIT if connection.stalls is None else connection.stalls
        if self.due is None or due < self.due:
            self.due = due
        if self._packets > MAX_WAITING:
            most = max(self._connections, key=lambda each: each.waiting)
            oldest = self.take_oldest(most)
            if oldest is not None:
                self._outcome.drop(oldest.handle, EVICTED)

    def _leave(self, connection: Inspected, parcel: Parcel | None) -> Parcel | None:
        if parcel is not None:
            self._outcome.owe(parcel.handle)
            self._packets -= 1
            self._count[WAITED] += 1
            if not connection.waiting:
                del self._connections[connection]
        return parcel
