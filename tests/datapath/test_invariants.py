"""The invariants of design §2 as properties, against an oracle that knows nothing of packets but start and octets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.datapath.counters import ENGINE, waiting
from appliance.datapath.effects import Drop, Emit, Kill
from appliance.flow import Side
from appliance.syslog import EngineFault
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG
from tests.datapath.double import Double
from tests.wire import CLIENT, MS, SERVER, Wire, count, engine, segment

SIDES = (CLIENT, SERVER)
HARMLESS = b"abS=\n"
LONG = 40


@dataclass(frozen=True)
class Arrival:
    side: Side
    start: int
    octets: bytes
    acks: int  # of what the peer's stream has released, in percent


def arrivals(alphabet: bytes) -> st.SearchStrategy[list[Arrival]]:
    """Packets anywhere in the first octets of either stream: duplicated, overlapping, never of one mind."""
    octets = st.lists(st.sampled_from(alphabet), min_size=1, max_size=12).map(bytes)
    one = st.builds(Arrival, st.sampled_from(SIDES), st.integers(0, LONG), octets, st.integers(0, 100))
    return st.lists(one, max_size=40)


class Oracle:
    """One direction: octets in order, the first that could be read wins; the rest waits by offset, then arrival."""

    def __init__(self) -> None:
        self.stream = b""
        self.waiting: list[tuple[int, bytes]] = []

    def arrive(self, start: int, octets: bytes) -> None:
        waits = {at for begin, each in self.waiting for at in range(begin, begin + len(each))}
        if start > len(self.stream) and set(range(start, start + len(octets))) <= waits:
            return
        self.waiting.append((start, octets))
        self.waiting.sort(key=lambda each: each[0])
        while self.waiting and self.waiting[0][0] <= len(self.stream):
            begin, each = self.waiting.pop(0)
            self.stream += each[max(0, len(self.stream) - begin) :]


def masked(octets: bytes) -> bytes:
    return octets.replace(b"S", b"X")


COOKIES = st.just(0) | st.integers(1_000, 2**32 - 1_000)


@given(arrivals(HARMLESS), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), COOKIES)
@settings(max_examples=400)
def test_the_released_stream_is_the_oracles(
    packets: list[Arrival], client_isn: int, server_isn: int, cookie: int
) -> None:
    wire = Wire(engine(Double), client_isn=client_isn, server_isn=server_isn, cookie=cookie).open()
    oracles = {side: Oracle() for side in SIDES}
    floor = {}  # by handle: what was acknowledged of its stream when it went
    for each in packets:
        released = len(oracles[each.side.peer].stream)
        wire.acked[each.side.peer] = max(wire.acked[each.side.peer], released * each.acks // 100)
        before = len(wire.order)
        wire.send(each.side, each.start, each.octets)
        oracles[each.side].arrive(each.start, each.octets)
        floor |= dict.fromkeys(wire.order[before:], wire.acked[each.side])
    for side in SIDES:
        assert Double.made[-1].seen[side] == oracles[side].stream
        assert wire.got(side) == masked(oracles[side].stream)
    for handle in wire.order[1:]:
        went = segment(wire.went(handle) or b"")
        side = CLIENT if went.key[8:10] == segment(wire.make(CLIENT)).key[8:10] else SERVER
        start = (went.seq - wire.first(side)) % 2**32
        value = masked(oracles[side].stream)
        for at, octet in enumerate(went.payload, start):
            assert octet == value[at] or (octet == 0 and at < floor[handle])
    assert count(wire.datapath, "octets_inspected") == count(wire.datapath, "octets_released")
    assert count(wire.datapath, "octets_inspected") == sum(len(oracles[side].stream) for side in SIDES)
    assert len(wire.verdicts) + len(wire.datapath._room) == len(wire.sent)
    assert len(wire.datapath._room) == waiting(dict(zip(ENGINE, wire.datapath._count, strict=True)))
    wire.tick(60_000 * MS)
    assert wire.verdicts.keys() == wire.sent.keys()


@given(arrivals(HARMLESS), arrivals(HARMLESS), st.sampled_from(SIDES), st.booleans())
@settings(max_examples=200)
def test_behind_an_rst_no_offset_goes_on_as_another_octet(
    before: list[Arrival], behind: list[Arrival], side: Side, told: bool
) -> None:
    """Only what was acknowledged before may have gone on as a NUL; nobody retransmits past an RST."""
    wire = Wire(engine(Double)).open()
    oracles = {each: Oracle() for each in SIDES}
    for each in before:
        oracles[each.side].arrive(each.start, each.octets)
        wire.send(each.side, each.start, each.octets)
    if told:
        wire.book(wire.datapath.ended(segment(wire.make(CLIENT)).key, MS, False, MS))
    else:
        wire.send(side, len(oracles[side].stream), flags=RST)
    for each in behind:
        wire.acked[each.side.peer] = len(oracles[each.side.peer].stream) * each.acks // 100
        wire.send(each.side, each.start, each.octets)
    for handle in wire.order[1:]:
        went = segment(wire.went(handle) or b"")
        source = CLIENT if went.key[8:10] == segment(wire.make(CLIENT)).key[8:10] else SERVER
        start = (went.seq - wire.first(source)) % 2**32
        assert went.payload == masked(oracles[source].stream)[start : start + len(went.payload)]


@given(arrivals(b"abS!?|"))
@settings(max_examples=200)
def test_a_closed_connection_released_a_prefix_without_the_offending_octet(packets: list[Arrival]) -> None:
    wire = Wire(engine(Double)).open()
    for each in packets:
        wire.send(each.side, each.start, each.octets)
    wire.tick(60_000 * MS)
    assert wire.verdicts.keys() == wire.sent.keys()
    seen = Double.made[-1].seen
    for side in SIDES:
        assert masked(seen[side]).startswith(wire.got(side))
        assert not set(b"!?|") & set(wire.got(side))
    closed = [each for each in wire.effects if isinstance(each, Kill)]
    assert len(closed) == any(set(b"!?|") & set(each) for each in seen.values())
    engine_count = {name: count(wire.datapath, f"octets_{name}") for name in ("inspected", "released", "refused")}
    assert engine_count["inspected"] == engine_count["released"] + engine_count["refused"]
    assert engine_count["released"] == sum(len(wire.got(side)) for side in SIDES)


STREAM = b"220 S\nh50 SbS\nhS=\nbb\nhhSS\nab\n"


@given(st.lists(st.integers(1, len(STREAM) - 1), max_size=12), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=200)
def test_held_lines_come_out_the_same_however_cut_and_shuffled(cuts: list[int], order: Random, twice: bool) -> None:
    edges = sorted({0, len(STREAM), *cuts})
    pieces = [(start, STREAM[start:end]) for start, end in pairwise(edges)] * (1 + twice)
    order.shuffle(pieces)
    wire = Wire(engine(Double)).open()
    for start, octets in pieces:
        wire.send(SERVER, start, octets)
    assert wire.got(SERVER) == masked(STREAM)
    assert count(wire.datapath, "octets_released") == len(STREAM)
    starts = [(segment(wire.sent[handle]).seq - wire.first(SERVER)) % 2**32 for handle in wire.order[1:]]
    fresh = [start for at, start in enumerate(starts) if start not in starts[:at]]
    assert fresh == sorted(fresh), "packets that waited go in the order of their offsets"
    assert wire.verdicts.keys() == wire.sent.keys()


FLAGS = st.sampled_from([ACK, ACK, ACK | FIN, ACK | URG, RST, SYN, SYN | ACK])


@given(arrivals(b"ab^!h\n~"), st.lists(FLAGS, min_size=40, max_size=40), st.lists(st.booleans(), min_size=40))
@settings(max_examples=300)
def test_faults_and_flags_anywhere_leave_no_packet_without_a_verdict(
    packets: list[Arrival], flags: list[int], bare: list[bool]
) -> None:
    wire = Wire(engine(Double)).open(b"\x04\x02\x01\x01")
    for each, flag, empty in zip(packets, flags, bare, strict=False):
        wire.send(each.side, each.start, b"" if empty else each.octets, flag)
    wire.tick(60_000 * MS)
    wire.tick(120_000 * MS)
    assert wire.verdicts.keys() == wire.sent.keys()
    assert wire.datapath.waiting == 0
    told = [each for each in wire.effects if isinstance(each, Emit) and isinstance(each.record, EngineFault)]
    assert count(wire.datapath, "exceptions") == len(told) <= 1


@pytest.mark.parametrize("limit", [1, 7, 255])
def test_after_close_nothing_passes_either_way(limit: int) -> None:
    wire = Wire(engine(Double)).open()
    wire.send(CLIENT, 0, b"ab!")
    for at in range(limit):
        wire.send(CLIENT, at, b"a")
        wire.send(SERVER, at, b"a")
    assert all(isinstance(wire.verdicts[handle], Drop) for handle in range(2, wire.handle + 1))
