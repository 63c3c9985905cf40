"""The same random packets, orders and jumps of the clock through the model and through the kernel's program.

Numbers are drawn from a few, so that handshakes, acknowledgments and resets that fit come up often. Time moves in
steps of 7 s: no age is ever near a deadline, so the time the test itself takes does not matter. Reloads add statics and
classes, take them away, give them other names and lead them elsewhere, while connections of them live. `make limits`
runs some hundred thousand packets. Where the two disagree, the script is shortened here, step by step: it takes
hypothesis, which changes each number as well, minutes.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from appliance.flow import Side
from appliance.nat.classes import LimitedClass, Limits
from appliance.nat.connection import Event, Key, State
from appliance.nat.machine import Packet
from appliance.nat.static import End, Static
from appliance.nat.translation import PortMap
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
    SOME,
    WAYS,
    Model,
    Subject,
    key,
    limit,
    line,
    outbound,
    proxied_ack,
    proxied_syn,
    span,
    syn_ack,
)
from tests.bpf.tracking import Tracking

pytestmark = pytest.mark.root

EXAMPLES, STEPS = (2000, 60) if os.environ.get("FIXUP_LONG") else (150, 60)

Step = Callable[[Subject, Tracking], object]

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
    ports.map(lambda port: Key(SOME, 25, CLIENT, port)),
    ports.map(lambda port: Key(RENAMED, 25, CLIENT, port)),
    st.integers(1, 2).map(lambda port: Key(REAL, 25, FAR, 10 + port)),  # by its own address
)

#: Statics of which a reload takes some: no two with one name, or of one place.
RENAMED = IPv4Address("203.0.113.127")
STATICS = (
    *(Static("inside", "outside", mapped, real) for mapped in (MAPPED, RENAMED) for real in (REAL, OTHER)),
    *(Static("inside", "outside", own, own) for own in (REAL, OTHER)),
    *(
        Static("inside", "outside", mapped, real, ports=PortMap("tcp", real_port, 25))
        for mapped, real, real_port in ((POOL, DESK, 2500), (POOL, OTHER, 25), (MAPPED, OTHER, 25), (MAPPED, REAL, 25))
    ),
)


def beyond(key: Key, choice: int = 0) -> End | None:
    """What a client of the pool gets: one of two ports, which nobody else gets."""
    return (POOL, 10_000 + 2 * key.client_port + choice) if key.client == DESK else None


def place(key: Key) -> End | None:
    """Where a server is that only some may call so."""
    return (OTHER, key.port) if key.mapped == SOME else None


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
    if chosen and local and bits == SYN:
        ack = 0  # SYNPROXY opens nothing for whom a translation is chosen
    return Packet(of, side, bits, draw(numbers[side]), ack, payload, whole, local, chosen, place(of))


@st.composite
def statics(draw: st.DrawFn) -> tuple[Static, ...]:
    """The one of most keys and that of a port, or any that may be together, each with limits."""
    few = st.integers(0, 3)
    chosen = [STATICS[0], STATICS[6]]
    if draw(st.booleans()):
        chosen = []
        for each in draw(st.lists(st.sampled_from(STATICS), max_size=4)):
            if not {each.name, each.place} & {end for other in chosen for end in other.ends}:
                chosen.append(each)
    return tuple(replace(each, max_conns=draw(few), max_embryonic=draw(few)) for each in chosen)


def choosing(of: tuple[Static, ...]) -> frozenset[str]:
    """Where a pool is; and where a host and one of its ports are called by names of their own."""
    hosts, ports = ({each.real for each in of if bool(each.ports) is which} for which in (False, True))
    return frozenset({"inside", "outside"} if hosts & ports else {"inside"})


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Statics and up to two classes, the second of what the first does not match."""
    few, times = st.integers(0, 3), st.sampled_from((0, 0, 17, 634))
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
    found = draw(statics())
    known = choosing(found) | ({"outside"} if draw(st.booleans()) else set())  # of whom some may call otherwise
    ways = WAYS if "outside" not in known and draw(st.booleans()) else frozenset()
    return Limits(found, classes, tuple(rules), known, ways)


def handshake(key: Key, choice: int, as_far: int, subject: Subject, tracking: Tracking) -> object:
    said = []
    whole = (
        (Side.CLIENT, SYN, 100, 0),
        (Side.SERVER, SYN | ACK, 500, 101),
        (Side.CLIENT, ACK, 101, 501),
    )
    for side, bits, seq, ack in whole[:as_far]:
        packet = Packet(key, side, bits, seq, ack, beyond=beyond(key, choice), place=place(key))
        said.append(crosses(packet, subject, tracking))
    return said


