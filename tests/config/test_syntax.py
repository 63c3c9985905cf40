"""Statements compiled to a tree, and what a tree says of a line."""

import inspect
from collections.abc import Sequence

import pytest

from appliance.config.cursor import Cursor
from appliance.config.diagnostics import AMBIGUOUS, INCOMPLETE, INVALID
from appliance.config.draft import Draft
from appliance.config.grammar import STATEMENTS
from appliance.config.lexer import Line, lines
from appliance.config.syntax import Mode, Reading, Statement, Unread, compiled, read


def line(text: str) -> Line:
    (found,) = lines(text)
    assert isinstance(found, Line)
    return found


def reading(syntaxes: Sequence[str], text: str) -> Reading:
    return read(compiled(Statement(each, Draft.exit) for each in syntaxes), Cursor(line(text)))


def fields(syntaxes: Sequence[str], text: str) -> dict[str, object]:
    return reading(syntaxes, text).fields


def error(syntaxes: Sequence[str], text: str) -> tuple[int, str]:
    with pytest.raises(Unread) as unread:
        reading(syntaxes, text)
    return unread.value.reason.column, unread.value.reason.message


def test_keywords_heed_no_case_and_may_be_shortened_while_they_are_unique() -> None:
    syntaxes = ["security-level <n:0-100>", "shutdown"]
    assert fields(syntaxes, "SECURITY-level 5") == {"n": 5}
    assert fields(syntaxes, "se 5") == {"n": 5}
    assert error(syntaxes, "s 5") == (1, AMBIGUOUS.format("s"))


def test_a_whole_keyword_is_not_the_beginning_of_another() -> None:
    assert reading(["class <a:name>", "class-map <b:name>"], "class x").fields == {"a": "x"}


def test_an_optional_part_may_be_left_out() -> None:
    syntaxes = ["static [netmask <mask:mask>] [[tcp] <max:0-65535> [<half:0-65536>]]"]
    assert fields(syntaxes, "static") == {}
    assert fields(syntaxes, "static 5") == {"max": 5}
    assert fields(syntaxes, "static netmask 255.255.255.0 tcp 5 65536") == {"mask": 24, "max": 5, "half": 65536}
    assert error(syntaxes, "static tcp") == (11, INCOMPLETE)
    assert error(syntaxes, "static 5 6 7") == (12, INVALID)


def test_a_choice_keeps_the_keyword_in_full() -> None:
    assert fields(["<action=permit|deny> ip"], "d ip") == {"action": "deny"}


def test_one_or_more_of_some_words() -> None:
    syntaxes = ["match <words+size|dsn|others>"]
    assert fields(syntaxes, "match DSN size dsn") == {"words": ("dsn", "size")}
    assert error(syntaxes, "match") == (6, INCOMPLETE)
    assert error(syntaxes, "match size no") == (12, INVALID)


def test_a_keyword_comes_before_a_name_and_a_name_before_a_shortened_keyword() -> None:
    syntaxes = ["inspect [<map:name>] [<open=fail-open>]"]
    assert fields(syntaxes, "inspect fail-open") == {"open": "fail-open"}
    assert fields(syntaxes, "inspect fail") == {"map": "fail"}
    assert fields(syntaxes, "inspect fail fail") == {"map": "fail", "open": "fail-open"}


def test_the_error_is_the_one_furthest_to_the_right() -> None:
    syntaxes = ["permit <source:endpoint> [<ports:tcp-ports>] <destination:endpoint>"]
    assert error(syntaxes, "permit any eq x any") == (15, INVALID)
    assert error(syntaxes, "permit any 10.0.0.1 255.0.0.0")[1].endswith("doesn't pair")


def test_a_statement_in_error_tells_the_mode_it_would_have_opened() -> None:
    tree = compiled([Statement("class-map <name:name>", Draft.exit, Mode.CLASS_MAP), Statement("exit", Draft.exit)])
    with pytest.raises(Unread) as unread:
        read(tree, Cursor(line("class-map")))
    assert unread.value.enters is Mode.CLASS_MAP
    with pytest.raises(Unread) as unread:
        read(tree, Cursor(line("nonsense")))
    assert unread.value.enters is None


def test_statements_that_read_alike_are_refused() -> None:
    with pytest.raises(ValueError, match="alike"):
        compiled([Statement("a [b]", Draft.exit), Statement("a", Draft.hostname)])
    with pytest.raises(ValueError, match="kept"):
        compiled([Statement("a", Draft.exit), Statement("<b=a>", Draft.exit)])


@pytest.mark.parametrize("mode", STATEMENTS, ids=lambda mode: mode.value)
def test_every_row_of_the_grammar_calls_its_method_with_what_it_takes(mode: Mode) -> None:
    for statement in STATEMENTS[mode]:
        named = set(compiled_fields(statement))
        taken = list(inspect.signature(statement.apply).parameters.values())[1:]
        given = set(getattr(statement.apply, "keywords", {}))  # what a partial brings along
        needed = {each.name for each in taken if each.default is each.empty and each.kind is not each.VAR_KEYWORD}
        assert needed - given <= named, statement.syntax
        if not any(each.kind is each.VAR_KEYWORD for each in taken):
            assert named <= {each.name for each in taken} - given, statement.syntax


def compiled_fields(statement: Statement) -> list[str]:
    found, trees = [], [compiled([statement])]
    while trees:
        node = trees.pop()
        for element, following in (*node.keywords.values(), *((key, each[1]) for key, each in node.values.items())):
            trees.append(following)
            if element.field not in (None, "_"):
                found.append(element.field)
    return found
