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
    ShowInterfaces,
    ShowLocalHosts,
    ShowLogging,
    ShowNat,
    ShowRunningConfig,
    ShowServicePolicy,
    ShowStartupConfig,
    ShowTranslations,
    ShowVersion,
    TracePacket,
    WriteMemory,
)
from appliance.control.server import Answers
from appliance.daemon import clock
from appliance.daemon.books import Books
from appliance.daemon.configuration import Configuration
from appliance.daemon.flows import LoggedFlows
from appliance.daemon.hits import Hits
from appliance.daemon.release import release
from appliance.datapath.snapshot import Snapshot
from appliance.iptables.trace import trace
from appliance.iptables.walk import Packet
from appliance.kernel import conntrack, hardware, netfilter
from appliance.kernel.bpf import ConnectionTable
from appliance.kernel.errors import KernelError
from appliance.nat.connection import Connection

#: Reports made of what is known here, at a turn: as many as a look at the table brings.
_AT_A_TURN = 128


class Operators:
    """Answers them; `snapshot` is taken when it is asked for."""

    def __init__(
        self,
        configuration: Configuration,
        table: ConnectionTable,
        books: Books,
        flows: LoggedFlows,
        workers: int,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        self._release = release()  # of what runs, whatever is installed by the time somebody asks
        self._began = clock.monotonic()
        self._workers = workers
        self._configuration = configuration
        self._table = table
        self._books = books
        self._flows = flows
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
            case ShowTranslations(count_only=True):
                return self._translated()
            case ShowTranslations(wanted=wanted):
                return self._not_there(wanted) or self._translations(wanted)
            case ShowNat():
                return show.nat(self._config, self._hits.translations())
            case ShowAccessLists(name=name):
                return self._access_lists(name)
            case ShowAttacks(everything=everything):
                off = Refusal("no threat-detection statistics tcp-intercept is configured")
                return show.attacks(self._config, self._snapshot(), everything) or off
            case ShowAsp():
                return show.asp(self._snapshot())
            case ShowVersion():
                return self._version()
            case ShowInterfaces(name=name):
                return self._interfaces(name)
            case ClearConnections(wanted=wanted):
                return self._clear(wanted)
            case ClearTranslations(wanted=wanted):
                return self._not_there(wanted) or self._clear(wanted)
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
        return show.access_lists(config, self._hits.entries(name), name, self._flows.counts)

    def _version(self) -> Answer:
        modified = self._configuration.modified
        return show.VersionReport(
            self._release,
            show.goes_by(self._config),
            str(self._configuration.file),
            self._config.hostname,
            (clock.monotonic() - self._began) // clock.SECOND,
            hardware.machine(),
            self._workers,
            self._interfaces_report().interfaces,
            None if modified is None else show.clock(modified),
        )

    def _interfaces(self, name: str | None) -> Answer:
        report = self._interfaces_report(name)
        return report if report.interfaces or name is None else Refusal(f"there is no interface {name}")

    def _interfaces_report(self, name: str | None = None) -> show.InterfacesReport:
        used = [each.hardware for each in self._config.interfaces if each.hardware is not None]
        return show.interfaces(self._config, hardware.devices(used), name)

    def _trace(self, asked: TracePacket) -> Answer:
        ends = asked.source, asked.source_port, asked.destination, asked.destination_port
        try:
            return trace(self._config, asked.interface, Packet(asked.protocol, *ends))
        except ValueError as error:
            return Refusal(str(error))

    def _connections(self, wanted: show.Wanted) -> Iterator[Answer | None]:
        """A part without any first, which says how many there are."""
        yield self._part()
        for found in self._wanted(wanted):
            yield self._part(tuple(report for _, report in found)) if found else None

    def _translations(self, wanted: show.TranslationsWanted) -> Iterator[Answer | None]:
        """The statics first, with how many there are of all; then as whom else servers are called, and what each chunk
        of the table was given."""
        yield show.translations(self._config, self._snapshot(), wanted)
        chosen = show.Chosen(self._config)
        calls = self._books.translations.called()
        for at in range(0, len(calls), _AT_A_TURN):
            called = tuple(chosen.called(calls[at : at + _AT_A_TURN], wanted, clock.monotonic()))
            yield self._translated(called) if called else None
        for some in self._table.walk():
            found = tuple(chosen.wanted(some, wanted, clock.monotonic()))
            yield self._translated(found) if found else None

    def _not_there(self, wanted: show.TranslationsWanted) -> Refusal | None:
        """A refusal if an interface that is asked for is none."""
        strange = [each for each in wanted.interfaces if self._config.interface(each) is None]
        return Refusal(f"there is no interface {strange[0]}") if strange else None

    def _translated(self, translations: tuple[show.TranslationReport, ...] = ()) -> show.TranslationsReport:
        return show.TranslationsReport(self._books.translations.in_use, self._books.translations.most, translations)

    def _clear(self, wanted: show.Choice) -> Iterator[Answer | None]:
        """End what is wanted: connection tracking forgets it too, and no packet of it passes any more."""
        cleared = 0
        for found in self._wanted(wanted):
            if found:
                conntrack.delete([each.key for each, _ in found])  # if it refuses, the table still knows them
                cleared += self._table.clear(each.ends for each, _ in found)
                self._books.fetch()  # what was ended is recorded, before the ring is full of it
            yield None
        yield show.ClearedReport(cleared)

    def _part(self, connections: tuple[show.ConnectionReport, ...] = ()) -> show.ConnectionsReport:
        return show.ConnectionsReport(self._books.in_use, self._books.most_used, connections)

    def _wanted(self, wanted: show.Choice) -> Iterator[list[tuple[Connection, show.ConnectionReport]]]:
        """Those that are wanted of each chunk of the table; the configuration is the one in force at the question."""
        reporter = show.Reporter(self._config)
        for some in self._table.walk():
            yield list(reporter.wanted(some, wanted, clock.monotonic()))


def _in_parts(parts: Iterator[Answer | None]) -> Iterator[Answer | None]:
    """The parts; a refusal with its sentence where the kernel refuses one, which is the last then."""
    try:
        yield from parts
    except KernelError as error:
        yield Refusal(str(error))
