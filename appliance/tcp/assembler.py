"""Which offsets beyond a gap are held: spans only, no octets.

A span is a run of held offsets, start inclusive, end exclusive.

Rules: spans stand in order; between two of them is at least one offset that is not held.
Source: the idea is smoltcp's assembler (style.md §1.5).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable


class Assembler:
    """The held spans of one direction."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The held spans, in order."""
        return list(zip(self._starts, self._ends, strict=True))

    def add(self, start: int, end: int) -> None:
        """Hold the offsets from `start` to before `end`."""
        if start >= end:
            return
        low = bisect_left(self._ends, start)  # the first span that touches or follows
        high = bisect_right(self._starts, end)  # the first span beyond
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]

    def holds(self, start: int, end: int) -> bool:
        """Whether every offset from `start` to before `end` is held."""
        at = bisect_right(self._starts, start) - 1
        return start >= end or (at >= 0 and end <= self._ends[at])

    def around(self, offsets: Iterable[int], least: int) -> list[tuple[int, int]]:
        """The spans that hold `offsets`, in that order, each once; of fewer than `least` those furthest ahead besides.

        None if none of `offsets` is held.
        """
        found = dict[int, None]()
        for offset in offsets:
            at = bisect_right(self._starts, offset) - 1
            if at >= 0 and offset < self._ends[at]:
                found[at] = None
        for at in reversed(range(len(self._starts))):
            if not 0 < len(found) < least:
                break
            found[at] = None
        return [(self._starts[at], self._ends[at]) for at in found]

    def remove(self, start: int, end: int) -> None:
        """Hold none of the offsets from `start` to before `end`."""
        low, high = bisect_right(self._ends, start), bisect_left(self._starts, end)
        if low >= high:
            return
        kept = [(self._starts[low], start)] if self._starts[low] < start else []
        kept += [(end, self._ends[high - 1])] if self._ends[high - 1] > end else []
        self._starts[low:high] = [each for each, _ in kept]
        self._ends[low:high] = [each for _, each in kept]

    def pass_by(self, offset: int) -> None:
        """Forget everything below `offset`."""
        gone = bisect_right(self._ends, offset)
        del self._starts[:gone], self._ends[:gone]
        if self._starts and self._starts[0] < offset:
            self._starts[0] = offset
