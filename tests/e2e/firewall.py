"""A firewall that runs in a lab of the test's own under a rule file of the test's own, and work beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from appliance.control.client import ask, ask_for_parts
from appliance.control.protocol import Request, ShowConnections, ShowLogging
from appliance.daemon.rundir import RunDirectory
from appliance.kernel import queues
from appliance.lab.lab import Lab
from appliance.lab.network import SERVER, Network
from tests.e2e.box import eventually, workspace
from tests.ground import Child, Ground


@dataclass
class Firewall:
    """It runs as process `pid` under `file`."""

    lab: Lab
    ground: Ground
    file: Path
    pid: int

    def answer(self, request: Request) -> Any:
        """The report it gives."""
        return ask(RunDirectory(self.lab.directory).control, request)

    def parts(self, request: Request) -> list[Any]:
        """The parts of its report."""
        return list(ask_for_parts(RunDirectory(self.lab.directory).control, request))

    def log(self) -> tuple[str, ...]:
        """The memory buffer's lines."""
        return tuple(self.answer(ShowLogging()).lines)

    def text(self) -> str:
        """They as one text."""
        return "\n".join(self.log())

    def in_use(self) -> int:
        """How many connections there are."""
        return int(self.answer(ShowConnections(count_only=True)).in_use)

    def workers(self) -> set[int]:
        """The processes that serve a queue."""
        with self.ground.within("firewall"):
            return {each.worker_pid for each in queues.uses()}

    def outside(self, work: Callable[[], Any]) -> Child:
        """`work` in a process outside."""
        return self.ground.beside("outside", work)

    def serve(self, serve: Callable[[], Any], ports: int = 1) -> Child:
        """A server inside that is listening, at so many ports, when this returns."""
        return serving(self.ground, serve, ports)


def serving(ground: Ground, serve: Callable[[], Any], ports: int = 1) -> Child:
    """The same of any ground."""
    server = ground.beside("inside", serve)
    assert eventually(lambda: ground.run("inside", "ss", "-tlnH").count(f"{SERVER}:") >= ports)
    return server


F = TypeVar("F", bound=Firewall)


@contextmanager
def firewall(prefix: str, text: str, kind: type[F] = Firewall) -> Iterator[F]:  # type: ignore[assignment]  # F is it
    """The firewall up under `text`, and nothing of it afterwards; `prefix` and the process's id name its lab."""
    with workspace() as home:
        file = home / "box.cfg"
        file.write_text(text, encoding="utf-8")
        lab = Lab(Network(f"{prefix}{os.getpid()}"), home / "run")
        pid = lab.up(file)
        ground = Ground(lab.network)
        try:
            yield kind(lab, ground, file, pid)
        finally:
            ground.end()
            lab.down()
