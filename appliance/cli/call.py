"""A command line that was understood, and the error of one that was not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: Where an instance lives unless told otherwise (design §4).
DEFAULT_RUN_DIR = Path("/run/fixup")


class UsageError(Exception):
    """The command line, or a file it names, is bad; one line saying what and where."""


@dataclass(frozen=True, slots=True)
class Call:
    """A command with what was given to it. `options` holds those given, by `Option.key`; a switch holds ``""``.

    `run_dir` is None where none was named: what that means is the command's to know. For most it is `instance`.
    """

    run_dir: Path | None
    options: Mapping[str, str]
    operands: tuple[str, ...]

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
