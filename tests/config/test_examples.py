"""The example of every statement is read, is done, and is undone."""

from __future__ import annotations

import pytest

from appliance.config.diagnostics import Severity
from appliance.config.examples import OPENED, example
from appliance.config.grammar import STATEMENTS
from appliance.config.parser import parse
from appliance.config.syntax import Mode, Statement

ALL = [(mode, each) for mode, statements in STATEMENTS.items() for each in statements]
#: Refused on purpose, where they stand.
REFUSED = "refused"


def errors(text: str) -> list[str]:
    return [each.message for each in parse(text).diagnostics if each.severity is Severity.ERROR]


def undone(mode: Mode, statement: Statement) -> Statement | None:
    """What a ``no`` undoes."""
    name = statement.syntax.removeprefix("no ")
    return next((each for each in STATEMENTS[mode] if each.syntax == name), None)


@pytest.mark.parametrize("mode", Mode, ids=lambda mode: mode.value)
def test_every_example_is_a_statement(mode: Mode) -> None:
    for statement in STATEMENTS[mode]:
        if statement.says == REFUSED:
            continue
        before = undone(mode, statement) if statement.syntax.startswith("no ") else None
        lines = f"{example(before)}\n" if before is not None else ""
        lines += "log\n" if before is not None and before.enters is Mode.MATCH else ""
        texts = [f"{opened}{lines}{opened if lines else ''}{example(statement)}\n" for opened in OPENED[mode]]
        if mode is Mode.INSPECT_MAP and statement.enters is Mode.MATCH:
            texts = [f"{each}log\n" for each in texts]
        assert any(not errors(text) for text in texts), (texts, errors(texts[0]))


def test_what_is_not_carried_out_is_refused_where_it_stands() -> None:
    for mode, statement in ALL:
        if statement.says == REFUSED:
            assert len(errors(example(statement))) == 1, mode


def test_every_statement_says_what_it_means() -> None:
    """But for those that only name a thing again, and the ends of modes."""
    silent = {each.syntax for _, each in ALL if not each.says}
    assert {each for each in silent if "description" not in each} <= {"exit", "quit", "end"}
