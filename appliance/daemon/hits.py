"""How often statics and access-list entries were hit, over every configuration that has them.

The kernel's counters begin anew when the rules are put in place again, so what they say is settled before that; an
entry, or a static, that stays keeps its count, as on an ASA, and one that goes loses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.iptables import hits
from appliance.iptables.hits import Counters
from appliance.nat.static import Static
from appliance.policy.acl import AccessList, Ace

#: What a translation is, whatever limits it has.
_Ends = tuple[str, IPv4Address, str, IPv4Address]


class Hits:
    """Counts under one configuration after the other; `read` gives a table's counters."""

    def __init__(self, read: Callable[[str], Counters]) -> None:
        self._read = read
        self._config = Config()
        self._translated: dict[_Ends, tuple[int, int]] = {}
        self._decided: dict[tuple[str, Ace], int] = {}

    def settle(self, config: Config) -> None:
        """Keep what was counted so far: the rules become those of `config`."""
        translated = dict(zip(map(_ends, self._config.statics), self.translations(), strict=True))
        decided = {
            (name, ace): count
            for name, counts in self.entries().items()
            for ace, count in zip(self._aces(name), counts, strict=True)
        }
        self._translated = {key: translated.get(key, (0, 0)) for key in map(_ends, config.statics)}
        keys = ((each.name, ace) for each in config.access_lists for ace in each.aces)
        self._decided = {key: decided.get(key, 0) for key in keys}
        self._config = config

    def translations(self) -> list[tuple[int, int]]:
        """For each static of the configuration, connections translated and untranslated."""
        if not self._config.statics:
            return []
        counted = hits.translations(self._config, self._read("nat"))
        kept = (self._translated[_ends(each)] for each in self._config.statics)
        return [(one + more, other + others) for (one, other), (more, others) in zip(counted, kept, strict=True)]

    def entries(self) -> Mapping[str, list[int]]:
        """By access list a count for each entry that matches packets."""
        if not self._config.access_lists:
            return {}
        filtered = self._read("filter")
        return {each.name: self._counts(each, filtered) for each in self._config.access_lists}

    def _counts(self, access_list: AccessList, filtered: Counters) -> list[int]:
        counted = hits.entries(self._config, access_list, filtered)
        kept = (self._decided[access_list.name, ace] for ace in access_list.aces)
        return [one + more for one, more in zip(counted, kept, strict=True)]

    def _aces(self, name: str) -> tuple[Ace, ...]:
        found = self._config.access_list(name)
        return found.aces if found else ()


def _ends(static: Static) -> _Ends:
    return static.real_interface, static.real, static.mapped_interface, static.mapped
