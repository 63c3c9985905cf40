"""Metrics: every number of a snapshot under its name, and a server that slow scrapers don't stop."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from prometheus_client.parser import text_string_to_metric_families

from appliance import metrics
from appliance.config.config import Config, MetricsListen
from appliance.datapath.snapshot import AddressUse, ClassUse, HostUse, LogUse, QueueUse, Snapshot, StaticUse
from appliance.nat.classes import LimitedClass
from appliance.nat.connection import Limit
from appliance.nat.static import Static
from appliance.policy.counters import Slot
from tests.appliances import EXAMPLE, MAPPED, PLAIN, REAL, SEED, TWO, TWO_COUNTS, block, configured

LOOPBACK = IPv4Address("127.0.0.1")
CLASS = {"interface": "", "policy": "global_policy", "class": "inspection_default", "map": "_default_esmtp_map"}


def value(snapshot: Snapshot, name: str, config: Config = PLAIN, **labels: str) -> float:
    """The one sample of that name with exactly these labels."""
    (found,) = [
        sample.value
        for family in text_string_to_metric_families(metrics.exposition(config, snapshot))
        for sample in family.samples
        if sample.name == name and sample.labels == labels
    ]
    return found


def test_packets_and_drops_of_a_class() -> None:
    snapshot = replace(SEED, inspections={1: block({Slot.PACKET: 9, Slot.DROP: 2, Slot.RESET_DROP: 1}, {})})
    assert value(snapshot, "fixup_inspect_packets_total", **CLASS) == 9
    assert value(snapshot, "fixup_inspect_dropped_packets_total", **CLASS, action="drop") == 2
    assert value(snapshot, "fixup_inspect_dropped_packets_total", **CLASS, action="reset") == 1


def test_connections_hosts_and_translations_in_use() -> None:
    snapshot = replace(SEED, in_use=7, hosts={"outside": (2, 3)}, translations=9, refused_full=4, refused_shares=5)
    assert value(snapshot, "fixup_connections") == 7
    assert value(snapshot, "fixup_connections_most") == 60
    assert value(snapshot, "fixup_local_hosts", interface="outside") == 2
    assert value(snapshot, "fixup_local_hosts_most", interface="outside") == 3
    assert value(snapshot, "fixup_translations") == 9
    assert value(snapshot, "fixup_kernel_table_full_total") == 4
    assert value(snapshot, "fixup_kernel_class_table_full_total") == 5


def test_a_class_with_limits() -> None:
    limited = LimitedClass("outside_policy", "outside", "submission", 50)
    use = ClassUse(limited, (AddressUse(REAL, 9, 1),), refused={Limit.MAX_CONNS: 7})
    place = {"interface": "outside", "policy": "outside_policy", "class": "submission"}
    snapshot = replace(SEED, classes=(use,))
    assert value(snapshot, "fixup_class_connections", **place) == 9
    assert value(snapshot, "fixup_class_embryonic_connections", **place) == 1
    assert value(snapshot, "fixup_class_refused_connections_total", **place, limit="max_conns") == 7


def test_match_lines_are_labelled_by_the_table() -> None:
    labels = {"number": "4", "match": "header line length gt 998", "action": "drop-connection log"}
    assert value(SEED, "fixup_inspect_matches_total", **CLASS, **labels) == 41


@pytest.mark.parametrize("slot", [each for each in Slot if each not in (Slot.PACKET, Slot.DROP, Slot.RESET_DROP)])
def test_every_other_slot_is_an_event(slot: Slot) -> None:
    snapshot = replace(SEED, inspections={1: block({slot: 5}, {})})
    assert value(snapshot, "fixup_inspect_events_total", **CLASS, event=slot.label) == 5


def test_classes_are_told_apart_and_exempt_ones_have_no_numbers() -> None:
    second = {"interface": "outside", "policy": "outside_policy", "class": "submission", "map": "strict"}
    assert value(TWO_COUNTS, "fixup_inspect_packets_total", TWO, **CLASS) == 7
    assert value(TWO_COUNTS, "fixup_inspect_packets_total", TWO, **second) == 9
    assert "ironport_esa" not in metrics.exposition(configured(EXAMPLE), SEED)


STATIC = StaticUse(Static("inside", "outside", MAPPED, REAL, 50, 100), 12, 3, 7, 1)


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("fixup_static_connections", {}, 12),
        ("fixup_static_connections_limit", {}, 50),
        ("fixup_static_embryonic_connections", {}, 3),
        ("fixup_static_embryonic_connections_limit", {}, 100),
        ("fixup_static_refused_connections_total", {"limit": "max_conns"}, 7),
        ("fixup_static_refused_connections_total", {"limit": "embryonic"}, 1),
    ],
)
def test_statics(name: str, labels: dict[str, str], expected: int) -> None:
    snapshot = replace(SEED, statics=(STATIC,))
    assert value(snapshot, name, mapped="203.0.113.125", real="192.0.2.25", **labels) == expected


def test_queues() -> None:
    snapshot = replace(SEED, queues=(QueueUse(3, 4711, 5, 6, 7),))
    assert value(snapshot, "fixup_nfqueue_queue_length", queue="3") == 5
    assert value(snapshot, "fixup_nfqueue_packets_dropped_total", queue="3", reason="queue_full") == 6
    assert value(snapshot, "fixup_nfqueue_packets_dropped_total", queue="3", reason="user") == 7
    assert value(snapshot, "fixup_nfqueue_info", queue="3", pid="4711") == 1


def test_engine_events_and_logs() -> None:
    host = HostUse("inside", IPv4Address("192.0.2.88"), 3, 2, 1)
    snapshot = replace(SEED, engine={"packets": 4}, events_lost=9, logs=(LogUse("trap", 6, 6, (host,)),))
    assert value(snapshot, "fixup_engine_events_total", event="packets") == 4
    assert value(snapshot, "fixup_kernel_events_lost_total") == 9
    held = replace(SEED, engine={"early": 7, "undecided": 2, "waited": 6})
    assert value(held, "fixup_engine_waiting_packets") == 3
    assert value(snapshot, "fixup_log_messages_total", destination="trap") == 6
    for result, count in (("sent", 3), ("error", 2), ("dropped", 1)):
        labels = {"interface": "inside", "address": "192.0.2.88", "result": result}
        assert value(snapshot, "fixup_log_host_datagrams_total", **labels) == count


def test_nothing_configured_is_still_an_exposition() -> None:
    assert value(Snapshot(now=0), "fixup_kernel_events_lost_total", Config()) == 0


def test_there_are_no_metrics_but_ours() -> None:
    families = list(text_string_to_metric_families(metrics.exposition(TWO, TWO_COUNTS)))
    assert {family.name.split("_")[0] for family in families} == {"fixup"}


# --- serving ----------------------------------------------------------------------------------------------------


class Scraped:
    """A source that counts how often it was asked."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> tuple[Config, Snapshot]:
        self.times += 1
        return PLAIN, replace(SEED, events_lost=self.times)


