"""Held spans against a dumb oracle: one truth value an offset."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.tcp.assembler import Assembler

SIZE = 64
SPANS = st.lists(st.tuples(st.integers(0, SIZE), st.integers(0, 12)), max_size=30)


def of(spans: list[tuple[int, int]]) -> tuple[Assembler, list[bool]]:
    assembler, oracle = Assembler(), [False] * (SIZE + 12)
    for start, length in spans:
        assembler.add(start, start + length)
        oracle[start : start + length] = [True] * length
    return assembler, oracle


def runs(oracle: list[bool]) -> list[tuple[int, int]]:
    edges = [at for at in range(len(oracle) + 1) if (at > 0 and oracle[at - 1]) != (at < len(oracle) and oracle[at])]
    return list(zip(edges[::2], edges[1::2], strict=True))


@given(SPANS)
def test_spans_are_the_runs_of_what_was_added(spans: list[tuple[int, int]]) -> None:
    assembler, oracle = of(spans)
    assert assembler.spans == runs(oracle)


@given(SPANS, st.integers(0, SIZE), st.integers(0, 12))
def test_holds_is_every_offset_held(spans: list[tuple[int, int]], start: int, length: int) -> None:
    assembler, oracle = of(spans)
    assert assembler.holds(start, start + length) == all(oracle[start : start + length])


@given(SPANS, st.integers(0, SIZE + 12))
def test_what_is_passed_by_is_forgotten(spans: list[tuple[int, int]], offset: int) -> None:
    assembler, oracle = of(spans)
    assembler.pass_by(offset)
    assert assembler.spans == runs([False] * offset + oracle[offset:])


@given(SPANS, st.integers(0, SIZE), st.integers(0, 12))
def test_what_is_removed_is_held_no_more(spans: list[tuple[int, int]], start: int, length: int) -> None:
    assembler, oracle = of(spans)
    assembler.remove(start, start + length)
    oracle[start : start + length] = [False] * length
    assert assembler.spans == runs(oracle)


@pytest.mark.parametrize(
    ("added", "spans"),
    [
        ([(0, 4), (4, 8)], [(0, 8)]),
        ([(4, 8), (0, 4)], [(0, 8)]),
        ([(0, 4), (5, 8)], [(0, 4), (5, 8)]),
        ([(0, 2), (4, 6), (8, 10), (1, 9)], [(0, 10)]),
        ([(3, 3)], []),
    ],
)
def test_neighbours_become_one(added: list[tuple[int, int]], spans: list[tuple[int, int]]) -> None:
    assembler = Assembler()
    for start, end in added:
        assembler.add(start, end)
    assert assembler.spans == spans


def test_the_spans_around_offsets_come_first_then_the_last_ones() -> None:
    held = Assembler()
    for start, end in ((10, 12), (20, 25), (12, 14), (30, 31), (40, 41)):
        held.add(start, end)
    assert held.around([13], 1) == [(10, 14)]
    assert held.around([24], 3) == [(20, 25), (40, 41), (30, 31)]
    assert held.around([40], 9) == [(40, 41), (30, 31), (20, 25), (10, 14)]
    assert held.around([30, 9, 24, 12, 31, 11, 20], 1) == [(30, 31), (20, 25), (10, 14)]
    assert [held.around([offset], 9) for offset in (9, 14, 25, 41)] == [[], [], [], []]
