"""The root process: it brings the firewall up, listens to everybody, and puts everything back.

One loop over a selector serves signals, the workers' channels, the control socket and the clock; nothing in it waits
for anybody. What the workers ask is checked before it is done: a flow is acted on only if it belongs to the queue of
the worker that asks.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from appliance import show
from appliance.config import diagnostics
from appliance.config.config import Config
from appliance.config.inspections import inspections
from appliance.config.lexer import FILE_OCTETS
from appliance.config.load import load
from appliance.config.render import running_config
from appliance.control.protocol import (
    Answer,
    Request,
    ShowConnections,
    ShowLogging,
    ShowRunningConfig,
    ShowServicePolicy,
)
from appliance.control.server import ControlServer
from appliance.daemon import channel, clock, firewall, pages
from appliance.daemon.crew import Crew, Hand
from appliance.daemon.firewall import Firewall
from appliance.daemon.notify import Notifier
from appliance.daemon.records import ConnectionRecords
from appliance.daemon.rundir import RunDirectory
from appliance.daemon.sinks import Sinks
from appliance.daemon.worker import QUEUE_BASE, Worker
from appliance.datapath.effects import Emit, Kill, Release, SendReset
from appliance.datapath.snapshot import Snapshot
from appliance.flow import Flow
from appliance.kernel import conntrack, links, privileges, queues
from appliance.kernel.errors import KernelError
from appliance.kernel.reset import Resetter
from appliance.nat.connection import Built, Key, TornDown
from appliance.syslog import EngineFault, EventsLost, WorkerRestarted

if TYPE_CHECKING:
    from appliance.metrics import MetricsServer

#: Exit codes: the rule file or the command line is bad; the machine cannot or would not.
BAD_INPUT = 2
REFUSED = 1

#: How often the kernel's events are fetched, and how often expired connections are looked for (ns).
EVENTS_EVERY = 50_000_000
SWEEP_EVERY = clock.SECOND
#: How long the workers may take to listen (s).
LISTENING_WITHIN = 10.0
#: Messages read from one worker before the others have their turn.
TURN = 256


def run(config_path: Path, run_dir: Path) -> int:
    """Run the firewall of a rule file until SIGTERM or SIGINT; the exit code."""
    config = _configuration(config_path)
    if config is None:
        return BAD_INPUT
    directory = RunDirectory(run_dir)
    try:
        privileges.require_root()
        directory.take(privileges.control_gid())
    except KernelError as error:
        return _refused(error)
    try:
        return _run(config, directory)
    except KernelError as error:
        return _refused(error)
    finally:
        directory.leave()


def cleanup(run_dir: Path) -> int:
    """Put back what a killed run left; the exit code."""
    directory = RunDirectory(run_dir)
    try:
        privileges.require_root()
        if not run_dir.exists():
            print(f"nothing to clean up in {run_dir}")
            return 0
        directory.take(privileges.control_gid())
    except KernelError as error:
        return _refused(error)
    try:
        directory.control.unlink(missing_ok=True)
        done = firewall.restore(directory)
    except KernelError as error:
        return _refused(error)
    finally:
        directory.leave()
    print(f"put back what the run in {run_dir} had changed" if done else f"nothing to clean up in {run_dir}")
    return 0


def _configuration(path: Path) -> Config | None:
    try:
        with path.open("rb") as file:
            loaded = load(file.read(FILE_OCTETS + 1))
    except OSError as error:
        print(f"fixup: cannot read {path}: {error.strerror}", file=sys.stderr)
        return None
    sys.stderr.write(diagnostics.render(loaded.diagnostics, str(path)))
    return loaded.config


def _refused(error: KernelError) -> int:
    print(f"fixup: {error}", file=sys.stderr)
    return REFUSED


def _run(config: Config, directory: RunDirectory) -> int:
    if not queues.available():
        raise KernelError("this kernel has no NFQUEUE: one with nfnetlink_queue is needed (modprobe nfnetlink_queue)")
    daemon = Daemon(config, directory)
    try:
        daemon.start()
        daemon.serve()
    finally:
        with _deaf():
            daemon.stop()
    return 0


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """A second SIGTERM or ^C does not interrupt what is being put back."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Daemon:
    """A running firewall."""

    def __init__(self, config: Config, directory: RunDirectory) -> None:
        self._config = config
        self._directory = directory
        self._inspections = {each.number: each for each in inspections(config) if each.number}
        workers = config.workers or max(1, (os.cpu_count() or 1) // 2)
        self._pages = [pages.Page(len(self._inspections)) for _ in range(workers)]
        fail_open = any(each.fail_open for each in self._inspections.values())
        self._crew = Crew(self._pages, Worker(self._inspections, links.indices(config), fail_open))
        self._firewall = Firewall(config, directory, workers)
        self._statics = {(each.mapped_interface, each.real): each.mapped for each in config.statics}
        self._selector = selectors.DefaultSelector()
        self._sinks = Sinks(config.logging, config.hostname, sys.stderr.fileno(), clock.wall)
        self._records = ConnectionRecords(config)
        self._notifier = Notifier(os.environ)
        self._resetter: Resetter | None = None
        self._control: ControlServer | None = None
        self._metrics: MetricsServer | None = None
        self._in_use = 0  # connections, as the events say
        self._most_used = 0
        self._events_lost = 0
        self._stopping = False
        self._due: dict[Callable[[], None], int] = {}
        self._ended: dict[int, str] = {}  # how a worker that is missing ended

    # --- up and down ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything up, in order; KernelError if something is refused (`stop` undoes what was done)."""
        self._listen_to_signals()
        for hand in self._crew.hands:
            self._hire(hand)
        self._firewall.up()
        self._resetter = Resetter(self._config.statics)
        self._wait_for_workers()
        try:
            self._control = ControlServer(
                self._selector,
                self._directory.control,
                privileges.control_gid(),
                self._answer,
                self._fault,
                clock.monotonic,
            )
        except OSError as error:
            raise KernelError(f"cannot listen on {self._directory.control}: {error.strerror}") from error
        if self._config.metrics is not None:
            from appliance.metrics import MetricsServer  # only who asks for metrics pays for the library

            listen = self._config.metrics
            try:
                self._metrics = MetricsServer(listen, lambda: (self._config, self._snapshot()))
            except OSError as error:
                message = f"cannot listen on {listen.address}:{listen.port} for metrics: {error.strerror}"
                raise KernelError(message) from error
        self._notifier.send(READY=1, MAINPID=os.getpid(), STATUS=f"{len(self._crew.hands)} workers inspecting")

    def stop(self) -> None:
        """Everything as it was found."""
        self._notifier.send(STOPPING=1)
        if self._control is not None:
            self._control.close()
        if self._metrics is not None:
            self._metrics.close()
        try:
            firewall.restore(self._directory)
        finally:
            self._crew.stop()
            if self._resetter is not None:
                self._resetter.close()
            self._sinks.close()
            self._selector.close()

    def _listen_to_signals(self) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._wakeup = (ours, theirs)
        self._selector.register(ours, selectors.EVENT_READ, lambda _mask: ours.recv(4096))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # only to wake the loop

    def _end(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _wait_for_workers(self) -> None:
        wanted = {QUEUE_BASE + hand.number for hand in self._crew.hands}
        deadline = time.monotonic() + LISTENING_WITHIN
        while not wanted <= {each.number for each in queues.uses()}:
            for loss in self._crew.losses():
                raise KernelError(f"worker {loss.number} did not start ({loss.ended}); its last words are above")
            if time.monotonic() > deadline:
                raise KernelError(f"the workers did not listen within {LISTENING_WITHIN:.0f} s")
            time.sleep(0.01)

    def _hire(self, hand: Hand) -> None:
        self._crew.start(hand)
        if hand.requests is not None:
            self._selector.register(hand.requests, selectors.EVENT_READ, lambda _mask: self._hear(hand))

    # --- the loop -------------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Until a signal says stop."""
        now = clock.monotonic()
        self._due = {self._fetch_events: now, self._sweep: now}
        if self._notifier.watchdog_interval is not None:
            self._due[self._watchdog] = now
        every = {
            self._fetch_events: EVENTS_EVERY,
            self._sweep: SWEEP_EVERY,
            self._watchdog: self._notifier.watchdog_interval or 0,
        }
        while not self._stopping:
            wait = max(0, min(self._due.values()) - clock.monotonic()) / clock.SECOND
            for key, mask in self._selector.select(wait):
                key.data(mask)
            self._replace_workers()
            now = clock.monotonic()
            for chore in [each for each, due in self._due.items() if due <= now]:
                chore()
                self._due[chore] = now + every[chore]

    def _fetch_events(self) -> None:
        for event in self._firewall.table.events():
            self._sinks.write(self._records.record(event))
            self._in_use += isinstance(event, Built) - isinstance(event, TornDown)
            self._most_used = max(self._most_used, self._in_use)
        if self._control is not None:
            self._control.expire()

    def _sweep(self) -> None:
        self._firewall.table.sweep()
        self._in_use = sum(each.connections for each in self._firewall.table.counts())  # events may have been lost
        lost = self._firewall.table.lost_events()
        if lost > self._events_lost:
            self._sinks.write(EventsLost(lost - self._events_lost))
            self._events_lost = lost

    def _watchdog(self) -> None:
        self._notifier.send(WATCHDOG=1)

    def _replace_workers(self) -> None:
        for loss in self._crew.losses():
            self._ended[loss.number] = loss.ended
        for hand in self._crew.missing(clock.monotonic()):
            self._hire(hand)
            self._sinks.write(WorkerRestarted(hand.number, self._ended.pop(hand.number, "unknown"), hand.pid))

    # --- what workers ask -----------------------------------------------------------------------------------------

    def _hear(self, hand: Hand) -> None:
        """Read a worker's requests; its end of file hangs up, so that what it said before it ended is heard first."""
        for _ in range(TURN):
            assert hand.requests is not None, "only open channels are registered"
            try:
                message = hand.requests.recv(channel.MAX_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                message = b""
            if not message:
                self._selector.unregister(hand.requests)
                hand.hang_up()
                return
            try:
                self._do(hand, channel.decode(message))
            except (channel.ChannelError, KernelError) as error:
                self._sinks.write(EngineFault.of(f"worker {hand.number}", error))

    def _do(self, hand: Hand, request: channel.Request) -> None:
        match request:
            case Emit(record):
                self._sinks.write(record)
            case Kill(flow):
                key = self._key(hand, flow)
                self._firewall.table.kill(key)
                conntrack.delete(key.client, key.client_port, key.mapped, key.port)
            case Release(flow):
                self._firewall.table.release(self._key(hand, flow))
            case SendReset(flow, to_client, seq, ack):
                self._key(hand, flow)
                if self._resetter is not None:
                    self._resetter.reset(flow, to_client, seq, ack)
            case _:
                assert_never(request)

    def _key(self, hand: Hand, flow: Flow) -> Key:
        """The flow as the kernel's table knows it; ChannelError if another worker's queue has it."""
        real: IPv4Address = flow.server.address
        mapped = self._statics.get((flow.client.interface, real), real)
        key = Key(mapped, flow.server.port, flow.client.address, flow.client.port)
        if self._firewall.table.worker(key) != hand.number:
            raise channel.ChannelError(f"{flow.client} to {flow.server} is not in this worker's queue")
        return key

    # --- what operators ask ---------------------------------------------------------------------------------------

    def _answer(self, request: Request) -> Answer:
        match request:
            case ShowServicePolicy():
                return show.service_policy(self._config, self._snapshot())
            case ShowConnections(count_only=count_only):
                return show.connections(self._config, self._snapshot(connections=True), count_only)
            case ShowLogging():
                return show.logging(self._config, self._snapshot())
            case ShowRunningConfig(everything=everything):
                text = running_config(self._config, all=everything)
                return show.RunningConfigReport(tuple(text.splitlines()))
            case _:
                assert_never(request)

    def _fault(self, error: Exception) -> None:
        self._sinks.write(EngineFault.of("control socket", error))

    def _snapshot(self, connections: bool = False) -> Snapshot:
        table = self._firewall.table
        return Snapshot(
            now=clock.monotonic(),
            inspections={number: pages.block_totals(self._pages, number) for number in self._inspections},
            engine=pages.engine_totals(self._pages),
            connections=tuple(table.connections()) if connections else (),
            most_used=self._most_used,
            statics=table.counts(),
            queues=tuple(each for each in queues.uses() if 0 <= each.number - QUEUE_BASE < len(self._pages)),
            logs=self._sinks.uses(),
            log_lines=self._sinks.lines(),
            events_lost=table.lost_events(),
        )
