"""A firewall that runs in a lab under a rule file of the test's own, what it says of itself, and work beside it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from appliance.control.client import ask, ask_for_parts
from appliance.control.protocol import ClearConnections, Reload, Request, ShowConnections, ShowLogging
from appliance.daemon.rundir import RunDirectory
from appliance.kernel import namespaces, queues
from appliance.lab.lab import Lab
from appliance.lab.network import Network
from appliance.show import ConnectionReport, Progress, Wanted
from tests.ground import Child, Ground, eventually, workspace

#: Every entry that holds a place: any of these is in one of these states.
ALL = Wanted(states=(Progress.UP, Progress.EMBRYONIC, Progress.DEAD))
FIXUP = str(Path(__file__).parents[2] / ".venv" / "bin" / "fixup")


@dataclass
class Firewall:
    """It runs as process `pid` under `file`."""

    lab: Lab
    ground: Ground
    file: Path
    pid: int
    forgotten: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """What a kind of firewall has besides."""

    @property
    def home(self) -> Path:
        """A directory for files of the test's."""
        return self.file.parent

    # --- what it says ---------------------------------------------------------------------------------------------

    def answer(self, request: Request) -> Any:
        """The report it gives."""
        return ask(RunDirectory(self.lab.directory).control, request)

    def parts(self, request: Request) -> list[Any]:
        """The parts of its report."""
        return list(ask_for_parts(RunDirectory(self.lab.directory).control, request))

    def connections(self, wanted: Wanted = Wanted()) -> list[ConnectionReport]:  # noqa: B008  # it is frozen
        """What `show conn` lists."""
        return [each for part in self.parts(ShowConnections(wanted=wanted)) for each in part.connections]

    def in_use(self) -> int:
        """How many connections there are."""
        return int(self.answer(ShowConnections(count_only=True)).in_use)

    def log(self) -> tuple[str, ...]:
        """The lines of the memory buffer that are not forgotten."""
        lines = self._buffer()
        for known in range(len(self.forgotten), 0, -1):
            if lines[:known] == self.forgotten[-known:]:
                return lines[known:]
        return lines

    def text(self) -> str:
        """They as one text."""
        return "\n".join(self.log())

    def forget(self) -> None:
        """What was logged until now is no longer in sight."""
        self.forgotten = self._buffer()

    def _buffer(self) -> tuple[str, ...]:
        return tuple(self.answer(ShowLogging()).lines)

    # --- its processes --------------------------------------------------------------------------------------------

    def workers(self) -> set[int]:
        """The processes that serve a queue."""
        with self.ground.within("firewall"):
            return {each.worker_pid for each in queues.uses()}

    def kill_workers(self) -> None:
        """Each of them, and others are in their place when this returns."""
        killed = self.workers()
        for each in killed:
            os.kill(each, signal.SIGKILL)
        assert eventually(lambda: len(self.workers()) == len(killed) and not killed & self.workers())

    # --- its rules ------------------------------------------------------------------------------------------------

    def put(self, text: str) -> None:
        """Other rules in force, and in its file."""
        self.file.write_text(text, encoding="utf-8")
        applied = self.answer(Reload())
        assert applied.done, applied

    # --- work beside it -------------------------------------------------------------------------------------------

    def outside(self, work: Callable[[], Any]) -> Child:
        """`work` in a process outside."""
        return self.ground.beside("outside", work)

    def serve(self, serve: Callable[[], Any], ports: int = 1) -> Child:
        """A server inside that is listening, at so many ports, when this returns."""
        return self.ground.serve(serve, ports)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command `fixup` with these words, for this firewall."""
        return fixup(self.lab, *words)


def fixup(lab: Lab, *words: str) -> subprocess.CompletedProcess[str]:
    """The command `fixup` with these words, in the firewall's host, for what runs or ran there."""
    with namespaces.within(lab.network.namespace("firewall")):
        command = [FIXUP, "--run-dir", str(lab.directory), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


F = TypeVar("F", bound=Firewall)


@contextmanager
def hosts(prefix: str, **network: Any) -> Iterator[Lab]:
    """Three hosts without a running firewall, nothing of them afterwards; `prefix` and our process are the name."""
    with workspace() as home:
        lab = Lab(Network(f"{prefix}{os.getpid()}", **network), home / "run")
        lab.network.build()
        try:
            yield lab
        finally:
            lab.down()


@contextmanager
def started(lab: Lab, text: str, kind: type[F]) -> Iterator[F]:
    """The firewall up under `text` in hosts that are there."""
    file = lab.directory.parent / "box.cfg"
    file.write_text(text, encoding="utf-8")
    made = kind(lab, ground := Ground(lab.network), file, lab.start(file))
    try:
        yield made
    finally:
        ground.end()


@contextmanager
def firewall(prefix: str, text: str, kind: type[F] = Firewall, **network: Any) -> Iterator[F]:  # type: ignore[assignment]  # F is it
    """Hosts and firewall, up under `text`."""
    with hosts(prefix, **network) as lab, started(lab, text, kind) as made:
        yield made


@contextmanager
def under(standing: Firewall, text: str, kind: type[F] = Firewall) -> Iterator[F]:  # type: ignore[assignment]  # F is it
    """A firewall that stands already, put under `text`; what happens to it and its hosts is undone.

    A start is seconds of a compiler, a reload is none; and what is proved so is proved of reloaded rules.
    """
    standing.forget()
    standing.put(text)
    made = kind(standing.lab, ground := Ground(standing.lab.network), standing.file, standing.pid, standing.forgotten)
    try:
        yield made
    finally:
        ground.end()
        made.answer(ClearConnections(ALL))
        for host in ("outside", "inside"):
            for table in ("filter", "raw"):
                ground.run(host, "iptables", "-t", table, "-F")
