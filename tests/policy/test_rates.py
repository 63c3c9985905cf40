"""A rate: as many at once as it allows in a second, then evenly, and whoever is over it waits for a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.policy.rates import Rate

SECOND = 1_000_000_000


def test_a_second_s_worth_may_come_at_once() -> None:
    rate = Rate(3)
    now = 5 * SECOND
    assert [rate.turn(now) for _ in range(3)] == [now] * 3
    assert [rate.turn(now) - now for _ in range(3)] == [333_333_333, 666_666_666, 999_999_999]


def test_what_comes_evenly_never_waits() -> None:
    rate = Rate(10)
    assert all(rate.turn(now) == now for now in range(0, 10 * SECOND, SECOND // 10))


def test_who_was_silent_may_send_a_burst_again() -> None:
    rate = Rate(1)
    assert rate.turn(0) == 0
    assert rate.turn(0) == SECOND
    assert rate.turn(3 * SECOND) == 3 * SECOND


@pytest.mark.parametrize("rate", [1, 7, 1_000_000_000, 4_294_967_295])
def test_any_rate_has_turns(rate: int) -> None:
    limit = Rate(rate)
    assert limit.turn(0) == 0
    assert limit.turn(0) <= SECOND


@given(st.integers(1, 5), st.lists(st.integers(0, SECOND), max_size=40))
def test_no_second_has_more_turns_than_the_rate_and_its_burst(rate: int, gaps: list[int]) -> None:
    """Turns come in order, none before its time, and in any second at most the rate, behind a burst of as many."""
    limit, now, turns = Rate(rate), 0, []
    for gap in gaps:
        now += gap
        turns.append(limit.turn(now))
        assert turns[-1] >= now
    assert turns == sorted(turns)
    for start in turns:
        assert sum(start <= each < start + SECOND for each in turns) <= 2 * rate
