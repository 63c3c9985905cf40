"""The parameters of a Content-Type or a Content-Disposition, in every way a reader of mail may read them.

The grammar is that of RFC 2045 §5.1 and RFC 2183. Readers part ways wherever a field departs from it: a comment that is
never closed, a quote inside a word, a semicolon that is missing, a parameter given twice, a bare CR. Nothing here
decides who is right. A parameter begins wherever its name and ``=`` stand, in a comment and in quotes too; a field with
brackets is read once as it is and once without its comments; a value that is no calm one ends at each place where it
may end; pieces (RFC 2231) are joined in each way they can be; and all that comes of it counts. What every reader
agrees on comes first, and of an ordinary field there is nothing else.

The work is linear in the field: `PARAMETERS` of them, and values of so many times its octets (`_ROOM`); beyond, it is
said. `re` is for these few lines only, never for bodies.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

#: Parameters of ours, and opening brackets, that are read of one field.
PARAMETERS = 64
_BRACKETS = 256
#: Octets of values that are read of a field: so many, and so many times its own.
_ROOM, _ROOM_TIMES = 4_096, 8
#: Semicolons at which a value may end.
_ENDS = 4

#: A name of ours where a word begins, RFC 2231's ``*``, ``*0``, ``*0*`` behind it, and ``=``; blanks between them.
_PARAMETER = re.compile(
    rb"(?<![!#-'*+\-.0-9A-Z^_`a-z{|}~])(?:(?P<name>(?:file)?name)|boundary)[\0- ]*+"
    rb"(?P<star>\*[\0- ]{0,8}(?:(?P<number>\d{1,9})[\0- ]{0,8}(?P<coded>\*)?)?[\0- ]*+)?=[\0- ]*+",
    re.IGNORECASE,
)
#: A value that every reader reads alike, up to its semicolon.
_CALM = re.compile(rb'(?:"([^"\\;\0-\x1f]*+)"|([^\0- "\\;(),<>\x7f]++))[\0- ]*+(?:;|\Z)')
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)', re.DOTALL)
_WORD_END = re.compile(rb'[\0- "(),;<>]')
_PAIR = re.compile(rb"\\(.)", re.DOTALL)
_BLANKS = bytes(range(0x21))

#: A field outside comments, and inside of one.
_OUTSIDE = re.compile(rb'(?:[^"(]|"(?:[^"\\]|\\.)*+(?:"|\\?\Z))*+', re.DOTALL)
_INSIDE = re.compile(rb"(?:[^()\\]|\\.?)*+", re.DOTALL)

_FOLDED = re.compile(rb"\r?\n[ \t]+")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
#: RFC 2047 §2, with RFC 2231 §5's language; blanks before a further word go with it.
_WORD = re.compile(
    rb"=\?([^?*\s]++)(?:\*[^?\s]*+)?\?([BbQq])\?([^?]*+)\?="
    rb"(?:[ \t\r\n]++(?==\?[^?\s]{1,64}\?[BbQq]\?[^?]{0,256}+\?=))?"
)
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
#: Charsets as mail spells them whose decoders take linear time; octets in any other stay as they are.
_CHARSET = re.compile(
    r"us-ascii|utf-?(?:7|8|16|32)(?:[bl]e)?|iso-?8859-\d{1,2}|(?:windows-|cp)(?:125\d|437|850|866|932|936|949|950)"
    r"|koi8-[rut]|gb(?:2312|k|18030)|big5(?:-hkscs)?|euc-(?:jp|kr)|shift_jis|iso-2022-(?:jp|kr)|tis-620|macintosh"
)


@dataclass(slots=True)
class Parameters:
    """What a field gives: names in UTF-8, every encoding undone, and boundaries, each once, in order."""

    names: dict[bytes, None] = field(default_factory=dict)
    boundaries: dict[bytes, None] = field(default_factory=dict)
    overfull: bool = False  # it gives more than is read


@dataclass(frozen=True, slots=True)
class Piece:
    """A parameter as it stands: every reading of its value, and what RFC 2231 says of it."""

    values: tuple[bytes, ...]  # never none
    number: int | None  # of ``name*3``
    coded: bool  # of ``name*``, ``name*3*``

    def value(self, reading: int) -> bytes:
        """A reading of the value; the last, if there are not so many."""
        return self.values[min(reading, len(self.values) - 1)]


def parameters(value: bytes) -> Parameters:
    """Every reading of the names and boundaries that a field with this value gives."""
    found = Parameters()
    _read(value, found)
    if b"(" in value:
        bare = uncommented(value)
        if bare is None:
            found.overfull = True
        elif bare != value:
            _read(bare, found)
    return found


def _read(text: bytes, found: Parameters) -> None:
    room = _ROOM + _ROOM_TIMES * len(text)
    named: dict[bytes, list[Piece]] = {}
    bounded: list[Piece] = []
    for count, match in enumerate(_PARAMETER.finditer(text)):
        if count == PARAMETERS or room <= 0:
            found.overfull = True
            break
        values = _values(text, match.end())
        room -= sum(map(len, values))
        number = match["number"]
        coded = bool(match["star"]) and (number is None or match["coded"] is not None)
        piece = Piece(values, None if number is None else int(number), coded)
        if name := match["name"]:
            named.setdefault(name.lower(), []).append(piece)
        else:
            bounded.append(piece)
    for pieces in named.values():
        found.names.update(dict.fromkeys(_readings(pieces)))
    if bounded:
        found.boundaries.update(dict.fromkeys(_readings(bounded)))


def uncommented(value: bytes) -> bytes | None:
    """`value` without its comments (RFC 5322 3.2.2), one that is never closed too; None if there are too many."""
    kept, depth, at = [], 0, 0
    for _ in range(2 * _BRACKETS):
        end = (_INSIDE if depth else _OUTSIDE).match(value, at).end()  # type: ignore[union-attr]  # it matches nothing too
        if not depth:
            kept.append(value[at:end])
        if end == len(value):
            return b"".join(kept)
        depth += 1 if value[end] == 0x28 else -1
        at = end + 1
    return None


def _values(text: bytes, at: int) -> tuple[bytes, ...]:
    """Every reading of the value that begins at `text[at]`; the one that is nearest to the grammar first."""
    if calm := _CALM.match(text, at):
        return (calm[1] if calm[2] is None else calm[2],)
    ends: list[int] = []
    end = at
    while len(ends) < _ENDS and (end := text.find(b";", end)) >= 0:
        ends.append(end)
        end += 1
    ends.append(len(text))
    found: list[bytes] = []
    if quoted := _QUOTED.match(text, at):
        found += _PAIR.sub(rb"\1", quoted[1]), quoted[1], text[at + 1 :].partition(b'"')[0]
    for end in ends:
        raw = text[at:end].strip(_BLANKS)
        found.append(raw)
        if b'"' in raw:
            inner = raw.strip(b'"')
            found += inner, _PAIR.sub(rb"\1", inner), raw.replace(b'"', b"")
            found.append(_PAIR.sub(rb"\1", raw[1 : raw.rfind(b'"')]) if raw[:1] == b'"' else raw.partition(b'"')[0])
        if raw[:1] == b"<":
            found.append(raw[1:].removesuffix(b">"))
    if not quoted and (word_end := _WORD_END.search(text, at)):
        found.append(text[at : word_end.start()])
    return tuple(dict.fromkeys(found))


def _readings(pieces: list[Piece]) -> Iterator[bytes]:
    """What one parameter, given as `pieces` in the order they stand, can come to, in UTF-8."""
    for piece in pieces:
        if piece.number is None:
            for value in piece.values:
                yield from _decoded([(value, piece.coded)])
    numbered = [piece for piece in pieces if piece.number is not None]
    if not numbered:
        return
    for pool in (numbered, pieces) if len(numbered) < len(pieces) else (numbered,):
        for way in _ways(pool):
            for reading in range(min(max(len(piece.values) for piece in way), 4)):
                yield from _decoded([(piece.value(reading), piece.coded) for piece in way])


def _ways(pieces: list[Piece]) -> Iterable[list[Piece]]:
    """The ways to join `pieces`: of several with one number the first, the last or all; up to a gap or beyond it."""
    ordered = sorted(pieces, key=lambda piece: piece.number or 0)
    first: dict[int, Piece] = {}
    last: dict[int, Piece] = {}
    for piece in ordered:
        first.setdefault(piece.number or 0, piece)
        last[piece.number or 0] = piece
    ways = [list(first.values())]
    if len(first) < len(ordered):
        ways += [list(last.values()), ordered]
    run = next((at for at, number in enumerate(first) if number != at), len(first))
    if 0 < run < len(first):
        ways += [list(first.values())[:run], list(last.values())[:run]]
    return ways


def _decoded(way: list[tuple[bytes, bool]]) -> Iterator[bytes]:
    """Values in a row, each percent-encoded or not, as what they spell, in UTF-8."""
    if not any(coded for _, coded in way):
        yield from _plain(b"".join(value for value, _ in way))
        return
    (first, coded), *rest = way
    charset = b""
    if coded and first.count(b"'") >= 2:
        charset, _, first = first.split(b"'", 2)
    joined = b"".join(_percent(value) if each else value for value, each in ((first, coded), *rest))
    yield from _plain(_utf8(joined, charset))
    whole = b"".join(value for value, _ in way)
    for text in (b"".join(_percent(value) if each else value for value, each in way), _percent(whole)):
        if text.count(b"'") >= 2:  # encoded quotes, or quotes in pieces without a star
            charset, _, text = text.split(b"'", 2)
        yield from _plain(_utf8(text, charset))


def _plain(value: bytes) -> Iterator[bytes]:
    """`value` with its RFC 2047 words decoded, and what control octets in it may do to it."""
    for text in (words(value, True), words(value, False)) if b"=?" in value else (value,):
        if text.isascii() and text.decode("ascii").isprintable():
            yield text
            continue
        yield _FOLDED.sub(lambda match: match[0].lstrip(b"\r\n"), text)
        if b"\n" in text:
            yield _FOLDED.sub(b"", text)
            yield _FOLDED.sub(b" ", text)
        if any(octet in text for octet in b"\0\r\n"):
            yield text.translate(None, b"\0\r\n")
            yield text.partition(b"\0")[0]


def _percent(value: bytes) -> bytes:
    return _PERCENT.sub(lambda match: binascii.unhexlify(match[1]), value) if b"%" in value else value


def words(value: bytes, padded: bool) -> bytes:
    """`value` with its RFC 2047 words decoded, in UTF-8; blanks between two of them go.

    `padded`: base64 goes on behind padding in its middle, as some readers have it.
    """
    return _WORD.sub(lambda match: _utf8(_word(match[2], match[3], padded), match[1]), value)


def _word(encoding: bytes, text: bytes, padded: bool) -> bytes:
    if encoding in b"Qq":
        return _HEX.sub(lambda match: binascii.unhexlify(match[1]), text.replace(b"_", b" "))
    chunks = [_NOT_BASE64.sub(b"", each) for each in text.split(b"=")] if padded else [text.partition(b"=")[0]]
    if not padded:
        chunks = [_NOT_BASE64.sub(b"", each) for each in chunks]
    return b"".join(binascii.a2b_base64(each[: len(each) - (len(each) % 4 == 1)] + b"==") for each in chunks)


def _utf8(octets: bytes, charset: bytes) -> bytes:
    name = charset.decode("latin-1").strip().lower()
    if not _CHARSET.fullmatch(name):
        return octets
    try:
        return octets.decode(name, "replace").encode("utf-8", "replace")
    except LookupError:  # a number of iso-8859 that does not exist
        return octets
