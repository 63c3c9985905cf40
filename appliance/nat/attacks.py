"""``threat-detection statistics tcp-intercept``: how many SYNs to which servers TCP Intercept answered, over a window.

A window holds `SAMPLES` samples (asa.md §4.6). The kernel counts SYNs by static and tells once a second of one of
them; so what was counted meanwhile is put to the port, and the source, that it spoke of last. Servers that no static
stands for are counted as one: what was counted of these is put to the server, too, that it spoke of last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.nat.connection import Refused
from appliance.nat.static import End

#: Samples in a window.
SAMPLES = 30
#: Servers that are traced at most; the one that was attacked longest ago gives way.
TRACED = 1_000

_SECOND = 1_000_000_000  # ns


@dataclass(frozen=True, slots=True)
class Server:
    """An address and port, behind a static or its own."""

    mapped: IPv4Address
    real: IPv4Address
    port: int


@dataclass(frozen=True, slots=True)
class Attack:
    """A server under attack: SYNs a second over the window and in its last sample, SYNs in the window, who sent the
    latest of those told of and when (ns), whether others did too, and the samples, the latest first."""

    server: Server
    average: int
    current: int
    total: int
    source: IPv4Address
    various: bool
    last: int
    history: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Flood:
    """A threshold was exceeded: of the last sample (`burst`) or of the window, in SYNs a second."""

    server: Server
    burst: bool
    rate: int
    threshold: int


class _Trace:
    def __init__(self, source: IPv4Address, now: int) -> None:
        self.source = source
        self.various = False
        self.last = now
        self.since_sample = 0
        self.samples: deque[int] = deque([0] * SAMPLES, SAMPLES)

    @property
    def total(self) -> int:
        return sum(self.samples) + self.since_sample


class Attacks:
    """Traces servers. Times are the kernel's clock in ns."""

    def __init__(self, window: int, burst: int, average: int, now: int) -> None:
        """`window` in seconds, the thresholds in SYNs a second."""
        self._window = window
        self._burst, self._average = burst, average
        self._period = window * _SECOND // SAMPLES
        self._due = now + self._period
        self._counted: dict[End | None, int] = {}  # None: of those without a static
        self._latest: dict[End | None, Server] = {}
        self._traces: dict[Server, _Trace] = {}

    def hear(self, event: Refused) -> None:
        """The kernel tells of a SYN that was intercepted, as one of many."""
        if not event.which.half_open:
            return
        server = Server(event.key.mapped, event.real, event.key.port)
        trace = self._traces.pop(server, None) or _Trace(event.key.client, event.time)
        if len(self._traces) >= TRACED:
            del self._traces[next(iter(self._traces))]
        trace.various |= trace.source != event.key.client
        trace.source, trace.last = event.key.client, event.time
        self._traces[server] = trace  # the last one now
        names = (server.mapped, server.port), (server.mapped, 0)
        self._latest[next((name for name in names if name in self._counted), None)] = server

    def count(self, intercepted: Mapping[End | None, int], now: int) -> Iterator[Flood]:
        """How many SYNs to each static, by its name, and to servers without one (None) have been intercepted by now;
        what that exceeds, at a sample's end."""
        for name, count in intercepted.items():
            before = self._counted.setdefault(name, count)
            trace = self._traces.get(self._latest[name]) if name in self._latest else None
            if trace is not None:  # else the kernel will tell of one of them yet
                trace.since_sample += max(0, count - before)
                self._counted[name] = count
        while self._due <= now:
            self._due += self._period
            yield from self._sample()

    def attacks(self) -> tuple[Attack, ...]:
        """The servers under attack, the highest average first."""
        found = (
            Attack(
                server,
                trace.total // self._window,
                self._rate(trace),
                trace.total,
                trace.source,
                trace.various,
                trace.last,
                tuple(trace.samples),
            )
            for server, trace in self._traces.items()
            if trace.total
        )
        return tuple(sorted(found, key=lambda each: each.total, reverse=True))

    def _sample(self) -> Iterator[Flood]:
        for server, trace in tuple(self._traces.items()):
            trace.samples.appendleft(trace.since_sample)
            trace.since_sample = 0
            if not any(trace.samples):
                del self._traces[server]
                continue
            burst, average = self._rate(trace), trace.total // self._window
            if average > self._average:
                yield Flood(server, False, average, self._average)
            if burst > self._burst:
                yield Flood(server, True, burst, self._burst)

    def _rate(self, trace: _Trace) -> int:
        return trace.samples[0] * _SECOND // self._period
