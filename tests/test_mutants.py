"""The lists of mutants name what is there: each text once in its file, and tests that exist."""

from __future__ import annotations

import pytest

from tests.mutants.limits import LIMITS
from tests.mutants.mutants import MUTANTS, Mutant
from tests.mutants.program import PROGRAM
from tests.mutants.run import ROOT

EVERY = (*MUTANTS, *LIMITS, *PROGRAM)


@pytest.mark.parametrize("mutant", EVERY, ids=lambda each: each.rule)
def test_a_mutant_breaks_one_place(mutant: Mutant) -> None:
    assert (ROOT / mutant.file).read_text(encoding="utf-8").count(mutant.old) == 1
    assert mutant.new != mutant.old


def test_what_must_notice_a_mutant_is_there() -> None:
    assert not [test for each in EVERY for test in each.tests if not (ROOT / test.partition("::")[0]).exists()]


def test_no_mutant_stands_in_the_lists_twice() -> None:
    places = [(each.file, each.old, each.new, each.tests) for each in EVERY]
    assert len(set(places)) == len(places)
