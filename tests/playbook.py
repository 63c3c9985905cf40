"""How engine tests are written: like the dialogue they are about.

`Playbook` is for facts: ``>>`` says what a side sends, ``<<`` the next fact the session states, in order, all of them:

    session >> client(b"NOOP\\r\\n") << Command("NOOP", ANY)

`everyhow` is for what the peers get: things sent are played through an `Inspector` in every way of cutting them into
segments, each of which must come to the same `Outcome`. Where inspection closes the connection the cut matters to
how much was released before; every way must then release a prefix of what byte by byte releases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from appliance.esmtp.events import Fact
from appliance.esmtp.session import Session
from appliance.flow import Side
from appliance.policy.actions import (
    Bypass,
    Defer,
    DropConnection,
    Hold,
    Log,
    MaliciousAddress,
    Mask,
    Oversize,
    Replaced,
    ResetConnection,
)
from appliance.policy.counters import BLOCK, MATCHES_BASE, Slot
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.inspector import Inspector
from appliance.policy.maps import InspectMap

#: An offset that does not matter to the test.
ANY = -1


@dataclass(frozen=True)
class Sent:
    """Octets one side sends. `commands`: they are command lines, so that row 4 says where they may be cut."""

    side: Side
    octets: bytes
    commands: bool = False


def client(octets: bytes) -> Sent:
    """The client sends command lines."""
    return Sent(Side.CLIENT, octets, commands=True)


def payload(octets: bytes) -> Sent:
    """The client sends octets that are no command lines: a message, a SASL line, TLS."""
    return Sent(Side.CLIENT, octets)


def server(octets: bytes) -> Sent:
    """The server sends."""
    return Sent(Side.SERVER, octets)


class Playbook:
    """A session under test; ``finish`` is an error while facts are left that nothing expected."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._offsets = dict.fromkeys(Side, 0)
        self._unclaimed: list[Fact] = []

    def __rshift__(self, sent: Sent) -> Playbook:
        self.finish()
        self._unclaimed = self.session.feed(sent.side, self._offsets[sent.side], sent.octets)
        self._offsets[sent.side] += len(sent.octets)
        return self

    def __lshift__(self, expected: Fact) -> Playbook:
        assert self._unclaimed, f"expected {expected}, but nothing more was stated"
        stated = self._unclaimed.pop(0)
        if expected.offset == ANY:
            expected = replace(expected, offset=stated.offset)
        assert stated == expected
        return self

    def finish(self) -> None:
        """Every fact must have been expected."""
        assert not self._unclaimed, f"not expected: {self._unclaimed}"


@dataclass
class Outcome:
    """What came of a script: what each side's peer got, what was said, and how it ended."""

    client: bytes = b""  # what the server got
    server: bytes = b""  # what the client got
    said: list[str] = field(default_factory=list)  # causes and 108002's lines, in order
    ended: str = ""  # the action that closed the connection, with its cause
    counters: list[int] = field(default_factory=list)

    def count(self, slot: Slot) -> int:
        """A fixed counter."""
        return self.counters[slot]

    def matched(self, number: int) -> int:
        """The counter of the map's match line `number`, from 1."""
        return self.counters[MATCHES_BASE + number - 1]


