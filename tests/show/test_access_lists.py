"""The report of `show access-list`: lines, counts, and hashes that stay."""

from __future__ import annotations

from appliance import show
from appliance.plain import from_plain, to_plain
from appliance.show import AccessListsReport
from tests.appliances import PLAIN

HITS = {"outside_in": [41, 0, 7]}


def test_a_remark_has_a_line_and_no_count() -> None:
    first, second = show.access_lists(PLAIN, HITS).access_lists
    assert (first.name, first.elements) == ("outside_in", 3)
    assert [(each.line, each.hits) for each in first.entries] == [(1, None), (2, 41), (3, 0), (4, 7)]
    assert first.entries[0].text == "remark mail from the world"
    assert first.entries[1].text == "extended permit tcp any host 203.0.113.125 eq smtp"
    assert [each.hits for each in second.entries] == [0, 0]


def test_the_one_that_is_asked_for() -> None:
    assert [each.name for each in show.access_lists(PLAIN, HITS, "outside_in").access_lists] == ["outside_in"]
    assert show.access_lists(PLAIN, HITS, "other").access_lists == ()


def test_hashes_are_of_the_words_and_tell_entries_apart() -> None:
    report, again = show.access_lists(PLAIN, HITS), show.access_lists(PLAIN, {})
    hashes = [entry.hash for each in report.access_lists for entry in each.entries]
    assert hashes == [entry.hash for each in again.access_lists for entry in each.entries]
    assert len(set(hashes)) == len(hashes)


def test_it_survives_json() -> None:
    report = show.access_lists(PLAIN, HITS)
    assert from_plain(AccessListsReport, to_plain(report)) == report
