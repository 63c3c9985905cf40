"""The snapshot as Prometheus metrics, read when it is scraped, in a registry of its own.

What grows is a counter, what is so many now is a gauge; nothing is kept here and nothing is derived from logs. The
queue's metrics are named after node_exporter's ``node_nfqueue_…`` (field-notes §3), with our prefix. Labels come from
the configuration and from the tables of the code, never from the wire.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
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


class SnapshotCollector(Collector):
    """Asks `source` for the configuration in force and a snapshot at every scrape."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def describe(self) -> list[Metric]:
        """Nothing: or registering would read a snapshot."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All metrics of one moment."""
        config, snapshot = self._source()
        yield from _inspections(config, snapshot)
        yield from _statics(snapshot.statics)
        yield from _limited_classes(snapshot.classes)
        yield from _connections(snapshot)
        yield from _queues(snapshot.queues)
        yield from _engine(snapshot)
        yield from _logging(snapshot)


def registry(source: Source) -> CollectorRegistry:
    """A registry that holds ours and nothing else."""
    made = CollectorRegistry(auto_describe=False)
    made.register(SnapshotCollector(source))
    return made


def exposition(config: Config, snapshot: Snapshot) -> str:
    """The metrics of `snapshot` in Prometheus' text format."""
    return generate_latest(registry(lambda: (config, snapshot))).decode()


# --- families ---------------------------------------------------------------------------------------------------

_CLASS = ("interface", "policy", "class", "map")


def _inspections(config: Config, snapshot: Snapshot) -> Iterator[Metric]:
    """A label set per inspecting class; `interface` is empty for the global policy."""
    packets = CounterMetricFamily("fixup_inspect_packets", "Packets handed to the inspector.", labels=_CLASS)
    dropped = CounterMetricFamily(
        "fixup_inspect_dropped_packets", "Packets inspection dropped, by how.", labels=(*_CLASS, "action")
    )
    matches = CounterMetricFamily(
        "fixup_inspect_matches", "Times a match line of the map was met.", labels=(*_CLASS, "number", "match", "action")
    )
    events = CounterMetricFamily("fixup_inspect_events", "What the inspector saw, by kind.", labels=(*_CLASS, "event"))
    for labels, report in _classes(config, snapshot):
        packets.add_metric(labels, report.packet)
        dropped.add_metric((*labels, "drop"), report.drop)
        dropped.add_metric((*labels, "reset"), report.reset_drop)
        for number, each in enumerate(report.matches, 1):
            matches.add_metric((*labels, str(number), each.match, each.action), each.packet)
        for event, count in report.counts.items():
            if event not in _PACKETS:
                events.add_metric((*labels, event), count)
    yield from (packets, dropped, matches, events)


#: The slots that have families of their own.
_PACKETS = frozenset({"packet", "drop", "reset-drop"})


def _classes(config: Config, snapshot: Snapshot) -> Iterator[tuple[tuple[str, ...], InspectionReport]]:
    for policy in service_policy(config, snapshot).policies:
        for each in policy.classes:
            if each.inspection is not None:
                yield (policy.interface or "", policy.name, each.name, each.inspection.map), each.inspection


def _statics(statics: tuple[StaticUse, ...]) -> Iterator[Metric]:
    """A label set per mapped address; a limit of 0 is none, as in the rule file."""
    labels = ("mapped", "real")
    used = GaugeMetricFamily("fixup_static_connections", "TCP connections of a mapped address.", labels=labels)
    limit = GaugeMetricFamily("fixup_static_connections_limit", "The most there may be, 0: any.", labels=labels)
    half = GaugeMetricFamily("fixup_static_embryonic_connections", "Half-open ones among them.", labels=labels)
    half_limit = GaugeMetricFamily(
        "fixup_static_embryonic_connections_limit", "The most there may be, 0: any.", labels=labels
    )
    refused = CounterMetricFamily(
        "fixup_static_refused_connections",
        "SYNs dropped (max_conns) or intercepted (embryonic).",
        labels=(*labels, "limit"),
    )
    for each in statics:
        pair = (str(each.static.mapped), str(each.static.real))
        used.add_metric(pair, each.connections)
        limit.add_metric(pair, each.static.max_conns)
        half.add_metric(pair, each.embryonic)
        half_limit.add_metric(pair, each.static.max_embryonic)
        refused.add_metric((*pair, "max_conns"), each.refused_max)
        refused.add_metric((*pair, "embryonic"), each.refused_embryonic)
    yield from (used, limit, half, half_limit, refused)


