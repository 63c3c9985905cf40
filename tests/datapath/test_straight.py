"""The straight way is a short cut: whatever comes, an engine without it does exactly the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.datapath import kept, reader
from appliance.datapath.effects import Effect, Emit
from appliance.datapath.reader import Reader
from appliance.flow import Side
from appliance.syslog import EngineFault
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG
from tests.datapath.double import Double
from tests.wire import CLIENT, MS, SERVER, Wire, count, engine

PSH = 0x08
FLAGS = st.sampled_from([ACK] * 6 + [ACK | PSH] * 3 + [PSH, ACK | FIN, ACK | URG, RST | ACK, SYN, SYN | ACK])


@dataclass(frozen=True)
class Step:
    side: Side
    beyond: int  # the next octet to be read: 0 is in order
    octets: bytes
    flags: int
    acked: int  # percent of what has been sent
    waits: int  # ms


def steps(alphabet: bytes) -> st.SearchStrategy[list[Step]]:
    """Mostly what comes next, sometimes anything."""
    one = st.builds(
        Step,
        st.sampled_from((CLIENT, SERVER)),
        st.sampled_from([0] * 8 + [-9, -3, -1, 1, 4]),
        st.sampled_from([alphabet[at : at + size] for size in (0, 1, 1, 2, 3) for at in range(len(alphabet))]),
        FLAGS,
        st.sampled_from([100] * 4 + [0, 50]),
        st.sampled_from([0] * 6 + [150, 6_000]),
    )
    return st.lists(one, min_size=8, max_size=20)


class Winding(Reader):
    """A reader without the short cut."""

    def straight_on(self, *_: object) -> None:
        return None


def without_places(effects: list[Effect]) -> list[Effect]:
    """A fault's record names the places it came through: these may differ."""
    return [
        Emit(replace(each.record, trace="", digest=""))
        if isinstance(each, Emit) and isinstance(each.record, EngineFault)
        else each
        for each in effects
    ]


def state(wire: Wire) -> list[object]:
    found = wire.datapath._find(wire.make(CLIENT)[12:24])
    if found is None:
        return []
    connection = found[0]
    streams = [
        (each.next, each.decided, each.fin, each.acked, each.window, each.edits.base, each.edits.read(0, each.next))
        for each in (connection.client, connection.server)
    ]
    octets = (connection.kept, wire.datapath._kept.octets, len(connection.client.edits) + len(connection.server.edits))
    stalls = wire.datapath._room._stalls.get(connection)
    return [connection.state, connection.last, connection.waiting, stalls, octets, *streams]


def assert_the_same(given_steps: list[Step], cookie: int, client_isn: int) -> None:
    """Both engines through all steps: the same effects, the same counts, the same left behind."""
    wires = [Wire(engine(Double), cookie=cookie, client_isn=client_isn).open(b"\x04\x02\x01\x01") for _ in range(2)]
    crooked = wires[1].datapath
    crooked._reader.__class__ = Winding
    sent = {CLIENT: 0, SERVER: 0}
    now = 0
    for each in given_steps:
        now += each.waits * MS
        done = []
        found = crooked._find(wires[1].make(each.side)[12:24])
        start = max(0, (found[2].next if found else 0) + each.beyond)
        for wire in wires:
            if now >= wire.datapath.next_deadline:
                done.append(without_places(wire.tick(now)))
            wire.now = now
            wire.acked[each.side.peer] = sent[each.side.peer] * each.acked // 100
            done.append(without_places(wire.send(each.side, start, each.octets, each.flags)))
        half = len(done) // 2
        assert done[:half] == done[half:]
        assert state(wires[0]) == state(wires[1])
        sent[each.side] = max(sent[each.side], start + len(each.octets))
    assert list(wires[0].datapath._count) == list(crooked._count)


@given(steps(b"abS\n"), st.sampled_from([0, 0, 123_456_789]), st.sampled_from([1_000, 2**32 - 20]))
@settings(max_examples=150)
def test_it_does_as_the_long_way_does(given_steps: list[Step], cookie: int, client_isn: int) -> None:
    assert_the_same(given_steps, cookie, client_isn)


@pytest.mark.parametrize("alphabet", [b"ah\nhS", b"ab>a", b"abc!a?a~a^a|", b"a=,S"])
@given(data=st.data())
@settings(max_examples=100)
def test_whatever_inspection_says(alphabet: bytes, data: st.DataObject) -> None:
    assert_the_same(data.draw(steps(alphabet)), 0, 1_000)


@pytest.mark.parametrize("bounds", [("SHARE", "MAX_KEPT"), ("SHARE",), ("SHARE", "PLENTY"), ("MAX_KEPT_IN_ALL",)])
@given(given_steps=steps(b"abS\n"))
@settings(max_examples=100)
def test_at_the_bounds(bounds: tuple[str, ...], given_steps: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for module, bound in ((module, bound) for module in (reader, kept) for bound in bounds):
            patched.setattr(module, bound, 2, raising=module is kept)
        assert_the_same(given_steps, 0, 1_000)


def test_a_dialogue_goes_straight_on() -> None:
    wire = Wire(engine(Double)).open()
    wire.datapath._reader._read = None  # type: ignore[assignment,method-assign]  # the long way fails
    wire.talk(
        [(SERVER, b"220\n"), (CLIENT, b"a"), (CLIENT, b"b\n"), (SERVER, b"250\n"), (CLIENT, b"S\n"), (SERVER, b"h")]
    )
    assert count(wire.datapath, "exceptions") == 0
    assert wire.got(CLIENT) == b"ab\nX\n"


def test_what_acknowledges_a_fin_that_stayed_in_the_kernel_goes_straight_on() -> None:
    """And of the client nothing is kept any more."""
    wire = Wire(engine(Double)).open()
    wire.talk([(SERVER, b"220\n"), (CLIENT, b"quit\n")])
    wire.datapath._reader._read = None  # type: ignore[assignment,method-assign]  # the long way fails
    wire.acked[CLIENT] = len(b"quit\n") + 1
    for at in range(3):
        wire.send(SERVER, 4 + 4 * at, b"221\n")
    assert count(wire.datapath, "exceptions") == 0
    (connection,) = wire.datapath._table
    assert (len(connection.client.edits), connection.client.window) == (0, 65_535)
