"""The third vocabulary: what the edge has to do, as a closed union.

A handle is whatever the edge gave with the packet (a queue's packet, a capture's index): the datapath only gives
it back. Each handle gets exactly one verdict: Accept, Modify or Drop.
"""

from __future__ import annotations

from typing import Any

from appliance.flow import Flow
from appliance.syslog import Record
from appliance.value import value


@value
class Accept:
    """Let the packet go on as it is."""

    handle: Any


@value
class Modify:
    """Let `packet` go on in its place: the same length, checksums complete."""

    handle: Any
    packet: bytes


@value
class Drop:
    """Let the packet vanish."""

    handle: Any


@value
class Emit:
    """Write the record to every log destination that takes it."""

    record: Record


@value
class Kill:
    """The flow is DEAD: drop both directions in the kernel, keep its place (row 14)."""

    flow: Flow


@value
class Release:
    """The flow is not inspected any more: its packets need not be queued (BYPASS)."""

    flow: Flow


@value
class SendReset:
    """Send an RST to one side: `seq` and `ack` as that peer expects them, from the other side's address."""

    flow: Flow
    to_client: bool
    seq: int
    ack: int


@value
class SendSack:
    """Tell the client, in the server's name, which of its octets wait here: numbers as the client counts.

    Of each of `runs` its first number to before its second has come, the latest first (RFC 2018). What it acknowledges
    the edge knows better: what the server last did.
    """

    flow: Flow
    seq: int
    window: int
    runs: tuple[tuple[int, int], ...]


Effect = Accept | Modify | Drop | Emit | Kill | Release | SendReset
