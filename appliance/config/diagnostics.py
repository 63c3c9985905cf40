"""What is wrong with a rule file, as data; and how a person is told.

A diagnostic is a place and a sentence. The sentence is ASA's where ASA has one (asa.md §6.8). Nothing of the file
reaches a terminal as it is: an octet that isn't printable ASCII is shown as ``\\ooo`` (row 23).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

INVALID = "ERROR: % Invalid input detected at '^' marker."
INCOMPLETE = "ERROR: % Incomplete command"
AMBIGUOUS = 'ERROR: % Ambiguous command:  "{}"'

#: Characters of a source line that are shown; a longer line is shown from near its caret (row 23).
SHOWN = 128


class Severity(enum.Enum):
    """An error refuses the file; a warning does not."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in the file, both counted from 1; `column` counts characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: `message` with ASA's ``ERROR: `` or ``WARNING: ``, `source` the line as the file has it."""

    severity: Severity
    place: Place
    message: str
    source: str = ""

    def render(self, file: str) -> str:
        """``FILE:LINE:COL: message``, the line, and a caret under the column."""
        shown, caret = _window(self.source, self.place.column - 1)
        head = f"{escaped(file)}:{self.place.line}:{self.place.column}: {escaped(self.message)}"
        return f"{head}\n  {shown}\n  {' ' * caret}^"


def render(diagnostics: Iterable[Diagnostic], file: str) -> str:
    """All of them, in the order of the file, each ending its line."""
    ordered = sorted(diagnostics, key=lambda each: each.place)
    return "".join(each.render(file) + "\n" for each in ordered)


def escaped(text: str) -> str:
    """`text` with every octet that isn't printable ASCII as ``\\ooo``; a TAB is one space."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(octet) for octet in text.encode("utf-8", "surrogateescape"))


def _shown(octet: int) -> str:
    if octet == 0x09:
        return " "
    return chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03o}"


def _window(source: str, index: int) -> tuple[str, int]:
    """The part of `source` around `index` that is shown, and where `index` lies in what is shown."""
    start = max(0, index - SHOWN // 2) if len(source) > SHOWN else 0
    before = ("..." if start else "") + escaped(source[start:index])
    after = escaped(source[index : start + SHOWN]) + ("..." if len(source) > start + SHOWN else "")
    return before + after, len(before)
