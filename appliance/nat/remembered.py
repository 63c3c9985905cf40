"""The statics and classes that connections are known by: those in force, and those that are gone.

What a reload takes away is remembered until a later one finds that nothing of it is left: by a static's mapped address
its connections go on, and a class keeps its times for them. Neither has limits any more.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from appliance.nat.classes import LimitedClass, Limits
from appliance.nat.connection import State
from appliance.nat.machine import Entry
from appliance.nat.static import UNLIMITED, End, Ends, Names, Static


class Remembered:
    """Of statics by their ends, of classes by their identity."""

    def __init__(self) -> None:
        self._statics: dict[Ends, Static] = {}
        self._classes: dict[str, LimitedClass] = {}
        self._named: list[Ends] = []  # of those gone, who are known by their mapped address
        self._limits = Limits()
        self._in_force = self.names = Names(())

    def put(self, limits: Limits, entries: Collection[Entry]) -> None:
        """`limits` are in force from now on; `entries` is what lives."""
        before = {each.ends for each in self._limits.statics}
        old = {at: each for at, each in self._statics.items() if at in before or _leads_to_any(each, entries)}
        now = {each.ends: each for each in limits.statics}
        self._statics = {at: _without_limits(each) for at, each in old.items()} | now
        classes_before = {each.identity for each in self._limits.classes}
        used = {each.limited.identity for each in entries if each.limited and each.state is not State.WAITING}
        classes = {name: each for name, each in self._classes.items() if name in classes_before | used}
        self._classes = classes | {each.identity: each for each in limits.classes}
        self._limits = limits
        self._in_force = Names(limits.statics)
        # who has lost a name to another one does not get it back when that is gone
        named = [at for at in (*self._named, *before) if at in self._statics and at not in now]
        gone = [self._statics[at] for at in named if self._in_force.called(*at[0]) is None]
        self._named = [each.ends for each in gone]
        self.names = Names(limits.statics, gone)

    def knows(self, whose: Ends | str) -> bool:
        """Whether a static or a class is remembered."""
        return whose in self._statics or whose in self._classes

    def static(self, ends: Ends | None) -> Static | None:
        """The static that these are the ends of."""
        return self._statics.get(ends) if ends else None

    def current(self, limited: LimitedClass) -> LimitedClass:
        """A class as it was last."""
        return self._classes[limited.identity]

    def diverts(self, entry: Entry) -> bool:
        """Whether what the client of a connection called is another static's by now."""
        called = self._in_force.called(entry.key.mapped, entry.key.port) if entry.static else None
        return called is not None and called.ends != entry.static


def _without_limits(static: Static) -> Static:
    return replace(static, max_conns=UNLIMITED, max_embryonic=UNLIMITED, own=False)


def _leads_to_any(static: Static, entries: Collection[Entry]) -> bool:
    """Whether any connection, from either side, has its end where the static leads."""
    return any(_at(end, static.place) for entry in entries for end in (entry.server, entry.client))


def _at(end: End, place: End) -> bool:
    return end[0] == place[0] and place[1] in (0, end[1])
