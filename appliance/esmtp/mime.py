"""The structure of a message on its way: header sections, multiparts and messages within messages (RFC 2045, 2046).

In a header section the fields that matter are picked out (`esmtp.fields`); in a body only the lines that begin like a
delimiter of a multipart are looked at, found by `bytes.find`; a body outside any multipart is not looked at at all. So
an attachment of any size costs constant memory and no Python per line, and what is done for an octet is bounded.

Readers of mail differ; where they do, every reading counts, and that decides three things. A header section shows more
than a body: so only CRLF CRLF ends one, and any line that begins with ``--`` and a boundary begins one, whatever
stands behind it, unless it is exactly the last delimiter. A boundary is never forgotten: a delimiter line of any
multipart counts to the message's end, whichever of them are over by then. And beyond the limits below, which is said
once a message, the structure is not given up but no longer needed: what is left of the message is read as one header
section, and each of its fields counts by itself.

A line begins behind CRLF, a bare LF or a bare CR. A dot that begins a line is stuffing, whatever stands behind it
(RFC 5321 4.5.2).
"""

from __future__ import annotations

import enum
import re
import sys
from collections.abc import Iterable
from heapq import heappop, heappush

from appliance.esmtp.events import Exceeded, Fact, MimeEncoding, MimeFile, Odd, Oddity, Quantity
from appliance.esmtp.fields import EXPANDS, Fields, Section
from appliance.esmtp.settings import Settings

#: Octets of a boundary (RFC 2046 5.1.1); a longer one is known by its first ones.
BOUNDARY = 70
#: Boundaries, and parts, of a message.
BOUNDARIES = 16
PARTS = 256

#: DATA's own line end.
_BEFORE = b"\r\n"
_MULTIPART = "multipart/"
_DIGEST = "multipart/digest"
#: Media types whose body begins with header fields (RFC 2046 5.2, RFC 6532 3.7, RFC 3464).
_MESSAGE = "message/"
#: The boundary of a multipart that states none, as c-client has it.
_UNSTATED = b"-"
_FILENAME, _TO_FIELDS = Quantity.MIME_FILENAME, Quantity.TO_FIELDS

#: What is asked of parts that have no name.
_OF_PARTS = frozenset({MimeEncoding, MimeFile})
#: The fields of a mere text, in lower case: they say nothing else.
_TEXT = re.compile(
    rb"\ncontent-(?:type: ?text/[a-z]++(?:;(?: |\r\n[ \t])charset=(?:[a-z0-9-]++|\"[a-z0-9-]++\"))?"
    rb"|transfer-encoding: ?[a-z0-9-]++)(?=\r\n[^ \t])"
)
#: What makes a delimiter line exactly the last one, behind its boundary (RFC 2046 5.1.1), and what may become that.
_CLOSES = re.compile(rb"--[ \t]{0,8}[\r\n]")
_MAY_CLOSE = re.compile(rb"(?:--[ \t]{0,8}|-)?")
#: Octets of a delimiter line that are looked at, ``--`` at its beginning among them, and one more.
_LINE = 2 + BOUNDARY + 2 + 8 + 2
#: Octets at the end of a piece that may be the beginning of CRLF CRLF.
_HELD = 3
_DOT = 0x2E
#: What may follow a line end that a delimiter may follow.
_LINE_BEGINS = (b"", b"-", b".")


class State(enum.Enum):
    """What the next octet is part of."""

    HEADER = "header section"
    BODY = "body that may be inside a multipart"
    FLAT = "the rest of a message whose structure is not followed"
    OPAQUE = "body that is looked at no more"


class Lines:
    """Where in `text` a line next begins like one of some delimiters; for each of them the text is searched once."""

    __slots__ = ("_next", "_stuffed", "_text")

    def __init__(self, text: bytes, delimiters: Iterable[bytes], at: int) -> None:
        self._text = text
        self._stuffed: bool | None = None  # whether a dot may stand before one; not looked yet
        self._next: list[tuple[int, bytes]] = []  # a heap of line ends, and what is behind them
        for each in delimiters:
            self.want(each, at)

    def want(self, delimiter: bytes, at: int) -> None:
        """Look for one more, from `at` on."""
        if self._stuffed is None:
            self._text = self._text.replace(b"\r", b"\n")
            self._stuffed = b"\n.--" in self._text
        self.find(b"\n" + delimiter, at)
        if self._stuffed:
            self.find(b"\n." + delimiter, at)

    def find(self, wanted: bytes, at: int) -> None:
        """Where `wanted` comes next."""
        found = self._text.find(wanted, at)
        if found >= 0:
            heappush(self._next, (found, wanted))

    def next(self, at: int) -> int:
        """The line end before the first such line from `at` on, the text's end if there is none; never goes back."""
        while self._next and self._next[0][0] < at:
            self.find(heappop(self._next)[1], at)
        return self._next[0][0] if self._next else len(self._text)


