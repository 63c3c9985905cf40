"""Access lists typed entry by entry: what a second one of the same kind does, and what ``no`` finds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.load import load
from appliance.config.statements.access_lists import access_list_lines

MAIL = "access-list a extended permit tcp any host 192.0.2.25 eq smtp"
OTHER = "access-list a extended deny ip any any"


def entries(*texts: str) -> list[str]:
    loaded = load("\n".join(texts))
    assert loaded.config is not None, loaded.diagnostics
    return [line for each in loaded.config.access_lists for line in access_list_lines(each)]


@pytest.mark.parametrize("options", ["", " inactive", " log", " log disable", " log 4 interval 60 inactive"])
@pytest.mark.parametrize("again", ["", " inactive", " log", " log 3"])
def test_an_entry_again_changes_its_log_and_inactive_where_it_stands(options: str, again: str) -> None:
    changed = entries(MAIL + options, OTHER, MAIL + again)
    assert changed == entries(MAIL + again, OTHER)


@pytest.mark.parametrize("options", ["", " inactive", " log", " log 4 interval 60 inactive"])
@pytest.mark.parametrize("named", ["", " inactive", " log 3"])
def test_an_entry_goes_however_it_is_logged(options: str, named: str) -> None:
    assert entries(MAIL + options, OTHER, f"no {MAIL}{named}") == entries(OTHER)


def test_an_entry_again_that_does_another_thing_is_another() -> None:
    assert len(entries(MAIL, MAIL.replace("permit", "deny"))) == 2


def test_what_an_entry_named_that_was_typed_twice_is_named_no_more() -> None:
    named = "access-list a extended permit ip object gone any"
    assert entries(OTHER, named, f"{named} inactive", f"no {named}") == entries(OTHER)


EDITS = st.lists(
    st.tuples(st.sampled_from(["", "no ", "log"]), st.none() | st.integers(1, 12), st.integers(0, 9)), max_size=40
)


@given(EDITS)
def test_entries_stand_as_in_a_list_that_is_searched(edits: list[tuple[str, int | None, int]]) -> None:
    expected: list[str] = []
    texts: list[str] = []
    for does, position, host in edits:
        entry = f"permit ip any host 192.0.2.{host}"
        known = next((each for each in expected if each in (entry, f"{entry} log")), None)
        if does == "no " and known is not None:
            expected.remove(known)
        elif does == "no ":
            continue
        elif known is not None:
            expected[expected.index(known)] = entry + (" log" if does else "")
        else:
            expected.insert(len(expected) if position is None else position - 1, entry + (" log" if does else ""))
        place = f"line {position} " if position is not None else ""
        undo, log = ("no ", "") if does == "no " else ("", " log" if does else "")
        texts.append(f"{undo}access-list a {place}extended {entry}{log}")
    assert entries(*texts) == [f"access-list a extended {each}" for each in expected]


def test_there_is_always_room_between_two_entries() -> None:
    between = [f"permit ip any host 192.0.2.{number}" for number in range(1, 201)]
    typed = [f"access-list a line 2 extended {each}" for each in between]
    expected = [MAIL, *(f"access-list a extended {each}" for each in reversed(between)), OTHER]
    assert entries(MAIL, OTHER, *typed) == expected
    gone = [f"no access-list a extended {each}" for each in between]
    assert entries(MAIL, OTHER, *typed, *gone) == [MAIL, OTHER]
