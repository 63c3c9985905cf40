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

#: Look-alikes that are decided at their last octet whatever stands before and behind.
_BARE_LF = b"\n.\n"
_BARE_CR = (b"\r.\r", b"\r.\n")
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
            if octets[pos] == 0x0A:
                pos += 1
                self._begin()
            else:
                self._carriage_return = False
                self._advance(1, base + pos - 1, facts)
        while pos < end:
            if self._fresh:
                self._fresh = False
                if octets[pos] == 0x2E:
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
            if line_end < 0 and octets[end - 1] == 0x0D:
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

    __slots__ = ("_body", "_carriage_return", "_carried", "_header", "_in_header", "_suspected")

    def __init__(self, header_limits: tuple[int, ...], body_limits: tuple[int, ...]) -> None:
        self._header = LineMeter(Quantity.HEADER_LINE, header_limits)
        self._body = LineMeter(Quantity.BODY_LINE, body_limits)
        self._in_header = True
        self._carried = b"\r\n"  # DATA's own line end
        self._carriage_return = False  # the last octet was CR, bare or not
        self._suspected = False  # a look-alike was said

    def feed(self, octets: bytes, pos: int, base: int, facts: list[Fact]) -> int:
        """Read on from `octets[pos]`; `base` is the offset of `octets[0]`. Returns the index behind the message's end,
        -1 if it goes on."""
        carried = len(self._carried)
        text = self._carried + (octets[pos:] if pos else octets)
        shift = pos - carried  # an index in `text` plus `shift` is one in `octets`
        mark = len(facts)
        end = -1
        dot = text.find(b"\n.")
        if dot >= 0:
            end = text.find(_END, max(dot - 1, 0))
        stop = len(octets) if end < 0 else end + len(_END) + shift
        bare = self._count_bare(octets, pos, stop, base, facts)
        if not self._suspected and (dot >= 0 or bare or b"\0" in text or b"\r" in self._carried):
            decides = _look_alike(text, carried, len(text) if end < 0 else end + len(_END), bare)
            if decides >= 0:
                self._suspected = True
                facts.append(Breach(Rule.SMUGGLING, "look-alike of the end of data", decides + shift + base))
        self._measure(text, octets, pos, stop, shift, base, facts)
        if len(facts) - mark > 1:
            facts[mark:] = sorted(facts[mark:], key=lambda fact: fact.offset)
        if end >= 0:
            facts.append(MessageEnded(base + stop))
            return stop
        self._carried = text[-_CARRIED:]
        return -1

    def _count_bare(self, octets: bytes, pos: int, stop: int, base: int, facts: list[Fact]) -> bool:
        """Count bare CRs and LFs, a CR at the very end once the next octet is seen; whether there are any."""
        text = octets[pos:stop] if pos or stop < len(octets) else octets
        if self._carriage_return:
            text = b"\r" + text
        self._carriage_return = text.endswith(b"\r")
        rest = text.replace(b"\r\n", b"")
        count = rest.count(b"\r") + rest.count(b"\n") - self._carriage_return
        if count:
            facts.append(Odd(Oddity.BARE_LINE_END, base + pos, count))
        return count > 0

    def _measure(
        self, text: bytes, octets: bytes, pos: int, stop: int, shift: int, base: int, facts: list[Fact]
    ) -> None:
        """Measure the lines of `octets[pos:stop]`, those of the header section and those of the body."""
        if self._in_header:
            empty_line = text.find(b"\r\n\r\n", 0, stop - shift)
            if empty_line < 0:
                self._header.scan(octets, pos, stop, base, facts)
                return
            body = empty_line + 4 + shift
            self._header.scan(octets, pos, body, base, facts)
            self._in_header = False
            pos = body
        self._body.scan(octets, pos, stop, base, facts)


def _look_alike(text: bytes, carried: int, stop: int, bare: bool) -> int:
    """The index of the first octet that decides a look-alike in `text[:stop]`, -1 if there is none.

    The first `carried` octets were looked at before: what they decided is not said again.
    """
    patterns: tuple[bytes, ...] = (_BARE_LF,)
    if bare or b"\r" in text[:carried]:
        patterns += _BARE_CR
    if b"\0" in text:
        patterns += _WITH_NUL
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
        crlf = at > 0 and text[at - 1] == 0x0D
        decides = at + 3 if crlf else at + 2
        if carried <= decides < stop and not (crlf and text[decides] == 0x0A):
            return decides
        at = text.find(b"\n.\r", at + 1, stop)
    return -1
