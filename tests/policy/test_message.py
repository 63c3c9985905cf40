"""A message under the inspector: its end, its look-alikes, the lengths of its lines (rows 9, 13)."""

import pytest

from appliance.flow import Side
from appliance.policy.counters import Slot
from appliance.policy.maps import InspectMap, Parameters
from tests.playbook import (
    IN_MESSAGE,
    client,
    everyhow,
    payload,
    play,
    whole,
)


class TestMessage:
    def ends(self, *parts):
        """Whether commands are read again behind the payload."""
        outcome = everyhow(*IN_MESSAGE, *(payload(part) for part in parts), client(b"TURN\r\n"))
        assert outcome.ended == ""
        return outcome.client.endswith(b"XXXX\r\n")

    @pytest.mark.parametrize(
        "text",
        [
            b".\r\n",
            b"\r\n.\r\n",
            b"a: b\r\n\r\nbody\r\n.\r\n",
            b"a\r\n..\r\n...\r\n.\r\n",
            b"a\r\r\n.\r\n",
            b"\r\n.a\r\n.\r\n",
        ],
    )
    def test_the_end(self, text):
        assert self.ends(text)

    @pytest.mark.parametrize(
        "text", [b"..\r\n", b"a.\r\n", b"a\r\n..\r\n", b"a\r\n. \r\n", b"a\r\n.\x01\r\n", b"\x00\r\n\x00a\r\n"]
    )
    def test_no_end(self, text):
        assert not self.ends(text)

    def test_what_follows_the_end_in_one_segment(self):
        script = (*IN_MESSAGE, payload(b"a\r\n.\r\nTURN\r\nQUIT\r\n"))
        assert play(whole(*script)).client.endswith(b"a\r\n.\r\nXXXX\r\nQUIT\r\n")

    def test_a_message_is_never_changed(self):
        text = bytes(range(1, 10)) + b"220 <|> TURN\r\nSTARTTLS\r\n\r\n\xff\xfe<>\r\n.\r\n"
        assert everyhow(*IN_MESSAGE, payload(text)).client.endswith(text)

    def test_bare_line_ends_count(self):
        outcome = everyhow(*IN_MESSAGE, payload(b"a\rb\nc\r\r\nd\n\re\r\n.\r\n"))
        assert outcome.count(Slot.BARE_LINE_END) == 5
        assert outcome.count(Slot.MESSAGE) == 1


BEFORE = [b"\r\n", b"\n", b"\r", b"x\r\r\n"]
BEHIND = [b"\r\n", b"\n", b"\r", b"\r\r\n"]


class TestSmuggling:
    @pytest.mark.parametrize("first", [b"", b"a: b\r\n\r\nbody"])
    @pytest.mark.parametrize("behind", BEHIND)
    @pytest.mark.parametrize("before", BEFORE)
    @pytest.mark.parametrize(
        ("left", "right"),
        [
            (b"", b""),
            (b"\0", b""),
            (b"", b"\0"),
            (b"\0", b"\0"),
            (b"\0" * 6, b""),
            (b"", b"\0" * 6),
            (b"\0" * 2, b"\0" * 9),
        ],
    )
    def test_the_matrix(self, first, before, left, right, behind):
        text = first + before + left + b"." + right + behind
        regular = before in (b"\r\n", b"x\r\r\n") and behind == b"\r\n" and not left and not right
        outcome = everyhow(*IN_MESSAGE, payload(text if regular else text + b"M"))
        if regular:
            assert outcome.ended == ""
            assert outcome.count(Slot.MESSAGE) == 1
            return
        assert outcome.ended == "DropConnection: smuggling-guard: look-alike of the end of data"
        assert outcome.count(Slot.SMUGGLING) == 1
        released = outcome.client.split(b"DATA\r\n")[1]
        decides = len(text) - len(behind)
        if behind.startswith(b"\r") and before in (b"\r\n", b"x\r\r\n") and not left and not right:
            decides += 1
        assert released == text[:decides]

    @pytest.mark.parametrize("text", [b".\n", b".\rx", b"\0.\r\n", b".\0\r\n", b"\0\0\0.\r\n", b".\0\0\0\0\0\r\n"])
    def test_behind_data_itself(self, text):
        assert everyhow(*IN_MESSAGE, payload(text)).ended.startswith("DropConnection: smuggling-guard")

    def test_switched_off_the_message_goes_on(self):
        off = InspectMap("m", Parameters(smuggling_guard=False))
        outcome = everyhow(
            *IN_MESSAGE, payload(b"a\n.\nb\r.\rc\r\n.\nd\r\n.\r\n"), client(b"TURN\r\n"), inspect_map=off
        )
        assert outcome.ended == ""
        assert outcome.client.endswith(b"d\r\n.\r\nXXXX\r\n")
        assert outcome.count(Slot.SMUGGLING) == 0


