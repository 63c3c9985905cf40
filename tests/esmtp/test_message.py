"""The message scanner against oracles that have the whole text before them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.esmtp.events import Breach, Quantity
from appliance.esmtp.message import Message
from appliance.esmtp.meters import LineMeter
from appliance.esmtp.settings import Settings

LINE = b"\r\n"


def oracle(text: bytes, limit: int) -> list[int]:
    """Where a line of `text` is seen to be beyond `limit`: split at CRLF, dot-stuffing undone.

    That is its first octet beyond, or if that is a CR, which may be half a line end, the one behind it.
    """
    found, at = [], 0
    for line in text.split(LINE):
        stuffing = line.startswith(b".")
        complete = at + len(line) < len(text)
        octets = len(line) - stuffing
        if not complete and line.endswith(b"\r"):
            octets -= 1  # may be half a line end
        if octets > limit:
            beyond = at + stuffing + limit
            found.append(beyond + (text[beyond] == ord("\r")))
        at += len(line) + len(LINE)
    return found


@settings(max_examples=300)
@given(st.lists(st.sampled_from([b"a", b".", b"\r", b"\n", b"\r\n", b"aaaa", b"aaaaaa"]), max_size=60), st.data())
def test_line_lengths_are_those_of_the_lines(parts, data):
    text = b"".join(parts)
    meter, facts, at = LineMeter(Quantity.BODY_LINE, (6,)), [], 0
    while at < len(text):
        end = data.draw(st.integers(at + 1, len(text)))
        meter.scan(text[:end], at, end, 0, facts)
        at = end
    assert [fact.offset for fact in facts] == oracle(text, 6)


@settings(max_examples=300)
@given(st.lists(st.sampled_from([b"a", b".", b"..", b"\r", b"\r\n", b"\n", b"\r\n.", b"\0"]), max_size=40), st.data())
def test_the_end_of_a_message_is_where_the_whole_text_has_it(parts, data):
    text = b"".join(parts)
    end = (LINE + text).find(b"\r\n.\r\n")
    expected = -1 if end < 0 else end + 3
    message, facts, at, found = Message(Settings()), [], 0, -1
    while at < len(text) and found < 0:
        stop = data.draw(st.integers(at + 1, len(text)))
        behind = message.feed(text[at:stop], at, facts)
        found = at + behind if behind >= 0 else -1
        at = stop
    assert found == expected


def test_a_look_alike_is_said_once_a_message():
    message, facts = Message(Settings()), []
    for at in (0, 4):
        message.feed(b"\n.\na", at, facts)
    assert [fact.offset for fact in facts if isinstance(fact, Breach)] == [2]
