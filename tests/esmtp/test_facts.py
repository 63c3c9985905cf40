"""The facts a rule has to ask for, and the ones that come of the order of commands and replies, in every cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.esmtp.events import (
    Command,
    EhloParameter,
    Exceeded,
    Kept,
    MessageBegun,
    MessageEnded,
    MimeFile,
    Odd,
    Oddity,
    Quantity,
    Recipient,
    Sender,
    SizeViolation,
    Special,
    Unsupported,
)
from appliance.esmtp.grammar import READ
from appliance.esmtp.meters import SizeMeter
from appliance.esmtp.session import OPTIONAL, Session, Settings
from appliance.esmtp.states import Phase
from appliance.flow import Side
from tests.playbook import GREETED, HELLO, IN_MESSAGE, Cut, accepted, client, cuts, payload, server

ALL = Settings(wanted=OPTIONAL)


def facts_of(cut: Cut, settings: Settings):
    """All facts of a session, in order."""
    session, offsets, facts = Session(settings), dict.fromkeys(Side, 0), []
    for side, octets in cut:
        facts += session.feed(side, offsets[side], octets)
        offsets[side] += len(octets)
    return session, facts


def stated(*script, of, settings=ALL):
    """The facts of the types `of`, which are the same for every way of cutting `script`."""
    ways = [[fact for fact in facts_of(way, settings)[1] if isinstance(fact, of)] for way in cuts(list(script))]
    assert all(way == ways[0] for way in ways)
    return ways[0]


def limits(quantity, *of):
    return Settings({quantity: of})


def exceeded(*script, settings):
    """The limits that were passed, with the octets of its side that came before."""
    return [(fact.limit, fact.offset) for fact in stated(*script, of=Exceeded, settings=settings)]


def sent_before(*script):
    """How many octets the client has sent."""
    return sum(len(each.octets) for each in script if each.side is Side.CLIENT)


BEFORE_MESSAGE = sent_before(*IN_MESSAGE)


class TestOrder:
    """Commands and replies: what the client's next octet is (rows 7, 7a, 12)."""

    def phase(self, *script):
        phases = {facts_of(way, ALL)[0].phase for way in cuts([*HELLO, *script])}
        assert len(phases) == 1
        return phases.pop()

    @pytest.mark.parametrize("code", [150, 211, 250, 251, 350, 355, 421, 450, 503, 554])
    def test_data_is_answered_by_354_or_it_is_over(self, code):
        assert self.phase(client(b"DATA\r\n"), server(b"%d no\r\n" % code)) is Phase.COMMAND
        assert self.phase(client(b"DATA\r\n"), server(b"%d-no\r\n%d no\r\n" % (code, code))) is Phase.COMMAND

    def test_a_354_of_many_lines(self):
        assert self.phase(client(b"DATA\r\n"), server(b"354-go\r\n354-on\r\n")) is Phase.WAITING
        assert self.phase(client(b"DATA\r\n"), server(b"354-go\r\n354-on\r\n354 now\r\n")) is Phase.MESSAGE

    @pytest.mark.parametrize("reply", [b"235 in\r\n", b"535 no\r\n", b"454 later\r\n", b"501 bad\r\n", b"534 weak\r\n"])
    def test_auth_with_an_initial_response(self, reply):
        assert self.phase(client(b"AUTH PLAIN AGEAYg==\r\n")) is Phase.WAITING
        assert self.phase(client(b"AUTH PLAIN AGEAYg==\r\n"), server(reply)) is Phase.COMMAND

    @pytest.mark.parametrize("reply", [b"235 in\r\n", b"535 no\r\n", b"501 cancelled\r\n"])
    @pytest.mark.parametrize("line", [b"AGEAYg==\r\n", b"*\r\n", b"\r\n", b"=\r\n"])
    def test_an_exchange_of_any_length_ends_with_any_other_reply(self, line, reply):
        challenged = [server(b"334 x\r\n"), payload(line)] * 3
        assert self.phase(client(b"AUTH LOGIN\r\n"), *challenged) is Phase.WAITING
        assert self.phase(client(b"AUTH LOGIN\r\n"), *challenged, server(b"334-x\r\n334 y\r\n")) is Phase.SASL
        assert self.phase(client(b"AUTH LOGIN\r\n"), *challenged, server(reply)) is Phase.COMMAND

    @pytest.mark.parametrize(
        ("command", "reply"),
        [
            (b"HELP\r\n", b"".join(b"214-%d for this try that\r\n" % each for each in range(30)) + b"214 end\r\n"),
            (b"HELP\r\n", b"211 see the manual\r\n"),
            (b"ETRN #q\r\n", b"250 queued\r\n"),
            (b"ETRN a.example\r\n", b"253 7 messages\r\n"),
            (b"ETRN a.example\r\n", b"458 not now\r\n"),
            (b"VRFY a\r\n", b"252 will try\r\n"),
            (b"VRFY a\r\n", b"553-which\r\n553-this\r\n553 that\r\n"),
            (b"SEND FROM:<a@b>\r\n", b"502 no\r\n"),
            (b"SOML FROM:<a@b>\r\n", b"250 ok\r\n"),
            (b"SAML FROM:<a@b>\r\n", b"250 ok\r\n"),
            (b"RSET\r\n", b"250\r\n"),
            (b"\r\n", b"500 what\r\n"),
            (b"TURN\r\n", b"502-no\r\n502 never\r\n"),
        ],
    )
    def test_one_reply_for_each_command(self, command, reply):
        script = (*HELLO, client(command), server(reply), client(b"DATA\r\n"), server(b"354 go\r\n"))
        assert stated(*script, of=(Odd, MessageBegun))[-1:] == [MessageBegun(sent_before(*script))]
        assert not [fact for fact in stated(*script, of=Odd) if fact.oddity is Oddity.UNEXPECTED_REPLY]

    def test_a_second_reply_to_one_command_is_nobodys(self):
        script = (*HELLO, client(b"NOOP\r\n"), server(b"250 ok\r\n250 again\r\n"))
        assert [fact.oddity for fact in stated(*script, of=Odd)] == [Oddity.UNEXPECTED_REPLY]


