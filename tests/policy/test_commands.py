"""What the server gets of command lines: crosses, spaces, or nothing any more (rows 3-6, 8, 13)."""

import pytest

from appliance.flow import Side
from appliance.policy.counters import Slot
from appliance.policy.maps import Deed, InspectMap, Match, Reaction
from tests.playbook import (
    HELLO,
    Wire,
    client,
    everyhow,
    play,
    server,
    whole,
)


class TestUnsupported:
    @pytest.mark.parametrize(
        "line",
        [
            b"STARTTLS",
            b"TURN",
            b"EXPN list",
            b"BDAT 100 LAST",
            b"HELOX",
            b"MAIL\tFROM:<a@b>",
            b"NOOP\x00",
            b"XEXCH50 1 2",
            b"1234",
            b"  NOOP",
            b"DATAX",
            b"R\xc3\xa9ET",
        ],
    )
    def test_the_line_becomes_crosses(self, line):
        outcome = everyhow(*HELLO, client(line + b"\r\n"), server(b"500 what\r\n"))
        assert outcome.client == b"EHLO a.example\r\n" + b"X" * len(line) + b"\r\n"
        assert outcome.count(Slot.UNSUPPORTED) == 1
        assert outcome.ended == ""

    @pytest.mark.parametrize("line", [b"A", b"NOO", b"1"])
    def test_under_four_letters(self, line):
        outcome = play(whole(*HELLO, client(line + b"\r\n"), server(b"500 what\r\n")))
        assert outcome.client.endswith(b"\n" + b"X" * len(line) + b"\r\n")
        assert outcome.count(Slot.TRUNCATED) == 1

    def test_an_empty_line_passes_and_is_answered(self):
        outcome = everyhow(*HELLO, client(b"\r\n"), server(b"500 what\r\n"), server(b"250 none\r\n"))
        assert outcome.client.endswith(b"\r\n\r\n")
        assert outcome.count(Slot.EMPTY) == 1
        assert outcome.count(Slot.UNEXPECTED_REPLY) == 1

    @pytest.mark.parametrize(
        "verb",
        [
            "DATA",
            "HELO",
            "MAIL",
            "NOOP",
            "QUIT",
            "RCPT",
            "RSET",
            "AUTH",
            "EHLO",
            "ETRN",
            "HELP",
            "SAML",
            "SEND",
            "SOML",
            "VRFY",
        ],
    )
    @pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
    def test_the_fifteen_pass(self, verb, case):
        line = case(verb).encode() + b" x\r\n"
        outcome = everyhow(*HELLO, client(line))
        assert outcome.client.endswith(line)
        assert outcome.count(Slot.COMMAND) == 2

    def test_typed_by_hand(self):
        typed = [(Side.CLIENT, bytes([octet])) for octet in b"NOOP\r\n"]
        assert play(typed).client == b"XXXX\r\n"

    def test_two_letters_typed_take_their_line_with_them(self):
        assert play([(Side.CLIENT, b"NO"), (Side.CLIENT, b"OP x\r\nNOOP\r\n")]).client == b"XXXXXX\r\nNOOP\r\n"

    def test_a_verb_cut_by_the_end_of_a_batch(self):
        for at in range(7, 11):
            batch = b"NOOP\r\nRCPT TO:<a@b>\r\n"
            assert play([(Side.CLIENT, batch[:at]), (Side.CLIENT, batch[at:])]).client == batch

    def test_an_unsupported_verb_cut_by_the_end_of_a_batch(self):
        cut = [(Side.CLIENT, b"NOOP\r\nST"), (Side.CLIENT, b"ARTTLS\r\n")]
        assert play(cut).client == b"NOOP\r\nSTXXXXXX\r\n"

    def test_what_begins_no_verb_is_not_a_cut_one(self):
        assert play([(Side.CLIENT, b"NOOP\r\n1"), (Side.CLIENT, b"234\r\n")]).client == b"NOOP\r\nXXXX\r\n"

    def test_what_follows_a_cut_verb_is_judged_too(self):
        assert play([(Side.CLIENT, b"NOOP\r\nHELO"), (Side.CLIENT, b"ZYZ a\r\n")]).client == b"NOOP\r\nHELOXXXXX\r\n"


class TestTermination:
    @pytest.mark.parametrize(
        ("lines", "released"),
        [
            (b"NOOP x\ny\r\n", b"NOOP x"),
            (b"NOOP x\ry\r\n", b"NOOP x\r"),
            (b"NOOP x\r\r\n", b"NOOP x\r"),
            (b"TURN x\ny\r\n", b"XXXXXX"),
            (b"\n", b""),
            (b"\r\rNOOP\r\n", b""),
            (b"NOOP\r\nNOOP\nNOOP\r\n", b"NOOP\r\n"),  # cut finest behind five octets
        ],
    )
    def test_bare_cr_or_lf(self, lines, released):
        outcome = everyhow(*HELLO, client(lines))
        assert outcome.ended == "DropConnection: command-termination: command not terminated by CR LF"
        assert outcome.client == b"EHLO a.example\r\n" + released

    @pytest.mark.parametrize("text", [b"NOOP", b"NO", b"NOOP\r"])
    def test_an_unterminated_line_at_fin(self, text):
        wire = Wire()
        wire.send(Side.CLIENT, text)
        wire.apply(Side.CLIENT, wire.inspector.finish(Side.CLIENT))
        assert wire.counters[Slot.UNTERMINATED] == 1
        assert not wire.ended


