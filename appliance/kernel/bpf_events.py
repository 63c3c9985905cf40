"""What the connection table's program says has happened: ``struct event`` of its ring as our own events."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from typing import Any

from appliance.kernel.bpf_limits import address, swap
from appliance.nat.connection import (
    Built,
    Ending,
    Event,
    Expired,
    Key,
    Limit,
    Obstructed,
    Refused,
    Stranded,
    TornDown,
    Unanswered,
)


class _Kind(enum.IntEnum):
    """``enum event_kind`` in bpf/structs.h."""

    BUILT = 0
    TORN_DOWN = 1
    REFUSED = 2
    STRANDED = 3
    EXPIRED = 4
    UNANSWERED = 5
    OBSTRUCTED = 6


#: By its number, for every connection: to ask the enumeration for it costs ten times as much.
_ENDINGS = {int(each): each for each in Ending}

_BY_KIND: Mapping[int, Callable[[Key, IPv4Address, Any, dict[str, Any]], Event]] = {
    _Kind.BUILT: lambda key, real, it, more: Built(key, real, it.time, **more),
    _Kind.TORN_DOWN: lambda key, real, it, more: TornDown(
        key, real, _ENDINGS[it.why], it.started, it.time, it.octets, **more
    ),
    _Kind.REFUSED: lambda key, real, it, more: Refused(key, real, Limit(it.why), it.count, it.limit, it.time, **more),
    _Kind.STRANDED: lambda key, real, it, more: Stranded(key, real, it.seq, it.ack, it.time, **more),
    _Kind.EXPIRED: lambda key, real, it, more: Expired(key, real, it.seq, it.ack, it.time, **more),
    _Kind.UNANSWERED: lambda key, real, it, more: Unanswered(key, real, it.seq, it.ack, it.time, **more),
    _Kind.OBSTRUCTED: lambda key, real, it, more: Obstructed(key, real, it.seq, it.ack, it.time, **more),
}


def heard(event: Any) -> Event:
    """A ``struct event``, which need not outlive the call."""
    key = Key(address(event.mapped), swap(event.port), address(event.client), swap(event.client_port))
    beyond = (address(event.beyond), swap(event.beyond_port)) if event.beyond else None
    more = {"real_port": swap(event.real_port), "beyond": beyond}
    return _BY_KIND[event.kind](key, address(event.real), event, more)
