"""The translations: how many there are; of the statics in force since when, when each was last used, and what is said
when they come and go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.daemon import clock
from appliance.flow import Endpoint
from appliance.nat.connection import Key, Parties
from appliance.nat.static import End, Names, Static
from appliance.syslog import (
    PortTranslationBuilt,
    PortTranslationTornDown,
    Record,
    TranslationBuilt,
    TranslationKind,
    TranslationTornDown,
)


@dataclass(slots=True)
class _Use:
    static: Static
    since: int  # ns
    last: int  # ns


class Translations:
    """Knows them by what they are called; times are the kernel's clock in ns."""

    def __init__(self) -> None:
        self._uses: dict[End, _Use] = {}
        self._names = Names(())
        self._hosts: dict[IPv4Address, End] = {}  # by the real address
        self._standing = 0  # there are so many without any connection
        self._chosen = 0  # and so many that connections were given as they connected (a pool, PAT)
        #: How many there were at once, at most.
        self.most = 0

    @property
    def in_use(self) -> int:
        """How many there are."""
        return self._standing + self._chosen

    def configure(self, statics: Sequence[Static], standing: int, now: int) -> Iterator[Record]:
        """From now on it is `statics`, and so many are `standing`: ports of UDP are among these.

        The records of those that went and of those that came. Limits make no other.
        """
        coming = {each.name: each for each in statics}
        for name, use in tuple(self._uses.items()):
            if name not in coming or _ends(coming[name]) != _ends(use.static):
                del self._uses[name]
                yield _torn_down(use.static, max(0, now - use.since) // clock.SECOND)
        for name, static in coming.items():
            if name not in self._uses:
                self._uses[name] = _Use(static, now, now)
                yield _built(static)
        self._names = Names(statics)
        self._hosts = {static.real: static.name for static in statics if static.ports is None}
        self._standing = standing
        self.most = max(self.most, self.in_use)

    def enter(self, connection: Parties) -> None:
        """It is there, with what it was given."""
        if connection.beyond is not None:
            self._chosen += 1
            self.most = max(self.most, self.in_use)

    def leave(self, connection: Parties) -> None:
        """It is over, and that with it."""
        if connection.beyond is not None:
            self._chosen -= 1

    def recount(self) -> None:
        """Those that are there will be entered again: events were lost, or there were connections before us."""
        self._chosen = 0

    def used(self, key: Key, now: int) -> None:
        """A connection was built; neither of its ends need be translated."""
        static = self._names.called(key.mapped, key.port)
        for name in (static.name if static else None, self._hosts.get(key.client)):
            if name is not None:
                self._uses[name].last = now

    def last_uses(self) -> dict[End, int]:
        """When the latest connection through each was built; when it came, if there was none."""
        return {name: use.last for name, use in self._uses.items()}


def _ends(static: Static) -> tuple[str, End, str, End]:
    return static.real_interface, static.place, static.mapped_interface, static.name


def _endpoints(static: Static) -> tuple[Endpoint, Endpoint]:
    return Endpoint(static.real_interface, *static.place), Endpoint(static.mapped_interface, *static.name)


def _built(static: Static) -> Record:
    if static.ports:
        return PortTranslationBuilt(TranslationKind.STATIC, *_endpoints(static))
    return TranslationBuilt(static.real_interface, static.real, static.mapped_interface, static.mapped)


def _torn_down(static: Static, lasted: int) -> Record:
    if static.ports:
        return PortTranslationTornDown(TranslationKind.STATIC, *_endpoints(static), lasted)
    return TranslationTornDown(static.real_interface, static.real, static.mapped_interface, static.mapped, lasted)
