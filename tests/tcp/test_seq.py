"""Sequence numbers: offsets and back, across every edge of 32 bits."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.tcp.seq import first_octet, to_offset, to_seq

NUMBERS = st.integers(0, 2**32 - 1)


@given(first=NUMBERS, near=st.integers(-1, 2**40), distance=st.integers(-(2**31), 2**31 - 1))
def test_a_number_stands_for_the_nearest_offset(first: int, near: int, distance: int) -> None:
    assert to_offset(to_seq(near + distance, first), first, near) == near + distance


def test_the_first_octet_follows_the_syn() -> None:
    assert first_octet(41) == 42
    assert first_octet(2**32 - 1) == 0


def test_the_octet_of_a_keep_alive_before_any_data_is_below_zero() -> None:
    assert to_offset(2**32 - 1, 0, 0) == -1


def test_numbers_wrap() -> None:
    assert to_seq(10, 2**32 - 5) == 5
    assert to_offset(5, 2**32 - 5, 0) == 10
    assert to_offset(2**32 - 6, 2**32 - 5, 2**32 + 3) == 2**32 - 1
