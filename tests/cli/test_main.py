"""The command itself: exit codes, one line on stderr, shows from a running daemon, clean ends."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import pytest

from appliance import show
from appliance.cli import commands
from appliance.cli.call import Call
from appliance.cli.main import main
from appliance.cli.tree import COMMANDS, Command
from appliance.config.diagnostics import Diagnostic, Place, Severity
from appliance.config.load import load
from appliance.config.translations import translations
from appliance.control.protocol import (
    Applied,
    ClearConnections,
    ClearTranslations,
    Configure,
    Refusal,
    Reload,
    Request,
    ShowAccessLists,
    ShowAttacks,
    ShowConnections,
    ShowLocalHosts,
    ShowLogging,
    ShowNat,
    ShowRunningConfig,
    ShowServicePolicy,
    ShowStartupConfig,
    ShowTranslations,
    StartupConfigReport,
    TracePacket,
    WriteMemory,
    Written,
)
from appliance.control.server import Answers, ControlServer
from appliance.flow import Side
from appliance.iptables.trace import trace
from appliance.iptables.walk import Packet
from appliance.kernel.errors import KernelError
from appliance.nat.connection import State
from tests.appliances import NOW, PLAIN, SEED, connection

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "show"
EXAMPLE = ROOT / "examples" / "mail.cfg"

Out = pytest.CaptureFixture[str]


ENTRY = connection(State.ESTABLISHED, sent=frozenset(Side))
CONNECTIONS = [show.ConnectionsReport(2, 60, part) for part in ((), *[(show.Reporter(PLAIN, NOW).report(ENTRY),)] * 2)]


#: What reloads come to, the last one first.
OUTCOMES: list[Applied] = []

MAIL = load(EXAMPLE.read_bytes()).config
assert MAIL is not None


def answer(request: Request) -> Answers:
    """What a daemon answers that counted what the seed lists."""
    match request:
        case ShowServicePolicy():
            return show.service_policy(PLAIN, SEED)
        case ShowConnections(count_only=True):
            return CONNECTIONS[0]
        case ShowConnections():
            return iter(CONNECTIONS)
        case ShowRunningConfig(everything):
            return show.running_config(PLAIN, everything)
        case ShowLogging():
            return show.logging(PLAIN, SEED)
        case ShowLocalHosts():
            return show.local_hosts(PLAIN, SEED)
        case ShowTranslations(wanted=wanted):
            return show.translations(PLAIN, SEED, wanted)
        case ShowNat():
            return show.nat(PLAIN, [(each, 0, 0) for each in translations(PLAIN)])
        case ShowAccessLists(name=name):
            return show.access_lists(PLAIN, {}, name)
        case ShowAttacks():
            return show.AttacksReport(30, 60, False, ())
        case ClearConnections() | ClearTranslations():
            return iter((None, show.ClearedReport(2)))
        case ShowStartupConfig():
            return StartupConfigReport("/etc/fixup/fixup.cfg", ("hostname fw", "! \x1b[31m"))
        case WriteMemory():
            return Written("/etc/fixup/fixup.cfg", 2045, "0123456789abcdef0123456789abcdef", 3)
        case Reload():
            return OUTCOMES.pop()
        case TracePacket():
            ends = request.source, request.source_port, request.destination, request.destination_port
            return trace(MAIL, request.interface, Packet(request.protocol, *ends))
        case Configure():
            return Refusal("not here")
        case _:
            assert_never(request)


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    """A run directory whose control socket answers."""
    selector = selectors.DefaultSelector()
    faults: list[Exception] = []
    server = ControlServer(
        selector, tmp_path / "control.sock", tmp_path.stat().st_gid, answer, faults.append, lambda: 0
    )
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            for key, mask in selector.select(0.05):
                key.data(mask)

    thread = threading.Thread(target=serve)
    thread.start()
    yield tmp_path
    stop.set()
    thread.join()
    server.close()
    selector.close()
    assert not faults


# --- show -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "golden"),
    [
        ("show service-policy", "service-policy"),
        ("show service-policy inspect esmtp", "service-policy-inspect-esmtp"),
    ],
)
def test_show_prints_what_asa_prints(run_dir: Path, capsys: Out, line: str, golden: str) -> None:
    assert main(["--run-dir", str(run_dir), *line.split()]) == 0
    assert capsys.readouterr() == ((GOLDEN / f"{golden}.txt").read_text(), "")


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("show conn", "2 in use, 60 most used"),
        ("show conn count", "2 in use, 60 most used"),
        ("show conn detail", "2 in use, 60 most used"),
        ("show conn long", "2 in use, 60 most used"),
        ("show running-config", "!"),
        ("show running-config all", "!"),
        ("show running-config access-list", "access-list outside_in remark mail from the world"),
        ("write terminal", "!"),
        ("show startup-config", "hostname fw"),
        ("show logging", "Syslog logging: enabled"),
    ],
)
def test_every_show_prints_its_report(run_dir: Path, capsys: Out, line: str, first: str) -> None:
    assert main(["--run-dir", str(run_dir), *line.split()]) == 0
    assert capsys.readouterr().out.splitlines()[0] == first


def test_every_show_speaks_json(run_dir: Path, capsys: Out) -> None:
    shows = [command.words for command in COMMANDS if command.words[0] == "show"]
    assert len(shows) == 24
    for words in shows:
        for json_words in (["--json"], ["|", "json"], ["| json"]):
            assert main(["--run-dir", str(run_dir), *words, *json_words]) == 0
            assert isinstance(json.loads(capsys.readouterr().out), dict)


def test_json_holds_the_reports_fields(run_dir: Path, capsys: Out) -> None:
    main(["--run-dir", str(run_dir), "show", "service-policy", "--json"])
    (policy,) = json.loads(capsys.readouterr().out)["policies"]
    assert policy["classes"][0]["inspection"]["matches"][3] == {
        "match": "header line length gt 998",
        "action": "drop-connection log",
        "packet": 41,
    }


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

    monkeypatch.setattr("appliance.cli.arguments.COMMANDS", (Command(("cleanup",), "", "", torn),))
    monkeypatch.setattr("appliance.cli.main.os.dup2", lambda *_: None)
    assert main(["cleanup"]) == 141
    assert capfd.readouterr().err == ""


# --- exit codes -------------------------------------------------------------------------------------------------


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

    monkeypatch.setattr("appliance.cli.arguments.COMMANDS", (Command(("cleanup",), "", "", fail),))
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


# --- check ------------------------------------------------------------------------------------------------------


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


def test_connections_reach_the_terminal_part_by_part(run_dir: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(run_dir), "show", "conn"]) == 0
    line = "TCP outside 203.0.113.10:40000 inside 192.0.2.25:25, idle 0:00:03, bytes 0, flags UIOB"
    assert capsys.readouterr().out.splitlines() == ["2 in use, 60 most used", line, line]


@pytest.mark.parametrize(
    "line", ["clear conn all", "clear conn port 25", "clear local-host", "clear local-host 192.0.2.25", "clear xlate"]
)
def test_what_was_cleared_is_counted(run_dir: Path, capsys: Out, line: str) -> None:
    assert main(["--run-dir", str(run_dir), *line.split()]) == 0
    assert capsys.readouterr().out == "2 connection(s) deleted.\n"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("clear conn", "clear conn: incomplete command; all, address, port or protocol must follow"),
        ("clear conn some", "clear conn: unknown word: some; address, netmask, port, protocol, state may follow"),
        ("clear local-host here", "clear local-host: neither an address nor a range of them: here"),
        ("clear xlate global x", "clear xlate: global: neither an address nor a range of them: x"),
    ],
)
def test_nothing_is_cleared_by_mistake(run_dir: Path, capsys: Out, line: str, why: str) -> None:
    assert main(["--run-dir", str(run_dir), *line.split()]) == 2
    assert capsys.readouterr() == ("", f"fixup: {why}\n")


def test_a_local_host_has_its_connections_beside_it(run_dir: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(run_dir), "show", "local-host", "192.0.2.25"]) == 0
    out = capsys.readouterr().out
    assert "local host: <192.0.2.25>,\n" in out
    assert out.count("    TCP outside 203.0.113.10:40000 inside 192.0.2.25:25,") == 2
    assert "local host: <203.0.113.10>" not in out


def test_connections_in_parts_are_one_document(run_dir: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(run_dir), "show", "conn", "detail", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told.keys() == {"in_use", "most_used", "connections"}
    assert [each["flags"] for each in told["connections"]] == ["UIOB", "UIOB"]


# --- the configuration ------------------------------------------------------------------------------------------


def test_a_section_is_what_begins_so_with_what_is_in_it(run_dir: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(run_dir), "show", "running-config", "policy-map"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "policy-map global_policy"
    assert lines[1:]
    assert all(line.startswith(" ") for line in lines[1:])
    assert main(["--run-dir", str(run_dir), "show", "running-config", "policy-map", "nope"]) == 0
    assert capsys.readouterr().out == ""


def test_the_startup_configuration_cannot_write_to_the_terminal(run_dir: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(run_dir), "show", "startup-config"]) == 0
    assert capsys.readouterr().out == "hostname fw\n! \\033[31m\n"


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
    OUTCOMES.append(Applied("/etc/fixup/fixup.cfg", False, (replace(warning, severity=Severity.ERROR),)))
    assert main(["--run-dir", str(run_dir), "reload"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("nothing was changed\n")


# --- packet-tracer ----------------------------------------------------------------------------------------------

ASKED = ["packet-tracer", "input", "outside", "tcp", "203.0.113.10", "40000", "203.0.113.125", "smtp"]


def test_a_packet_is_traced_phase_by_phase(run_dir: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(run_dir), *ASKED]) == 0
    told = capsys.readouterr().out
    assert told == (GOLDEN / "packet-tracer.txt").read_text()
    assert main([*ASKED, "-c", str(EXAMPLE)]) == 0, "the same of a file, without a firewall"
    assert capsys.readouterr().out == told
    assert main(["--run-dir", str(run_dir), *ASKED, "detailed"]) == 0
    assert " rule -A FIXUP_PREROUTING -i outside0 -d 203.0.113.125/32 -j DNAT" in capsys.readouterr().out


def test_a_dropped_one_says_why(run_dir: Path, capsys: Out) -> None:
    words = ["packet-tracer", "input", "outside", "icmp", "203.0.113.10", "8", "0", "203.0.113.125"]
    assert main(["--run-dir", str(run_dir), *words]) == 0
    assert capsys.readouterr().out.splitlines()[-2:-1] == [
        "Drop-reason: (acl-drop) Flow is denied by configured rule",
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("outside tcp", "packet-tracer input: incomplete command; SRC must follow"),
        ("outside gre 203.0.113.10", "packet-tracer input: unknown word: gre; tcp, udp or icmp may follow"),
        ("outside tcp 203.0.113 1 203.0.113.125 25", "packet-tracer input: SRC is no address: 203.0.113"),
        (
            "outside tcp 203.0.113.10 70000 203.0.113.125 25",
            "packet-tracer input: SPORT is not a number from 0 to 65535: 70000",
        ),
        (
            "outside icmp 203.0.113.10 8 256 203.0.113.125",
            "packet-tracer input: CODE is not a number from 0 to 255: 256",
        ),
        (
            "outside udp 203.0.113.10 1 203.0.113.125 53 all",
            "packet-tracer input: unknown word: all; detailed may follow",
        ),
        ("dmz udp 203.0.113.10 1 203.0.113.125 53", "packet-tracer input: ERROR: interface <dmz> does not exist"),
    ],
)
def test_what_is_no_packet_is_said(capsys: Out, words: str, said: str) -> None:
    assert main(["packet-tracer", "input", *words.split(), "-c", str(EXAMPLE)]) == 2
    assert capsys.readouterr().err == f"fixup: {said}\n"
