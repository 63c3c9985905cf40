"""A running firewall: the root process's one loop over signals, workers, the control socket and the clock.

Nothing in it waits for anybody, but for a reload, which is over when the loop goes on. What comes up leaves its
undoing behind, so that a stop, or a start that fails half way, takes down just what is there, in the opposite order.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable

from appliance.config.config import Config, MetricsListen
from appliance.config.inspections import inspections
from appliance.config.limits import longest
from appliance.control.server import ControlServer
from appliance.daemon import channel, clock, endings, firewall, pages
from appliance.daemon.answers import Operators
from appliance.daemon.books import Books
from appliance.daemon.configuration import Configuration
from appliance.daemon.crew import Crew, Hand
from appliance.daemon.denials import Denials
from appliance.daemon.errands import Errands
from appliance.daemon.firewall import Firewall
from appliance.daemon.flows import LoggedFlows
from appliance.daemon.generations import Generations
from appliance.daemon.notify import Notifier
from appliance.daemon.policy import Policy
from appliance.daemon.rundir import RunDirectory
from appliance.daemon.sinks import Sinks
from appliance.daemon.startup import Startup
from appliance.daemon.worker import QUEUE_BASE, Worker
from appliance.datapath.snapshot import Snapshot
from appliance.iptables import LOG_GROUP
from appliance.kernel import conntrack, links, privileges, queues
from appliance.kernel.errors import KernelError
from appliance.kernel.nflog import Listener
from appliance.kernel.reset import Resetter
from appliance.marks import GENERATION
from appliance.nat.connection import TornDown
from appliance.syslog import ConnectionsForgotten, EngineFault, WorkerRestarted

#: How often the kernel's events are fetched and a sweep goes on, and how often one for what has expired begins (ns).
FETCH_EVERY = 50_000_000
SWEEP_EVERY = clock.SECOND
#: How often it is asked whether connections still carry an old policy (ns).
FORGET_EVERY = 10 * clock.SECOND
#: How long the workers may take to listen (s).
LISTENING_WITHIN = 10.0
#: Messages read from one worker before the others have their turn.
TURN = 256


class Daemon:
    """A firewall; `start`, `serve` until a signal, `stop`. `startup` is where a reload finds its configuration."""

    _errands: Errands
    _books: Books
    _denials: Denials
    _operators: Operators
    _resetter: Resetter
    _close_metrics_server: Callable[[], None]

    def __init__(self, config: Config, startup: Startup, directory: RunDirectory) -> None:
        self._sinks = Sinks(config.logging, config.hostname, sys.stderr.fileno(), clock.wall)
        self._configuration = Configuration(config, startup, self._change, self._sinks.write)
        self._directory = directory
        self._pages = [pages.Page() for _ in range(_workers(config))]
        self._flows = LoggedFlows()
        self._generations = Generations(self._pages, _carried)
        self._generation = self._generations.of(inspections(config))
        self._worker = Worker(self._policy(config))
        self._crew = Crew(self._pages, self._worker)
        self._firewall = Firewall(directory, len(self._pages))
        self._selector = selectors.DefaultSelector()
        self._notifier = Notifier(os.environ)
        self._metrics_at: MetricsListen | None = None
        self._stopping = False
        self._reloading = False
        self._ended: dict[int, str] = {}  # how a worker that is missing ended
        self._undo = contextlib.ExitStack()

    @property
    def _config(self) -> Config:
        """What is in force."""
        return self._configuration.running

    # --- up and down ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Everything up, in order; KernelError if something is refused (`stop` undoes what was done)."""
        undo = self._undo
        undo.callback(self._selector.close)
        undo.callback(self._sinks.close)
        self._listen_to_signals()
        undo.callback(self._crew.stop)
        for hand in self._crew.hands:
            self._hire(hand)
        self._wait_for_workers()
        self._resetter = Resetter(self._config)
        undo.callback(self._resetter.close)
        undo.callback(firewall.restore, self._directory)
        self._firewall.load()
        self._books = Books(self._config, self._firewall.table, self._sinks, self._resetter, self._tell_over)
        undo.callback(self._books.close)
        self._errands = Errands(self._config.all_statics, self._firewall.table, self._sinks, self._resetter)
        self._operators = Operators(
            self._configuration, self._firewall.table, self._books, self._flows, len(self._pages), self._snapshot
        )
        undo.callback(self._close_metrics)
        self._enforce(self._config, self._generation)
        if self._firewall.succeed(self._generation):
            self._sinks.write(ConnectionsForgotten())
        self._listen_to_denials()
        self._open_control()
        self._books.fetch()  # what is there already is counted before anybody hears that we are
        self._notifier.send(READY=1, MAINPID=os.getpid(), STATUS=f"{len(self._crew.hands)} workers inspecting")

    def stop(self) -> None:
        """Everything as it was found."""
        self._notifier.send(STOPPING=1)
        self._undo.close()

    def _listen_to_denials(self) -> None:
        listener = Listener(LOG_GROUP)
        self._undo.callback(listener.close)

        def hear(_mask: int) -> None:
            for copy in listener.read():
                record = self._denials.record(copy, clock.monotonic())
                if record is not None:
                    self._sinks.write(record)

        self._selector.register(listener, selectors.EVENT_READ, hear)

    def _tell_hits(self) -> None:
        for record in self._denials.due(clock.monotonic()):
            self._sinks.write(record)

    def _open_control(self) -> None:
        path, gid = self._directory.control, privileges.control_gid()
        try:
            server = ControlServer(self._selector, path, gid, self._operators.answer, self._fault, clock.monotonic)
        except OSError as error:
            raise KernelError(f"cannot listen on {path}: {error.strerror}") from error
        self._undo.callback(server.close)
        self._expire_clients = server.expire

    def _serve_metrics(self, listen: MetricsListen | None) -> None:
        """Serve them there, and nowhere else."""
        if listen == self._metrics_at:
            return
        self._close_metrics()
        if listen is None:
            return
        from appliance.metrics import MetricsServer  # only who asks for metrics pays for the library

        try:
            server = MetricsServer(listen, lambda: (self._config, self._snapshot()))
        except OSError as error:
            message = f"cannot listen on {listen.address}:{listen.port} for metrics: {error.strerror}"
            raise KernelError(message) from error
        self._metrics_at, self._close_metrics_server = listen, server.close

    def _close_metrics(self) -> None:
        if self._metrics_at is not None:
            self._close_metrics_server()
            self._metrics_at = None

    def _listen_to_signals(self) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._undo.callback(signal.set_wakeup_fd, -1)
        for end in (ours, theirs):
            self._undo.callback(end.close)
        self._selector.register(ours, selectors.EVENT_READ, lambda _mask: ours.recv(4096))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        signal.signal(signal.SIGHUP, self._ask_to_reload)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # only to wake the loop

    def _end(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _ask_to_reload(self, _number: int, _frame: object) -> None:
        self._reloading = True

    def _wait_for_workers(self) -> None:
        """Until each serves its queue: nothing is put into the kernel for workers that cannot work."""
        wanted = {(QUEUE_BASE + hand.number, hand.pid) for hand in self._crew.hands}
        deadline = time.monotonic() + LISTENING_WITHIN
        while not wanted <= {(each.number, each.worker_pid) for each in queues.uses()}:
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
        every: dict[Callable[[], None], int] = {
            self._books.fetch: FETCH_EVERY,
            self._expire_clients: FETCH_EVERY,
            self._books.sweep: SWEEP_EVERY,
            self._books.sweep_on: FETCH_EVERY,
            self._forget_generations: FORGET_EVERY,
            self._tell_hits: SWEEP_EVERY,
        }
        if self._notifier.watchdog_interval is not None:
            every[self._feed_watchdog] = self._notifier.watchdog_interval
        due = dict.fromkeys(every, clock.monotonic())
        while not self._stopping:
            wait = max(0, min(due.values()) - clock.monotonic()) / clock.SECOND
            for key, mask in self._selector.select(wait):
                key.data(mask)
            self._replace_workers()
            if self._reloading:
                self._reloading = False
                self._configuration.reload_quietly()
            now = clock.monotonic()
            for chore in [each for each, when in due.items() if when <= now]:
                chore()
                due[chore] = now + every[chore]

    def _feed_watchdog(self) -> None:
        self._notifier.send(WATCHDOG=1)

    def _replace_workers(self) -> None:
        for loss in self._crew.losses():
            self._ended[loss.number] = loss.ended
        for hand in self._crew.missing(clock.monotonic()):
            self._hire(hand)
            self._sinks.write(WorkerRestarted(hand.number, self._ended.pop(hand.number, "unknown"), hand.pid))

    # --- another configuration ------------------------------------------------------------------------------------

    def _change(self, config: Config) -> int:
        """`config` in force for new connections, and how many living ones ended; KernelError, and everything as it was,
        if something is refused."""
        if _workers(config) != len(self._pages):
            place = f"line {config.workers_line}: " if config.workers_line else ""
            said = f"{_workers(config)} workers instead of {len(self._pages)} take a restart of fixup"
            raise KernelError(f"{place}{said}")
        before, generation = self._config, self._generation
        try:
            return self._enforce(config, self._generations.of(inspections(config)))
        except KernelError:
            # If even this is refused nobody knows what is in force: the firewall ends, and with it all forwarding.
            self._enforce(before, generation)
            raise

    def _enforce(self, config: Config, generation: int) -> int:
        """Every part goes by `config`, from whatever it went by: workers first, so that no mark is unknown to them."""
        self._tell_workers(self._policy(config))
        self._serve_metrics(config.metrics)
        self._operators.settle(config)
        ended = self._firewall.put(config, generation)
        self._resetter.configure(config)
        self._books.configure(config)
        self._errands.configure(config.all_statics)
        self._denials = Denials(config, links.indices(config), self._flows)
        self._sinks.configure(config.logging, config.hostname)
        self._generation = generation
        return ended

    def _policy(self, config: Config) -> Policy:
        return self._generations.policy(links.indices(config), longest(config))

    def _tell_workers(self, policy: Policy) -> None:
        if policy != self._worker.policy:
            self._worker.policy = policy
            self._crew.tell(policy)

    def _forget_generations(self) -> None:
        if self._generations.end_one(self._generation):
            self._tell_workers(self._policy(self._config))

    def _tell_over(self, torn_down: Iterable[TornDown]) -> None:
        messages = endings.encode(torn_down)
        for hand in self._crew.hands:
            hand.inform(messages)

    # --- what workers ask -----------------------------------------------------------------------------------------

    def _hear(self, hand: Hand) -> None:
        """Read a worker's requests; its end of file hangs up, so that what it said before it ended is heard first."""
        self._books.fetch()  # a connection's beginning is recorded before what its worker says of it
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
            self._errands.run(hand.number, message)

    # --- what operators ask ---------------------------------------------------------------------------------------

    def _fault(self, error: Exception) -> None:
        self._sinks.write(EngineFault.of("control socket", error))

    def _snapshot(self) -> Snapshot:
        table = self._firewall.table
        return Snapshot(
            now=clock.monotonic(),
            inspections={
                number: pages.block_totals(self._pages, block)
                for number, block in self._generations.blocks(self._generation).items()
            },
            engine=pages.engine_totals(self._pages),
            in_use=self._books.in_use,
            most_used=self._books.most_used,
            hosts=self._books.hosts,
            last_uses=self._books.translations.last_uses(),
            translations=self._books.translations.in_use,
            most_translations=self._books.translations.most,
            statics=table.counts(),
            classes=table.classes(),
            queues=tuple(each for each in queues.uses() if 0 <= each.number - QUEUE_BASE < len(self._pages)),
            logs=self._sinks.uses(),
            log_lines=self._sinks.lines(),
            attacks=self._books.attacks,
            events_lost=table.lost_events(),
            refused_full=table.refused_full(),
            refused_shares=table.refused_shares(),
        )


def _workers(config: Config) -> int:
    return config.workers or max(1, (os.cpu_count() or 1) // 2)


def _carried(generation: int) -> bool:
    return conntrack.carried(GENERATION.put(generation), GENERATION.mask)
