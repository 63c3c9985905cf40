"""The demonstration's voice: plain where nobody looks, and no claim passes unchecked."""

import io

import pytest

from appliance.lab.narrator import Narrator


class Terminal(io.StringIO):
    """Something that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_claim_that_does_not_hold_is_counted_and_said() -> None:
    out = io.StringIO()
    narrator = Narrator(out)
    narrator.claim("water is wet", True)
    narrator.claim("the moon is cheese", False)
    assert narrator.wrong == 1
    assert out.getvalue() == "ok  water is wet\nNOT SO  the moon is cheese\n"


def test_colour_is_for_terminals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain, terminal = io.StringIO(), Terminal()
    for out in (plain, terminal):
        Narrator(out).title("Fixup")
    assert plain.getvalue() == "Fixup\n"
    assert terminal.getvalue() == "\033[1mFixup\033[0m\n"


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    Narrator(out).title("Fixup")
    assert out.getvalue() == "Fixup\n"


def test_columns_stay_columns_whatever_is_in_them() -> None:
    out = io.StringIO()
    Narrator(out).compare("x" * 200, "y" * 200, "<--")
    assert len(out.getvalue()) <= 101
