"""A TCP connection as the worker sees it: two streams and the rules that keep them two (row 21 of the design).

A connection is adopted at its SYN-ACK: that carries both initial numbers, and the plain SYN before it stays in the
kernel. What comes of a connection nobody adopted is a stranger; the datapath resets it (rows 19, 20).

Rules:

* A SYN carries no data and comes from the client; Multipath TCP and Fast Open end at the SYN-ACK.
* An RST counts at exactly the next expected octet; data behind a FIN does not exist; nothing is urgent.
* Behind an RST nothing with payload passes, retransmissions neither: what went on before it need not have arrived, and
  of what is no longer kept nobody can say what it was.
* The packets that wait on either stream are bounded together.
"""

from __future__ import annotations

import enum
import struct

from appliance.flow import Side
from appliance.tcp.segment import ACK, FIN, RST, SYN, Segment
from appliance.tcp.seq import first_octet
from appliance.tcp.stream import MAX_WINDOW, NOWHERE, Parcel, Stream

#: What may wait, of one connection: packets, octets of payload, ns (design §2, decision 20).
MAX_WAITING = 3_072
MAX_WAITING_OCTETS = 4 << 20
MAX_WAIT = 5_000_000_000


#: Both addresses, both ports.
_ENDS = struct.Struct("4s4s2s2s")


class State(enum.Enum):
    """What becomes of the connection's packets."""

    OPEN = "open"
    CLOSED = "closed"  # both FINs went through; whatever still comes is treated as before
    RESET = "reset"  # an RST or the clock ended it; nothing with payload passes
    BYPASS = "bypass"  # all pass, unread
    DEAD = "dead"  # none pass


#: Asked for with every edited packet: a name costs a tenth of what a member of an enumeration does.
_CLIENT = Side.CLIENT
_OPEN = State.OPEN


class Refusal(enum.Enum):
    """Why a segment is dropped without its payload having been read."""

    SYN_DATA = "a SYN with data"
    SYN_ELSEWHERE = "a SYN of the server, or a SYN-ACK with other numbers"
    RST_ELSEWHERE = "an RST that is not at the next expected octet"
    BEYOND_END = "octets behind the FIN"
    BEHIND_RESET = "octets of any offset, behind an RST"
    BEYOND_WINDOW = "octets further ahead than any window"


class Connection:
    """Two streams. `key`: the client's addresses and ports; `began`, `last`: when it was adopted, last heard (ns)."""

    __slots__ = ("began", "client", "kept", "key", "last", "server", "state", "waiting", "waiting_octets")

    def __init__(self, key: bytes, client: Stream, server: Stream, now: int) -> None:
        self.key = key
        self.client = client
        self.server = server
        self.state = _OPEN
        self.began = self.last = now
        self.kept = 0  # octets of both streams that are kept
        self.waiting = 0
        self.waiting_octets = 0

    @property
    def server_key(self) -> bytes:
        """Addresses and ports as the server writes them."""
        return reverse(self.key)

    def stream(self, side: Side) -> Stream:
        """What `side` sends."""
        return self.client if side is _CLIENT else self.server

    def become(self, state: State) -> None:
        """It is in `state` from now on."""
        self.state = state
        self.straighten()

    def straighten(self) -> None:
        """Find out where its streams are straight; those of one that is not simply open are not."""
        if self.state is _OPEN:
            self.client.straighten()
            self.server.straighten()
        else:
            self.client.straight_at = self.server.straight_at = NOWHERE

    def numbered_by(self, syn_ack: Segment) -> bool:
        """Whether a SYN-ACK is this connection's own."""
        return syn_ack.ack == self.client.first and first_octet(syn_ack.seq) == self.server.first

    def replaceable(self, side: Side) -> bool:
        """Whether a SYN or SYN-ACK of `side` may begin another connection on the tuple.

        It may if this one is over (whether one in BYPASS is, nobody here knows), or if its server numbers it anew
        before anything of it was read.
        """
        return self.state is not State.OPEN or (side is Side.SERVER and not self.client.next and not self.server.next)

    def refusal(self, side: Side, segment: Segment, start: int, end: int) -> Refusal | None:
        """Why `segment`, whose payload is at `start` to before `end`, may not pass; None if it may."""
        flags = segment.flags
        stream = self.stream(side)
        if flags & SYN:
            if segment.end > segment.start:
                return Refusal.SYN_DATA
            if flags & ACK:
                own = side is Side.SERVER and self.numbered_by(segment)
                return None if own else Refusal.SYN_ELSEWHERE
            return Refusal.SYN_ELSEWHERE if side is Side.SERVER else None
        if self.state is State.RESET and end > start:
            return Refusal.BEHIND_RESET
        if flags & RST:
            return None if stream.expects(start) else Refusal.RST_ELSEWHERE
        if stream.beyond_end(end, bool(flags & FIN)):
            return Refusal.BEYOND_END
        return Refusal.BEYOND_WINDOW if start - stream.next > MAX_WINDOW else None

    # --- packets that wait --------------------------------------------------------------------------------------

    def has_room(self, octets: int) -> bool:
        """Whether one more packet may wait."""
        return self.waiting < MAX_WAITING and self.waiting_octets + octets <= MAX_WAITING_OCTETS

    def hold(self, side: Side, parcel: Parcel) -> bool:
        """Let a packet beyond a gap wait; False, and nothing changed, if there is no room or nothing new in it."""
        if not self.has_room(parcel.octets) or not self.stream(side).hold(parcel):
            return False
        self._count(parcel, 1)
        return True

    def hold_undecided(self, side: Side, parcel: Parcel) -> None:
        """Let a packet wait whose octets were read and are not decided."""
        self.stream(side).undecided.append(parcel)
        self._count(parcel, 1)

    def take_ready(self, stream: Stream) -> Parcel | None:
        """The next early packet of `stream` if its turn has come."""
        return self._taken(stream.take_ready())

    def take_decided(self, stream: Stream) -> Parcel | None:
        """The next packet of `stream` that was undecided and may go."""
        return self._taken(stream.take_decided())

    def take(self, stream: Stream, parcel: Parcel) -> None:
        """A packet of `stream` does not wait any more."""
        stream.take(parcel)
        self._count(parcel, -1)

    def take_all(self) -> list[Parcel]:
        """Every packet that waits; none does any more."""
        self.waiting = self.waiting_octets = 0
        return self.client.take_all() + self.server.take_all()

    def last_waiting(self) -> Parcel:
        """The packet that waits whose turn comes last; there must be one."""
        client, server = self.client, self.server
        return next(each[-1] for each in (client.early, server.early, client.undecided, server.undecided) if each)

    def _taken(self, parcel: Parcel | None) -> Parcel | None:
        if parcel is not None:
            self._count(parcel, -1)
        return parcel

    def _count(self, parcel: Parcel, sign: int) -> None:
        self.waiting += sign
        self.waiting_octets += sign * parcel.octets


def reverse(key: bytes) -> bytes:
    """The same tuple as the other side writes it."""
    source, target, port, target_port = _ENDS.unpack(key)
    return _ENDS.pack(target, source, target_port, port)
