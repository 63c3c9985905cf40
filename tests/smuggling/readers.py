"""The recorded servers as machines of a few states each: how they find the end of a message, octet by octet.

The records prove the machines (every sequence of up to five octets), the machines carry the proof on to sequences of
any length. A machine keeps what the line in progress is so far, without the CRs at its end, and how many those are.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace


class Line(enum.Enum):
    """What the line is, the CRs at its end left out."""

    EMPTY = "nothing"
    DOT = "a dot"
    OTHER = "anything else"


class Ends(enum.Enum):
    """What ends a line."""

    UNKNOWN = "what ends the first one"
    LF = "LF, with a CR before it or not"
    CRLF = "CRLF alone"


@dataclass(frozen=True)
class State:
    """Between two octets of a message. `carriage_returns`: 0, 1, or 2 for more."""

    line: Line = Line.EMPTY
    carriage_returns: int = 0
    ends: Ends = Ends.UNKNOWN

    def read(self, octet: bytes) -> State:
        """Any octet but the LF that ends a line."""
        if octet == b"\r":
            return replace(self, carriage_returns=min(2, self.carriage_returns + 1))
        first = self.line is Line.EMPTY and not self.carriage_returns and octet == b"."
        return replace(self, line=Line.DOT if first else Line.OTHER, carriage_returns=0)


#: The state behind one octet more, None: the message has ended.
Reader = Callable[[State, bytes], State | None]


def any_line_feed(state: State, octet: bytes) -> State | None:
    """LF ends a line, however many CRs stand before it."""
    if octet != b"\n":
        return state.read(octet)
    return None if state.line is Line.DOT else State()


def crlf_alone(state: State, octet: bytes) -> State | None:
    """CRLF ends a line; whatever else there is of CR and LF is text."""
    if octet != b"\n" or not state.carriage_returns:
        return state.read(octet)
    return None if state.line is Line.DOT and state.carriage_returns == 1 else State()


def as_the_first(state: State, octet: bytes) -> State | None:
    """The first line's end says whether CRLF ends a line alone, or LF with at most one CR before it."""
    if octet != b"\n" or (state.ends is Ends.CRLF and not state.carriage_returns):
        return state.read(octet)
    ends = state.ends
    if ends is Ends.UNKNOWN:
        ends = Ends.CRLF if state.carriage_returns else Ends.LF
    return None if state.line is Line.DOT and state.carriage_returns < 2 else State(ends=ends)


READERS: dict[str, Reader] = {
    "postfix": any_line_feed,
    "postfix-normalize": crlf_alone,
    "postfix-reject": crlf_alone,
    "exim": as_the_first,
    "aiosmtpd": crlf_alone,
}
