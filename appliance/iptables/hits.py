"""How often our rules were hit, read from what ``iptables-save --counters`` prints.

A rule is known by its chain and its place in it, which are those it was rendered at: nothing else names it. Only a
connection's first packet comes to these chains, so a hit is a connection. What TCP Intercept answered is not among
them: it is asked about by chains of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice

from appliance.config.config import Config
from appliance.iptables import PREFIX, expanded
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


def translations(config: Config, nat: Counters) -> list[tuple[int, int]]:
    """For each static how many connections it translated on the way out, and untranslated on the way in."""
    names = {each.nameif for each in config.interfaces if each.nameif and each.hardware}
    chains = [iter(nat.get(f"{PREFIX}{each}", ())) for each in ("POSTROUTING", "PREROUTING", "OUTPUT")]
    hits = []
    for each in config.statics:
        there = each.mapped_interface in names and each.real_interface in names
        translated, came_in, intercepted = (next(chain, 0) if there else 0 for chain in chains)
        hits.append((translated, came_in + intercepted))
    return hits


def entries(config: Config, access_list: AccessList, filtered: Counters) -> list[int]:
    """For each entry of an access list that matches packets how many connections it decided, wherever it is applied."""
    devices = {each.nameif: each.hardware for each in config.interfaces}
    totals = [0] * len(access_list.aces)
    for group in config.access_groups:
        if group.access_list == access_list.name:
            chain = filtered.get(f"{PREFIX}IN_{devices[group.interface]}", ())
            totals = [total + count for total, count in zip(totals, _by_entry(config, access_list, chain), strict=True)]
    return totals


def _by_entry(config: Config, access_list: AccessList, chain: tuple[int, ...]) -> Iterator[int]:
    """An entry that names a mapped address is a rule for each real one."""
    counts = iter(chain)
    for ace in access_list.aces:
        yield sum(islice(counts, len(expanded(ace, config.statics))))
