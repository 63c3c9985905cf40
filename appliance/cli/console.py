"""``fixup console``: an ASA's prompt in front of the running firewall.

Every command of the firewall is here, shortened to any unique beginning, ``?`` says what may follow. In configuration
mode each line is read and refused or kept at once, and what was kept takes effect together when the mode is left: an
access list that is being rewritten never stands there half (docs/decisions/0013). A script (stdin is no terminal) in
which a line was refused changes nothing.
"""

from __future__ import annotations

import contextlib
import enum
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance.cli import format
from appliance.cli.arguments import Invocation, Table
from appliance.cli.call import UsageError
from appliance.cli.console_words import may_follow, meant, piped, statement_may_follow, words_of
from appliance.cli.firewall import told
from appliance.cli.row import Command
from appliance.cli.shows import show_configuration
from appliance.cli.tree import FIREWALL
from appliance.config.config import Config
from appliance.config.cursor import Rejected
from appliance.config.diagnostics import INVALID, Diagnostic, Severity, escaped
from appliance.config.editor import Editor, clears
from appliance.config.grammar import TREES
from appliance.config.lexer import Word
from appliance.config.parser import parse
from appliance.config.syntax import Mode
from appliance.control.client import ControlError
from appliance.control.protocol import Applied, Configure, ShowRunningConfig
from appliance.kernel.errors import KernelError
from appliance.show import RunningConfigReport, running_config

#: Commands that configuration mode has too, and the letters that say them there.
_EXEC = {"show": 2, "write": 2, "copy": 3, "clear": 3, "reload": 3}


class Level(enum.Enum):
    """Who is typing: somebody looking on, somebody who may act, somebody configuring."""

    USER = "user"
    PRIVILEGED = "privileged"
    CONFIGURE = "configure"


@dataclass(frozen=True, slots=True)
class Builtin:
    """A command of the console itself."""

    words: tuple[str, ...]
    help: str
    levels: tuple[Level, ...]
    do: Callable[[Console], None]
    most: int | None = 0


