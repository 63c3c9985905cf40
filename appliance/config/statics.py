"""Who is translated the same way whoever is at the other end: hosts and TCP ports, each with its limits.

The connection table knows them one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from appliance.config.config import Config
from appliance.config.elements import TooMany
from appliance.config.translations import Chosen, covering, is_static, translations
from appliance.nat.static import Static
from appliance.nat.translation import Pool

#: Hosts of one static that are known one by one, with limits and ARP: its netmask is 255.255.255.0 or longer.
HOSTS = 256
#: Hosts that are translated whole, and ports that are by themselves.
STATICS = 1_024


def hosts(config: Config) -> tuple[Static, ...]:
    """Every host that is translated whole, between two interfaces that are named, with its limits.

    One more than `STATICS` at most: what has so many is refused, as is what comes to too many elements (none then).
    """
    try:
        return tuple(itertools.islice(_hosts(config), STATICS + 1))
    except TooMany:
        return ()


def ports(config: Config) -> tuple[Static, ...]:
    """Every TCP port that is translated by itself, between two named interfaces, with its limits; as `hosts`."""
    try:
        return tuple(itertools.islice(_ports(config), STATICS + 1))
    except TooMany:
        return ()


def _hosts(config: Config) -> Iterator[Static]:
    own, rules = config.own_addresses, translations(config)
    chosen = Chosen(rules)
    for each in rules:
        real_interface, mapped_interface, mapped = each.real_interface, each.mapped_interface, each.mapped
        if real_interface is None or mapped_interface is None or not each.whole or isinstance(mapped, Pool):
            continue
        if each.real.prefixlen < 24:
            continue  # so many are translated by their network
        for real, known in zip(each.real, mapped, strict=True):
            if known not in own:
                limits = each.max_conns, each.max_embryonic
                unproxied = chosen.calling(real, real_interface, mapped_interface)
                yield Static(real_interface, mapped_interface, known, real, *limits, each.line, own=unproxied)


def _ports(config: Config) -> Iterator[Static]:
    own, rules = config.own_addresses, translations(config)
    chosen, covered = Chosen(rules), covering(rules)
    for each in rules:
        of_tcp = each.ports is not None and each.ports.protocol == "tcp"
        if not of_tcp or not is_static(each) or isinstance(each.mapped, Pool) or each in covered:
            continue
        interfaces = str(each.real_interface), str(each.mapped_interface)
        for real, known in zip(each.real, each.mapped, strict=True):
            limits = each.max_conns, each.max_embryonic
            unproxied = known in own or chosen.calling(real, *interfaces)
            yield Static(*interfaces, known, real, *limits, each.line, each.ports, own=unproxied)
