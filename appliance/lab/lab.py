"""The lab's life: up, down, and commands in one of its hosts. The namespaces are its only state.

`up` starts `fixup run` in the firewall and waits for the service manager's word READY=1, which it asks for on a
socket of its own; the daemon stays behind with its log beside the run directory. `down` ends whatever runs in the
three namespaces, asking politely first, so the firewall puts back what it found, and is at home in any wreckage.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from appliance.kernel import namespaces
from appliance.kernel.errors import KernelError
from appliance.lab.network import HOSTS, Network

#: What `up` runs when no file is named.
EXAMPLE = Path(__file__).parents[2] / "examples" / "mail.cfg"
_READY_WITHIN = 60.0  # s; bcc compiles for a second or two, on a busy machine for more
_GRACE = 5.0  # s for processes to end after SIGTERM
_FIXUP = str(Path(sys.executable).with_name("fixup"))


@dataclass(frozen=True, slots=True)
class Lab:
    """The lab called `network.prefix`; its firewall's run directory is /run/PREFIX unless told."""

    network: Network = field(default_factory=Network)
    run_dir: Path | None = None

    @property
    def directory(self) -> Path:
        """The run directory of the firewall in the lab."""
        return self.run_dir or Path("/run") / self.network.prefix

    @property
    def log(self) -> Path:
        """What the firewall wrote to stderr."""
        return self.directory.with_name(f"{self.directory.name}.log")

    @property
    def copy(self) -> Path:
        """The example's copy that the firewall runs: ``write memory`` at its console may change that one."""
        return self.directory.with_name(f"{self.directory.name}.cfg")

    @property
    def exists(self) -> bool:
        """Whether any of its namespaces is there."""
        return any(namespaces.exists(self.network.namespace(host)) for host in HOSTS)

    def up(self, config: Path = EXAMPLE) -> int:
        """Build the namespaces, start the firewall, return its process id when it is ready.

        KernelError, with the daemon's last words and nothing left behind, if it does not become ready.
        """
        if any(namespaces.exists(self.network.namespace(host)) for host in HOSTS):
            name = self.network.prefix
            raise KernelError(f"the lab {name} is up already, or was left behind: fixup lab down --name {name}")
        self.network.build()
        try:
            return self.start(config)
        except BaseException:
            self.down()
            raise

    def start(self, config: Path) -> int:
        """Start the firewall in the namespaces that are there, and wait until it is ready."""
        if config == EXAMPLE:
            shutil.copyfile(config, self.copy)
            config = self.copy
        with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"{place}/notify")
            manager.settimeout(0.2)
            command = [_FIXUP, "run", str(config), "--run-dir", str(self.directory)]
            self.log.touch(mode=0o640)
            with self.log.open("wb") as log:
                daemon = self.spawn("firewall", command, log, {**os.environ, "NOTIFY_SOCKET": f"{place}/notify"})
            deadline = time.monotonic() + _READY_WITHIN
            while time.monotonic() < deadline:
                with contextlib.suppress(TimeoutError):
                    if b"READY=1" in manager.recv(4096).split(b"\n"):
                        return daemon.pid
                if daemon.poll() is not None:
                    raise KernelError(f"the firewall did not start: {self._last_words()}")
        raise KernelError(f"the firewall was not ready within {_READY_WITHIN:.0f} s: {self._last_words()}")

    def spawn(
        self, host: str, command: Sequence[str], output: int | object, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command in a host, in a session of its own, output and errors to `output`."""
        with namespaces.within(self.network.namespace(host)):  # a child is born where its parent is
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,  # type: ignore[arg-type]  # a file or one of subprocess's constants
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )

    def exec(self, host: str, command: Sequence[str]) -> NoReturn:
        """Replace this process by `command` in `host`."""
        self.require(host)
        namespaces.enter(self.network.namespace(host))
        try:
            os.execvp(command[0], list(command))
        except OSError as error:
            raise KernelError(f"cannot run {command[0]}: {error.strerror}") from error

    def require(self, host: str) -> None:
        """KernelError unless `host` is one of the lab's and the lab is up."""
        if host not in HOSTS:
            raise KernelError(f"no such host: {host} (the lab has {', '.join(HOSTS)})")
        if not namespaces.exists(self.network.namespace(host)):
            raise KernelError(f"the lab {self.network.prefix} is not up: fixup lab up --name {self.network.prefix}")

    def down(self) -> None:
        """End every process of the lab, remove what a killed firewall left, remove the namespaces."""
        self._end("firewall")
        if namespaces.exists(self.network.namespace("firewall")) and self.directory.exists():
            self.spawn("firewall", [_FIXUP, "cleanup", "--run-dir", str(self.directory)], subprocess.DEVNULL).wait()
        for host in HOSTS:
            self._end(host)
        self.network.remove()
        for each in (self.log, self.copy, self.copy.with_name(f"{self.copy.name}.old")):
            each.unlink(missing_ok=True)

    def _end(self, host: str) -> None:
        """End a host's processes, parents first: SIGTERM, and SIGKILL for those that will not go."""
        name = self.network.namespace(host)
        for number, patience in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, 2.0)):
            deadline = time.monotonic() + patience
            asked = set[int]()
            while namespaces.exists(name) and time.monotonic() < deadline:
                living = set(namespaces.processes(name)) - {os.getpid()}
                if not living:
                    return
                for pid in living - asked:
                    if _parent(pid) not in living:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, number)
                        asked.add(pid)
                time.sleep(0.02)

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line for line in lines if line.strip() and not line.startswith(" ")]  # not the line with its caret
        return told[-1] if told else "it said nothing"


def _parent(pid: int) -> int:
    """The parent's process id; 0 if the process has ended."""
    try:
        return int(
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]
        )
    except OSError:
        return 0
