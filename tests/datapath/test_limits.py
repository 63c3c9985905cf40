"""Every limit at N-1, N and N+1 through the datapath: in pieces that come in any order, several times over."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from appliance.datapath.effects import Emit, Kill
from appliance.flow import Side
from appliance.policy.counters import MATCHES_BASE
from appliance.policy.maps import Match
from appliance.policy.matches import phrase
from appliance.syslog import EsmtpAction, FlowTerminated
from tests.criteria import CLOSE, LIMIT, MEASURED, under
from tests.playbook import Sent
from tests.wire import CLIENT, SERVER, Wire, count, engine

#: The octets at the start of an utterance that stay together, and those of a piece: nothing is typed by hand (row 4).
FIRST, PIECE = 9, 5


def pieces(octets: bytes) -> list[tuple[int, bytes]]:
    edges = sorted({0, *range(FIRST, len(octets) - PIECE, PIECE), len(octets)})
    return [(start, octets[start:end]) for start, end in pairwise(edges)]


def in_order(octets: bytes) -> list[tuple[int, bytes]]:
    return [(0, octets)]


def repeated(octets: bytes) -> list[tuple[int, bytes]]:
    return [each for piece in pieces(octets) for each in (piece, piece, (0, octets[: piece[0]]))]


def reversed_twice(octets: bytes) -> list[tuple[int, bytes]]:
    return [*reversed(pieces(octets)), *reversed(pieces(octets))]


def shuffled(octets: bytes) -> list[tuple[int, bytes]]:
    found = pieces(octets) * 2
    Random(len(octets)).shuffle(found)
    return found


def play(wire: Wire, script: tuple[Sent, ...], arrivals: object) -> dict[Side, bytes]:
    """What was sent; `arrivals` says in which pieces an utterance comes, and in which order."""
    sent = {CLIENT: b"", SERVER: b""}
    for each in script:
        start = len(sent[each.side])
        sent[each.side] += each.octets
        wire.acked[each.side.peer] = len(sent[each.side.peer])
        for at, octets in arrivals(each.octets):  # type: ignore[operator]
            if octets:
                wire.send(each.side, start + at, octets)
    return sent


@pytest.mark.parametrize("arrivals", [in_order, repeated, reversed_twice, shuffled])
@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("key", MEASURED)
def test_a_limit(key: str, more: int, arrivals: object) -> None:
    match = Match(key, CLOSE, limit=LIMIT)
    wire = Wire(engine(inspect_map=under(match))).open()
    sent = play(wire, MEASURED[key](LIMIT + more), arrivals)
    sent[SERVER] = sent[SERVER].replace(b"mx ESMTP", b"********")
    records = [each.record for each in wire.effects if isinstance(each, Emit)]
    assert wire.verdicts.keys() == wire.sent.keys()
    assert count(wire.datapath, "exceptions") == 0
    assert wire.datapath._blocks[1][MATCHES_BASE] == (more > 0)
    if more > 0:
        assert sum(isinstance(each, Kill) for each in wire.effects) == 1
        assert [type(each) for each in records] == [EsmtpAction, FlowTerminated]
        assert records[0].text().endswith(f"; matched Class 1: {phrase(match)}")
        for side in Side:
            assert sent[side].startswith(wire.got(side))
        assert any(len(wire.got(side)) < len(sent[side]) for side in Side)
    else:
        assert wire.effects == []
        for side in Side:
            assert wire.got(side) == sent[side]
