"""Admission and the life of a connection to a static, as a pure model: the specification of bpf/connlimit.bpf.c.

`ingress` is what the kernel's program does with a packet before the rules, `egress` what it does with one they let
through. Ingress only looks; places are taken and states change at egress, so that what was dropped between the two
has changed nothing. The model keeps no count: a place is taken by an entry that holds one, and the counts are the
table's own recount. That makes it the oracle the kernel's locked counters are tested against.

Rules: design section 2 (look at ingress, count at egress; WAITING; SYNPROXY's SYN adopted at egress), section 3 rows
14 (DEAD), 15 (max_conns), 16 (embryonic: TCP Intercept), 21 (the server opens nothing towards its client); asa.md 5.4,
5.5 (timeouts). Times are ns of whatever clock the caller passes.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from appliance.flow import Side
from appliance.nat.connection import Built, Ending, Event, Key, Limit, Refused, State, Stranded, TornDown
from appliance.nat.static import Static
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG
from appliance.tcp.seq import first_octet, to_offset, to_seq

#: a pure ACK is queued when what it acknowledges lies in another 64 KiB than what was acknowledged before
ACK_SHIFT = 16

#: a limit that refuses is told of once in this time (ns), whatever a flood brings
TELL_EVERY = 1_000_000_000

EMBRYONIC = frozenset({State.SYN, State.SYN_ACK})
#: the handshake's answer is known, nothing is over: packets that carry nothing need not be inspected
OPEN = frozenset({State.SYN_ACK, State.ESTABLISHED, State.HALF_CLOSED, State.CLOSING})
#: over but for the place: a SYN takes it
REPLACEABLE = frozenset({State.CLOSING, State.DEAD})


def lifetimes(conn: int, half_closed: int, embryonic: int, handshake: int) -> dict[State, int]:
    """How long an entry lives in each state: since the SYN while embryonic, else since its last packet.

    All in the same unit. `handshake` is how long conntrack remembers a SYN that got no answer.
    """
    return {
        State.SYN: embryonic,
        State.SYN_ACK: embryonic,
        State.ESTABLISHED: conn,
        State.HALF_CLOSED: half_closed,
        State.CLOSING: half_closed,
        State.DEAD: half_closed,
        State.WAITING: handshake,
    }


class Verdict(enum.Enum):
    """What becomes of a packet."""

    PASS = "pass"
    SKIP = "skip"  # it passes, and need not be inspected
    INTERCEPT = "intercept"  # a SYN that SYNPROXY is to answer
    FULL = "full"  # an ACK that may bring a cookie back, and no place for it: its client is to be reset
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Packet:
    """A TCP packet of a connection to a static; `flags` as in the header, `payload` in octets.

    Numbers are those on the wire: a client whose SYN was intercepted counts the server's octets from the cookie, which
    SYNPROXY's own SYN carries as its `ack`.
    """

    key: Key
    side: Side
    flags: int
    seq: int = 0
    ack: int = 0
    payload: int = 0
    whole: bool = True  # not the first fragment of one
    local: bool = False  # the firewall's own: SYNPROXY's, or an RST

    @property
    def opens(self) -> bool:
        """It opens a connection, whatever else it carries."""
        return self.flags & (SYN | ACK | RST) == SYN

    @property
    def plain_syn(self) -> bool:
        """A SYN and nothing that would have to be inspected."""
        return self.opens and self.whole and not self.payload and not self.flags & (FIN | URG)

    @property
    def proxied(self) -> bool:
        """SYNPROXY's own SYN: no other carries an acknowledgment number."""
        return self.local and self.side is Side.CLIENT and self.opens and self.ack != 0

    @property
    def acknowledges(self) -> bool:
        """An ACK that neither opens nor ends anything, whatever it carries."""
        return self.flags & (SYN | FIN | RST | ACK) == ACK

    @property
    def pure_ack(self) -> bool:
        """An ACK and nothing that would have to be inspected."""
        return self.flags & (SYN | FIN | RST | ACK | URG) == ACK and self.whole and not self.payload


