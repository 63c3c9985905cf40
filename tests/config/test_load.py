"""The front door: the seed's own snippets, everything at once, and whatever else may stand in a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.config import Config
from appliance.config.diagnostics import Severity, render
from appliance.config.grammar import STATEMENTS
from appliance.config.lexer import FILE_OCTETS
from appliance.config.load import load
from appliance.config.parser import MOST, MOST_WARNINGS
from appliance.config.statements.class_maps import CLASS_MAPS
from appliance.config.statements.interfaces import INTERFACES
from appliance.config.statements.regexes import REGEXES
from appliance.policy.counters import MATCHES

INTERFACE_LINES = """interface Ethernet0/0
 hardware outside0
 nameif outside
interface Ethernet0/1
 hardware inside0
 nameif inside
"""
ACCESS_LISTS = """access-list ironport_esa_internal extended permit ip any 192.168.1.1
access-list ironport_esa_internal extended permit ip 192.168.1.1 any
"""
CLASS = "class-map ironport_esa\nmatch address ironport_esa_internal\n"
POLICY = "policy-map global_policy\nclass ironport_esa\nno inspect esmtp\n"
STATIC = "static (inside,outside) 1.1.1.1 192.168.1.1 netmask 255.255.255.255 tcp 50 100\n"


def told(text: str | bytes, severity: Severity) -> list[str]:
    return [each.message for each in load(text).diagnostics if each.severity is severity]


def test_the_seeds_snippets_behind_interfaces_are_accepted_with_the_warnings_they_owe() -> None:
    text = INTERFACE_LINES + ACCESS_LISTS + CLASS + POLICY + STATIC
    assert load(text).config is not None
    assert told(text, Severity.WARNING) == [
        "WARNING: 192.168.1.1 without a mask is taken as host 192.168.1.1",
        "WARNING: 192.168.1.1 without a mask is taken as host 192.168.1.1",
        "WARNING: match address is taken as match access-list ironport_esa_internal",
        "WARNING: policy-map global_policy is not used",
    ]


@pytest.mark.parametrize(
    ("snippet", "errors"),
    [
        (CLASS, ["ERROR: access-list <ironport_esa_internal> does not exist"]),
        (POLICY, ["ERROR: % class-map ironport_esa not configured"]),
        (STATIC, ["ERROR: interface <inside> does not exist", "ERROR: interface <outside> does not exist"]),
    ],
)
def test_each_snippet_alone_names_what_is_undefined(snippet: str, errors: list[str]) -> None:
    assert load(snippet).config is None
    assert told(snippet, Severity.ERROR) == errors


def test_the_order_of_definitions_does_not_matter() -> None:
    assert load(STATIC + POLICY + CLASS + ACCESS_LISTS + INTERFACE_LINES).config is not None


def test_an_empty_file_is_a_configuration() -> None:
    assert load("").config == load(b"\n! nothing\r\n").config == Config()


@given(st.binary(max_size=300))
def test_octets_never_raise(octets: bytes) -> None:
    loaded = load(octets)
    assert (loaded.config is None) == any(each.severity is Severity.ERROR for each in loaded.diagnostics)
    assert render(loaded.diagnostics, "f").replace("\n", "").isprintable()


KEYWORDS = sorted({word for rows in STATEMENTS.values() for row in rows for word in row.syntax.split()})
WORDS = st.sampled_from(KEYWORDS) | st.sampled_from(["1", "a", "10.0.0.1", "255.0.0.0", "any", "host", "eq", "0:05:00"])


@given(st.lists(st.lists(WORDS, max_size=6).map(" ".join), max_size=8).map("\n".join))
def test_words_of_the_language_in_any_order_never_raise(text: str) -> None:
    for each in load(text).diagnostics:
        assert text.splitlines()[each.place.line - 1] == each.source
        assert 1 <= each.place.column <= len(each.source) + 1


def test_junk_ends_after_a_bounded_number_of_errors() -> None:
    junk = b"nonsense \x1b[31m\n" * (FILE_OCTETS // 15)
    assert len(load(junk).diagnostics) == MOST
    assert "the rest is not shown" in load(junk).diagnostics[-1].message
    assert len(load(b"\n" * 10 * 2**20).diagnostics) == 1


def test_warnings_are_bounded_too_and_refuse_nothing() -> None:
    text = "".join(f"access-list A permit ip any 10.0.{n >> 8}.{n & 255}\n" for n in range(3 * MOST_WARNINGS))
    assert MOST_WARNINGS <= len(load(text).diagnostics) <= 2 * MOST_WARNINGS  # of the reading, and of the whole
    assert load(text).config is not None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("".join(f"interface E{n}\n" for n in range(INTERFACES + 1)), f"ERROR: at most {INTERFACES} interfaces"),
        ("".join(f"class-map c{n}\n" for n in range(CLASS_MAPS + 1)), f"ERROR: at most {CLASS_MAPS} class maps"),
        (
            "policy-map type inspect esmtp M\n"
            + "".join(f"match cmd line length gt {n}\nlog\n" for n in range(1, MATCHES + 2)),
            f"ERROR: an inspect map has at most {MATCHES} match lines",
        ),
        ("".join(f"regex r{n} x\n" for n in range(REGEXES + 1)), f"ERROR: at most {REGEXES} regexes"),
        (
            "".join(f"class-map type regex match-any c{n}\n" for n in range(REGEXES + 1)),
            f"ERROR: at most {REGEXES} regex classes",
        ),
    ],
)
def test_things_are_bounded_in_number(text: str, error: str) -> None:
    assert told(text, Severity.ERROR) == [error]
