"""The adversary's packets, as they were on the wire outside (tests/e2e/arena.py), through replay."""

from pathlib import Path

import pytest

from appliance.replay.capture import frames
from appliance.replay.replay import replay
from appliance.tcp.segment import SYN, Segment, read

CAPTURES = sorted((Path(__file__).parent / "adversary").glob("*.pcap"))
FORBIDDEN = (b"STARTTLS", b"XEXCH50")


def values(path: Path) -> dict[int, set[int]]:
    """By offset of the client's stream, every octet that went on there."""
    seen: dict[int, set[int]] = {}
    first = 0
    for frame in frames(path):
        segment = read(frame.packet or b"")
        if not isinstance(segment, Segment) or segment.key[10:12] != b"\0\x19":
            continue
        if segment.flags & SYN:
            assert segment.start == segment.end, "no octet in a SYN"
            first = segment.seq + 1
        for offset, octet in enumerate(segment.payload, (segment.seq - first) % 2**32):
            seen.setdefault(offset, set()).add(octet)
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
        assert len(octets - {0}) <= 1, f"offset {offset}"  # NULs: below the acknowledged offset, or an RST's
    stream = bytes(max(seen.get(offset, {0})) for offset in range(max(seen) + 1 if max(seen) < 1 << 20 else 1 << 20))
    assert stream.startswith(b"EHLO ")
    assert not [each for each in FORBIDDEN if each in stream]


def test_all_are_there() -> None:
    from tests.e2e.attacks import ATTACKS, OF_INTERFACES

    assert {path.stem for path in CAPTURES} == set(ATTACKS) - OF_INTERFACES
