"""A message on its way: its end, what only looks like its end, and the lengths of its lines (rows 9, 13).

The octets of a message are the bulk of what passes, so they are searched by `bytes` methods alone: no loop per line
or per octet runs in Python but over what is remarkable. Four octets are carried over from one piece to the next, which
is all that a pattern cut in two needs; memory is constant whatever the message is.

The end is ``.`` CRLF at the start of a line (RFC 5321 4.1.1.4), and a line starts behind CRLF; the first behind
DATA's own. Servers differ in what else they take for it: a lone dot between line ends of which one is a bare CR or
LF, or beside a NUL. Such a look-alike is said once a message.
"""

from __future__ import annotations

import io
from operator import attrgetter

from appliance.esmtp.events import Breach, Fact, MessageEnded, Odd, Oddity, Quantity, Rule, SizeViolation
from appliance.esmtp.meters import STUFFED, LineMeter, SizeMeter
from appliance.esmtp.mime import Mime, says_nothing
from appliance.esmtp.nuls import NulLookAlikes
from appliance.esmtp.settings import Settings

_END = b"\r\n.\r\n"
_CARRIED = len(_END) - 1
_CR, _LF = b"\r\n"
_OFFSET = attrgetter("offset")
#: Asked for with every message: a name costs a tenth of what a member of an enumeration does.
_HEADER_LINE, _BODY_LINE = Quantity.HEADER_LINE, Quantity.BODY_LINE
_HEADER, _BODY = Quantity.HEADER, Quantity.BODY
#: What the line end decoder says of text in which CR and LF come together only.
_REGULAR = (None, "\r\n")

#: Look-alikes that are decided at their last octet whatever stands before and behind; those with NULs: `esmtp.nuls`.
_BARE = (b"\n.\n", b"\r.\r", b"\r.\n")


