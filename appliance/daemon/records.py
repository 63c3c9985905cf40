"""What the kernel reports of connections, as log records: 302013, 302014, 201010, 201011.

The kernel speaks of a tuple and a number for the reason; ASA speaks of interfaces, of the side of lower security
first, and of a number that a connection keeps from its first record to its last. This class knows those three and
nothing else: no socket, no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from appliance.config.config import Config
from appliance.flow import Endpoint
from appliance.nat.connection import Built, Ending, Event, Key, Limit, Refused, TornDown
from appliance.nat.static import Static
from appliance.syslog import (
    ConnectionBuilt,
    ConnectionLimitExceeded,
    ConnectionTornDown,
    Direction,
    EmbryonicLimitExceeded,
    Reason,
    Record,
)

#: Where an end is of which the configuration knows no more: its static went with a reload.
UNKNOWN_INTERFACE = "unknown"
#: Numbers remembered at most: the kernel's table has as many entries. Only lost events ever reach it.
REMEMBERED = 1 << 20

_NANOSECONDS = 1_000_000_000

#: The endings that do not depend on which side is the more secure.
_REASONS: Mapping[Ending, Reason] = {
    Ending.FINS: Reason.FINS,
    Ending.SYN_TIMEOUT: Reason.SYN_TIMEOUT,
    Ending.FIN_TIMEOUT: Reason.FIN_TIMEOUT,
    Ending.IDLE_TIMEOUT: Reason.CONN_TIMEOUT,
    Ending.INSPECTION: Reason.INSPECTION,
    Ending.CLEARED: Reason.XLATE_CLEAR,
    Ending.REPLACED: Reason.FINS,
}


class ConnectionRecords:
    """Turns events into records; it numbers the connections."""

    def __init__(self, config: Config) -> None:
        self._last = 0
        self._numbers: dict[Key, int] = {}
        self.configure(config)

    def configure(self, config: Config) -> None:
        """From now on `config` says where an address is; numbers go on."""
        self._statics = {each.mapped: each for each in config.statics}
        self._levels = {each.nameif: each.security_level or 0 for each in config.interfaces}

    def record(self, event: Event) -> Record:
        """The record of `event`."""
        client, server, mapped = self._ends(event)
        inbound = self._levels.get(client.interface, 0) <= self._levels.get(server.interface, 0)
        lower, upper = (client, server) if inbound else (server, client)
        match event:
            case Built():
                direction = Direction.INBOUND if inbound else Direction.OUTBOUND
                maps = {server: mapped}
                number = self._number(event.key)
                return ConnectionBuilt(direction, number, lower, maps.get(lower, lower), upper, maps.get(upper, upper))
            case TornDown():
                number = self._numbers.pop(event.key, 0) or self._next()
                seconds = max(0, event.time - event.started) // _NANOSECONDS
                return ConnectionTornDown(number, lower, upper, seconds, event.octets, _reason(event.ending, inbound))
            case Refused(which=Limit.MAX_CONNS):
                return ConnectionLimitExceeded(event.count, event.limit, client, server)
            case Refused():
                return EmbryonicLimitExceeded(event.count, event.limit, client, server)
            case _:
                assert_never(event)

    def _ends(self, event: Event) -> tuple[Endpoint, Endpoint, Endpoint]:
        """The client, the server by its real address, the server by its mapped one."""
        key = event.key
        static: Static | None = self._statics.get(key.mapped)
        here, there = (
            (static.mapped_interface, static.real_interface) if static else (UNKNOWN_INTERFACE, UNKNOWN_INTERFACE)
        )
        return (
            Endpoint(here, key.client, key.client_port),
            Endpoint(there, event.real, key.port),
            Endpoint(here, key.mapped, key.port),
        )

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _number(self, key: Key) -> int:
        """A new number for `key`; the oldest is forgotten when too many are known."""
        self._numbers.pop(key, None)
        if len(self._numbers) >= REMEMBERED:
            del self._numbers[next(iter(self._numbers))]
        self._numbers[key] = self._next()
        return self._numbers[key]


def _reason(ending: Ending, inbound: bool) -> Reason:
    """ASA's word; a reset is -O from the less secure side, which is the client's if the connection is inbound."""
    if ending in (Ending.RESET_BY_CLIENT, Ending.RESET_BY_SERVER):
        from_lower = (ending is Ending.RESET_BY_CLIENT) == inbound
        return Reason.RESET_O if from_lower else Reason.RESET_I
    return _REASONS[ending]
