"""``fixup replay``: a captured dialogue as the operator reads it, and every file that can be wrong."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from appliance.cli import format
from appliance.cli.main import main
from appliance.flow import Side
from appliance.replay.capture import Writer, frames
from appliance.replay.report import ConversationReport, Entry, Kind, Report
from appliance.tcp.segment import ACK, SYN
from tests.wire import Wire, engine

GOLDEN = Path(__file__).parents[1] / "golden" / "show" / "replay.txt"
C, S = Side.CLIENT, Side.SERVER

DIALOGUE = [
    (S, b"220 mail.example.com ESMTP\r\n"),
    (C, b"EHLO a\r\n"),
    (S, b"250-mail.example.com\r\n250-STARTTLS\r\n250 PIPELINING\r\n"),
    (C, b"STARTTLS\r\n"),
    (S, b"500 unknown\r\n"),
    (C, b"MAIL FROM:<a@example.com>\r\n"),
    (S, b"250 ok\r\n"),
    (C, b"RCPT TO:<" + b"a" * 600 + b"@example.com>\r\n"),
]

Out = pytest.CaptureFixture[str]


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """The dialogue in a capture, and one packet of another connection."""
    path = tmp_path / "in.pcap"
    wire = Wire(engine())
    at = {C: 0, S: 0}
    packets = [wire.make(C, -1, flags=SYN), wire.make(S, -1, flags=SYN | ACK), wire.make(C)]
    for side, octets in DIALOGUE:
        packets.append(wire.make(side, at[side], octets, ack=wire.first(side.peer) + at[side.peer]))
        at[side] += len(octets)
    packets.append(Wire(engine(), client=("203.0.113.11", 40_000)).make(C, 5, b"NOOP\r\n"))
    writer = Writer(path)
    for number, packet in enumerate(packets):
        writer.write(number * 1_000_000, packet)
    writer.close()
    return path


def test_the_dialogue_as_both_sides_saw_it(capture: Path, capsys: Out) -> None:
    assert main(["replay", str(capture)]) == 0
    assert capsys.readouterr() == (GOLDEN.read_text(encoding="utf-8"), "")


def test_as_json(capture: Path, capsys: Out) -> None:
    assert main(["replay", "--json", str(capture)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["packets"] == 12
    entry = report["conversations"][0]["entries"][1]
    assert entry == {"kind": "command", "sent": "EHLO a", "got": None, "octets": 8, "sha256": ""}


def test_what_would_have_gone_on_is_written_for_its_owner_alone(capture: Path, tmp_path: Path, capsys: Out) -> None:
    out = tmp_path / "out.pcap"
    assert main(["replay", "-w", str(out), str(capture)]) == 0
    assert capsys.readouterr().err == f"{out}: 10 packets, whatever secrets they hold; only you may read it\n"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    octets = b"".join(frame.packet or b"" for frame in frames(out))
    assert b"XXXXXXXX\r\n" in octets
    assert b"STARTTLS" not in octets


def test_another_port_is_not_inspected(capture: Path, capsys: Out) -> None:
    assert main(["replay", "--port", "587", str(capture)]) == 0
    assert "inspected: inspection_default" not in capsys.readouterr().out


def test_a_rule_file_decides(capture: Path, tmp_path: Path, capsys: Out) -> None:
    rules = tmp_path / "rules.cfg"
    rules.write_text("hostname fw\n")
    assert main(["replay", "-c", str(rules), str(capture)]) == 0
    assert "12 packets: 12 passed, 0 of them modified" in capsys.readouterr().out


def test_a_bad_rule_file_is_told_like_check_does(capture: Path, tmp_path: Path, capsys: Out) -> None:
    rules, out = tmp_path / "rules.cfg", tmp_path / "out.pcap"
    rules.write_text("nonsense\n")
    assert main(["replay", "-c", str(rules), "-w", str(out), str(capture)]) == 2
    assert capsys.readouterr().err.startswith(f"{rules}:1:1: ERROR: ")
    assert not out.exists()


def test_a_missing_capture_changes_nothing(capture: Path, tmp_path: Path, capsys: Out) -> None:
    out, absent = tmp_path / "out.pcap", tmp_path / "absent.pcap"
    assert main(["replay", "-w", str(out), str(capture), str(absent)]) == 2
    assert capsys.readouterr() == ("", f"fixup: replay: cannot read {absent}: No such file or directory\n")
    assert not out.exists()


def test_a_capture_is_never_written_over(capture: Path, capsys: Out) -> None:
    before = capture.read_bytes()
    assert main(["replay", "-w", str(capture), str(capture)]) == 2
    assert capsys.readouterr().err == f"fixup: replay: {capture} is read: it cannot be written as well\n"
    assert capture.read_bytes() == before


def test_a_place_that_cannot_be_written(capture: Path, tmp_path: Path, capsys: Out) -> None:
    out = tmp_path / "absent" / "out.pcap"
    assert main(["replay", "-w", str(out), str(capture)]) == 2
    assert capsys.readouterr().err == f"fixup: replay: cannot write {out}: No such file or directory\n"


def test_a_capture_cut_off_is_reported_as_far_as_it_goes(capture: Path, capsys: Out) -> None:
    capture.write_bytes(capture.read_bytes()[:-3])
    assert main(["replay", str(capture)]) == 2
    out, err = capsys.readouterr()
    assert "\n11 packets: 10 passed" in out
    assert err.startswith(f"fixup: replay: {capture}: octet ")


def test_a_port_must_be_one(capture: Path, capsys: Out) -> None:
    assert main(["replay", "--port", "0", str(capture)]) == 2
    assert capsys.readouterr().err == "fixup: --port: not a number from 1 to 65535: 0\n"


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_entry_is_told(kind: Kind) -> None:
    entries = (Entry(kind, "told", None, 5),)
    conversation = ConversationReport("a", "b", 0, "mail", entries=entries, omitted=3, masked=1, messages=(7, 8))
    text = list(format.replay(Report(1, 1, 0, 0, 0, 0, (conversation,), (), {})))
    assert {Kind.MESSAGE: "5 octets", Kind.TLS: "TLS begins"}.get(kind, "told") in text[1]
    assert text[2:4] == ["  … 3 more", "  1 octet masked; messages: 7, 8"]
