"""The books: what the kernel tells becomes records once, counts come right after a loss, and what expired is let go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from appliance.config.config import Config
from appliance.daemon import books, clock
from appliance.daemon.books import Books
from appliance.kernel import conntrack
from appliance.kernel.errors import KernelError
from appliance.nat.connection import (
    Built,
    Connection,
    Ending,
    Event,
    Expired,
    Key,
    Limit,
    Obstructed,
    Refused,
    State,
    Stranded,
    TornDown,
    Unanswered,
)
from appliance.nat.static import End
from appliance.syslog import ClassTableFull, EventsLost, Record, TableFull
from tests.appliances import EXAMPLE, MAPPED, NOW, PLAIN, REAL, SECOND, configured, connection

COUNTED = configured(f"{EXAMPLE}threat-detection statistics tcp-intercept rate-interval 1 burst-rate 400\n")


def key(port: int) -> Key:
    return Key(MAPPED, 25, IPv4Address("203.0.113.10"), port)


def built(port: int) -> Built:
    return Built(key(port), REAL, NOW)


def torn_down(port: int, ending: Ending = Ending.FINS) -> TornDown:
    return TornDown(key(port), REAL, ending, NOW, NOW + SECOND, 0)


class Kernel:
    """What the books are kept of: the table, the resets that go out, what connection tracking is told to forget."""

    def __init__(self) -> None:
        self.told: list[Event] = []
        self.living: list[list[Connection]] = []
        self.lost = self.full = self.full_shares = self.left_to_synproxy = 0
        self.expired: list[Key] = []
        self.looks = self.looked = 0
        self.sent: list[tuple[str, Event]] = []
        self.forgotten: list[list[Key]] = []

    # the table

    def events(self) -> list[Event]:
        told, self.told = self.told, []
        return told

    def walk(self) -> Iterator[list[Connection]]:
        yield from self.living

    def sweeping(self) -> Iterator[int]:
        for look in range(self.looks):
            self.looked += 1
            yield look

    def unheard(self) -> list[Key]:
        expired, self.expired = self.expired, []
        return expired

    def lost_events(self) -> int:
        return self.lost

    def refused_full(self) -> int:
        return self.full

    def refused_shares(self) -> int:
        return self.full_shares

    def intercepted(self) -> dict[End | None, int]:
        return {PLAIN.statics[0].name: self.left_to_synproxy, None: 0}

    # the resets

    def turn_away(self, client: Event) -> None:
        self.sent.append(("turn away", client))

    def ask_again(self, waiting: Event) -> None:
        self.sent.append(("ask again", waiting))

    def clear_the_way(self, obstructed: Event) -> None:
        self.sent.append(("clear the way", obstructed))

    def end(self, expired: Event) -> None:
        self.sent.append(("end", expired))

    # connection tracking

    def forget(self, keys: Sequence[Key]) -> None:
        self.forgotten.append(list(keys))


class Kept:
    """Books over such a kernel; the records that were written, and the connections that were said to be over."""

    def __init__(self, config: Config = PLAIN) -> None:
        self.kernel: Any = Kernel()
        self.records: list[Record] = []
        self.over: list[TornDown] = []
        self.books = Books(config, self.kernel, self, self.kernel, self.are_over)  # type: ignore[arg-type]  # they are stand-ins
        self.records.clear()  # the statics came

    def write(self, *records: Record) -> None:
        self.records += records

    def are_over(self, torn_down: Iterable[TornDown]) -> None:
        self.over += torn_down

    def hear(self, *events: Event) -> list[str]:
        """The names of the records of `events`, those of hosts aside."""
        self.kernel.told += events
        self.books.fetch()
        return self.said()

    def said(self) -> list[str]:
        return [name for each in self.written() if "LocalHost" not in (name := type(each).__name__)]

    def written(self) -> list[Record]:
        """The records since it was asked last."""
        written, self.records = self.records, []
        return written


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Kept:
    made = Kept()
    made.books.fetch()  # the count of a table that nobody has counted is behind it
    monkeypatch.setattr(conntrack, "delete", made.kernel.forget)
    return made


def test_what_happened_is_recorded_in_its_order_and_counted(kept: Kept) -> None:
    assert kept.hear(built(1), built(2), torn_down(1), built(3)) == [
        "ConnectionBuilt",
        "ConnectionBuilt",
        "ConnectionTornDown",
        "ConnectionBuilt",
    ]
    assert kept.hear(torn_down(2)) == ["ConnectionTornDown"]
    assert (kept.books.in_use, kept.books.most_used) == (1, 2)
    assert kept.books.hosts == {"outside": (1, 1), "inside": (1, 1)}
    assert kept.over == [torn_down(1), torn_down(2)]
    assert kept.kernel.forgotten == [], "connection tracking saw their ends itself"


@pytest.mark.parametrize("ending", [Ending.SYN_TIMEOUT, Ending.FIN_TIMEOUT, Ending.IDLE_TIMEOUT])
def test_connection_tracking_forgets_what_ended_by_the_clock(kept: Kept, ending: Ending) -> None:
    kept.hear(built(1), torn_down(1, ending))
    assert kept.kernel.forgotten == [[key(1)]]
    kept.hear()
    assert kept.kernel.forgotten == [[key(1)]], "once"


def test_it_is_told_so_many_at_a_turn(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(books, "_AT_A_TURN", 2)
    kept.hear(*(torn_down(port, Ending.IDLE_TIMEOUT) for port in (1, 2, 3)))
    kept.hear()
    assert kept.kernel.forgotten == [[key(1), key(2)], [key(3)]]


def test_what_no_event_told_of_is_forgotten_too(kept: Kept) -> None:
    kept.kernel.expired = [key(7)]
    kept.books.sweep()
    kept.books.sweep_on()
    kept.hear()
    assert kept.kernel.forgotten == [[key(7)]]


def test_a_sweep_goes_on_by_turns_and_another_begins_when_it_is_over(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "_LOOKS", 3)
    kept.kernel.looks = 7
    kept.books.sweep_on()
    assert kept.kernel.looked == 0, "none is under way"
    kept.books.sweep()
    for looked in (3, 6, 7, 7):
        kept.books.sweep_on()
        assert kept.kernel.looked == looked
    kept.books.sweep()
    kept.books.sweep_on()
    kept.books.sweep()
    kept.books.sweep_on()
    assert kept.kernel.looked == 7 + 6, "what is under way goes on"


def test_connection_tracking_that_refuses_stops_nothing(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_keys: object) -> None:
        raise KernelError("connection tracking cannot be told: No buffer space available")

    monkeypatch.setattr(conntrack, "delete", refuse)
    assert kept.hear(built(1), torn_down(1, Ending.IDLE_TIMEOUT)) == ["ConnectionBuilt", "ConnectionTornDown"]


def test_whom_synproxy_let_down_is_reset_and_forgotten_before_any_other(kept: Kept) -> None:
    stranded = Stranded(key(2), REAL, 501, 101, NOW)
    assert kept.hear(torn_down(1, Ending.SYN_TIMEOUT), stranded) == ["ConnectionTornDown"]
    assert kept.kernel.sent == [("turn away", stranded)]
    assert kept.kernel.forgotten == [[key(2), key(1)]]


def test_segments_in_a_peers_name_are_no_records(kept: Kept) -> None:
    silent, idle = Unanswered(key(1), REAL, 501, 101, NOW), Expired(key(2), REAL, 501, 101, NOW)
    obstructed = Obstructed(key(3), REAL, 300, 900, NOW)
    assert kept.hear(silent, idle, obstructed) == []
    assert kept.kernel.sent == [("ask again", silent), ("end", idle), ("clear the way", obstructed)]


def test_after_a_loss_the_table_itself_is_counted(kept: Kept) -> None:
    kept.hear(built(1), built(2))
    kept.kernel.lost = 5
    dead, *others = connection(State.DEAD, 3), *(connection(State.SYN, port) for port in (4, 5, 6))
    kept.kernel.living = [[dead, others[0]], others[1:]]
    kept.books.sweep()
    assert kept.written() == [EventsLost(5)]
    assert kept.hear() == [], "the count itself says nothing"
    assert (kept.books.in_use, kept.books.most_used) == (3, 3), "what inspection closed is in use no more"
    kept.books.sweep()
    assert kept.written() == [], "each loss is told once"


def test_events_that_are_waiting_are_heard_before_the_table_is_counted(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "EVENTS", 2)
    kept.kernel.lost, kept.kernel.living = 1, [[connection(State.SYN, port) for port in (1, 2, 3)]]
    kept.books.sweep()
    kept.hear(built(1), built(2))
    assert kept.books.in_use == 2, "the ring may hold the third"
    kept.hear(built(3))
    assert kept.books.in_use == 3


def test_connections_from_before_us_are_counted() -> None:
    kept = Kept()
    kept.kernel.living = [[connection(State.ESTABLISHED, 1)]]
    kept.hear()
    assert (kept.books.in_use, kept.books.most_used) == (1, 1)


def test_full_tables_are_told_by_how_many_were_refused_since(kept: Kept) -> None:
    for full, shares, told in (
        (3, 0, [TableFull(3)]),
        (3, 2, [ClassTableFull(2)]),
        (3, 2, []),
        (10, 2, [TableFull(7)]),
    ):
        kept.kernel.full, kept.kernel.full_shares = full, shares
        kept.books.sweep()
        assert kept.written() == told


def test_a_flood_is_told_at_the_end_of_its_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [NOW]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    kept = Kept(COUNTED)
    assert kept.books.attacks == ()
    refused = Refused(key(1), REAL, Limit.EMBRYONIC, 100, 100, NOW)
    kept.hear(refused)
    kept.kernel.left_to_synproxy = 1_000
    kept.books.sweep()
    assert kept.said() == []
    now[0] += 2 * SECOND
    kept.books.sweep()
    assert kept.said() == ["BurstRateExceeded"]
    assert [(each.total, each.source) for each in kept.books.attacks] == [(1_000, refused.key.client)]


def test_other_thresholds_begin_anew_and_what_was_before_is_of_no_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "monotonic", lambda: NOW)
    kept = Kept(COUNTED)
    kept.hear(Refused(key(1), REAL, Limit.EMBRYONIC, 100, 100, NOW))
    kept.kernel.left_to_synproxy = 1_000
    kept.books.configure(COUNTED)
    assert [each.total for each in kept.books.attacks] == [1_000], "the same ones go on"
    assert COUNTED.tcp_intercept is not None
    kept.books.configure(replace(COUNTED, tcp_intercept=replace(COUNTED.tcp_intercept, burst_rate=800)))
    assert kept.books.attacks == ()
    kept.hear(Refused(key(1), REAL, Limit.EMBRYONIC, 100, 100, NOW))
    kept.kernel.left_to_synproxy = 1_003
    kept.books.sweep()
    assert [each.total for each in kept.books.attacks] == [3]


def test_what_connections_are_given_and_what_they_use_is_noted(kept: Kept) -> None:
    translations, standing = kept.books.translations, kept.books.translations.in_use
    given = {"beyond": (IPv4Address("192.0.2.1"), 1024)}
    kept.hear(replace(built(1), **given), replace(built(2), time=NOW + SECOND))
    assert translations.in_use == standing + 1
    assert translations.last_uses()[PLAIN.statics[0].name] == NOW + SECOND
    kept.hear(replace(torn_down(1), **given))
    assert translations.in_use == standing
    for _ in range(2):
        kept.kernel.lost += 1
        kept.kernel.living = [[replace(connection(State.SYN, 3), **given)]]
        kept.books.sweep()
        kept.hear()
        assert translations.in_use == standing + 1


def test_records_go_by_the_configuration_in_force(kept: Kept) -> None:
    refused = Refused(key(1), REAL, Limit.MAX_CONNS, 50, 50, NOW)
    for version, server in (("asa-8.4", REAL), ("asa-8.2", MAPPED)):
        kept.books.configure(replace(PLAIN, compatibility=version))
        kept.kernel.told.append(refused)
        kept.books.fetch()
        (record,) = kept.written()
        assert f" to {server}/25 on interface outside" in record.text()


def test_statics_come_and_go_with_the_configuration(kept: Kept) -> None:
    assert kept.books.translations.in_use == len(PLAIN.all_statics)
    kept.books.configure(replace(PLAIN, statics=PLAIN.statics[:1]))
    assert kept.said() == ["TranslationTornDown"] * (len(PLAIN.statics) - 1)
    kept.books.close()
    assert kept.said() == ["TranslationTornDown"]
