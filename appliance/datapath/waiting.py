"""The packets of all connections that wait: behind a gap, or for a decision.

They are the queue's packets and hold places in it, so they are bounded for the whole worker: beyond the bound the
connection that holds most loses the one whose turn comes last (decision 20). Attackers only evict each other.

Rule: no call costs more because more connections wait. All packets wait equally long, and so do all held lines: who is
due next stands first in the order of arrival. Who holds most is known by counting along (`Holders`).
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import MutableSequence

from appliance.datapath.counters import (
    EARLY,
    EVICTED,
    EXPIRED,
    NO_ROOM,
    OCTETS_RELEASED,
    RETRANSMITTED,
    UNDECIDED,
    WAITED,
)
from appliance.datapath.inspected import Inspected
from appliance.datapath.outcome import Outcome
from appliance.flow import Side
from appliance.tcp.connection import MAX_WAIT
from appliance.tcp.stream import Parcel, Stream

#: Packets of all connections that may wait (decision 20; the queue is 8,192 long).
MAX_WAITING = 4_096

#: Of so many packets of a connection its client is told at once, the last ones.
MAX_UNTOLD = 64


class Holders:
    """Connections by how many of their packets wait."""

    def __init__(self) -> None:
        self._by_count: defaultdict[int, OrderedDict[Inspected, None]] = defaultdict(OrderedDict)
        self._most = 0

    def recount(self, connection: Inspected, before: int) -> None:
        """`connection` held `before` packets, and now holds what it says."""
        if before:
            del self._by_count[before][connection]
        if connection.waiting:
            self._by_count[connection.waiting][connection] = None
        self._most = max(self._most, connection.waiting)
        while self._most and not self._by_count[self._most]:
            del self._by_count[self._most]
            self._most -= 1

    def first(self) -> Inspected:
        """One that holds as many as any; there must be one."""
        return next(iter(self._by_count[self._most]))


class WaitingRoom:
    """Who waits."""

    def __init__(self, outcome: Outcome, count: MutableSequence[int]) -> None:
        self._outcome = outcome
        self._count = count
        self._arrivals: OrderedDict[Parcel, tuple[Inspected, Stream]] = OrderedDict()  # oldest first
        self._stalls: OrderedDict[Inspected, int] = OrderedDict()  # when the clock decides (ns), soonest first
        self._holders = Holders()
        #: The connections whose clients do not know yet of the packets at these offsets, in the order they came
        self.untold: dict[Inspected, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._arrivals)

    @property
    def due(self) -> int | None:
        """When the clock has something to do here (ns)."""
        parcel, stall = next(iter(self._arrivals), None), next(iter(self._stalls.values()), None)
        expires = None if parcel is None else parcel.arrived + MAX_WAIT
        return min((each for each in (expires, stall) if each is not None), default=None)

    def hold_early(self, connection: Inspected, side: Side, parcel: Parcel) -> None:
        """A packet is beyond a gap: it waits, if there is room for it and anything new in it."""
        stream = connection.stream(side)
        if connection.hold(side, parcel):
            self._enter(connection, stream, parcel, EARLY)
        else:
            self._outcome.drop(parcel.handle, NO_ROOM if stream.lacks(parcel) else RETRANSMITTED)

    def hold_undecided(self, connection: Inspected, side: Side, parcel: Parcel) -> None:
        """A packet's octets have been read and are not decided: it waits."""
        connection.hold_undecided(side, parcel)
        self._enter(connection, connection.stream(side), parcel, UNDECIDED)

    def is_untold(self, connection: Inspected, offset: int) -> None:
        """The client does not know yet that what it sent at `offset` waits."""
        if connection not in self.untold:
            self.untold[connection] = deque(maxlen=MAX_UNTOLD)
        self.untold[connection].append(offset)

    def take_ready(self, connection: Inspected, stream: Stream) -> Parcel | None:
        """The next packet of `stream` behind a gap that is filled."""
        parcel = connection.take_ready(stream)
        if parcel is not None:
            self._leave(connection, parcel)
        return parcel

    def decide(self, connection: Inspected, stream: Stream, offset: int) -> None:
        """What is before `offset` may go on, and with it the packets that waited for it."""
        self._count[OCTETS_RELEASED] += offset - stream.decided
        stream.decided = offset
        while stream.undecided and (parcel := connection.take_decided(stream)) is not None:
            self._leave(connection, parcel)
            self._outcome.go(parcel.handle, stream.released(parcel.segment, parcel.start, parcel.end))

    def take_all(self, connection: Inspected) -> list[Parcel]:
        """Every packet of the connection that waits."""
        if not connection.waiting:
            return []
        before, parcels = connection.waiting, connection.take_all()
        for each in parcels:
            self._outcome.owe(each.handle)
            del self._arrivals[each]
        self._count[WAITED] += before
        self._holders.recount(connection, before)
        self.untold.pop(connection, None)
        return parcels

    def expire(self, now: int) -> None:
        """Packets that have waited too long are dropped: octets nobody read never pass."""
        while (oldest := next(iter(self._arrivals), None)) is not None and oldest.arrived + MAX_WAIT <= now:
            self._give_up(oldest, EXPIRED)

    def stall(self, connection: Inspected, until: int) -> None:
        """If no more comes of what the connection has undecided, the clock decides it at `until` (ns)."""
        self._stalls.pop(connection, None)
        self._stalls[connection] = until

    def no_stall(self, connection: Inspected) -> None:
        """The connection has nothing undecided."""
        self._stalls.pop(connection, None)

    def take_stalled(self, now: int) -> Inspected | None:
        """The next connection whose undecided octets are for the clock to decide."""
        connection = next(iter(self._stalls), None)
        if connection is None or self._stalls[connection] > now:
            return None
        del self._stalls[connection]
        return connection

    def _enter(self, connection: Inspected, stream: Stream, parcel: Parcel, counter: int) -> None:
        self._count[counter] += 1
        self._arrivals[parcel] = connection, stream
        self._holders.recount(connection, connection.waiting - 1)
        if len(self._arrivals) > MAX_WAITING:
            self._give_up(self._holders.first().last_waiting(), EVICTED)

    def _give_up(self, parcel: Parcel, why: int) -> None:
        connection, stream = self._arrivals[parcel]
        connection.take(stream, parcel)
        self._leave(connection, parcel)
        self._outcome.drop(parcel.handle, why)
        connection.straighten()

    def _leave(self, connection: Inspected, parcel: Parcel) -> None:
        """It does not wait any more, and is in hand."""
        del self._arrivals[parcel]
        self._holders.recount(connection, connection.waiting + 1)
        if not connection.waiting:
            self.untold.pop(connection, None)
        self._outcome.owe(parcel.handle)
        self._count[WAITED] += 1
