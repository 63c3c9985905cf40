"""The books on connections: the kernel's events as records, how many there were at most, and what has expired.

What the kernel's table ended by the clock, connection tracking may still know, and a late packet must not bring it
back uncounted: such entries are taken out of it too, so many at a time. So is what SYNPROXY began for a client in
vain, which is reset.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from appliance import show
from appliance.config.config import Config, TcpInterceptStatistics
from appliance.daemon import clock
from appliance.daemon.records import ConnectionRecords
from appliance.daemon.sinks import Sinks
from appliance.kernel import conntrack
from appliance.kernel.bpf import EVENTS, ConnectionTable
from appliance.kernel.bpf_entries import CHUNK
from appliance.kernel.errors import KernelError
from appliance.kernel.reset import Resetter
from appliance.nat.attacks import Attack, Attacks
from appliance.nat.connection import (
    Built,
    Connection,
    Ending,
    Expired,
    Key,
    Obstructed,
    Refused,
    Stranded,
    TornDown,
    Unanswered,
)
from appliance.nat.static import Static
from appliance.syslog import AverageRateExceeded, BurstRateExceeded, ClassTableFull, EventsLost, Record, TableFull

#: Endings of which connection tracking has not seen the packets.
_BY_CLOCK = (Ending.SYN_TIMEOUT, Ending.FIN_TIMEOUT, Ending.IDLE_TIMEOUT)
#: Entries of connection tracking taken out at a turn, and how many may wait for it.
_AT_A_TURN = 1_024
_WAITING = 65_536
#: Looks of a sweep at a turn: all the daemon's other work waits for one, and what it ends is heard of at once.
_LOOKS = EVENTS // CHUNK


class Books:
    """Keeps them for one table; `over` is called with the connections that have ended, at each turn."""

    def __init__(
        self,
        config: Config,
        table: ConnectionTable,
        sinks: Sinks,
        resetter: Resetter,
        over: Callable[[Iterable[TornDown]], None],
    ) -> None:
        self._over = over
        self._table = table
        self._sinks = sinks
        self._resetter = resetter
        self._records = ConnectionRecords(config)
        self._lost = 0
        self._full = self._full_shares = 0
        self._astray = True  # what is in use is not known: from before us, or because events were lost
        self._stale: deque[Key] = deque(maxlen=_WAITING)
        self._sweep: Iterator[int] | None = None  # that is under way
        #: Connections, what is DEAD not among them; and how many there were at once, at most, since the start.
        self.in_use = self.most_used = 0
        self.translations = self._records.translations
        self._statistics: TcpInterceptStatistics | None = None
        self._attacks: Attacks | None = None
        self.configure(config)

    def configure(self, config: Config) -> None:
        """From now on `config` says what is translated, and where an address is."""
        self._records.configure(config)
        self._translate(config.all_statics, show.standing(config))
        if config.tcp_intercept != self._statistics:
            self._statistics = config.tcp_intercept
            self._attacks = _attacks(config.tcp_intercept)
        self._count_attacks()  # from here on: what a static had until now is of no attack

    def close(self) -> None:
        """Nothing is translated any more."""
        self._translate((), 0)

    def _translate(self, statics: Sequence[Static], standing: int) -> None:
        for record in self.translations.configure(statics, standing, clock.monotonic()):
            self._sinks.write(record)

    def fetch(self) -> None:
        """Turn what has happened into records."""
        events = self._table.events()
        records: list[Record] = []
        for event in events:
            if isinstance(event, Stranded):
                self._resetter.turn_away(event)
                self._stale.appendleft(event.key)  # before it can come again
                continue
            if isinstance(event, Unanswered):
                self._resetter.ask_again(event)
                continue
            if isinstance(event, Obstructed):
                self._resetter.clear_the_way(event)
                continue
            if isinstance(event, Refused) and self._attacks is not None:
                self._attacks.hear(event)
            if isinstance(event, Expired):
                self._resetter.end(event)
                continue
            records += self._records.records(event)
            if isinstance(event, Built):
                self.translations.used(event.key, event.time)
                self.in_use += 1
                self.most_used = max(self.most_used, self.in_use)
            elif isinstance(event, TornDown):
                self.in_use -= 1
                if event.ending in _BY_CLOCK:
                    self._stale.append(event.key)
        self._sinks.write(*records)
        self._over(each for each in events if isinstance(each, TornDown))
        if self._astray and len(events) < EVENTS:  # else some of what was counted would be heard of once more
            self._recount()
        stale = [self._stale.popleft() for _ in range(min(len(self._stale), _AT_A_TURN))]
        if stale:
            with contextlib.suppress(KernelError):  # the kernel is short of memory: conntrack's own timer is left
                conntrack.delete(stale)

    @property
    def hosts(self) -> dict[str, tuple[int, int]]:
        """By interface how many hosts have connections, and how many had at once at most."""
        return self._records.hosts.counts()

    def sweep(self) -> None:
        """Begin to end what has expired, unless that is under way still; and set right what lost events made wrong."""
        self._sweep = self._sweep or self._table.sweeping()
        lost = self._table.lost_events()
        if lost > self._lost:
            self._sinks.write(EventsLost(lost - self._lost))
            self._lost = lost
            self._astray = True
        full = self._table.refused_full()
        if full > self._full:
            self._sinks.write(TableFull(full - self._full))
            self._full = full
        shares = self._table.refused_shares()
        if shares > self._full_shares:
            self._sinks.write(ClassTableFull(shares - self._full_shares))
            self._full_shares = shares
        self._count_attacks()

    def sweep_on(self) -> None:
        """End some of what has expired: one turn of the sweep that is under way."""
        if self._sweep is None:
            return
        if len(list(itertools.islice(self._sweep, _LOOKS))) < _LOOKS:
            self._sweep = None
        self._stale.extend(self._table.unheard())

    @property
    def attacks(self) -> tuple[Attack, ...]:
        """The servers whose SYNs TCP Intercept answered, if that is counted."""
        return self._attacks.attacks() if self._attacks is not None else ()

    def _count_attacks(self) -> None:
        if self._attacks is None:
            return
        for flood in self._attacks.count(self._table.intercepted(), clock.monotonic()):
            server, kind = flood.server, BurstRateExceeded if flood.burst else AverageRateExceeded
            self._sinks.write(kind(server.mapped, server.real, server.port, flood.rate, flood.threshold))

    def _recount(self) -> None:
        """Set right by the table what events tell."""
        self._astray = False
        self.in_use = 0
        self._records.recount(self._connections())
        self.most_used = max(self.most_used, self.in_use)

    def _connections(self) -> Iterator[Connection]:
        """What the table holds and is in use; counted on the way."""
        for some in self._table.walk():
            for each in some:
                if each.in_use:
                    self.in_use += 1
                    yield each


def _attacks(statistics: TcpInterceptStatistics | None) -> Attacks | None:
    if statistics is None:
        return None
    window = statistics.rate_interval * 60
    return Attacks(window, statistics.burst_rate, statistics.average_rate, clock.monotonic())
