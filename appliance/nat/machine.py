"""A connection's states and numbers: what a forwarded packet changes in an entry (the model of bpf/machine.h).

Pure of tables, limits and clocks but for the moment it is told. Source: RFC 9293 §3.4 to §3.10; asa.md §5.5; design
section 2 (what is SKIP) and row 21.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace

from appliance.flow import Side
from appliance.nat.classes import LimitedClass
from appliance.nat.connection import Ending, Key, Parties, State
from appliance.nat.static import End, Ends
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG
from appliance.tcp.seq import first_octet, to_offset, to_seq

#: a pure ACK is queued when what it acknowledges lies in another 64 KiB than what was acknowledged before
ACK_SHIFT = 16


EMBRYONIC = frozenset({State.SYN, State.SYN_ACK})
#: the handshake's answer is known, nothing is over: packets that carry nothing need not be inspected
OPEN = frozenset({State.SYN_ACK, State.ESTABLISHED, State.HALF_CLOSED, State.CLOSING})
#: over but for the place: a SYN takes it
REPLACEABLE = frozenset({State.CLOSING, State.DEAD})
#: counted among its client's once its class limits those
JOINING = EMBRYONIC | {State.ESTABLISHED, State.HALF_CLOSED}


class Verdict(enum.Enum):
    """What becomes of a packet."""

    PASS = "pass"
    SKIP = "skip"  # it passes, and need not be inspected
    INTERCEPT = "intercept"  # a SYN that SYNPROXY is to answer
    FULL = "full"  # an ACK that may bring a cookie back, and no place for it: its client is to be reset
    COOKIE = "cookie"  # an ACK that may bring a cookie back: SYNPROXY is to look at it
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Packet:
    """A TCP packet of the connection `key` from its `side`; `flags` as in the header, `payload` in octets.

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
    beyond: End | None = None  # the client as its server knows it, where that is chosen as it connects
    place: End | None = None  # where the server is, where only some may call it as they do

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

    parties: Parties
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
    static: Ends | None = None  # the one its client called: it holds a place there
    limited: LimitedClass | None = None  # and in this class
    per_client: bool = False  # and among its client's in the class
    told: bool = False  # what is in its way was spoken of since the last sweep

    @property
    def key(self) -> Key:
        """Its tuple as its client's first packet had it."""
        return self.parties.key

    @property
    def client(self) -> End:
        """Its client's end."""
        return self.key.client, self.key.client_port

    @property
    def server(self) -> End:
        """Its server's, by the real address."""
        return self.parties.server


_RESET_BY = {Side.CLIENT: Ending.RESET_BY_CLIENT, Side.SERVER: Ending.RESET_BY_SERVER}


def renumbered(packet: Packet, entry: Entry) -> Packet:
    """An RST to the client of an intercepted connection as it goes on: with the number that client expects.

    Conntrack gives each of the server's the cookie's, the firewall's own count as the server does (bpf-notes 4.4).
    """
    return replace(packet, seq=to_seq(entry.next[Side.SERVER], entry.delta or 0))


def turned(packet: Packet, key: Key) -> Packet:
    """The packet as one of `key`, the same connection named from its other side."""
    return replace(packet, key=key, side=packet.side.peer, beyond=None, place=None)


def as_server_counts(packet: Packet, delta: int) -> Packet:
    """A packet on the client's side of an intercepted connection, with the server's octets counted as it does."""
    if packet.side is Side.CLIENT:
        return replace(packet, ack=to_seq(packet.ack, -delta))
    return replace(packet, seq=to_seq(packet.seq, -delta))


def fresh(packet: Packet, parties: Parties, state: State, now: int) -> Entry:
    """The entry of a connection that `packet`, a SYN, opens."""
    expected = first_octet(packet.seq)
    sent, acked = {Side.CLIENT: expected, Side.SERVER: 0}, {Side.CLIENT: 0, Side.SERVER: expected}
    entry = Entry(parties, state, now, now, sent, acked)
    if packet.proxied:
        _intercept(packet, entry)
    return entry


def _intercept(packet: Packet, entry: Entry) -> None:
    """SYNPROXY's own SYN: the client counts from the cookie it carries."""
    entry.delta = packet.ack
    entry.next[Side.SERVER] = 1


def syn_again(packet: Packet, entry: Entry, now: int) -> None:
    """The same SYN again changes nothing; another one begins the handshake anew, in the same place."""
    if entry.state in EMBRYONIC:
        entry.last = now
        if entry.next[Side.CLIENT] != first_octet(packet.seq) or packet.proxied:
            entry.state = State.SYN
            entry.next[Side.CLIENT] = entry.acked[Side.SERVER] = first_octet(packet.seq)
        if packet.proxied:
            _intercept(packet, entry)
        entry.parties = replace(entry.parties, beyond=packet.beyond)


def book(packet: Packet, entry: Entry, now: int) -> Ending | None:
    """A packet was forwarded, its numbers those of the server: how the connection ended by it."""
    entry.last = now
    if packet.flags & RST:
        return _RESET_BY[packet.side] if _obeyed(packet, entry) else None
    _shake_hands(packet, entry)
    if packet.side is Side.SERVER and packet.flags & SYN and packet.flags & ACK:
        entry.bypass = False  # the server begins another connection on the tuple: that one is inspected
    if packet.flags & SYN or entry.state in EMBRYONIC:
        return None
    _exchange(packet, entry)
    over = entry.state is State.CLOSING and all(entry.acked[side] == entry.next[side.peer] for side in Side)
    return Ending.FINS if over else None


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


def obstructs(entry: Entry, packet: Packet) -> bool:
    """Whether a server answers SYNPROXY's SYN out of a connection on the same tuple that it has not given up.

    Other clients reset that one themselves (RFC 9293 §3.5.2); this one believes that it is connected.
    """
    begun = entry.delta is not None and entry.state is State.SYN
    answers = packet.side is Side.SERVER and packet.flags & (ACK | RST) == ACK
    return begun and answers and not (packet.flags & SYN and packet.ack == entry.next[Side.CLIENT])


def skips(entry: Entry, packet: Packet) -> bool:
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


def behind_fin(entry: Entry, packet: Packet) -> bool:
    """Octets behind the FIN, which the worker need not have seen (row 21)."""
    end = to_seq(packet.payload + 1, packet.seq)
    return packet.side in entry.fin and packet.payload > 0 and _ahead(end, entry.next[packet.side]) > 0


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


def expiry(state: State) -> Ending:
    """How an entry in `state` ends when its time is over."""
    if state in EMBRYONIC:
        return Ending.SYN_TIMEOUT
    return Ending.IDLE_TIMEOUT if state is State.ESTABLISHED else Ending.FIN_TIMEOUT


def _ahead(of: int, than: int) -> int:
    """By how much a sequence number lies ahead of another, which may be negative."""
    return to_offset(of, than, 0)
