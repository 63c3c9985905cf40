"""The dialogue's table, row by row."""

import pytest

from appliance.esmtp.states import BEHIND, EMPTY, GREETING, LICENSED, MASKED, Dialogue, Expectation, Phase


def after(*entries):
    """A dialogue that has been greeted and has these lines outstanding."""
    dialogue = Dialogue()
    dialogue.replied(220, False)
    for entry in entries:
        dialogue.sent(entry, entry if entry in ("DATA", "AUTH", "STARTTLS") else EMPTY)
    return dialogue


@pytest.mark.parametrize("entry", ["NOOP", "DATA", "AUTH", "STARTTLS", "EHLO", MASKED, EMPTY])
@pytest.mark.parametrize("code", [220, 334, 354, 250, 421, 550])
def test_a_licensed_code_is_expected_of_its_own_command_alone(code, entry):
    allowed = code not in LICENSED or entry in LICENSED[code]
    assert after(entry).expects(code) is (Expectation.EXPECTED if allowed else Expectation.TRANSITION)


@pytest.mark.parametrize("code", [220, 250, 354, 421])
def test_with_nothing_outstanding(code):
    expected = {250: Expectation.UNEXPECTED, 421: Expectation.EXPECTED}
    assert after().expects(code) is expected.get(code, Expectation.TRANSITION)


@pytest.mark.parametrize(("entry", "code"), BEHIND)
def test_the_phase_behind(entry, code):
    dialogue = after(entry)
    assert dialogue.phase is Phase.WAITING
    dialogue.replied(code, False)
    assert dialogue.phase is BEHIND[entry, code]
    assert dialogue.oldest() == ("AUTH" if entry == "AUTH" else None)


def test_waiting_ends_with_the_reply_to_the_command_that_waits():
    dialogue = after("MAIL", "RCPT", "DATA")
    dialogue.replied(250, False)
    dialogue.replied(550, False)
    assert dialogue.phase is Phase.WAITING
    dialogue.replied(554, False)
    assert dialogue.phase is Phase.COMMAND


def test_the_greeting_comes_first():
    dialogue = Dialogue()
    assert dialogue.oldest() == GREETING
    dialogue.sent("NOOP")
    dialogue.replied(220, False)
    assert dialogue.oldest() == "NOOP"
    assert dialogue.expects(220) is Expectation.TRANSITION


def test_pipelining_is_what_the_last_greeting_offered():
    dialogue = after("EHLO", "NOOP", "HELO")
    dialogue.replied(250, True)
    assert dialogue.pipelining
    dialogue.replied(250, False)
    assert dialogue.pipelining
    dialogue.replied(250, False)
    assert not dialogue.pipelining


def test_refused_recipients_are_of_one_transaction() -> None:
    dialogue = Dialogue()
    dialogue.replied(220, False)
    for entry, code in (("MAIL", 250), ("RCPT", 550), ("RCPT", 250), ("RCPT", 452)):
        dialogue.sent(entry)
        dialogue.replied(code, False)
    assert dialogue.refused == 2
    dialogue.sent("RSET")
    dialogue.replied(250, False)
    assert dialogue.refused == 0
