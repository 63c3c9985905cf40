"""Regular expressions as an ASA writes them, run by an engine that cannot be made to hang.

An ASA's syntax (asa.md §2.6) is small: ``.`` ``( )`` ``|`` ``?`` ``*`` ``+`` ``{x}`` ``{x,}`` ``[abc]`` ``[^a-c]``
``^`` ``\\r`` ``\\n`` ``\\t`` ``\\f`` ``\\xNN`` ``\\NNN`` and a backslash before a sign that is to be itself. Each
element is translated to RE2's, every plain character as ``\\xNN``, so that nothing of RE2's larger syntax is reached
by accident; what an ASA does not have is refused with its column. It is octets that are matched, case matters, and a
dot is any octet.

RE2 runs in time linear in the text whatever the expression (docs/decisions, linear regular expressions). All is
bounded nevertheless: `LONGEST` characters of pattern, `STEPS` an octet, `MEMORY` octets, `TEXT` octets of text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import re2

from appliance.esmtp.grammar import READ

#: Characters a pattern has at most (asa.md §2.6).
LONGEST = 100
#: Instructions of a compiled expression: what one octet of text may cost at most. A pattern without counts has 104.
STEPS = 500
#: Octets one compiled expression and what it remembers may take.
MEMORY = 1 << 18
#: Octets of a text that are looked at: all that is read of an address, and more than any file name a server takes.
TEXT = READ

_ESCAPED = re.compile(r"x([0-9A-Fa-f]{2})|([0-3][0-7]{2})|([rntf])|([^A-Za-z0-9])")
_REPEATED = re.compile(r"\{(\d{1,4})(,?)\}")


_TOO_LARGE = "the pattern is too large: its repetitions multiply"


class PatternError(ValueError):
    """The pattern is none: `message` says why, `at` is the index of the character that makes it so."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


@dataclass(frozen=True, slots=True)
class Regex:
    """``regex NAME "PATTERN"``"""

    name: str
    pattern: str


@dataclass(frozen=True, slots=True)
class RegexClass:
    """``class-map type regex match-any NAME`` and the names of its regexes."""

    name: str
    regexes: tuple[str, ...] = ()
    description: str = ""


class Matcher:
    """Some expressions, of which any may match."""

    __slots__ = ("_expressions",)

    def __init__(self, patterns: Iterable[str]) -> None:
        self._expressions = tuple(_compiled(each) for each in patterns)

    def matches(self, text: bytes) -> bool:
        """Whether one of them is found anywhere in the first `TEXT` octets of `text`."""
        text = text[:TEXT]
        return any(each.search(text) is not None for each in self._expressions)


def check(pattern: str) -> None:
    """PatternError where `pattern` can't be one."""
    _compiled(pattern)


@functools.lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    if not pattern:
        raise PatternError(0, "an empty pattern matches everything")
    if len(pattern) > LONGEST:
        raise PatternError(LONGEST, f"a pattern has at most {LONGEST} characters")
    translated = _Translation(pattern).translated()
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = MEMORY
    try:
        expression = re2.compile(translated.encode("ascii"), options)
    except re2.error:
        raise PatternError(0, _TOO_LARGE) from None
    if expression.programsize > STEPS:
        raise PatternError(0, _TOO_LARGE)
    return expression


class _Translation:
    """A pattern being read from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._open: list[int] = []  # where the groups that are open began
        self._repeatable = False  # something stands before that can be repeated

    def translated(self) -> str:
        """RE2's spelling; PatternError where there is none."""
        found = []
        while self._at < len(self._pattern):
            found.append(self._element())
        if self._open:
            raise PatternError(self._open[-1], "( without )")
        return "".join(found)

    def _element(self) -> str:
        start = self._at
        sign = self._pattern[start]
        self._at += 1
        match sign:
            case "(":
                self._open.append(start)
                self._repeatable = False
                return "(?:"
            case ")":
                if not self._open:
                    raise PatternError(start, ") without (")
                self._open.pop()
                self._repeatable = True
                return ")"
            case "|" | "^":
                self._repeatable = False
                return sign
            case "?" | "*" | "+" | "{":
                return self._repetition(start, sign)
            case "[":
                self._repeatable = True
                return self._set(start)
            case ".":
                self._repeatable = True
                return sign
            case "$" | '"' | "]" | "}":
                raise PatternError(start, f"{sign} has no meaning here: \\{sign} is the sign itself")
            case _:
                self._repeatable = True
                return self._character(start)

    def _repetition(self, start: int, sign: str) -> str:
        if not self._repeatable:
            raise PatternError(start, f"{sign} has nothing to repeat")
        self._repeatable = False
        if sign != "{":
            return sign
        found = _REPEATED.match(self._pattern, start)
        if found is None:
            raise PatternError(start, "a repetition is {x} or {x,}")
        self._at = found.end()
        return found.group()

    def _set(self, start: int) -> str:
        """``[abc]``, ``[^abc]``, ``[a-c]``."""
        pattern = self._pattern
        negated = pattern[self._at : self._at + 1] == "^"
        self._at += negated
        members: list[str] = []
        low = ""  # the last character, while a range may begin with it
        while pattern[self._at : self._at + 1] != "]":
            at = self._at
            if at >= len(pattern):
                raise PatternError(start, "[ without ]")
            self._at += 1
            if pattern[at] == "[":
                raise PatternError(at, r"[ has no meaning here: \[ is the sign itself")
            if pattern[at] == "-" and low and pattern[self._at : self._at + 1] not in ("]", ""):
                self._at += 1
                high = self._character(self._at - 1)
                if high < low:
                    raise PatternError(at - 1, "the range ends before it begins")
                members.append(f"-{high}")
                low = ""
            else:
                low = self._character(at)
                members.append(low)
        self._at += 1
        if not members:
            raise PatternError(start, "[] holds nothing")
        return f"[{'^' if negated else ''}{''.join(members)}]"

    def _character(self, at: int) -> str:
        """One character that stands for itself, or is escaped, as ``\\xNN``; the one at `at` is read."""
        sign = self._pattern[at]
        if not " " <= sign <= "~" and sign != "\t":
            raise PatternError(at, r"a character beyond ASCII is written \xNN")
        if sign != "\\":
            return f"\\x{ord(sign):02x}"
        found = _ESCAPED.match(self._pattern, self._at)
        if found is None:
            raise PatternError(at, r"an escape is \r \n \t \f \xNN \NNN or a sign")
        self._at = found.end()
        hexadecimal, octal, letter, other = found.groups()
        if hexadecimal:
            return f"\\x{int(hexadecimal, 16):02x}"
        if octal:
            return f"\\x{int(octal, 8):02x}"
        if letter:
            return f"\\x{ord(_CONTROLS[letter]):02x}"
        return f"\\x{ord(other):02x}"


_CONTROLS = {"r": "\r", "n": "\n", "t": "\t", "f": "\f"}
