"""The reports of `show xlate` and `show nat`."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from appliance import show
from appliance.nat.connection import State
from appliance.plain import from_plain, to_plain
from appliance.show import AddressRange, NatReport, TranslationsReport, TranslationsWanted
from tests.appliances import MAPPED, NOW, PLAIN, REAL, SECOND, SEED, connection

USED = replace(SEED, last_uses={MAPPED: NOW - 97 * SECOND}, most_translations=5)


def span(address: IPv4Address) -> AddressRange:
    return AddressRange(address, address)


def test_every_static_is_a_translation_idle_since_its_latest_connection() -> None:
    report = show.translations(PLAIN, USED, TranslationsWanted())
    assert (report.in_use, report.most_used) == (3, 5)
    first = report.translations[0]
    assert (first.real_interface, first.real, first.mapped_interface, first.mapped) == (
        "inside",
        REAL,
        "outside",
        MAPPED,
    )
    assert (first.flags, first.idle, first.timeout) == ("s", 97, 0)
    assert report.translations[1].idle == 0
    assert show.translations(PLAIN, SEED, TranslationsWanted()).most_used == 3


WANTED = [
    (TranslationsWanted(), 3),
    (TranslationsWanted(mapped=span(MAPPED)), 1),
    (TranslationsWanted(mapped=span(REAL)), 0),
    (TranslationsWanted(real=span(REAL)), 1),
    (TranslationsWanted(real=span(MAPPED)), 0),
    (TranslationsWanted(interfaces=("inside",)), 3),
    (TranslationsWanted(interfaces=("dmz", "outside")), 3),
    (TranslationsWanted(interfaces=("dmz",)), 0),
    (TranslationsWanted(real=span(REAL), interfaces=("dmz",)), 0),
]


@pytest.mark.parametrize(("wanted", "count"), WANTED)
def test_wanted_ones(wanted: TranslationsWanted, count: int) -> None:
    report = show.translations(PLAIN, USED, wanted)
    assert (report.in_use, len(report.translations)) == (3, count)


@pytest.mark.parametrize(("wanted", "count"), WANTED)
def test_connections_that_go_through_wanted_ones(wanted: TranslationsWanted, count: int) -> None:
    through = connection(State.ESTABLISHED)
    past = replace(through, key=replace(through.key, mapped=REAL))  # as where nothing is translated
    found = show.Reporter(PLAIN, NOW).wanted([through, past], wanted)
    assert [each for each, _ in found] == ([through] if count else [])


def test_rules_are_numbered_and_have_their_hits() -> None:
    report = show.nat(PLAIN, [(1, 2), (0, 0), (3, 4)])
    assert [(each.number, each.translate_hits, each.untranslate_hits) for each in report.rules] == [
        (1, 1, 2),
        (2, 0, 0),
        (3, 3, 4),
    ]
    assert (report.rules[0].real, report.rules[0].mapped) == (REAL, MAPPED)


def test_they_survive_json() -> None:
    translations, nat = show.translations(PLAIN, USED, TranslationsWanted()), show.nat(PLAIN, [(0, 0)] * 3)
    assert from_plain(TranslationsReport, to_plain(translations)) == translations
    assert from_plain(NatReport, to_plain(nat)) == nat
    assert from_plain(TranslationsWanted, to_plain(WANTED[-1][0])) == WANTED[-1][0]
