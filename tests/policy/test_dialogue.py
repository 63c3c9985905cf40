"""Commands and replies in their order, and what must wait (rows 7, 7a, 11-13)."""

import pytest

from appliance.flow import Side
from appliance.policy.counters import Slot
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import InspectMap, Parameters
from tests.playbook import (
    GREETED,
    HELLO,
    IN_MESSAGE,
    Wire,
    accepted,
    client,
    everyhow,
    payload,
    play,
    server,
    whole,
)


class TestSequence:
    def test_pipelined_commands_pass_and_count_only_without_the_offer(self):
        batch = b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
        offered = everyhow(*HELLO, client(batch))
        assert (offered.client, offered.said) == (b"EHLO a.example\r\n" + batch, [])
        unasked = everyhow(*GREETED, client(b"HELO a\r\n"), server(b"250 mx\r\n"), client(batch))
        assert unasked.client == b"HELO a\r\n" + batch
        assert unasked.said == ["pipelining: pipelined command RCPT"]
        assert unasked.count(Slot.PIPELINED) == 1

    def test_a_command_before_the_greeting(self):
        assert everyhow(client(b"NOOP\r\n"), *GREETED).count(Slot.PIPELINED) == 1

    @pytest.mark.parametrize(
        ("command", "reply", "cause"),
        [
            (b"NOOP\r\n", b"354 go\r\n", "354 without DATA"),
            (b"RCPT TO:<a@b>\r\n", b"334 \r\n", "334 without AUTH"),
            (b"NOOP\r\n", b"220 hi\r\n", "220 without STARTTLS"),
            (b"STARTTLS\r\n", b"220 go\r\n", "220 without STARTTLS"),
            (b"DATA\r\n", b"334 \r\n", "334 without AUTH"),
            (b"AUTH PLAIN\r\n", b"354 \r\n", "354 without DATA"),
            (b"NOOP\r\nDATA\r\n", b"354 go\r\n", "354 without DATA"),
            (b"NOOP\r\n", b"250-a\r\n251 b\r\n", "251 inside a 250 reply"),
            (b"NOOP\r\n", b"25x\r\n", "a line without a reply code"),
            (b"NOOP\r\n", b"\r\n", "a line without a reply code"),
            (b"NOOP\r\n", b"250-a\r\nfree text\r\n", "a line without a reply code"),
        ],
    )
    def test_an_unexpected_transition(self, command, reply, cause):
        outcome = everyhow(*HELLO, client(command), server(reply))
        assert outcome.ended == f"DropConnection: server-transition: {cause}"

    @pytest.mark.parametrize("line", [b"TURN\r\n", b"DATAX\r\n", b"\r\n"])
    def test_a_354_to_what_the_server_never_saw(self, line):
        outcome = everyhow(*HELLO, client(line), server(b"354 go\r\n"))
        assert outcome.ended == "DropConnection: server-transition: 354 without DATA"

    def test_a_354_out_of_the_blue(self):
        assert everyhow(*HELLO, server(b"354 go\r\n")).ended == "DropConnection: server-transition: 354 without DATA"

    def test_an_unexpected_reply_passes_and_changes_nothing(self):
        outcome = everyhow(
            *HELLO, server(b"250-x\r\n250 x\r\n"), client(b"DATA\r\n"), server(b"354 go\r\n"), payload(b".\r\n")
        )
        assert outcome.said == ["server-reply: unexpected reply 250"]
        assert outcome.count(Slot.MESSAGE) == 1

    def test_an_unexpected_reply_is_not_that_to_a_command_sent_before_its_end(self):
        script = (*HELLO, server(b"250-x\r\n"), client(b"DATA\r\n"), server(b"250 x\r\n354 go\r\n"), payload(b".\r\n"))
        assert everyhow(*script).count(Slot.MESSAGE) == 1

    @pytest.mark.parametrize("reply", [b"250\r\n", b"250\n", b"250\tok\r\n", b"250x\r\n"])
    def test_a_reply_goes_on_only_behind_a_hyphen(self, reply):
        script = (*HELLO, client(b"NOOP\r\nDATA\r\n"), server(reply + b"354 go\r\n"), payload(b".\r\n"))
        assert everyhow(*script).count(Slot.MESSAGE) == 1

    def test_a_reply_while_a_message_runs(self):
        outcome = everyhow(
            *IN_MESSAGE, payload(b"a\r\n"), server(b"250 early\r\n"), payload(b"\r\n.\r\n"), server(b"250 ok\r\n")
        )
        assert outcome.count(Slot.UNEXPECTED_REPLY) == 1
        assert outcome.count(Slot.MESSAGE) == 1

    def test_421_at_any_time(self):
        for before in (GREETED, HELLO, IN_MESSAGE):
            outcome = everyhow(*before, server(b"421 closing\r\n"))
            assert (outcome.ended, outcome.said) == ("", [])

    @pytest.mark.parametrize("refusal", [b"503 no\r\n", b"421 no\r\n", b"250 eh\r\n", b"350 eh\r\n"])
    def test_data_refused_leaves_commands(self, refusal):
        outcome = everyhow(*HELLO, client(b"DATA\r\n"), server(refusal), client(b"TURN\r\n"))
        assert outcome.client.endswith(b"DATA\r\nXXXX\r\n")

    def test_data_refused_behind_what_was_pipelined_before_it(self):
        batch = client(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n")
        outcome = everyhow(*HELLO, batch, server(b"250 ok\r\n550 no\r\n554 no\r\n"), client(b"TURN\r\n"))
        assert outcome.client.endswith(b"DATA\r\nXXXX\r\n")

    @pytest.mark.parametrize(("commands", "passes"), [(999, True), (1000, True), (1001, False)])
    def test_outstanding_commands(self, commands, passes):
        for beginning in ((), HELLO):
            script = whole(*beginning, client(b"NOOP\r\n" * commands))
            assert (play(script).ended == "") is passes


class TestEarlyData:
    @pytest.mark.parametrize(
        ("command", "cause"),
        [
            (b"DATA\r\n", "DATA"),
            (b"AUTH LOGIN\r\n", "AUTH"),
            (b"STARTTLS\r\n", "STARTTLS"),
            (b"BDAT 5 LAST\r\n", "BDAT"),
            (b"data\r\n", "DATA"),
        ],
    )
    def test_behind_a_command_that_must_wait(self, command, cause):
        outcome = everyhow(*HELLO, client(command), payload(b"secret"))
        assert outcome.ended == f"DropConnection: early-data: {cause}"
        assert b"secret" not in outcome.client
        one_packet = play(whole(*HELLO, client(command + b"secret")))
        assert one_packet.client == b"EHLO a.example\r\n"

    def test_behind_part_of_a_reply(self):
        outcome = everyhow(*HELLO, client(b"DATA\r\n"), server(b"354-go\r\n354 o"), payload(b"x"))
        assert outcome.ended == "DropConnection: early-data: DATA"

    def test_behind_a_sasl_line(self):
        script = (*HELLO, client(b"AUTH LOGIN\r\n"), server(b"334 \r\n"), payload(b"dXNlcg==\r\ncGFzcw==\r\n"))
        assert everyhow(*script).ended == "DropConnection: early-data: SASL"

    def test_behind_what_is_no_such_command(self):
        assert everyhow(*HELLO, client(b"STARTTLSX\r\nDATAX\r\nNOOP\r\n")).ended == ""


class TestAuth:
    def test_an_exchange_passes_untouched_and_leaves_commands(self):
        outcome = everyhow(
            *HELLO,
            client(b"AUTH LOGIN\r\n"),
            server(b"334 VXNlcg==\r\n"),
            payload(b"\x00\xff<|>\r\n"),
            server(b"334 UGFzcw==\r\n"),
            payload(b"*\r\n"),
            server(b"501 cancelled\r\n"),
            *accepted(b"NOOP\r\n"),
            client(b"TURN\r\n"),
        )
        assert outcome.client.endswith(b"AUTH LOGIN\r\n\x00\xff<|>\r\n*\r\nNOOP\r\nXXXX\r\n")
        assert outcome.said == []

    @pytest.mark.parametrize(
        ("octets", "ended"), [(12287, ""), (12288, ""), (12289, "DropConnection: sasl-line: longer than any SASL line")]
    )
    def test_the_longest_line(self, octets, ended):
        line = b"a" * octets + b"\r\n"
        script = whole(*HELLO, client(b"AUTH LOGIN\r\n"), server(b"334 \r\n"))
        assert play([*script, (Side.CLIENT, line)]).ended == ended
        assert play([*script, (Side.CLIENT, line[:5000]), (Side.CLIENT, line[5000:])]).ended == ended

    @pytest.mark.parametrize("line", [b"ab\nMAIL\r\n", b"ab\rc\r\n", b"ab\r\r\n"])
    def test_a_line_that_is_not_ended_as_it_must_be(self, line):
        script = (*HELLO, client(b"AUTH LOGIN\r\n"), server(b"334 \r\n"), payload(line))
        assert everyhow(*script).ended.startswith("DropConnection: command-termination: SASL")

    @pytest.mark.parametrize("reply", [b"535 no\r\n", b"421 too slow\r\n", b"235 in\r\n"])
    def test_the_licence_for_a_line_ends_with_the_exchange(self, reply):
        begun = (*HELLO, client(b"AUTH LOGIN\r\n"), server(b"334 \r\n"))
        outcome = everyhow(*begun, server(reply), client(b"STARTTLS\r\n"))
        assert outcome.client.endswith(b"AUTH LOGIN\r\nXXXXXXXX\r\n")
        for half in (b"535-no\r\n", b"535 n", b"421-too slow\r\n42", b"535-"):
            outcome = everyhow(*begun, server(half), payload(b"STARTTLS\r\n"))
            assert outcome.ended == "DropConnection: early-data: SASL"
            assert outcome.client.endswith(b"AUTH LOGIN\r\n")
        assert everyhow(*begun, server(b"334-x\r\n334 y\r\n"), payload(b"AA==\r\n")).ended == ""
        outcome = everyhow(*begun, payload(b"RCPT TO:<a@b"), server(reply), payload(b">\r\n"))
        assert outcome.ended == "DropConnection: early-data: SASL"
        assert outcome.client.endswith(b"RCPT TO:<a@b")

    def test_no_credential_in_anything_that_is_said(self):
        secret = b"AHVzZXIAczNjcjN0"
        for ending in (b"\r\n", b"\n", b"\x00|<\r\n", b"x" * 600 + b"\r\n", b"x" * 13000 + b"\r\n"):
            wire = Wire()
            for each in HELLO:
                wire.send(each.side, each.octets)
            wire.send(Side.CLIENT, b"AUTH PLAIN " + secret + ending)
            wire.send(Side.SERVER, b"334 go on\r\n")
            wire.send(Side.CLIENT, secret + ending)
            wire.send(Side.CLIENT, secret)
            wire.send(Side.SERVER, b"235 ok\r\n")
            wire.apply(Side.CLIENT, wire.inspector.finish(Side.CLIENT))
            assert secret not in repr(wire.actions).encode()


class TestRecipients:
    def trips(self, *script):
        outcome = play(whole(*HELLO, *script))
        assert outcome.ended in ("", "DropConnection: matched Class 2: cmd RCPT count gt 100")
        return outcome.ended != ""

    def rcpt(self, count, reply=b"250 ok\r\n"):
        return [each for _ in range(count) for each in (client(b"RCPT TO:<a@b>\r\n"), server(reply))]

    mail = accepted(b"MAIL FROM:<a@b>\r\n")

    @pytest.mark.parametrize(("count", "trips"), [(99, False), (100, False), (101, True)])
    def test_a_transaction(self, count, trips):
        assert self.trips(*self.mail, *self.rcpt(count)) is trips
        assert self.trips(*self.mail, *self.rcpt(count, b"550 no\r\n")) is trips
        assert self.trips(client(b"MAIL FROM:<a@b>\r\n" + b"RCPT TO:<a@b>\r\n" * count)) is trips

    @pytest.mark.parametrize("end", [b"RSET\r\n", b"EHLO b\r\n", b"HELO b\r\n"])
    def test_what_ends_one(self, end):
        assert not self.trips(*self.mail, *self.rcpt(60), *accepted(end), *self.mail, *self.rcpt(60))
        refused = [client(end), server(b"550 no\r\n")]
        assert self.trips(*self.mail, *self.rcpt(60), *refused, *self.rcpt(41))
        assert self.trips(*self.mail, *self.rcpt(60), client(end), *[client(b"RCPT TO:<a@b>\r\n")] * 41)

    @pytest.mark.parametrize("verdict", [b"250 ok\r\n", b"554 spam\r\n"])
    def test_a_message_ends_one(self, verdict):
        message = [client(b"DATA\r\n"), server(b"354 go\r\n"), payload(b"a\r\n.\r\n"), server(verdict)]
        assert not self.trips(*self.mail, *self.rcpt(60), *message, *self.mail, *self.rcpt(60))

    @pytest.mark.parametrize(("verdict", "trips"), [(b"250 ok\r\n", False), (b"554 spam\r\n", True)])
    def test_an_accepted_message_ends_one_whatever_comes_behind_it(self, verdict, trips):
        message = [client(b"DATA\r\n"), server(b"354 go\r\n"), payload(b"a\r\n.\r\n"), server(verdict)]
        assert self.trips(*self.mail, *self.rcpt(60), *message, *self.rcpt(60, b"503 no\r\n")) is trips

    def test_a_mail_inside_one_does_not_and_neither_does_a_refused_one(self):
        refused = [client(b"MAIL FROM:<x@y>\r\n"), server(b"503 no\r\n")]
        assert self.trips(*self.mail, *self.rcpt(80), *refused, *self.rcpt(21))
        assert self.trips(*self.rcpt(80), *refused, *self.rcpt(21))
        assert self.trips(*self.mail, *self.rcpt(80), *self.mail, *self.rcpt(21))
        assert not self.trips(*self.rcpt(80), *self.mail, *self.rcpt(100))

    def test_recipients_behind_an_unanswered_rset_count_for_both(self):
        pipelined = client(b"RSET\r\n" + b"MAIL FROM:<a@b>\r\n" + b"RCPT TO:<a@b>\r\n" * 40)
        answered = [server(b"250 ok\r\n") for _ in range(42)]
        assert not self.trips(*self.mail, *self.rcpt(60), pipelined, *answered, *self.rcpt(60))
        assert self.trips(*self.mail, *self.rcpt(60), pipelined, *answered, *self.rcpt(61))
        without_mail = client(b"RSET\r\n" + b"RCPT TO:<a@b>\r\n" * 40)
        assert self.trips(*self.mail, *self.rcpt(60), without_mail, *answered[1:], *self.rcpt(61))


class TestTls:
    tls = InspectMap("m", Parameters(allow_tls=True, allow_tls_log=True), DEFAULT_MAP.matches)
    started = (*GREETED, client(b"EHLO a\r\n"), server(b"250-mx\r\n250 STARTTLS\r\n"), client(b"STARTTLS\r\n"))

    def test_both_sides_begin(self):
        script = (
            *self.started,
            server(b"220 go\r\n"),
            payload(b"\x16\x03\x01..."),
            server(b"\x16\x03\x03..."),
            payload(b"TURN\r\n"),
        )
        outcome = everyhow(*script, inspect_map=self.tls)
        assert outcome.ended == "bypass, log True"
        assert outcome.server.endswith(b"250 STARTTLS\r\n220 go\r\n\x16\x03\x03...")
        assert outcome.client.endswith(b"STARTTLS\r\n\x16\x03\x01...TURN\r\n")

    def test_one_side_alone_has_not_begun(self):
        script = (*self.started, server(b"220 go\r\n"), payload(b"\x16\x03\x01..."), server(b"250 injected\r\n"))
        outcome = everyhow(*script, inspect_map=self.tls)
        assert outcome.ended == "DropConnection: allow-tls: no TLS record behind STARTTLS"
        assert outcome.server.endswith(b"220 go\r\n")

    def test_an_alert_is_an_answer(self):
        script = (*self.started, server(b"220 go\r\n"), payload(b"\x16\x03\x01"), server(b"\x15\x03\x03"))
        assert everyhow(*script, inspect_map=self.tls).ended == "bypass, log True"

    @pytest.mark.parametrize(
        "text", [payload(b"MAIL FROM:<a@b>\r\n"), server(b"250 x\r\n"), payload(b"\x16\x02"), payload(b"\x15\x03")]
    )
    def test_anything_else_closes(self, text):
        script = (*self.started, server(b"220 go\r\n"), text)
        assert (
            everyhow(*script, inspect_map=self.tls).ended == "DropConnection: allow-tls: no TLS record behind STARTTLS"
        )

    def test_an_injected_reply_in_the_same_segment(self):
        script = (*self.started, server(b"220 go\r\n250 x\r\n"))
        assert (
            everyhow(*script, inspect_map=self.tls).ended == "DropConnection: allow-tls: no TLS record behind STARTTLS"
        )

    def test_an_injected_command_in_the_same_segment(self):
        script = (*self.started, payload(b"RSET\r\n"), server(b"220 go\r\n"))
        assert everyhow(*script, inspect_map=self.tls).ended == "DropConnection: early-data: STARTTLS"

    def test_refused_the_session_goes_on_inspected(self):
        outcome = everyhow(*self.started, server(b"454 no\r\n"), client(b"TURN\r\n"), inspect_map=self.tls)
        assert outcome.client.endswith(b"STARTTLS\r\nXXXX\r\n")

    @pytest.mark.parametrize("line", [b"STARTTLS x", b"starttls"])
    def test_the_verb_is_whole_at_its_eight_letters(self, line):
        outcome = everyhow(*self.started[:-1], client(line + b"\r\n"), inspect_map=self.tls)
        assert outcome.client.endswith(line + b"\r\n")
        near = play(whole(*self.started[:-1], client(b"STARTTLSX\r\n")), self.tls)
        assert near.client.endswith(b"XXXXXXXXX\r\n")
