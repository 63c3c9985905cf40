"""Every criterion of an inspect map at N-1, N and N+1, cut every way, straight and with `not` (asa.md §2.3, §2.4)."""

from __future__ import annotations

import pytest

from appliance.esmtp.grammar import READ
from appliance.policy.counters import Slot
from appliance.policy.maps import (
    Deed,
    Expression,
    MailRelay,
    Match,
    Reaction,
)
from tests.criteria import CLOSE, DATA, LIMIT, LOG, MAIL, MASK, MEASURED, RCPT, RESET, part, under
from tests.playbook import GREETED, HELLO, Outcome, Sent, accepted, client, everyhow, payload, play, server, whole


@pytest.mark.parametrize("key", MEASURED)
@pytest.mark.parametrize("more", [-1, 0, 1])
class TestLimits:
    """Strictly greater than: N passes, N+1 does not; with `not` the other way round."""

    def outcome(self, key: str, more: int, reaction: Reaction, negated: bool = False) -> Outcome:
        match = Match(key, reaction, limit=LIMIT, negated=negated)
        return everyhow(*MEASURED[key](LIMIT + more), inspect_map=under(match))

    def test_closing(self, key: str, more: int) -> None:
        outcome = self.outcome(key, more, CLOSE)
        assert outcome.ended.startswith("DropConnection: matched Class 1: ") is (more > 0)
        assert outcome.matched(1) == (more > 0)

    def test_logging(self, key: str, more: int) -> None:
        outcome = self.outcome(key, more, LOG)
        assert outcome.ended == ""
        assert len(outcome.said) == outcome.matched(1) == (more > 0)

    def test_not(self, key: str, more: int) -> None:
        outcome = self.outcome(key, more, LOG, negated=True)
        assert outcome.ended == ""
        kept = [each for each in outcome.said if each.startswith("matched Class 1: not ")]
        # of commands and their senders there are several in the script, and all the others are short
        others = {"cmd-line-length": 1}.get(key, 0)
        assert len(kept) == outcome.matched(1) == others + (more <= 0)

    def test_not_closing(self, key: str, more: int) -> None:
        if key == "cmd-line-length":
            return  # the first command of the script is short
        outcome = self.outcome(key, more, RESET, negated=True)
        assert outcome.ended.startswith("ResetConnection: matched Class 1: not ") is (more <= 0)


class TestNot:
    def test_each_message_is_judged_by_itself(self) -> None:
        match = Match("body-line-length", LOG, limit=5, negated=True)
        long, short = b"\r\n123456\r\n.\r\n", b"\r\n12345\r\n.\r\n"
        script = [each for text in (long, short, long, short) for each in (*DATA, payload(text), server(b"250 ok\r\n"))]
        outcome = everyhow(*HELLO, *script, inspect_map=under(match))
        assert outcome.said == ["matched Class 1: not body line length gt 5"] * 2

    def test_each_sender_is_judged_by_itself(self) -> None:
        match = Match("sender-address-length", LOG, limit=3, negated=True)
        outcome = everyhow(*HELLO, *accepted(b"MAIL FROM:<a@bc>\r\n", b"MAIL FROM:<a@b>\r\n"), inspect_map=under(match))
        assert outcome.matched(1) == 1

    @pytest.mark.parametrize(
        ("key", "script"),
        [
            ("cmd-line-length", (*GREETED, client(b"NOOP 789012\r\n"))),
            ("sender-address-length", (*GREETED, client(b"MAIL FROM:<123456789@b>\r\n"))),
            ("cmd-rcpt-count", MEASURED["cmd-rcpt-count"](12)),
        ],
    )
    def test_of_two_limits_only_the_one_that_was_kept(self, key: str, script: tuple[Sent, ...]) -> None:
        lines = [Match(key, LOG, limit=limit, negated=True) for limit in (10, 13)]
        outcome = everyhow(*script, inspect_map=under(*lines))
        assert (outcome.matched(1), outcome.matched(2)) == (0, 1)


