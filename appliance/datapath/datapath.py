"""Packets in, effects out: where stream, inspector and policy of each connection meet.

The mark's class, of the mark's generation, picks the inspection of a connection at its SYN-ACK; from then on the
connection keeps it, whatever becomes of the configuration. Here a packet finds its connection, or is refused; what
it carries is the `reader`'s: a segment becomes octets at offsets, octets become actions, actions edits and effects.

Rules:

* A connection is known by addresses and ports, which anyone can write. Who says what is decided by the interface it
  came in by, too: a packet that comes in elsewhere than its side does is dropped, unread, and changes nothing.
* Each handle gets exactly one verdict. A packet that goes on as it came is never rebuilt.
* What cannot be inspected does not pass: no segment, no connection, no room, a fault of ours. A fault closes its
  connection, is counted, and is told with the places it came through.

Source: design §2, rows 14 and 19-21.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableSequence
from typing import Any

from appliance.datapath import counters, records
from appliance.datapath.counters import PACKETS
from appliance.datapath.effects import Effect, Emit, Kill, SendReset, SendSack
from appliance.datapath.ends import Ends
from appliance.datapath.inspected import NO_NAME, Inspected, Inspects, Makes, flow_of
from appliance.datapath.kept import Kept
from appliance.datapath.outcome import Outcome
from appliance.datapath.reader import OF_REFUSAL, Reader
from appliance.datapath.strangers import Strangers
from appliance.datapath.successors import Successors
from appliance.datapath.waiting import WaitingRoom
from appliance.flow import Side
from appliance.marks import DECISION
from appliance.policy.inspector import Inspector
from appliance.syslog import EngineFault
from appliance.tcp.connection import State, reverse
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG, Malformed, Segment, header
from appliance.tcp.seq import to_offset, to_seq
from appliance.tcp.table import Table

_SECOND = 1_000_000_000  # ns

#: How long the table remembers a connection of which no packet is queued (ns). Keep-alives stay in the kernel, whose
#: entry is the one that counts: this is only for those whose end was never seen. DEAD is row 14's half-closed time.
LIFETIMES: Mapping[State, int] = {
    State.OPEN: 7_200 * _SECOND,
    State.BYPASS: 7_200 * _SECOND,
    State.CLOSED: 60 * _SECOND,
    State.RESET: 60 * _SECOND,
    State.DEAD: 600 * _SECOND,
}
#: The same of one whose client was never heard: a client waits five minutes for a greeting (RFC 5321 4.5.3.2.1).
SILENCE = 300 * _SECOND
#: How often idle connections are looked for (ns).
SWEEP = 10 * _SECOND

_SPECIAL = SYN | RST | URG
#: Asked for with every packet or connection: a name costs a tenth of what a member of an enumeration does.
_CLIENT, _SERVER = Side.CLIENT, Side.SERVER


class InjectedFault(Exception):
    """What `Datapath.inject_fault` makes the engine raise."""


class Datapath:
    """The engine of one worker.

    `inspections` are the classes and `blocks` their counter blocks, both by the mark's DECISION, `interfaces` the
    names by interface index, `engine` the block that `counters.ENGINE` names. Times are ns of a monotonic clock.
    """

    def __init__(
        self,
        inspections: Mapping[int, Inspects],
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
        self._table: Table[Inspected] = Table(lifetimes, SILENCE)
        self._find = self._table.find
        self._outcome = Outcome(engine)
        self._room = WaitingRoom(self._outcome, engine)
        #: The connections whose clients are to hear of packets that wait (`tell`).
        self.untold: Collection[Inspected] = self._room.untold
        self._kept = Kept()
        self._ends = Ends(self._table, self._room, self._kept, self._outcome, interfaces, engine)
        self._reader = Reader(self._table, self._room, self._kept, self._ends, self._outcome, engine)
        self._strangers = Strangers()
        self._successors = Successors()
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
        return min(each for each in (self._room.due, self._successors.due, self._sweep_at) if each is not None)

    def configure(
        self,
        inspections: Mapping[int, Inspects],
        interfaces: Mapping[int, str],
        blocks: Mapping[int, MutableSequence[int]],
        lifetimes: Mapping[State, int],
    ) -> None:
        """From now on connections begin under these; living ones keep their inspector and their block."""
        self.inspections, self.interfaces, self._blocks = inspections, interfaces, blocks
        self._ends.interfaces = interfaces
        self._table.lifetimes = lifetimes

    # --- from outside -------------------------------------------------------------------------------------------

    def packet(self, handle: Any, packet: bytes, mark: int, indev: int, outdev: int, now: int) -> list[Effect]:
        """What is to be done about one packet, and about those that waited for it.

        `packet` is IPv4 as FORWARD sees it: real addresses both ways. `indev` and `outdev` are interface indices.
        """
        self._count[PACKETS] += 1
        headers = header(packet)
        if not isinstance(headers, tuple):
            truncated = headers is Malformed.TRUNCATED
            self._outcome.drop(handle, counters.TRUNCATED if truncated else counters.MALFORMED)
            return self._outcome.take()
        found = self._find(headers[0])
        try:
            if self._fault_in:
                self._fault()
            if found is None:
                self._stranger(handle, Segment(packet, headers), mark, indev, outdev, now)
                return self._outcome.take()
            connection, side = found[0], found[1]
            if indev != connection.devices[side is _SERVER]:
                self._outcome.drop(handle, counters.WRONG_INTERFACE)
                return self._outcome.take()
            connection.last = now
            effects = self._reader.straight_on(found, handle, packet, headers, now)
            if effects is not None:
                return effects
            segment = Segment(packet, headers)
            if segment.flags & _SPECIAL or connection.state is not State.OPEN:
                self._special(connection, side, handle, segment, mark, indev, outdev, now)
            else:
                self._reader.segment(connection, side, handle, segment, now)
            connection.straighten()
        except Exception as error:  # the one place: our bug closes the connection it was met on, and no other
            self._fail(error, None if found is None else found[0], handle)
        return self._outcome.take()

    def tick(self, now: int) -> list[Effect]:
        """What is to be done because time has passed: call it when `next_deadline` is reached."""
        while (connection := self._room.take_stalled(now)) is not None:
            try:
                self._reader.decide_stalled(connection, now)
                connection.straighten()
            except Exception as error:  # as in `packet`
                self._fail(error, connection, None)
        self._room.expire(now)
        while (late := self._successors.take_late(now)) is not None:
            self._outcome.drop(late[0], counters.SYN_ELSEWHERE)
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP
            for connection in self._table.idle(now):
                self._count[counters.IDLED] += connection.state is State.OPEN
                self._table.remove(connection)
                self._forget(connection)
        return self._outcome.take()

    def ended(self, key: bytes, when: int, by_fins: bool, now: int) -> list[Effect]:
        """The kernel saw at `when` (ns) that the connection whose client writes `key` was over, if there is one so old.

        An end right behind everything that went on is not queued; of one by the clock or by hand nobody sees anything.
        """
        found = self._find(key)
        if found is not None and found[1] is _CLIENT and found[0].began < when:
            successor = self._successors.take(found[0])
            try:
                self._reader.end(found[0], by_fins, now)
                if successor is not None:
                    self._outcome.owe(successor[0])
                    self._stranger(*successor, now)
            except Exception as error:  # as in `packet`
                self._fail(error, found[0], None)
        return self._outcome.take()

    def tell(self) -> list[SendSack]:
        """What clients are to hear now of packets that wait: ask for it when it can be sent at once."""
        return self._reader.tell()

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
        elif not flags & FIN and segment.end == segment.start:  # a last ACK: there is nothing in it to be inspected
            self._outcome.go(handle, segment)
        else:
            inspection = self.inspections.get(DECISION.get(mark))
            if inspection is not None and inspection.fail_open:
                self._leave_alone(handle, segment, self._blocks[DECISION.get(mark)], indev, outdev, now)
            else:
                self._outcome.drop(handle, counters.UNKNOWN_FLOWS)
                self._reset_stranger(segment, indev, outdev)

    def _adopt(self, handle: Any, syn_ack: Segment, mark: int, devices: tuple[int, int], now: int) -> None:
        """A connection begins: `devices` are the interfaces of its client and its server."""
        number = DECISION.get(mark)
        inspection = self.inspections.get(number)
        client, server = devices
        names = self.interfaces.get(client, NO_NAME), self.interfaces.get(server, NO_NAME)
        rules = inspection.rules(*names) if inspection is not None else None
        if inspection is None or rules is None:
            self._outcome.drop(handle, counters.UNKNOWN_CLASSES)
            return
        block = self._blocks[number]
        connection = Inspected.adopted(syn_ack, self._inspector(rules, block), block, devices, now)
        connection.fail_open = inspection.fail_open
        if not self._enter(connection):
            self._outcome.drop(handle, counters.TABLE_FULL)
            return
        self._count[counters.CONNECTIONS] += 1
        self._syn_ack(handle, syn_ack)

    def _enter(self, connection: Inspected) -> bool:
        """Into the table with it; False if that has no room."""
        forgotten = self._table.add(connection)
        if forgotten is not None and forgotten is not connection:
            self._forget(forgotten, ends=forgotten.key != connection.key)
        return forgotten is not connection

    def _forget(self, connection: Inspected, ends: bool = True) -> None:
        """It is out of the table. Where a stranger goes on unread it must not come back as one: it `ends`."""
        self._ends.let_go(connection)
        if ends and connection.fail_open and connection.state is State.OPEN:
            self._outcome.effects.append(Kill(self._ends.flow(connection)))

    def _leave_alone(
        self, handle: Any, segment: Segment, block: MutableSequence[int], indev: int, outdev: int, now: int
    ) -> None:
        """Who inspected a connection is gone, and its class fails open: it goes on unread."""
        if _from_client(segment):
            connection = Inspected.unread(segment.key, block, (indev, outdev), now)
        else:
            connection = Inspected.unread(reverse(segment.key), block, (outdev, indev), now)
        if not self._enter(connection):
            self._outcome.drop(handle, counters.TABLE_FULL)
            return
        self._table.heard(connection)
        self._ends.leave_alone(connection)
        self._outcome.go(handle, segment)

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
            self._outcome.go(handle, segment)
        elif flags & SYN and flags & ACK and side is _SERVER and not own and segment.start == segment.end:
            if not self._successors.hold(connection, (handle, segment, mark, indev, outdev), now):
                self._outcome.drop(handle, counters.SYN_ELSEWHERE)
        elif flags & (SYN | RST):
            self._begin_or_end(connection, side, handle, segment)
        else:
            if flags & URG:
                self._count[counters.URGENT_CLEARED] += 1
                segment = segment.without_urgent()
            self._reader.segment(connection, side, handle, segment, now)

    def _begin_or_end(self, connection: Inspected, side: Side, handle: Any, segment: Segment) -> None:
        """A segment with SYN or RST of a connection that has its numbers."""
        if segment.flags & URG:
            self._count[counters.URGENT_CLEARED] += 1
            segment = segment.without_urgent()
        stream = connection.stream(side)
        start, length = to_offset(segment.seq, stream.first, stream.next), segment.end - segment.start
        refusal = connection.refusal(side, segment, start, start + length)
        if refusal is not None:
            self._outcome.drop(handle, OF_REFUSAL[refusal])
        elif segment.flags & RST:
            self._ends.at_once(connection, State.RESET)
            self._outcome.go(handle, segment.with_payload(bytes(length)))
        else:
            self._syn_ack(handle, segment)

    def _reset_stranger(self, segment: Segment, indev: int, outdev: int) -> None:
        """Both ends of a connection whose stream is unknown are reset, once it is known what they expect.

        Who gets a segment may also have it already, its acknowledgment lost.
        """
        key, from_client = segment.key, _from_client(segment)
        if from_client:
            flow = flow_of(key, (indev, outdev), self.interfaces)
            expected: int | None = self._strangers.server_expects(segment)
        else:
            flow = flow_of(reverse(key), (outdev, indev), self.interfaces)
            expected = self._strangers.client_expects(segment)
        if expected is None:
            return
        behind = to_seq(segment.end - segment.start + bool(segment.flags & FIN), segment.seq)
        self._outcome.effects += (
            Kill(flow),  # first: the kernel's table would take our RSTs for the peers' own
            SendReset(flow, from_client, segment.ack, behind),
            SendReset(flow, not from_client, expected, segment.ack),
            SendReset(flow, not from_client, behind, segment.ack),
            Emit(records.given_up(flow, Side.CLIENT if from_client else Side.SERVER)),
        )

    # --- our own faults ---------------------------------------------------------------------------------------------

    def _fault(self) -> None:
        self._fault_in -= 1
        if not self._fault_in:
            raise InjectedFault

    def _fail(self, error: Exception, connection: Inspected | None, handle: Any) -> None:
        """Fail closed: the connection is dead, and what this call still owes a verdict is dropped."""
        self._count[counters.EXCEPTIONS] += 1
        subject = "an unknown connection"
        if connection is not None:
            flow = self._ends.flow(connection)
            subject = f"{flow.client} to {flow.server}"
            self._ends.kill(connection, flow)
        self._outcome.settle(handle)
        self._outcome.effects.append(Emit(EngineFault.of(subject, error)))


def _from_client(stranger: Segment) -> bool:
    """Who sent a segment of an unknown connection: its server is the end of the lower port."""
    return stranger.key[8:10] >= stranger.key[10:12]
