"""What ``?`` says is said of every argument there is."""

from appliance.config.arguments import ARGUMENTS
from appliance.config.hints import HINTS, hint


def test_every_argument_has_its_words() -> None:
    assert HINTS.keys() == ARGUMENTS.keys()


def test_a_range_stands_for_itself_and_some_keywords_for_themselves() -> None:
    assert hint("0-100") == {"<0-100>": ""}
    assert hint("+7bit|8bit") == {"7bit": "", "8bit": ""}
