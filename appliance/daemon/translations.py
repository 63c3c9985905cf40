"""The translations: how many there are; of the statics in force since when, when each was last used, and what is said
when they come and go.

A static is there as long as its configuration. As whom else a server is called, a rule says of some peers alone, or of
more hosts than are listed: that is there from its first connection to its last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.config.topology import Ends
from appliance.daemon import clock
from appliance.datapath.snapshot import CalledUse
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


@dataclass(slots=True)
class _Called:
    connections: int
    since: int  # ns
    last: int  # ns


#: A server's real end, and the one that is called; without ports where these are the same.
_Call = tuple[Endpoint, Endpoint]


class Translations:
    """Knows them by what they are called; times are the kernel's clock in ns."""

    def __init__(self) -> None:
        self._uses: dict[End, _Use] = {}
        self._names = Names(())
        self._hosts: dict[IPv4Address, End] = {}  # by the real address
        self._standing = 0  # there are so many without any connection
        self._chosen = 0  # and so many that connections were given as they connected (a pool, PAT)
        self._called: dict[_Call, _Called] = {}
        #: How many there were at once, at most.
        self.most = 0

    @property
    def in_use(self) -> int:
        """How many there are."""
        return self._standing + self._chosen + len(self._called)

    def configure(self, statics: Sequence[Static], standing: int, now: int) -> Iterator[Record]:
        """From now on it is `statics`, and so many are `standing`: ports of UDP are among these.

        The records of those that went and of those that came. Limits make no other.
        """
        coming = {each.name: each for each in statics}
        for name, use in tuple(self._uses.items()):
            if name not in coming or _ends(coming[name]) != _ends(use.static):
                del self._uses[name]
                yield _torn_down(*_endpoints(use.static), max(0, now - use.since) // clock.SECOND)
        for name, static in coming.items():
            if name not in self._uses:
                self._uses[name] = _Use(static, now, now)
                yield _built(*_endpoints(static))
        self._names = Names(statics)
        self._hosts = {static.real: static.name for static in statics if static.ports is None}
        self._standing = standing
        self.most = max(self.most, self.in_use)

    def enter(self, connection: Parties, ends: Ends, now: int) -> Record | None:
        """It is there, with what it was given or its server is called; the record if that is there by it alone."""
        if connection.beyond is not None:
            self._chosen += 1
            made: Record | None = PortTranslationBuilt(TranslationKind.DYNAMIC, ends.client, ends.beyond)
        else:
            made = self._calls(ends, now) if ends.otherwise else None
        if made is not None:
            self.most = max(self.most, self.in_use)
        return made

    def _calls(self, ends: Ends, now: int) -> Record | None:
        """Its server is called so; the record if none of the others does."""
        call = _call(ends)
        called = self._called.get(call)
        if called is not None:
            called.connections += 1
            called.last = max(called.last, now)
            return None
        self._called[call] = _Called(1, now, now)
        return _built(*call)

    def leave(self, connection: Parties, ends: Ends, lasted: int, now: int) -> Record | None:
        """It is over after `lasted` seconds; the record if with it goes what it was given, or its server was called."""
        if connection.beyond is not None:
            self._chosen -= 1
            return PortTranslationTornDown(TranslationKind.DYNAMIC, ends.client, ends.beyond, lasted)
        if not ends.otherwise:
            return None
        call = _call(ends)
        called = self._called.get(call)
        if called is None:
            return None  # its beginning was lost
        called.connections -= 1
        if called.connections:
            return None
        del self._called[call]
        return _torn_down(*call, max(0, now - called.since) // clock.SECOND)

    def recount(self, connections: Iterable[tuple[Parties, Ends, int]]) -> Iterator[tuple[Parties, Ends, int]]:
        """From now on these are all, each with when it began: events were lost, or there were some before us. They are
        passed on as they are counted, for there may be a million."""
        before, self._called, self._chosen = self._called, {}, 0
        for connection, ends, started in connections:
            self.enter(connection, ends, started)
            yield connection, ends, started
        for call, called in self._called.items():
            known = before.get(call)
            called.since = known.since if known else called.since

    def called(self) -> tuple[CalledUse, ...]:
        """As whom servers are called, but for the statics."""
        return tuple(CalledUse(*call, called.last) for call, called in self._called.items())

    def used(self, key: Key, now: int) -> None:
        """A connection was built; neither of its ends need be translated."""
        static = self._names.called(key.mapped, key.port)
        for name in (static.name if static else None, self._hosts.get(key.client)):
            if name is not None:
                self._uses[name].last = now

    def last_uses(self) -> dict[End, int]:
        """When the latest connection through each was built; when it came, if there was none."""
        return {name: use.last for name, use in self._uses.items()}


def _call(ends: Ends) -> _Call:
    real, mapped = ends.server, ends.server_mapped
    if real.port != mapped.port:
        return real, mapped
    return Endpoint(real.interface, real.address, 0), Endpoint(mapped.interface, mapped.address, 0)


def _ends(static: Static) -> tuple[str, End, str, End]:
    return static.real_interface, static.place, static.mapped_interface, static.name


def _endpoints(static: Static) -> _Call:
    return Endpoint(static.real_interface, *static.place), Endpoint(static.mapped_interface, *static.name)


def _built(real: Endpoint, mapped: Endpoint) -> Record:
    if mapped.port:
        return PortTranslationBuilt(TranslationKind.STATIC, real, mapped)
    return TranslationBuilt(real.interface, real.address, mapped.interface, mapped.address)


def _torn_down(real: Endpoint, mapped: Endpoint, lasted: int) -> Record:
    if mapped.port:
        return PortTranslationTornDown(TranslationKind.STATIC, real, mapped, lasted)
    return TranslationTornDown(real.interface, real.address, mapped.interface, mapped.address, lasted)
