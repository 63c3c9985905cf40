"""The adversary's packets, as they were on the wire outside (tests/e2e/arena.py), through replay."""

from pathlib import Path

import pytest

from appliance.replay.capture import frames
from appliance.replay.replay import replay
from appliance.tcp.segment import ACK, RST, SYN, Segment, read
from appliance.tcp.seq import to_offset

CAPTURES = sorted((Path(__file__).parent / "adversary").glob("*.pcap"))
FORBIDDEN = (b"STARTTLS", b"XEXCH50")


def values(path: Path) -> dict[int, set[int]]:
    """By offset of the client's stream, every octet that went on there and was not acknowledged; an RST has none."""
    seen: dict[int, set[int]] = {}
    first = acked = 0
    for frame in frames(path):
        segment = read(frame.packet or b"")
        if not isinstance(segment, Segment):
            continue
        if segment.key[10:12] != b"\0\x19":
            acked = max(acked, to_offset(segment.ack, first, acked)) if segment.flags & ACK else acked
            continue
        if segment.flags & SYN:
            assert segment.start == segment.end, "no octet in a SYN"
            first = first or segment.seq + 1
        if segment.flags & RST:
            assert not any(segment.payload), "an octet in an RST"
            continue
        for offset, octet in enumerate(segment.payload, to_offset(segment.seq, first, acked)):
            if offset >= acked:
                seen.setdefault(offset, set()).add(octet)
            else:
                assert octet in {0, *seen.get(offset, ())}, f"offset {offset} is acknowledged"
    return seen


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_offset_goes_on_as_one_octet_and_none_make_a_forbidden_verb(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pcap"
    report = replay([path], verify_checksums=True, out=out)
    assert not report.faults
    assert "exceptions" not in report.engine
    (talk,) = report.conversations
    assert talk.inspection
    seen = values(out)
    assert seen
    for offset, octets in seen.items():
        assert len(octets) == 1, f"offset {offset}"
    stream = bytes(max(seen.get(offset, {0})) for offset in range(max(seen) + 1 if max(seen) < 1 << 20 else 1 << 20))
    assert stream.startswith(b"EHLO ")
    assert not [each for each in FORBIDDEN if each in stream]


def test_all_are_there() -> None:
    from tests.e2e.attacks import ATTACKS, OF_INTERFACES

    assert {path.stem for path in CAPTURES} == set(ATTACKS) - OF_INTERFACES