class TestPaths:
    def test_who_sends_and_who_receives(self):
        script = (*HELLO, client(b"MAIL FROM:<a@b>\r\nRCPT TO:<@x:c@D>\r\nRCPT TO:<Postmaster>\r\n"))
        at = sent_before(*HELLO)
        assert stated(*script, of=(Sender, Recipient)) == [
            Sender(b"a@b", b"a@b", True, at + 14),
            Recipient(b"@x:c@D", (b"x", b"D"), at + 17 + 15),
            Recipient(b"Postmaster", (), at + 17 + 18 + 19),
        ]

    @pytest.mark.parametrize("line", [b"MAIL FROM:<%b>\r\n", b"MAIL FROM:%b\r\n"])
    def test_a_path_is_bounded(self, line):
        _, facts = facts_of([(Side.CLIENT, line % (b"a" * 5000))], ALL)
        assert [(len(fact.address), fact.whole) for fact in facts if isinstance(fact, Sender)] == [(READ, False)]

    @pytest.mark.parametrize(
        ("line", "octets"),
        [(b"MAIL FROM:<a`b`c>", [0x60]), (b"RCPT TO:<a\x00b`>", [0]), (b"MAIL FROM:<a> X=`", [0x60]), (b"NOOP `", [])],
    )
    def test_special_characters_once_a_line(self, line, octets):
        assert [fact.octet for fact in stated(*HELLO, client(line + b"\r\n"), of=Special)] == octets


