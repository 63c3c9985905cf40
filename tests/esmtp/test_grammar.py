"""Mail addresses: the short way and the long way agree, and neither depends on the cut."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.esmtp.events import Misplaced, Pipe
from appliance.esmtp.grammar import Address, Path, hosts, mailbox, regular

ODD = [b'"', b"\\", b"|", b"\t", b"\x00", b"\x80"]
PARTS = [b"FROM", b":", b" ", b"<", b">", b"a", b"@b", b"AUTH=", b"<a@b>", b"AUTH=<>", *ODD]
TEXT = st.lists(st.sampled_from(PARTS), max_size=14).map(b"".join)


def facts_of(pieces, limits=(4,)):
    """What an address read in `pieces` states."""
    address, facts, at = Address(limits), [], 0
    for piece in pieces:
        address.scan(piece, at, facts)
        if any(isinstance(fact, Pipe) for fact in facts):
            break
        at += len(piece)
    return facts


@settings(max_examples=400)
@given(TEXT)
def test_what_is_regular_has_nothing_to_be_said_of_it(text):
    if found := regular(b"MAIL " + text):
        path, parameters = found
        address = Address(())
        assert not address.scan(b" " + text, 0, [])
        assert address.found == [(Path(path, True), len(b" " + text) - len(parameters) - 1)]
        assert address.parameters == parameters
        assert facts_of([b" " + text], (len(path),)) == []


@settings(max_examples=300)
@given(TEXT)
def test_octet_by_octet_says_the_same(text):
    whole, fine = facts_of([text]), facts_of([text[at : at + 1] for at in range(len(text))])
    assert [(type(each), each.offset) for each in whole] == [(type(each), each.offset) for each in fine]


@settings(max_examples=400)
@given(TEXT)
def test_what_is_left_has_brackets_in_pairs(text):
    """Outside quoted strings, what the server reads has one path and empty AUTH= pairs at most."""
    if b'"' in text or b"|" in text:
        return
    left = bytearray(text)
    for fact in facts_of([text]):
        if isinstance(fact, Misplaced):
            left[fact.offset] = 0x20
    assert not any(octet < 0x20 and octet != 9 for octet in left)
    path = bytes(left).replace(b"AUTH=<>", b"").replace(b"AUTH=<", b"").strip()
    assert path.count(b"<") <= 1
    assert path.count(b">") <= path.count(b"<")


def test_usual_lines_are_regular():
    assert regular(b"MAIL FROM:<a@b> SIZE=1") == (b"a@b", b" SIZE=1")
    assert regular(b"rcpt to:<>") == (b"", b"")
    assert not regular(b"MAIL FROM: <a@b>")
    assert not regular(b"MAIL FROM:a<b>")


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (b"", []),
        (b"Postmaster", []),
        (b"a@b.example", [b"b.example"]),
        (b" a@b.example ", [b"b.example"]),
        (b"a@[IPv6:2001:db8::1]", [b"[IPv6:2001:db8::1]"]),
        # RFC 5321 F.2: a source route's hops come first, and without its colon it is none
        (b"@x.example,@y.example:a@b.example", [b"x.example", b"y.example", b"b.example"]),
        (b"@x.example:postmaster", [b"x.example"]),
        (b"@[IPv6:2001:db8::1]:a@b.example", [b"[IPv6:2001:db8::1]", b"b.example"]),
        (b"@x.example", [b"x.example"]),
        (b"@x@b.example", [b"x", b"b.example"]),
        (b"@x.example,y.example:a@b.example", [b"x.example", b"y.example", b"b.example"]),
        (b"@[x:a@b.example", [b"[x:a", b"b.example"]),
        # RFC 5321 F.2's other routes, in a quoted string too
        (b"a%x.example@b.example", [b"x.example", b"b.example"]),
        (b"a%x.example", [b"x.example"]),
        (b"x!y!a@b.example", [b"x", b"y", b"b.example"]),
        (b"x!a", [b"x"]),
        (b'"a@x.example"@b.example', [b'x.example"', b"b.example"]),
        # nobody can tell
        (b"a", [b""]),
        (b"a@", [b""]),
        (b'"postmaster"', [b""]),
        (b"x:a", [b""]),
        (b"postmaster @x.example", [b"x.example"]),
    ],
)
def test_every_host_that_a_path_leads_to(path, found):
    assert hosts(Path(path, True)) == tuple(found)
    assert hosts(Path(path, False)) == (*found, b"")


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (b"a@b", b"a@b"),
        (b"@x,@y:a@b", b"a@b"),
        (b'"a b"@c', b"a b@c"),
        (b'"a\\"b"@c', b'a"b@c'),
        (b"a\\b@c", b"ab@c"),
        (b'(x(y)z) a . b (\\)) @ c(")', b"a.b@c"),
        (b'"(a)"@b', b"(a)@b"),
        (b"a\x00b\x7f@c", b"ab@c"),
        (b"a)@b", b"a)@b"),
        (b"<a@b", b"a@b"),
        (b'"<a>"@b', b"<a>@b"),
    ],
)
def test_what_a_server_keeps_of_a_path(path, kept):
    assert mailbox(path) == kept


PATH = st.lists(st.sampled_from([b"a", b"b@", b"@", b"%", b"!", b":", b",", b"[", b"]", b'"', b" ", b"\\", b"("])).map(
    b"".join
)


@settings(max_examples=400)
@given(PATH)
def test_only_an_empty_path_leads_nowhere(path):
    assert bool(hosts(Path(path, True))) is bool(path.strip())
