"""An ASA's regular expressions: what each sign means, what is refused and where, and that nothing hangs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.policy.regex import LONGEST, TEXT, Matcher, PatternError, check


def found(pattern: str, text: bytes) -> bool:
    return Matcher([pattern]).matches(text)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("user1@cisco", [b"user1@cisco.com", b"xuser1@cisco"], [b"USER1@cisco.com", b""]),
        ("a.c", [b"abc", b"a\nc", b"a\xffc", b"a\x00c"], [b"ac"]),
        (r"a\.c", [b"a.c"], [b"abc"]),
        ("(ab|cd)e", [b"abe", b"xcde"], [b"ace"]),
        ("dogg?y", [b"dogy", b"doggy"], [b"dogggy"]),
        ("lo*se", [b"lse", b"loose"], [b"lase"]),
        ("lo+se", [b"lose"], [b"lse"]),
        ("^ab(xy){3}z", [b"abxyxyxyz"], [b"abxyxyz", b"abxyxyxyxyz"]),
        ("ab(xy){2,}z", [b"abxyxyz", b"abxyxyxyz"], [b"abxyz"]),
        ("[abc]x", [b"ax", b"cx"], [b"dx"]),
        ("[^abc]x", [b"dx", b"\nx", b"\xe4x"], [b"ax"]),
        ("[a-cq-z]1", [b"b1", b"z1"], [b"d1"]),
        ("[a-]1", [b"-1", b"a1"], [b"b1"]),
        ("[-a]1", [b"-1"], [b"b1"]),
        (r"[\]\^]", [b"]", b"^"], [b"\\"]),
        ("^ab", [b"abc"], [b"cab"]),
        (r"\r\n\t\f", [b"\r\n\t\f"], [b"rntf"]),
        (r"\x41\x7c\xff", [b"A|\xff"], [b"x41"]),
        (r"\101\000", [b"A\x00"], [b"A"]),
        (r"\"\$\{", [b'"${'], [b"a"]),
        (" two  words", [b"a two  words"], [b"two words"]),
        ("a{400}", [b"a" * 400], [b"a" * 399]),
        ("x{1}(?:", [], []),
    ],
)
def test_what_the_signs_mean(pattern: str, yes: list[bytes], no: list[bytes]) -> None:
    if not yes:
        with pytest.raises(PatternError):
            check(pattern)
    for text in yes:
        assert found(pattern, text), text
    for text in no:
        assert not found(pattern, text), text


@pytest.mark.parametrize(
    ("pattern", "at"),
    [
        ("", 0),
        ("a" * 101, 100),
        ("ab(", 2),
        ("(a(b)", 0),
        ("a)", 1),
        ("*", 0),
        ("a|+", 2),
        ("(?i)a", 1),
        ("a**", 2),
        ("a{3}{3}", 4),
        ("a{1,2}", 1),
        ("a{", 1),
        ("a{,3}", 1),
        ("[a", 0),
        ("[a\\]", 0),
        ("x[]", 1),
        ("x[^]", 1),
        ("[z-a]", 1),
        ("[[a]", 1),
        ("a$", 1),
        ("a}", 1),
        ("]", 0),
        ('a"', 1),
        ("\\", 0),
        (r"a\d", 1),
        (r"\x4g", 0),
        (r"\40", 0),
        (r"\400", 0),
        ("aä", 1),
        ("a{1001}", 0),
        ("a{500}", 0),
        ("(.|a){20}(b{25}){25}", 0),
        ("((a{50}){50}){50}", 0),
        ("(" + "a" * 80 + "){1000}", 0),
    ],
)
def test_what_is_refused_and_where(pattern: str, at: int) -> None:
    with pytest.raises(PatternError) as error:
        check(pattern)
    assert error.value.at == at
    assert error.value.message


def test_any_of_a_class_matches() -> None:
    both = Matcher(["exe", "^scr"])
    assert both.matches(b"exe")
    assert both.matches(b"scr")
    assert not both.matches(b"xscr")
    assert not Matcher([]).matches(b"")


def test_only_so_much_of_a_text_is_looked_at() -> None:
    assert found("b", b"a" * 2_047 + b"b")
    assert not found("b", b"a" * 2_048 + b"b")


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|a)*b", "(a|aa)+b", "(.*a){20}b", "(a+)+(a+)+(a+)+b", "(a?){50}a{50}b"]
)
def test_what_hangs_a_backtracking_engine_comes_to_an_end(pattern: str) -> None:
    """Each of these takes a backtracking engine longer than the universe has."""
    assert not found(pattern, b"a" * TEXT)


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=LONGEST + 5), st.binary(max_size=50))
def test_any_pattern_is_taken_or_refused(pattern: str, text: bytes) -> None:
    try:
        check(pattern)
    except PatternError as error:
        at = error.at
    else:
        at = 0
        found(pattern, text)
    assert 0 <= at <= len(pattern)


ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "(a|b)", r"\x61", r"\."])
REPEATED = st.builds(lambda atom, sign: atom + sign, ATOMS, st.sampled_from(["", "", "*", "+", "?", "{2}", "{1,}"]))


@given(st.lists(REPEATED, min_size=1, max_size=5).map("".join), st.text("ab.\n", max_size=8))
def test_it_means_what_another_engine_means(pattern: str, text: str) -> None:
    expected = re.search(pattern.encode(), text.encode(), re.DOTALL) is not None
    assert found(pattern, text.encode()) == expected