def _limited_classes(classes: tuple[ClassUse, ...]) -> Iterator[Metric]:
    """A label set per class with limits; `interface` is empty for the global policy."""
    labels = ("interface", "policy", "class")
    used = GaugeMetricFamily("fixup_class_connections", "TCP connections of a class with limits.", labels=labels)
    half = GaugeMetricFamily("fixup_class_embryonic_connections", "Half-open ones among them.", labels=labels)
    refused = CounterMetricFamily(
        "fixup_class_refused_connections", "SYNs that found a limit of the class reached.", labels=(*labels, "limit")
    )
    for each in classes:
        place = (each.limited.interface or "", each.limited.policy, each.limited.name)
        used.add_metric(place, each.connections)
        half.add_metric(place, each.embryonic)
        for limit, count in each.refused.items():
            refused.add_metric((*place, limit.name.lower()), count)
    yield from (used, half, refused)


def _connections(snapshot: Snapshot) -> Iterator[Metric]:
    """What `show conn count`, `show local-host` and `show xlate count` say."""
    yield GaugeMetricFamily("fixup_connections", "TCP connections in use.", snapshot.in_use)
    yield GaugeMetricFamily("fixup_connections_most", "The most there were at once.", snapshot.most_used)
    yield GaugeMetricFamily("fixup_translations", "Translations in use.", len(snapshot.last_uses))
    hosts = GaugeMetricFamily("fixup_local_hosts", "Hosts with connections.", labels=("interface",))
    most = GaugeMetricFamily("fixup_local_hosts_most", "The most there were at once.", labels=("interface",))
    for interface, (active, maximum) in snapshot.hosts.items():
        hosts.add_metric((interface,), active)
        most.add_metric((interface,), maximum)
    yield from (hosts, most)
    yield CounterMetricFamily(
        "fixup_kernel_table_full", "SYNs for which the connection table had no room.", snapshot.refused_full
    )


def _queues(queues: tuple[QueueUse, ...]) -> Iterator[Metric]:
    """A label set per NFQUEUE."""
    length = GaugeMetricFamily("fixup_nfqueue_queue_length", "Packets waiting for a worker.", labels=("queue",))
    dropped = CounterMetricFamily(
        "fixup_nfqueue_packets_dropped",
        "Packets the kernel dropped: the queue was full, or the worker's socket buffer.",
        labels=("queue", "reason"),
    )
    info = GaugeMetricFamily("fixup_nfqueue_info", "Which worker serves a queue; always 1.", labels=("queue", "pid"))
    for each in queues:
        queue = str(each.number)
        length.add_metric((queue,), each.length)
        dropped.add_metric((queue, "queue_full"), each.dropped)
        dropped.add_metric((queue, "user"), each.user_dropped)
        info.add_metric((queue, str(each.worker_pid)), 1)
    yield from (length, dropped, info)


def _engine(snapshot: Snapshot) -> Iterator[Metric]:
    engine = CounterMetricFamily(
        "fixup_engine_events", "What the packet engine counted, by the names of its table.", labels=("event",)
    )
    for event, count in snapshot.engine.items():
        engine.add_metric((event,), count)
    yield engine
    yield GaugeMetricFamily(
        "fixup_engine_waiting_packets",
        "Packets that wait behind a gap, or for a decision: they are in the queue's length too.",
        waiting(snapshot.engine),
    )
    yield CounterMetricFamily(
        "fixup_kernel_events_lost", "Connection events that found the kernel's ring full.", snapshot.events_lost
    )


def _logging(snapshot: Snapshot) -> Iterator[Metric]:
    messages = CounterMetricFamily("fixup_log_messages", "Messages a destination took.", labels=("destination",))
    datagrams = CounterMetricFamily(
        "fixup_log_host_datagrams",
        "Datagrams to a logging host, by what became of them.",
        labels=("interface", "address", "result"),
    )
    for use in snapshot.logs:
        messages.add_metric((use.destination,), use.logged)
        for host in use.hosts:
            for result, count in (("sent", host.sent), ("error", host.errors), ("dropped", host.dropped)):
                datagrams.add_metric((host.interface, str(host.address), result), count)
    yield from (messages, datagrams)


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