class Console:
    """One session. `strict`: a script, whose changes are made whole or not at all."""

    def __init__(self, run_dir: Path, strict: bool) -> None:
        self._run_dir = run_dir
        self._strict = strict
        self._level = Level.USER
        self._hostname = self._running().hostname
        self._editor = Editor(Config())
        self._typed: list[str] = []
        self._refused = 0
        #: The session is over; something in it was refused.
        self.done = False
        self.failed = False

    @property
    def prompt(self) -> str:
        """``ciscoasa(config-if)# ``"""
        if self._level is Level.CONFIGURE:
            return f"{self._hostname}({self._editor.mode.value})# "
        return f"{self._hostname}{'>' if self._level is Level.USER else '#'} "

    def execute(self, text: str) -> None:
        """Do a line and print what it says."""
        self._width = len(self.prompt)
        text = text.rstrip("\r\n")
        if text.rstrip().endswith("?") and not self._is_text(text):
            self._help(text.rstrip()[:-1])
        elif text.strip() == "\x1a":
            self._do("end")
        elif text.strip() and not text.lstrip().startswith("!"):
            self._do(text)

    def finish(self) -> None:
        """No more lines: what was typed is applied, as on leaving configuration mode."""
        if self._level is Level.CONFIGURE:
            self._leave()
        self.done = True

    # --- what a line means ------------------------------------------------------------------------------------------

    def _do(self, text: str) -> None:
        try:
            command = _commanded(text)
            if command is not None:
                self._width += len(text) - len(command)
                self._command(command)
            elif self._level is Level.CONFIGURE and self._is_statement(text):
                self._statement(text)
            else:
                self._command(text)
        except Rejected as reason:
            self._complain(reason.column, reason.message)
        except (UsageError, ControlError, KernelError) as error:
            self._complain(0, f"ERROR: {error}")

    def _rows(self) -> Sequence[Builtin | Command]:
        """The commands there are at this level."""
        there = list(FIREWALL)
        if self._level is Level.USER:
            there = [each for each in there if each.words[0] == "show" and not each.words[1].endswith("-config")]
        return [*(each for each in BUILTINS if self._level in each.levels), *there]

    def _is_statement(self, text: str) -> bool:
        """Not a command that configuration mode has too."""
        words = words_of(text.lower())
        first = words[0].text
        if first == "end" or (self._editor.mode is Mode.CONFIGURE and first in ("exit", "quit")) or first == "abort":
            return False
        for word, least in _EXEC.items():
            if len(first) >= least and word.startswith(first):
                return word == "clear" and clears(each.text for each in words)
        return True

    def _is_text(self, text: str) -> bool:
        """A line that ends in a question mark of its own: an expression's, a remark's, a description's."""
        words = [each.text.lower() for each in words_of(text)]
        return self._level is Level.CONFIGURE and bool({"regex", "remark", "description"} & set(words[:3]))

    def _command(self, text: str) -> None:
        line = piped(text)
        row, operands = meant(self._rows(), words_of(line.text))
        if isinstance(row, Builtin):
            row.do(self)
            return
        if line.shown is None:
            self._run(row, operands, line.json)
            return
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            self._run(row, operands)
        for each in line.shown(printed.getvalue().splitlines()):
            print(each)

    def _run(self, row: Command, operands: Sequence[str], as_json: bool = False) -> None:
        options = ["--run-dir", str(self._run_dir), *(["--json"] if as_json else [])]
        invocation = Table(FIREWALL).understood([*options, *row.words, *operands])
        assert isinstance(invocation, Invocation)  # a row's own words are a command
        if self._level is Level.CONFIGURE and row.words[:2] == ("show", "running-config"):
            show_configuration(invocation.call, running_config(self._editor.config, "all" in row.words))
            return
        if self._level is Level.CONFIGURE and row.words[0] in ("write", "copy") and not self._apply():
            return
        self.failed |= invocation.command.handler(invocation.call) != 0
        if row.words == ("reload",):
            self._hostname = self._running().hostname

    # --- configuration mode -----------------------------------------------------------------------------------------

    def _statement(self, text: str) -> None:
        found = self._editor.line(text)
        for each in found:
            self._complain(each.place.column, each.message, each.severity)
        if any(each.severity is Severity.ERROR for each in found):
            self._refused += 1
        else:
            self._typed.append(text)

    def enable(self) -> None:
        """``enable``"""
        self._level = Level.PRIVILEGED

    def disable(self) -> None:
        """``disable``"""
        self._level = Level.USER

    def configure(self) -> None:
        """``configure terminal``"""
        self._editor = Editor(self._running())
        self._level = Level.CONFIGURE

    def leave(self) -> None:
        """``end``, or ``exit`` where there is no mode inside."""
        if self._level is Level.CONFIGURE:
            self._leave()
        else:
            self.done = True

    def abort(self) -> None:
        """``abort``: what was typed since ``configure terminal`` is forgotten."""
        self._typed, self._refused = [], 0
        self._level = Level.PRIVILEGED

    def _leave(self) -> None:
        if self._apply() or self._strict:
            self.abort()

    def _apply(self) -> bool:
        """What was typed, put in force together; False if it was refused, and says why."""
        if self._strict and self._refused:
            many = "1 line was" if self._refused == 1 else f"{self._refused} lines were"
            print(f"ERROR: {many} refused: nothing was applied")
        elif not self._typed or self._sent():
            return True
        self.failed = True
        self.done |= self._strict  # what follows in a script may rely on it
        return False

    def _sent(self) -> bool:
        """What was typed, put in force by the daemon; False if it was refused, and says why."""
        try:
            outcome = told(self._run_dir, Configure(tuple(self._typed)), Applied)
        except ControlError as error:
            print(f"ERROR: {error}")
            return False
        if outcome.done:
            self._typed = []
            self._hostname = self._running().hostname
            for line in format.ended(outcome):
                print(f"INFO: {line}")
            return True
        for each in outcome.findings:
            if each.severity is Severity.ERROR:
                self._point_out(each)
        print("Nothing was applied." if self._strict else "Nothing was applied. Correct it, or type abort.")
        return False

    def _running(self) -> Config:
        report = told(self._run_dir, ShowRunningConfig(), RunningConfigReport)
        return parse("\n".join(report.lines)).config

    # --- what it says -----------------------------------------------------------------------------------------------

    def _complain(self, column: int, message: str, severity: Severity = Severity.ERROR) -> None:
        if message == INVALID:
            print(f"{' ' * (self._width + column - 1)}^")
        print(escaped(message))
        self.failed |= severity is Severity.ERROR

    def _point_out(self, finding: Diagnostic) -> None:
        print(f"{escaped(finding.source)}\n{' ' * (finding.place.column - 1)}^")
        print(escaped(finding.message))

    def help(self) -> None:
        """``help``: what there is here."""
        self._help("")

    def _help(self, text: str) -> None:
        """What ``?`` says: the words that may stand here, those that begin so if it stands behind letters."""
        try:
            found = self.may_stand(text)
        except Rejected as reason:
            self._complain(reason.column, reason.message)
            return
        if not found:
            self._complain(0, "ERROR: % Unrecognized command")
        for word, said in found.items():
            print(f"  {word:<22}  {said}".rstrip())

    def may_stand(self, text: str) -> dict[str, str]:
        """The words that may stand at the end of `text`, with what is known of them; Rejected if none may."""
        whole, partly = (text, "") if not text or text[-1].isspace() else _last_word(text)
        found: dict[str, str] = {}
        unread: Rejected | None = None
        if self._level is Level.CONFIGURE:
            try:
                found |= statement_may_follow(TREES[self._editor.mode], whole)
            except Rejected as reason:
                unread = reason
        try:
            found |= may_follow(self._rows(), words_of(whole))
        except Rejected as reason:
            unread = unread or reason
        if not found and unread is not None:
            raise unread
        return {word: said for word, said in found.items() if word.startswith(partly.lower())}


