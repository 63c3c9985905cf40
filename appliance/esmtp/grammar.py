"""Mail addresses in commands, octet by octet: where an angle bracket is in place (row 8).

RFC 5321 4.1.2 has the productions: Reverse-path, Path, Local-part, Quoted-string, quoted-pairSMTP; RFC 4954 §5 adds
AUTH=<> behind the path. What real clients send besides is taken: blanks behind the colon, a path without brackets.

Servers take more than the RFC allows, and each in its own way, so whatever one of them might take for an address is
stated as one. Exim reads a path without brackets as RFC 822 does, blanks and comments between its words, up to the
parameters at the line's end; some servers do without ``FROM:``, or without its colon. What is longer than `READ` is
never judged by its beginning: it is a path of which not all is known.

ASA differs: it does not refuse a malformed address, it replaces the brackets that are out of place.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import assert_never

from appliance.esmtp.events import Exceeded, Fact, Misplaced, Odd, Oddity, Pipe, Quantity, Special

_TAB, _SP, _QUOTE, _COLON, _LESS, _GREATER, _BACKSLASH, _PIPE, _DEL = b'\t "' + b":<>\\|\x7f"
_OPEN, _CLOSE = b"()"

#: Octets no rule speaks of in any command, and those that need no look in a mail address.
PLAIN = b"\t" + bytes(range(0x20, 0x7F))
_ORDINARY = rb"[\t !#-;=?-\[\]-{}~]"

_WORD = len(b" AUTH=<")

#: How much of what stands behind the colon goes into a fact, octets; records print less (row 23).
SHOWN = 512
#: How much of a path, and of the parameters behind it, is read: more than any server takes.
READ = 2048

#: asa.md §1.9; the third, the pipe, is not configurable.
_SPECIAL = b"\0`"
#: RFC 1870 §3: the size a MAIL declares, among the parameters behind its path.
_SIZE = re.compile(rb"(?:^|[ \t])SIZE=(\d{1,20})(?=[ \t]|$)", re.IGNORECASE)
#: What stands before an address as it should, and what may where its colon is missing.
_LED = re.compile(rb"[ \t]*+[A-Za-z]*+[ \t]*+:")
_KEYWORD = re.compile(rb"[ \t]*+(?:(?:FROM|TO)(?![A-Za-z]))?[ \t]*+", re.IGNORECASE)
#: One parameter at a line's end: RFC 5321 4.1.2's esmtp-param, its value not optional here.
_PARAMETER = re.compile(rb'[A-Za-z0-9][A-Za-z0-9-]*+=[^="]*+')
#: A-d-l, the source route, with its colon; a colon in an address literal is none of it.
_ROUTE = re.compile(rb"@(?:\[[^\]]*+\]|[^\[:])*+:")
#: An address command as nearly all are: its path in brackets right behind its colon, and nothing any rule speaks of.
_REGULAR = re.compile(b"[A-Za-z]{4} [A-Za-z]+:<(%b*+)>(%b*+)" % (_ORDINARY, _ORDINARY))
#: What leads on from a mailbox to a host: before the last, behind the others.
_LEADS_ON = re.compile(rb"([@%!])")
#: What a path may have that a server takes out of it.
_TAKEN_OUT = re.compile(rb'[\0-\x20"()<>\\\x7f]')


@dataclass(frozen=True, slots=True)
class Path:
    """What stands for an address, as sent; `whole` is False of the first `READ` octets of a longer one."""

    octets: bytes
    whole: bool


def control(octet: int) -> bool:
    """Whether `octet` is a control octet that has no place in a command; TAB has."""
    return (octet < _SP and octet != _TAB) or octet == _DEL


class Place(enum.Enum):
    """Where in the command the next octet stands."""

    KEYWORD = "before the colon"
    GAP = "between the keyword and its colon"
    UNLED = "before the colon, behind where an address without one may begin"
    COLON = "behind the colon"
    PATH = "between the brackets"
    QUOTED = "in a quoted string between the brackets"
    PAIR = "behind a backslash in a quoted string"
    BARE = "in a path without brackets"
    PARAMETERS = "behind the path"
    CLOSED = "behind a pipe"


class Address:
    """The address of one command line. `limits` (ascending) are on the sender address; empty for a recipient.

    `special`: back-quotes and NULs are to be stated. `found` are the paths that are whole, each with the stream offset
    of the octet that ended it: what stands between the brackets, or without any in what of the line is no parameter.
    `parameters` are the octets behind it, as the server reads them.
    """

    __slots__ = (
        "_bare",
        "_eight_bit",
        "_length",
        "_limits",
        "_path",
        "_place",
        "_shown",
        "_special",
        "_text",
        "_word",
        "found",
        "parameters",
    )

    def __init__(self, limits: tuple[int, ...], special: bool = False) -> None:
        self._limits = limits
        self._special = special
        self.found: list[tuple[Path, int]] = []
        self.parameters = bytearray()
        self._path = bytearray()
        self._text = bytearray()  # everything behind the verb, as sent
        self._place = Place.KEYWORD
        self._bare = False  # QUOTED and PAIR lead back to BARE, not to PATH
        self._length = 0
        self._word = b""  # the last octets as the server reads them, to know AUTH=<>
        self._eight_bit = False
        self._shown = bytearray()  # the first octets behind the colon

    def scan(self, text: bytes, offset: int, facts: list[Fact]) -> bool:
        """Read `text` (behind the verb, no line end), whose first octet is at stream offset `offset`.

        Appends Misplaced, Pipe, Special, Exceeded; returns whether anything was misplaced. Behind a Pipe nothing is
        read.
        """
        misplaced = False
        self._text += text[: READ + 1 - len(self._text)]
        for at, octet in enumerate(text, offset):
            if self._place in _LEADING and self._begins(octet):
                self._place = Place.UNLED
            behind = self._place not in _LEADING
            if behind and len(self._shown) < SHOWN:
                self._shown.append(octet)
            if behind and octet == _PIPE:
                facts.append(Pipe(bytes(self._shown).strip(), at))
                self._place = Place.CLOSED
                return False
            if octet > _DEL and not self._eight_bit:
                self._eight_bit = True
                facts.append(Odd(Oddity.EIGHT_BIT, at))
            if self._special and behind and octet in _SPECIAL:
                self._special = False  # one is enough
                facts.append(Special(octet, bytes(self._shown).strip(), at))
            sent = octet
            if control(octet) or not self._in_place(octet):
                misplaced = True
                facts.append(Misplaced(at))
                octet = _SP  # what the server will read
            before = self._place
            self._move(octet)
            self._word = self._word[1 - _WORD :] + bytes((octet,))
            if self._place in _COUNTED:
                self._count(at, facts)
                if self._length > 0 and len(self._path) < READ:
                    self._path.append(sent)
            elif self._place is Place.PARAMETERS:
                if before is Place.PATH:
                    self._find(bytes(self._path), self._length <= READ, at)
                elif before is not Place.BARE and len(self.parameters) < READ:
                    self.parameters.append(octet)
        return misplaced

    def _begins(self, octet: int) -> bool:
        """Whether an address begins with `octet` though no colon has come: a second word, or what is no keyword."""
        if octet in b"\t :" or control(octet):
            return False
        return self._place is Place.GAP or not (bytes((octet,)).isalpha() or octet == _PIPE)

    def _find(self, path: bytes, whole: bool, at: int) -> None:
        self.found.append((Path(path, whole), at))

    def close(self, offset: int, facts: list[Fact]) -> None:
        """The line's end is at `offset`: a path that has begun ends there. Appends Exceeded."""
        if self._place is Place.CLOSED:
            return
        text = bytes(self._text)
        if not _LED.match(text):
            self._close_unled(text, offset, facts)
        if self._bare:
            self._close_bare(offset)
        elif self._place in _COUNTED:
            self._find(bytes(self._path), self._length <= READ, offset)

    def _close_unled(self, text: bytes, offset: int, facts: list[Fact]) -> None:
        """No ``FROM:`` before it: an address is whatever stands there."""
        path = text[:READ][_KEYWORD.match(text).end() :]  # type: ignore[union-attr]  # it matches anything
        path = path[1:].partition(b">")[0] if path.startswith(b"<") else _without_parameters(path)
        if path:
            facts += [Exceeded(Quantity.SENDER_ADDRESS, limit, offset) for limit in self._limits if len(path) > limit]
            self._find(path, len(text) <= READ, offset)

    def _close_bare(self, offset: int) -> None:
        """What no brackets end goes on up to the parameters."""
        path = bytes(self._path) + _without_parameters(b" " + bytes(self.parameters))
        self._find(path[:READ], len(path) <= READ and self._length <= READ and len(self.parameters) < READ, offset)

    def _in_place(self, octet: int) -> bool:
        """Whether an octet may stand here: False of an angle bracket that has no business here."""
        if octet != _LESS and octet != _GREATER:
            return True
        match self._place:
            case Place.QUOTED | Place.PAIR:
                return True
            case Place.COLON:
                return octet == _LESS
            case Place.PATH:
                return octet == _GREATER
            case Place.PARAMETERS:
                return self._word[1:].upper() == b" AUTH=" if octet == _LESS else self._word.upper() == b" AUTH=<"
            case Place.KEYWORD | Place.GAP | Place.UNLED | Place.BARE | Place.CLOSED:
                return False
            case _:
                assert_never(self._place)

    def _move(self, octet: int) -> None:
        """Move on by one octet that is in place."""
        match self._place:
            case Place.KEYWORD | Place.GAP | Place.UNLED if octet == _COLON:
                self._place = Place.COLON
            case Place.KEYWORD if octet in (_SP, _TAB) and self._word.strip():
                self._place = Place.GAP
            case Place.COLON if octet == _LESS:
                self._place, self._length = Place.PATH, -1  # the bracket itself does not count
            case Place.COLON if octet not in (_SP, _TAB):
                self._bare = True
                self._place = Place.QUOTED if octet == _QUOTE else Place.BARE
            case Place.PATH if octet == _GREATER:
                self._place = Place.PARAMETERS
            case Place.BARE if octet in (_SP, _TAB):
                self._place = Place.PARAMETERS
            case Place.PATH | Place.BARE if octet == _QUOTE:
                self._place = Place.QUOTED
            case Place.QUOTED if octet == _BACKSLASH:
                self._place = Place.PAIR
            case Place.QUOTED if octet == _QUOTE:
                self._place = Place.BARE if self._bare else Place.PATH
            case Place.PAIR:
                self._place = Place.QUOTED
            case _:
                pass

    def _count(self, at: int, facts: list[Fact]) -> None:
        self._length += 1
        if self._limits and self._length > self._limits[0]:
            facts.append(Exceeded(Quantity.SENDER_ADDRESS, self._limits[0], at))
            self._limits = self._limits[1:]


