"""The header fields that say what a part of a message is: media type, file names, transfer encoding.

The grammar is that of RFC 2045 §5.1 and RFC 2183 with what real mail has besides: parameters continued and percent
encoded (RFC 2231), encoded words in quoted strings (RFC 2047 forbids them, many clients write them), names without
quotes, blanks around ``=``, quotes that are never closed. Readers of mail differ in which of several names they show,
so every name a part gives itself counts.

A field is read once, whole; the work is linear in its length. `re` is for these few lines only, never for bodies.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from appliance.esmtp.commands import OTHERS
from appliance.esmtp.events import Fact, MimeEncoding, MimeFile

#: RFC 2045 §6.1: the transfer encodings ASA has a word for (asa.md §2.3), which is their name.
ENCODINGS = frozenset({b"7bit", b"8bit", b"base64", b"binary", b"quoted-printable"})

#: Charsets as mail spells them whose decoders take linear time; octets in any other stay as they are.
_CHARSET = re.compile(
    r"us-ascii|utf-?(?:8|16|32)(?:[bl]e)?|iso-?8859-\d{1,2}|(?:windows-|cp)(?:125\d|437|850|866|932|936|949|950)"
    r"|koi8-[rut]|gb(?:2312|k|18030)|big5(?:-hkscs)?|euc-(?:jp|kr)|shift_jis|iso-2022-(?:jp|kr)|tis-620|macintosh"
)

#: A value in pieces: a quoted string, a bracket, a separator, a run of blanks, a run of anything else.
_PIECE = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[();]|[ \t\r\n]+|[^"(); \t\r\n]+', re.DOTALL)
#: The same inside a comment, where quotes and semicolons mean nothing.
_COMMENTED = re.compile(rb"[()]|\\.?|[^()\\]+", re.DOTALL)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_FOLD = re.compile(rb"\r?\n(?=[ \t])")
#: RFC 2231 §3, §4: ``name``, ``name*``, ``name*0``, ``name*0*``.
_CONTINUED = re.compile(rb"([^*]+)(?:\*(\d{1,9}))?(\*)?")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
#: RFC 2047 §2, with RFC 2231 §5's language; blanks before a further word go with it.
_WORD = re.compile(rb"=\?([^?*\s]+)(?:\*[^?\s]*)?\?([BbQq])\?([^?]*)\?=(?:[ \t]+(?==\?[^?\s]+\?[BbQq]\?[^?]*\?=))?")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")

Parameters = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Media:
    """A Content-Type: ``type/subtype`` in lower case, the names it gives in UTF-8, its boundary (empty: none)."""

    word: str
    names: tuple[bytes, ...]
    boundary: bytes


#: Octets of fields that are remembered of one section, each costing a few more: nobody states a type a thousand times.
ROOM = 65_536
_FIELD_COST = 64

#: What a Content-Type without any of these words says is a mere type.
_TELLING = (b"name", b"boundary", b"message")
_MERE = Media("", (), b"")


@dataclass(slots=True)
class Section:
    """What the fields of one header section have said so far; `wanted` are the facts that are asked for."""

    wanted: frozenset[type[Fact]]
    media: list[Media] = field(default_factory=list)
    names: list[bytes] = field(default_factory=list)  # of Content-Disposition, in UTF-8
    encodings: list[str] = field(default_factory=list)  # ASA's words
    room: int = ROOM
    overfull: bool = False  # more was said than there is room for

    def read(self, name: bytes, value: bytes) -> None:
        """One field, its `name` in lower case; a field that says nothing of this is passed over."""
        if self.room <= 0:
            self.overfull = True
            return
        self.room -= len(value) + _FIELD_COST
        if name == b"content-type":
            if MimeFile not in self.wanted and not any(each in value.lower() for each in _TELLING):
                self.media.append(_MERE)
                return
            word, parameters = parse(value)
            boundary = next(iter(readings(parameters, b"boundary")), (b"", b""))[0].rstrip()
            self.media.append(Media(word.decode("latin-1"), tuple(_names(parameters, b"name")), boundary))
        elif name == b"content-disposition":
            self.names.extend(_names(parse(value)[1], b"filename"))
        elif name == b"content-transfer-encoding" and MimeEncoding in self.wanted:
            word = parse(value)[0]
            self.encodings.append(word.decode() if word in ENCODINGS else OTHERS)

    def files(self) -> list[tuple[bytes, str]]:
        """Every name with the media type it goes with, once; a type in a section without names has the empty one."""
        found = [(name, each.word) for each in self.media for name in each.names]
        if self.names:
            word = self.media[0].word if self.media else ""
            found += [(name, word) for name in self.names]
        if found:
            return list(dict.fromkeys(found))
        return [(b"", each.word) for each in self.media if each is not _MERE]


def parse(value: bytes) -> tuple[bytes, Parameters]:
    """A field's first word, in lower case without blanks, and its parameters in order, their names in lower case."""
    first, *rest = _split(value)
    parameters = []
    for each in rest:
        name, equals, text = each.partition(b"=")
        if equals:
            parameters.append((name.strip().lower(), _unquoted(text.strip())))
    return b"".join(first.split()).lower(), parameters


