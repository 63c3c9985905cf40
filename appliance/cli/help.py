"""Help, made of the table: of all commands, of those that begin alike, of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from appliance.cli.row import GLOBAL, Command, Option


def help_on(rows: Sequence[Command], words: Sequence[str]) -> Iterator[str]:
    """Lines of help on the commands of `rows` that begin with `words`."""
    under = [each for each in rows if each.words[: len(words)] == tuple(words)]
    if not words:
        yield "Fixup: an inline firewall that does to mail what a Cisco PIX/ASA does."
        yield ""
        yield "usage: fixup [--run-dir DIR] COMMAND …"
        yield ""
    for number, each in enumerate(under):
        if words and number:
            yield ""
        yield from _full(each) if words else _short(each)
    if not words:
        yield ""
        yield from _options(GLOBAL)
        yield ""
        yield "example: fixup show service-policy --help"


def _usage(command: Command) -> str:
    names = [f"[{'|'.join(each.names)}{f' {each.takes}' if each.takes else ''}]" for each in command.options]
    return " ".join(part for part in ("fixup", *command.words, *names, command.operands) if part)


def _short(command: Command) -> Iterator[str]:
    words = " ".join(part for part in (*command.words, command.operands) if part)
    yield f"  {words:<38}  {command.help}" if len(words) <= 38 else f"  {words}\n{'':42}{command.help}"


def _full(command: Command) -> Iterator[str]:
    yield f"usage: {_usage(command)}"
    yield f"  {command.help}"
    yield from _options(command.options)
    yield f"  example: {command.example}"


def _options(options: Sequence[Option]) -> Iterator[str]:
    for each in options:
        names = f"{', '.join(each.names)}{f' {each.takes}' if each.takes else ''}"
        yield f"  {names:<22}  {each.help}"
