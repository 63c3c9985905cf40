"""How often our rules were hit, read from what ``iptables-save --counters`` prints.

The element of an access list has a tag (`match.tag`); a rule of the nat table is known by its chain and its place in
it, which are those it was rendered at. Only a connection's first packet comes to these chains, so a hit is a
connection. What TCP Intercept answered is not among them: it is asked about by chains of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from appliance.config.config import Config
from appliance.iptables.match import tag
from appliance.iptables.nat import output, postrouting, prerouting
from appliance.iptables.tables import PREFIX, Scene
from appliance.nat.translation import Translation
from appliance.policy.acl import AccessList, Element

_RULE = re.compile(rf"\[(\d+):\d+\] -A ({PREFIX}\S+) (?:.*--comment \"?(0x[0-9a-f]{{8}})\"? )?")


@dataclass(frozen=True, slots=True)
class Counters:
    """Packets that hit each rule of a chain, in their order, and by tag those that hit any rule that has it."""

    chains: Mapping[str, Sequence[int]] = field(default_factory=dict)
    tags: Mapping[str, int] = field(default_factory=dict)


def counters(saved: str) -> Counters:
    """The counters of our chains."""
    chains: dict[str, list[int]] = {}
    tags: dict[str, int] = {}
    for line in saved.splitlines():
        if rule := _RULE.match(line):
            chains.setdefault(rule[2], []).append(int(rule[1]))
            if rule[3]:
                tags[rule[3]] = tags.get(rule[3], 0) + int(rule[1])
    return Counters(chains, tags)


def translations(config: Config, counted: Counters) -> list[tuple[Translation, int, int]]:
    """Each rule of translation, how many connections it translated on the way out, and untranslated on the way in."""
    scene = Scene.of(config)
    out, back, own = (
        iter(counted.chains.get(f"{PREFIX}{each}", ())) for each in ("POSTROUTING", "PREROUTING", "OUTPUT")
    )
    found = []
    for rule in scene.translations:
        there = sum(islice(out, len(list(postrouting(scene, rule)))))
        here = sum(islice(back, len(list(prerouting(scene, rule)))))
        here += sum(islice(own, len(list(output(scene, rule)))))
        found.append((rule, there, here))
    return found


def entries(config: Config, access_list: AccessList, filtered: Counters) -> list[list[tuple[Element, str, int]]]:
    """For each entry that matches packets its elements, each with its tag and how many connections it decided."""
    scene = Scene.of(config)
    return [
        [
            (element, known, filtered.tags.get(known, 0))
            for element in scene.elements.of(ace)
            for known in (tag(access_list, ace, element),)
        ]
        for ace in access_list.aces
    ]
