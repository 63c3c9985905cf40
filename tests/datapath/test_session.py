"""The real inspector under the datapath: one mail session, cut, shuffled and repeated, comes out the same."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from appliance.flow import Side
from tests.wire import CLIENT, SERVER, Wire, count, engine

DIALOGUE = [
    (SERVER, b"220 mail.example.com ESMTP Postfix (20.2)\r\n"),
    (CLIENT, b"EHLO client.example\r\n"),
    (SERVER, b"250-mail.example.com\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250-STARTTLS\r\n250 CHUNKING\r\n"),
    (CLIENT, b"STARTTLS\r\n"),
    (SERVER, b"500 5.5.1 what\r\n"),
    (CLIENT, b"MAIL FROM:<a@example>\r\nRCPT TO:<b@example>\r\nDATA\r\n"),
    (SERVER, b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go\r\n"),
    (CLIENT, b"Subject: x\r\n\r\n" + b"body of seventy octets\r\n" * 40 + b"..\r\n.\r\n"),
    (SERVER, b"250 2.0.0 Ok: queued as 1\r\n"),
    (CLIENT, b"QUIT\r\n"),
    (SERVER, b"221 2.0.0 Bye\r\n"),
]
RELEASED = {
    CLIENT: b"".join(octets for side, octets in DIALOGUE if side is CLIENT).replace(b"STARTTLS\r", b"XXXXXXXX\r"),
    SERVER: b"".join(octets for side, octets in DIALOGUE if side is SERVER)
    .replace(b"mail.example.com ESMTP Postfix (20.2)", b"*" * 32 + b"20*2*")
    .replace(b"STARTTLS", b"XXXXXXXA")
    .replace(b"CHUNKING", b"XXXXXXXB"),
}


def play(wire: Wire, pieces: object) -> Wire:
    """The dialogue; `pieces` cuts each utterance into (start, octets) in the order they are sent."""
    at = {CLIENT: 0, SERVER: 0}
    for side, octets in DIALOGUE:
        wire.acked[side.peer] = at[side.peer]
        for start, piece in pieces(side, octets):  # type: ignore[operator]
            wire.send(side, at[side] + start, piece)
        at[side] += len(octets)
    for side in (CLIENT, SERVER):
        wire.close(side, at[side])
    return wire


def check(wire: Wire) -> None:
    assert wire.got(CLIENT) == RELEASED[CLIENT]
    assert wire.got(SERVER) == RELEASED[SERVER]
    assert wire.effects == []
    assert wire.verdicts.keys() == wire.sent.keys()
    assert count(wire.datapath, "octets_inspected") == sum(len(octets) for _, octets in DIALOGUE)
    assert count(wire.datapath, "octets_released") == count(wire.datapath, "octets_inspected")
    assert count(wire.datapath, "exceptions") == 0


def test_whole() -> None:
    check(play(Wire(engine()).open(), lambda _, octets: [(0, octets)]))


@pytest.mark.parametrize("size", [5, 7, 50])
def test_in_pieces_of_a_batch(size: int) -> None:
    """A verb typed letter by letter is X-ed (row 4): the client's pieces begin with a whole one."""

    def pieces(side: Side, octets: bytes) -> list[tuple[int, bytes]]:
        first, step = (9, size) if side is CLIENT else (1, size - 4)
        edges = [0, *range(min(first, len(octets)), len(octets), step), len(octets)]
        return [(start, octets[start:end]) for start, end in pairwise(edges)]

    check(play(Wire(engine()).open(), pieces))


@pytest.mark.parametrize("seed", range(30))
def test_shuffled_and_repeated(seed: int) -> None:
    random = Random(seed)

    def pieces(side: Side, octets: bytes) -> list[tuple[int, bytes]]:
        cuts = random.sample(range(9, len(octets)), min(4, max(0, len(octets) - 9))) if side is CLIENT else []
        cuts = cuts or random.sample(range(1, len(octets)), min(4, len(octets) - 1)) * (side is SERVER)
        made = [(start, octets[start:end]) for start, end in pairwise(sorted({0, len(octets), *cuts}))]
        made += random.choices(made, k=2)
        start = random.randrange(len(octets))
        made.append((start, octets[start : start + 20]))
        random.shuffle(made)
        return [*made, (0, octets)]

    wire = Wire(engine(), client_isn=2**32 - 1 - random.randrange(1_000), server_isn=random.randrange(2**32)).open()
    check(play(wire, pieces))


def test_a_second_copy_of_a_command_never_reaches_the_server() -> None:
    """An inconsistent retransmission: NOOP released, STARTTLS sent again in its place."""
    wire = Wire(engine()).open()
    wire.talk([*DIALOGUE[:3], (CLIENT, b"NOOP xxx\r\n")])
    before = wire.got(CLIENT)
    for _ in range(3):
        wire.send(CLIENT, 21, b"STARTTLS\r\n")
    assert (wire.went(wire.handle) or b"").endswith(b"NOOP xxx\r\n")
    assert wire.got(CLIENT) == before
