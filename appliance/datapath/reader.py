"""The segments of open connections: put in order, inspected, and let go, held or refused.

Rules:

* An octet is handed to the inspector once, in order, before its packet goes on; what was refused never does.
* A packet with octets that are deferred is dropped; what comes again is not inspected again and goes when its time
  has come.
* Packets that waited go before the one that follows them, in the order of their offsets. The one they waited for goes
  last where both sides know selective acknowledgments: the receiver then acknowledges all of them at once. An
  acknowledgment that ended among octets its sender was told of would be taken for reneging (Linux: TCPSACKReneging).

Source: design §2, row 14.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from typing import Any, assert_never

from appliance.datapath import counters, records
from appliance.datapath.counters import OCTETS_INSPECTED, OCTETS_RELEASED
from appliance.datapath.effects import Accept, Effect, SendSack
from appliance.datapath.ends import Ends
from appliance.datapath.inspected import Inspected
from appliance.datapath.kept import LOOKS, MAX_KEPT_IN_ALL, SHARE, Kept
from appliance.datapath.outcome import Outcome
from appliance.datapath.waiting import WaitingRoom
from appliance.flow import Side
from appliance.policy.actions import (
    Action,
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
from appliance.policy.counters import Slot
from appliance.tcp.connection import Refusal, State
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG, Header, Segment
from appliance.tcp.seq import to_offset
from appliance.tcp.stream import BEYOND, Parcel, Stream
from appliance.tcp.table import Found, Table

#: A held line of which nothing more comes is decided after this (ns, design §2).
STALL = 200_000_000

#: The counter of each reason to refuse a segment.
OF_REFUSAL = {each: int(getattr(counters, each.name)) for each in Refusal}
#: Asked for with every packet or connection: a name costs a tenth of what a member of an enumeration does.
_PACKET = int(Slot.PACKET)
_CLIENT, _SERVER = Side.CLIENT, Side.SERVER
_OPEN, _BYPASS, _CLOSED = State.OPEN, State.BYPASS, State.CLOSED

#: The flags that say more than how far a segment is to be pushed; of an ordinary one ACK alone.
_TELLING = SYN | ACK | FIN | RST | URG


class Reader:
    """What reads the connections of one worker. It says what is to be done to `outcome`."""

    def __init__(
        self,
        table: Table[Inspected],
        room: WaitingRoom,
        kept: Kept,
        ends: Ends,
        outcome: Outcome,
        count: MutableSequence[int],
    ) -> None:
        self._table = table
        self._room = room
        self._kept = kept
        self._ends = ends
        self._outcome = outcome
        self._count = count

    def straight_on(
        self, found: Found[Inspected], handle: Any, packet: bytes, headers: Header, now: int
    ) -> list[Effect] | None:
        """The way of nearly every packet: new octets, exactly where their stream is straight.

        What `segment` does of such a one, and no more; None, and nothing done, if it is another.
        """
        connection, side, stream, peer = found
        kept = self._kept
        _, _, start, end, seq, ack, flags, window = headers
        new, gone = end - start, 0
        if seq != stream.straight_at or flags & _TELLING != ACK or not new:
            return None
        if ack != peer.acked:
            gone = peer.acknowledge(ack)
            if gone == BEYOND:
                return None
            peer.window = window
        rest, all_of_it = connection.kept - gone, kept.octets - gone + new
        if rest + new > SHARE or all_of_it > MAX_KEPT_IN_ALL:
            kept.acknowledged(connection, gone, now)
            return None
        if gone or not rest:
            kept.keeping[connection] = now
        connection.kept = rest + new
        kept.octets = all_of_it
        offset = stream.next
        actions = self._inspect(connection, side, stream, packet[start:end], now)
        if not actions:
            stream.decided = offset + new
            stream.straight_at = (seq + new) & 0xFFFFFFFF
            self._count[OCTETS_RELEASED] += new
            return [Accept(handle)]
        parcel = Parcel(handle, Segment(packet, headers), offset, offset + new, now)
        if self._act(connection, side, stream, parcel, actions, now):
            self._let_go_on(connection, side, stream, parcel)
        connection.straighten()
        return self._outcome.take()

    def segment(self, connection: Inspected, side: Side, handle: Any, segment: Segment, now: int) -> None:
        """A segment without SYN and RST of an open connection."""
        stream, peer = connection.client, connection.server
        if side is not _CLIENT:
            stream, peer = peer, stream
        flags = segment.flags
        if flags & ACK and segment.ack != peer.acked:
            gone = peer.acknowledge(segment.ack)
            if gone != BEYOND:
                peer.window = segment.window
                self._kept.acknowledged(connection, gone, now)
            elif connection.fail_open and connection.state is _OPEN and side is _SERVER and peer.overtaken(segment.ack):
                self._ends.leave_alone(connection)
                self._outcome.go(handle, segment)
                return
        start = to_offset(segment.seq, stream.first, stream.next)
        end = start + segment.end - segment.start
        if start == end and not flags & FIN:
            self._outcome.go(handle, segment)
            return
        early = start > stream.next
        if early or flags & FIN or stream.fin is not None:
            refusal = connection.refusal(side, segment, start, end)
            if refusal is not None:
                self._outcome.drop(handle, OF_REFUSAL[refusal])
                return
        parcel = Parcel(handle, segment, start, end, now)
        if early and not self._kept.has_room(connection, end - stream.next):  # it could not be kept in its turn
            self._outcome.drop(handle, counters.NO_ROOM)
        elif early:
            self._room.hold_early(connection, side, parcel)
            if side is _CLIENT and connection.sack and start < end and connection.waiting:
                self._room.is_untold(connection, start)
        else:
            if stream.early:
                parcel.segment = stream.rejuvenated(segment)
            self._read(connection, side, stream, parcel, now)
            if stream.early:
                self._read_ready(connection, side, stream, now)
                if connection.sack and connection.state is _OPEN:
                    self._outcome.give_last(handle)

    def _read_ready(self, connection: Inspected, side: Side, stream: Stream, now: int) -> None:
        """Perhaps a gap was filled: the packets behind it, up to the next one."""
        while (ready := self._room.take_ready(connection, stream)) is not None:
            if stream.beyond_end(ready.end, bool(ready.segment.flags & FIN)):
                self._outcome.drop(ready.handle, counters.BEYOND_END)
            else:
                ready.segment = stream.rejuvenated(ready.segment)
                ready.arrived = now  # for a decision it waits from now on
                self._read(connection, side, stream, ready, now, promised=True)

    def tell(self) -> list[SendSack]:
        """Clients hear of their early packets what the server would say, whom these do not reach yet (RFC 2018).

        Without it a loss before the firewall would be noticed by the client's timers alone. It acknowledges nothing,
        so a packet that is given up comes again. Of one that waits already and comes again it has not heard. Each run
        that grew is told of, or its sender would take its packets for lost; what came last is told last.
        """
        told = []
        for connection, offsets in self._room.untold.items():
            stream = connection.client
            if stream.acked is not None:
                flow, seq = self._ends.flow(connection), connection.server.expected_seq
                pieces = stream.runs_around(reversed(offsets))
                told += [SendSack(flow, seq, stream.window, runs) for runs in reversed(pieces)]
        self._room.untold.clear()
        return told

    def _read(
        self, connection: Inspected, side: Side, stream: Stream, parcel: Parcel, now: int, promised: bool = False
    ) -> None:
        """A packet whose turn has come: what is new in it is inspected, then it goes on or waits for a decision.

        `promised`: it waited, and its sender was told so.
        """
        segment, start, end = parcel.segment, parcel.start, parcel.end
        offset = stream.next
        new = end - offset
        if connection.deferred and side is _CLIENT:
            self._room.decide(connection, stream, connection.cleared(now))
        settled = offset == stream.decided  # nothing before it is undecided
        if start < stream.given_up and stream.misses(start, end):
            self._outcome.drop(parcel.handle)
            self._ends.give_up(connection)
            return
        if new > 0 and not self._make_room(connection, new, promised, now):
            self._outcome.drop(parcel.handle, counters.FULL)
            return
        if not settled and end > stream.decided and not connection.has_room(end - start):
            self._outcome.drop(parcel.handle, counters.NO_ROOM)
            return
        actions: Sequence[Action] = ()
        if new > 0:
            self._kept.keep(connection, new, now)
            actions = self._inspect(connection, side, stream, segment.packet[segment.end - new : segment.end], now)
            if not actions and settled:
                stream.decided = end
                self._count[OCTETS_RELEASED] += new
            elif not self._act(connection, side, stream, parcel, actions, now):
                return
        else:
            self._count[counters.RETRANSMITTED] += bool(start < end)
        if segment.flags & FIN and stream.fin is None and not self._finish(connection, side, stream, parcel, now):
            return
        self._let_go_on(connection, side, stream, parcel)

    def _inspect(self, connection: Inspected, side: Side, stream: Stream, octets: bytes, now: int) -> Sequence[Action]:
        """The octets at `stream.next` are at hand, and counted as kept."""
        offset = stream.next
        if not offset and side is _CLIENT:
            self._table.heard(connection)
        stream.append(octets)
        self._count[OCTETS_INSPECTED] += len(octets)
        connection.block[_PACKET] += 1
        return connection.inspector.inspect(side, offset, octets, now)

    def _let_go_on(self, connection: Inspected, side: Side, stream: Stream, parcel: Parcel) -> None:
        """A packet whose octets have all been read goes on as they were released, or waits until they are."""
        if parcel.end <= stream.decided:
            self._outcome.go(parcel.handle, stream.released(parcel.segment, parcel.start, parcel.end))
        elif side is _CLIENT:
            self._outcome.drop(parcel.handle, counters.DEFERRED)
        else:
            self._room.hold_undecided(connection, side, parcel)
        if connection.state is _BYPASS:  # by this very packet; nothing is ever read again
            self._kept.forget(connection)

    def _finish(self, connection: Inspected, side: Side, stream: Stream, parcel: Parcel, now: int) -> bool:
        """The FIN's turn has come; False if the connection is closed by what is found then."""
        stream.fin = parcel.end
        actions = connection.inspector.finish(side)
        if not self._act(connection, side, stream, parcel, actions, now):
            return False
        if connection.client.fin is not None and connection.server.fin is not None:
            self._ends.by_fins(connection)
        return True

    def end(self, connection: Inspected, by_fins: bool, now: int) -> None:
        """Neither side sends anything new; FINs that nobody saw were right behind what went on, and acknowledged."""
        state = connection.state
        if state is not _OPEN and state is not _BYPASS:
            return
        if not by_fins:
            self._ends.at_once(connection, State.RESET)
            return
        if state is _OPEN:
            for side, stream in ((_CLIENT, connection.client), (_SERVER, connection.server)):
                if stream.fin is not None:
                    continue
                stream.fin = stream.next
                actions = connection.inspector.finish(side)
                settled = not actions and stream.decided == stream.next
                if not settled and not self._act(connection, side, stream, None, actions, now):
                    return
        self._ends.at_once(connection, _CLOSED)

    def _make_room(self, connection: Inspected, octets: int, promised: bool, now: int) -> bool:
        """Whether new octets can be kept. At the worker's cap others give way: who is over, else one of them."""
        kept = self._kept
        if not kept.has_room(connection, octets, promised):
            return False
        for _ in range(LOOKS):
            if not kept.is_full(octets) or (over := kept.longest_over()) is None:
                break
            self._table.remove(over)
            self._ends.let_go(over)
        if kept.is_full(octets) and (quiet := kept.quietest(connection, now)) is not None:
            kept.give_up(quiet)
            self._count[counters.GIVEN_UP] += 1
        return not kept.is_full(octets)

    def decide_stalled(self, connection: Inspected, now: int) -> None:
        """Nothing more came of what the server has undecided."""
        self._count[counters.STALLED] += 1
        self._act(connection, _SERVER, connection.server, None, connection.inspector.stalled(), now)

    # --- actions ------------------------------------------------------------------------------------------------

    def _act(
        self,
        connection: Inspected,
        side: Side,
        stream: Stream,
        parcel: Parcel | None,
        actions: Sequence[Action],
        now: int,
    ) -> bool:
        """Turn the actions on octets of `side` into edits and effects; False if they close the connection."""
        undecided = stream.next
        for action in actions:
            match action:
                case Mask(of, start, octets):
                    connection.stream(of).mask(start, octets)
                case Hold(of, start):
                    if of is side:
                        undecided = max(start, stream.decided)
                case Defer(start=start, until=until):
                    connection.defer(start, until)
                case Log():
                    self._ends.emit(records.logged(self._ends.flow(connection), action))
                case Oversize():
                    self._ends.emit(records.oversize(self._ends.flow(connection), action))
                case Replaced():
                    self._ends.emit(records.replaced(self._ends.flow(connection), action))
                case DropConnection() | ResetConnection() | MaliciousAddress():
                    self._ends.close(connection, parcel, action)
                    return False
                case Bypass(log):
                    self._ends.bypass(connection, log)
                case _:
                    assert_never(action)
        if side is _CLIENT:
            undecided = connection.cleared(now)
        elif undecided < stream.next:
            self._room.stall(connection, now + STALL)
        else:
            self._room.no_stall(connection)
        self._room.decide(connection, stream, undecided)
        return True
