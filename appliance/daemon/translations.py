"""The statics in force: since when, and when each was last used; what is said when they come and go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.daemon import clock
from appliance.nat.connection import Key
from appliance.nat.static import Static
from appliance.syslog import Record, TranslationBuilt, TranslationTornDown


@dataclass(slots=True)
class _Use:
    static: Static
    since: int  # ns
    last: int  # ns


class Translations:
    """Knows them by their mapped addresses; times are the kernel's clock in ns."""

    def __init__(self) -> None:
        self._uses: dict[IPv4Address, _Use] = {}
        self._mapped: dict[IPv4Address, IPv4Address] = {}  # by the real address
        #: How many there were at once, at most.
        self.most = 0

    def configure(self, statics: Sequence[Static], now: int) -> Iterator[Record]:
        """From now on it is `statics`; the records of those that went and of those that came. Limits make no other."""
        coming = {each.mapped: each for each in statics}
        for mapped, use in tuple(self._uses.items()):
            if mapped not in coming or _ends(coming[mapped]) != _ends(use.static):
                del self._uses[mapped]
                yield TranslationTornDown(*_ends(use.static), max(0, now - use.since) // clock.SECOND)
        for mapped, static in coming.items():
            if mapped not in self._uses:
                self._uses[mapped] = _Use(static, now, now)
                yield TranslationBuilt(*_ends(static))
        self._mapped = {static.real: mapped for mapped, static in coming.items()}
        self.most = max(self.most, len(self._uses))

    def used(self, key: Key, now: int) -> None:
        """A connection was built; neither of its ends need be translated."""
        for mapped in (key.mapped, self._mapped.get(key.client)):
            use = self._uses.get(mapped) if mapped is not None else None
            if use is not None:
                use.last = now

    def last_uses(self) -> dict[IPv4Address, int]:
        """When the latest connection through each was built; when it came, if there was none."""
        return {mapped: use.last for mapped, use in self._uses.items()}


def _ends(static: Static) -> tuple[str, IPv4Address, str, IPv4Address]:
    return static.real_interface, static.real, static.mapped_interface, static.mapped