def says_nothing(text: bytes, settings: Settings) -> bool:
    """Whether a message's header section is whole in `text`, its beginning, and says no more than that of most mail.

    DATA's own line end is before it. Its structure need not be followed then: a `Mime` would find nothing.
    """
    empty = text.find(b"\r\n\r\n")
    if empty < 0 or settings.of(_TO_FIELDS):
        return False
    header = text[: empty + 4].lower()
    if b"\0" in header:
        return False
    stated = header.count(b"content-")
    if not stated:
        return True
    return settings.wanted.isdisjoint(_OF_PARTS) and stated == len(_TEXT.findall(header))


def _telling(settings: Settings) -> int:
    """Octets from which on a field may give a name that matters."""
    if MimeFile in settings.wanted:
        return 0
    limits = settings.of(Quantity.MIME_FILENAME)
    return limits[0] // EXPANDS + 1 if limits else sys.maxsize


class Mime:
    """The structure of one message. It is fed the message as it is on the wire, without its last ``.`` line."""

    __slots__ = (
        "_carried",
        "_consumed",
        "_delimiters",
        "_digest",
        "_fields",
        "_limits",
        "_nul",
        "_parts",
        "_said",
        "_section",
        "_settings",
        "_state",
        "_telling",
        "_to",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = settings.of(Quantity.MIME_FILENAME)
        self._telling = _telling(settings)
        self._to = settings.of(Quantity.TO_FIELDS)  # of the message's own header section, no other
        self._delimiters: list[bytes] = []  # of every multipart so far: what its delimiter lines begin with
        self._digest = False  # one of them was a digest
        self._parts = 0
        self._nul = False  # the header section has one: who reads over it sees other fields
        self._said = False  # that something can't be followed
        self._carried = _BEFORE  # octets that are consumed, and behind them what is undecided
        self._consumed = len(self._carried)
        self._state = State.HEADER
        self._section = Section(settings.wanted, self._telling)
        self._fields = Fields(fresh=True, counting=bool(self._to))

    @property
    def opaque(self) -> bool:
        """Whether nothing more is looked at."""
        return self._state is State.OPAQUE

    def feed(self, octets: bytes, offset: int, facts: list[Fact]) -> None:
        """More of the message, the first octet at stream offset `offset`."""
        text = self._carried + octets
        at = self._scan(text, self._consumed, offset - len(self._carried), False, facts)
        keep = max(at - 2, 0)
        self._carried, self._consumed = text[keep:], at - keep

    def end(self, offset: int, facts: list[Fact]) -> None:
        """The message is whole; its last octet is at `offset`."""
        text = self._carried
        self._scan(text, self._consumed, offset + 1 - len(text), True, facts)
        if self._state in (State.HEADER, State.FLAT):
            self._end_section(offset, facts)
        self._state = State.OPAQUE

    def _scan(self, text: bytes, at: int, base: int, final: bool, facts: list[Fact]) -> int:
        """Read `text[at:]`, where `base` is the offset of `text[0]`; returns from where on it is undecided.

        `final`: nothing comes behind it.
        """
        lines = Lines(text, self._delimiters, at - 1)
        empty = -1  # where the empty line that ends a header section comes next
        while at < len(text):
            if self._state is State.OPAQUE:
                return len(text)
            if self._state is State.FLAT:
                self._read_flat(text[at:], base + len(text), facts)
                return len(text)
            in_header = self._state is State.HEADER
            line_end = lines.next(at - 1)
            if in_header and empty < at - 2:
                found = text.find(b"\r\n\r\n", at - 2)
                empty = found if found >= 0 else len(text)
            stop = empty if in_header else len(text)
            if line_end < stop:
                decided = self._delimiter(text, line_end + 1, final)
                stop = max(at, line_end)
                if in_header:
                    self._add(text[at:stop])
                if decided is None:
                    return stop
                at, tells, opens = decided
                self._enter_part(base + tells, opens, facts)
            elif stop < len(text):
                self._add(text[at : stop + 2])
                at = stop + 4
                known = len(self._delimiters)
                self._end_section(base + at - 1, facts)
                self._enter_body(base + at - 1, facts)
                for each in self._delimiters[known:]:
                    lines.want(each, at - 1)
            else:
                stop = len(text) if final else self._undecided(text, at)
                if in_header:
                    self._add(text[at:stop])
                return stop
        return at

    def _undecided(self, text: bytes, at: int) -> int:
        """From where on `text[at:]`, in which nothing was found, may be the beginning of something."""
        if not self._delimiters:
            return max(at, len(text) - _HELD)
        window = max(at - 1, len(text) - _LINE)
        line_end = max(text.rfind(b"\n", window), text.rfind(b"\r", window))
        if line_end < 0 or text[line_end + 1 : line_end + 2] not in _LINE_BEGINS:
            return len(text)
        return max(at, line_end)

    def _delimiter(self, text: bytes, start: int, final: bool) -> tuple[int, int, bool] | None:
        """The line at `start`, which begins like a delimiter; None if it takes more to tell which kind it is.

        Where to go on, the octet that tells, and whether it begins a header section: it does for whoever does not
        take it for exactly the last delimiter of its multipart.
        """
        start += text[start] == _DOT
        line = text[start : start + _LINE]
        opens, closes, undecided = [], 0, False
        for each in self._delimiters:
            if not line.startswith(each):
                continue
            if last := _CLOSES.match(line, len(each)):
                closes = last.end() - 1
                continue
            tells = _MAY_CLOSE.match(line, len(each)).end()  # type: ignore[union-attr]  # it matches nothing too
            if tells < len(line) or final:
                opens.append((tells, len(each)))
            else:
                undecided = True
        if opens:
            tells, length = min(opens)
            return start + length, start + min(tells, len(line) - 1), True
        return None if undecided else (start + closes, start + closes, False)

    def _enter_part(self, offset: int, opens: bool, facts: list[Fact]) -> None:
        """A delimiter line has come, told by the octet at `offset`."""
        if self._state is State.HEADER:
            self._end_section(offset, facts)
        self._state = State.BODY
        if opens:
            self._begin_section(False, offset, facts)

    def _begin_section(self, fresh: bool, offset: int, facts: list[Fact]) -> None:
        """A header section begins; `fresh`: its first octet begins a line."""
        self._state = State.HEADER
        self._section = self._new_section()
        self._fields = Fields(fresh)
        self._parts += 1
        if self._parts > PARTS:
            self._unreadable("parts", offset, facts)
            self._state = State.FLAT

    def _new_section(self, followed: bool = True) -> Section:
        return Section(self._settings.wanted, self._telling, self._section.patience, followed)

    def _enter_body(self, offset: int, facts: list[Fact]) -> None:
        """The empty line behind a header section has come: what is the body? `offset` is that of the line's LF."""
        media = self._section.media
        within = any(each.word.startswith(_MESSAGE) for each in media) if media else self._digest
        structured = within or any(each.boundaries or each.word.startswith(_MULTIPART) for each in media)
        if structured and self._section.encoded:
            self._unreadable("encoding", offset, facts)
        self._state = State.BODY if self._delimiters else State.OPAQUE
        for each in media:
            multipart = each.word.startswith(_MULTIPART)
            self._digest |= each.word == _DIGEST
            for boundary in each.boundaries or ((_UNSTATED,) if multipart else ()):
                self._know(b"--" + boundary.rstrip()[:BOUNDARY])
        if len(self._delimiters) > BOUNDARIES:
            self._unreadable("nesting", offset, facts)
            self._fields, self._state = Fields(fresh=True), State.FLAT
        elif within:
            self._begin_section(True, offset, facts)

    def _know(self, delimiter: bytes) -> None:
        """From now on lines may begin with `delimiter`."""
        if delimiter not in self._delimiters and b"\r" not in delimiter and b"\n" not in delimiter:
            self._delimiters.append(delimiter)
            self._state = State.BODY

    def _add(self, octets: bytes) -> None:
        if octets:
            self._nul = self._nul or b"\0" in octets
            for text, _ in self._fields.add(octets, 0):
                self._section.read(text)

    def _read_flat(self, octets: bytes, end: int, facts: list[Fact]) -> None:
        """More of what is read as header fields alone, each by itself; `end` is the offset behind it."""
        encodings = MimeEncoding in self._settings.wanted
        for text, offset in self._fields.add(octets, end):
            if len(text) < self._telling and not encodings:
                continue
            self._section = self._new_section(followed=False)
            self._section.read(text)
            self._say(offset, facts)

    def _end_section(self, offset: int, facts: list[Fact]) -> None:
        """A header section ends, or a message; `offset` is that of the octet that ended it."""
        if last := self._fields.end():
            self._section.read(last)
        if self._to:
            count = self._section.to_fields
            facts.extend(Exceeded(Quantity.TO_FIELDS, limit, offset) for limit in self._to if count > limit)
            self._to = ()
        if self._nul:
            self._nul = False
            self._unreadable("NUL", offset, facts)
        if self._section.told:
            self._say(offset, facts)

    def _say(self, offset: int, facts: list[Fact]) -> None:
        """State what the section said, told by the octet at `offset`."""
        section, wanted = self._section, self._settings.wanted
        facts += [MimeEncoding(word, offset) for word in section.encodings]
        facts += [Exceeded(_FILENAME, limit, offset) for limit in self._limits if section.longest > limit]
        if MimeFile in wanted:
            facts += [MimeFile(name, content_type, offset) for name, content_type in section.files()]
        if section.overfull:
            self._unreadable("field", offset, facts)

    def _unreadable(self, detail: str, offset: int, facts: list[Fact]) -> None:
        if not self._said:
            self._said = True
            facts.append(Odd(Oddity.UNREADABLE_MIME, offset, detail=detail))