def _commanded(text: str) -> str | None:
    """What stands behind ``do``, by which other devices' configuration modes take commands."""
    head, _, command = text.lstrip().partition(" ")
    return command.lstrip() if head.lower() == "do" and command.strip() else None


def _last_word(text: str) -> tuple[str, str]:
    last: Word = words_of(text)[-1]
    return text[: last.column - 1], last.text


def _nothing(_console: Console) -> None:
    """What a script for a device says and no terminal of ours needs."""


_OUTSIDE = (Level.USER, Level.PRIVILEGED)
_EVERYWHERE = tuple(Level)
BUILTINS: tuple[Builtin, ...] = (
    Builtin(("enable",), "act, not only look", (Level.USER,), Console.enable),
    Builtin(("disable",), "only look", (Level.PRIVILEGED,), Console.disable),
    Builtin(("configure", "terminal"), "change the configuration", (Level.PRIVILEGED,), Console.configure),
    Builtin(("end",), "leave configuration mode; what was typed takes effect", (Level.CONFIGURE,), Console.leave),
    Builtin(("abort",), "leave configuration mode and forget what was typed", (Level.CONFIGURE,), Console.abort),
    Builtin(("exit",), "leave this mode", _EVERYWHERE, Console.leave),
    Builtin(("quit",), "leave this mode", _EVERYWHERE, Console.leave),
    Builtin(("logout",), "leave the console", _OUTSIDE, Console.leave),
    Builtin(("terminal", "pager"), "accepted: nothing is paged here", _OUTSIDE, _nothing, None),
    Builtin(("terminal", "width"), "accepted: lines are as long as they are", _OUTSIDE, _nothing, None),
    Builtin(("help",), "what there is here; ? after a word says what may follow", _EVERYWHERE, Console.help),
)