@dataclass(slots=True)
class Entry:
    """A connection. `next` is the number behind what a side has sent, `acked` the highest it has acknowledged.

    All numbers are the server's own; `delta` is what an intercepted client adds to them. Until the server's number is
    known its SYN counts as 0.
    """

    state: State
    started: int
    last: int
    next: dict[Side, int]
    acked: dict[Side, int]
    octets: int = 0
    spoken: set[Side] = field(default_factory=set)  # payload was seen from
    fin: set[Side] = field(default_factory=set)
    bypass: bool = False
    delta: int | None = None  # of an intercepted connection


class Table:
    """The connections to some statics."""

    def __init__(self, statics: Sequence[Static], lifetimes: Mapping[State, int]) -> None:
        self.statics = {static.mapped: static for static in statics}
        self.lifetimes = lifetimes  # ns
        self.entries: dict[Key, Entry] = {}
        self.events: list[Event] = []
        self.told: dict[tuple[IPv4Address, Limit], int] = {}  # when the last event spoke of it

    def total(self, mapped: IPv4Address) -> int:
        """Places taken at `mapped`; DEAD connections hold theirs, WAITING ones have none."""
        return sum(key.mapped == mapped and entry.state is not State.WAITING for key, entry in self.entries.items())

    def embryonic(self, mapped: IPv4Address) -> int:
        """Half-open connections at `mapped`."""
        return sum(key.mapped == mapped and entry.state in EMBRYONIC for key, entry in self.entries.items())

    def ingress(self, packet: Packet, now: int) -> Verdict:
        """A packet arrives: what is dropped before the rules see it, and what need not be inspected."""
        entry = self.entries.get(packet.key)
        if packet.opens:
            if packet.side is Side.SERVER:
                return Verdict.DROP if entry else Verdict.PASS
            return self._look(packet, entry, now)
        if entry is None:
            cookie = packet.side is Side.CLIENT and packet.acknowledges
            return Verdict.FULL if cookie and self._full(packet.key.mapped) else Verdict.PASS
        if entry.state is State.DEAD:
            self._server_lets_go(packet)
            return Verdict.DROP
        if entry.delta is not None and packet.side is Side.CLIENT:
            packet = _as_server_counts(packet, entry.delta)
        return Verdict.SKIP if _skips(entry, packet) else Verdict.PASS

    def egress(self, packet: Packet, now: int) -> Verdict:
        """A packet was let through: what it changes, and what is dropped after all."""
        entry = self.entries.get(packet.key)
        if packet.local and not packet.proxied:
            self._our_own(packet, entry, now)
            passes = True
        elif packet.opens and packet.side is Side.CLIENT:
            passes = self._admit(packet, entry, now)
        elif entry is None:
            passes = not (
                packet.side is Side.SERVER and packet.flags & SYN and packet.flags & ACK and self._limited(packet)
            )
        elif packet.opens:
            passes = False
        elif entry.state is State.DEAD:
            self._server_lets_go(packet)
            passes = False
        else:
            if packet.side is Side.SERVER and entry.delta is not None:
                packet = renumbered(packet, entry) if packet.flags & RST else packet
                packet = _as_server_counts(packet, entry.delta)
            passes = not _behind_fin(entry, packet)
            if passes:
                self._follow(packet, entry, now)
        return Verdict.PASS if passes else Verdict.DROP

    def kill(self, key: Key, now: int) -> bool:
        """Inspection closes the connection: it is DEAD, and reported as over."""
        entry = self.entries.get(key)
        if entry is None or entry.state in (State.DEAD, State.WAITING):
            return False
        self._report(key, entry, Ending.INSPECTION, now)
        entry.state, entry.last = State.DEAD, now
        return True

    def release(self, key: Key) -> bool:
        """Inspection is done with the connection."""
        entry = self.entries.get(key)
        if entry is None or entry.bypass:
            return False
        entry.bypass = True
        return True

    def clear(self, keys: Iterable[Key], now: int) -> int:
        """``clear conn``: how many there were."""
        found = [key for key in keys if key in self.entries]
        for key in found:
            self._end(key, Ending.CLEARED, now)
        return len(found)

    def sweep(self, now: int) -> int:
        """End what has outlived its state: how many."""
        over = []
        for key, entry in self.entries.items():
            since = entry.started if entry.state in EMBRYONIC else entry.last
            if now - since >= self.lifetimes[entry.state]:
                over.append(key)
        for key in over:
            self._end(key, _expiry(self.entries[key].state), now)
        return len(over)

    def _look(self, packet: Packet, entry: Entry | None, now: int) -> Verdict:
        """A SYN before the rules. One that has waited takes its place here: conntrack knows it already."""
        passes = Verdict.SKIP if packet.plain_syn else Verdict.PASS
        if entry is None:
            match self._reached(packet, now):
                case None:
                    return passes
                case Limit.EMBRYONIC if packet.plain_syn:
                    return Verdict.INTERCEPT
                case _:
                    return Verdict.DROP
        if entry.state is State.WAITING:
            return passes if self._admit(packet, entry, now) else Verdict.DROP
        begun = entry.delta is not None and entry.state in EMBRYONIC  # what SYNPROXY has begun, it ends
        return Verdict.INTERCEPT if begun and packet.plain_syn else passes

    def _admit(self, packet: Packet, entry: Entry | None, now: int) -> bool:
        """A SYN takes a place, or the one that the connection before it on its tuple still holds."""
        if entry is not None and entry.state is not State.WAITING:
            if entry.state not in REPLACEABLE:
                _syn_again(packet, entry, now)
                return True
            if entry.state is not State.DEAD:  # of which that was said when it died
                self._report(packet.key, entry, Ending.REPLACED, now)
        elif self._reached(packet, now, asked=(Limit.MAX_CONNS,)):
            if packet.proxied:
                self._strand(packet.key, packet.ack, first_octet(packet.seq), now)
            elif entry is None:
                self.entries[packet.key] = _fresh(packet, State.WAITING, now)
            return False
        self.entries[packet.key] = _fresh(packet, State.SYN, now)
        self.events.append(Built(packet.key, self._real(packet.key), now))
        return True

    def _reached(self, packet: Packet, now: int, asked: Sequence[Limit] = tuple(Limit)) -> Limit | None:
        """The limit that has no room for one more, told as an event; max_conns is asked first."""
        static = self.statics[packet.key.mapped]
        rows = {
            Limit.MAX_CONNS: (self.total(static.mapped), static.max_conns),
            Limit.EMBRYONIC: (self.embryonic(static.mapped), static.max_embryonic),
        }
        for which in asked:
            count, limit = rows[which]
            if limit and count >= limit:
                told = self.told.get((static.mapped, which))
                if told is None or now - told >= TELL_EVERY:
                    self.told[static.mapped, which] = now
                    self.events.append(Refused(packet.key, static.real, which, count, limit, now))
                return which
        return None

    def _full(self, mapped: IPv4Address) -> bool:
        """Whether a cookie that comes back now would find no place."""
        static = self.statics[mapped]
        return bool(static.max_embryonic and static.max_conns) and self.total(mapped) >= static.max_conns

    def _our_own(self, packet: Packet, entry: Entry | None, now: int) -> None:
        """The firewall's own packet, but for SYNPROXY's SYN: SYNPROXY's ACK establishes what its SYN began."""
        if entry is None or packet.side is Side.SERVER:
            return
        if packet.flags & (FIN | RST) and entry.state is State.DEAD:
            del self.entries[packet.key]
        begun = entry.delta is not None and entry.state in EMBRYONIC and packet.seq == entry.next[Side.CLIENT]
        if begun and entry.delta is not None and packet.acknowledges:
            entry.state, entry.last = State.ESTABLISHED, now
            entry.next[Side.SERVER] = entry.acked[Side.CLIENT] = packet.ack
            entry.delta = to_seq(entry.delta - (packet.ack - 1), 0)

    def _follow(self, packet: Packet, entry: Entry, now: int) -> None:
        if entry.state is State.WAITING:
            return
        entry.last = now
        if packet.flags & RST:
            if _obeyed(packet, entry):
                self._end(packet.key, _RESET_BY[packet.side], now)
            return
        _shake_hands(packet, entry)
        if packet.side is Side.SERVER and packet.flags & SYN and packet.flags & ACK:
            entry.bypass = False  # the server begins another connection on the tuple: that one is inspected
        if packet.flags & SYN or entry.state in EMBRYONIC:
            return
        _exchange(packet, entry)
        if entry.state is State.CLOSING and all(entry.acked[side] == entry.next[side.peer] for side in Side):
            self._end(packet.key, Ending.FINS, now)

    def _server_lets_go(self, packet: Packet) -> None:
        """A FIN or RST of the server gives a DEAD connection's place back (row 14)."""
        if packet.side is Side.SERVER and packet.flags & (FIN | RST):
            del self.entries[packet.key]

    def _end(self, key: Key, ending: Ending, now: int) -> None:
        entry = self.entries.pop(key)
        if entry.state not in (State.WAITING, State.DEAD):
            self._report(key, entry, ending, now)
        # the server never answered, and the client knows nothing of it
        if entry.delta is not None and entry.state in EMBRYONIC and ending in (Ending.SYN_TIMEOUT, Ending.CLEARED):
            self._strand(key, entry.delta, entry.next[Side.CLIENT], now)

    def _strand(self, key: Key, cookie: int, ack: int, now: int) -> None:
        self.events.append(Stranded(key, self._real(key), first_octet(cookie), ack, now))

    def _report(self, key: Key, entry: Entry, ending: Ending, now: int) -> None:
        self.events.append(TornDown(key, self._real(key), ending, entry.started, now, entry.octets))

    def _real(self, key: Key) -> IPv4Address:
        return self.statics[key.mapped].real

    def _limited(self, packet: Packet) -> bool:
        static = self.statics[packet.key.mapped]
        return bool(static.max_conns or static.max_embryonic)


