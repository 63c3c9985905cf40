"""The parameters of a Content-Type or a Content-Disposition, in every way a reader of mail may read them.

The grammar is that of RFC 2045 §5.1 and RFC 2183. Readers part ways wherever a field departs from it: a comment that is
never closed, a quote inside a word, a semicolon that is missing, a parameter given twice, a bare CR. Nothing here
decides who is right. A parameter begins wherever its name and ``=`` stand, in a comment and in quotes too; a field with
brackets is read once as it is and once without its comments; a value that is no calm one ends at each place where it
may end; pieces (RFC 2231) are joined in each way they can be; and all that comes of it counts. What every reader
agrees on comes first, and of an ordinary field there is nothing else. How long a name is, is asked of that alone: what
else a field may be taken for is no name that anybody gave.

The work is linear in the field: `PARAMETERS` of them, and values of so many times its octets (`_ROOM`); beyond, it is
said. `re` is for these few lines only, never for bodies.
"""

from __future__ import annotations

import binascii
import itertools
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


def _named(names: bytes) -> re.Pattern[bytes]:
    """One of `names` where a word begins, RFC 2231's ``*``, ``*0``, ``*0*`` behind it, ``=``; blanks between them."""
    return re.compile(
        rb"(?<![!#-'*+\-.0-9A-Z^_`a-z{|}~])(?:" + names + rb")[\0- ]*+"
        rb"(?P<star>\*[\0- ]{0,8}(?:(?P<number>\d{1,9})[\0- ]{0,8}(?P<coded>\*)?)?[\0- ]*+)?=[\0- ]*+",
        re.IGNORECASE,
    )


_NAME = _named(rb"(?P<name>(?:file)?name)")
_NAME_OR_BOUNDARY = _named(rb"(?P<name>(?:file)?name)|boundary")
#: A value that every reader reads alike, up to its semicolon.
_CALM = re.compile(rb'(?:"([^"\\;\0-\x1f]*+)"|([^\0- "\\;(),<>\x7f]*+))[\0- ]*+(?:;|\Z)')
#: One in which there is nothing to decode either: most are so.
_SIMPLE = re.compile(rb'(?:"([ -!#-&)-:<->@-\[\]-~]*+)"|([$&+\-.0-9A-Z^_`a-z~]++))[\0- ]*+(?:;|\Z)')
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*+)', re.DOTALL)
#: What ends an unquoted value (RFC 2045 5.1), and to some readers one that RFC 2231 does not speak of.
_WORD_END = re.compile(rb'[\0- "(),;<>@:\\/\[\]?=]')
_PLAIN_ENDS = (re.compile(rb"[@:\\/\[\]?=*'%]"), re.compile(rb"[@:\\/\[\]?=*']"))
_CODED_ENDS = (re.compile(rb"[@:\\/\[\]?=*]"),)
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
#: Names by which mail states one of them, that Python does not know.
_ALIASES = {"csutf7": "utf-7", "unicode-1-1-utf-7": "utf-7"}


@dataclass(slots=True)
class Parameters:
    """What a field gives: names in UTF-8, every encoding undone, and boundaries, each once, in order."""

    names: dict[bytes, None] = field(default_factory=dict)
    boundaries: dict[bytes, None] = field(default_factory=dict)
    longest: int = 0  # octets of the longest name, each read in the way that is nearest to the grammar
    overfull: bool = False  # it gives more than is read
    odd: int = 0  # values that may be read in several ways


@dataclass(frozen=True, slots=True)
class Piece:
    """A parameter as it stands: every reading of its value, and what RFC 2231 says of it."""

    values: tuple[bytes, ...]  # never none
    number: int | None  # of ``name*3``
    coded: bool  # of ``name*``, ``name*3*``

    def value(self, reading: int) -> bytes:
        """A reading of the value; the last, if there are not so many."""
        return self.values[min(reading, len(self.values) - 1)]


def parameters(value: bytes, patience: int = PARAMETERS, boundaries: bool = True) -> Parameters:
    """Every reading of the names, and of the `boundaries` if they are asked for, that a field with this value gives.

    Odd values beyond `patience` are read one way, which is said.
    """
    found = Parameters()
    ours = _NAME_OR_BOUNDARY if boundaries else _NAME
    if b"=" in value:
        _read(value, ours, patience, found)
    if b"(" in value:
        bare = uncommented(value)
        if bare is None:
            found.overfull = True
        elif bare != value:
            _read(bare, ours, patience, found)
    return found


