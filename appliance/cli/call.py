"""A command line that was understood, and the error of one that was not."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Where an instance lives unless told otherwise (design §4).
DEFAULT_RUN_DIR = Path("/run/fixup")


class UsageError(Exception):
    """The command line, or a file it names, is bad; one line saying what and where."""


def unknown(where: str, word: str, follow: Sequence[str]) -> UsageError:
    """The refusal of a word where one of `follow` may stand: the one that it is nearly, or all of them."""
    keyword = nearly(word.lower(), [each for each in follow if " " not in each])
    said = f"is {keyword} meant?" if keyword else f"{alternatives(follow) if follow else 'nothing'} may follow"
    what = f"unknown word: {word}" if word.strip() else "a word is blank"
    return UsageError(f"{where}: {what}; {said}" if where else f"{what}; {said}")


def nearly(word: str, keywords: Sequence[str]) -> str | None:
    """The keyword that `word` alone begins or goes on, or is a slip of the hand from; None if there is none."""
    begun = [each for each in keywords if each.startswith(word) or word.startswith(each)]
    found = begun if len(begun) == 1 else difflib.get_close_matches(word, keywords, 1, _ALIKE)
    return found[0] if found else None


#: How alike (difflib's ratio) words are that are a slip of the hand apart: `detial` and `detail` are 0.83.
_ALIKE = 0.75


def alternatives(words: Sequence[str]) -> str:
    """``a``, ``a or b``, ``a, b or c``"""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


@dataclass(frozen=True, slots=True)
class Call:
    """A command with what was given to it. `options` holds those given, by `Option.key`; a switch holds ``""``.

    `run_dir` is None where none was named: what that means is the command's to know. For most it is `instance`.
    `instead` are the words that would have made a longer command of it, where the first operand stands.
    """

    run_dir: Path | None
    options: Mapping[str, str]
    operands: tuple[str, ...]
    instead: tuple[str, ...] = ()

    @property
    def instance(self) -> Path:
        """The run directory of the firewall that is meant."""
        return self.run_dir or DEFAULT_RUN_DIR

    def path(self, option: str) -> Path | None:
        """The file an option names; None if it was not given."""
        value = self.options.get(option)
        return None if value is None else Path(value)

    def number(self, option: str, low: int, high: int) -> int | None:
        """The number an option holds; UsageError outside `low` to `high`, None if it was not given."""
        value = self.options.get(option)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= len(str(high)) and low <= int(value) <= high):
            raise UsageError(f"--{option}: not a number from {low} to {high}: {value}")
        return int(value)