class TestVerbs:
    def lines(self, verb: bytes) -> tuple[Sent, ...]:
        return (*HELLO, client(verb + b"\r\n"), server(b"250 ok\r\n"), *accepted(b"RSET\r\n"))

    @pytest.mark.parametrize("reaction", [CLOSE, RESET])
    @pytest.mark.parametrize(("verb", "met"), [(b"VRFY a", True), (b"noop", True), (b"HELP", False)])
    def test_closing(self, reaction: Reaction, verb: bytes, met: bool) -> None:
        match = Match("cmd-verb", reaction, words=("NOOP", "VRFY"))
        outcome = everyhow(*self.lines(verb), inspect_map=under(match))
        assert outcome.ended.endswith(": matched Class 1: cmd verb NOOP VRFY") is met
        assert outcome.matched(1) == met

    def test_not(self) -> None:
        match = Match("cmd-verb", LOG, words=("EHLO", "RSET"), negated=True)
        outcome = everyhow(*self.lines(b"VRFY a"), inspect_map=under(match))
        assert outcome.said == ["matched Class 1: not cmd verb EHLO RSET"]

    @pytest.mark.parametrize("verb", [b"NOOP", b"noop x y", b"VRFY |<a>\x00"])
    def test_mask(self, verb: bytes) -> None:
        """The line goes on as an unsupported one's does (row 3), whatever stands in it."""
        match = Match("cmd-verb", MASK, words=("NOOP", "VRFY"))
        outcome = everyhow(*self.lines(verb), inspect_map=under(match))
        assert outcome.client.endswith(b"\r\n" + b"X" * len(verb) + b"\r\nRSET\r\n")
        assert outcome.said == ["masked: matched Class 1: cmd verb NOOP VRFY"]
        assert outcome.matched(1) == 1
        assert outcome.ended == ""

    def test_a_masked_verb_cut_by_the_end_of_a_batch(self) -> None:
        match = Match("cmd-verb", Reaction(Deed.MASK), words=("NOOP",))
        for at in range(1, 7):
            batch = b"RSET\r\nNOOP\r\n"
            outcome = play(whole(*HELLO, client(batch[: 6 + at]), client(batch[6 + at :])), under(match))
            passed = outcome.client.removeprefix(b"EHLO a.example\r\nRSET\r\n")
            assert passed == b"NOO"[: at if at < 4 else 0] + b"X" * (4 - (at if at < 4 else 0)) + b"\r\n"

    @pytest.mark.parametrize(("verb", "reply"), [(b"DATA", b"354 go\r\n"), (b"AUTH PLAIN", b"334 \r\n")])
    def test_a_masked_verb_licenses_nothing(self, verb: bytes, reply: bytes) -> None:
        match = Match("cmd-verb", Reaction(Deed.MASK), words=("DATA", "AUTH"))
        outcome = everyhow(*HELLO, client(verb + b"\r\n"), server(reply), inspect_map=under(match))
        assert outcome.ended.startswith("DropConnection: server-transition: ")

    def test_a_closing_line_before_a_masking_one(self) -> None:
        lines = (Match("cmd-verb", CLOSE, words=("NOOP",)), Match("cmd-verb", MASK, words=("NOOP", "HELP")))
        outcome = everyhow(*self.lines(b"NOOP"), inspect_map=under(*lines))
        assert outcome.ended == "DropConnection: matched Class 1: cmd verb NOOP"
        outcome = everyhow(*self.lines(b"NOOP"), inspect_map=under(*reversed(lines)))
        assert outcome.said == ["masked: matched Class 1: cmd verb NOOP HELP"]
        assert outcome.ended == "DropConnection: matched Class 2: cmd verb NOOP"


