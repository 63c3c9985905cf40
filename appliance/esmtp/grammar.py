"""Mail addresses in commands, octet by octet: where an angle bracket is in place (row 8).

RFC 5321 4.1.2 has the productions: Reverse-path, Path, Local-part, Quoted-string, quoted-pairSMTP; RFC 4954 §5 adds
AUTH=<> behind the path. What real clients send besides is taken: blanks behind the colon, a path without brackets.

ASA differs: it does not refuse a malformed address, it replaces the brackets that are out of place.
"""

from __future__ import annotations

import enum
import re
from typing import assert_never

from appliance.esmtp.events import Exceeded, Fact, Misplaced, Odd, Oddity, Pipe, Quantity, Special

_TAB, _SP, _QUOTE, _COLON, _LESS, _GREATER, _BACKSLASH, _PIPE, _DEL = b'\t "' + b":<>\\|\x7f"

#: Octets no rule speaks of in any command, and those that need no look in a mail address.
PLAIN = b"\t" + bytes(range(0x20, 0x7F))
ORDINARY = bytes(octet for octet in PLAIN if octet not in b'<>|"\\')

_WORD = len(b" AUTH=<")

#: How much of what stands behind the colon goes into a fact, octets; records print less (row 23).
SHOWN = 512
#: How much of a path, and of the parameters behind it, is read: more than any server takes.
READ = 2048

#: asa.md §1.9; the third, the pipe, is not configurable.
_SPECIAL = b"\0`"
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
#: RFC 1870 §4: the size a MAIL declares, among the parameters behind its path.
_SIZE = re.compile(rb"(?:^|[ \t])SIZE=(\d{1,20})(?=[ \t]|$)", re.IGNORECASE)


def control(octet: int) -> bool:
    """Whether `octet` is a control octet that has no place in a command; TAB has."""
    return (octet < _SP and octet != _TAB) or octet == _DEL


class Place(enum.Enum):
    """Where in the command the next octet stands."""

    KEYWORD = "before the colon"
    COLON = "behind the colon"
    PATH = "between the brackets"
    QUOTED = "in a quoted string between the brackets"
    PAIR = "behind a backslash in a quoted string"
    BARE = "in a path without brackets"
    PARAMETERS = "behind the path"


class Address:
    """The address of one command line. `limits` (ascending) are on the sender address; empty for a recipient.

    `special`: back-quotes and NULs are to be stated. `path` holds what stands between the brackets, or without any
    up to a blank, as sent; it is whole when `ended` says where it ended. `parameters` are the octets behind it.
    """

    __slots__ = (
        "_bare",
        "_eight_bit",
        "_length",
        "_limits",
        "_place",
        "_shown",
        "_special",
        "_word",
        "ended",
        "parameters",
        "path",
    )

    def __init__(self, limits: tuple[int, ...], special: bool = False) -> None:
        self._limits = limits
        self._special = special
        self.path = bytearray()
        self.parameters = bytearray()
        self.ended: int | None = None  # stream offset
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
        for at, octet in enumerate(text, offset):
            if octet == _PIPE and self._place is not Place.KEYWORD:
                rest = text[at - offset :]
                facts.append(Pipe(bytes(self._shown + rest)[:SHOWN].strip(), at))
                self._place = Place.PARAMETERS  # the path is never to be whole
                return misplaced
            if octet > _DEL and not self._eight_bit:
                self._eight_bit = True
                facts.append(Odd(Oddity.EIGHT_BIT, at))
            if self._place is not Place.KEYWORD and len(self._shown) < SHOWN:
                self._shown.append(octet)
            if self._special and self._place is not Place.KEYWORD and octet in _SPECIAL:
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
                if self._length > 0 and len(self.path) < READ:
                    self.path.append(sent)
            elif self._place is Place.PARAMETERS:
                if before is not Place.PARAMETERS:
                    self.ended = at
                elif len(self.parameters) < READ:
                    self.parameters.append(octet)
        return misplaced

    def close(self, offset: int) -> None:
        """The line's end is at `offset`: a path that has begun ends there."""
        if self._place in _COUNTED:
            self._place = Place.PARAMETERS
            self.ended = offset

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
            case Place.KEYWORD | Place.BARE:
                return False
            case _:
                assert_never(self._place)

    def _move(self, octet: int) -> None:
        """Move on by one octet that is in place."""
        match self._place:
            case Place.KEYWORD if octet == _COLON:
                self._place = Place.COLON
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


_COUNTED = frozenset({Place.PATH, Place.QUOTED, Place.PAIR, Place.BARE})


def regular(line: bytes, longest: int) -> bool:
    """Whether a whole command `line` has one path in brackets right behind its colon and nothing any rule speaks of.

    `longest` is the most octets the path may have. This is nearly every address command; the rest is read by Address.
    """
    colon = line.find(b":")
    if colon < 0 or line[colon + 1 : colon + 2] != b"<" or line.translate(None, ORDINARY) != b"<>":
        return False
    return line.find(b">") - colon - 2 <= longest


def domain(path: bytes) -> bytes:
    """The domain of the mailbox in `path`, empty if it has none (``Postmaster``); a literal with its brackets.

    A source route before the mailbox is not it (RFC 5321 4.1.2, F.2); of several ``@`` servers take the last.
    """
    mailbox = path.partition(b":")[2] if path.startswith(b"@") else path
    _, at, found = _QUOTED.sub(b"", mailbox).rpartition(b"@")
    return found.strip() if at else b""


def declared(parameters: bytes) -> int:
    """The size that the parameters of a MAIL declare, 0 if none."""
    found = _SIZE.search(parameters)
    return int(found[1]) if found else 0
