"""The console in front of a firewall that runs: a script on a pipe, and somebody at a terminal."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.kernel import namespaces
from appliance.lab.network import MAPPED_SERVER
from tests.e2e.exchange import CONFIGURATION, Exchanged, exchanged
from tests.e2e.firewall import FIXUP, Firewall

pytestmark = pytest.mark.root

PATIENCE = 20.0  # s

SCRIPT = """\
enable
configure terminal
hostname edge
policy-map type inspect esmtp strict
 match cmd verb HELP
  mask
policy-map global_policy
 class relay
  inspect esmtp strict
end
show service-policy | include relay|strict
write memory
"""


@pytest.fixture(scope="module")
def firewall(standing: Firewall) -> Iterator[Exchanged]:
    with exchanged(standing) as made:
        yield made


def console(firewall: Exchanged, script: str) -> subprocess.CompletedProcess[str]:
    with namespaces.within(firewall.lab.network.namespace("firewall")):
        command = [FIXUP, "--run-dir", str(firewall.lab.directory), "console"]
        return subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, check=False)


def test_a_script_changes_what_new_connections_meet_and_keeps_it(firewall: Exchanged) -> None:
    firewall.put(CONFIGURATION)
    living = firewall.client(MAPPED_SERVER)
    done = console(firewall, SCRIPT)
    assert done.returncode == 0, done.stdout
    said = done.stdout.splitlines()
    assert said[2:4] == ["ciscoasa(config)# hostname edge", "ciscoasa(config)# policy-map type inspect esmtp strict"]
    assert "    Class-map: relay" in said
    assert said[-1] == "[OK]"
    new = firewall.client(MAPPED_SERVER)
    assert (new.arrives(b"HELP"), living.arrives(b"HELP")) == (b"XXXX", b"HELP")
    assert " class relay\n  inspect esmtp strict\n" in firewall.file.read_text(encoding="utf-8")
    assert firewall.file.with_name("box.cfg.old").read_text(encoding="utf-8") == CONFIGURATION


def test_a_script_with_a_mistake_changes_nothing(firewall: Exchanged) -> None:
    firewall.put(CONFIGURATION)
    done = console(firewall, SCRIPT.replace("match cmd verb HELP", "match cmd verb HULP"))
    assert done.returncode == 2
    assert "ERROR: % Invalid input detected at '^' marker." in done.stdout
    assert firewall.client(MAPPED_SERVER).arrives(b"HELP") == b"HELP"
    assert firewall.file.read_text(encoding="utf-8") == CONFIGURATION


class Terminal:
    """A console on a terminal of its own."""

    def __init__(self, run_dir: Path) -> None:
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null"}
        command = [FIXUP, "--run-dir", str(run_dir), "console"]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        self._seen = ""

    def until(self, text: str) -> str:
        """What is on the screen up to `text`, which is waited for."""
        deadline = time.monotonic() + PATIENCE
        while text not in self._seen:
            assert select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))[0], self._seen
            self._seen += os.read(self._ours, 4096).decode().replace("\r\n", "\n")
        before, _, self._seen = self._seen.partition(text)
        return before

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


def test_somebody_at_a_terminal(firewall: Exchanged) -> None:
    firewall.put(CONFIGURATION)
    terminal = Terminal(firewall.lab.directory)
    try:
        terminal.until("ciscoasa> ")
        terminal.type("en\n")
        terminal.until("ciscoasa# ")
        terminal.type("show conn ?")
        assert "count" in terminal.until("detail")
        terminal.type("cou\t\n")
        terminal.until("in use")
        terminal.until("ciscoasa# ")
        for keys in ("conf t\n", "hostname edge\n"):
            terminal.type(keys)
            terminal.until("ciscoasa(config)# ")
        terminal.type("nonsense\n")
        terminal.until("nonsense\n                  ^\nERROR: % Invalid input")
        terminal.until("ciscoasa(config)# ")
        terminal.type("\x04")
        assert terminal.process.wait(PATIENCE) == 0
    finally:
        terminal.close()
    assert "hostname edge" in console(firewall, "enable\nshow running-config\n").stdout
