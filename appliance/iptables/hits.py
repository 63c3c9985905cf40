"""How often our rules were hit, read from what ``iptables-save --counters`` prints.

A rule is known by its chain and its place in it, which are those it was rendered at: nothing else names it. Only a
connection's first packet comes to these chains, so a hit is a connection. What TCP Intercept answered is not among
them: it is asked about by chains of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network
from itertools import islice

from appliance.config.config import Config
from appliance.iptables.match import Matches
from appliance.iptables.nat import output, postrouting, prerouting
from appliance.iptables.tables import PREFIX, Scene
from appliance.nat.static import Static
from appliance.policy.acl import AccessList

_RULE = re.compile(rf"\[(\d+):\d+\] -A ({PREFIX}\S+) ")

#: Packets that hit each rule, by chain.
Counters = Mapping[str, tuple[int, ...]]


def counters(saved: str) -> Counters:
    """The counters of our chains."""
    found: dict[str, list[int]] = {}
    for line in saved.splitlines():
        if rule := _RULE.match(line):
            found.setdefault(rule[2], []).append(int(rule[1]))
    return {chain: tuple(counts) for chain, counts in found.items()}


def translations(config: Config, counted: Counters) -> list[tuple[int, int]]:
    """For each static how many connections it translated on the way out, and untranslated on the way in.

    The hosts of one rule share its hits.
    """
    scene = Scene.of(config)
    out, back = (iter(counted.get(f"{PREFIX}{each}", ())) for each in ("POSTROUTING", "PREROUTING"))
    own = iter(counted.get(f"{PREFIX}OUTPUT", ()))
    by_line: dict[tuple[int, str], tuple[int, int]] = {}
    for rule in scene.translations:
        there = sum(islice(out, len(list(postrouting(scene, rule)))))
        here = sum(islice(back, len(list(prerouting(scene, rule)))))
        here += sum(islice(own, len(list(output(rule)))))
        by_line[rule.line, str(rule.real)] = there, here
    return [_of_host(by_line, each) for each in config.statics]


def _of_host(by_line: Mapping[tuple[int, str], tuple[int, int]], static: Static) -> tuple[int, int]:
    for (line, network), hits in by_line.items():
        if line == static.line and static.real in IPv4Network(network):
            return hits
    return 0, 0


def entries(config: Config, access_list: AccessList, filtered: Counters) -> list[int]:
    """For each entry of an access list that matches packets how many connections it decided, wherever it is applied."""
    devices = {each.nameif: each.hardware for each in config.interfaces}
    scene = Scene.of(config)
    totals = [0] * len(access_list.aces)
    for group in config.access_groups:
        if group.access_list != access_list.name:
            continue
        chain = f"{PREFIX}GLOBAL"
        if group.interface is not None:
            chain = f"{PREFIX}{group.direction.upper()}_{devices[group.interface]}"
        counts = iter(filtered.get(chain, ()))
        of_entries = expanded(scene, access_list, arriving=group.direction == "in")
        totals = [total + sum(islice(counts, rules)) for total, rules in zip(totals, of_entries, strict=True)]
    return totals


def expanded(scene: Scene, access_list: AccessList, *, arriving: bool) -> list[int]:
    """How many rules each entry is: one for each of its elements, and for each real address of a mapped one."""
    matches = Matches(scene)
    words = matches.arriving if arriving else matches.here
    return [sum(len(list(words(each))) for each in scene.elements.of(ace)) for ace in access_list.aces]