_RESET_BY = {Side.CLIENT: Ending.RESET_BY_CLIENT, Side.SERVER: Ending.RESET_BY_SERVER}


def renumbered(packet: Packet, entry: Entry) -> Packet:
    """An RST to the client of an intercepted connection as it goes on: with the number that client expects.

    Conntrack gives each of the server's the cookie's, the firewall's own count as the server does (bpf-notes 4.4).
    """
    return replace(packet, seq=to_seq(entry.next[Side.SERVER], entry.delta or 0))


def _as_server_counts(packet: Packet, delta: int) -> Packet:
    """A packet on the client's side of an intercepted connection, with the server's octets counted as it does."""
    if packet.side is Side.CLIENT:
        return replace(packet, ack=to_seq(packet.ack, -delta))
    return replace(packet, seq=to_seq(packet.seq, -delta))


def _fresh(packet: Packet, state: State, now: int) -> Entry:
    expected = first_octet(packet.seq)
    entry = Entry(state, now, now, {Side.CLIENT: expected, Side.SERVER: 0}, {Side.CLIENT: 0, Side.SERVER: expected})
    if packet.proxied:
        _intercept(packet, entry)
    return entry


def _intercept(packet: Packet, entry: Entry) -> None:
    """SYNPROXY's own SYN: the client counts from the cookie it carries."""
    entry.delta = packet.ack
    entry.next[Side.SERVER] = 1


