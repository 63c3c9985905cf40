"""Hits: a rule is known by its chain and its place, and an entry may be several rules."""

from __future__ import annotations

import re

import pytest

from appliance import iptables
from appliance.iptables import hits
from appliance.iptables.hits import Counters
from tests.appliances import EXAMPLE, configured

CONFIG = configured(
    EXAMPLE.replace(
        "access-group outside_in",
        "access-list outside_in extended deny tcp any any eq telnet\naccess-group outside_in",
    )
)


def saved(table: str, counts: dict[str, int]) -> str:
    """What iptables-save --counters prints of our rules; `counts` by a part of the rule."""
    text = iptables.rules(CONFIG, generation=1, workers=1, queue_base=0)
    lines = re.search(rf"\*{table}\n(.*?)COMMIT", text, re.DOTALL)
    assert lines is not None

    def counted(line: str) -> str:
        found = next((count for part, count in counts.items() if part in line), 0)
        return f"[{found}:{found * 60}] {line}"

    return "\n".join(counted(line) if line.startswith("-A") else line for line in lines[1].splitlines())


def test_counters_are_those_of_our_chains_in_their_order() -> None:
    text = """:FIXUP_IN_x - [0:0]
[1:60] -A FORWARD -j FIXUP_FORWARD
[2:120] -A FIXUP_IN_x -p tcp -j DROP
[3:9] -A FIXUP_IN_x -j DROP
"""
    assert hits.counters(text) == Counters({"FIXUP_IN_x": [2, 3]})


def counts_of(nat: Counters) -> list[tuple[int, int]]:
    return [(there, here) for _, there, here in hits.translations(CONFIG, nat)]


def test_a_static_translates_on_the_way_out_and_untranslates_on_the_way_in() -> None:
    counts = {
        "PREROUTING -i outside0 -d 203.0.113.125": 7,
        "OUTPUT -d 203.0.113.125": 2,
        "PREROUTING -i outside0 -d 203.0.113.127": 1,
        "POSTROUTING -s 192.0.2.26": 5,
    }
    nat = hits.counters(saved("nat", counts))
    assert counts_of(nat) == [(0, 9), (5, 0), (0, 1)]


def test_without_counters_nothing_was_hit() -> None:
    assert counts_of(Counters()) == [(0, 0)] * 3
    assert of_entries(Counters()) == [[0]] * 4


def of_entries(filtered: Counters) -> list[list[int]]:
    access_list = CONFIG.access_list("outside_in")
    assert access_list is not None
    return [[count for _, _, count in each] for each in hits.entries(CONFIG, access_list, filtered)]


@pytest.mark.parametrize(("number", "real"), [(0, "192.0.2.25"), (1, "192.0.2.26"), (2, "192.0.2.27")])
def test_an_entry_is_hit_by_its_own_rule(number: int, real: str) -> None:
    filtered = hits.counters(saved("filter", {f"FIXUP_IN_outside0 -d {real}/32": 5, "--dport 23": 3}))
    expected = [[0], [0], [0], [3]]
    expected[number] = [5]
    assert of_entries(filtered) == expected


def test_an_element_that_is_several_rules_is_hit_by_each() -> None:
    text = """[1:60] -A FIXUP_IN_x -d 192.0.2.25/32 -m comment --comment 0x0000000a -j RETURN
[2:60] -A FIXUP_IN_x -d 192.0.2.26/32 -m comment --comment "0x0000000a" -j RETURN
[4:60] -A FIXUP_GLOBAL -m comment --comment 0x0000000b -g FIXUP_DENIED
"""
    assert hits.counters(text).tags == {"0x0000000a": 3, "0x0000000b": 4}
