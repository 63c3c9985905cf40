"""A command line to a row of a table and what is given to it.

Options may stand anywhere before ``--``. The longest run of words that is a command is the command; what follows
is its operands. Whatever does not fit is a `UsageError` that names it and what may stand there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.cli.call import Call, UsageError, alternatives, unknown
from appliance.cli.row import GLOBAL, HELP, RUN_DIR, VERSION, Command, Option


@dataclass(frozen=True, slots=True)
class Help:
    """Asked for help on what begins with `words`."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """Asked for the version."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """A command to be carried out."""

    command: Command
    call: Call


class Table:
    """Command lines by these rows. An option's name means the same in all of them."""

    def __init__(self, rows: Sequence[Command]) -> None:
        self._rows = rows
        options = [*GLOBAL, *(each for row in rows for each in row.options)]
        self._options = {name: each for each in options for name in each.names}

    def understood(self, arguments: Sequence[str]) -> Invocation | Help | Version:
        """What a command line asks for; UsageError if nothing."""
        options, words, foreign = self._split(_without_pipe(arguments))
        if HELP in options:
            return Help(self._known(words))
        if words[-1:] == ("?",):
            return Help(self._known(words[:-1]))
        if words[:1] == ("help",):
            return Help(self._known(words[1:]))
        if VERSION in options:
            return Version()
        command = self._command(words)
        operands = (*words[len(command.words) :], *(foreign or ()))
        self._verify(command, options, operands, foreign)
        return Invocation(
            command,
            Call(
                run_dir=Path(options[RUN_DIR]) if RUN_DIR in options else None,
                options={option.key: value for option, value in options.items() if option not in GLOBAL},
                operands=operands,
                instead=self.continuations(command.words),
            ),
        )

    def continuations(self, words: Sequence[str]) -> tuple[str, ...]:
        """The words that may follow `words` on the way to a command, in the table's order."""
        found = (each.words[len(words)] for each in self._rows if _under(each, words) and len(each.words) > len(words))
        return tuple(dict.fromkeys(found))

    def _split(self, arguments: Sequence[str]) -> tuple[dict[Option, str], tuple[str, ...], tuple[str, ...] | None]:
        """Options, words, and what stands behind ``--`` (None without one)."""
        options: dict[Option, str] = {}
        words: list[str] = []
        rest = iter(arguments)
        for argument in rest:
            if argument == "--":
                return options, tuple(words), tuple(rest)
            if not argument.startswith("-") or argument == "-":
                words.append(argument)
                continue
            option, value = self._option(argument, words)
            if option.takes is not None and value is None:
                value = next(rest, None)
            if option.takes is not None and not value:
                raise UsageError(f"{option.names[0]}: {option.takes} must follow")
            options[option] = value or ""
        return options, tuple(words), None

    def _option(self, argument: str, words: Sequence[str]) -> tuple[Option, str | None]:
        """The option that `argument` is, and what it holds (``--port=25``)."""
        name, equals, value = argument.partition("=")
        option = self._options.get(name)
        if option is None:
            raise UsageError(f"unknown option: {name}; try fixup {' '.join((*self._known(words), '--help'))}")
        if equals and option.takes is None:
            raise UsageError(f"{name}: it takes nothing")
        return option, value if equals else None

    def _longest(self, words: Sequence[str]) -> Command | None:
        """The command with the most words that `words` begin with."""
        begun = [each for each in self._rows if tuple(words[: len(each.words)]) == each.words]
        return max(begun, key=lambda each: len(each.words), default=None)

    def _known(self, words: Sequence[str]) -> tuple[str, ...]:
        """The part of `words` that is on the way to a command."""
        length = max(size for size in range(len(words) + 1) if any(_under(each, words[:size]) for each in self._rows))
        return tuple(words[:length])

    def _command(self, words: Sequence[str]) -> Command:
        known = self._known(words)
        command = self._longest(words)
        follow = self.continuations(known)
        if command is not None and (command.words == known or not follow):
            return command
        where = " ".join(known)
        if len(words) > len(known):
            raise unknown(where, words[len(known)], follow)
        raise UsageError(f"{where}{': ' if where else ''}incomplete command; {alternatives(follow)} must follow")

    def _verify(
        self, command: Command, options: Iterable[Option], operands: Sequence[str], foreign: Sequence[str] | None
    ) -> None:
        """UsageError unless the command takes all that was given to it."""
        where = " ".join(command.words)
        for option in options:
            if option not in (*GLOBAL, *command.options):
                raise UsageError(f"{where}: unknown option: {option.names[0]}; try fixup {where} --help")
        if command.most is not None and len(operands) > command.most:
            raise unknown(where, operands[command.most], () if command.most else self.continuations(command.words))
        own = len(operands) - len(foreign or ())
        if len(operands) < command.least or (command.foreign and (not foreign or own != 1)):
            raise UsageError(f"{where}: incomplete command; {command.operands} must follow")


def _under(command: Command, words: Sequence[str]) -> bool:
    return command.words[: len(words)] == tuple(words)


def _without_pipe(arguments: Sequence[str]) -> list[str]:
    """``| json`` at the end, in one word or two, is ``--json``."""
    words = list(arguments)
    for spelt in (["|", "json"], ["|json"], ["| json"]):
        if words[-len(spelt) :] == spelt:
            return [*words[: -len(spelt)], "--json"]
    pipe = words.index("|") if "|" in words[: words.index("--") if "--" in words else None] else None
    if pipe is not None:
        raise UsageError(f"behind | only json may stand: {' '.join(words[pipe:])}")
    return words
