"""An inspector for tests of the datapath alone: what it does is a function of octets, whatever their segmentation.

``S`` becomes ``X``. ``!`` closes the connection, ``?`` resets it, ``|`` closes it as a malicious address, ``=`` is
logged, ``,`` becomes a space that is told, ``^`` raises, ``~`` ends inspection, ``>`` of the client waits 100 ms for
its turn. Of the server, an unfinished line that begins with ``h`` is held until its LF; stalled, it becomes ``Z``.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import ClassVar

from appliance.flow import Side
from appliance.policy.actions import (
    Action,
    Bypass,
    Defer,
    DropConnection,
    Hold,
    Log,
    MaliciousAddress,
    Mask,
    Matched,
    Replaced,
    ResetConnection,
    Violated,
)
from appliance.policy.maps import InspectMap

CAUSE = Matched(4, "header line length gt 998")
RULE = Violated("early-data", "DATA")


class Double:
    """Every one made is in `made`, for the test to look at."""

    made: ClassVar[list[Double]] = []

    def __init__(self, inspect_map: InspectMap, counters: MutableSequence[int]) -> None:
        self.inspect_map, self.counters = inspect_map, counters
        self.seen = {Side.CLIENT: b"", Side.SERVER: b""}
        self.finished: list[Side] = []
        self.decided = 0  # server octets
        Double.made.append(self)

    def inspect(self, side: Side, offset: int, octets: bytes, now: int) -> list[Action]:
        assert octets
        assert now >= 0
        self.now = now
        assert offset == len(self.seen[side]), "each octet once, in order"
        assert side not in self.finished
        self.seen[side] += octets
        actions: list[Action] = []
        start = offset if side is Side.CLIENT else self.decided
        whole = self.seen[side]
        end = len(whole)
        if side is Side.SERVER:
            line = whole.rfind(b"\n") + 1
            if whole[line : line + 1] == b"h":
                end = line
            self.decided = end
        for at in range(start, end):
            actions += self.octet(side, at, whole[at : at + 1])
        if side is Side.SERVER and end < len(whole):
            actions.append(Hold(side, end))
        return actions

    def octet(self, side: Side, at: int, octet: bytes) -> list[Action]:
        match octet:
            case b"S":
                return [Mask(side, at, b"X")]
            case b"!":
                return [DropConnection(side, CAUSE, log=True)]
            case b"?":
                return [ResetConnection(side, RULE, log=True)]
            case b"|":
                return [MaliciousAddress(side, b"a|b")]
            case b"=":
                return [Log(side, CAUSE)]
            case b",":
                return [Mask(side, at, b" "), Replaced(side, b"MAIL FROM:<a,b>")]
            case b">" if side is Side.CLIENT:
                return [Defer(side, at, self.now + 100_000_000)]
            case b"~":
                return [Bypass(log=True)]
            case b"^":
                raise RuntimeError("the double was told to")
        return []

    def finish(self, side: Side) -> list[Action]:
        assert side not in self.finished
        self.finished.append(side)
        return self.stalled() if side is Side.SERVER else []

    def stalled(self) -> list[Action]:
        start, self.decided = self.decided, len(self.seen[Side.SERVER])
        return [Mask(Side.SERVER, start, b"Z" * (self.decided - start))] if start < self.decided else []
