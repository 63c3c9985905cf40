"""The configuration in force: where it comes from, how it is changed, where it is kept.

It is replaced whole or not at all. Whoever asks for a change is told what is wrong with it, or which part of the
machine refused it.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from appliance.config.comments import as_remarks
from appliance.config.config import Config
from appliance.config.diagnostics import Severity
from appliance.config.editor import Editor
from appliance.config.load import Loaded
from appliance.config.render import running_config
from appliance.control.protocol import Applied, Refusal, StartupConfigReport, Written
from appliance.daemon import clock
from appliance.daemon.startup import Startup, here
from appliance.kernel.errors import KernelError
from appliance.syslog import CommandExecuted, ConfigurationRefused, Record

T = TypeVar("T", bound=Applied | Written | Refusal)


#: Words behind which a secret stands, which an ASA's log does not have either.
_SECRETS = ("passw", "passwo", "passwor", "password", "passwd", "community", "key", "pre-shared-key")


def _ended(outcome: Applied) -> str:
    """How many connections it ended, if any."""
    return f"; connections ended: {outcome.ended}" if outcome.ended else ""


def _without_secrets(line: str) -> str:
    """A line as it is logged: in one line, and of no secret more than that there is one."""
    words = line.split()
    secret = next((at for at, word in enumerate(words) if word.lower() in _SECRETS), None)
    return " ".join(words if secret is None else [*words[: secret + 1], *("*" * (len(words) > secret + 1))])


class Configuration:
    """`running` is in force. `enforce` puts another one there and says how many connections that ended: KernelError,
    and all as it was, if it can't be.

    `log` is told of every command that changed something, or would have.
    """

    def __init__(
        self, config: Config, startup: Startup, enforce: Callable[[Config], int], log: Callable[[Record], None]
    ) -> None:
        self.running = config
        #: When something else was put in force last; None if nothing was since the start.
        self.modified: datetime | None = None
        self._startup = startup
        self._enforce = enforce
        self._log = log

    @property
    def file(self) -> Path:
        """Where the startup configuration is kept."""
        return self._startup.path

    def reload(self) -> Applied | Refusal:
        """Put the startup configuration in force."""
        return self._told("reload", self._reload())

    def _reload(self) -> Applied | Refusal:
        path = self._startup.path
        try:
            loaded = self._startup.load()
        except OSError as error:
            return Refusal(f"cannot read {path}: {error.strerror}")
        return self._apply(str(path), loaded)

    def reload_quietly(self) -> None:
        """The same for who sent a signal and gets no answer: stderr says what came of it."""
        outcome = self.reload()
        if isinstance(outcome, Refusal):
            print(f"fixup: {outcome.message}", file=sys.stderr)
            return
        for each in outcome.findings:
            print(each.render(outcome.file), file=sys.stderr)
        print(f"fixup: {outcome.file} is {'in force' if outcome.done else 'refused'}{_ended(outcome)}", file=sys.stderr)

    def change(self, lines: tuple[str, ...]) -> Applied | Refusal:
        """Do what was typed, all of it or nothing; every line of it is logged."""
        outcome = self._told("configure terminal", self._change(lines))
        for line in lines if isinstance(outcome, Applied) and outcome.done else ():
            self._log(CommandExecuted(_without_secrets(line)))
        return outcome

    def _change(self, lines: tuple[str, ...]) -> Applied | Refusal:
        editor = Editor(self.running)
        findings = tuple(each for line in lines for each in editor.line(line))
        if any(each.severity is Severity.ERROR for each in findings):
            return Applied("", False, findings)
        return self._apply("", here(*editor.loaded()))

    def write(self) -> Written | Refusal:
        """Keep what is in force as startup configuration; comments of the old one that have a place become remarks."""
        return self._told("write memory", self._write())

    def _write(self) -> Written | Refusal:
        path = self._startup.path
        try:
            config, lost = as_remarks(self.running, self._startup.text())
            text = running_config(config).encode("utf-8", "surrogateescape")
            self._startup.save(text)
        except OSError as error:
            return Refusal(f"cannot write {path}: {error.strerror}")
        self.running = config  # remarks decide nothing: there is nothing to enforce
        return Written(str(path), len(text), hashlib.md5(text, usedforsecurity=False).hexdigest(), lost)

    def startup_report(self) -> StartupConfigReport | Refusal:
        """The startup configuration as it stands in its file."""
        path = self._startup.path
        try:
            lines = self._startup.text().decode("utf-8", "surrogateescape").splitlines()
        except OSError as error:
            return Refusal(f"cannot read {path}: {error.strerror}")
        return StartupConfigReport(str(path), tuple(lines))

    def _told(self, command: str, outcome: T) -> T:
        """What came of a command is logged."""
        match outcome:
            case Refusal(message):
                self._log(ConfigurationRefused(command, message))
            case Applied(done=False, findings=findings):
                errors = sum(each.severity is Severity.ERROR for each in findings)
                self._log(ConfigurationRefused(command, f"{errors} error{'' if errors == 1 else 's'} in it"))
            case _:
                self._log(CommandExecuted(command))
        return outcome

    def _apply(self, file: str, loaded: Loaded) -> Applied | Refusal:
        ended = 0
        if loaded.config is not None:
            try:
                ended = self._enforce(loaded.config)
            except KernelError as error:
                return Refusal(f"{error}; the configuration in force is the one before")
            self.running, self.modified = loaded.config, clock.moment()
        return Applied(file, loaded.config is not None, loaded.diagnostics, ended)
