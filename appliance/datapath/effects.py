"""The third vocabulary: what the edge has to do, as a closed union.

A handle is whatever the edge gave with the packet (a queue's packet, a capture's index): the datapath only gives
it back. Each handle gets exactly one verdict: Accept, Modify or Drop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from appliance.flow import Flow
from appliance.syslog import Record


@dataclass(slots=True)
class Accept:
    """Let the packet go on as it is."""

    handle: Any


@dataclass(slots=True)
class Modify:
    """Let `packet` go on in its place: the same length, checksums complete."""

    handle: Any
    packet: bytes


@dataclass(slots=True)
class Drop:
    """Let the packet vanish."""

    handle: Any


@dataclass(frozen=True, slots=True)
class Emit:
    """Write the record to every log destination that takes it."""

    record: Record


@dataclass(frozen=True, slots=True)
class Kill:
    """The flow is DEAD: drop both directions in the kernel, keep its place (row 14)."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class Release:
    """The flow is not inspected any more: its packets need not be queued (BYPASS)."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class SendReset:
    """Send an RST to one side: `seq` and `ack` as that peer expects them, from the other side's address."""

    flow: Flow
    to_client: bool
    seq: int
    ack: int


@dataclass(frozen=True, slots=True)
class SendSack:
    """Tell the client, in the server's name, which of its octets wait here: numbers as the client counts.

    Of each of `runs` its first number to before its second has come, the latest first (RFC 2018). It takes the place
    of one of its flow that was not sent yet. What it acknowledges the edge knows better: what the server last did.
    """

    flow: Flow
    seq: int
    window: int
    runs: tuple[tuple[int, int], ...]


Effect = Accept | Modify | Drop | Emit | Kill | Release | SendReset | SendSack
