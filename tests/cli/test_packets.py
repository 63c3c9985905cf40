"""`packet-tracer`: the packet it is asked about, and what it says of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.cli.main import main

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "show"
EXAMPLE = ROOT / "examples" / "mail.cfg"

Out = pytest.CaptureFixture[str]

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