def outlives(key: Key, limits: Limits) -> tuple[Step, ...]:
    """A connection is opened, a reload comes, and both sides end it."""
    end = [
        Packet(key, side, bits, seq, ack, beyond=beyond(key), place=place(key))
        for side, bits, seq, ack in (
            (Side.CLIENT, ACK | FIN, 101, 501),
            (Side.SERVER, ACK | FIN, 501, 102),
            (Side.CLIENT, ACK, 102, 502),
        )
    ]
    return partial(handshake, key, 0, 3), partial(reloads, limits), *(partial(crosses, packet) for packet in end)


def crosses(packet: Packet, subject: Subject, tracking: Tracking) -> object:
    """The packet comes in and, whatever is said of it there, leaves; as far as there is a way."""
    passes = tracking.passes(packet)
    comes = not packet.local and (passes or packet.side is Side.CLIENT)
    return subject.arrives(packet) if comes else None, subject.leaves(packet) if passes else None


def proxied(port: int, subject: Subject, tracking: Tracking) -> object:
    if not tracking.passes(proxied_syn(port)):
        return None
    said = subject.leaves(proxied_syn(port)), subject.arrives(syn_ack(port))
    return *said, subject.leaves(proxied_ack(port))


def arrives(packet: Packet, subject: Subject, tracking: Tracking) -> object:
    comes = not packet.local and (packet.side is Side.CLIENT or tracking.passes(packet))
    return subject.arrives(packet) if comes else None


def later(sevens: int, subject: Subject, _: Tracking) -> object:
    return subject.later(7 * sevens)


def sweep(subject: Subject, _: Tracking) -> object:
    return subject.sweep()


def reloads(limits: Limits, subject: Subject, _: Tracking) -> object:
    subject.later(11)  # a SYN that came in before it has left by now, or comes again
    return sorted(map(repr, subject.set_limits(limits)))


def asks(order: str, key: Key, subject: Subject, tracking: Tracking) -> object:
    """One of the orders that name a connection."""
    return getattr(subject, order)(key) if tracking.knows(key) else None


def calls(call: Callable[..., object], *drawn: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """Steps that are calls of this, with what is drawn."""
    return st.tuples(*drawn).map(lambda arguments: partial(call, *arguments))


single = st.one_of(
    calls(crosses, packets()),
    calls(crosses, packets()),
    calls(arrives, packets()),
    calls(handshake, keys, st.just(0), st.just(3)),
    calls(handshake, keys, st.just(0), st.integers(1, 3)),
    calls(handshake, keys, st.just(1), st.just(3)),
    calls(proxied, ports),
    calls(later, st.sampled_from((1, 3, 5, 90, 520))),
    calls(sweep),
    calls(asks, st.just("kill"), keys),
    calls(asks, st.just("release"), keys),
    calls(asks, st.just("clear"), keys),
    calls(reloads, limits()),
)
several = st.tuples(keys, limits()).map(lambda both: outlives(*both))
steps = st.integers(0, 7).flatmap(lambda one: single.map(lambda step: (step,)) if one else several)


def timeless(events: list[Event]) -> list[str]:
    """Events of one step, whose order among entries is nobody's business, without the clocks' difference."""
    bare = [
        replace(event, time=0) if not hasattr(event, "started") else replace(event, time=0, started=0)
        for event in events
    ]
    return sorted(map(repr, bare))


def disagreement(box: Any, script: Iterable[Step]) -> str:
    """Where the two first tell different things of a script, both begun anew; "" if they never do."""
    model = Model()
    box.empty()
    for subject in (model, box):
        limit(subject, 2, 2)
    for number, step in enumerate(script):
        said, done = step(model, box.tracking), step(box, box.tracking)
        box.tracking.follow(box.states())
        for what, one, other in (
            ("verdicts", said, done),
            ("states", model.states(), box.states()),
            ("uses", model.uses(), box.uses()),
            ("shares", model.shares(), box.shares()),
            ("events", timeless(model.events()), timeless(box.events())),
        ):
            if one != other:
                return f"{what} behind step {number}: by the model {one}, by the program {other}"
    return ""


def shortened(box: Any, script: list[Step]) -> list[Step]:
    """A script of which the two disagree, without the steps that do not matter to that."""
    for number in reversed(range(len(script))):
        less = script[:number] + script[number + 1 :]
        if disagreement(box, less):
            script = less
    return script


@given(script=st.lists(steps, min_size=STEPS, max_size=STEPS))
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
def test_program_and_model_agree(box: Any, script: list[tuple[Step, ...]]) -> None:
    whole = list(itertools.chain.from_iterable(script))
    if found := disagreement(box, whole):
        least = shortened(box, whole)
        pytest.fail("\n".join((*map(repr, least), disagreement(box, least) or f"once alone: {found}")))