def _read(text: bytes, ours: re.Pattern[bytes], patience: int, found: Parameters) -> None:
    room = _ROOM + _ROOM_TIMES * len(text)
    named: dict[bytes, list[Piece]] = {}
    bounded: list[Piece] = []
    whole = b"*" not in text  # no pieces: every parameter is one
    for count, match in enumerate(ours.finditer(text)):
        if count == PARAMETERS or room <= 0:
            room = 0
            break
        if whole and (simple := _SIMPLE.match(text, match.end())):
            quoted, word = simple.groups()
            value = quoted if word is None else word
            if match["name"]:
                found.names[value] = None
                found.longest = max(found.longest, len(value))
            else:
                found.boundaries[value] = None
            room -= len(value)
            continue
        number = match["number"]
        coded = bool(match["star"]) and (number is None or match["coded"] is not None)
        thorough = found.odd < patience
        found.overfull |= not thorough
        values = _values(text, match.end(), coded, thorough)
        found.odd += len(values) > 1
        room -= sum(map(len, values))
        piece = Piece(values, None if number is None else int(number), coded)
        if name := match["name"]:
            named.setdefault(name.lower(), []).append(piece)
        else:
            bounded.append(piece)
    thorough = found.odd < patience
    for pieces in named.values():
        room = _remember(_readings(pieces, thorough), found.names, room)
        found.longest = max(found.longest, _longest(pieces))
    if bounded:
        room = _remember(_readings(bounded, thorough), found.boundaries, room)
    found.overfull |= room <= 0


def _remember(readings: Iterable[bytes], known: dict[bytes, None], room: int) -> int:
    """Add `readings` to those that are `known` while there is room for them; how much is left."""
    for each in readings:
        if room <= 0:
            break
        room -= len(each)
        known[each] = None
    return room


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


def _values(text: bytes, at: int, coded: bool, thorough: bool) -> tuple[bytes, ...]:
    """Every reading of the value that begins at `text[at]`; the one that is nearest to the grammar first.

    `coded`: it is percent-encoded. Unless `thorough`, the first reading is all.
    """
    if calm := _CALM.match(text, at):
        quoted_text, word = calm.groups()
        if word is None:
            return (quoted_text,)
        cuts = _cut(word, 0, _CODED_ENDS if coded else _PLAIN_ENDS) if thorough else []
        return tuple(dict.fromkeys([word, *cuts])) if cuts else (word,)
    quoted = _QUOTED.match(text, at)
    if not thorough:
        return (_PAIR.sub(rb"\1", quoted[1]) if quoted else text[at:].partition(b";")[0].strip(_BLANKS),)
    ends: list[int] = []
    end = at
    while len(ends) < _ENDS and (end := text.find(b";", end)) >= 0:
        ends.append(end)
        end += 1
    ends.append(len(text))
    found: list[bytes] = []
    if quoted and not text.startswith(b'"', quoted.end()):  # never closed: at the least up to the semicolon
        found.append(text[at + 1 : ends[0]].strip(_BLANKS))
    if quoted:
        found += _PAIR.sub(rb"\1", quoted[1]), quoted[1], text[at + 1 :].partition(b'"')[0]
    raws = [text[at:end].strip(_BLANKS) for end in ends]
    found += raws
    if not quoted:
        found += _cut(text, at, (_WORD_END, *_PLAIN_ENDS))
    for raw in raws:
        if b'"' in raw:
            inner = raw.strip(b'"')
            found += inner, _PAIR.sub(rb"\1", inner), raw.replace(b'"', b"")
            found.append(_PAIR.sub(rb"\1", raw[1 : raw.rfind(b'"')]) if raw[:1] == b'"' else raw.partition(b'"')[0])
        if raw[:1] == b"<":
            found.append(raw[1:].removesuffix(b">"))
    found += [each.strip(_BLANKS) for each in found]
    return tuple(dict.fromkeys(found))


def _cut(text: bytes, at: int, ends: Iterable[re.Pattern[bytes]]) -> list[bytes]:
    """`text[at:]` up to each of `ends`, but nothing empty."""
    cuts = [end.search(text, at) for end in ends]
    return [text[at : cut.start()] for cut in cuts if cut and cut.start() > at]


