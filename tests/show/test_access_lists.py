"""The report of `show access-list`: lines, counts, and hashes that stay."""

from __future__ import annotations

from appliance import show
from appliance.config.elements import Elements
from appliance.plain import from_plain, to_plain
from appliance.show import AccessListsReport
from tests.appliances import PLAIN, configured

OUTSIDE_IN = PLAIN.access_list("outside_in")
assert OUTSIDE_IN is not None
ELEMENTS = list(Elements(PLAIN).of_list(OUTSIDE_IN))
HITS = {
    "outside_in": [[(element, f"0x0000000{hits}", hits)] for element, hits in zip(ELEMENTS, (9, 0, 7), strict=True)]
}


def test_a_remark_has_a_line_and_no_count() -> None:
    first, second = show.access_lists(PLAIN, HITS).access_lists
    assert (first.name, first.elements) == ("outside_in", 3)
    assert [(each.line, each.hits) for each in first.entries] == [(1, None), (2, 9), (3, 0), (4, 7)]
    assert first.entries[0].text == "remark mail from the world"
    assert first.entries[1].text == "extended permit tcp any host 203.0.113.125 eq smtp"
    assert [each.hits for each in second.entries] == [0, 0]


def test_the_one_that_is_asked_for() -> None:
    assert [each.name for each in show.access_lists(PLAIN, HITS, "outside_in").access_lists] == ["outside_in"]
    assert show.access_lists(PLAIN, HITS, "other").access_lists == ()


def test_the_hash_of_an_entry_is_its_elements() -> None:
    first = show.access_lists(PLAIN, HITS).access_lists[0]
    assert [each.hash for each in first.entries[1:]] == ["0x00000009", "0x00000000", "0x00000007"]
    assert [each.elements for each in first.entries] == [()] * 4


GROUPS = configured(
    """
object-group network servers
 network-object host 203.0.113.125
 network-object host 203.0.113.126
access-list a extended permit tcp any object-group servers eq smtp
access-list a extended deny ip any any inactive
"""
)


def test_an_entry_that_names_a_group_is_followed_by_what_it_comes_to() -> None:
    (access_list,) = GROUPS.access_lists
    found = [list(Elements(GROUPS).of(ace)) for ace in access_list.aces]
    counts = {"a": [[(element, f"0x{number}", number) for number, element in enumerate(each, 1)] for each in found]}
    (report,) = show.access_lists(GROUPS, counts).access_lists
    assert report.elements == 3
    named, inactive = report.entries
    assert (named.text, named.hits) == ("extended permit tcp any object-group servers eq smtp", 3)
    assert [(each.text, each.hits, each.hash) for each in named.elements] == [
        ("extended permit tcp any host 203.0.113.125 eq smtp", 1, "0x1"),
        ("extended permit tcp any host 203.0.113.126 eq smtp", 2, "0x2"),
    ]
    assert (inactive.inactive, inactive.hits, inactive.elements) == (True, 0, ())
    assert named.hash != inactive.hash


def test_it_survives_json() -> None:
    report = show.access_lists(PLAIN, HITS)
    assert from_plain(AccessListsReport, to_plain(report)) == report
