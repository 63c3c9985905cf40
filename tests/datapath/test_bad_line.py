"""Two hosts that keep to TCP, a firewall between them, and a line that loses, doubles, delays and contradicts itself.

Hosts send again in other pieces than at first, merged or split; they send keep-alives and window probes, acknowledge
by numbers that wrap, with SACK blocks and timestamps; some contradict what they sent before. The line is bad on both
sides of the firewall, so what was let go is not yet received. Whatever happens, a receiver gets the octets of a dumb
oracle that knows only when which octets reached the firewall, and in the end both have everything.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from random import Random

import pytest

from appliance.datapath.effects import SendSack
from appliance.flow import Side
from appliance.tcp.connection import MAX_WAIT
from appliance.tcp.segment import ACK, FIN
from tests.datapath.double import Double
from tests.datapath.test_invariants import Oracle, masked
from tests.wire import CLIENT, MS, SECOND, SERVER, Wire, count, engine, segment

SIDES = (CLIENT, SERVER)
LONG = bool(os.environ.get("FIXUP_LONG"))  # `make soak`
#: Conversations are played in so many tests, so many in each; every one has two streams.
TESTS, IN_A_TEST = (40, 500) if LONG else (20, 50)
WINDOW = 120  # octets a host has under way at most
PIECE = 40  # octets of a segment at most
SACK_PERMITTED = b"\x04\x02\x01\x01"
FAR = 1 << 30  # the furthest that is held
END = b"$"  # the FIN, which to the oracle is an octet like any other


@dataclass
class Host:
    """One end: what it has to say, what it heard, and how far either got."""

    side: Side
    says: bytes
    liar: bool
    got: dict[int, int] = field(default_factory=dict)  # by offset of the peer's stream
    heard: int = 0  # octets received without a gap
    peers_end: int | None = None  # where its FIN was
    acked: int = 0  # of its own stream, the FIN's number included

    @property
    def acknowledges(self) -> int:
        """What it acknowledges: the next octet it expects, behind a FIN one more."""
        return self.heard + (self.heard == self.peers_end)

    @property
    def over(self) -> bool:
        """All it said is acknowledged, its FIN too, and it has heard the peer's."""
        return self.acked > len(self.says) and self.heard == self.peers_end