class TestCrossedVerbs:
    crossed = Settings(crossed=frozenset({"VRFY", "DATA", "RCPT"}), limits={Quantity.RECIPIENTS: (1,)})

    def test_its_line_is_masked_and_its_verb_stated(self):
        lines = [b"VRFY a\r\n", b"vrfy\r\n", b"VRFYX\r\n"]
        script = (*HELLO, client(b"".join(lines)))
        assert [fact.verb for fact in stated(*script, of=Command, settings=self.crossed)] == ["EHLO", "VRFY", "VRFY"]
        for way in cuts(list(script)):
            spans = [fact for fact in facts_of(way, self.crossed)[1] if isinstance(fact, Unsupported)]
            masked = {at for fact in spans for at in range(fact.offset, fact.offset + fact.length)}
            start = sent_before(*HELLO)
            for line in lines:
                passed = len(set(range(start, start + len(line) - 2)) - masked)
                assert passed < 4  # as far as the verb had come in a segment that held more (row 4)
                assert masked >= set(range(start + passed, start + len(line) - 2))
                start += len(line)

    def test_behind_it_the_client_must_wait_all_the_same(self):
        session, _ = facts_of([(s.side, s.octets) for s in (*HELLO, client(b"DATA\r\n"))], self.crossed)
        assert session.phase is Phase.WAITING

    def test_a_recipient_the_server_never_sees_does_not_count(self):
        assert exceeded(*HELLO, client(b"RCPT TO:<a>\r\n" * 3), settings=self.crossed) == []


class TestCounts:
    def test_eighty_recipients_a_refused_mail_and_seventy_more(self):
        rcpt, refused = accepted(b"RCPT TO:<a@b>\r\n"), [client(b"MAIL FROM:<c@d>\r\n"), server(b"503 no\r\n")]
        script = [*HELLO, *accepted(b"MAIL FROM:<a@b>\r\n"), *rcpt * 80, *refused, *rcpt * 70]
        hundred = [*HELLO, *accepted(b"MAIL FROM:<a@b>\r\n"), *rcpt * 80, *refused, *rcpt * 20]
        whole = [(each.side, each.octets) for each in script]
        facts = [fact for fact in facts_of(whole, limits(Quantity.RECIPIENTS, 100))[1] if isinstance(fact, Exceeded)]
        assert facts == [Exceeded(Quantity.RECIPIENTS, 100, sent_before(*hundred) + 4)]

    @pytest.mark.parametrize(
        ("replies", "passed"),
        [
            ([b"550 no\r\n"] * 3, [2]),
            ([b"450 no\r\n", b"250 ok\r\n", b"550-no\r\n550 no\r\n", b"251 ok\r\n", b"552 full\r\n"], [2]),
            ([b"550 no\r\n", b"550 no\r\n", b"250 ok\r\n"], []),
        ],
    )
    def test_refused_recipients(self, replies, passed):
        rcpt = [each for reply in replies for each in (client(b"RCPT TO:<a@b>\r\n"), server(reply))]
        begin = (*HELLO, *accepted(b"MAIL FROM:<a@b>\r\n"))
        two = limits(Quantity.INVALID_RECIPIENTS, 2)
        assert [limit for limit, _ in exceeded(*begin, *rcpt, settings=two)] == passed
        again = (*begin, *rcpt[:4], *accepted(b"RSET\r\n", b"MAIL FROM:<a@b>\r\n"), *rcpt[:4])
        assert exceeded(*again, settings=two) == []

    def test_of_pipelined_recipients_each_reply_counts_for_its_own_transaction(self):
        batch = client(b"RCPT TO:<a>\r\nRSET\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\n")
        replies = server(b"550 no\r\n250 ok\r\n250 ok\r\n550 no\r\n")
        one = limits(Quantity.INVALID_RECIPIENTS, 1)
        assert exceeded(*HELLO, *accepted(b"MAIL FROM:<a@b>\r\n"), batch, replies, settings=one) == []
        assert len(exceeded(*HELLO, client(b"RCPT TO:<a>\r\n" * 2), server(b"550 no\r\n" * 2), settings=one)) == 1


