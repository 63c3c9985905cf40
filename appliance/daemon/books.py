"""The books on connections: the kernel's events as records, how many there were at most, and what has expired.

What the kernel's table ended by the clock, connection tracking may still know, and a late packet must not bring it
back uncounted: such entries are taken out of it too, so many at a time, because each costs the loop most of a
millisecond. So is what SYNPROXY began for a client in vain, which is reset.
"""

from __future__ import annotations

import contextlib
from collections import deque

from appliance.config.config import Config
from appliance.daemon.records import ConnectionRecords
from appliance.daemon.sinks import Sinks
from appliance.kernel import conntrack
from appliance.kernel.bpf import EVENTS, ConnectionTable
from appliance.kernel.errors import KernelError
from appliance.kernel.reset import Resetter
from appliance.nat.connection import Built, Ending, Key, State, Stranded, TornDown
from appliance.syslog import EventsLost

#: Endings of which connection tracking has not seen the packets.
_BY_CLOCK = frozenset({Ending.SYN_TIMEOUT, Ending.FIN_TIMEOUT, Ending.IDLE_TIMEOUT})
#: States of entries that are not, or no longer, in use.
_NO_CONNECTION = frozenset({State.CLOSED, State.DEAD, State.WAITING})
#: Entries of connection tracking taken out at a turn, and how many may wait for it.
_AT_A_TURN = 16
_WAITING = 65_536


class Books:
    """Keeps them for one table."""

    def __init__(self, config: Config, table: ConnectionTable, sinks: Sinks, resetter: Resetter) -> None:
        self._table = table
        self._sinks = sinks
        self._resetter = resetter
        self._records = ConnectionRecords(config)
        self._lost = 0
        self._astray = False  # events were lost: the number in use is not known
        self._stale: deque[Key] = deque(maxlen=_WAITING)
        #: Connections, what is DEAD not among them; and how many there were at once, at most, since the start.
        self.in_use = self.most_used = self._counted()

    def fetch(self) -> None:
        """Turn what has happened into records."""
        events = self._table.events()
        for event in events:
            if isinstance(event, Stranded):
                self._resetter.turn_away(event)
                self._stale.appendleft(event.key)  # before it can come again
                continue
            self._sinks.write(self._records.record(event))
            self.in_use += isinstance(event, Built) - isinstance(event, TornDown)
            self.most_used = max(self.most_used, self.in_use)
            if isinstance(event, TornDown) and event.ending in _BY_CLOCK:
                self._stale.append(event.key)
        if self._astray and len(events) < EVENTS:  # else some of what was counted would be heard of once more
            self.in_use, self._astray = self._counted(), False
        for _ in range(min(len(self._stale), _AT_A_TURN)):
            key = self._stale.popleft()
            with contextlib.suppress(KernelError):  # it is gone, or the kernel is short of memory: its timer is left
                conntrack.delete(key.client, key.client_port, key.mapped, key.port)

    def sweep(self) -> None:
        """End what has expired, and set right what lost events made wrong."""
        self._table.sweep()
        lost = self._table.lost_events()
        if lost > self._lost:
            self._sinks.write(EventsLost(lost - self._lost))
            self._lost = lost
            self._astray = True

    def _counted(self) -> int:
        """How many connections the table holds."""
        return sum(each.state not in _NO_CONNECTION for some in self._table.walk() for each in some)
