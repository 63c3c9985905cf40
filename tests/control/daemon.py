"""A daemon for tests: a selector loop with a control server in it, and a clock that the test turns."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.control.protocol import Answer, Refusal, Request, ShowConnections, ShowLogging, ShowRunningConfig
from appliance.control.server import Answers, ControlServer
from appliance.show import ConnectionsReport, Progress, RunningConfigReport

LARGE = RunningConfigReport(tuple(f"{number:08d}" for number in range(200_000)))

#: What an answer in parts has.
PARTS = 3


class Daemon:
    """A selector loop with a control server in it, and a clock that the test turns."""

    def __init__(self, path: Path, answer: Callable[[Request], Answers] | None = None) -> None:
        """`answer` in the place of our own."""
        self.path = path
        self.now = 0
        self.faults: list[Exception] = []
        self.selector = selectors.DefaultSelector()
        answers, group = answer or self.answer, path.parent.stat().st_gid
        self.server = ControlServer(self.selector, path, group, answers, self.faults.append, lambda: self.now)

    def close(self) -> None:
        self.server.close()
        self.selector.close()

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

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve from a thread of its own for the length of a `with` block."""
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                for key, mask in self.selector.select(0.05):
                    key.data(mask)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        stop.set()
        thread.join()

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(str(self.path))
        return connection