class TestAddresses:
    @pytest.mark.parametrize(
        "line",
        [
            b"MAIL FROM:<>",
            b"MAIL FROM:<a@b> SIZE=1 BODY=8BITMIME AUTH=<>",
            b"MAIL FROM:<a@b> auth=<> SIZE=1",
            b"MAIL FROM: <a@b>",
            b"MAIL FROM:a@b",
            b"mail from : <a@b>",
            b'MAIL FROM:<"a<b>\\"> c"@d>',
            b'MAIL FROM:"<>"@d',
            b"RCPT TO:<@x,@y:a@b> ORCPT=rfc822;a@b NOTIFY=NEVER",
            b"RCPT TO:<a@[192.0.2.1]>",
            b"SAML FROM:<a@b>",
            b"RCPT TO:\t<\xc3\xa9@b>",
            b"MAIL x|FROM:<a@b>",
        ],
    )
    def test_in_place(self, line):
        outcome = everyhow(*HELLO, client(line + b"\r\n"))
        assert outcome.client.endswith(line + b"\r\n")
        assert outcome.said == []
        assert outcome.ended == ""

    @pytest.mark.parametrize(
        ("line", "got"),
        [
            (b"MAIL FROM:<<a@b>>", b"MAIL FROM:< a@b> "),
            (b"MAIL FROM:><a@b>", b"MAIL FROM: <a@b>"),
            (b"MAIL FROM:a<a@b>", b"MAIL FROM:a a@b "),
            (b"MAIL <FROM>:<a@b>", b"MAIL  FROM :<a@b>"),
            (b"RCPT TO:<a@b> <c@d>", b"RCPT TO:<a@b>  c@d "),
            (b"MAIL FROM:<a@b> AUTH=<x>", b"MAIL FROM:<a@b> AUTH=<x "),
            (b"MAIL FROM:<a@b> XAUTH=<>", b"MAIL FROM:<a@b> XAUTH=  "),
            (b"MAIL FROM:<a@b> AUTH=<>>", b"MAIL FROM:<a@b> AUTH=<> "),
            (b"MAIL FROM:<a\x00@b\x7f>", b"MAIL FROM:<a @b >"),
            (b'SEND FROM:<"a\x01"@b>>', b'SEND FROM:<"a "@b> '),
            (b"MAIL FROM <a@b>", b"MAIL FROM  a@b "),
            (b'MAIL FROM:<"a\\"<b"<@d>', b'MAIL FROM:<"a\\"<b" @d>'),
        ],
    )
    def test_out_of_place(self, line, got):
        outcome = everyhow(*HELLO, client(line + b"\r\n"))
        assert outcome.client.endswith(got + b"\r\n")
        assert outcome.said == [f"replaced {line!r}"]
        assert outcome.count(Slot.INVALID_ADDRESS) == 1

    @pytest.mark.parametrize(
        "line", [b"MAIL FROM:<|prog@b>", b'RCPT TO:<"|prog"@b>', b"SOML FROM:a|b", b"MAIL FROM:<a@b> X=|"]
    )
    def test_a_pipe_closes(self, line):
        outcome = everyhow(*HELLO, client(line + b"\r\n"))
        before = line[: line.index(b"|")]
        assert outcome.ended == f"malicious address {before.split(b':', 1)[1] + b'|'!r}"
        assert outcome.count(Slot.MALICIOUS_ADDRESS) == 1
        assert outcome.client == b"EHLO a.example\r\n" + before

    def test_control_octets_in_other_commands(self):
        outcome = everyhow(*HELLO, client(b"HELO a\x00b\tc\x1b<|>\xff\xfe\r\n"))
        assert outcome.client.endswith(b"HELO a b\tc <|>\xff\xfe\r\n")
        assert outcome.count(Slot.CONTROL) == 2
        assert outcome.count(Slot.EIGHT_BIT) == 1

    @pytest.mark.parametrize(
        ("octets", "ended"),
        [(319, ""), (320, ""), (321, "DropConnection: matched Class 5: sender-address length gt 320")],
    )
    def test_the_longest_sender(self, octets, ended):
        for line in (b"MAIL FROM:<%b>\r\n", b"MAIL FROM: %b\r\n", b"SAML FROM:<%b> X\r\n"):
            outcome = everyhow(*HELLO, client(line % (b"a" * octets)))
            assert outcome.ended == ended
            assert outcome.client.count(b"a" * 300) == 1
        assert everyhow(*HELLO, client(b"RCPT TO:<%b>\r\n" % (b"a" * octets))).ended == ""


class TestCommandLineLength:
    @pytest.mark.parametrize(("octets", "passes"), [(511, True), (512, True), (513, False)])
    @pytest.mark.parametrize("verb", [b"NOOP ", b"TURN ", b"MAIL FROM:<a@b> X="])
    def test_judged_at_the_octet(self, octets, passes, verb):
        line = verb + b"x" * (octets - len(verb))
        outcome = everyhow(*HELLO, client(line + b"\r\n"))
        assert outcome.ended == ("" if passes else "DropConnection: matched Class 1: cmd line length gt 512")
        assert len(outcome.client) == len(b"EHLO a.example\r\n") + (octets + 2 if passes else 512)
        assert outcome.matched(1) == (not passes)

    def test_a_line_without_an_end(self):
        assert everyhow(*HELLO, client(b"NOOP " + b"x" * 508)).ended.endswith("cmd line length gt 512")

    def test_two_limits_one_of_them_only_logs(self):
        two = InspectMap(
            "m",
            matches=(
                Match("cmd-line-length", Reaction(Deed.RESET), limit=20),
                Match("cmd-line-length", Reaction(Deed.LOG, log=True), limit=10),
            ),
        )
        assert everyhow(client(b"NOOP " + b"x" * 15), inspect_map=two).ended == ""
        outcome = everyhow(client(b"NOOP " + b"x" * 16), inspect_map=two)
        assert outcome.said == ["matched Class 2: cmd line length gt 10"]
        assert outcome.ended == "ResetConnection: matched Class 1: cmd line length gt 20"
