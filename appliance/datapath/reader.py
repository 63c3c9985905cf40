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

from collections import OrderedDict
from collections.abc import Mapping, MutableSequence, Sequence
from typing import Any, assert_never

from appliance.datapath import counters, records
from appliance.datapath.counters import OCTETS_INSPECTED, OCTETS_RELEASED
from appliance.datapath.effects import Accept, Effect, Emit, Kill, Release, SendReset, SendSack
from appliance.datapath.inspected import OVER, Inspected, flow_of
from appliance.datapath.outcome import Outcome
from appliance.datapath.waiting import WaitingRoom
from appliance.flow import Flow, Side
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
from appliance.syslog import LeftAlone, Record, TlsStarted
from appliance.tcp.connection import MAX_KEPT, Refusal, State
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG, Header, Segment
from appliance.tcp.seq import to_offset, to_seq
from appliance.tcp.stream import BEYOND, Parcel, Stream
from appliance.tcp.table import Found, Table

#: A held line of which nothing more comes is decided after this (ns, design §2).
STALL = 200_000_000
#: Octets of all connections of a worker that may be released and not acknowledged (design §2). Pure acknowledgments
#: mostly stay in the kernel: who pauses in a message leaves up to 64 KiB here that its peer has long had.
MAX_KEPT_IN_ALL = 256 << 20
#: At that cap one that has been quiet for so long (ns) is reset, of so many looked at.
QUIET, LOOKS = 1_000_000_000, 16

#: The counter of each reason to refuse a segment.
OF_REFUSAL = {each: int(getattr(counters, each.name)) for each in Refusal}
#: Asked for with every packet or connection: a name costs a tenth of what a member of an enumeration does.
_PACKET = int(Slot.PACKET)
_CLIENT, _SERVER = Side.CLIENT, Side.SERVER
_OPEN, _BYPASS, _CLOSED = State.OPEN, State.BYPASS, State.CLOSED

#: The flags that say more than how far a segment is to be pushed; of an ordinary one ACK alone.
_TELLING = SYN | ACK | FIN | RST | URG

Closing = DropConnection | ResetConnection | MaliciousAddress


