"""How often statics and access-list entries were hit, over every configuration that has them.

An element of an access list keeps its kernel counter while it stays; the counters of the nat table begin anew when its
rules are put in place again, so what they say is settled before that. What goes loses its count, as on an ASA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from appliance.config.config import Config
from appliance.iptables import hits
from appliance.iptables.hits import Counters
from appliance.nat.translation import Translation
from appliance.policy.acl import Element


class Hits:
    """Counts under one configuration after the other; `read` gives a table's counters."""

    def __init__(self, read: Callable[[str], Counters]) -> None:
        self._read = read
        self._config = Config()
        self._translated: dict[Translation, tuple[int, int]] = {}

    def settle(self, config: Config) -> None:
        """Keep what was counted so far: the rules become those of `config`."""
        translated = {_unlimited(rule): (there, here) for rule, there, here in self.translations()}
        self._config = config
        rules = (_unlimited(rule) for rule, _, _ in hits.translations(config, Counters()))
        self._translated = {rule: translated.get(rule, (0, 0)) for rule in rules}

    def translations(self) -> list[tuple[Translation, int, int]]:
        """Each rule of translation, and connections translated and untranslated by it."""
        if not self._config.translations:
            return []
        counted = hits.translations(self._config, self._read("nat"))
        kept = (self._translated[_unlimited(rule)] for rule, _, _ in counted)
        return [
            (rule, there + one, here + other) for (rule, there, here), (one, other) in zip(counted, kept, strict=True)
        ]

    def entries(self, name: str | None) -> Mapping[str, Sequence[Sequence[tuple[Element, str, int]]]]:
        """By access list, for each entry its elements with their hashes and counts; of all lists, or the one `name`."""
        wanted = [each for each in self._config.access_lists if name in (None, each.name)]
        filtered = self._read("filter") if wanted else Counters()
        return {each.name: hits.entries(self._config, each, filtered) for each in wanted}


def _unlimited(rule: Translation) -> Translation:
    """What a rule is, whatever its limits."""
    return replace(rule, max_conns=0, max_embryonic=0)
