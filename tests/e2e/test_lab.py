"""The lab as a command: up, exec, down, and the demonstration, which shows what is so and leaves nothing behind."""

import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from appliance.kernel import namespaces
from appliance.lab.network import HOSTS
from tests.e2e.firewall import FIXUP
from tests.ground import eventually

pytestmark = pytest.mark.root


@pytest.fixture
def name() -> Iterator[str]:
    """A lab's name; what is left of it is taken down."""
    prefix = f"fxc{os.getpid()}"
    yield prefix
    fixup("lab", "down", "--name", prefix)


def fixup(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([FIXUP, *words], capture_output=True, text=True, timeout=120, check=False)


def left(name: str) -> list[str]:
    """What is there of a lab."""
    hosts = [f"{name}-{host}" for host in HOSTS if namespaces.exists(f"{name}-{host}")]
    return hosts + [str(path) for path in Path("/run").glob(f"{name}*")]


def test_a_lab_goes_up_runs_commands_in_its_hosts_and_goes_down(name: str) -> None:
    assert fixup("lab", "up", "--name", name).returncode == 0
    assert len(left(name)) == 6  # three hosts, the run directory, the log and the example's copy
    told = fixup("lab", "exec", "--name", name, "outside", "--", "ip", "-o", "-4", "addr", "show", "eth0")
    assert "203.0.113.99/24" in told.stdout
    assert fixup("lab", "exec", "--name", name, "inside", "--", "sh", "-c", "exit 7").returncode == 7
    shown = fixup("--run-dir", f"/run/{name}", "show", "conn")
    assert (shown.returncode, shown.stdout.splitlines()[0]) == (0, "0 in use, 0 most used")
    again = fixup("lab", "up", "--name", name)
    assert again.returncode != 0
    assert f"fixup lab down --name {name}" in again.stderr
    assert fixup("lab", "down", "--name", name).returncode == 0
    assert left(name) == []


def test_down_ends_what_will_not_end_and_a_second_down_is_no_error(name: str) -> None:
    assert fixup("lab", "up", "--name", name).returncode == 0
    stubborn = ["sh", "-c", "trap '' TERM; while :; do sleep 60 & wait; done"]
    with subprocess.Popen([FIXUP, "lab", "exec", "--name", name, "inside", "--", *stubborn]) as process:
        assert eventually(lambda: namespaces.processes(f"{name}-inside"))
        fixup("lab", "down", "--name", name)
        assert process.wait(30) == -signal.SIGKILL
    assert left(name) == []
    assert fixup("lab", "down", "--name", name).returncode == 0


def test_a_lab_that_is_not_up_is_one_line(name: str) -> None:
    told = fixup("lab", "exec", "--name", name, "outside", "--", "true")
    assert told.returncode != 0
    assert told.stderr.splitlines() == [f"fixup: the lab {name} is not up: fixup lab up --name {name}"]


def test_a_lab_whose_firewall_cannot_start_leaves_nothing(name: str, tmp_path: Path) -> None:
    config = tmp_path / "other.cfg"
    example = Path(__file__).parents[2] / "examples" / "mail.cfg"
    config.write_text(example.read_text().replace("hardware inside0", "hardware nosuch0"))
    told = fixup("lab", "up", "--name", name, "--config", str(config))
    assert told.returncode != 0
    assert "no such device: nosuch0" in told.stderr
    assert left(name) == []


def test_what_is_written_in_a_lab_leaves_the_example_alone(name: str) -> None:
    example = Path(__file__).parents[2] / "examples" / "mail.cfg"
    before = example.read_bytes()
    assert fixup("lab", "up", "--name", name).returncode == 0
    try:
        written = subprocess.run(
            [FIXUP, "console", "--run-dir", f"/run/{name}"], input="enable\nwrite memory\n", text=True, timeout=60
        )
        assert written.returncode == 0
        assert Path(f"/run/{name}.cfg").read_bytes() != before
    finally:
        fixup("lab", "down", "--name", name)
    assert example.read_bytes() == before
    assert left(name) == []


def test_the_demonstration_shows_what_is_so(name: str) -> None:
    told = fixup("lab", "demo", "--name", name)
    assert told.returncode == 0, told.stdout
    assert "NOT SO" not in told.stdout
    assert "--> STARTTLS                                         XXXXXXXX" in told.stdout
    assert "\033" not in told.stdout  # plain: it goes to a pipe
    assert left(name) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing(name: str, number: signal.Signals) -> None:
    with subprocess.Popen(
        [FIXUP, "lab", "demo", "--name", name],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("2. "):
                break
        process.send_signal(number)
        process.stdout.read()
        assert process.wait(60) != 0
    assert left(name) == []