class Reader:
    """What reads the connections of one worker. It says what is to be done to `outcome`."""

    def __init__(
        self,
        table: Table[Inspected],
        room: WaitingRoom,
        outcome: Outcome,
        interfaces: Mapping[int, str],
        count: MutableSequence[int],
    ) -> None:
        self._table = table
        self._room = room
        self._outcome = outcome
        self.interfaces = interfaces
        self._count = count
        self._kept = 0  # octets, of all connections
        self._keeping: OrderedDict[Inspected, None] = OrderedDict()  # all that keep octets, or did
        self._lingering: dict[Inspected, None] = {}  # over by their FINs, their last octets not acknowledged

    def straight_on(
        self, found: Found[Inspected], handle: Any, packet: bytes, headers: Header, now: int
    ) -> list[Effect] | None:
        """The way of nearly every packet: new octets, exactly where their stream is straight.

        What `segment` does of such a one, and no more; None, and nothing done, if it is another.
        """
        connection, side, stream, peer = found
        _, _, start, end, seq, ack, flags, window = headers
        if seq != stream.straight_at or flags & _TELLING != ACK or start == end:
            return None
        if ack != peer.acked:
            gone = peer.acknowledge(ack)
            if gone == BEYOND:
                return None
            peer.window = window
            connection.kept -= gone
            self._kept -= gone
        new, offset = end - start, stream.next
        if connection.kept + new > MAX_KEPT or self._kept + new > MAX_KEPT_IN_ALL:
            return None
        octets = packet[start:end]
        actions = self._inspect(connection, side, stream, octets, now)
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
                connection.kept -= gone
                self._kept -= gone
            elif connection.fail_open and connection.state is _OPEN and side is _SERVER and peer.overtaken(segment.ack):
                self.leave_alone(connection)
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
        if early and end - stream.edits.base > MAX_KEPT:  # it could not be kept, and its sender would be told of it
            self._outcome.drop(handle, counters.NO_ROOM)
        elif early:
            self._room.hold_early(connection, side, parcel)
            if side is _CLIENT and connection.sack:
                self._tell_what_waits(connection, parcel)
        else:
            self._read(connection, side, stream, parcel, now)
            if stream.early:
                self._read_ready(connection, side, stream, segment, now)
                if connection.sack and connection.state is _OPEN:
                    self._outcome.give_last(handle)

    def _read_ready(self, connection: Inspected, side: Side, stream: Stream, segment: Segment, now: int) -> None:
        """Perhaps `segment` has filled a gap: the packets behind it, up to the next one."""
        while (ready := self._room.take_ready(connection, stream)) is not None:
            if stream.beyond_end(ready.end, bool(ready.segment.flags & FIN)):
                self._outcome.drop(ready.handle, counters.BEYOND_END)
            else:
                ready.segment = segment = ready.segment.not_older_than(segment)
                ready.arrived = now  # for a decision it waits from now on
                self._read(connection, side, stream, ready, now)

    def _tell_what_waits(self, connection: Inspected, parcel: Parcel) -> None:
        """The client hears of an early packet what the server would say, whom it does not reach yet (RFC 2018).

        Without it a loss before the firewall would be noticed by the client's timers alone. It acknowledges nothing,
        so a packet that is given up comes again. Of one that waits already and comes again it has not heard.
        """
        stream = connection.client
        runs = stream.runs_around(parcel.start) if parcel.start < parcel.end else ()
        if runs and stream.acked is not None:
            flow, seq = self.flow(connection), connection.server.expected_seq
            self._outcome.effects.append(SendSack(flow, seq, stream.window, runs))

    def _read(self, connection: Inspected, side: Side, stream: Stream, parcel: Parcel, now: int) -> None:
        """A packet whose turn has come: what is new in it is inspected, then it goes on or waits for a decision."""
        segment, start, end = parcel.segment, parcel.start, parcel.end
        offset = stream.next
        new = end - offset
        if connection.deferred and side is _CLIENT:
            self._decide(connection, stream, connection.cleared(now))
        settled = offset == stream.decided  # nothing before it is undecided
        if connection.kept + new > MAX_KEPT or (
            self._kept + new > MAX_KEPT_IN_ALL and not self._make_room(connection, new, now)
        ):
            self._outcome.drop(parcel.handle, counters.FULL)
            return
        if not settled and end > stream.decided and not connection.has_room(end - start):
            self._outcome.drop(parcel.handle, counters.NO_ROOM)
            return
        actions: Sequence[Action] = ()
        if new > 0:
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
        """The octets at `stream.next` are at hand."""
        offset, new = stream.next, len(octets)
        if not offset and side is _CLIENT:
            self._table.heard(connection)
        stream.append(octets)
        if not connection.kept:
            self._keeping[connection] = None
        connection.kept += new
        self._kept += new
        self._count[OCTETS_INSPECTED] += new
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

    def _finish(self, connection: Inspected, side: Side, stream: Stream, parcel: Parcel, now: int) -> bool:
        """The FIN's turn has come; False if the connection is closed by what is found then."""
        stream.fin = parcel.end
        actions = connection.inspector.finish(side)
        if not self._act(connection, side, stream, parcel, actions, now):
            return False
        if connection.client.fin is not None and connection.server.fin is not None:
            self._table.end(connection, State.CLOSED)
            connection.inspector = OVER
            self._lingering[connection] = None
        return True

    def end(self, connection: Inspected, by_fins: bool, now: int) -> None:
        """Neither side sends anything new; FINs that nobody saw were right behind what went on, and acknowledged."""
        state = connection.state
        if state is not _OPEN and state is not _BYPASS:
            return
        if not by_fins:
            self.reset(connection)
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
        self._end_at_once(connection, _CLOSED)

    def reset(self, connection: Inspected) -> None:
        """An RST or the clock ended it, and what went on before that need not have arrived."""
        self._end_at_once(connection, State.RESET)

    def _end_at_once(self, connection: Inspected, state: State) -> None:
        """It is over: neither side has anything more to say that its peer would take."""
        self._table.end(connection, state)
        self.let_go(connection)
        for stream in (connection.client, connection.server):
            stream.fin = stream.next if stream.fin is None else stream.fin
        connection.inspector = OVER

    def _make_room(self, connection: Inspected, octets: int, now: int) -> bool:
        """At the cap, connections that are over give up what their last acknowledgments would have freed.

        Then the quietest of a few others is reset, one a packet: what it keeps counts as much as for how long.
        """
        while self._lingering and self._kept + octets > MAX_KEPT_IN_ALL:
            oldest = next(iter(self._lingering))
            self._table.remove(oldest)
            self.let_go(oldest)
        if self._kept + octets > MAX_KEPT_IN_ALL:
            looked_at = [self._look_at_next() for _ in range(min(LOOKS, len(self._keeping)))]
            quiet = [each for each in looked_at if each.kept and each is not connection and now - each.last >= QUIET]
            if quiet:
                self._give_up(max(quiet, key=lambda each: each.kept * (now - each.last)))
        return self._kept + octets <= MAX_KEPT_IN_ALL

    def _look_at_next(self) -> Inspected:
        """The next of those that keep octets; its turn comes again when all others had theirs."""
        connection, _ = self._keeping.popitem(last=False)
        if connection.kept:
            self._keeping[connection] = None
        return connection

    def _give_up(self, connection: Inspected) -> None:
        """It keeps what others need: both its ends are reset."""
        flow, resets = self.flow(connection), self._resets(connection)
        self.kill(connection, flow)
        self._outcome.effects += resets
        self._emit(records.given_up(flow, _CLIENT))

    def _decide(self, connection: Inspected, stream: Stream, offset: int) -> None:
        """What is before `offset` may go on, and with it the packets that waited for it."""
        self._count[OCTETS_RELEASED] += offset - stream.decided
        stream.decided = offset
        while stream.undecided and (parcel := self._room.take_decided(connection, stream)) is not None:
            self._outcome.go(parcel.handle, stream.released(parcel.segment, parcel.start, parcel.end))

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
                    self._emit(records.logged(self.flow(connection), action))
                case Oversize():
                    self._emit(records.oversize(self.flow(connection), action))
                case Replaced():
                    self._emit(records.replaced(self.flow(connection), action))
                case DropConnection() | ResetConnection() | MaliciousAddress():
                    self._close(connection, parcel, action)
                    return False
                case Bypass(log):
                    self._bypass(connection, log)
                case _:
                    assert_never(action)
        if side is _CLIENT:
            undecided = connection.cleared(now)
        elif undecided < stream.next:
            self._room.stall(connection, now + STALL)
        else:
            self._room.no_stall(connection)
        self._decide(connection, stream, undecided)
        return True

    def _close(self, connection: Inspected, parcel: Parcel | None, action: Closing) -> None:
        """Inspection closes the connection: nothing of the packet in hand goes on, nor of those that wait.

        The kernel's table hears of it first: it would take our RSTs for the peers' own.
        """
        reset = isinstance(action, ResetConnection)
        flow = self.flow(connection)
        connection.block[Slot.RESET_DROP if reset else Slot.DROP] += connection.waiting + (parcel is not None)
        if parcel is not None:
            self._outcome.drop(parcel.handle)
        resets = self._resets(connection)
        self.kill(connection, flow)
        if reset:
            self._outcome.effects += resets
        for record in records.closed(flow, action):
            self._emit(record)

    def _resets(self, connection: Inspected) -> list[Effect]:
        """What resets both ends, as long as what is undecided is known."""
        flow, client, server = self.flow(connection), connection.client, connection.server
        return [
            SendReset(flow, True, server.expected_seq, to_seq(client.next, client.first)),
            SendReset(flow, False, client.expected_seq, to_seq(server.next, server.first)),
        ]

    def kill(self, connection: Inspected, flow: Flow) -> None:
        """From now on the connection's packets are dropped, those that wait first."""
        self._count[counters.KILLED] += 1
        self.let_go(connection)
        self._table.end(connection, State.DEAD)
        self._outcome.effects.append(Kill(flow))

    def _bypass(self, connection: Inspected, log: bool) -> None:
        """The connection has gone over to TLS."""
        self._count[counters.BYPASSED] += 1
        self._stop_reading(connection)
        flow = self.flow(connection)
        if log:
            self._emit(TlsStarted(flow.client, flow.server))
        self._outcome.effects.append(Release(flow))

    def leave_alone(self, connection: Inspected) -> None:
        """Octets of the connection have passed unseen, as its class allows: the rest of it passes unread (row 19)."""
        self._count[counters.LEFT_ALONE] += 1
        self._stop_reading(connection)
        flow = self.flow(connection)
        self._emit(LeftAlone(flow.client, flow.server))
        self._outcome.effects.append(Release(flow))

    def _stop_reading(self, connection: Inspected) -> None:
        """What waits behind a gap comes again and passes unread, like all that follows."""
        connection.become(_BYPASS)
        connection.deferred.clear()
        for stream in (connection.client, connection.server):
            self._decide(connection, stream, stream.next)
        self._drop_waiting(connection)

    def _emit(self, record: Record) -> None:
        self._outcome.effects.append(Emit(record))

    def flow(self, connection: Inspected) -> Flow:
        return flow_of(connection.key, connection.devices, self.interfaces)

    def _drop_waiting(self, connection: Inspected) -> None:
        self._room.no_stall(connection)
        for parcel in self._room.take_all(connection):
            self._outcome.drop(parcel.handle)

    def forget_octets(self, connection: Inspected) -> None:
        for stream in (connection.client, connection.server):
            stream.edits.forget()
        self._kept -= connection.kept
        connection.kept = 0
        self._keeping.pop(connection, None)
        self._lingering.pop(connection, None)

    def let_go(self, connection: Inspected) -> None:
        """Nothing of the connection is needed any more; what is undecided never goes on."""
        for stream in (connection.client, connection.server):
            if stream.decided != stream.next:
                self._count[counters.OCTETS_REFUSED] += stream.next - stream.decided
                stream.decided = stream.next
        self._drop_waiting(connection)
        self.forget_octets(connection)
