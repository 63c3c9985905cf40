"""A rule file as lines of words, each word with its column.

A statement is a line. A line that begins with ``!`` is a comment, as is a blank one, and so is the frame that
``show running-config`` and ``write terminal`` print around a configuration: ``: Saved``, ``Cryptochecksum:…``.
Leading spaces mean nothing;
words are separated by spaces and TABs; ``(inside, outside)`` is one word. Line ends are LF or CR LF. Anything that
isn't printable is an error where it stands, comments excepted; a line has at most 512 octets, a file 4 MiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from appliance.config.diagnostics import INVALID, Diagnostic, Place, Severity

LINE_OCTETS = 512  # ASA's longest command line, asa.md §6.8
FILE_OCTETS = 4 << 20  # beyond, a file is refused unread: bounded time

#: How a line begins that says nothing: a comment, or the frame of a printed configuration (asa.md §3.13).
_SILENT = re.compile(rb"[ \t]*(?:[!:]|cryptochecksum:|$)", re.IGNORECASE)
_MARK = "\ufeff".encode()  # a byte order mark, which some editors put first
_WORD = re.compile(r"\([^()]*\)|[^ \t]+")


class Word(NamedTuple):
    """A word and the column of its first character."""

    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Line:
    """A statement: its line number, its text without the line's end, its words (at least one)."""

    number: int
    text: str
    words: tuple[Word, ...]

    @property
    def indent(self) -> int:
        """How far it is set in."""
        return self.words[0].column - 1


def lines(text: str | bytes) -> Iterator[Line | Diagnostic]:
    """Every statement of a rule file, or what makes its line unreadable."""
    octets = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(octets) > FILE_OCTETS:
        yield Diagnostic(Severity.ERROR, Place(1, 1), f"ERROR: the file is larger than {FILE_OCTETS} octets")
        return
    for number, raw in enumerate(octets.removeprefix(_MARK).split(b"\n"), 1):
        raw = raw.removesuffix(b"\r")
        if not _SILENT.match(raw):
            yield _line(number, raw)


def _line(number: int, raw: bytes) -> Line | Diagnostic:
    source = raw[:LINE_OCTETS].decode("utf-8", "surrogateescape")
    if len(raw) > LINE_OCTETS:
        message = f"ERROR: % Command line is longer than {LINE_OCTETS} octets"
        return Diagnostic(Severity.ERROR, Place(number, len(source) + 1), message, source)
    if not source.isprintable():
        bad = next((at for at, each in enumerate(source, 1) if not each.isprintable() and each != "\t"), 0)
        if bad:
            return Diagnostic(Severity.ERROR, Place(number, bad), INVALID, source)
    words = tuple(Word(found.group(), found.start() + 1) for found in _WORD.finditer(source))
    return Line(number, source, words)
