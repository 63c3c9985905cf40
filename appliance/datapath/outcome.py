"""What comes of one call of the engine: its effects, in order, and the promise of one verdict for each handle."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Any

from appliance.datapath.counters import DROPPED, MODIFIED
from appliance.datapath.effects import Accept, Drop, Effect, Modify
from appliance.tcp.segment import Segment


class Outcome:
    """The effects of the call that runs; `count` is the engine's counter block."""

    __slots__ = ("_count", "_owed", "effects")

    def __init__(self, count: MutableSequence[int]) -> None:
        self._count = count
        self._owed: list[Any] = []
        self.effects: list[Effect] = []

    def take(self) -> list[Effect]:
        """A call ends: what came of it."""
        if self._owed:
            self._owed.clear()
        effects, self.effects = self.effects, []
        return effects

    def owe(self, handle: Any) -> None:
        """A packet that waited is in hand now: this call has to give it its verdict."""
        self._owed.append(handle)

    def go(self, handle: Any, segment: Segment) -> None:
        """The packet goes on: as it came, or rebuilt if `segment` is not what came."""
        if segment.changed:
            self._count[MODIFIED] += 1
            self.effects.append(Modify(handle, segment.finished()))
        else:
            self.effects.append(Accept(handle))

    def drop(self, handle: Any, why: int | None = None) -> None:
        """The packet does not go on; `why` is the counter that says so."""
        self._count[DROPPED] += 1
        if why is not None:
            self._count[why] += 1
        self.effects.append(Drop(handle))

    def give_last(self, handle: Any) -> None:
        """If the packet goes on, it does so behind all others of this call."""
        for at, effect in enumerate(self.effects):
            if isinstance(effect, Accept | Modify) and effect.handle is handle:
                self.effects.append(self.effects.pop(at))
                return

    def settle(self, handle: Any) -> None:
        """After a fault: drop what this call owes a verdict and has not given one, `handle` (if not None) included."""
        given = {id(each.handle) for each in self.effects if isinstance(each, Accept | Modify | Drop)}
        for each in (handle, *self._owed):
            if each is not None and id(each) not in given:
                self.drop(each)