class TestLineLengths:
    @pytest.mark.parametrize(("octets", "closed"), [(997, False), (998, False), (999, True)])
    @pytest.mark.parametrize("before", [b"", b"a: b\r\n", b"a: b\r\n" * 3])
    def test_a_header_line(self, octets, closed, before):
        text = before + b"h" * octets
        outcome = everyhow(*IN_MESSAGE, payload(text + b"\r\n\r\n.\r\n"))
        assert outcome.ended == ("DropConnection: matched Class 4: header line length gt 998" if closed else "")
        released = outcome.client.split(b"DATA\r\n")[1]
        assert released == (text[: len(before) + 998] if closed else text + b"\r\n\r\n.\r\n")
        assert outcome.matched(4) == closed

    @pytest.mark.parametrize(("octets", "logged"), [(997, 0), (998, 0), (999, 1)])
    @pytest.mark.parametrize("before", [b"\r\n", b"a: b\r\n\r\nbody\r\n", b"\r\n" + b"c" * 997 + b"\r\n"])
    def test_a_body_line(self, octets, logged, before):
        outcome = everyhow(*IN_MESSAGE, payload(before + b"b" * octets + b"\r\n.\r\n"))
        assert outcome.said == ["matched Class 3: body line length gt 998"] * logged
        assert outcome.matched(3) == logged
        assert outcome.count(Slot.MESSAGE) == 1

    @pytest.mark.parametrize(
        ("line", "logged"),
        [(b"." + b"b" * 998, 0), (b"." + b"b" * 999, 1), (b".." + b"b" * 997, 0), (b".." + b"b" * 998, 1)],
    )
    def test_dot_stuffing_is_undone(self, line, logged):
        assert everyhow(*IN_MESSAGE, payload(b"\r\n" + line + b"\r\n.\r\n")).matched(3) == logged

    @pytest.mark.parametrize(
        ("line", "logged"),
        [(b"b" * 997 + b"\rb", 1), (b"b" * 997 + b"\r", 0), (b"b" * 998 + b"\r", 1), (b"b\n" * 500, 1)],
    )
    def test_a_bare_line_end_is_part_of_its_line(self, line, logged):
        assert everyhow(*IN_MESSAGE, payload(b"\r\n" + line + b"\r\n.\r\n")).matched(3) == logged

    def test_an_empty_line_ends_the_header_section_once_for_all(self):
        text = b"a: b\r\n\r\nx\r\n\r\n" + b"b" * 999 + b"\r\n.\r\n"
        outcome = everyhow(*IN_MESSAGE, payload(text))
        assert (outcome.matched(3), outcome.matched(4)) == (1, 0)

    def test_each_long_line_counts_once_however_long(self):
        text = b"\r\n" + b"b" * 5000 + b"\r\nshort\r\n" + b"b" * 1000 + b"\r\n.\r\n"
        script = whole(*IN_MESSAGE, payload(text))
        assert play(script).matched(3) == 2

    def test_the_last_line_of_a_large_message(self):
        text = b"a: b\r\n\r\n" + (b"b" * 76 + b"\r\n") * 65000 + b"b" * 999 + b"\r\n.\r\n"
        cut = [(Side.CLIENT, text[at : at + 1448]) for at in range(0, len(text), 1448)]
        outcome = play([*((each.side, each.octets) for each in IN_MESSAGE), *cut])
        assert outcome.matched(3) == 1
        assert outcome.client.endswith(text)