@pytest.fixture
def source() -> Scraped:
    return Scraped()


@pytest.fixture
def server(source: Scraped) -> Iterator[metrics.MetricsServer]:
    made = metrics.MetricsServer(MetricsListen(LOOPBACK, 0), source)
    yield made
    made.close()


def scrape(server: metrics.MetricsServer) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
        return answer.read().decode()


def test_a_scrape_reads_the_snapshot_of_its_moment(server: metrics.MetricsServer, source: Scraped) -> None:
    assert source.times == 0
    assert "fixup_kernel_events_lost_total 1.0" in scrape(server)
    assert "fixup_kernel_events_lost_total 2.0" in scrape(server)


def test_a_place_is_free_again_behind_a_scrape(server: metrics.MetricsServer, source: Scraped) -> None:
    for _ in range(3 * 8):
        scrape(server)
    assert source.times == 24


def silent(server: metrics.MetricsServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port))


def test_silent_scrapers_keep_nobody_out(server: metrics.MetricsServer) -> None:
    with silent(server), silent(server):
        assert "fixup_inspect_packets_total" in scrape(server)


def test_more_scrapers_than_there_are_places_are_hung_up_on(server: metrics.MetricsServer) -> None:
    with ExitStack() as places:
        for _ in range(8):
            places.enter_context(silent(server))
        with pytest.raises((urllib.error.URLError, ConnectionError)):
            scrape(server)


def test_a_port_in_use_is_an_error(server: metrics.MetricsServer, source: Scraped) -> None:
    with pytest.raises(OSError, match="in use"):
        metrics.MetricsServer(MetricsListen(LOOPBACK, server.port), source)


def test_a_scraper_that_hangs_up_makes_no_noise(
    server: metrics.MetricsServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as rude:
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closing sends an RST
        rude.sendall(b"GET /metrics HTTP/1.0\r\n")
    scrape(server)
    assert capfd.readouterr() == ("", "")
