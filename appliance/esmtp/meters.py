"""How long the lines of a message are, and how much of it there is, without a loop per line (rows 12, 13).

Lengths are octets as the receiver has them: a dot that begins a line is stuffing and not counted (RFC 5321 4.5.2).
"""

from __future__ import annotations

from appliance.esmtp.events import Exceeded, Fact, Quantity

#: What a stuffed line is known by: the line end before it, and the dot.
STUFFED = b"\r\n."

_NO_LIMIT = 1 << 62
_CR, _LF, _DOT = b"\r\n."


class LineMeter:
    """Finds the lines that are longer than one of `limits` (ascending), in hops from line end to line end.

    A line is what CRLF ends. A hop goes to the last line end within the next limit + 2 octets; where there is none,
    the line is too long, and that is exact: every line the hop passes over lies within the limit. If the octet that is
    one too many is a CR, which may be half a line end, the one behind it tells.
    """

    __slots__ = ("_carriage_return", "_column", "_fresh", "_limits", "_over", "_quantity")

    def __init__(self, quantity: Quantity, limits: tuple[int, ...]) -> None:
        self._quantity = quantity
        self._limits = limits
        self._begin()

    def _begin(self) -> None:
        self._fresh = True  # no octet of the line yet
        self._column = 0  # octets of the line so far, a CR that may be its end not among them
        self._carriage_return = False  # that CR
        self._over = 0  # how many of the limits the line is beyond

    def scan(self, octets: bytes, pos: int, end: int, base: int, facts: list[Fact]) -> None:
        """Read `octets[pos:end]`; `base` is the stream offset of `octets[0]`.

        Of a piece that is not the first, the octet before `pos` is there.
        """
        if not self._limits or pos >= end:
            return
        if self._carriage_return:
            if octets[pos] == _LF:
                pos += 1
                self._begin()
            else:
                self._carriage_return = False
                self._advance(octets, pos - 1, pos, base, facts)
        while pos < end:
            if self._fresh:
                pos = self._hop(octets, pos, end)
                if pos == end:
                    return
                self._fresh = False
                if octets[pos] == _DOT:
                    self._column = -1
            room = (self._limits[self._over] if self._over < len(self._limits) else _NO_LIMIT) - self._column
            if self._over:
                line_end = octets.find(b"\r\n", pos, min(pos + room + 2, end))
            else:
                line_end = octets.rfind(b"\r\n", pos, min(pos + room + 2, end))
            if line_end >= 0:
                pos = line_end + 2
                self._begin()
                continue
            line_end = octets.find(b"\r\n", min(pos + room, end), end)
            stop = line_end if line_end >= 0 else end
            if line_end < 0 and octets[end - 1] == _CR:
                self._carriage_return = True
                stop -= 1
            self._advance(octets, pos, stop, base, facts)
            if line_end < 0:
                return
            self._begin()
            pos = line_end + 2

    def _hop(self, octets: bytes, pos: int, end: int) -> int:
        """Pass over whole lines that are within every limit, dot or not. Returns where the next one begins."""
        reach = self._limits[0] + 2
        while True:
            stop = pos + reach
            line_end = octets.rfind(b"\r\n", pos, stop if stop < end else end)
            if line_end < 0:
                return pos
            pos = line_end + 2

    def _advance(self, octets: bytes, pos: int, end: int, base: int, facts: list[Fact]) -> None:
        """The line goes on with `octets[pos:end]`; a CR among them is part of it, as the octet behind it told."""
        before = self._column
        self._column += end - pos
        while self._over < len(self._limits) and self._column > (limit := self._limits[self._over]):
            at = pos + limit - before
            facts.append(Exceeded(self._quantity, limit, base + at + (octets[at] == _CR)))
            self._over += 1


class SizeMeter:
    """Counts the octets of a header section or a body, line ends too, and says where one of `limits` is passed."""

    __slots__ = ("_limits", "_quantity", "octets")

    def __init__(self, quantity: Quantity, limits: tuple[int, ...]) -> None:
        self._quantity = quantity
        self._limits = limits  # those that are not passed yet
        self.octets = 0

    def add(self, text: bytes, start: int, stop: int, base: int, dotted: bool, facts: list[Fact]) -> None:
        """Count `text[start:stop]`; `base` is the offset of `text[0]`, and the two octets before `start` are there.

        `dotted`: lines of it may begin with a dot.
        """
        before = self.octets
        self.octets += stop - start
        if dotted:
            self.octets -= text.count(STUFFED, start - 2, stop)
        while self._limits and self.octets > (limit := self._limits[0]):
            facts.append(Exceeded(self._quantity, limit, base + _nth(text, start, stop, limit - before)))
            self._limits = self._limits[1:]


def _nth(text: bytes, start: int, stop: int, number: int) -> int:
    """The index of the octet of `text[start:stop]` that has `number` octets before it, stuffing not counted."""
    while True:
        dot = text.find(STUFFED, start - 2, stop) + 2
        if dot < 2 or number < dot - start:
            return start + number
        number -= dot - start
        start = dot + 1