class Wire:
    """An inspector with streams around it: what is released, and what waits."""

    def __init__(self, inspect_map: InspectMap = DEFAULT_MAP) -> None:
        self.counters = [0] * BLOCK
        self.inspector = Inspector(inspect_map, self.counters)
        self.streams = {side: bytearray() for side in Side}
        self.released = dict.fromkeys(Side, 0)
        self.said: list[str] = []
        self.ended = ""
        self.actions: list[object] = []

    def send(self, side: Side, octets: bytes, now: int = 0) -> None:
        """One segment at `now` (ns). Nothing passes a connection that was closed."""
        if self.ended.startswith("bypass"):
            self.streams[side] += octets
            self.released[side] = len(self.streams[side])
        elif not self.ended:
            stream = self.streams[side]
            stream += octets
            self.apply(side, self.inspector.inspect(side, len(stream) - len(octets), octets, now), len(octets))

    def apply(self, side: Side, actions: object, new: int = 0) -> None:
        """Do what the inspector says."""
        holds: int | None = None
        for action in actions:
            self.actions.append(action)
            match action:
                case Mask(side=of, start=start, octets=octets):
                    assert start >= self.released[of], "a released octet is changed"
                    assert start + len(octets) <= len(self.streams[of])
                    self.streams[of][start : start + len(octets)] = octets
                case Hold(side=of, start=start):
                    assert of is Side.SERVER
                    holds = start
                case Log(cause=cause, masked=masked):
                    self.said.append(f"masked: {cause}" if masked else str(cause))
                case Defer(start=start, until=until):
                    self.said.append(f"deferred {bytes(self.streams[Side.CLIENT][start:])!r} until {until}")
                case Oversize(declared=declared, actual=actual):
                    self.said.append(f"size {actual}, declared {declared}")
                case Replaced(line=line):
                    self.said.append(f"replaced {line!r}")
                case DropConnection(cause=cause) | ResetConnection(cause=cause):
                    self.ended = f"{type(action).__name__}: {cause}"
                case MaliciousAddress(address=address):
                    self.ended = f"malicious address {address!r}"
                case Bypass(log=log):
                    self.ended = f"bypass, log {log}"
        if self.ended and not self.ended.startswith("bypass"):
            del self.streams[side][len(self.streams[side]) - new :]
            return
        for each in Side:
            self.released[each] = len(self.streams[each])
        if holds is not None:
            assert holds < len(self.streams[Side.SERVER])
            self.released[Side.SERVER] = holds

    def outcome(self) -> Outcome:
        """What has come of it so far."""
        got = {side: bytes(self.streams[side][: self.released[side]]) for side in Side}
        return Outcome(got[Side.CLIENT], got[Side.SERVER], self.said, self.ended, self.counters)


Cut = list[tuple[Side, bytes]]


def whole(*script: Sent) -> Cut:
    """Everything sent in one segment each."""
    return [(each.side, each.octets) for each in script]


def play(segments: Cut, inspect_map: InspectMap = DEFAULT_MAP) -> Outcome:
    """The outcome of one way to cut."""
    wire = Wire(inspect_map)
    for side, octets in segments:
        wire.send(side, octets)
    return wire.outcome()


def pieces(sent: Sent) -> list[bytes]:
    """`sent` octet by octet, but for the beginnings of command lines (row 4): their first five octets stay together."""
    if not sent.commands:
        return [sent.octets[at : at + 1] for at in range(len(sent.octets))]
    found: list[bytes] = []
    for line in re.findall(rb"[^\n]*\n|[^\n]+", sent.octets):
        if len(line) < 4 and not line.endswith(b"\n") and found:
            found[-1] += line  # alone it would be typed by hand
            continue
        found.append(line[:5])
        found.extend(line[at : at + 1] for at in range(5, len(line)))
    return found


def cuts(script: list[Sent]) -> Iterator[Cut]:
    """Whole, byte by byte, and every two-way split."""
    uncut = whole(*script)
    yield uncut
    yield [(each.side, piece) for each in script for piece in pieces(each)]
    for number, each in enumerate(script):
        at = 0
        for piece in pieces(each)[:-1]:
            at += len(piece)
            halves = [(each.side, each.octets[:at]), (each.side, each.octets[at:])]
            yield [*uncut[:number], *halves, *uncut[number + 1 :]]


def everyhow(*script: Sent, inspect_map: InspectMap = DEFAULT_MAP) -> Outcome:
    """Play `script` in every way of cutting it; the outcome, which is the same for all (that of byte by byte)."""
    ways = cuts(list(script))
    coarsest = play(next(ways), inspect_map)
    finest = play(next(ways), inspect_map)
    for outcome in [coarsest, *(play(way, inspect_map) for way in ways)]:
        if finest.ended:
            assert outcome.ended == finest.ended
            assert finest.client.startswith(outcome.client)
            assert finest.server.startswith(outcome.server)
        else:
            assert outcome == finest
    return finest


def accepted(*commands: bytes) -> list[Sent]:
    """Each command sent and answered 250."""
    return [each for command in commands for each in (client(command), server(b"250 ok\r\n"))]


#: A session up to its first command, and up to the message.
GREETED = (server(b"220 mx ESMTP\r\n"),)
HELLO = (*GREETED, client(b"EHLO a.example\r\n"), server(b"250-mx\r\n250 PIPELINING\r\n"))
IN_MESSAGE = (
    *HELLO,
    *accepted(b"MAIL FROM:<a@example.com>\r\n", b"RCPT TO:<b@example.net>\r\n"),
    client(b"DATA\r\n"),
    server(b"354 go\r\n"),
)