def _syn_again(packet: Packet, entry: Entry, now: int) -> None:
    """The same SYN again changes nothing; another one begins the handshake anew, in the same place."""
    if entry.state in EMBRYONIC:
        entry.last = now
        if entry.next[Side.CLIENT] != first_octet(packet.seq) or packet.proxied:
            entry.state = State.SYN
            entry.next[Side.CLIENT] = entry.acked[Side.SERVER] = first_octet(packet.seq)
        if packet.proxied:
            _intercept(packet, entry)


def _shake_hands(packet: Packet, entry: Entry) -> None:
    """The server's SYN-ACK of the client's SYN, then the client's ACK of exactly that; no other ACK establishes."""
    bits = packet.flags & (SYN | ACK)
    if packet.side is Side.SERVER and bits == SYN | ACK and entry.state in EMBRYONIC:
        if packet.ack == entry.next[Side.CLIENT]:
            entry.state = State.SYN_ACK
            entry.next[Side.SERVER] = entry.acked[Side.CLIENT] = first_octet(packet.seq)
        return
    mine = packet.side is Side.CLIENT and bits == ACK and packet.ack == entry.next[Side.SERVER]
    if mine and entry.state is State.SYN_ACK:
        entry.state = State.ESTABLISHED


def _exchange(packet: Packet, entry: Entry) -> None:
    """Octets, acknowledgments and the FIN of an established connection."""
    side = packet.side
    end = to_seq(packet.payload + bool(packet.flags & FIN), packet.seq)
    if (
        packet.flags & ACK
        and _ahead(packet.ack, entry.acked[side]) > 0
        and _ahead(entry.next[side.peer], packet.ack) >= 0
    ):
        entry.acked[side] = packet.ack
    if packet.payload:
        entry.octets += packet.payload
        entry.spoken.add(side)
    # A pure ACK is SKIP and overtakes a FIN that waits for the worker: its number says nothing of what was forwarded.
    if end != packet.seq and _ahead(end, entry.next[side]) > 0 and side not in entry.fin:
        entry.next[side] = end
        if packet.flags & FIN:
            entry.fin.add(side)
            entry.state = State.CLOSING if len(entry.fin) == 2 else State.HALF_CLOSED


