"""The invariant: what is released is the same for every way of cutting what was sent (design §2).

The oracle knows nothing of segments, states or offsets: it has the transcript line by line and masks each by itself.
"""

import re
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.flow import Side
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Deed, Expression, InspectMap, MailRelay, Match, Parameters, Reaction
from appliance.policy.matches import CONDITIONS
from tests.playbook import Sent, client, payload, pieces, play, server, whole

LINE = b"\r\n"


def lines(alphabet: bytes, longest: int = 40) -> st.SearchStrategy[bytes]:
    """Octets of `alphabet`, no line ends."""
    return st.lists(st.sampled_from(alphabet), max_size=longest).map(bytes)


KNOWN = [b"SIZE 100", b"8bitmime", b"PIPELINING", b"AUTH PLAIN", b"DSN"]
UNKNOWN = [b"STARTTLS", b"CHUNKING", b"AUTH=LOGIN", b"X", b"HELP me"]
PASSING = [b"NOOP", b"noop x", b"MAIL FROM:<a@b> SIZE=1", b"RCPT TO:<c@d>", b"RSET", b"VRFY a", b"HELP", b""]
CROSSED = [b"STARTTLS", b"TURN", b"EXPN all", b"HELOX", b"XEXCH50 1 2", b"12345"]
BODY = st.lists(
    st.sampled_from([b"", b"text", b"..", b"..x", b". ", b"x" * 998, b"220 2", b"TURN", b"\x00\xff"]), max_size=6
)


@st.composite
def transcripts(draw: st.DrawFn) -> tuple[list[Sent], bytes, bytes]:
    """A session that keeps the rules, and the two streams that must come of it."""
    banner = draw(lines(b"mx2 0.\t", 20))
    script = [server(b"220 " + banner + LINE)]
    upstream, downstream = b"", b"220 " + re.sub(rb"[^20]", b"*", banner) + LINE

    keywords = draw(st.lists(st.sampled_from(KNOWN + UNKNOWN), max_size=5))
    reply = [b"mx", *keywords]
    letters = iter(b"ABCDEFGHIJ")
    masked = [b"X" * (len(each) - 1) + bytes([next(letters)]) if each in UNKNOWN else each for each in reply]
    head = [b"250-"] * (len(reply) - 1) + [b"250 "]
    script += [client(b"EHLO a\r\n"), server(b"".join(a + b + LINE for a, b in zip(head, reply, strict=True)))]
    upstream += b"EHLO a\r\n"
    downstream += b"".join(a + b + LINE for a, b in zip(head, masked, strict=True))

    for command in draw(st.lists(st.sampled_from(PASSING + CROSSED), max_size=5)):
        script += [client(command + LINE), server(b"250 x 2\r\n")]
        upstream += (b"X" * len(command) if command in CROSSED else command) + LINE
        downstream += b"250 x 2\r\n"

    body = b"".join(line + LINE for line in draw(BODY)) + b".\r\n"
    script += [client(b"DATA\r\n"), server(b"354 go\r\n"), payload(body), server(b"250 ok\r\n"), client(b"TURN\r\n")]
    return script, upstream + b"DATA\r\n" + body + b"XXXX\r\n", downstream + b"354 go\r\n250 ok\r\n"


def cut_anyhow(draw: st.DrawFn, script: list[Sent]) -> list[tuple]:
    """The finest pieces, some of them put together again."""
    segments = []
    for sent in script:
        found = pieces(sent)
        kept = draw(st.lists(st.booleans(), min_size=len(found), max_size=len(found)))
        joined = b""
        for piece, cut in zip(found, kept, strict=True):
            joined += piece
            if cut:
                segments.append((sent.side, joined))
                joined = b""
        if joined:
            segments.append((sent.side, joined))
    return segments


@settings(max_examples=150)
@given(st.data())
def test_a_session_is_masked_line_by_line(data):
    script, upstream, downstream = data.draw(transcripts())
    outcome = play(cut_anyhow(data.draw, script))
    assert outcome.ended == ""
    assert outcome.client == upstream
    assert outcome.server == downstream


NOISE = lines(b"abN \r\n.|<>\x002\x80", 30)
ANYTHING = st.one_of(
    NOISE.map(client),
    NOISE.map(payload),
    NOISE.map(server),
    NOISE.map(lambda noise: server(b"250 " + noise)),
    st.sampled_from([client(b"DATA\r\n"), client(b"EHLO a\r\n"), client(b"AUTH x\r\n"), client(b"MAIL FROM:<")]),
    st.sampled_from([server(b"354 x\r\n"), server(b"334 x\r\n"), server(b"250-x\r\n250-HELP\r\n")]),
)


