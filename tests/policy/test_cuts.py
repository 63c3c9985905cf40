"""Where a stream is cut says nothing about it: facts and records are the same for any two ways of cutting it.

Lines about as long as anything that is read of them (`READ`, `SHOWN`, limits), because there a beginning is kept.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.esmtp.events import Fact, Greeting, Odd, Oddity, Unsupported
from appliance.esmtp.grammar import READ, SHOWN
from appliance.esmtp.session import OPTIONAL, Session, Settings
from appliance.flow import Side
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Deed, InspectMap, Match, Reaction
from tests.playbook import GREETED, IN_MESSAGE, Cut, Sent, client, cuts, everyhow, payload, pieces, play, server, whole
from tests.policy.test_segmentation import EVERYTHING

SIZED = (*GREETED, client(b"HELO a\r\n"), server(b"250 mx\r\n"))
DATA = (client(b"DATA\r\n"), server(b"354 go\r\n"), payload(b"a: b\r\n\r\n.\r\n"), server(b"250 ok\r\n"))


#: What is counted where it is noticed.
COUNTED = (Oddity.UNSUPPORTED, Oddity.TRUNCATED)


def cut(script: list[Sent], seed: int) -> Cut:
    """The finest pieces, some of them put together again: the same for the same seed."""
    dice, segments = random.Random(seed), []
    for each in script:
        joined = b""
        for piece in pieces(each):
            joined += piece
            if dice.random() < 0.1:
                segments.append((each.side, joined))
                joined = b""
        if joined:
            segments.append((each.side, joined))
    return segments


def facts(segments: Cut) -> list[Fact]:
    """What a session says of a stream: octets one by one, and counts without their place."""
    session, offsets, found = Session(Settings(wanted=OPTIONAL)), dict.fromkeys(Side, 0), []
    for side, octets in segments:
        for fact in session.feed(side, offsets[side], octets):
            match fact:
                case Unsupported(offset=offset, length=length):
                    found += [Unsupported(at, 1) for at in range(offset, offset + length)]
                case Greeting(offset=offset, octets=text):
                    found += [Greeting(at, bytes([octet])) for at, octet in enumerate(text, offset)]
                case Odd(oddity=oddity, count=count) if oddity in COUNTED:
                    found += [Odd(oddity, 0)] * count
                case _:
                    found.append(fact)
        offsets[side] += len(octets)
    return found


@pytest.mark.parametrize("more", [-1, 0, 1, 2])
@pytest.mark.parametrize("parameter", [b" SIZE=5", b" X=%b SIZE=5"])
@pytest.mark.parametrize("path", [b"<a@b>", b" <a@b>", b"a@b"])
def test_a_declared_size_behind_a_long_line(path: bytes, parameter: bytes, more: int) -> None:
    """Either every cut sees it or none (108006)."""
    behind = parameter.replace(b"%b", b"x" * (READ - len(parameter) + 2 + more))
    line = b"MAIL FROM:" + path + behind + b"\r\n"
    script = (*SIZED, client(line), server(b"250 ok\r\n"), *DATA)
    said = play(whole(*script), InspectMap("bare")).said
    for at in (5, 11, len(line) - 3, len(line) - 1):
        halves = (client(line[:at]), client(line[at:]))
        assert play(whole(*SIZED, *halves, server(b"250 ok\r\n"), *DATA), InspectMap("bare")).said == said


@pytest.mark.parametrize("text", [b"<a|b@c>", b"<" + b"a" * SHOWN + b"|b>", b" |", b'"a b"|@c'])
def test_a_malicious_address_is_shown_up_to_what_makes_it_one(text: bytes) -> None:
    """The same record for every cut (108003)."""
    script = [*GREETED, client(b"RCPT TO:" + text + b"\r\n")]
    ends = {play(way, InspectMap("bare")).ended for way in cuts(script)}
    assert ends == {f"malicious address {text[: text.index(b'|') + 1][:SHOWN].strip()!r}"}


PARTS = [b"FROM", b"TO", b":", b" ", b"<", b">", b"a", b"@b", b'"', b"\\", b"(", b")", b"\t", b"\x00", b"\x80", b"`"]
PARTS += [b" SIZE=5", b" AUTH=<>", b"%c", b"d!", b"@e:", b"|", b"\x0b", b"\x85"]
LONG = st.tuples(
    st.sampled_from([b"a", b" ", b"@b,", b" X=y"]), st.integers(-12, 4), st.sampled_from([READ, SHOWN])
).map(lambda drawn: drawn[0] * ((drawn[2] + drawn[1]) // len(drawn[0])))
ARGUMENTS = st.lists(st.sampled_from(PARTS) | LONG, max_size=8).map(b"".join)
VERBS = st.sampled_from(
    [b"MAIL", b"RCPT", b"SAML", b"VRFY", b"EHLO", b"TURN", b"MAIL FROM:<", b"RCPT TO:<", b"mail from: "]
)
LINE = st.tuples(VERBS, ARGUMENTS).map(lambda drawn: client(drawn[0] + b" " + drawn[1] + b"\r\n"))
REPLY = st.sampled_from(
    [b"250 ok\r\n", b"550 no\r\n", b"354 go\r\n", b"334 \r\n", b"250-x\r\n250 y\r\n", b"150 wait\r\n"]
)
DOTS = st.lists(
    st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"\0", b"\0" * 5, b"abc", b"a: b", b"x" * 998]), max_size=10
).map(b"".join)


@st.composite
def sessions(draw: st.DrawFn) -> list[Sent]:
    """A line or two that say something, each answered."""
    script = [*SIZED]
    for line in draw(st.lists(LINE, min_size=1, max_size=3)):
        script += [line, server(draw(REPLY))]
    return script


@settings(max_examples=100, deadline=None)
@given(sessions(), st.integers(0), st.integers(0))
def test_any_two_cuts_come_to_the_same(script: list[Sent], one_seed: int, other_seed: int) -> None:
    one, other = cut(script, one_seed), cut(script, other_seed)
    finest = [(each.side, piece) for each in script for piece in pieces(each)]
    outcomes = [play(way, EVERYTHING) for way in (one, other, finest, whole(*script))]
    assert len({(tuple(each.said), each.ended, tuple(each.counters)) for each in outcomes}) == 1
    if not outcomes[0].ended:
        stated = facts(one)
        assert all(facts(way) == stated for way in (other, finest, whole(*script)))
    assert all(outcomes[2].client.startswith(each.client) for each in outcomes)


#: Two limits, of a line and of all there is, that are passed at one octet.
TIGHT = InspectMap(
    "tight",
    matches=tuple(
        Match(key, Reaction(Deed.LOG, log=True), limit=limit)
        for key in ("header-line-length", "header-length", "body-line-length", "body-length")
        for limit in (3, 4)
    ),
)


@pytest.mark.parametrize(
    "text", [b"abc\rd", b"abc\r\rd", b"abc\r", b"abcd\r", b".abc\rd", b"a\r\r\r\r\r", b"\r\nabc\rd"]
)
def test_what_passes_two_limits_at_one_octet_is_said_in_one_order(text: bytes) -> None:
    """A CR there is counted at once, and is part of a line when the octet behind it comes."""
    everyhow(*IN_MESSAGE, payload(text + b"\r\n.\r\n"), inspect_map=TIGHT)


@settings(max_examples=200, deadline=None)
@given(DOTS, st.sampled_from([DEFAULT_MAP, EVERYTHING, TIGHT]), st.integers(0), st.integers(0))
def test_any_two_cuts_of_a_message_come_to_the_same(
    text: bytes, inspect_map: InspectMap, one_seed: int, other_seed: int
) -> None:
    script = [*IN_MESSAGE, payload(text + b"\r\n.\r\n"), client(b"NOOP\r\n")]
    one, other = (play(cut(script, seed), inspect_map) for seed in (one_seed, other_seed))
    assert (one.ended, one.said) == (other.ended, other.said)