class Line:
    """A conversation: two hosts, the firewall, and packets under way before and behind it."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = Random(seed)
        self.clock = dice.random() < 0.5  # runs; then no line is held, which time would decide
        alphabet = b"abS=\n" if self.clock else b"abhS=\n\n"
        liars = {CLIENT: dice.random() < 0.5, SERVER: self.clock and dice.random() < 0.5}
        self.hosts = {
            side: Host(side, bytes(dice.choices(alphabet, k=dice.randrange(400))) + b"\n", liars[side])
            for side in SIDES
        }
        isns = {name: (2**32 - dice.randrange(1, 500)) if dice.random() < 0.7 else dice.randrange(2**32)
                for name in ("client_isn", "server_isn")}  # fmt: skip
        cookie = dice.randrange(1_000, 2**32 - 1_000) if dice.random() < 0.2 else 0
        self.wire = Wire(engine(Double), cookie=cookie, **isns).open(SACK_PERMITTED)
        self.oracles = {side: Oracle() for side in SIDES}
        self.before: list[
            tuple[Side, int, bytes, bytes]
        ] = []  # sender, offset, octets, packet: not yet at the firewall
        self.behind: list[tuple[Side, bytes]] = []  # sender, packet: let go and not received
        self.went = 1  # packets the firewall let go and that were put behind it
        self.stamp = 1_000

    # --- what hosts send ----------------------------------------------------------------------------------------

    def speak(self, host: Host) -> None:
        """A segment of any kind that a host may send now."""
        dice, end, una = self.dice, len(host.says), min(host.acked, len(host.says))
        reach = min(end, una + WINDOW)
        kind = dice.random()
        if kind < 0.1:  # a keep-alive, with its octet of nothing or without
            self.put(host, host.acked - 1, b"\0" * (host.acked <= end and dice.random() < 0.5))
        elif kind < 0.2:  # an acknowledgment alone
            self.put(host, host.acked, b"")
        elif kind < 0.23 and host.liar:
            self.put(host, una + dice.choice([500, FAR - 1_000, FAR + 1_000]), b"S far ahead")
        elif una == end:
            self.put(host, end, b"", ACK | FIN)
        else:  # the first octets nobody acknowledged, a window probe among them, or any others within reach
            start = una if kind < 0.5 else dice.randrange(max(0, una - 20), reach)
            stop = min(end, start + dice.choice([1, dice.randrange(1, PIECE)]))
            octets = host.says[start:stop]
            if host.liar and dice.random() < 0.3:
                octets = bytes(dice.choices(b"abS=", k=len(octets)))
            fin = FIN if stop == end and dice.random() < 0.2 else 0
            self.put(host, start, octets, ACK | fin)

    def put(self, host: Host, start: int, octets: bytes, flags: int = ACK) -> None:
        """Onto the line, with the acknowledgment a host gives now, and options of any length."""
        dice = self.dice
        self.stamp += 1
        options = b"\x01\x01\x08\x0a" + self.stamp.to_bytes(4, "big") + b"\0\0\0\1"
        for _ in range(dice.randrange(4)):
            options += dice.choice([b"\x01\x01\x05\x0a" + dice.randbytes(8), b"\x01\x01\x01\x01", b"\xfd\x04\0\1"])
        self.wire.acked[host.side.peer] = host.acknowledges
        packet = self.wire.make(host.side, start, octets, flags, options=options[:40] if len(options) <= 40 else b"")
        self.before.append((host.side, start, octets, packet))

    # --- what the line does -------------------------------------------------------------------------------------

    def carry(self) -> None:
        """One packet reaches the firewall: any one, and perhaps once more later."""
        at = self.dice.randrange(min(len(self.before), 8))
        side, start, octets, packet = self.before[at]
        if self.dice.random() < 0.9:
            del self.before[at]
        self.arrive(side, start, octets, packet)

    def arrive(self, side: Side, start: int, octets: bytes, packet: bytes) -> None:
        wire, oracle, sent = self.wire, self.oracles[side], segment(packet)
        known = len(wire.told)
        wire.give(packet, side)
        if sent.flags & FIN:
            octets += END
        if start - len(oracle.stream) <= FAR and octets:
            oracle.arrive(start, octets)
        for each in wire.told[known:]:
            self.check_sack(each)
        self.collect()

    def wait(self, time: int) -> None:
        """Time passes; what waited longer than it may is gone, as if it had not come."""
        self.wire.tick(self.wire.now + time)
        if time > MAX_WAIT:
            for oracle in self.oracles.values():
                oracle.waiting.clear()
        self.collect()

    def collect(self) -> None:
        """What the firewall has let go since is on its way to the receiver."""
        for handle in self.wire.order[self.went :]:
            given, gone = self.wire.sent[handle], self.wire.went(handle) or b""
            self.check_headers(given, gone)
            sender = CLIENT if gone[20:22] == self.wire.client[1].to_bytes(2, "big") else SERVER
            self.check_octets(sender, gone)
            self.behind.append((sender, gone))
        self.went = len(self.wire.order)

    def hear(self) -> None:
        """One packet is received: any one, and perhaps once more later."""
        at = self.dice.randrange(min(len(self.behind), 8))
        sender, packet = self.behind[at]
        if self.dice.random() < 0.9:
            del self.behind[at]
        self.receive(sender, packet)

    def receive(self, sender: Side, packet: bytes) -> None:
        wire, host, found = self.wire, self.hosts[sender.peer], segment(packet)
        start = (found.seq - wire.first(sender) + 2**31) % 2**32 - 2**31
        for offset, octet in enumerate(found.payload, start):
            if offset >= host.heard:
                host.got[offset] = octet
        while host.heard in host.got:
            host.heard += 1
        if found.flags & FIN:
            host.peers_end = start + len(found.payload)
        ahead = wire.cookie if sender is CLIENT else 0
        acked = (found.ack - ahead - wire.first(sender.peer)) % 2**32
        if acked <= len(host.says) + 1:
            host.acked = max(host.acked, acked)

    # --- what must be so ----------------------------------------------------------------------------------------

    def check_headers(self, given: bytes, gone: bytes) -> None:
        """Nothing of a packet's headers differs but the checksum and the timestamp it was raised to."""
        before, after = segment(given), segment(gone)
        assert given[: before.tcp + 16] == gone[: after.tcp + 16]
        kept, now = (bytearray(each.packet[each.tcp + 18 : each.start]) for each in (before, after))
        kept[6:10] = now[6:10]
        assert kept == now

    def check_octets(self, sender: Side, gone: bytes) -> None:
        """Each octet is the oracle's, masked; or NUL where it is acknowledged."""
        found, value = segment(gone), masked(self.oracles[sender].stream)
        start = (found.seq - self.wire.first(sender) + 2**31) % 2**32 - 2**31
        for offset, octet in enumerate(found.payload, start):
            acknowledged = offset < self.wire.acked[sender]
            assert (octet == 0 and acknowledged) or (offset >= 0 and octet == value[offset]), f"{sender} {offset}"

    def check_sack(self, told: SendSack) -> None:
        """It tells of octets that do wait."""
        oracle, first = self.oracles[CLIENT], self.wire.first(CLIENT)
        waits = {at for begin, octets in oracle.waiting for at in range(begin, begin + len(octets))}
        for run in told.runs:
            left, right = ((each - first) % 2**32 for each in run)
            assert waits.issuperset(range(left, right))
            assert len(oracle.stream) < left < right

    # --- the conversation ---------------------------------------------------------------------------------------

    def play(self) -> None:
        """Anything, in any order; then both hosts go on until they are done, over a line that has become good."""
        dice = self.dice
        for _ in range(dice.randrange(20, 300)):
            action = dice.random()
            if action < 0.4:
                self.speak(self.hosts[dice.choice(SIDES)])
            elif action < 0.65 and self.before:
                self.carry()
            elif action < 0.9 and self.behind:
                self.hear()
            elif action < 0.95:  # lost
                for lost in (self.before, self.behind):
                    if lost:
                        lost.pop(dice.randrange(len(lost)))  # type: ignore[attr-defined]  # either list
            elif self.clock:
                self.wait(dice.choice([10 * MS, 6 * SECOND]))
        self.finish()

    def finish(self) -> None:
        for _ in range(80):
            if all(host.over for host in self.hosts.values()):
                break
            for host in self.hosts.values():
                una, end = min(host.acked, len(host.says)), len(host.says)
                for start in range(una, min(end, una + WINDOW), PIECE):
                    self.put(host, start, host.says[start : min(end, start + PIECE)])
                self.put(host, end, b"", ACK | FIN)
            while self.before or self.behind:
                while self.before:
                    self.arrive(*self.before.pop(0))
                while self.behind:
                    self.receive(*self.behind.pop(0))

    def check(self) -> None:
        wire = self.wire
        for side, host in self.hosts.items():
            heard = bytes(host.got[at] for at in range(host.heard))
            assert heard + END == masked(self.oracles[side.peer].stream)
            assert heard == masked(Double.made[-1].seen[side.peer])
            assert len(heard) == len(self.hosts[side.peer].says), "all of it"
            if not self.hosts[side.peer].liar:
                assert heard == masked(self.hosts[side.peer].says)
            assert host.over
        for host in self.hosts.values():  # the acknowledgments of both FINs
            self.put(host, len(host.says) + 1, b"")
            self.arrive(*self.before.pop())
        wire.tick(wire.now + 60 * SECOND)
        assert wire.verdicts.keys() == wire.sent.keys()
        assert (wire.datapath.waiting, count(wire.datapath, "exceptions")) == (0, 0)
        total = sum(len(host.says) for host in self.hosts.values())
        assert count(wire.datapath, "octets_inspected") == count(wire.datapath, "octets_released") == total
        if not wire.cookie:
            assert wire.datapath._kept.octets == 0, "all was acknowledged"


@pytest.mark.parametrize("block", range(TESTS))
def test_both_hear_the_oracles_octets_and_all_of_them(block: int) -> None:
    for seed in range(block * IN_A_TEST, (block + 1) * IN_A_TEST):
        line = Line(seed)
        try:
            line.play()
            line.check()
        except AssertionError as error:
            raise AssertionError(f"conversation {seed}") from error