class TestKept:
    def kept(self, quantity, *script, of):
        settings = Settings({quantity: of}, kept=frozenset({quantity}))
        return [(fact.limit, fact.offset) for fact in stated(*script, of=Kept, settings=settings)]

    def test_command_lines(self):
        found = self.kept(Quantity.COMMAND_LINE, *GREETED, client(b"NOOP\r\nNOOP 6\r\nRCPT TO:<a|\r\n"), of=(4, 5, 6))
        assert found[:4] == [(4, 5), (5, 5), (6, 5), (6, 13)]
        assert self.kept(Quantity.COMMAND_LINE, *GREETED, client(b"TURN\r\n\r\n"), of=(3,)) == [(3, 7)]

    def test_recipients(self):
        assert [limit for limit, _ in self.kept(Quantity.RECIPIENTS, *IN_MESSAGE, of=(1, 2))] == [1, 2]
        assert [limit for limit, _ in self.kept(Quantity.INVALID_RECIPIENTS, *IN_MESSAGE, of=(1,))] == [1]

    def test_nobody_asks(self):
        assert stated(*IN_MESSAGE, of=Kept, settings=limits(Quantity.COMMAND_LINE, 512)) == []


class TestSizes:
    """What a message has of octets: N - 1, N, N + 1."""

    @pytest.mark.parametrize(
        ("text", "header", "body"),
        [
            (b"", 0, 0),
            (b"\r\n", 2, 0),
            (b"a: b\r\n", 6, 0),
            (b"a: b\r\n\r\n", 8, 0),
            (b"a: b\r\n\r\nbody\r\n", 8, 6),
            (b"a: b\r\n c\r\n\r\n\r\n\r\n", 12, 4),
            (b"..a: b\r\n\r\n..\r\n...\r\n..x\r\n", 9, 11),
            (b".a\r\n\r\n.b\r\n", 5, 3),  # dots nobody stuffed
            (b"\r\n" + b"..\r\n" * 20 + b"x" * 30 + b"\r\n", 2, 92),
        ],
    )
    def test_octets(self, text, header, body):
        script = (*IN_MESSAGE, payload(text + b".\r\n"))
        for quantity, octets in ((Quantity.HEADER, header), (Quantity.BODY, body)):
            passed = [limit for limit, _ in exceeded(*script, settings=Settings({quantity: (octets,)}))]
            assert passed == []
            if octets:
                [(_, offset)] = exceeded(*script, settings=Settings({quantity: (octets - 1,)}))
                assert (text + b".\r\n")[offset - BEFORE_MESSAGE] == 0x0A  # its last octet

    def test_the_octet_that_is_too_many(self):
        script = (*IN_MESSAGE, payload(b"a: b\r\n\r\n0\r\n..45\r\n.\r\n"))
        assert exceeded(*script, settings=limits(Quantity.BODY, 3, 4, 5)) == [
            (limit, BEFORE_MESSAGE + offset) for limit, offset in ((3, 12), (4, 13), (5, 14))
        ]

    @pytest.mark.parametrize(("more", "violated"), [(-1, False), (0, False), (1, True)])
    @pytest.mark.parametrize("text", [b"a: b\r\n\r\nx\r\n", b"..a\r\n\r\n...\r\n", b"\r\n", b"a\r\n"])
    def test_against_what_was_declared(self, text, more, violated):
        actual = len((b"\r\n" + text).replace(b"\r\n.", b"\r\n")) - 2
        declared = actual - more
        mail = accepted(b"MAIL FROM:<a@b> SIZE=%d\r\n" % declared)
        script = (*HELLO, *mail, client(b"DATA\r\n"), server(b"354 go\r\n"), payload(text + b".\r\n"))
        found = [SizeViolation(declared, actual, sent_before(*script))] * violated
        assert stated(*script, of=SizeViolation) == found
        assert [type(fact) for fact in stated(*script, of=(SizeViolation, MessageEnded))][-1] is MessageEnded

    @pytest.mark.parametrize(
        ("commands", "violated"),
        [
            ([b"MAIL FROM:<a> SIZE=1\r\n"], True),
            ([b"MAIL FROM:a SIZE=1\r\n"], True),
            ([b"MAIL FROM:<a>> SIZE=1\r\n"], True),
            ([b"MAIL FROM:<a> SIZE=1\r\n", b"RSET\r\n", b"MAIL FROM:<a>\r\n"], False),
            ([b"MAIL FROM:<a> SIZE=1\r\n", b"EHLO b\r\n"], False),
            ([b"MAIL FROM:<a> SIZE=1\r\n", b"MAIL FROM:<a> SIZE=99\r\n"], True),  # inside a transaction: refused
            ([b"MAIL FROM:<a>\r\n", b"MAIL FROM:<a> SIZE=1\r\n"], False),
            ([b"RCPT TO:<a> SIZE=1\r\n"], False),
        ],
    )
    def test_what_a_refused_or_forgotten_mail_declared_counts_no_more(self, commands, violated):
        data = (client(b"DATA\r\n"), server(b"354 go\r\n"), payload(b"a: b\r\n\r\n.\r\n"), server(b"250 ok\r\n"))
        assert len(stated(*HELLO, *accepted(*commands), *data, of=SizeViolation)) == violated
        again = (*data, *accepted(b"MAIL FROM:<a>\r\n"), *data)
        assert len(stated(*HELLO, *accepted(*commands), *again, of=SizeViolation)) == violated
        refused = [each for command in commands for each in (client(command), server(b"452 no\r\n"))]
        assert stated(*HELLO, *refused, *data, of=SizeViolation) == []


