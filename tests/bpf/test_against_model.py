"""The same random packets, orders and jumps of the clock through the model and through the kernel's program.

Numbers are drawn from a few, so that handshakes, acknowledgments and resets that fit come up often. Time moves in
steps of 7 s: no age is ever near a deadline, so the time the test itself takes does not matter. `make limits` runs
some hundred thousand packets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.flow import Side
from appliance.nat.classes import LimitedClass, Limits
from appliance.nat.connection import Event, Key, State
from appliance.nat.machine import Packet
from appliance.nat.static import End
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG
from tests.admission import (
    CLIENT,
    COOKIE,
    DESK,
    FAR,
    MAPPED,
    OTHER,
    POOL,
    REAL,
    Model,
    Subject,
    key,
    limit,
    limits_of,
    line,
    outbound,
    proxied_ack,
    proxied_syn,
    span,
    static,
    syn_ack,
)

pytestmark = pytest.mark.root

EXAMPLES, STEPS = (2000, 60) if os.environ.get("FIXUP_LONG") else (150, 60)

Step = Callable[[Subject], object]

ports = st.integers(1, 4)
keys = st.one_of(
    ports.map(key),
    ports.map(key),
    st.integers(1, 2).map(lambda port: Key(MAPPED, 25, FAR, port)),
    st.integers(1, 2).map(lambda port: outbound(REAL, 25, CLIENT, port)),  # from the other end of the same tuples
    st.integers(1, 2).map(lambda port: outbound(OTHER, port, FAR, 25)),
    st.integers(1, 2).map(lambda port: Key(OTHER, 25, CLIENT, port)),
    st.integers(1, 2).map(lambda port: Key(POOL, 25, CLIENT, port)),  # by a static of one port
    st.integers(1, 2).map(lambda port: outbound(DESK, port, FAR, 25)),  # from a pool
    st.integers(1, 2).map(lambda port: outbound(DESK, port, FAR, 25)),
)


def beyond(key: Key, choice: int = 0) -> End | None:
    """What a client of the pool gets: one of two ports, which nobody else gets."""
    return (POOL, 10_000 + 2 * key.client_port + choice) if key.client == DESK else None


flags = st.sampled_from((SYN, SYN | ACK, ACK, ACK, ACK, ACK | FIN, RST, RST | ACK, SYN | FIN, ACK | URG, 0))
numbers = {
    Side.CLIENT: st.sampled_from((100, 101, 101, 102, 103, 900, 901)),
    Side.SERVER: st.sampled_from((500, 501, 501, 502, 503, 65536, COOKIE, COOKIE + 1, COOKIE + 2)),
}


@st.composite
def packets(draw: st.DrawFn) -> Packet:
    side = draw(st.sampled_from(Side))
    bits = draw(flags)
    ack = draw(numbers[side.peer]) if bits & ACK else 0
    payload = draw(st.sampled_from((0, 0, 1, 8)))
    whole = bool(payload == 0 or bits & (SYN | FIN | RST) or draw(st.booleans()))
    local = draw(st.sampled_from((False, False, False, True)))
    if local and bits == SYN:
        ack = draw(st.sampled_from((0, COOKIE)))  # the firewall's own connection, or SYNPROXY's
    of = draw(keys)
    chosen = beyond(of, draw(st.sampled_from((0, 0, 0, 1))))
    return Packet(of, side, bits, draw(numbers[side]), ack, payload, whole, local, chosen)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """The static's limits and up to two classes, the second of what the first does not match."""
    few, times = st.integers(0, 3), st.sampled_from((0, 0, 14, 630))
    classes = tuple(
        LimitedClass(
            *("global_policy", None, name),
            *(draw(few), draw(few), draw(few), draw(few)),
            lifetimes={state: seconds for state in State if state is not State.WAITING and (seconds := draw(times))},
            resets=draw(st.booleans()),
        )
        for name in draw(st.sampled_from(((), ("one",), ("one", "two"))))
    )
    rules = [line(each) for each in classes]
    if classes and draw(st.booleans()):
        rules[0] = line(classes[0], destination_ports=span(25, 25), source_ports=span(2, 3, but=draw(st.booleans())))
    if classes and draw(st.booleans()):
        rules.insert(0, line(None, interface=draw(st.sampled_from((None, "inside"))), otherwise=2))
    return limits_of(static(draw(few), draw(few)), draw(few), classes, tuple(rules))


def handshake(key: Key, choice: int = 0) -> Step:
    def shake(subject: Subject) -> object:
        said = []
        for side, bits, seq, ack in (
            (Side.CLIENT, SYN, 100, 0),
            (Side.SERVER, SYN | ACK, 500, 101),
            (Side.CLIENT, ACK, 101, 501),
        ):
            packet = Packet(key, side, bits, seq, ack, beyond=beyond(key, choice))
            said += [subject.arrives(packet), subject.leaves(packet)]
        return said

    return shake


def proxied(port: int) -> Step:
    return lambda subject: (
        subject.leaves(proxied_syn(port)),
        subject.arrives(syn_ack(port)),
        subject.leaves(proxied_ack(port)),
    )


def _crossing(packet: Packet) -> Step:
    if packet.local:
        return lambda subject: subject.leaves(packet)
    return lambda subject: (subject.arrives(packet), subject.leaves(packet))


def _arriving(packet: Packet) -> Step:
    return lambda subject: None if packet.local else subject.arrives(packet)


def _later(sevens: int) -> Step:
    return lambda subject: subject.later(7 * sevens)


def _sweep(subject: Subject) -> object:
    return subject.sweep()


steps = st.one_of(
    packets().map(_crossing),
    packets().map(_crossing),
    packets().map(_arriving),
    keys.map(handshake),
    keys.map(handshake),
    keys.map(lambda key: handshake(key, 1)),
    ports.map(proxied),
    st.sampled_from((1, 3, 5, 90, 520)).map(_later),
    st.just(_sweep),
    keys.map(lambda key: lambda subject: subject.kill(key)),
    keys.map(lambda key: lambda subject: subject.release(key)),
    keys.map(lambda key: lambda subject: subject.clear(key)),
    limits().map(lambda limits: lambda subject: subject.set_limits(limits)),
)


def timeless(events: list[Event]) -> list[str]:
    """Events of one step, whose order among entries is nobody's business, without the clocks' difference."""
    bare = [
        replace(event, time=0) if not hasattr(event, "started") else replace(event, time=0, started=0)
        for event in events
    ]
    return sorted(map(repr, bare))


@given(script=st.lists(steps, min_size=STEPS, max_size=STEPS))
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
def test_program_and_model_agree(box: Any, script: list[Step]) -> None:
    model = Model()
    subjects: tuple[Subject, Subject] = (model, box)
    box.empty()
    for subject in subjects:
        limit(subject, 2, 2)
    for step in script:
        said, done = step(model), step(box)
        assert said == done
        assert model.states() == box.states()
        assert model.use() == box.use()
        assert model.shares() == box.shares()
        assert timeless(model.events()) == timeless(box.events())
    assert model.table.total((MAPPED, 0)) == box.use()[0]
