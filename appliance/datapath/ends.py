"""How a connection ceases to be read: it is over, closed by inspection, gone over to TLS, or left alone.

Whatever the way, nothing of it waits or is kept afterwards, and the kernel hears of what its table cannot know.

Source: design §2, rows 11, 14 and 19.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence

from appliance.datapath import counters, records
from appliance.datapath.effects import Effect, Emit, Kill, Release, SendReset
from appliance.datapath.inspected import OVER, Inspected, flow_of
from appliance.datapath.kept import Kept
from appliance.datapath.outcome import Outcome
from appliance.datapath.waiting import WaitingRoom
from appliance.flow import Flow, Side
from appliance.policy.actions import DropConnection, MaliciousAddress, ResetConnection
from appliance.policy.counters import Slot
from appliance.syslog import LeftAlone, Record, TlsStarted
from appliance.tcp.connection import State
from appliance.tcp.seq import to_seq
from appliance.tcp.stream import Parcel
from appliance.tcp.table import Table

Closing = DropConnection | ResetConnection | MaliciousAddress

#: Asked for with every connection: a name costs a tenth of what a member of an enumeration does.
_CLOSED = State.CLOSED


class Ends:
    """What ends the connections of one worker. It says what is to be done to `outcome`."""

    def __init__(
        self,
        table: Table[Inspected],
        room: WaitingRoom,
        kept: Kept,
        outcome: Outcome,
        interfaces: Mapping[int, str],
        count: MutableSequence[int],
    ) -> None:
        self._table = table
        self._room = room
        self._kept = kept
        self._outcome = outcome
        self.interfaces = interfaces
        self._count = count

    # --- over ---------------------------------------------------------------------------------------------------

    def by_fins(self, connection: Inspected) -> None:
        """Both FINs were read: whatever comes again is treated as before."""
        self._table.end(connection, _CLOSED)
        connection.inspector = OVER
        self._kept.linger(connection)

    def at_once(self, connection: Inspected, state: State) -> None:
        """It is over: neither side has anything more to say that its peer would take.

        RESET by an RST or the clock: what went on before that need not have arrived.
        """
        self._table.end(connection, state)
        self.let_go(connection)
        for stream in (connection.client, connection.server):
            stream.fin = stream.next if stream.fin is None else stream.fin
        connection.inspector = OVER

    def let_go(self, connection: Inspected) -> None:
        """Nothing of the connection is needed any more; what is undecided never goes on."""
        for stream in (connection.client, connection.server):
            if stream.decided != stream.next:
                self._count[counters.OCTETS_REFUSED] += stream.next - stream.decided
                stream.decided = stream.next
        self._drop_waiting(connection)
        self._kept.forget(connection)

    # --- closed -------------------------------------------------------------------------------------------------

    def close(self, connection: Inspected, parcel: Parcel | None, action: Closing) -> None:
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
            self.emit(record)

    def give_up(self, connection: Inspected) -> None:
        """What it needs is not there any more: both its ends are reset."""
        flow, resets = self.flow(connection), self._resets(connection)
        self.kill(connection, flow)
        self._outcome.effects += resets
        self.emit(records.given_up(flow, Side.CLIENT))

    def kill(self, connection: Inspected, flow: Flow) -> None:
        """From now on the connection's packets are dropped, those that wait first."""
        self._count[counters.KILLED] += 1
        self.let_go(connection)
        self._table.end(connection, State.DEAD)
        self._outcome.effects.append(Kill(flow))

    def _resets(self, connection: Inspected) -> list[Effect]:
        """What resets both ends, as long as what is undecided is known."""
        flow, client, server = self.flow(connection), connection.client, connection.server
        return [
            SendReset(flow, True, server.expected_seq, to_seq(client.next, client.first)),
            SendReset(flow, False, client.expected_seq, to_seq(server.next, server.first)),
        ]

    # --- unread from now on -------------------------------------------------------------------------------------

    def bypass(self, connection: Inspected, log: bool) -> None:
        """The connection has gone over to TLS. What it keeps is needed for the packet in hand, and no longer."""
        self._count[counters.BYPASSED] += 1
        self._stop_reading(connection)
        flow = self.flow(connection)
        if log:
            self.emit(TlsStarted(flow.client, flow.server))
        self._outcome.effects.append(Release(flow))

    def leave_alone(self, connection: Inspected) -> None:
        """Octets of the connection have passed unseen, as its class allows: the rest of it passes unread (row 19)."""
        self._count[counters.LEFT_ALONE] += 1
        self._stop_reading(connection)
        self._kept.forget(connection)
        flow = self.flow(connection)
        self.emit(LeftAlone(flow.client, flow.server))
        self._outcome.effects.append(Release(flow))

    def _stop_reading(self, connection: Inspected) -> None:
        """What waits behind a gap comes again and passes unread, like all that follows."""
        connection.become(State.BYPASS)
        connection.deferred.clear()
        for stream in (connection.client, connection.server):
            self._room.decide(connection, stream, stream.next)
        self._drop_waiting(connection)

    # --- what all have in common --------------------------------------------------------------------------------

    def flow(self, connection: Inspected) -> Flow:
        """Who talks to whom."""
        return flow_of(connection.key, connection.devices, self.interfaces)

    def emit(self, record: Record) -> None:
        """The record goes to the log."""
        self._outcome.effects.append(Emit(record))

    def _drop_waiting(self, connection: Inspected) -> None:
        self._room.no_stall(connection)
        for parcel in self._room.take_all(connection):
            self._outcome.drop(parcel.handle)