def _every_line(reaction: Reaction) -> tuple[Match, ...]:
    """A line for every row, straight and with `not`."""
    small = Expression("r", patterns=("[ab]",))
    made = [
        Match(row.key, reaction, limit=3, words=row.words[:2], negated=negated, expression=small)
        for row in CONDITIONS
        for negated in (False, True)
    ]
    return tuple(made)


LOG = Reaction(Deed.LOG, log=True)
EVERYTHING = InspectMap(
    "everything",
    Parameters(mail_relay=MailRelay("b", LOG), special_character=LOG, allow_tls=True),
    (*_every_line(LOG), Match("cmd-verb", Reaction(Deed.MASK), words=("NOOP", "VRFY"))),
)
CLOSING = InspectMap("closing", Parameters(allow_tls=True), _every_line(Reaction(Deed.RESET))[::3])
MAPS = st.sampled_from([DEFAULT_MAP, EVERYTHING, CLOSING])
COMMANDS = [b"NOOP", b"VRFY a", b"RSET", b"TURN x", b"EHLO b", b"NOOP \x00\xff"]
SENDERS = [b"<a@b>", b"<>", b" <`\x00@b> SIZE=5", b"<<c>> SIZE=90 AUTH=<>", b'a"<>"@b', b"<@x:" + b"a" * 9 + b"@b>"]
RECIPIENTS = [b"<a@b>", b"<a@c>", b"<postmaster>", b"<@b,@c:d@e>", b"<b", b"<`@b>"]
REPLIES = st.sampled_from([b"250 ok\r\n", b"550 no\r\n", b"250-a\r\n250 b\r\n"]).map(server)
LINES = [
    b"To: a@b",
    b" folded",
    b"Content-Type: multipart/x; boundary=b",
    b"Content-Transfer-Encoding: 8bit",
    b"--b",
    b"--b--",
]
LINES += [
    b"",
    b"Content-Disposition: x; filename*0=a; filename*1*=''%2e.exe",
    b"text",
    b"..",
    b"a\rb",
    b"\x00",
    b"x" * 20,
]


@st.composite
def mails(draw: st.DrawFn) -> list[Sent]:
    """Sessions that get as far as a message, one or two."""
    script = [
        client(b"EHLO a\r\n"),
        draw(st.sampled_from([server(b"250-mx\r\n250-X\r\n250 PIPELINING\r\n"), server(b"250 x\r\n")])),
    ]
    for _ in range(draw(st.integers(1, 2))):
        for command in draw(st.lists(st.sampled_from(COMMANDS), max_size=2)):
            script += [client(command + LINE), draw(REPLIES)]
        script += [client(b"MAIL FROM:" + draw(st.sampled_from(SENDERS)) + LINE), draw(REPLIES)]
        for path in draw(st.lists(st.sampled_from(RECIPIENTS), max_size=5)):
            script += [client(b"RCPT TO:" + path + LINE), draw(REPLIES)]
        text = b"".join(line + LINE for line in draw(st.lists(st.sampled_from(LINES), max_size=12)))
        script += [client(b"DATA\r\n"), server(b"354 go\r\n"), payload(text + b".\r\n"), draw(REPLIES)]
    return script


@settings(max_examples=400)
@given(st.lists(ANYTHING, max_size=12) | mails(), MAPS, st.data())
def test_whatever_is_sent_every_cut_releases_the_same(script, inspect_map, data):
    """Where one cut makes inspection close, every cut does, and what they released are prefixes of one stream."""
    script = [server(b"220 mx\r\n"), *(replace(each, commands=each.side is Side.CLIENT) for each in script)]
    finest = play([(each.side, piece) for each in script for piece in pieces(each)], inspect_map)
    for way in (whole(*script), cut_anyhow(data.draw, script)):
        outcome = play(way, inspect_map)
        assert outcome.ended == finest.ended
        if finest.ended:
            assert finest.client.startswith(outcome.client)
            assert finest.server.startswith(outcome.server)
        else:
            assert (outcome.client, outcome.server) == (finest.client, finest.server)
            assert (outcome.said, outcome.counters) == (finest.said, finest.counters)
