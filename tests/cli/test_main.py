"""The command itself: exit codes, one line on stderr, help, clean ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.cli.row import Command
from appliance.cli.shell import COMMANDS
from appliance.daemon.startup import Startup
from appliance.kernel.errors import KernelError

ROOT = Path(__file__).parents[2]

Out = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (KernelError("no BPF here: install it"), 1, "fixup: no BPF here: install it\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_what_a_command_raises(
    monkeypatch: pytest.MonkeyPatch, capsys: Out, error: BaseException, code: int, line: str
) -> None:
    def fail(_: object) -> int:
        raise error

    monkeypatch.setattr("appliance.cli.main.COMMANDS", (Command(("cleanup",), "", "", fail),))
    assert main(["cleanup"]) == code
    assert capsys.readouterr() == ("", line)


@pytest.mark.parametrize("line", ["", "shw", "show", "check", "lab exec", "--bogus", "lab up --name ../x"])
def test_a_bad_command_line_is_one_line_and_exit_2(capsys: Out, line: str) -> None:
    assert main(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("fixup: ")
    assert err.count("\n") == 1


def test_what_was_typed_cannot_write_to_the_terminal(capsys: Out) -> None:
    assert main(["show", "\x1b[2J\r\nfixup: all is well"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("fixup: show: unknown word: \\033[2J\\015\\012fixup: all is well; ")
    assert err.rstrip("\n").isprintable()


def test_no_daemon_is_one_line_and_exit_1(tmp_path: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(tmp_path), "show", "conn"]) == 1
    assert capsys.readouterr().err == (
        f"fixup: no firewall runs in {tmp_path}: start one with fixup run CONFIG, or name its --run-dir\n"
    )


@pytest.mark.parametrize(("text", "code"), [("interfce E0\n", 2), ("interface E0\n nameif outside\n", 1)])
def test_a_refused_file_is_read_once(
    tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, text: str, code: int
) -> None:
    """What is missing of a machine may come; what is wrong with a file stays wrong."""
    read: list[Path] = []

    def once(startup: Startup) -> bytes:
        read.append(startup.path)
        return text.encode()

    monkeypatch.setattr(Startup, "text", once)
    file = tmp_path / "box.cfg"
    assert main(["run", str(file)]) == code
    assert capsys.readouterr().err.startswith(f"{file}:1:1: ERROR: ")
    assert read == [file]


# --- help and version -------------------------------------------------------------------------------------------


def test_help_names_every_command_and_has_an_example(capsys: Out) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {' '.join(command.words)}" in out
    assert "example: " in out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: " ".join(each.words))
def test_every_command_has_help_with_its_example(capsys: Out, command: Command) -> None:
    words = command.words
    assert main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"usage: fixup {' '.join(words)}" in out
    assert f"example: {command.example}\n" in out
    assert max(map(len, out.splitlines())) <= 120


def test_version(capsys: Out) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("fixup ")


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "appliance.cli", "--version"], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_reader_that_goes_away_is_no_error(run_dir: Path) -> None:
    command = [sys.executable, "-m", "appliance.cli", "--run-dir", str(run_dir), "show", "running-config", "all"]
    script = '"$@" | true; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *command], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout in ("141\n", "0\n")  # 0: all was written before the reader was gone


def test_stdout_closed_in_mid_writing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def torn(_: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr("appliance.cli.main.COMMANDS", (Command(("cleanup",), "", "", torn),))
    monkeypatch.setattr("appliance.cli.main.os.dup2", lambda *_: None)
    assert main(["cleanup"]) == 141
    assert capfd.readouterr().err == ""
