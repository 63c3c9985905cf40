"""The session: what it says it saw, fact by fact."""

import pytest

from appliance.esmtp.events import (
    Breach,
    Command,
    EhloParameter,
    EhloReply,
    Exceeded,
    Greeted,
    Greeting,
    InvalidAddress,
    MessageBegun,
    MessageEnded,
    Misplaced,
    Odd,
    Oddity,
    Pipe,
    Quantity,
    Rule,
    TlsStarted,
    Unsupported,
)
from appliance.esmtp.session import Session, Settings
from appliance.esmtp.states import Phase
from appliance.flow import Side
from tests.playbook import ANY, Playbook, client, payload, server


def test_a_mail(session):
    session >> server(b"220 mx\r\n") << Greeted(0) << Greeting(4, b"mx")
    session >> client(b"EHLO a\r\n") << Command("EHLO", 0)
    session >> server(b"250-mx\r\n250-SIZE 1\r\n250 STARTTLS\r\n")
    session << EhloReply(8) << EhloParameter("size", 20, 6) << EhloParameter("others", 32, 8, starttls=True)
    session >> client(b"MAIL FROM:<a@b>\r\n") << Command("MAIL", 8)
    session >> server(b"250 ok\r\n")
    session >> client(b"RCPT TO:<a@b>\r\n") << Command("RCPT", ANY)
    session >> server(b"250 ok\r\n")
    session >> client(b"DATA\r\n") << Command("DATA", ANY)
    assert session.session.phase is Phase.WAITING
    session >> server(b"354 go\r\n") << MessageBegun(8 + 17 + 15 + 6)
    session >> payload(b"Subject: x\r\n\r\nNOOP\r\n.\r\nQUIT\r\n") << MessageEnded(46 + 23) << Command("QUIT", 46 + 23)
    session << Odd(Oddity.PIPELINED, ANY, detail="QUIT")
    session >> server(b"250 ok\r\n221 bye\r\n")
    assert session.session.phase is Phase.COMMAND


def test_an_unsupported_command_piece_by_piece(session):
    session >> client(b"TUR") << Unsupported(0, 3)
    session >> client(b"N x\r") << Odd(Oddity.UNSUPPORTED, 3) << Unsupported(3, 3)
    session >> client(b"\nTURN\r\n") << Odd(Oddity.PIPELINED, 7, detail="X")
    session << Odd(Oddity.UNSUPPORTED, 8) << Unsupported(8, 4) << Odd(Oddity.PIPELINED, ANY, detail="X")


def test_a_bare_line_feed_is_the_last_thing_said(session):
    session >> server(b"220 mx\r\n") << Greeted(0) << Greeting(4, b"mx")
    session >> client(b"NOOP\nNOOP\r\n")
    session << Breach(Rule.TERMINATION, "command not terminated by CR LF", 4)
    session >> client(b"TURN\r\n")
    session >> server(b"354 go\r\n")


def test_what_is_out_of_place_in_an_address(session):
    session >> server(b"220 mx\r\n") << Greeted(0) << Greeting(4, b"mx")
    session >> client(b"MAIL FROM:<a>>\r\n") << Command("MAIL", 0) << Misplaced(13)
    session << InvalidAddress(b"MAIL FROM:<a>>", 15)
    session >> server(b"250 ok\r\n")
    session >> client(b"RCPT TO:<a|b>") << Command("RCPT", 16) << Pipe(b"<a|", 26)


def test_an_undecided_carriage_return_of_the_greeting(session):
    session >> server(b"220 mx\r") << Greeted(0) << Greeting(4, b"mx")
    assert session.session.undecided == 6
    session >> server(b"x\r\n") << Greeting(6, b"\rx")
    assert session.session.undecided is None


def test_tls():
    session = Playbook(Session(Settings(starttls=True)))
    session >> server(b"220 mx\r\n") << Greeted(0) << Greeting(4, b"mx")
    session >> client(b"STARTTLS\r\n") << Command("STARTTLS", 0)
    session >> server(b"220 go\r\n")
    session >> payload(b"\x16")
    session >> payload(b"\x03\x01")
    session >> server(b"\x16\x03") << TlsStarted(ANY)
    session >> payload(b"TURN\r\n")
    session >> server(b"354 go\r\n")
    session.finish()


def test_what_was_undecided_is_not_when_tls_begins_right_behind_it():
    session = Playbook(Session(Settings(starttls=True)))
    session >> server(b"220 mx\r\n") << Greeted(0) << Greeting(4, b"mx")
    session >> client(b"EHLO a\r\nSTARTTLS\r\n") << Command("EHLO", 0) << Command("STARTTLS", 8)
    session << Odd(Oddity.PIPELINED, ANY, detail="STARTTLS")
    session >> server(b"250-mx\r\n250 START") << EhloReply(8)
    assert session.session.undecided == 20
    session >> server(b"TLS\r\n220 go\r\n\x15\x03") << EhloParameter("others", ANY, 8, starttls=True)
    assert session.session.undecided is None
    session.finish()


def test_only_the_limits_it_was_told():
    limits = {Quantity.COMMAND_LINE: (5, 8), Quantity.RECIPIENTS: (1,), Quantity.SENDER_ADDRESS: (1, 2)}
    session = Playbook(Session(Settings(limits)))
    session >> server(b"220 mx\r\n") << Greeted(0) << Greeting(4, b"mx")
    session >> client(b"NOOP 678 0\r\n") << Command("NOOP", 0)
    session << Exceeded(Quantity.COMMAND_LINE, 5, 5) << Exceeded(Quantity.COMMAND_LINE, 8, 8)
    session.finish()


def test_a_playbook_that_is_not_finished_is_an_error():
    playbook = Playbook(Session(Settings()))
    playbook >> client(b"TURN\r\n")
    with pytest.raises(AssertionError, match="not expected"):
        playbook >> client(b"NOOP\r\n")
    with pytest.raises(AssertionError, match="nothing more was stated"):
        Playbook(Session(Settings())) << Command("NOOP", 0)


def test_a_reply_to_ehlo_of_one_line(session):
    session >> server(b"554 no\r\n")
    session >> client(b"EHLO a\r\n") << Command("EHLO", 0)
    session >> server(b"250 STARTTLS\r\n") << EhloReply(8)


def test_nothing_is_said_of_what_merely_passes(session):
    session >> server(b"554 no\r\n")
    body = payload(b"x\r\n" * 1000)
    session >> client(b"DATA\r\n") << Command("DATA", 0)
    session >> server(b"354 go\r\n") << MessageBegun(6)
    for _ in range(3):
        session >> body
    assert session.session.finish(Side.SERVER) == []
