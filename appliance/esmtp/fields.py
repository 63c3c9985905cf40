"""The header fields that say what a part of a message is: media type, file names, transfer encoding.

`Fields` finds them in the octets of a header section, which it lets go of otherwise; `Section` remembers what they
said. A field begins where a line does and ends before the next line that does not begin with a blank. A bare LF ends a
line like CRLF. A bare CR is read both ways, as the end of a line and as an octet of it: readers of mail differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.esmtp.commands import OTHERS
from appliance.esmtp.events import Fact, MimeEncoding
from appliance.esmtp.parameters import Parameters, parameters, uncommented

#: RFC 2045 §6.1: the transfer encodings ASA has a word for (asa.md §2.3), which is their name.
ENCODINGS = frozenset({b"7bit", b"8bit", b"base64", b"binary", b"quoted-printable"})
#: Those in which the lines of a body are not what they look like.
_ENCODED = frozenset({"base64", "quoted-printable"})

#: Octets of one header field that are read, folded lines and all (Postfix keeps 102,400).
FIELD = 65_536
_LONGEST = FIELD + len(b"x\r")  # told from one of `FIELD` octets
#: Octets of fields that are remembered of one section, each costing a few more: nobody states a type a thousand times.
ROOM = 65_536
_FIELD_COST = 64
#: Values of a message that are read in every way there is, if there are several: each costs as much as a part.
PATIENCE = 128

#: Where a field that matters begins, in a text in which every CR is an LF; a dot there is stuffing.
_CONTENT = rb"content-(?:type|disposition|transfer-encoding)"
_BEGINS = re.compile(rb"\n\.?(?=" + _CONTENT + rb")", re.IGNORECASE)
_BEGINS_OR_TO = re.compile(rb"\n\.?(?=" + _CONTENT + rb"|to[\t :])", re.IGNORECASE)
#: Octets that may be such a beginning, cut.
_BEGINNING = len(b"\n.content-transfer-encoding")
#: The LF that ends a field; a line that begins with a CR is an empty one to some readers and ends nothing.
_ENDS = re.compile(rb"\n(?=\.?[^. \t\r]|\.\.)")
#: What of a text's end may be that LF.
_UNDECIDED = 2

_BARE_CR = re.compile(rb"\r(?![\n \t])\.?")
_TYPE = re.compile(rb"[\0- ]*([^\0- /;,\"()]+)[\0- ]*/[\0- ]*([^\0- /;,\"()]+)")
_PLAIN_TYPE = re.compile(rb" ?+([a-z0-9.+-]++/[a-z0-9.+-]++)(?:;|\Z)", re.IGNORECASE)
_ENCODING = re.compile(rb"[a-z0-9-]+")
_BLANKS = bytes(range(0x21))

#: Octets that an octet of a field can become in a name in UTF-8: those of the replacement character.
EXPANDS = 3
#: What a Content-Type without any of these, whose names don't matter, says is a mere type.
_TELLING = re.compile(rb"boundary|message|multipart|\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Media:
    """A Content-Type: ``type/subtype`` in lower case, the names it gives in UTF-8, its boundaries."""

    word: str
    names: tuple[bytes, ...] = ()
    boundaries: tuple[bytes, ...] = ()


_MERE = Media("")


@dataclass(slots=True)
class Section:
    """What the fields of one header section have said so far; `wanted` are the facts that are asked for.

    Names in fields whose value is shorter than `telling` don't matter, nor do boundaries unless it is `followed` by
    what they delimit. So many odd values, `patience`, are read in every way there is.
    """

    wanted: frozenset[type[Fact]]
    telling: int = 0
    patience: int = PATIENCE
    followed: bool = True
    media: list[Media] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)  # of Content-Disposition, in UTF-8
    encodings: list[str] = field(default_factory=list)  # ASA's words
    longest: int = 0  # octets of the longest name, read as its field's grammar has it
    encoded: bool = False  # the body is stated to be in base64 or quoted-printable
    to_fields: int = 0
    room: int = ROOM
    overfull: bool = False  # more was said than there is room for

    @property
    def told(self) -> bool:
        """Whether a field was read."""
        return self.room < ROOM

    def read(self, text: bytes) -> None:
        """One field, without its line end, dots not yet undone; one that says nothing of this is passed over."""
        if self.room <= 0:
            self.overfull = True
            return
        self.room -= len(text) + _FIELD_COST
        text = text.rstrip(b"\r\n")
        if len(text) > FIELD:
            self.overfull = True
            text = text[:FIELD]
        text = text.replace(b"\n.", b"\n")
        self._field(text)
        if b"\r" in text and _BARE_CR.search(text):
            for line in _BARE_CR.split(text):
                self._field(line)

    def _field(self, text: bytes) -> None:
        name, _, value = text.partition(b":")
        name = name.rstrip(_BLANKS).lower()
        if name == b"content-type":
            self._content_type(value)
        elif name == b"content-disposition":
            if len(value) < self.telling:
                return
            self.names.extend(self._parameters(value).names)
        elif name == b"content-transfer-encoding":
            stated = _encodings(value)
            self.encoded |= not _ENCODED.isdisjoint(stated)
            if MimeEncoding in self.wanted:
                self.encodings.extend(word for word in stated if word not in self.encodings)
        elif name == b"to":
            self.to_fields += 1

    def _content_type(self, value: bytes) -> None:
        if len(value) < self.telling and not _TELLING.search(value):
            self.media.append(_MERE)
            return
        found = self._parameters(value)
        names, boundaries = tuple(found.names), tuple(found.boundaries)
        self.media += [Media(word, names, boundaries) for word in _types(value)]

    def _parameters(self, value: bytes) -> Parameters:
        found = parameters(value, self.patience, self.followed)
        self.patience -= found.odd
        self.overfull |= found.overfull
        self.longest = max(self.longest, found.longest)
        return found

    def files(self) -> list[tuple[bytes, str]]:
        """Every name with the media type it goes with, and every type, once; a type without names has the empty one."""
        media = self.media
        found = [(name, each.word) for each in media for name in each.names]
        if len(found) == 1 == len(media) and not self.names:
            return found
        if self.names:
            word = media[0].word if media else ""
            found += [(name, word) for name in self.names]
        told = {word for _, word in found}
        found += [(b"", each.word) for each in media if each is not _MERE and each.word not in told]
        return list(dict.fromkeys(found))


def _first(value: bytes) -> Iterator[bytes]:
    """The readings of what stands before a field's parameters, in lower case without blanks."""
    bare = uncommented(value) if b"(" in value else value
    for text in (value,) if bare is None or bare == value else (bare, value):
        yield text.partition(b";")[0].translate(None, _BLANKS).lower()