class TestSenders:
    spam = Expression("spam", patterns=(r"@spam\.example", "^offers"))

    @pytest.mark.parametrize(
        ("command", "met"),
        [
            (b"MAIL FROM:<a@spam.example>", True),
            (b"MAIL FROM: <a@spam.example.org> SIZE=5", True),
            (b"mail from:<offers@example.com>", True),
            (b"SAML FROM:<a@spam.example>", True),
            (b"MAIL FROM:<a@spamXexample>", False),
            (b"MAIL FROM:<myoffers@example.com>", False),
            (b"MAIL FROM<a@spam.example>", True),
            (b"MAIL FROM a@spam.example", True),
            (b"MAIL a@spam.example", True),
            (b"MAIL FROM:<a@ spam . example>", True),
            (b"MAIL FROM:a @spam.example", True),
            (b"MAIL FROM:(x) a(y)@spam(z).example SIZE=5", True),
            (b'MAIL FROM:<"offers"@example.com>', True),
            (b"MAIL FROM:<@relay.example:offers@example.com>", True),
            (b"MAIL FROM:<>", False),
            (b"RCPT TO:<a@spam.example>", False),
            (b"VRFY a@spam.example", False),
        ],
    )
    def test_regex(self, command: bytes, met: bool) -> None:
        match = Match("sender-address", CLOSE, expression=self.spam)
        outcome = everyhow(*HELLO, client(command + b"\r\n"), inspect_map=under(match))
        assert outcome.ended == ("DropConnection: matched Class 1: sender-address regex spam" if met else "")

    @pytest.mark.parametrize(
        ("command", "met"),
        [(b"MAIL FROM:<a@spam.example>", 0), (b"MAIL FROM:<>", 1), (b"MAIL FROM:<a@b>", 1), (b"RCPT TO:<a@b>", 0)],
    )
    def test_not(self, command: bytes, met: int) -> None:
        match = Match("sender-address", LOG, expression=self.spam, negated=True)
        outcome = everyhow(*HELLO, client(command + b"\r\n"), inspect_map=under(match))
        assert outcome.said == ["matched Class 1: not sender-address regex spam"] * met

    @pytest.mark.parametrize("octets", [1024, READ - 1, READ])
    @pytest.mark.parametrize("negated", [False, True])
    def test_of_a_long_address_every_octet_is_searched_and_a_longer_one_is_always_met(
        self, octets: int, negated: bool
    ) -> None:
        match = Match("sender-address", LOG, expression=Expression("end", patterns=("b@c",)), negated=negated)
        for address, met in ((b"a" * (octets - 3) + b"b@c", not negated), (b"a" * octets, negated)):
            for line in (b"MAIL FROM:<%b>\r\n", b"MAIL FROM: <%b>\r\n", b"MAIL FROM:%b\r\n"):
                outcome = play(whole(*HELLO, client(line % address)), under(match))
                assert outcome.matched(1) == met
        for line in (b"MAIL FROM:<%b>\r\n", b"MAIL FROM: <%b>\r\n", b"MAIL FROM:%b\r\n", b"MAIL FROM<%b>\r\n"):
            outcome = play(whole(*HELLO, client(line % (b"a" * (READ + 1)))), under(match))
            assert outcome.matched(1) == 1

    def test_a_route_cut_short_leads_anywhere(self) -> None:
        relay = under(mail_relay=MailRelay("b", CLOSE))
        for octets, closed in ((READ, False), (READ + 1, True)):
            path = b"@b," * ((octets - 5) // 3) + b"@b:" + b"x" * ((octets - 5) % 3) + b"@b"
            assert len(path) == octets
            for line in (b"RCPT TO:<%b>\r\n", b"RCPT TO: <%b>\r\n"):
                assert bool(play(whole(*HELLO, client(line % path)), relay).ended) is closed

    @pytest.mark.parametrize("line", [b"MAIL FROM<%b>\r\n", b"MAIL FROM %b\r\n", b"MAIL %b SIZE=5\r\n"])
    def test_an_address_without_a_colon_has_a_length_too(self, line: bytes) -> None:
        match = Match("sender-address-length", CLOSE, limit=9)
        for octets in (9, 10):
            outcome = everyhow(*HELLO, client(line % (b"@" * octets)), inspect_map=under(match))
            assert bool(outcome.ended) is (octets > 9)

    def test_a_regex_nothing_defines_matches_nothing(self) -> None:
        match = Match("sender-address", CLOSE, expression=Expression("none", of_class=True))
        assert everyhow(*HELLO, client(b"MAIL FROM:<a@b>\r\n"), inspect_map=under(match)).ended == ""


class TestMime:
    exe = Expression("exe", patterns=("^(exe|com|scr)", "msdownload"))

    @pytest.mark.parametrize(
        ("fields", "met"),
        [
            ((b"Content-Type: application/octet-stream; name=a.exe",), True),
            ((b'Content-Disposition: attachment; filename="a.b.scr. "',), True),
            ((b"Content-Disposition: attachment; filename*=utf-8''evil%2Eexe",), True),
            ((b"Content-Disposition: attachment; filename==?utf-8?B?ZXZpbC5leGU=?=",), True),
            ((b"Content-Type: Application/X-MSDownload",), True),
            ((b"Content-Type: text/plain; name=exe.txt",), False),
            ((b"Content-Type: text/plain; name=exe",), False),
            ((b"Content-Type: text/plain",), False),
        ],
    )
    def test_filetype(self, fields: tuple[bytes, ...], met: bool) -> None:
        match = Match("mime-filetype", CLOSE, expression=self.exe)
        outcome = everyhow(*part(*fields), inspect_map=under(match))
        assert outcome.ended == ("DropConnection: matched Class 1: MIME filetype regex exe" if met else "")

    @pytest.mark.parametrize("encoding", [b"7bit", b"8BIT", b"base64", b"binary", b"quoted-printable"])
    def test_encoding(self, encoding: bytes) -> None:
        word = encoding.decode().lower()
        field = b"Content-Transfer-Encoding: " + encoding
        for words, met in (((word,), True), (("others",), False)):
            for negated in (False, True):
                match = Match("mime-encoding", LOG, words=words, negated=negated)
                outcome = everyhow(*part(field), inspect_map=under(match))
                assert (outcome.matched(1) == 1) is (met is not negated)

    def test_other_encodings(self) -> None:
        match = Match("mime-encoding", CLOSE, words=("binary", "others"))
        outcome = everyhow(*part(b"Content-Transfer-Encoding: x-uuencode"), inspect_map=under(match))
        assert outcome.ended == "DropConnection: matched Class 1: MIME encoding binary others"


class TestParameters:
    relay = MailRelay("Example.net", CLOSE)

    @pytest.mark.parametrize(
        ("path", "refused"),
        [
            (b"<b@example.net>", False),
            (b"<b@EXAMPLE.NET>", False),
            (b"<b@example.net.>", False),  # the same domain, named from the root (RFC 1034 3.1)
            (b"<b@example.net..>", True),
            (b"<b@.>", True),
            (b"<postmaster>", False),
            (b"<>", False),
            (b"<@example.net:b@example.net>", False),
            (b"<b%example.net@example.net>", False),
            (b"<@relay.example,@x:b@example.net>", True),
            (b"<@evil@evil.example>", True),
            (b"<@example.net@evil.example>", True),
            (b"<@example.net:postmaster@evil.example>", True),
            (b"<b>", True),
            (b"<b@>", True),
            (b"<b%evil.example@example.net>", True),
            (b"<evil.example!b@example.net>", True),
            (b'<"b@evil.example"@example.net>', True),
            (b"postmaster @evil.example", True),
            (b"b@example.net ORCPT=rfc822;b@evil.example", False),
            (b"<b@sub.example.net>", True),
            (b"<b@example.org>", True),
            (b"<b@[192.0.2.1]>", True),
            (b'<"b@example.net"@example.org>', True),
            (b"<@example.net:b@example.org>", True),
        ],
    )
    def test_mail_relay(self, path: bytes, refused: bool) -> None:
        script = (*HELLO, *accepted(MAIL), client(b"RCPT TO:" + path + b"\r\n"))
        outcome = everyhow(*script, inspect_map=under(mail_relay=self.relay))
        assert outcome.ended == ("DropConnection: mail-relay: No Mail Relay allowed" if refused else "")
        outcome = everyhow(*script, inspect_map=under(mail_relay=MailRelay("example.net", LOG)))
        assert outcome.said == ["mail-relay: No Mail Relay allowed"] * refused
        assert outcome.count(Slot.MAIL_RELAY) == refused

    @pytest.mark.parametrize("command", [b"MAIL FROM:<a`b@c>", b"RCPT TO:<a\x00b@c>", b"SEND FROM:<a@`>"])
    def test_special_character(self, command: bytes) -> None:
        said = "special-character: Special Character in mail address not allowed"
        closed = everyhow(*HELLO, client(command + b"\r\n"), inspect_map=under(special_character=CLOSE))
        assert closed.ended == f"DropConnection: {said}"
        assert closed.count(Slot.SPECIAL_CHARACTER) == 1
        logged = everyhow(*HELLO, client(command + b"\r\n"), inspect_map=under(special_character=LOG))
        assert logged.said.count(said) == logged.count(Slot.SPECIAL_CHARACTER) == 1
        assert logged.ended == ""
        silent = everyhow(*HELLO, client(command + b"\r\n"), inspect_map=under())
        assert said not in silent.said

    @pytest.mark.parametrize("special", [None, LOG, CLOSE])
    def test_a_pipe_closes_with_it_or_without(self, special: Reaction | None) -> None:
        script = whole(*HELLO, client(b"RCPT TO:<|prog@b>\r\n"))
        assert play(script, under(special_character=special)).ended.startswith("malicious address")

    @pytest.mark.parametrize(("octets", "violated"), [(99, False), (100, False), (101, True)])
    def test_size(self, octets: int, violated: bool) -> None:
        text = b"a: b\r\n\r\n..\r\n" + b"x" * (octets - 13) + b"\r\n"  # 1 octet of it is stuffing
        script = (*HELLO, *accepted(b"MAIL FROM:<a@b> BODY=7BIT size=100\r\n", RCPT), *DATA, payload(text + b".\r\n"))
        outcome = everyhow(*script, inspect_map=under())
        assert outcome.said == [f"size {octets}, declared 100"] * violated
        assert outcome.ended == ""
        assert outcome.count(Slot.SIZE_VIOLATION) == violated


class TestOrder:
    def test_log_lines_let_evaluation_go_on_and_a_closing_one_ends_it(self) -> None:
        """Lines of one row in the map's order, rows in the table's."""
        lines = (
            Match("sender-address", LOG, expression=Expression("any", patterns=(".",))),
            Match("sender-address-length", Reaction(Deed.RESET, log=True), limit=4),
            Match("sender-address-length", LOG, limit=3),
            Match("cmd-verb", LOG, words=("MAIL",)),
        )
        outcome = everyhow(*HELLO, client(b"MAIL FROM:<a@bcd>\r\n"), inspect_map=under(*lines))
        assert outcome.said == ["matched Class 4: cmd verb MAIL", "matched Class 3: sender-address length gt 3"]
        assert outcome.ended == "ResetConnection: matched Class 2: sender-address length gt 4"

    def test_one_limit_in_two_lines(self) -> None:
        """The same octet: the row's lines in the map's order, and behind the closing one nothing."""
        lines = (
            Match("cmd-line-length", LOG, limit=10),
            Match("cmd-line-length", LOG, limit=10, negated=True),
            Match("cmd-line-length", CLOSE, limit=20),
        )
        assert (
            everyhow(*GREETED, client(b"NOOP 78901\r\n"), inspect_map=under(*lines))
            .said[-1]
            .endswith("not cmd line length gt 10")
        )
        outcome = everyhow(*GREETED, client(b"NOOP 7890123456789012\r\n"), inspect_map=under(*lines))
        assert outcome.said == ["matched Class 1: cmd line length gt 10"]
        assert outcome.ended == "DropConnection: matched Class 3: cmd line length gt 20"