def _obeyed(packet: Packet, entry: Entry) -> bool:
    """Whether the receiver obeys an RST: its number is exactly the one expected (RFC 9293 3.10.7, RFC 5961 3.2)."""
    if entry.state is State.SYN and packet.side is Side.SERVER:
        return bool(packet.flags & ACK) and packet.ack == entry.next[Side.CLIENT]
    # Behind a FIN its own number too: a client that closed without waiting for the 221 resets with it, Linux obeys.
    if packet.side in entry.fin and to_seq(1, packet.seq) == entry.next[packet.side]:
        return True
    return packet.seq in (entry.next[packet.side], entry.acked[packet.side.peer])


def _skips(entry: Entry, packet: Packet) -> bool:
    """A packet that need not be inspected. A SYN-ACK always is."""
    if entry.state not in OPEN or not packet.whole or packet.flags & SYN:
        return False
    same = packet.ack >> ACK_SHIFT == entry.acked[packet.side] >> ACK_SHIFT
    if packet.flags & (FIN | RST):
        return _ends_in_order(entry, packet) and (same or bool(packet.flags & RST))
    return entry.bypass or (packet.pure_ack and same)


def _ends_in_order(entry: Entry, packet: Packet) -> bool:
    """A FIN or RST with nothing to inspect, right behind what was forwarded: the worker holds nothing before it."""
    if packet.payload or entry.state in EMBRYONIC or packet.seq != entry.next[packet.side]:
        return False
    return packet.flags & (SYN | FIN | RST | ACK | URG) in (FIN | ACK, RST, RST | ACK)


def _behind_fin(entry: Entry, packet: Packet) -> bool:
    """Octets behind the FIN, which the worker need not have seen (row 21)."""
    end = to_seq(packet.payload + 1, packet.seq)
    return packet.side in entry.fin and packet.payload > 0 and _ahead(end, entry.next[packet.side]) > 0


def _expiry(state: State) -> Ending:
    if state in EMBRYONIC:
        return Ending.SYN_TIMEOUT
    return Ending.IDLE_TIMEOUT if state is State.ESTABLISHED else Ending.FIN_TIMEOUT


def _ahead(of: int, than: int) -> int:
    """By how much a sequence number lies ahead of another, which may be negative."""
    return to_offset(of, than, 0)