def _types(value: bytes) -> list[str]:
    """The media types that `value` may state; what every reader agrees on first."""
    if plain := _PLAIN_TYPE.match(value):
        return [plain[1].decode().lower()]
    found = {each.decode("latin-1"): None for each in _first(value)}
    if calm := _TYPE.match(value):
        found[(calm[1] + b"/" + calm[2]).decode("latin-1").lower()] = None
    return list(found)


def _encodings(value: bytes) -> list[str]:
    """The words of every transfer encoding that `value` may state."""
    stated = dict.fromkeys([*_first(value), *_ENCODING.findall(value.lower())])
    return [word.decode() for word in stated if word in ENCODINGS] or [OTHERS]


class Fields:
    """Finds the fields that matter in octets that come piece by piece; keeps no more than the one it is in.

    `fresh`: what comes first begins a line. `counting`: To fields matter too.
    """

    __slots__ = ("_begins", "_inside", "_sought", "_text", "_word")

    def __init__(self, fresh: bool, counting: bool = False) -> None:
        self._begins = _BEGINS_OR_TO if counting else _BEGINS
        self._word = b"" if counting else b"content-"  # without it nothing begins
        self._text = bytearray(b"\n" if fresh else b"")
        self._inside = False
        self._sought = 0  # from where on in a field its end is to be looked for

    def add(self, octets: bytes, offset: int) -> list[tuple[bytes, int]]:
        """More octets, the last of them before stream offset `offset`: the fields that are whole now.

        With each comes the offset of the octet that told its end. What is too long of one is passed over.
        """
        text = self._text
        text += octets
        base = offset - len(text)
        found: list[tuple[bytes, int]] = []
        if not self._inside and self._word not in text.lower():
            last = max(text.rfind(b"\n", -_BEGINNING), text.rfind(b"\r", -_BEGINNING))
            del text[: last if last >= 0 else len(text)]
            return found
        at = 0
        lines = bytearray()
        while True:
            if not self._inside:
                lines = lines or text.replace(b"\r", b"\n")
                begins = self._begins.search(lines, at)
                if begins is None:
                    last = lines.rfind(b"\n", max(at, len(lines) - _BEGINNING))
                    del text[: last if last >= 0 else len(text)]
                    return found
                at, self._inside, self._sought = begins.end(), True, 0
            ends = _ENDS.search(text, at + self._sought)
            stop = ends.start() if ends else len(text) - _UNDECIDED
            if stop - at > _LONGEST:
                found.append((bytes(text[at : at + _LONGEST]), base + at + _LONGEST + _UNDECIDED))
                at += _LONGEST
            elif ends:
                found.append((bytes(text[at:stop]), base + stop + 1 + (text[stop + 1] == 0x2E)))
                at = stop
            else:
                del text[:at]
                self._sought = max(len(text) - _UNDECIDED, 0)
                return found
            self._inside = False

    def end(self) -> bytes:
        """The field the octets end in; empty if they end in none."""
        return bytes(self._text) if self._inside else b""