def _readings(pieces: list[Piece], thorough: bool) -> Iterator[bytes]:
    """What one parameter, given as `pieces` in the order they stand, can come to, in UTF-8."""
    for piece in pieces:
        if piece.number is None:
            for value in piece.values:
                yield from _decoded([(value, piece.coded)])
                if not piece.coded and value.count(b"'") >= 2:  # the star may be forgotten
                    yield from _decoded([(value, True)])
                    rest = value.split(b"'", 2)[2]
                    for text in (rest, *_cut(rest, 0, _PLAIN_ENDS)):
                        yield from _plain(text)
    numbered = [piece for piece in pieces if piece.number is not None]
    if not numbered:
        return
    for pool in (numbered, pieces) if len(numbered) < len(pieces) else (numbered,):
        for way in _ways(pool) if thorough else (pool,):
            for reading in range(max(len(piece.values) for piece in way)):
                yield from _decoded([(piece.value(reading), piece.coded) for piece in way])


def _longest(pieces: list[Piece]) -> int:
    """Octets of the longest name that `pieces` give: each alone, or those with numbers in a row (RFC 2231 §3)."""
    ways = [[piece] for piece in pieces if piece.number is None]
    if len(ways) < len(pieces):
        ways += itertools.islice(_ways([piece for piece in pieces if piece.number is not None]), 1)
    return max(len(next(_decoded([(piece.values[0], piece.coded) for piece in way]))) for way in ways)


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
    if charset and b"'" in first:
        yield from _plain(_utf8(_percent(first.partition(b"'")[0]), charset))
    whole = b"".join(value for value, _ in way)
    for text in (b"".join(_percent(value) if each else value for value, each in way), _percent(whole)):
        if text.count(b"'") >= 2:  # encoded quotes, or quotes in pieces without a star
            charset, _, text = text.split(b"'", 2)
        yield from _plain(_utf8(text, charset))


def _plain(value: bytes) -> Iterator[bytes]:
    """`value` with its RFC 2047 words decoded, and what control octets in it may do to it."""
    for text in _spelt(value) if b"=?" in value else (value,):
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


def _spelt(value: bytes) -> Iterator[bytes]:
    """`value` with its RFC 2047 words decoded, as RFC 2047 has it first."""
    for joined in (True, False) if value.count(b"=?") > 1 else (True,):
        yield words(value, True, joined)
        yield words(value, False, joined)


def _percent(value: bytes) -> bytes:
    return _PERCENT.sub(lambda match: binascii.unhexlify(match[1]), value) if b"%" in value else value


def words(value: bytes, padded: bool, joined: bool = True) -> bytes:
    """`value` with its RFC 2047 words decoded, in UTF-8; blanks between two of them go.

    `padded`: base64 goes on behind padding in its middle, as some readers have it. `joined`: what neighbours in one
    charset spell is put together first, for clients cut in the middle of a character (RFC 2047 §5 forbids it).
    """
    found: list[bytes] = []
    charset, spelt, at = b"", bytearray(), 0
    for match in _WORD.finditer(value):
        named = match[1].lower()
        if match.start() > at or named != charset or not joined:
            found += _utf8(bytes(spelt), charset), value[at : match.start()]
            charset, spelt = named, bytearray()
        spelt += _word(match[2], match[3], padded)
        at = match.end()
    return b"".join((*found, _utf8(bytes(spelt), charset), value[at:]))


def _word(encoding: bytes, text: bytes, padded: bool) -> bytes:
    if encoding in b"Qq":
        return _HEX.sub(lambda match: binascii.unhexlify(match[1]), text.replace(b"_", b" "))
    chunks = [_NOT_BASE64.sub(b"", each) for each in text.split(b"=")] if padded else [text.partition(b"=")[0]]
    if not padded:
        chunks = [_NOT_BASE64.sub(b"", each) for each in chunks]
    return b"".join(binascii.a2b_base64(each[: len(each) - (len(each) % 4 == 1)] + b"==") for each in chunks)


def _utf8(octets: bytes, charset: bytes) -> bytes:
    name = charset.decode("latin-1").strip().lower()
    name = _ALIASES.get(name, name)
    if not _CHARSET.fullmatch(name):
        return octets
    try:
        return octets.decode(name, "replace").encode("utf-8", "replace")
    except LookupError:  # a number of iso-8859 that does not exist
        return octets
