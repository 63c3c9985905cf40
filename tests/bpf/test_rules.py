"""The kernel's program keeps the rules that the model keeps."""

from __future__ import annotations

import pytest

from tests.admission import RULES, Rule, Subject

pytestmark = pytest.mark.root


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_program_keeps(rule: Rule, box: Subject) -> None:
    rule.script(box)
