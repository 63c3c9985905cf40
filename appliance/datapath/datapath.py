"""Packets in, effects out: where stream, inspector and policy of each connection meet.

The mark's class picks the inspection of a connection at its SYN-ACK; from then on the connection keeps it. A segment
becomes octets of a stream at offsets, octets become actions, actions become edits and effects.

Rules:

* Each handle gets exactly one verdict. A packet that goes on as it came is never rebuilt.
* An octet is handed to the inspector once, in order, before its packet goes on; what was refused never does.
* Packets that waited go before the one that follows them, in the order of their offsets.
* What cannot be inspected does not pass: no segment, no connection, no room, a fault of ours. A fault closes its
  connection, is counted, and is told with the places it came through.

Source: design §2, rows 14 and 19-21.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from typing import Any, assert_never

from appliance.config.inspections import Inspection
from appliance.datapath import counters, records
from appliance.datapath.counters import OCTETS_INSPECTED, OCTETS_RELEASED, PACKETS
from appliance.datapath.effects import Effect, Emit, Kill, Release, SendReset
from appliance.datapath.inspected import Inspected, Makes, flow_of
from appliance.datapath.outcome import Outcome
from appliance.datapath.waiting import WaitingRoom
from appliance.flow import Flow, Side
from appliance.marks import CLASS
from appliance.policy.actions import (
    Action,
    Bypass,
    DropConnection,
    Hold,
    Log,
    MaliciousAddress,
    Mask,
    Replaced,
    ResetConnection,
)
from appliance.policy.counters import Slot
from appliance.policy.inspector import Inspector
from appliance.syslog import EngineFault, Record, TlsStarted
from appliance.tcp.connection import MAX_KEPT, Refusal, State, reverse
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG, Malformed, Segment, read
from appliance.tcp.seq import to_offset, to_seq
from appliance.tcp.stream import Parcel, Stream
from appliance.tcp.table import Table

_SECOND = 1_000_000_000  # ns

#: A held line of which nothing more comes is decided after this (ns, design §2).
STALL = 200_000_000
#: Octets of all connections that may be released and not acknowledged (design §2).
MAX_KEPT_IN_ALL = 256 << 20
#: How long the table remembers a connection of which no packet is queued (ns). Keep-alives stay in the kernel, whose
#: entry is the one that counts: this is only for those whose end was never seen. DEAD is row 14's half-closed time.
LIFETIMES: Mapping[State, int] = {
    State.OPEN: 7_200 * _SECOND,
    State.BYPASS: 7_200 * _SECOND,
    State.CLOSED: 60 * _SECOND,
    State.DEAD: 600 * _SECOND,
}
#: How often idle connections are looked for (ns).
SWEEP = 10 * _SECOND

_OF_REFUSAL = {each: getattr(counters, each.name) for each in Refusal}
_SPECIAL = SYN | RST | URG

Closing = DropConnection | ResetConnection | MaliciousAddress


class InjectedFault(Exception):
    """What `Datapath.inject_fault` makes the engine raise."""


class Datapath:
    """The engine of one worker.

    `inspections` are the classes by number, `interfaces` the names by interface index, `blocks` the inspections'
    counter blocks by number, `engine` the block that `counters.ENGINE` names. Times are ns of a monotonic clock.
    """

    def __init__(
        self,
        inspections: Mapping[int, Inspection],
        interfaces: Mapping[int, str],
        blocks: Mapping[int, MutableSequence[int]],
        engine: MutableSequence[int],
        now: int,
        *,
        inspector: Makes = Inspector,
        lifetimes: Mapping[State, int] = LIFETIMES,
    ) -> None:
        self.inspections = inspections
        self.interfaces = interfaces
        self._blocks = blocks
        self._count = engine
        self._inspector = inspector
        self._table: Table[Inspected] = Table(lifetimes)
        self._find = self._table.find
        self._outcome = Outcome(engine)
        self._room = WaitingRoom(self._outcome, engine)
        self._kept = 0  # octets, of all connections
        self._sweep_at = now + SWEEP
        self._fault_in = 0

    def __len__(self) -> int:
        """How many connections it knows."""
        return len(self._table)

    @property
    def waiting(self) -> int:
        """How many packets wait."""
        return len(self._room)

    @property
    def next_deadline(self) -> int:
        """When `tick` is due (ns). It may be early, never late."""
        due = self._room.due
        return self._sweep_at if due is None else min(due, self._sweep_at)

    # --- from outside -------------------------------------------------------------------------------------------

    def packet(self, handle: Any, packet: bytes, mark: int, indev: int, outdev: int, now: int) -> list[Effect]:
        """What is to be done about one packet, and about those that waited for it.

        `packet` is IPv4 as FORWARD sees it: real addresses both ways. `indev` and `outdev` are interface indices.
        """
        effects = self._outcome.begin()
        self._count[PACKETS] += 1
        segment = read(packet)
        if not isinstance(segment, Segment):
            truncated = segment is Malformed.TRUNCATED
            self._outcome.drop(handle, counters.TRUNCATED if truncated else counters.MALFORMED)
            return effects
        found = self._find(segment.key)
        try:
            if self._fault_in:
                self._fault()
            if found is None:
                self._stranger(handle, segment, mark, indev, outdev, now)
            else:
                connection, side = found
                connection.last = now
                if segment.flags & _SPECIAL or connection.state is not State.OPEN:
                    self._special(connection, side, handle, segment, mark, indev, outdev, now)
                else:
                    self._segment(connection, side, handle, segment, now)
        except Exception as error:  # the one place: our bug closes the connection it was met on, and no other
            self._fail(error, None if found is None else found[0], handle)
        return effects

    def tick(self, now: int) -> list[Effect]:
        """What is to be done because time has passed: call it when `next_deadline` is reached."""
        effects = self._outcome.begin()
        for connection in self._room.connections:
            try:
                self._elapse(connection, now)
            except Exception as error:  # as in `packet`
                self._fail(error, connection, None)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP
            for connection in self._table.idle(now):
                self._count[counters.IDLED] += connection.state is State.OPEN
                self._table.remove(connection)
                self._let_go(connection)
        self._room.look_ahead()
        return effects

    def inject_fault(self, after: int = 0) -> None:
        """For tests: the engine raises InjectedFault at the packet that comes after so many more."""
        self._fault_in = after + 1

    # --- admission ----------------------------------------------------------------------------------------------

    def _stranger(self, handle: Any, segment: Segment, mark: int, indev: int, outdev: int, now: int) -> None:
        """A packet that belongs to no connection in the table."""
        flags = segment.flags
        if flags & SYN and segment.end > segment.start:
            self._outcome.drop(handle, counters.SYN_DATA)
        elif flags & SYN and flags & ACK:
            self._adopt(handle, segment, mark, (outdev, indev), now)
        elif flags & SYN:
            self._outcome.go(handle, segment)
        elif flags & RST:  # a refused SYN's, most likely; whatever else it could end is reset anyway
            self._outcome.go(handle, segment.with_payload(bytes(segment.end - segment.start)))
        else:
            self._reset_stranger(handle, segment, indev, outdev)

    def _adopt(self, handle: Any, syn_ack: Segment, mark: int, devices: tuple[int, int], now: int) -> None:
        """A connection begins: `devices` are the interfaces of its client and its server."""
        number = CLASS.get(mark)
        inspection = self.inspections.get(number)
        if inspection is None or inspection.inspect_map is None:
            self._outcome.drop(handle, counters.UNKNOWN_CLASSES)
            return
        block = self._blocks[number]
        connection = Inspected(syn_ack, self._inspector(inspection.inspect_map, block), block, devices, now)
        forgotten = self._table.add(connection)
        if forgotten is connection:
            self._outcome.drop(handle, counters.TABLE_FULL)
            return
        if forgotten is not None:
            self._let_go(forgotten)
        self._count[counters.CONNECTIONS] += 1
        self._syn_ack(handle, syn_ack)

    def _syn_ack(self, handle: Any, syn_ack: Segment) -> None:
        harmless = syn_ack.without_bypasses()
        self._count[counters.OPTIONS_CLEARED] += harmless.changed
        self._outcome.go(handle, harmless)

    def _special(
        self,
        connection: Inspected,
        side: Side,
        handle: Any,
        segment: Segment,
        mark: int,
        indev: int,
        outdev: int,
        now: int,
    ) -> None:
        """A segment with SYN, RST or URG, or one of a connection that is not simply open."""
        flags = segment.flags
        own = side is Side.SERVER and bool(flags & ACK) and connection.numbered_by(segment)
        if flags & SYN and not own and connection.replaceable(side):
            self._stranger(handle, segment, mark, indev, outdev, now)
        elif connection.state is State.DEAD:
            self._outcome.drop(handle)
        elif connection.state is State.BYPASS:
            self._forget_octets(connection)
            self._outcome.go(handle, segment)
        elif flags & (SYN | RST):
            self._begin_or_end(connection, side, handle, segment)
        else:
            if flags & URG:
                self._count[counters.URGENT_CLEARED] += 1
                segment = segment.without_urgent()
            self._segment(connection, side, handle, segment, now)

    def _begin_or_end(self, connection: Inspected, side: Side, handle: Any, segment: Segment) -> None:
        """A segment with SYN or RST of a connection that has its numbers."""
        if segment.flags & URG:
            self._count[counters.URGENT_CLEARED] += 1
            segment = segment.without_urgent()
        stream = connection.stream(side)
        start, length = to_offset(segment.seq, stream.first, stream.next), segment.end - segment.start
        refusal = connection.refusal(side, segment, start, start + length)
        if refusal is not None:
            self._outcome.drop(handle, _OF_REFUSAL[refusal])
        elif segment.flags & RST:
            self._table.end(connection, State.CLOSED)
            self._outcome.go(handle, segment.with_payload(bytes(length)))
        else:
            self._syn_ack(handle, segment)

    def _reset_stranger(self, handle: Any, segment: Segment, indev: int, outdev: int) -> None:
        """Both ends of a connection whose stream is unknown are reset; its server is the end of the lower port."""
        self._outcome.drop(handle, counters.UNKNOWN_FLOWS)
        key, from_client = segment.key, segment.key[8:10] >= segment.key[10:12]
        if from_client:
            flow = flow_of(key, (indev, outdev), self.interfaces)
        else:
            flow = flow_of(reverse(key), (outdev, indev), self.interfaces)
        behind = to_seq(segment.end - segment.start + bool(segment.flags & FIN), segment.seq)
        self._outcome.effects += (
            SendReset(flow, not from_client, segment.seq, segment.ack),
            SendReset(flow, from_client, segment.ack, behind),
            Emit(records.stranger(flow, Side.CLIENT if from_client else Side.SERVER)),
            Kill(flow),
        )

    # --- the stream ---------------------------------------------------------------------------------------------

    def _segment(self, connection: Inspected, side: Side, handle: Any, segment: Segment, now: int) -> None:
        """A segment without SYN and RST of an open connection."""
        stream, peer = connection.client, connection.server
        if side is not Side.CLIENT:
            stream, peer = peer, stream
        flags = segment.flags
        if flags & ACK and segment.ack != peer.acked:
            self._kept -= peer.acknowledge(segment.ack)
        start = to_offset(segment.seq, stream.first, stream.next)
        end = start + segment.end - segment.start
        if start == end and not flags & FIN:
            self._outcome.go(handle, segment)
            return
        early = start > stream.next
        if early or flags & FIN or stream.fin is not None:
            refusal = connection.refusal(side, segment, start, end)
            if refusal is not None:
                self._outcome.drop(handle, _OF_REFUSAL[refusal])
                return
        parcel = Parcel(handle, segment, start, end, now)
        if early:
            self._room.hold_early(connection, side, parcel)
            return
        self._read(connection, side, stream, parcel, now)
        while stream.early and (ready := self._room.take_ready(connection, stream)) is not None:
            self._read(connection, side, stream, ready, now)

    def _read(self, connection: Inspected, side: Side, stream: Stream, parcel: Parcel, now: int) -> None:
        """A packet whose turn has come: what is new in it is inspected, then it goes on or waits for a decision."""
        segment, start, end = parcel.segment, parcel.start, parcel.end
        offset = stream.next
        new = end - offset
        settled = offset == stream.decided  # nothing before it is undecided
        refused = self._no_room(connection, stream, parcel, new, settled)
        if refused is not None:
            self._outcome.drop(parcel.handle, refused)
            return
        actions: Sequence[Action] = ()
        if new > 0:
            octets = segment.packet[segment.end - new : segment.end]
            stream.append(octets)
            self._kept += new
            self._count[OCTETS_INSPECTED] += new
            connection.block[Slot.PACKET] += 1
            actions = connection.inspector.inspect(side, offset, octets)
            if not actions and settled:
                stream.decided = end
                self._count[OCTETS_RELEASED] += new
            elif not self._act(connection, side, stream, parcel, actions, now):
                return
        if segment.flags & FIN and stream.fin is None and not self._finish(connection, side, stream, parcel, now):
            return
        if end > stream.decided:
            self._room.hold_undecided(connection, side, parcel)
        elif new == end - start and not actions and settled:
            self._outcome.go(parcel.handle, segment)
        else:
            self._count[counters.RETRANSMITTED] += new <= 0
            self._outcome.go(parcel.handle, stream.released(segment, start, end))

    def _no_room(self, connection: Inspected, stream: Stream, parcel: Parcel, new: int, settled: bool) -> int | None:
        """The counter that says why a packet can't be read now, None if it can."""
        if stream.fin is not None and stream.beyond_end(parcel.end, bool(parcel.segment.flags & FIN)):
            return counters.BEYOND_END  # it waited behind a gap together with the FIN
        if new > 0 and (connection.kept + new > MAX_KEPT or self._kept + new > MAX_KEPT_IN_ALL):
            return counters.FULL
        if not settled and parcel.end > stream.decided and not connection.has_room(len(parcel)):
            return counters.NO_ROOM
        return None

    def _finish(self, connection: Inspected, side: Side, stream: Stream, parcel: Parcel, now: int) -> bool:
        """The FIN's turn has come; False if the connection is closed by what is found then."""
        stream.fin = parcel.end
        actions = connection.inspector.finish(side)
        if not self._act(connection, side, stream, parcel, actions, now):
            return False
        if connection.client.fin is not None and connection.server.fin is not None:
            self._table.end(connection, State.CLOSED)
        return True

    def _decide(self, connection: Inspected, stream: Stream, offset: int) -> None:
        """What is before `offset` may go on, and with it the packets that waited for it."""
        self._count[OCTETS_RELEASED] += offset - stream.decided
        stream.decided = offset
        while stream.undecided and (parcel := self._room.take_decided(connection, stream)) is not None:
            self._outcome.go(parcel.handle, stream.released(parcel.segment, parcel.start, parcel.end))

    def _elapse(self, connection: Inspected, now: int) -> None:
        """Time has passed for a connection with packets that wait."""
        if connection.stalls is not None and now >= connection.stalls:
            self._count[counters.STALLED] += 1
            self._act(connection, Side.SERVER, connection.server, None, connection.inspector.stalled(), now)
        self._room.expire(connection, now)

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
                case Log():
                    self._emit(records.logged(self._flow(connection), action))
                case Replaced():
                    self._emit(records.replaced(self._flow(connection), action))
                case DropConnection() | ResetConnection() | MaliciousAddress():
                    self._close(connection, parcel, action)
                    return False
                case Bypass(log):
                    self._bypass(connection, log)
                case _:
                    assert_never(action)
        if side is Side.SERVER:
            connection.stalls = now + STALL if undecided < stream.next else None
        self._decide(connection, stream, undecided)
        return True

    def _close(self, connection: Inspected, parcel: Parcel | None, action: Closing) -> None:
        """Inspection closes the connection: nothing of the packet in hand goes on, nor of those that wait."""
        reset = isinstance(action, ResetConnection)
        flow, client, server = self._flow(connection), connection.client, connection.server
        connection.block[Slot.RESET_DROP if reset else Slot.DROP] += connection.waiting + (parcel is not None)
        if parcel is not None:
            self._outcome.drop(parcel.handle)
        if reset:
            self._outcome.effects += (
                SendReset(flow, True, server.expected_seq, to_seq(client.next, client.first)),
                SendReset(flow, False, client.expected_seq, to_seq(server.next, server.first)),
            )
        for record in records.closed(flow, action):
            self._emit(record)
        self._kill(connection, flow)

    def _kill(self, connection: Inspected, flow: Flow) -> None:
        """From now on the connection's packets are dropped, those that wait first."""
        self._count[counters.KILLED] += 1
        for stream in (connection.client, connection.server):
            self._count[counters.OCTETS_REFUSED] += stream.next - stream.decided
        self._let_go(connection)
        self._table.end(connection, State.DEAD)
        self._outcome.effects.append(Kill(flow))

    def _bypass(self, connection: Inspected, log: bool) -> None:
        """The connection is not inspected any more; what waits behind a gap comes again and passes unread."""
        self._count[counters.BYPASSED] += 1
        connection.state = State.BYPASS
        for stream in (connection.client, connection.server):
            self._decide(connection, stream, stream.next)
        self._drop_waiting(connection)
        flow = self._flow(connection)
        if log:
            self._emit(TlsStarted(flow.client, flow.server))
        self._outcome.effects.append(Release(flow))

    def _emit(self, record: Record) -> None:
        self._outcome.effects.append(Emit(record))

    def _flow(self, connection: Inspected) -> Flow:
        return flow_of(connection.key, connection.devices, self.interfaces)

    # --- ends ---------------------------------------------------------------------------------------------------

    def _drop_waiting(self, connection: Inspected) -> None:
        while (parcel := self._room.take_oldest(connection)) is not None:
            self._outcome.drop(parcel.handle)

    def _forget_octets(self, connection: Inspected) -> None:
        self._kept -= connection.client.edits.forget() + connection.server.edits.forget()

    def _let_go(self, connection: Inspected) -> None:
        """Nothing of the connection is needed any more."""
        self._drop_waiting(connection)
        self._forget_octets(connection)

    def _fault(self) -> None:
        self._fault_in -= 1
        if not self._fault_in:
            raise InjectedFault

    def _fail(self, error: Exception, connection: Inspected | None, handle: Any) -> None:
        """Fail closed: the connection is dead, and what this call still owes a verdict is dropped."""
        self._count[counters.EXCEPTIONS] += 1
        subject = "an unknown connection"
        if connection is not None:
            flow = self._flow(connection)
            subject = f"{flow.client} to {flow.server}"
            self._kill(connection, flow)
        self._outcome.settle(handle)
        self._emit(EngineFault.of(subject, error))
