"""The snapshot as Prometheus metrics, read when it is scraped, in a registry of its own.

`FAMILIES` is the one table of them; nothing is kept here and nothing is derived from logs. The queue's metrics are
named after node_exporter's ``node_nfqueue_…`` (field-notes §3), with our prefix. Labels come from the configuration and
from the tables of the code, never from the wire.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, generate_latest, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from appliance.config.config import Config, MetricsListen
from appliance.datapath.counters import waiting
from appliance.datapath.snapshot import ClassUse, QueueUse, Snapshot, StaticUse
from appliance.show import InspectionReport, service_policy

#: Seconds a scraper may be silent.
_PATIENCE = 5.0
#: Scrapes at once.
_SCRAPES = 8

#: What is read at each scrape: the configuration in force, and the counts of that moment.
Source = Callable[[], tuple[Config, Snapshot]]


@dataclass(frozen=True, slots=True)
class Family:
    """Metrics of one name: what grows is a counter, what is so many now is a gauge."""

    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    name: str
    help: str
    labels: tuple[str, ...] = ()

    @property
    def exposed(self) -> str:
        """The name a scraper sees: a counter's has ``_total`` behind it."""
        return f"{self.name}_total" if self.kind is CounterMetricFamily else self.name


#: A number: whose it is, under which labels' values.
Sample = tuple[Family, tuple[str, ...], float]


class SnapshotCollector(Collector):
    """Asks `source` for the configuration in force and a snapshot at every scrape."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def describe(self) -> list[Metric]:
        """Nothing: or registering would read a snapshot."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics of one moment."""
        made = {each: each.kind(each.name, each.help, labels=each.labels) for each in FAMILIES}
        for family, labels, value in _samples(*self._source()):
            made[family].add_metric(labels, value)
        yield from made.values()


def registry(source: Source) -> CollectorRegistry:
    """A registry that holds ours and nothing else."""
    made = CollectorRegistry(auto_describe=False)
    made.register(SnapshotCollector(source))
    return made


def exposition(config: Config, snapshot: Snapshot) -> str:
    """The metrics of `snapshot` in Prometheus' text format."""
    return generate_latest(registry(lambda: (config, snapshot))).decode()


# --- the table --------------------------------------------------------------------------------------------------

_COUNTER, _GAUGE = CounterMetricFamily, GaugeMetricFamily
_CLASS = ("interface", "policy", "class")  # `interface` is empty for the global policy
_INSPECTED = (*_CLASS, "map")
_STATIC = ("mapped", "real")
_DATAGRAM = ("interface", "address", "result")
_MATCH = (*_INSPECTED, "number", "match", "action")

PACKETS = Family(_COUNTER, "fixup_inspect_packets", "Packets handed to the inspector.", _INSPECTED)
DROPPED = Family(
    _COUNTER, "fixup_inspect_dropped_packets", "Packets inspection dropped, by how.", (*_INSPECTED, "action")
)
MATCHES = Family(_COUNTER, "fixup_inspect_matches", "Times a match line of the map was met.", _MATCH)
EVENTS = Family(_COUNTER, "fixup_inspect_events", "What the inspector saw, by kind.", (*_INSPECTED, "event"))
USED = Family(_GAUGE, "fixup_static_connections", "TCP connections of a mapped address.", _STATIC)
LIMIT = Family(_GAUGE, "fixup_static_connections_limit", "The most there may be, 0: any.", _STATIC)
HALF = Family(_GAUGE, "fixup_static_embryonic_connections", "Half-open ones among them.", _STATIC)
HALF_LIMIT = Family(_GAUGE, "fixup_static_embryonic_connections_limit", "The most there may be, 0: any.", _STATIC)
REFUSED = Family(
    _COUNTER,
    "fixup_static_refused_connections",
    "SYNs dropped (max_conns) or intercepted (embryonic).",
    (*_STATIC, "limit"),
)
CLASS_USED = Family(_GAUGE, "fixup_class_connections", "TCP connections of a class with limits.", _CLASS)
CLASS_HALF = Family(_GAUGE, "fixup_class_embryonic_connections", "Half-open ones among them.", _CLASS)
CLASS_REFUSED = Family(
    _COUNTER, "fixup_class_refused_connections", "SYNs that found a limit of the class reached.", (*_CLASS, "limit")
)
IN_USE = Family(_GAUGE, "fixup_connections", "TCP connections in use.")
MOST_USED = Family(_GAUGE, "fixup_connections_most", "The most there were at once.")
TRANSLATIONS = Family(_GAUGE, "fixup_translations", "Translations in use.")
HOSTS = Family(_GAUGE, "fixup_local_hosts", "Hosts with connections.", ("interface",))
MOST_HOSTS = Family(_GAUGE, "fixup_local_hosts_most", "The most there were at once.", ("interface",))
TABLE_FULL = Family(_COUNTER, "fixup_kernel_table_full", "SYNs for which the connection table had no room.")
SHARES_FULL = Family(
    _COUNTER, "fixup_kernel_class_table_full", "SYNs for which the table of classes' servers and clients had no room."
)
QUEUE_LENGTH = Family(_GAUGE, "fixup_nfqueue_queue_length", "Packets waiting for a worker.", ("queue",))
QUEUE_DROPPED = Family(
    _COUNTER,
    "fixup_nfqueue_packets_dropped",
    "Packets the kernel dropped: the queue was full, or the worker's socket buffer.",
    ("queue", "reason"),
)
QUEUE_WORKER = Family(_GAUGE, "fixup_nfqueue_info", "Which worker serves a queue; always 1.", ("queue", "pid"))
ENGINE_EVENTS = Family(
    _COUNTER, "fixup_engine_events", "What the packet engine counted, by the names of its table.", ("event",)
)
WAITING = Family(
    _GAUGE,
    "fixup_engine_waiting_packets",
    "Packets that wait behind a gap, or for a decision: they are in the queue's length too.",
)
EVENTS_LOST = Family(_COUNTER, "fixup_kernel_events_lost", "Connection events that found the kernel's ring full.")
MESSAGES = Family(_COUNTER, "fixup_log_messages", "Messages a destination took.", ("destination",))
DATAGRAMS = Family(
    _COUNTER, "fixup_log_host_datagrams", "Datagrams to a logging host, by what became of them.", _DATAGRAM
)

