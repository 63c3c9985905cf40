"""What a line at the console's prompt means, and what may stand there: words shortened to any unique beginning.

Pure: rows of words in, the row meant or the place where none is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from appliance.config.cursor import Cursor, Rejected
from appliance.config.diagnostics import AMBIGUOUS, INCOMPLETE, INVALID, Diagnostic
from appliance.config.lexer import Word, lines
from appliance.config.syntax import Node, continuations, follow


class Row(Protocol):
    """A command: its words, a line of help, and how many operands may follow (None: any number)."""

    @property
    def words(self) -> tuple[str, ...]: ...
    @property
    def help(self) -> str: ...
    @property
    def most(self) -> int | None: ...


R = TypeVar("R", bound=Row)

_WORD = re.compile(r"\S+")


def words_of(text: str) -> tuple[Word, ...]:
    """The words of a line with their columns."""
    return tuple(Word(found.group(), found.start() + 1) for found in _WORD.finditer(text))


def meant(rows: Sequence[R], words: Sequence[Word]) -> tuple[R, tuple[str, ...]]:
    """The row that `words` mean, and its operands; Rejected where they mean none, as an ASA says it."""
    row, taken = _walk(rows, words)
    if row is None:
        if taken < len(words):
            raise Rejected(words[taken].column)
        raise Rejected(words[-1].column + len(words[-1].text), INCOMPLETE)
    operands = tuple(each.text for each in words[taken:])
    if row.most is not None and len(operands) > row.most:
        raise Rejected(words[taken + row.most].column)
    return row, operands


def may_follow(rows: Sequence[R], words: Sequence[Word]) -> Mapping[str, str]:
    """The words that may come next, with what is known of them; Rejected if `words` are on the way to nothing."""
    path = _path(rows, words)
    if len(path) < len(words):
        row, operands = meant(rows, words)
        return {"<cr>": row.help} if row.most is not None and len(operands) >= row.most else {"WORD": row.help}
    found: dict[str, str] = {}
    for row in rows:
        if row.words == path:
            found.update({"<cr>": row.help} if row.most == 0 else {"WORD": row.help, "<cr>": row.help})
        elif row.words[: len(path)] == path:
            last = len(row.words) == len(path) + 1
            found.setdefault(row.words[len(path)], row.help if last else "")
    return found


def _walk(rows: Sequence[R], words: Sequence[Word]) -> tuple[R | None, int]:
    path = _path(rows, words)
    return next((row for row in rows if row.words == path), None), len(path)


def _path(rows: Sequence[R], words: Sequence[Word]) -> tuple[str, ...]:
    """The whole words that the first of `words` stand for, as far as the rows have any."""
    path: tuple[str, ...] = ()
    for word in words:
        longer = (row.words for row in rows if row.words[: len(path)] == path and len(row.words) > len(path))
        options = {each[len(path)] for each in longer}
        begun = [each for each in options if each.startswith(word.text.lower())]
        if word.text.lower() in options:
            begun = [word.text.lower()]
        if len(begun) > 1:
            raise Rejected(word.column, AMBIGUOUS.format(word.text))
        if not begun:
            break
        path = (*path, *begun)
    return path


def statement_may_follow(tree: Node, text: str) -> dict[str, str]:
    """The same of a statement of the language: keywords, arguments, ``<cr>`` where it may end."""
    if not text.strip():
        return continuations(tree)
    (line,) = lines(text)
    if isinstance(line, Diagnostic):
        raise Rejected(line.place.column, line.message)
    return continuations(follow(tree, Cursor(line)))


#: What may stand behind ``|``: which of the lines are shown, by whether one holds the expression.
_FILTERS: Mapping[str, Callable[[Iterable[str], re.Pattern[str]], Iterable[str]]] = {
    "include": lambda lines, wanted: (each for each in lines if wanted.search(each)),
    "grep": lambda lines, wanted: (each for each in lines if wanted.search(each)),
    "exclude": lambda lines, unwanted: (each for each in lines if not unwanted.search(each)),
    "begin": lambda lines, first: _from(lines, first),
}


def _from(lines: Iterable[str], first: re.Pattern[str]) -> Iterable[str]:
    begun = False
    for each in lines:
        begun = begun or bool(first.search(each))
        if begun:
            yield each


@dataclass(frozen=True, slots=True)
class Piped:
    """A line with what stands behind its ``|``: ``json``, a filter for what is printed, or nothing."""

    text: str
    shown: Callable[[Iterable[str]], Iterable[str]] | None = None
    json: bool = False


def piped(text: str) -> Piped:
    """A line and its filter; Rejected for a filter there isn't."""
    before, pipe, behind = text.partition(" | ")
    words = behind.split(maxsplit=1)
    if not pipe or words == ["json"]:
        return Piped(before, json=bool(pipe))
    column = len(before) + 4
    if words[:1] == ["grep"] and words[-1].startswith("-v "):
        words = ["exclude", words[-1][3:]]
    begun = [each for name, each in _FILTERS.items() if words and name.startswith(words[0].lower())]
    if len(begun) != 1:
        raise Rejected(column)
    if len(words) < 2:
        raise Rejected(column + len(behind), INCOMPLETE)
    try:
        expression = re.compile(words[1].strip())
    except re.error:
        raise Rejected(column + behind.index(words[1]), INVALID) from None
    return Piped(before, lambda lines: begun[0](lines, expression))
