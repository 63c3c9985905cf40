"""What operators ask, answered: reports of the configuration in force and of what the kernel and the workers count.

What goes through the whole table goes through it in parts, so that the loop turns between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import assert_never

from appliance import show
from appliance.config.config import Config
from appliance.control.protocol import (
    Answer,
    ClearConnections,
    ClearTranslations,
    Configure,
    Refusal,
    Reload,
    Request,
    ShowAccessLists,
    ShowAsp,
    ShowAttacks,
    ShowConnections,
    ShowLocalHosts,
    ShowLogging,
    ShowNat,
    ShowRunningConfig,
    ShowServicePolicy,
    ShowStartupConfig,
    ShowTranslations,
    TracePacket,
    WriteMemory,
)
from appliance.control.server import Answers
from appliance.daemon import clock
from appliance.daemon.books import Books
from appliance.daemon.configuration import Configuration
from appliance.daemon.hits import Hits
from appliance.datapath.snapshot import Snapshot
from appliance.iptables.trace import trace
from appliance.iptables.walk import Packet
from appliance.kernel import conntrack, netfilter
from appliance.kernel.bpf import ConnectionTable
from appliance.kernel.errors import KernelError
from appliance.marks import CLASS
from appliance.nat.connection import Connection


class Operators:
    """Answers them; `snapshot` is taken when it is asked for."""

    def __init__(
        self, configuration: Configuration, table: ConnectionTable, books: Books, snapshot: Callable[[], Snapshot]
    ) -> None:
        self._configuration = configuration
        self._table = table
        self._books = books
        self._snapshot = snapshot
        self._hits = Hits(netfilter.counters)

    def settle(self, config: Config) -> None:
        """The rules are about to become those of `config`."""
        self._hits.settle(config)

    @property
    def _config(self) -> Config:
        return self._configuration.running

    def answer(self, request: Request) -> Answers:
        """The answer to `request`; a refusal with its sentence where the kernel refuses."""
        try:
            found = self._answered(request)
        except KernelError as error:
            return Refusal(str(error))
        return _in_parts(found) if isinstance(found, Iterator) else found

    def _answered(self, request: Request) -> Answers:
        self._books.fetch()  # or what was seen to happen before the question may be missing
        match request:
            case ShowServicePolicy():
                return show.service_policy(self._config, self._snapshot())
            case ShowConnections(count_only=True):
                return self._part()
            case ShowConnections(wanted=wanted):
                return self._connections(wanted)
            case ShowLogging():
                return show.logging(self._config, self._snapshot())
            case ShowRunningConfig(everything=everything):
                return show.running_config(self._config, everything)
            case ShowLocalHosts():
                return show.local_hosts(self._config, self._snapshot())
            case ShowTranslations(wanted=wanted):
                return show.translations(self._config, self._snapshot(), wanted)
            case ShowNat():
                return show.nat(self._config, self._hits.translations())
            case ShowAccessLists(name=name):
                return self._access_lists(name)
            case ShowAttacks(everything=everything):
                off = Refusal("no threat-detection statistics tcp-intercept is configured")
                return show.attacks(self._config, self._snapshot(), everything) or off
            case ShowAsp():
                return show.asp(self._snapshot())
            case ClearConnections(wanted=wanted):
                return self._clear(wanted)
            case ClearTranslations(wanted=wanted):
                return self._clear(wanted)
            case TracePacket():
                return self._trace(request)
            case Reload():
                return self._configuration.reload()
            case Configure(lines=lines):
                return self._configuration.change(lines)
            case WriteMemory():
                return self._configuration.write()
            case ShowStartupConfig():
                return self._configuration.startup_report()
            case _:
                assert_never(request)

    def _access_lists(self, name: str | None) -> Answer:
        config = self._config
        if name is not None and config.access_list(name) is None:
            return Refusal(f"there is no access list {name}")
        return show.access_lists(config, self._hits.entries(name), name)

    def _trace(self, asked: TracePacket) -> Answer:
        ends = asked.source, asked.source_port, asked.destination, asked.destination_port
        try:
            return trace(self._config, asked.interface, Packet(asked.protocol, *ends))
        except ValueError as error:
            return Refusal(str(error))

    def _connections(self, wanted: show.Wanted) -> Iterator[Answer | None]:
        """A part without any first, which says how many there are."""
        yield self._part()
        for some in self._table.walk():
            reports = (report for _, report in self._wanted(some, wanted))
            part = self._part(tuple(reports))
            yield part if part.connections else None

    def _clear(self, wanted: show.Choice) -> Iterator[Answer | None]:
        """End what is wanted: connection tracking forgets it too, and no packet of it passes any more."""
        cleared = 0
        for some in self._table.walk():
            found = [connection for connection, _ in self._wanted(some, wanted)]
            conntrack.delete([each.key for each in found])  # if it refuses, the table still knows them
            cleared += self._table.clear(each.ends for each in found)
            self._books.fetch()  # what was ended is recorded, before the ring is full of it
            yield None
        yield show.ClearedReport(cleared)

    def _part(self, connections: tuple[show.ConnectionReport, ...] = ()) -> show.ConnectionsReport:
        return show.ConnectionsReport(self._books.in_use, self._books.most_used, connections)

    def _wanted(self, some: list[Connection], wanted: show.Choice) -> list[tuple[Connection, show.ConnectionReport]]:
        """Those that are wanted. The class of each is the one it has kept since its first packet."""
        inspected = {key for key, mark in conntrack.marks(each.key for each in some) if CLASS.get(mark)}
        return show.Reporter(self._config, clock.monotonic()).wanted(some, wanted, inspected)


def _in_parts(parts: Iterator[Answer | None]) -> Iterator[Answer | None]:
    """The parts; a refusal with its sentence where the kernel refuses one, which is the last then."""
    try:
        yield from parts
    except KernelError as error:
        yield Refusal(str(error))
