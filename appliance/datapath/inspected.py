"""A connection under inspection: the TCP connection, its inspector, and where its two ends are."""

from __future__ import annotations

from collections.abc import Mapping, MutableSequence, Sequence
from ipaddress import IPv4Address
from typing import Protocol

from appliance.flow import Endpoint, Flow, Side
from appliance.policy.actions import Action
from appliance.policy.maps import InspectMap
from appliance.tcp.connection import Connection, State, reverse
from appliance.tcp.segment import Segment
from appliance.tcp.seq import first_octet
from appliance.tcp.stream import Stream

#: What stands for the name of an interface that has none.
NO_NAME = "unknown"


class Inspects(Protocol):
    """A class that a mark can name: a `config.inspections.Inspection`."""

    @property
    def inspect_map(self) -> InspectMap | None:
        """Its rules, None if it has none inspected."""

    @property
    def fail_open(self) -> bool:
        """A connection goes on unread where octets of it have passed unseen (row 19)."""

    def rules(self, client: str, server: str) -> InspectMap | None:
        """Those of a connection between two named interfaces."""


class Reads(Protocol):
    """What inspects one connection: `policy.inspector.Inspector`, or what a test puts in its place."""

    def inspect(self, side: Side, offset: int, octets: bytes, now: int) -> Sequence[Action]:
        """`octets` of `side` from `offset` on, at first sight and in order, at `now` (ns)."""

    def finish(self, side: Side) -> Sequence[Action]:
        """`side` has sent its FIN; all its octets were seen."""

    def stalled(self) -> Sequence[Action]:
        """Nothing more came of what is held: decide it."""


class Over:
    """What is left of the inspector of a connection both of whose FINs it has seen: nothing new comes any more."""

    def inspect(self, *_: object) -> Sequence[Action]:
        """There are no octets behind a FIN."""
        raise AssertionError("octets behind both FINs")

    def finish(self, *_: object) -> Sequence[Action]:
        """It has been seen."""
        return ()

    def stalled(self) -> Sequence[Action]:
        """A FIN decides everything."""
        return ()


#: One for all.
OVER = Over()


class Makes(Protocol):
    """Makes the inspector of one connection."""

    def __call__(self, inspect_map: InspectMap, counters: MutableSequence[int], /) -> Reads:
        """An inspector under `inspect_map` that counts in the block `counters`."""


class Inspected(Connection):
    """A connection and what reads it. `devices` are the interface indices of client and server."""

    __slots__ = ("block", "deferred", "devices", "fail_open", "inspector", "sack")

    def __init__(
        self,
        key: bytes,
        client: Stream,
        server: Stream,
        inspector: Reads,
        block: MutableSequence[int],
        devices: tuple[int, int],
        now: int,
    ) -> None:
        super().__init__(key, client, server, now)
        self.sack = False
        self.fail_open = False
        self.inspector = inspector
        self.block = block
        self.devices = devices
        #: (offset of a client octet, when it and those behind it may go on), both ascending
        self.deferred: list[tuple[int, int]] = []

    @classmethod
    def adopted(
        cls, syn_ack: Segment, inspector: Reads, block: MutableSequence[int], devices: tuple[int, int], now: int
    ) -> Inspected:
        """One that begins: its SYN-ACK carries both initial numbers."""
        client, server = Stream(syn_ack.ack), Stream(first_octet(syn_ack.seq), proxied=True)
        made = cls(reverse(syn_ack.key), client, server, inspector, block, devices, now)
        made.sack = syn_ack.permits_sack()
        return made

    @classmethod
    def unread(cls, key: bytes, block: MutableSequence[int], devices: tuple[int, int], now: int) -> Inspected:
        """One whose beginning was not seen, and that passes all the same: its numbers mean nothing."""
        made = cls(key, Stream(0), Stream(0), OVER, block, devices, now)
        made.become(State.BYPASS)
        return made

    def defer(self, start: int, until: int) -> None:
        """The client's octets from `start` on may not go on before `until` (ns).

        There are never more of these than commands that may be outstanding (row 7): none was let through.
        """
        last = self.deferred[-1][1] if self.deferred else 0
        self.deferred.append((start, max(last, until)))

    def cleared(self, now: int) -> int:
        """The offset up to which the client's octets need not wait for their turn at `now` (ns)."""
        deferred = self.deferred
        while deferred and deferred[0][1] <= now:
            del deferred[0]
        return deferred[0][0] if deferred else self.client.next


def flow_of(key: bytes, devices: tuple[int, int], interfaces: Mapping[int, str]) -> Flow:
    """The flow whose client writes `key`; `devices` are the indices of the interfaces of client and server."""
    client, server = (interfaces.get(each, NO_NAME) for each in devices)
    return Flow(
        Endpoint(client, IPv4Address(key[0:4]), int.from_bytes(key[8:10], "big")),
        Endpoint(server, IPv4Address(key[4:8]), int.from_bytes(key[10:12], "big")),
    )
