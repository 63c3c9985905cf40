"""A daemon for the control tests: a selector loop with a control server in it, and a clock that the test turns."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from pathlib import Path

from appliance.control.protocol import Answer, Refusal, Request, ShowConnections, ShowLogging, ShowRunningConfig
from appliance.control.server import Answers, ControlServer
from appliance.show import ConnectionsReport, Progress, RunningConfigReport

LARGE = RunningConfigReport(tuple(f"{number:08d}" for number in range(200_000)))

#: What an answer in parts has.
PARTS = 3


class Daemon:
    """A selector loop with a control server in it, and a clock that the test turns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0
        self.faults: list[Exception] = []
        self.selector = selectors.DefaultSelector()
        self.server = ControlServer(
            self.selector, path, path.parent.stat().st_gid, self.answer, self.faults.append, lambda: self.now
        )

    def answer(self, request: Request) -> Answers:
        match request:
            case ShowConnections(wanted=wanted) if wanted.states:
                return self.parts(wanted.states[0])
            case ShowConnections(count_only):
                return ConnectionsReport(int(count_only), 50, ())
            case ShowRunningConfig():
                return LARGE
            case ShowLogging():
                return Refusal("logging is out")
            case _:
                raise ZeroDivisionError("our bug")

    def parts(self, how: Progress) -> Iterator[Answer | None]:
        """A long answer, or one that breaks off."""
        for number in range(PARTS):
            yield None
            yield ConnectionsReport(number, 50, ())
            if how is Progress.DEAD:
                raise ZeroDivisionError("our bug")

    def turn(self) -> None:
        """Serve until nothing is ready."""
        while ready := self.selector.select(0):
            for key, mask in ready:
                key.data(mask)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(str(self.path))
        return connection