class Message:
    """One message; made when its 354 was seen. `declared` is the size that is to be held against it, if any."""

    __slots__ = (
        "_asked",
        "_body",
        "_body_size",
        "_carried",
        "_declared",
        "_header",
        "_header_size",
        "_in_header",
        "_line_ends",
        "_mime",
        "_nuls",
        "_suspected",
        "_undecided",
    )

    def __init__(self, settings: Settings, declared: int = 0) -> None:
        header_line, body_line, header, body = settings.message_limits
        self._header = LineMeter(_HEADER_LINE, header_line)
        self._body = LineMeter(_BODY_LINE, body_line)
        self._header_size = SizeMeter(_HEADER, header)
        self._body_size = SizeMeter(_BODY, body)
        self._asked = settings if settings.mime else None  # of its structure, while nothing of it was looked at
        self._mime: Mime | None = None
        self._declared = declared
        self._in_header = True
        self._carried = b"\r\n"  # DATA's own line end
        self._undecided = 0  # how many of its octets may be the beginning of the end: the dot, and its CR
        self._line_ends = _line_ends()
        self._nuls = NulLookAlikes()
        self._suspected = False  # a look-alike was said

    def feed(self, octets: bytes, base: int, facts: list[Fact]) -> int:
        """Read `octets`, the first at stream offset `base`. Returns the index behind the message's end, or -1."""
        carried = len(self._carried)
        text = self._carried + octets
        dot = text.find(STUFFED)
        end = text.find(_END, dot) if dot >= 0 else -1
        stop = len(text) if end < 0 else end + len(_END)
        mark = len(facts)
        self._look(text, octets, stop, base, facts)
        undecided = 0
        if dot >= 0 and end < 0:
            undecided = text.endswith(STUFFED) + 2 * text.endswith(_END[:-1])
        start, self._undecided = carried - self._undecided, undecided
        content = end + 2 if end >= 0 else len(text) - undecided
        self._measure(text, carried, stop, start, content, base - carried, dot >= 0, facts)
        if self._asked:
            if not says_nothing(text[:content], self._asked):
                self._mime = Mime(self._asked)
            self._asked = None
        if self._mime and not self._mime.opaque:
            self._mime.feed(text[start:content], base - carried + start, facts)
        if end >= 0 and self._mime:
            self._mime.end(base - carried + stop - 1, facts)
        if len(facts) - mark > 1:
            facts[mark:] = sorted(facts[mark:], key=_OFFSET)
        if end >= 0:
            self._end(base - carried + stop, facts)
            return stop - carried
        self._carried = text[-_CARRIED:]
        return -1

    def _end(self, offset: int, facts: list[Fact]) -> None:
        actual = self._header_size.octets + self._body_size.octets
        if 0 < self._declared < actual:
            facts.append(SizeViolation(self._declared, actual, offset))
        facts.append(MessageEnded(offset))

    def _irregular(self, octets: bytes) -> bool:
        """Whether `octets` have a bare CR or LF. A CR at their very end is judged with the octet behind it."""
        self._line_ends.decode(octets.decode("latin-1"))
        if self._line_ends.newlines in _REGULAR:
            return False
        self._line_ends = _line_ends()
        self._line_ends.decode("\r" if octets[-1] == _CR else "")
        return True

    def _look(self, text: bytes, octets: bytes, stop: int, base: int, facts: list[Fact]) -> None:
        """Look in `octets`, what is new of `text[:stop]`, for bare CRs and LFs and what only looks like the end."""
        carried = len(self._carried)
        decides = self._nuls.feed(octets[: stop - carried])
        if self._irregular(octets) or _bare(self._carried):
            if count := _bare_line_ends(text, carried, stop):
                facts.append(Odd(Oddity.BARE_LINE_END, base, count))
            decides = _first(decides, _look_alike(text, carried, stop) - carried)
        if decides >= 0 and not self._suspected:
            self._suspected = True
            facts.append(Breach(Rule.SMUGGLING, "look-alike of the end of data", base + decides))

    def _measure(
        self,
        text: bytes,
        carried: int,
        stop: int,
        start: int,
        content: int,
        base: int,
        dotted: bool,
        facts: list[Fact],
    ) -> None:
        """Measure lines, `text[carried:stop]`, and sizes, `text[start:content]`; `base` is the offset of `text[0]`.

        The header section ends with the first empty line.
        """
        if not self._in_header:
            self._body.scan(text, carried, stop, base, facts)
            self._body_size.add(text, start, content, base, dotted, facts)
            return
        empty_line = text.find(b"\r\n\r\n", 0, content)
        body = empty_line + 4 if empty_line >= 0 else stop
        self._header.scan(text, carried, body, base, facts)
        self._header_size.add(text, start, min(body, content), base, dotted, facts)
        if empty_line >= 0:
            self._in_header = False
            self._measure(text, body, stop, body, content, base, dotted, facts)


def _bare(carried: bytes) -> bool:
    """Whether a look-alike may have begun in the octets `carried`, at whose ends a line end may be cut in two."""
    rest = carried.removeprefix(b"\n").removesuffix(b"\r").replace(b"\r\n", b"")
    return b"\r" in rest or b"\n" in rest


def _line_ends() -> io.IncrementalNewlineDecoder:
    """What tells bare CRs and LFs from CRLF in half the time that `bytes` methods need: its `newlines` says."""
    return io.IncrementalNewlineDecoder(None, translate=False)


def _bare_line_ends(text: bytes, carried: int, stop: int) -> int:
    """How many bare CRs and LFs `text[carried:stop]` has. A CR at its very end is counted with the octet behind it."""
    new = text[carried - (text[carried - 1] == _CR) : stop]
    return new.count(b"\r") + new.count(b"\n") - 2 * new.count(b"\r\n") - new.endswith(b"\r")


def _first(*places: int) -> int:
    """The first of `places`; those below 0 are none, and so is -1."""
    return min((each for each in places if each >= 0), default=-1)


def _look_alike(text: bytes, carried: int, stop: int) -> int:
    """The index of the first octet that decides a look-alike in `text[:stop]`, -1 if there is none.

    The first `carried` octets were looked at before: what they decided is not said again.
    """
    decides = []
    for pattern in _BARE:
        last = len(pattern) - 1
        at = text.find(pattern, max(carried - last, 0), stop)
        if at >= 0:
            decides.append(at + last)
    return _first(*decides, _cut_short(text, carried, stop))


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
