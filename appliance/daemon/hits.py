"""How often statics and access-list entries were hit, over every configuration that has them.

An element of an access list keeps its kernel counter while it stays; the counters of the nat table begin anew when its
rules are put in place again, so what they say is settled before that. What goes loses its count, as on an ASA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.iptables import hits
from appliance.iptables.hits import Counters
from appliance.nat.static import Static
from appliance.policy.acl import Element

#: What a translation is, whatever limits it has.
_Ends = tuple[str, IPv4Address, str, IPv4Address]


class Hits:
    """Counts under one configuration after the other; `read` gives a table's counters."""

    def __init__(self, read: Callable[[str], Counters]) -> None:
        self._read = read
        self._config = Config()
        self._translated: dict[_Ends, tuple[int, int]] = {}

    def settle(self, config: Config) -> None:
        """Keep what was counted so far: the rules become those of `config`."""
        translated = dict(zip(map(_ends, self._config.statics), self.translations(), strict=True))
        self._translated = {key: translated.get(key, (0, 0)) for key in map(_ends, config.statics)}
        self._config = config

    def translations(self) -> list[tuple[int, int]]:
        """For each static of the configuration, connections translated and untranslated."""
        if not self._config.statics:
            return []
        counted = hits.translations(self._config, self._read("nat"))
        kept = (self._translated[_ends(each)] for each in self._config.statics)
        return [(one + more, other + others) for (one, other), (more, others) in zip(counted, kept, strict=True)]

    def entries(self, name: str | None) -> Mapping[str, Sequence[Sequence[tuple[Element, str, int]]]]:
        """By access list, for each entry its elements with their hashes and counts; of all lists, or the one `name`."""
        wanted = [each for each in self._config.access_lists if name in (None, each.name)]
        filtered = self._read("filter") if wanted else Counters()
        return {each.name: hits.entries(self._config, each, filtered) for each in wanted}


def _ends(static: Static) -> _Ends:
    return static.real_interface, static.real, static.mapped_interface, static.mapped
