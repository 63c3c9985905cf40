"""What the kernel reports of connections, as log records: 302013, 302014, 201010 to 201013, 305009 to 305012,
609001, 609002.

The kernel speaks of a tuple and a number for the reason; ASA speaks of interfaces, of the side of lower security
first (`config.topology`), and of a number that a connection keeps from its first record to its last. No socket here,
and no clock is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import assert_never

from appliance.config.config import Config
from appliance.config.topology import Ends, Topology
from appliance.config.versions import Addresses
from appliance.daemon import clock
from appliance.daemon.hosts import Hosts
from appliance.daemon.translations import Translations
from appliance.flow import Endpoint
from appliance.nat.connection import Built, Connection, Ending, Key, Limit, Parties, Refused, TornDown
from appliance.syslog import (
    ClientEmbryonicLimitExceeded,
    ClientLimitExceeded,
    ConnectionBuilt,
    ConnectionLimitExceeded,
    ConnectionTornDown,
    Direction,
    EmbryonicLimitExceeded,
    LocalHostBuilt,
    LocalHostTornDown,
    Reason,
    Record,
)

#: Numbers remembered at most: the kernel's table has as many entries. Only lost events ever reach it.
REMEMBERED = 1 << 17

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
#: A member of an enumeration that is asked for by name costs ten times a name's price, and its hash a call.
_RESETS = (Ending.RESET_BY_CLIENT, Ending.RESET_BY_SERVER)
_INBOUND, _OUTBOUND = Direction.INBOUND, Direction.OUTBOUND


#: Which record says that a limit was met.
_EXCEEDED: Mapping[Limit, Callable[[int, int, Endpoint, Endpoint], Record]] = {
    Limit.MAX_CONNS: ConnectionLimitExceeded,
    Limit.EMBRYONIC: EmbryonicLimitExceeded,
    Limit.CLIENT_MAX: ClientLimitExceeded,
    Limit.CLIENT_EMBRYONIC: ClientEmbryonicLimitExceeded,
}


class ConnectionRecords:
    """Turns events into records; it numbers the connections and knows the hosts and the translations
    that have any."""

    def __init__(self, config: Config) -> None:
        self._last = 0
        self._known: dict[Key, tuple[int, Ends]] = {}
        self.hosts = Hosts()
        self.translations = Translations()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """From now on `config` says where an address is; living connections stay where they were, numbers go on."""
        self._topology = Topology(config)
        self._mapped = config.defaults.addresses is Addresses.MAPPED

    def recount(self, connections: Iterable[Connection]) -> None:
        """These are all connections there are: events were lost, or there were connections before us."""
        found = self.translations.recount((each, self._topology.ends(each), each.started) for each in connections)
        self.hosts.recount((end, started) for _, ends, started in found for end in (ends.client, ends.server))

    def records(self, event: Built | TornDown | Refused) -> Iterator[Record]:
        """The records of `event`, in their order: a host is there before its connections, and gone after them."""
        match event:
            case Built():
                yield from self._built(event)
            case TornDown():
                yield from self._torn_down(event)
            case Refused():
                ends = self._topology.ends(event)
                server = ends.server_mapped if self._mapped else ends.server  # real from 8.3 on (asa.md §4.3)
                yield _EXCEEDED[event.which](event.count, event.limit, ends.client, server)
            case _:
                assert_never(event)

    def _built(self, event: Built) -> Iterator[Record]:
        number, ends = self._number(event)
        for end in (ends.client, ends.server):
            if self.hosts.enter(end, event.time):
                yield LocalHostBuilt(end.interface, end.address)
        made = self.translations.enter(event, ends, event.time)
        if made is not None:
            yield made
        direction = _INBOUND if ends.inbound else _OUTBOUND
        yield ConnectionBuilt(direction, number, ends.lower, ends.lower_mapped, ends.upper, ends.upper_mapped)

    def _torn_down(self, event: TornDown) -> Iterator[Record]:
        known = self._known.pop(event.key, None)
        number, ends = known or (self._next(), self._topology.ends(event))
        seconds = max(0, event.time - event.started) // clock.SECOND
        reason = _reason(event.ending, ends.inbound)
        yield ConnectionTornDown(number, ends.lower, ends.upper, seconds, event.octets, reason)
        gone = self.translations.leave(event, ends, seconds, event.time)
        if gone is not None:
            yield gone
        for end in (ends.client, ends.server):
            lasted = self.hosts.leave(end, event.time)
            if lasted is not None:
                yield LocalHostTornDown(end.interface, end.address, lasted // clock.SECOND)

    def _next(self) -> int:
        self._last += 1
        return self._last

    def _number(self, of: Parties) -> tuple[int, Ends]:
        """A new number for a connection, and where its ends are; the oldest is forgotten when too many are known."""
        self._known.pop(of.key, None)
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[of.key] = known = self._next(), self._topology.ends(of)
        return known


def _reason(ending: Ending, inbound: bool) -> Reason:
    """ASA's word; a reset is -O from the less secure side, which is the client's if the connection is inbound."""
    if ending in _RESETS:
        from_lower = (ending is Ending.RESET_BY_CLIENT) == inbound
        return Reason.RESET_O if from_lower else Reason.RESET_I
    return _REASONS[ending]
