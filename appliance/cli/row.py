"""A command as a row of the table: words, operands, options, help with an example, and what does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from appliance.cli.call import Call


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its names, and the word that stands for what it takes (None: it takes nothing)."""

    names: tuple[str, ...]
    takes: str | None
    help: str

    @property
    def key(self) -> str:
        """What `Call.options` knows it by: the longest name without dashes."""
        return max(self.names, key=len).lstrip("-")


@dataclass(frozen=True, slots=True)
class Command:
    """A row. `operands` is for help; between `least` and `most` of them are taken (`most` None: any number).

    `foreign`: one operand, and behind ``--`` somebody else's command line.
    """

    words: tuple[str, ...]
    help: str
    example: str
    handler: Callable[[Call], int]
    operands: str = ""
    least: int = 0
    most: int | None = 0
    options: tuple[Option, ...] = ()
    foreign: bool = False


RUN_DIR = Option(("--run-dir",), "DIR", "the instance's directory (default /run/fixup)")
HELP = Option(("--help", "-h"), None, "say what there is, with examples")
VERSION = Option(("--version",), None, "say which Fixup this is")
#: Options of every command.
GLOBAL = (RUN_DIR, HELP, VERSION)

JSON = Option(("--json",), None, "as JSON; '| json' as last words of a show does the same")
CONFIG = Option(("-c", "--config"), "FILE", "the rule file; a lab's is examples/mail.cfg, replay has the default map")
