"""Hits: a rule is known by its chain and its place, and an entry may be several rules."""

from __future__ import annotations

import re

import pytest

from appliance import iptables
from appliance.iptables import hits
from appliance.iptables.tables import Scene
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
    assert hits.counters(text) == {"FIXUP_IN_x": (2, 3)}


def test_a_static_translates_on_the_way_out_and_untranslates_on_the_way_in() -> None:
    counts = {
        "PREROUTING -i outside0 -d 203.0.113.125": 7,
        "OUTPUT -d 203.0.113.125": 2,
        "PREROUTING -i outside0 -d 203.0.113.127": 1,
        "POSTROUTING -s 192.0.2.26": 5,
    }
    nat = hits.counters(saved("nat", counts))
    assert hits.translations(CONFIG, nat) == [(0, 9), (5, 0), (0, 1)]


def test_without_counters_nothing_was_hit() -> None:
    (access_list,) = [each for each in CONFIG.access_lists if each.name == "outside_in"]
    assert hits.translations(CONFIG, {}) == [(0, 0)] * 3
    assert hits.entries(CONFIG, access_list, {}) == [0] * 4


@pytest.mark.parametrize(("number", "real"), [(0, "192.0.2.25"), (1, "192.0.2.26"), (2, "192.0.2.27")])
def test_an_entry_is_hit_by_its_own_rule(number: int, real: str) -> None:
    access_list = CONFIG.access_list("outside_in")
    assert access_list is not None
    filtered = hits.counters(saved("filter", {f"FIXUP_IN_outside0 -d {real}/32": 5, "--dport 23": 3}))
    expected = [0, 0, 0, 3]
    expected[number] = 5
    assert hits.entries(CONFIG, access_list, filtered) == expected


def test_an_entry_that_names_a_mapped_address_of_two_hosts_is_hit_by_either_rule() -> None:
    text = (
        EXAMPLE
        + """
interface Ethernet0/2
 hardware dmz0
 nameif dmz
 security-level 50
 ip address 198.51.100.1 255.255.255.0
static (dmz,inside) 203.0.113.125 198.51.100.25 netmask 255.255.255.255
"""
    )
    config = configured(text)
    access_list = config.access_list("outside_in")
    assert access_list is not None
    assert hits.expanded(Scene.of(config), access_list, arriving=True)[0] == 2
    chain = {"FIXUP_IN_outside0": (1, 2, 4, 8, 16)}
    assert hits.entries(config, access_list, chain) == [3, 4, 8]