def _split(value: bytes) -> Iterator[bytes]:
    """`value` unfolded and cut at its semicolons, comments left out (RFC 5322 3.2.2).

    A bracket inside a word, ``name=report(1).pdf``, begins no comment: no reader of mail takes it for one.
    """
    value = _FOLD.sub(b"", value)
    depth, at, in_word = 0, 0, False
    kept: list[bytes] = []
    while match := (_COMMENTED if depth else _PIECE).match(value, at):
        at, piece = match.end(), match.group()
        if piece == b"(" and (depth or not in_word):
            depth += 1
        elif depth:
            depth -= piece == b")"
        elif piece == b";":
            yield b"".join(kept)
            kept, in_word = [], False
        else:
            kept.append(piece)
            in_word = piece[0] not in b'" \t\r\n' and piece[-1] not in b"=/"
    yield b"".join(kept)


def _unquoted(text: bytes) -> bytes:
    if text[:1] != b'"':
        return text
    end = text.rfind(b'"')
    return _PAIR.sub(rb"\1", text[1 : end if end > 0 else len(text)])


def readings(parameters: Parameters, wanted: bytes) -> Iterator[tuple[bytes, bytes | None]]:
    """Every reading of the parameter `wanted` as (octets, charset).

    First as it stands, the charset None; then, the charset empty or named, put together from its RFC 2231 pieces.
    """
    pieces: dict[int, tuple[bytes, bool]] = {}
    for name, value in parameters:
        if name == wanted:
            yield value, None
        elif (continued := _CONTINUED.fullmatch(name)) and continued[1] == wanted:
            pieces.setdefault(int(continued[2] or 0), (value, bool(continued[3])))
    if not pieces:
        return
    (first, encoded), *rest = (pieces[number] for number in sorted(pieces))
    charset = b""
    if encoded and first.count(b"'") >= 2:
        charset, _, first = first.split(b"'", 2)
    joined = [_percent(value) if each else value for value, each in ((first, encoded), *rest)]
    yield b"".join(joined), charset


def _names(parameters: Parameters, wanted: bytes) -> Iterator[bytes]:
    for octets, charset in readings(parameters, wanted):
        yield words(octets) if charset is None else _utf8(octets, charset)


def _percent(value: bytes) -> bytes:
    return _PERCENT.sub(lambda match: binascii.unhexlify(match[1]), value)


def words(value: bytes) -> bytes:
    """`value` with its RFC 2047 words decoded, in UTF-8; blanks between two of them go."""
    return _WORD.sub(lambda match: _utf8(_word(match[2], match[3]), match[1]), value)


def _word(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Qq":
        return _HEX.sub(lambda match: binascii.unhexlify(match[1]), text.replace(b"_", b" "))
    try:
        return binascii.a2b_base64(text + b"==")
    except binascii.Error:
        return text


def _utf8(octets: bytes, charset: bytes) -> bytes:
    name = charset.decode("latin-1").lower()
    if not _CHARSET.fullmatch(name):
        return octets
    try:
        return octets.decode(name, "replace").encode("utf-8", "replace")
    except LookupError:  # a number of iso-8859 that does not exist
        return octets
