"""Diagnostics as a person reads them."""

from appliance.config.diagnostics import SHOWN, Diagnostic, Place, Severity, escaped, render


def test_place_sentence_line_and_caret() -> None:
    found = Diagnostic(Severity.ERROR, Place(3, 10), "ERROR: no", "hostname -x")
    assert found.render("mail.cfg") == "mail.cfg:3:10: ERROR: no\n  hostname -x\n           ^"


def test_the_caret_stands_under_its_column_behind_what_was_escaped() -> None:
    found = Diagnostic(Severity.ERROR, Place(1, 5), "ERROR: no", "\t\x1bü x")
    assert found.render("f").splitlines()[1:] == ["   \\033\\303\\274 x", "                ^"]


def test_nothing_of_the_file_reaches_the_terminal_raw() -> None:
    found = Diagnostic(Severity.ERROR, Place(1, 1), 'ERROR: % Ambiguous command:  "\x1b[2J"', "\x1b[2J\x07")
    shown = found.render("a\nb\x1b")
    assert shown.replace("\n", "").isprintable()
    assert shown.startswith("a\\012b\\033:1:1:")


def test_octets_that_are_no_text_are_shown_as_they_are() -> None:
    assert escaped(b"\xff\x80".decode("utf-8", "surrogateescape")) == "\\377\\200"


def test_a_long_line_is_shown_from_near_its_caret() -> None:
    found = Diagnostic(Severity.ERROR, Place(1, 301), "ERROR: no", "a" * 300 + "X" + "b" * 200)
    _, shown, caret = found.render("f").splitlines()
    assert shown[caret.index("^")] == "X"
    assert len(shown) <= SHOWN + 8


def test_they_come_in_the_order_of_the_file() -> None:
    two = [Diagnostic(Severity.ERROR, Place(line, 1), f"ERROR: {line}") for line in (2, 1)]
    assert render(two, "f").splitlines()[::3] == ["f:1:1: ERROR: 1", "f:2:1: ERROR: 2"]
