"""Command lines: what is understood, and in what words the rest is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.cli.arguments import Help, Invocation, Table, Version
from appliance.cli.call import Call, UsageError
from appliance.cli.row import GLOBAL, Command
from appliance.cli.shell import COMMANDS

TABLE = Table(COMMANDS)
FIRST = "run, check, console, replay, lab, cleanup, reload, packet-tracer, write, copy, show or clear"
SHOWN = (
    "service-policy, conn, local-host, xlate, nat, access-list, threat-detection, asp, interface, version, clock, "
    "running-config, startup-config or logging"
)


def call(line: str) -> tuple[str, Call]:
    found = TABLE.understood(line.split())
    assert isinstance(found, Invocation)
    return " ".join(found.command.words), found.call


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: " ".join(each.words))
def test_the_example_of_every_command_is_that_command(command: Command) -> None:
    words = command.example.removeprefix("sudo ").removeprefix("fixup ").split()
    found = TABLE.understood(words)
    assert isinstance(found, Invocation)
    assert found.command is command


def test_an_option_means_the_same_everywhere() -> None:
    options = {option for command in COMMANDS for option in command.options} | set(GLOBAL)
    names = [name for option in options for name in option.names]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("line", "command", "options", "operands"),
    [
        ("show conn", "show conn", {}, ()),
        ("show conn count", "show conn count", {}, ()),
        ("show conn detail port 25", "show conn detail", {}, ("port", "25")),
        ("show service-policy inspect esmtp --json", "show service-policy inspect esmtp", {"json": ""}, ()),
        ("--json show logging", "show logging", {"json": ""}, ()),
        ("show running-config all | json", "show running-config all", {"json": ""}, ()),
        ("show logging |json", "show logging", {"json": ""}, ()),
        ("replay a.pcap b.pcap", "replay", {}, ("a.pcap", "b.pcap")),
        ("replay -c x.cfg -w o.pcap a", "replay", {"config": "x.cfg", "write": "o.pcap"}, ("a",)),
        ("replay --port=25 --checksums a", "replay", {"port": "25", "checksums": ""}, ("a",)),
        ("replay -- -a.pcap", "replay", {}, ("-a.pcap",)),
        ("replay -", "replay", {}, ("-",)),
        ("lab up --config x.cfg --name t1", "lab up", {"config": "x.cfg", "name": "t1"}, ()),
        ("lab exec outside -- ping -c 1 --help", "lab exec", {}, ("outside", "ping", "-c", "1", "--help")),
    ],
)
def test_understood(line: str, command: str, options: dict[str, str], operands: tuple[str, ...]) -> None:
    words, found = call(line)
    assert (words, found.options, found.operands) == (command, options, operands)


def test_the_pipe_may_be_one_word() -> None:
    found = TABLE.understood(["show", "conn", "| json"])
    assert isinstance(found, Invocation)
    assert found.call.options == {"json": ""}


@pytest.mark.parametrize(
    "line", ["--run-dir /tmp/x show conn", "show conn --run-dir /tmp/x", "show --run-dir=/tmp/x conn"]
)
def test_the_run_directory(line: str) -> None:
    assert call(line)[1].run_dir == Path("/tmp/x")
    assert call("show conn")[1].run_dir is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--help", ()),
        ("show --help", ("show",)),
        ("show ?", ("show",)),
        ("show conn ?", ("show", "conn")),
        ("-h show conn", ("show", "conn")),
        ("show conn nonsense --help", ("show", "conn")),
        ("replay x.pcap --help", ("replay",)),
    ],
)
def test_help(line: str, words: tuple[str, ...]) -> None:
    assert TABLE.understood(line.split()) == Help(words)


def test_version() -> None:
    assert TABLE.understood(["--version"]) == Version()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", f"incomplete command; {FIRST} must follow"),
        ("mail conn", f"unknown word: mail; {FIRST} may follow"),
        ("SHOW conn", "unknown word: SHOW; is show meant?"),
        ("shw conn", "unknown word: shw; is show meant?"),
        (
            "show",
            f"show: incomplete command; {SHOWN} must follow",
        ),
        (
            "show con",
            "show: unknown word: con; is conn meant?",
        ),
        ("show connections", "show: unknown word: connections; is conn meant?"),
        ("show running", "show: unknown word: running; is running-config meant?"),
        ("show verison", "show: unknown word: verison; is version meant?"),
        ("show a", f"show: unknown word: a; {SHOWN} may follow"),
        ("show cpu", f"show: unknown word: cpu; {SHOWN} may follow"),
        ("show interface ip breif", "show interface ip: unknown word: breif; is brief meant?"),
        ("show interface inside ip", "show interface: unknown word: ip; nothing may follow"),
        ("show conn count foo", "show conn count: unknown word: foo; nothing may follow"),
        ("show service-policy inspect", "show service-policy inspect: incomplete command; esmtp must follow"),
        ("show service-policy inspect ftp", "show service-policy inspect: unknown word: ftp; esmtp may follow"),
        ("show conn | xml", "behind | only json may stand: | xml"),
        ("check", "check: incomplete command; CONFIG must follow"),
        ("check a b", "check: unknown word: b; nothing may follow"),
        ("check a | json", "check: unknown option: --json; try fixup check --help"),
        ("lab", "lab: incomplete command; up, down, exec or demo must follow"),
        ("lab exec outside", "lab exec: incomplete command; HOST -- CMD… must follow"),
        ("lab exec outside true", "lab exec: incomplete command; HOST -- CMD… must follow"),
        ("lab exec -- true", "lab exec: incomplete command; HOST -- CMD… must follow"),
        ("lab exec -- outside true", "lab exec: incomplete command; HOST -- CMD… must follow"),
        ("lab exec outside inside -- true", "lab exec: incomplete command; HOST -- CMD… must follow"),
        ("lab exec outside --", "lab exec: incomplete command; HOST -- CMD… must follow"),
        ("--bogus", "unknown option: --bogus; try fixup --help"),
        ("show conn --bogus", "unknown option: --bogus; try fixup show conn --help"),
        ("show conn --port 1", "show conn: unknown option: --port; try fixup show conn --help"),
        ("replay a --port", "--port: N must follow"),
        ("replay a -w", "-w: OUT.pcap must follow"),
        ("show conn --json=yes", "--json: it takes nothing"),
        ("--run-dir", "--run-dir: DIR must follow"),
        ("--run-dir= show conn", "--run-dir: DIR must follow"),
    ],
)
def test_refused(line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        TABLE.understood(line.split())
    assert str(refused.value) == sentence


@pytest.mark.parametrize("word", ["", " "])
def test_a_word_that_is_blank_is_refused_as_such(word: str) -> None:
    with pytest.raises(UsageError) as refused:
        TABLE.understood(["show", word])
    assert str(refused.value) == f"show: a word is blank; {SHOWN} may follow"


@pytest.mark.parametrize("value", ["0", "65536", "-1", "x", "", "²", "1e3", "9" * 5000])
def test_numbers_have_bounds(value: str) -> None:
    with pytest.raises(UsageError, match="--port: not a number from 1 to 65535"):
        Call(None, {"port": value}, ()).number("port", 1, 65535)


def test_a_number_in_bounds() -> None:
    assert Call(None, {"port": "65535"}, ()).number("port", 1, 65535) == 65535
    assert Call(None, {}, ()).number("port", 1, 65535) is None


def test_continuations_are_the_tables() -> None:
    assert ", ".join(TABLE.continuations(())) == FIRST.replace(" or ", ", ")
    assert TABLE.continuations(("show", "conn")) == ("count", "detail", "long")
