"""`show asp`: every packet the engine drops has one reason, and what is counted is in it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from appliance import show
from appliance.datapath.counters import ENGINE
from appliance.datapath.snapshot import ClassUse, QueueUse, StaticUse
from appliance.nat.classes import LimitedClass
from appliance.nat.connection import Limit
from appliance.nat.static import Static
from appliance.plain import from_plain, to_plain
from appliance.show.asp import DROPS
from appliance.tcp.connection import Refusal
from tests.appliances import MAPPED, REAL, SEED

QUEUES = (QueueUse(2500, 4711, 3, 5, 0), QueueUse(2501, 4712, 0, 1, 7))


def test_a_reason_stands_there_when_it_was_met() -> None:
    engine = {"no_room": 3, "evicted": 4, "unknown_flows": 1, "killed": 2, "retransmitted": 9}
    report = show.asp(replace(SEED, engine=engine, queues=QUEUES))
    assert {each.reason: each.count for each in report.frames} == {
        "tcp-not-syn": 1,
        "tcp-buffer-full": 7,
        "inspect-queue-full": 6,
        "inspect-buffer-full": 7,
    }
    assert [(each.reason, each.count) for each in report.flows] == [("inspect-fail", 2)]


def test_connections_beyond_a_limit_are_among_them() -> None:
    refused = ClassUse(LimitedClass("p", None, "mail"), refused={Limit.MAX_CONNS: 2, Limit.EMBRYONIC: 9})
    static = StaticUse(Static("inside", "outside", MAPPED, REAL), 50, 0, refused_max=3, refused_embryonic=7)
    (drop,) = show.asp(replace(SEED, classes=(refused,), statics=(static,))).frames
    assert (drop.reason, drop.count) == ("conn-limit", 5)


def test_what_was_never_met_does_not() -> None:
    report = show.asp(SEED)
    assert (report.frames, report.flows) == ((), ())


def test_every_counter_of_drops_is_of_one_reason() -> None:
    counted = Counter(name for _, names in DROPS.values() for name in names)
    assert set(counted) <= set(ENGINE)
    assert set(counted.values()) == {1}
    assert {each.name.lower() for each in Refusal} <= counted.keys()


def test_what_is_held_and_how_long_packets_take() -> None:
    engine = {"early": 9, "undecided": 4, "waited": 10, "verdicts_16us": 5, "verdicts_slower": 1, "queue_overflows": 2}
    engine |= {"given_up": 6, "unsent": 7}
    report = show.asp(replace(SEED, engine=engine, queues=QUEUES))
    assert (report.waiting, report.waited, report.overflows) == (3, {"early": 9, "undecided": 4}, 2)
    assert (report.given_up, report.unsent) == (6, 7)
    assert (report.verdicts["16us"], report.verdicts["slower"], sum(report.verdicts.values())) == (5, 1, 6)
    assert from_plain(show.AspReport, to_plain(report)) == report