_LEADING = frozenset({Place.KEYWORD, Place.GAP})
_COUNTED = frozenset({Place.PATH, Place.QUOTED, Place.PAIR, Place.BARE})


def _without_parameters(path: bytes) -> bytes:
    """`path`, which has no brackets, without the parameters and the blanks behind it."""
    words = path.replace(b"\t", b" ").split(b" ")
    while len(words) > 1 and (not words[-1] or _PARAMETER.fullmatch(words[-1])):
        words.pop()
    return b" ".join(words)


def regular(line: bytes) -> tuple[bytes, bytes] | None:
    """The path in a whole command `line`, and the parameters behind it, if it is `_REGULAR`; Address reads the rest."""
    found = _REGULAR.fullmatch(line)
    return (found[1], found[2]) if found else None


def mailbox(path: bytes) -> bytes:
    """What a server keeps of `path`: no source route, no comments, no blanks, its quoting undone (RFC 822 3.1.4).

    A bracket is among the blanks, because it was replaced by one.
    """
    route = _ROUTE.match(path)
    text = path[route.end() :] if route else path
    if not _TAKEN_OUT.search(text):
        return text
    kept = bytearray()
    depth, quoted, escaped = 0, False, False
    for octet in text:
        if escaped or octet == _BACKSLASH:
            escaped = not escaped
            if not escaped and not depth:
                kept.append(octet)
        elif octet == _QUOTE and not depth:
            quoted = not quoted
        elif quoted:
            kept.append(octet)
        elif octet == _OPEN or (octet == _CLOSE and depth):
            depth += 1 if octet == _OPEN else -1
        elif not depth and octet > _SP and octet not in (_DEL, _LESS, _GREATER):
            kept.append(octet)
    return bytes(kept)


def hosts(path: Path) -> tuple[bytes, ...]:
    """Every host that some server may take mail for `path` to, as sent; an empty one where that can't be told.

    There is none for an empty path and for ``Postmaster`` (RFC 5321 4.1.1.3). The hops of a source route are hosts
    (F.2), and what stands behind an ``@`` or a ``%`` and before a ``!`` (routes in a local part, RFC 1123 5.2.16), in a
    quoted string too: Postfix looks there (`resolve_dequoted_address`).
    """
    route = _ROUTE.match(path.octets)
    found = [each.strip().removeprefix(b"@") for each in route[0][:-1].split(b",")] if route else []
    rest = path.octets[route.end() :] if route else path.octets
    if rest.strip().lower() not in (b"", b"postmaster"):
        words = _LEADS_ON.split(rest)
        leads_on = range(1, len(words), 2)
        found += [words[at - 1 if words[at] == b"!" else at + 1].strip() for at in leads_on] or [b""]
    return tuple(found) if path.whole else (*found, b"")


def declared(parameters: bytes) -> int:
    """The size that the parameters of a MAIL declare, 0 if none."""
    found = _SIZE.search(parameters)
    return int(found[1]) if found else 0
