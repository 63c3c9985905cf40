"""SYN-ACKs of other numbers on connections that are open here: perhaps of another connection on the tuple.

Ends in their turn stay in the kernel, which tells of them within 50 ms (decision 14). Who uses the tuple again before
that comes upon its predecessor. Whether the SYN-ACK is a connection's or a lie is known when the end is told: it waits
for that, one of a connection, and not long. It is dropped otherwise, and a server that means it says it again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from appliance.datapath.inspected import Inspected
from appliance.tcp.segment import Segment

#: How long one waits (ns): four times as long as the kernel's table may take to tell of an end.
PATIENCE = 200_000_000
#: How many may wait, each a packet of the queue; beyond, none does.
LIMIT = 256

#: A packet as it came: its handle, what it is, its mark, the interfaces it came and goes by.
Arrival = tuple[Any, Segment, int, int, int]


class Successors:
    """By the connection that has its tuple: what waits, and until when (ns), soonest first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: OrderedDict[Inspected, tuple[int, Arrival]] = OrderedDict()

    @property
    def due(self) -> int | None:
        """When the first of them has waited long enough (ns)."""
        return next((until for until, _ in self._waiting.values()), None)

    def hold(self, connection: Inspected, arrival: Arrival, now: int) -> bool:
        """Let it wait for the connection's end; False if there is no room for it."""
        if connection in self._waiting or len(self._waiting) >= LIMIT:
            return False
        self._waiting[connection] = now + PATIENCE, arrival
        return True

    def take(self, connection: Inspected) -> Arrival | None:
        """What waited for the end of this one."""
        return self._waiting.pop(connection, (0, None))[1]

    def take_late(self, now: int) -> Arrival | None:
        """The next that has waited long enough."""
        due = self.due
        return None if due is None or due > now else self._waiting.popitem(last=False)[1][1]
