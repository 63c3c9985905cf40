"""The structure of a message on its way: header sections, multiparts and messages within messages (RFC 2045, 2046).

Two states do the work. In a header section the octets are collected until the empty line, and the fields that matter
are read as soon as they are whole; the rest of the section is let go of. In a body only lines that begin with ``--``
are looked at, found by `bytes.find`, and compared with the boundaries of the multiparts the body is in; a body
outside any multipart is not looked at at all. So an attachment of any size costs constant memory and no Python per
line, and what is done for an octet is bounded.

Readers of mail differ; where they do, the reading that shows more is taken. A line ends with LF, with or without CR,
but only CRLF CRLF ends a header section. A boundary is compared with the beginning of a line (RFC 2046 5.1.1). A
dot that begins a line is stuffing, whatever stands behind it (RFC 5321 4.5.2). Beyond the limits below the structure
is followed no further, which is said once a message.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from appliance.esmtp.events import Exceeded, Fact, MimeEncoding, MimeFile, Odd, Oddity, Quantity
from appliance.esmtp.fields import Section
from appliance.esmtp.settings import Settings

#: Octets of a boundary (RFC 2046 5.1.1); a longer one is known by its first ones.
BOUNDARY = 70
#: Multiparts within each other (Postfix's mime_nesting_limit), and parts of a message.
NESTING = 100
PARTS = 10_000
#: Octets of one header field that are read, folded lines and all (Postfix keeps 102,400).
FIELD = 65_536

#: What a delimiter line can be told by: ``--``, the boundary, and ``--`` if it is the last.
_TOLD = 2 + BOUNDARY + 2
#: Octets of a header section that are collected before the first look at them.
_COLLECTED = 2_048
#: Octets at the end of a piece that may be the beginning of CRLF CRLF or of a stuffed delimiter line.
_HELD = 3

_BLANKS = b" \t"
_LF, _DOT = b"\n."
#: How the fields that matter begin, in lower case.
_FIELDS = (b"\ncontent-", b"\nto")
#: Media types whose body is a message with a header section of its own (RFC 2046 5.2.1, RFC 6532 3.7).
_MESSAGES = frozenset({"message/rfc822", "message/global"})
_MULTIPART = "multipart/"
_DIGEST = "multipart/digest"


class State(enum.Enum):
    """What the next octet is part of."""

    HEADER = "header section"
    BODY = "body inside a multipart"
    DELIMITER = "rest of a delimiter line"
    OPAQUE = "body that is looked at no more"


@dataclass(frozen=True, slots=True)
class Multipart:
    """A multipart that the next octet is in: how its delimiter lines begin, and whether its parts are messages."""

    delimiter: bytes
    whole: bool  # nothing was cut off its boundary
    digest: bool


class Fields:
    """Collects a header section as it comes and reads the fields that matter."""

    __slots__ = ("_collected", "_enough", "_fresh", "section", "to_fields", "truncated")

    def __init__(self, wanted: frozenset[type[Fact]]) -> None:
        self._collected = bytearray(b"\n")  # a field begins behind an LF
        self._enough = _COLLECTED
        self._fresh = True  # the next octet begins a line
        self.section = Section(wanted)
        self.to_fields = 0
        self.truncated = False

    def add(self, octets: bytes, dotted: bool) -> None:
        """More of the section, not empty; `dotted`: dots may be stuffed in it."""
        fresh, self._fresh = self._fresh, octets[-1] == _LF
        if dotted:
            octets = (b"\n" + octets if fresh else octets).replace(b"\n.", b"\n")[fresh:]
        self._collected += octets
        if len(self._collected) > self._enough:
            self.read(last=False)
            self._enough = 2 * len(self._collected) + _COLLECTED  # what is kept is not looked at again and again

    def read(self, last: bool) -> None:
        """Read the fields that are whole and keep the beginning of one that is not; `last`: the section ends here."""
        collected = bytes(self._collected)
        lower = collected.lower()
        kept = len(collected) if last else collected.rfind(b"\n")
        for beginning in _FIELDS:
            at = lower.find(beginning)
            while at >= 0:
                end = _field_end(collected, at + 1)
                if end < 0 and not last:
                    kept = min(kept, at)
                    break
                end = len(collected) if end < 0 else end
                self._field(collected[at + 1 : end])
                at = lower.find(beginning, end)
        rest = collected[kept:]
        if len(rest) > FIELD + len(b"\n\r\n"):  # never to be whole: what there is of it is read now
            if rest[: len(_FIELDS[0])].lower().startswith(_FIELDS):
                self._field(rest[1:])
            rest = b""
        self._collected[:] = rest

    def _field(self, text: bytes) -> None:
        text = text.rstrip(b"\r\n")
        self.truncated = self.truncated or len(text) > FIELD
        name, _, value = text[:FIELD].partition(b":")
        name = name.rstrip(_BLANKS).lower()
        self.to_fields += name == b"to"
        self.section.read(name, value)


class Finder:
    """Where `wanted` comes next in `text`; however often it is asked, the text is searched once."""

    __slots__ = ("_found", "_text", "_wanted")

    def __init__(self, text: bytes, wanted: bytes) -> None:
        self._text = text
        self._wanted = wanted
        self._found = -1

    def next(self, at: int) -> int:
        """The first place from `at` on, the end of the text if there is none; `at` never goes back."""
        if self._found < at:
            found = self._text.find(self._wanted, at)
            self._found = found if found >= 0 else len(self._text)
        return self._found


def _field_end(text: bytes, at: int) -> int:
    """Where the field that begins at `text[at]` has its last LF; -1 if that, or the octet behind it, has not come."""
    at = text.find(b"\n", at)
    while 0 <= at < len(text) - 1:
        if text[at + 1] not in _BLANKS:
            return at
        at = text.find(b"\n", at + 1)
    return -1


class Mime:
    """The structure of one message. It is fed the message as it is on the wire, without its last ``.`` line."""

    __slots__ = (
        "_carried",
        "_consumed",
        "_delimiters",
        "_fields",
        "_limits",
        "_multiparts",
        "_parts",
        "_said",
        "_settings",
        "_state",
        "_to",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._limits = settings.of(Quantity.MIME_FILENAME)
        self._to = settings.of(Quantity.TO_FIELDS)  # of the message's own header section, no other
        self._multiparts: list[Multipart] = []  # outermost first
        self._delimiters: tuple[bytes, ...] = ()  # theirs
        self._parts = 0
        self._said = False  # that the structure can't be followed
        self._carried = b"\r\n"  # DATA's own line end: octets that are consumed, and behind them what is undecided
        self._consumed = len(self._carried)
        self._begin_section()

    def _begin_section(self) -> None:
        self._state = State.HEADER
        self._fields = Fields(self._settings.wanted)

    @property
    def opaque(self) -> bool:
        """Whether nothing more is looked at."""
        return self._state is State.OPAQUE

    def feed(self, octets: bytes, offset: int, dotted: bool, facts: list[Fact]) -> None:
        """More of the message, the first octet at stream offset `offset`; `dotted`: lines may begin with a dot."""
        carried = len(self._carried)
        text = self._carried + octets
        at = self._scan(text, self._consumed, offset - carried, dotted or _DOT in self._carried, facts)
        keep = max(at - 2, 0)
        self._carried, self._consumed = text[keep:], at - keep

    def end(self, offset: int, facts: list[Fact]) -> None:
        """The message is whole; its last octet is at `offset`."""
        if self._state is State.HEADER:
            self._add(self._carried[self._consumed :], True)
            self._end_section(offset, facts)
            self._state = State.OPAQUE

    def _scan(self, text: bytes, at: int, base: int, dotted: bool, facts: list[Fact]) -> int:
        """Read `text[at:]`, where `base` is the offset of `text[0]`; returns from where on it is undecided."""
        empty_line, plain = Finder(text, b"\r\n\r\n"), Finder(text, b"\n--")
        stuffed = Finder(text if dotted else b"", b"\n.--")
        while at < len(text):
            if self._state is State.OPAQUE:
                return len(text)
            if self._state is State.DELIMITER:
                line_feed = text.find(b"\n", at)
                if line_feed < 0:
                    return len(text)
                self._begin_section()
                at = line_feed + 1
                continue
            in_header = self._state is State.HEADER
            empty = empty_line.next(at - 2) if in_header else len(text)
            line_end = len(text)  # the LF before a line that may be a delimiter
            if self._multiparts:
                line_end = min(plain.next(at - 1), stuffed.next(at - 1) if dotted else len(text))
            if line_end < empty:
                at, more = self._line(text, at, line_end, base, dotted, facts)
                if not more:
                    return at
            elif empty < len(text):
                self._add(text[at : empty + 2], dotted)
                self._end_section(base + empty + 3, facts)
                self._enter_body(base + empty + 3, facts)
                at = empty + 4
            else:
                held = max(at, len(text) - _HELD)
                if in_header:
                    self._add(text[at:held], dotted)
                return held
        return at

    def _line(
        self, text: bytes, at: int, line_end: int, base: int, dotted: bool, facts: list[Fact]
    ) -> tuple[int, bool]:
        """A line that begins with ``--`` behind `line_end`, an LF. Returns where to go on, and whether one can."""
        start = line_end + 1 + (text[line_end + 1] == _DOT)
        line, line_feed, _ = text[start : start + _TOLD].partition(b"\n")
        decided = bool(line_feed) or len(line) == _TOLD
        multipart = self._innermost(line) if decided else None
        stop = line_end + 1 if multipart or not decided else start + 2
        if self._state is State.HEADER:
            self._add(text[at:stop], dotted)
        if multipart is None:
            return stop, decided
        offset = base + start + len(line) - (not line_feed)
        if self._state is State.HEADER:
            self._end_section(offset, facts)
        self._enter_part(multipart, line, offset, facts)
        return start + len(multipart.delimiter), True

    def _innermost(self, line: bytes) -> Multipart | None:
        """The multipart whose delimiter `line` is; of several the one with the longest boundary, then the innermost."""
        if not line.startswith(self._delimiters):
            return None
        matching = [each for each in self._multiparts if line.startswith(each.delimiter)]
        return max(reversed(matching), key=lambda each: len(each.delimiter))

    def _enter_part(self, multipart: Multipart, line: bytes, offset: int, facts: list[Fact]) -> None:
        """`line` delimits a part of `multipart`: those inside it are over, and with its last one it is too."""
        while self._multiparts[-1] is not multipart:
            self._multiparts.pop()
        last = multipart.whole and line.startswith(b"--", len(multipart.delimiter))
        if last:
            self._multiparts.pop()
        self._delimiters = tuple(each.delimiter for each in self._multiparts)
        if last:
            self._state = State.BODY if self._multiparts else State.OPAQUE
        else:
            self._state = State.DELIMITER
            self._count_part(offset, facts)

    def _count_part(self, offset: int, facts: list[Fact]) -> None:
        self._parts += 1
        if self._parts > PARTS:
            self._unreadable("parts", offset, facts)
            self._multiparts.clear()
            self._state = State.OPAQUE

    def _add(self, octets: bytes, dotted: bool) -> None:
        if octets:
            self._fields.add(octets, dotted)

    def _end_section(self, offset: int, facts: list[Fact]) -> None:
        """Say what the header section said; `offset` is that of the octet that ended it."""
        fields, wanted = self._fields, self._settings.wanted
        fields.read(last=True)
        if self._to:
            facts.extend(Exceeded(Quantity.TO_FIELDS, limit, offset) for limit in self._to if fields.to_fields > limit)
            self._to = ()
        if MimeEncoding in wanted:
            facts.extend(MimeEncoding(word, offset) for word in fields.section.encodings)
        for name, content_type in fields.section.files():
            facts.extend(Exceeded(Quantity.MIME_FILENAME, limit, offset) for limit in self._limits if len(name) > limit)
            if MimeFile in wanted:
                facts.append(MimeFile(name, content_type, offset))
        if fields.truncated or fields.section.overfull:
            self._unreadable("field", offset, facts)

    def _enter_body(self, offset: int, facts: list[Fact]) -> None:
        """The empty line behind a header section has come: what is the body? `offset` is that of the line's LF."""
        digest = bool(self._multiparts) and self._multiparts[-1].digest
        media = self._fields.section.media
        before = len(self._multiparts)
        for each in media:
            if each.word.startswith(_MULTIPART) and each.boundary:
                delimiter = b"--" + each.boundary[:BOUNDARY]
                self._multiparts.append(Multipart(delimiter, len(each.boundary) <= BOUNDARY, each.word == _DIGEST))
        if len(self._multiparts) > NESTING:
            del self._multiparts[before:]
            self._unreadable("nesting", offset, facts)
        self._delimiters = tuple(each.delimiter for each in self._multiparts)
        self._state = State.BODY if self._multiparts else State.OPAQUE
        if len(self._multiparts) == before and (digest if not media else any(each.word in _MESSAGES for each in media)):
            self._begin_section()
            self._count_part(offset, facts)

    def _unreadable(self, detail: str, offset: int, facts: list[Fact]) -> None:
        if not self._said:
            self._said = True
            facts.append(Odd(Oddity.UNREADABLE_MIME, offset, detail=detail))
