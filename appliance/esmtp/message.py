"""A message on its way: its end, what only looks like its end, and the lengths of its lines (rows 9, 13).

The octets of a message are the bulk of what passes, so they are searched by `bytes` methods alone: no loop per line
or per octet runs in Python but over what is remarkable. Four octets are carried over from one piece to the next, which
is all that a pattern cut in two needs; memory is constant whatever the message is.

The end is ``.`` CRLF at the start of a line (RFC 5321 4.1.1.4), and a line starts behind CRLF; the first behind
DATA's own. Servers differ in what else they take for it: a lone dot between line ends of which one is a bare CR or
LF, or beside a NUL. Such a look-alike is said once a message.
"""

from __future__ import annotations

from appliance.esmtp.events import Breach, Exceeded, Fact, MessageEnded, Odd, Oddity, Quantity, Rule

_END = b"\r\n.\r\n"
_CARRIED = len(_END) - 1
_NO_LIMIT = 1 << 62
_CR, _LF, _DOT = b"\r\n."

#: Look-alikes that are decided at their last octet whatever stands before and behind.
_BARE = (b"\n.\n", b"\r.\r", b"\r.\n")
_WITH_NUL = tuple(
    before + left + b"." + right + behind
    for before in (b"\n", b"\r")
    for left, right in ((b"\0", b""), (b"", b"\0"), (b"\0", b"\0"))
    for behind in (b"\r", b"\n")
)


class LineMeter:
    """Finds the lines that are longer than one of `limits` (ascending), in hops from line end to line end.

    A line is what CRLF ends. A hop goes to the last line end within the next limit + 2 octets; where there is none,
    the line is too long, and that is exact: every line the hop passes over lies within the limit. A dot that begins a
    line is stuffing and not counted (RFC 5321 4.5.2).
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
        """Read `octets[pos:end]`; `base` is the stream offset of `octets[0]`."""
        if not self._limits or pos >= end:
            return
        if self._carriage_return:
            if octets[pos] == _LF:
                pos += 1
                self._begin()
            else:
                self._carriage_return = False
                self._advance(1, base + pos - 1, facts)
        while pos < end:
            if self._fresh:
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
            self._advance(stop - pos, base + pos, facts)
            if line_end < 0:
                return
            self._begin()
            pos = line_end + 2

    def _advance(self, count: int, offset: int, facts: list[Fact]) -> None:
        """The line has `count` octets more, the first of them at stream offset `offset`."""
        before = self._column
        self._column += count
        while self._over < len(self._limits) and self._column > (limit := self._limits[self._over]):
            facts.append(Exceeded(self._quantity, limit, offset + limit - before))
            self._over += 1


class Message:
    """One message; made when its 354 was seen."""

    __slots__ = ("_body", "_carried", "_header", "_in_header", "_suspected")

    def __init__(self, header_limits: tuple[int, ...], body_limits: tuple[int, ...]) -> None:
        self._header = LineMeter(Quantity.HEADER_LINE, header_limits)
        self._body = LineMeter(Quantity.BODY_LINE, body_limits)
        self._in_header = True
        self._carried = b"\r\n"  # DATA's own line end
        self._suspected = False  # a look-alike was said

    def feed(self, octets: bytes, base: int, facts: list[Fact]) -> int:
        """Read `octets`, the first at stream offset `base`. Returns the index behind the message's end, or -1."""
        carried = self._carried
        text = carried + octets
        end = text.find(_END)
        stop = len(octets) if end < 0 else end + len(_END) - len(carried)
        mark = len(facts)
        if _irregular(text):
            self._examine(text, len(carried), stop + len(carried), base, facts)
        if self._in_header:
            self._measure_header(text, octets, stop, base, facts)
        else:
            self._body.scan(octets, 0, stop, base, facts)
        if len(facts) - mark > 1:
            facts[mark:] = sorted(facts[mark:], key=lambda fact: fact.offset)
        if end >= 0:
            facts.append(MessageEnded(base + stop))
            return stop
        self._carried = text[-_CARRIED:]
        return -1

    def _examine(self, text: bytes, carried: int, stop: int, base: int, facts: list[Fact]) -> None:
        """Count the bare CRs and LFs of `text[carried:stop]` and look for what only looks like the end.

        A CR at the very end is counted when the octet behind it is seen.
        """
        start = carried - (text[carried - 1] == _CR)
        new = text[start:stop]
        pairs = new.count(b"\r\n")
        count = new.count(b"\r") + new.count(b"\n") - 2 * pairs - new.endswith(b"\r")
        if count:
            facts.append(Odd(Oddity.BARE_LINE_END, base, count))
        if not self._suspected:
            decides = _look_alike(text, carried, stop)
            if decides >= 0:
                self._suspected = True
                facts.append(Breach(Rule.SMUGGLING, "look-alike of the end of data", base + decides - carried))

    def _measure_header(self, text: bytes, octets: bytes, stop: int, base: int, facts: list[Fact]) -> None:
        """Measure `octets[:stop]`, where the header section still runs: it ends at the first empty line."""
        carried = len(text) - len(octets)
        empty_line = text.find(b"\r\n\r\n", 0, stop + carried)
        if empty_line < 0:
            self._header.scan(octets, 0, stop, base, facts)
            return
        self._in_header = False
        body = empty_line + 4 - carried
        self._header.scan(octets, 0, body, base, facts)
        self._body.scan(octets, body, stop, base, facts)


def _irregular(text: bytes) -> bool:
    """Whether `text` has a bare CR, a bare LF or a NUL, as every look-alike has.

    A CR at its very end is not bare yet; an LF at its very beginning was judged when the octet before it was seen.
    """
    rest = text.replace(b"\r\n", b"")
    if b"\r" in rest and (rest.find(b"\r") < len(rest) - 1 or text[-1] != _CR):
        return True
    if b"\n" in rest and (rest.rfind(b"\n") > 0 or text[0] != _LF):
        return True
    return b"\0" in rest


def _look_alike(text: bytes, carried: int, stop: int) -> int:
    """The index of the first octet that decides a look-alike in `text[:stop]`, -1 if there is none.

    The first `carried` octets were looked at before: what they decided is not said again.
    """
    patterns = (*_BARE, *_WITH_NUL) if b"\0" in text else _BARE
    decides = []
    for pattern in patterns:
        last = len(pattern) - 1
        at = text.find(pattern, max(carried - last, 0), stop)
        if at >= 0:
            decides.append(at + last)
    decides.append(_cut_short(text, carried, stop))
    return min((each for each in decides if each >= 0), default=-1)


def _cut_short(text: bytes, carried: int, stop: int) -> int:
    """The same for ``LF . CR``: a look-alike unless CR stands before it and LF behind it."""
    at = text.find(b"\n.\r", 0, stop)
    while at >= 0:
        crlf = at > 0 and text[at - 1] == _CR
        decides = at + 3 if crlf else at + 2
        if carried <= decides < stop and not (crlf and text[decides] == _LF):
            return decides
        at = text.find(b"\n.\r", at + 1, stop)
    return -1
