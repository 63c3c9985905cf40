"""How often something may happen: a rate with the burst of one second, told when each occurrence has its turn."""

from __future__ import annotations

_SECOND = 1_000_000_000  # ns


class Rate:
    """At most `rate` a second; as many may come at once. Occurrences over the rate queue up behind one another.

    It holds one number: when the next would be due if all came evenly (the generic cell rate algorithm).
    """

    __slots__ = ("_burst", "_due", "_interval")

    def __init__(self, rate: int) -> None:
        self._interval = _SECOND // rate
        self._burst = self._interval * (rate - 1)  # how early one may come
        self._due = 0

    def turn(self, now: int) -> int:
        """One more at `now` (ns): when it has its turn; `now` itself if the rate allows it."""
        self._due = max(self._due, now)
        turn = max(now, self._due - self._burst)
        self._due += self._interval
        return turn
