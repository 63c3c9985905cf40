"""What the commands do themselves: rule files checked and put in force, labs by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.cli import commands
from appliance.cli.call import Call
from appliance.cli.main import main
from appliance.config.diagnostics import Diagnostic, Place, Severity
from appliance.control.protocol import Applied
from tests.cli.answers import OUTCOMES

EXAMPLE = Path(__file__).parents[2] / "examples" / "mail.cfg"

Out = pytest.CaptureFixture[str]


def test_check_of_a_good_file(capsys: Out) -> None:
    assert main(["check", str(EXAMPLE)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{EXAMPLE}: no errors, 0 warnings\n")
    assert "INPUT" in out
    assert err == ""


def test_check_of_a_bad_file_has_every_error_with_its_place(tmp_path: Path, capsys: Out) -> None:
    bad = tmp_path / "bad.cfg"
    bad.write_text("hostname fw\nnonsense here\nservice-policy absent global\n")
    assert main(["check", str(bad)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{bad}:2:1: ERROR: % Invalid input detected at '^' marker.\n  nonsense here\n  ^\n")
    assert f"{bad}:3:16: ERROR: " in err
    assert "\033" not in err


def test_check_with_warnings(tmp_path: Path, capsys: Out) -> None:
    file = tmp_path / "warn.cfg"
    file.write_text("interface Ethernet0/0\n nameif outside\n security-level 0\n")
    assert main(["check", str(file)]) == 0
    out, err = capsys.readouterr()
    assert ": WARNING: " in err
    assert "no errors, 1 warning\n" in out


def test_check_is_coloured_on_a_terminal_alone(tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "bad.cfg"
    bad.write_text("nonsense\n")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    main(["check", str(bad)])
    assert capsys.readouterr().err.startswith("\033[31m")
    monkeypatch.setenv("NO_COLOR", "1")
    main(["check", str(bad)])
    assert "\033" not in capsys.readouterr().err


@pytest.mark.parametrize(("name", "reason"), [("absent.cfg", "No such file or directory"), ("", "Is a directory")])
def test_check_of_what_cannot_be_read(tmp_path: Path, capsys: Out, name: str, reason: str) -> None:
    path = tmp_path / name
    assert main(["check", str(path)]) == 2
    assert capsys.readouterr().err == f"fixup: check: cannot read {path}: {reason}\n"


def test_check_of_an_endless_file_ends(capsys: Out) -> None:
    assert main(["check", "/dev/zero"]) == 2
    assert "larger than" in capsys.readouterr().err


# --- lab --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("handler", [commands.lab_up, commands.lab_demo])
def test_a_lab_with_a_bad_rule_file_is_not_begun(tmp_path: Path, capsys: Out, handler: Callable[[Call], int]) -> None:
    bad = tmp_path / "bad.cfg"
    bad.write_text("nonsense\n")
    assert handler(Call(None, {"config": str(bad)}, ())) == 2
    assert f"{bad}:1:1: ERROR: " in capsys.readouterr().err


@pytest.mark.parametrize("name", ["", "-x", "X", "a/b", "..", "a" * 32, "a\n"])
def test_the_name_of_a_lab_is_plain(name: str) -> None:
    assert main(["lab", "down", "--name", name]) == 2


def test_a_lab_has_three_hosts(capsys: Out) -> None:
    assert main(["lab", "exec", "elsewhere", "--", "true"]) == 2
    assert capsys.readouterr().err == "fixup: lab exec: no such host: elsewhere; outside, firewall or inside\n"


@pytest.mark.parametrize("line", ["write memory", "copy running-config startup-config"])
def test_writing_says_what_an_asa_says(run_dir: Path, capsys: Out, line: str) -> None:
    assert main(["--run-dir", str(run_dir), *line.split()]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Building configuration...",
        "Cryptochecksum: 01234567 89abcdef 01234567 89abcdef",
        "",
        "2045 bytes copied to /etc/fixup/fixup.cfg",
        "INFO: 3 comment lines have no place in it; the file of before is beside it, .old",
        "[OK]",
    ]


def test_a_reload_says_what_it_found_and_whether_it_is_in_force(run_dir: Path, capsys: Out) -> None:
    warning = Diagnostic(Severity.WARNING, Place(3, 2), "WARNING: so and so", " nameif dmz")
    OUTCOMES.append(Applied("/etc/fixup/fixup.cfg", True, (warning,)))
    assert main(["--run-dir", str(run_dir), "reload"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("/etc/fixup/fixup.cfg is in force")
    assert err == "/etc/fixup/fixup.cfg:3:2: WARNING: so and so\n   nameif dmz\n   ^\n"
    for ended, said in ((1, "1 connection has ended"), (7, "7 connections have ended")):
        OUTCOMES.append(Applied("/etc/fixup/fixup.cfg", True, (), ended))
        assert main(["--run-dir", str(run_dir), "reload"]) == 0
        assert capsys.readouterr().out.splitlines()[1].startswith(said)
    OUTCOMES.append(Applied("/etc/fixup/fixup.cfg", False, (replace(warning, severity=Severity.ERROR),)))
    assert main(["--run-dir", str(run_dir), "reload"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("nothing was changed\n")
