"""What is kept of a stream: masks by offset, NULs below what is acknowledged."""

import pytest

from appliance.tcp.edits import Edits


@pytest.fixture
def edits() -> Edits:
    kept = Edits()
    kept.append(b"EHLO a\r\n")
    kept.append(b"NOOP\r\n")
    return kept


def test_what_was_appended_is_read(edits: Edits) -> None:
    assert edits.read(5, 12) == b"a\r\nNOOP"
    assert (edits.base, edits.top, len(edits)) == (0, 14, 14)


def test_a_mask_is_read_ever_after(edits: Edits) -> None:
    edits.write(8, b"XXXX")
    assert edits.read(0, 14) == b"EHLO a\r\nXXXX\r\n"
    assert edits.read(9, 11) == b"XX"


def test_below_the_acknowledged_offset_are_nuls(edits: Edits) -> None:
    assert edits.acknowledge(8) == 8
    assert edits.read(6, 12) == b"\0\0NOOP"
    assert edits.read(-1, 3) == b"\0\0\0\0"
    assert edits.read(0, 8) == bytes(8)
    assert edits.read(8, 12) == b"NOOP"
    assert len(edits) == 6


def test_an_acknowledgment_never_goes_back(edits: Edits) -> None:
    edits.acknowledge(8)
    assert edits.acknowledge(4) == 0
    assert edits.base == 8


def test_a_mask_after_an_acknowledgment_is_in_its_place(edits: Edits) -> None:
    edits.acknowledge(7)
    edits.write(9, b"X")
    assert edits.read(7, 14) == b"\nNXOP\r\n"


@pytest.mark.parametrize(("start", "length"), [(13, 2), (14, 1), (2, 3)])
def test_a_mask_over_what_is_not_kept_is_our_bug(edits: Edits, start: int, length: int) -> None:
    edits.acknowledge(3)
    with pytest.raises(IndexError):
        edits.write(start, b"X" * length)
    assert edits.read(3, 14) == b"O a\r\nNOOP\r\n"


def test_forgetting_leaves_nuls(edits: Edits) -> None:
    edits.forget()
    assert (len(edits), edits.base) == (0, 14)
    assert edits.read(0, 14) == bytes(14)