@settings(max_examples=200)
@given(st.lists(st.sampled_from([b"a", b".", b"\r\n", b"\r\n.", b"..", b"\r", b"\n"]), max_size=30), st.data())
def test_a_size_is_that_of_the_unstuffed_text(parts, data):
    text = b"\r\n" + b"".join(parts)
    plain = text.replace(b"\r\n.", b"\r\n")[2:]
    limit = data.draw(st.integers(0, 12))
    meter, facts, at = SizeMeter(Quantity.BODY, (limit,)), [], 2
    while at < len(text):
        stop = data.draw(st.integers(at + 1, len(text)))
        meter.add(text, at, stop, 0, True, facts)
        at = stop
    assert meter.octets == len(plain)
    assert bool(facts) is (len(plain) > limit)
    if facts:
        before = text[: facts[0].offset]
        assert len(before.replace(b"\r\n.", b"\r\n")) - 2 == limit


def test_a_whole_message_through_the_session():
    """MIME facts come in stream order with the others."""
    text = b"Content-Type: a/b; name=n\r\n\r\n" + b"x" * 9 + b"\r\n.\r\n"
    wanted = Settings({Quantity.BODY_LINE: (8,), Quantity.MIME_FILENAME: (0,)}, wanted=OPTIONAL)
    facts = stated(*IN_MESSAGE, payload(text), of=(Exceeded, MimeFile, MessageEnded), settings=wanted)
    header = BEFORE_MESSAGE + 28
    assert facts == [
        Exceeded(Quantity.MIME_FILENAME, 0, header),
        MimeFile(b"n", "a/b", header),
        Exceeded(Quantity.BODY_LINE, 8, header + 9),
        MessageEnded(BEFORE_MESSAGE + len(text)),
    ]


def test_parameters_no_rule_speaks_of_are_known_and_not_stated():
    passing = Settings(passing=frozenset({"size", "pipelining", "others"}))
    reply = server(b"250-mx\r\n250-SIZE 9\r\n250-DSN\r\n250-X\r\n250-STARTTLS\r\n250 PIPELINING\r\n")
    script = (*GREETED, client(b"EHLO a\r\n"), reply, client(b"NOOP\r\nNOOP\r\n"))
    found = stated(*script, of=EhloParameter, settings=passing)
    assert [(fact.word, fact.starttls) for fact in found] == [("dsn", False), ("others", True)]
    assert stated(*script, of=Odd, settings=passing) == []


def test_what_nobody_asks_for_is_not_stated():
    text = b"Content-Type: a/b; name=n\r\nContent-Transfer-Encoding: 7bit\r\n\r\nx\r\n.\r\n"
    for settings_ in (Settings(), Settings({Quantity.MIME_FILENAME: (255,)})):
        script = (*IN_MESSAGE[:3], client(b"MAIL FROM:<a`> SIZE=1\r\n"), *IN_MESSAGE[4:], payload(text))
        assert stated(*script, of=tuple(OPTIONAL), settings=settings_) == []
