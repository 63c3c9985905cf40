"""What the root process does for its workers: records, and changes to the kernel's tables.

A worker is believed nothing: its message must fit the vocabulary, and a flow is acted on only if the kernel's program
puts it into that worker's queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from appliance.daemon import channel
from appliance.daemon.sinks import Sinks
from appliance.datapath.effects import Emit, Kill, Release, SendReset, SendSack
from appliance.flow import Flow, Side
from appliance.kernel import conntrack
from appliance.kernel.bpf import ConnectionTable
from appliance.kernel.errors import KernelError
from appliance.kernel.reset import Resetter
from appliance.nat.connection import Key, Parties
from appliance.nat.static import Names, Static
from appliance.syslog import EngineFault
from appliance.tcp.seq import to_offset, to_seq


class _Over(Exception):
    """A connection has ended, and whose it was is not known any more."""


class Errands:
    """Does what workers ask, with the kernel's table, the resetter and the log."""

    def __init__(self, statics: Sequence[Static], table: ConnectionTable, sinks: Sinks, resetter: Resetter) -> None:
        self.configure(statics)
        self._table = table
        self._sinks = sinks
        self._resetter = resetter
        self._killed: dict[int, Parties] = {}  # what each worker closed last: its resets follow

    def configure(self, statics: Sequence[Static]) -> None:
        """From now on these say by what a host is known."""
        self._names = Names(statics)

    def run(self, worker: int, message: bytes) -> None:
        """Do what a message of worker `worker` asks; one that may not be done is recorded as that worker's fault."""
        try:
            self._do(worker, channel.decode(message))
        except _Over:
            return
        except (channel.ChannelError, KernelError) as error:
            self._sinks.write(EngineFault.of(f"worker {worker}", error))

    def _do(self, worker: int, request: channel.Request) -> None:
        match request:
            case Emit(record):
                self._sinks.write(record)
            case Kill(flow):
                key = self._key(worker, flow)
                if known := self._table.parties(key):
                    self._killed[worker] = known
                self._table.kill(key)
                conntrack.delete([known.key if known else self._called(flow)])
            case Release(flow):
                self._table.release(self._key(worker, flow))
            case SendReset(flow, to_client, seq, ack):
                self._reset(worker, flow, to_client, seq, ack)
            case SendSack():
                self._acknowledge(request, self._key(worker, request.flow))
            case _:
                assert_never(request)

    def _reset(self, worker: int, flow: Flow, to_client: bool, seq: int, ack: int) -> None:
        """Reset a side. A FIN that stayed in the kernel has a number that the worker does not count (decision 14)."""
        key = self._key(worker, flow)
        sender = Side.SERVER if to_client else Side.CLIENT
        seq, ack = (
            behind if (behind := self._table.behind_fin(key, side)) == to_seq(number, 1) else number
            for side, number in ((sender, seq), (sender.peer, ack))
        )
        known = self._table.parties(key) or self._closed(worker, key)
        self._resetter.reset(flow, to_client, seq, ack, known)

    def _acknowledge(self, told: SendSack, key: Key) -> None:
        """Tell the client what came of all that the server has not acknowledged."""
        ack = self._table.acknowledged(key)
        if ack is None:
            return
        runs = [run for run in told.runs if to_offset(run[0], ack, 0) > 0]
        if runs:
            self._resetter.acknowledge(told.flow, told.seq, ack, told.window, runs, self._table.parties(key))

    def _key(self, worker: int, flow: Flow) -> Key:
        """The flow as the kernel's table knows it; ChannelError if another worker's queue has it, _Over if none has it,
        for by its real ends alone that is not known of every connection (decision 18)."""
        key = Key(flow.server.address, flow.server.port, flow.client.address, flow.client.port)
        if self._table.worker(key) != worker and not self._closed(worker, key):
            if self._table.parties(key) is None:
                raise _Over
            raise channel.ChannelError(f"{flow.client} to {flow.server} is not in this worker's queue")
        return key

    def _closed(self, worker: int, key: Key) -> Parties | None:
        """Whom a connection was between that is the last one the worker closed: its server may have let go since."""
        killed = self._killed.get(worker)
        return killed if killed and killed.ends == key else None

    def _called(self, flow: Flow) -> Key:
        """The flow as its client called it, which is how connection tracking knows it."""
        mapped, port = self._names.mapped(flow.client.interface, flow.server.address, flow.server.port)
        return Key(mapped, port, flow.client.address, flow.client.port)
