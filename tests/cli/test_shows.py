"""What the daemon is asked: its reports as text and as JSON, whole and in parts; and what is cleared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from appliance.cli.main import main
from appliance.cli.shell import COMMANDS

GOLDEN = Path(__file__).parents[1] / "golden" / "show"

Out = pytest.CaptureFixture[str]


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
        ("show xlate", "2 in use, 60 most used"),
        ("show xlate count", "2 in use, 60 most used"),
        ("show running-config", "!"),
        ("show running-config all", "!"),
        ("show running-config access-list", "access-list outside_in remark mail from the world"),
        ("write terminal", "!"),
        ("show startup-config", "hostname fw"),
        ("show logging", "Syslog logging: enabled"),
        ("show interface", 'Interface GigabitEthernet0/0 "outside", is up, line protocol is up'),
        ("show interface inside", 'Interface GigabitEthernet0/1 "inside", is down, line protocol is down'),
        ("show version", "Fixup Version 0.1.0"),
        ("show asp drop", "Frame drop:"),
        ("show asp queue", "Queue    Worker   Length  Dropped, full  Dropped, buffer"),
    ],
)
def test_every_show_prints_its_report(run_dir: Path, capsys: Out, line: str, first: str) -> None:
    assert main(["--run-dir", str(run_dir), *line.split()]) == 0
    assert capsys.readouterr().out.splitlines()[0] == first


def test_every_show_speaks_json(run_dir: Path, capsys: Out) -> None:
    shows = [command.words for command in COMMANDS if command.words[0] == "show"]
    assert len(shows) == 30
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
        ("clear conn", "clear conn: incomplete command; all, address, port, protocol or state must follow"),
        (
            "clear conn some",
            "clear conn: unknown word: some; all, address, netmask, port, protocol or state may follow",
        ),
        ("clear conn al", "clear conn: unknown word: al; is all meant?"),
        ("clear conn ALL 25", "clear conn: unknown word: 25; address, netmask, port, protocol or state may follow"),
        ("clear local-host here", "clear local-host: unknown word: here; an address may follow"),
        ("clear local-host 192.0.2", "clear local-host: neither an address nor a range of them: 192.0.2"),
        ("clear xlate global x", "clear xlate: global: neither an address nor a range of them: x"),
    ],
)
def test_nothing_is_cleared_by_mistake(run_dir: Path, capsys: Out, line: str, why: str) -> None:
    assert main(["--run-dir", str(run_dir), *line.split()]) == 2
    assert capsys.readouterr() == ("", f"fixup: {why}\n")


def test_a_slip_of_the_hand_is_told_from_a_longer_command(run_dir: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(run_dir), "show", "conn", "detial"]) == 2
    assert main(["--run-dir", str(run_dir), "show", "xlate", "foo"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "fixup: show conn: unknown word: detial; is detail meant?",
        "fixup: show xlate: unknown word: foo; count, global, local or interface may follow",
    ]


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


def test_translations_reach_the_terminal_part_by_part_and_are_one_document(run_dir: Path, capsys: Out) -> None:
    assert main(["--run-dir", str(run_dir), "show", "xlate"]) == 0
    line = "TCP PAT from outside:203.0.113.10/40000 to inside:203.0.113.125/1025 flags ri idle 0:00:07 timeout 0:00:30"
    first, *_, one, two = capsys.readouterr().out.splitlines()
    assert (first, one, two) == ("2 in use, 60 most used", line, line)
    assert main(["--run-dir", str(run_dir), "show", "xlate", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["in_use"], told["most_used"]) == (2, 60)
    assert [each["ports"] for each in told["translations"]] == [{"protocol": "tcp", "real": 40000, "mapped": 1025}] * 2


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
