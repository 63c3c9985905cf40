"""The model of admission keeps the rules."""

from __future__ import annotations

import pytest

from tests.admission import RULES, Model, Rule


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_model_keeps(rule: Rule) -> None:
    rule.script(Model())
