"""Arguments of one word or of the rest of a line: names, texts, regular expressions."""

from __future__ import annotations

import re

from appliance.config.cursor import Argument, Cursor, Kind, Rejected
from appliance.policy.regex import PatternError, check

#: The longest name, an ASA's for access lists. With `TEXT_OCTETS` it keeps every line we print within a line's length.
NAME_OCTETS = 241
TEXT_OCTETS = 200  # asa.md §2.1
NAME = re.compile(r"[!-~]+")


def matching(pattern: re.Pattern[str], longest: int = 512) -> Argument:
    """One word that `pattern` matches, of at most `longest` characters."""

    def read(cursor: Cursor) -> str:
        word = cursor.take()
        if not pattern.fullmatch(word.text):
            raise Rejected(word.column)
        if len(word.text) > longest:
            raise Rejected(word.column + longest)
        return word.text

    return read


#: Any name.
any_name = matching(NAME, NAME_OCTETS)


def naming(kind: Kind) -> Argument:
    """The name of a thing of `kind`, which is defined elsewhere."""

    def read(cursor: Cursor) -> str:
        word = cursor.peek()
        any_name(cursor)
        assert word is not None, "a name was read"
        return cursor.name(kind, word)

    return read


def one_of(cursor: Cursor, *words: str) -> str:
    """One of `words`, in lower case."""
    word = cursor.take()
    if word.text.lower() not in words:
        raise Rejected(word.column)
    return word.text.lower()


def some(words: tuple[str, ...]) -> Argument:
    """One or more of `words` up to the line's end, each once, in the order written, spelt as in `words`."""
    spelling = {each.lower(): each for each in words}

    def read(cursor: Cursor) -> tuple[str, ...]:
        found: dict[str, None] = {}
        while not found or cursor.peek() is not None:
            word = cursor.take()
            if word.text.lower() not in spelling:
                raise Rejected(word.column)
            found[spelling[word.text.lower()]] = None
        return tuple(found)

    return read


def text_to_end(cursor: Cursor) -> str:
    """The rest of the line as it is, but for TABs."""
    start, text = _rest(cursor)
    text = text.replace("\t", " ")
    if len(text.encode("utf-8", "surrogateescape")) > TEXT_OCTETS:
        raise Rejected(start + 1, f"ERROR: the text is longer than {TEXT_OCTETS} octets")
    return text


def rest(cursor: Cursor) -> str:
    """The rest of the line, whatever it says."""
    return _rest(cursor)[1]


def pattern(cursor: Cursor) -> str:
    """A regular expression: the rest of the line, which quotes may enclose to keep its spaces (asa.md §2.6)."""
    start, text = _rest(cursor)
    if text.startswith('"'):
        start += 1
        if len(text) < 2 or not text.endswith('"') or _escaped(text, len(text) - 1):
            raise Rejected(start + len(text), "ERROR: the closing quote is missing")
        text = text[1:-1]
    try:
        check(text)
    except PatternError as error:
        raise Rejected(start + error.at + 1, f"ERROR: Invalid regular expression: {error.message}") from None
    return text


def _rest(cursor: Cursor) -> tuple[int, str]:
    """The rest of the line without blanks at its end, and where in the line it begins."""
    start = cursor.take().column - 1
    cursor.at = len(cursor.line.words)
    return start, cursor.line.text[start:].rstrip(" \t")


def _escaped(text: str, at: int) -> bool:
    """Whether an odd number of backslashes stands before `text[at]`."""
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