#: Every metric there is, in the order they are exposed.
FAMILIES = tuple(each for each in list(globals().values()) if isinstance(each, Family))


# --- what is read of a snapshot ---------------------------------------------------------------------------------


def _samples(config: Config, snapshot: Snapshot) -> Iterator[Sample]:
    yield from _inspections(config, snapshot)
    yield from _statics(snapshot.statics)
    yield from _limited_classes(snapshot.classes)
    yield from _connections(snapshot)
    yield from _queues(snapshot.queues)
    for event, count in snapshot.engine.items():
        yield ENGINE_EVENTS, (event,), count
    yield WAITING, (), waiting(snapshot.engine)
    yield EVENTS_LOST, (), snapshot.events_lost
    yield from _logging(snapshot)


#: The slots that have families of their own.
_PACKETS = frozenset({"packet", "drop", "reset-drop"})


def _inspections(config: Config, snapshot: Snapshot) -> Iterator[Sample]:
    """A label set per inspecting class."""
    for labels, report in _classes(config, snapshot):
        yield PACKETS, labels, report.packet
        yield DROPPED, (*labels, "drop"), report.drop
        yield DROPPED, (*labels, "reset"), report.reset_drop
        for number, each in enumerate(report.matches, 1):
            yield MATCHES, (*labels, str(number), each.match, each.action), each.packet
        for event, count in report.counts.items():
            if event not in _PACKETS:
                yield EVENTS, (*labels, event), count


def _classes(config: Config, snapshot: Snapshot) -> Iterator[tuple[tuple[str, ...], InspectionReport]]:
    for policy in service_policy(config, snapshot).policies:
        for each in policy.classes:
            if each.inspection is not None:
                yield (policy.interface or "", policy.name, each.name, each.inspection.map), each.inspection


def _statics(statics: tuple[StaticUse, ...]) -> Iterator[Sample]:
    """A label set per mapped address; a limit of 0 is none, as in the rule file."""
    for each in statics:
        pair = (str(each.static.mapped), str(each.static.real))
        yield USED, pair, each.connections
        yield LIMIT, pair, each.static.max_conns
        yield HALF, pair, each.embryonic
        yield HALF_LIMIT, pair, each.static.max_embryonic
        yield REFUSED, (*pair, "max_conns"), each.refused_max
        yield REFUSED, (*pair, "embryonic"), each.refused_embryonic


def _limited_classes(classes: tuple[ClassUse, ...]) -> Iterator[Sample]:
    """A label set per class with limits."""
    for each in classes:
        place = (each.limited.interface or "", each.limited.policy, each.limited.name)
        yield CLASS_USED, place, each.connections
        yield CLASS_HALF, place, each.embryonic
        for limit, count in each.refused.items():
            yield CLASS_REFUSED, (*place, limit.name.lower()), count


def _connections(snapshot: Snapshot) -> Iterator[Sample]:
    """What `show conn count`, `show local-host` and `show xlate count` say."""
    yield IN_USE, (), snapshot.in_use
    yield MOST_USED, (), snapshot.most_used
    yield TRANSLATIONS, (), snapshot.translations
    for interface, (active, maximum) in snapshot.hosts.items():
        yield HOSTS, (interface,), active
        yield MOST_HOSTS, (interface,), maximum
    yield TABLE_FULL, (), snapshot.refused_full
    yield SHARES_FULL, (), snapshot.refused_shares


def _queues(queues: tuple[QueueUse, ...]) -> Iterator[Sample]:
    """A label set per NFQUEUE."""
    for each in queues:
        queue = str(each.number)
        yield QUEUE_LENGTH, (queue,), each.length
        yield QUEUE_DROPPED, (queue, "queue_full"), each.dropped
        yield QUEUE_DROPPED, (queue, "user"), each.user_dropped
        yield QUEUE_WORKER, (queue, str(each.worker_pid)), 1


def _logging(snapshot: Snapshot) -> Iterator[Sample]:
    """A label set per destination, and per logging host."""
    for use in snapshot.logs:
        yield MESSAGES, (use.destination,), use.logged
        for host in use.hosts:
            for result, count in (("sent", host.sent), ("error", host.errors), ("dropped", host.dropped)):
                yield DATAGRAMS, (host.interface, str(host.address), result), count


# --- serving ----------------------------------------------------------------------------------------------------


class MetricsServer:
    """Serves ``/metrics`` over HTTP from a thread of its own until closed."""

    def __init__(self, listen: MetricsListen, source: Source) -> None:
        """OSError if it can't listen there (port 0: any free one). `source` is called in threads of the server's."""
        self._server = make_server(
            str(listen.address),
            listen.port,
            make_wsgi_app(registry(source)),
            server_class=_Server,
            handler_class=_Handler,
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    """A thread per scrape, so that a slow scraper does not keep the others out; beyond `_SCRAPES` it hangs up."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._places = threading.BoundedSemaphore(_SCRAPES)
        super().__init__(*arguments, **named)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread, if there is a place."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """In the thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that went away or said nothing is no news; anything else is our bug and is told on stderr."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(WSGIRequestHandler):
    """A scrape is not worth a line on stderr, and a scraper that says nothing is not waited for."""

    timeout = _PATIENCE

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""
