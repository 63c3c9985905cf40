"""The flow table: connections by their real addresses and ports, as either side writes them.

Rules:

* A connection leaves it when it was idle for as long as its state allows, or when its tuple begins another one.
* One of whose client nothing was read may be a spoofed SYN's: nobody here sees the ACK that ends a handshake.
* It is bounded: at the bound the one that has been over for longest makes room, else the one whose client has been
  silent for longest; if there is neither, none is added.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from appliance.flow import Side
from appliance.tcp.connection import Connection, State, reverse
from appliance.tcp.stream import Stream

#: Connections at once, of one worker.
MAX_CONNECTIONS = 1 << 17

#: Asked for with every connection: a name costs a tenth of what a member of an enumeration does.
_CLIENT, _SERVER = Side.CLIENT, Side.SERVER

C = TypeVar("C", bound=Connection)

#: What a packet belongs to: the connection, the side that sent it, that side's stream, its peer's.
Found = tuple[C, Side, Stream, Stream]


class Table(Generic[C]):
    """Connections of one worker; `lifetimes` says how long one in that state may be idle, in ns, and `silence` how long
    one whose client was never heard may be."""

    def __init__(self, lifetimes: Mapping[State, int], silence: int, limit: int = MAX_CONNECTIONS) -> None:
        self.lifetimes = lifetimes
        self._silence = silence
        self._limit = limit
        self._sides: dict[bytes, Found[C]] = {}
        # ordered: a dict whose front was deleted takes long to find its first
        self._over: OrderedDict[bytes, C] = OrderedDict()  # CLOSED, RESET and DEAD, in the order they ended
        self._silent: OrderedDict[bytes, C] = OrderedDict()  # the client was never heard, in the order they began
        #: `find(key)`: what a packet belongs to, by addresses and ports as its sender writes them; or None
        self.find = self._sides.get

    def __len__(self) -> int:
        return len(self._sides) // 2

    def __iter__(self) -> Iterator[C]:
        return (connection for connection, side, _, _ in self._sides.values() if side is _CLIENT)

    def add(self, connection: C) -> C | None:
        """A connection begins. Which one was forgotten for it, `connection` itself if there is no room."""
        key = connection.key
        forgotten = None
        if key in self._sides:
            forgotten = self._sides[key][0]
        elif len(self) >= self._limit:
            forgotten = next((each for them in (self._over, self._silent) for each in them.values()), connection)
        if forgotten is connection:
            return connection
        if forgotten is not None:
            self.remove(forgotten)
        client, server = connection.client, connection.server
        self._sides[key] = (connection, _CLIENT, client, server)
        self._sides[reverse(key)] = (connection, _SERVER, server, client)
        self._silent[key] = connection
        return forgotten

    def heard(self, connection: C) -> None:
        """Octets of its client were read: it is no spoofed SYN's."""
        self._silent.pop(connection.key, None)

    def end(self, connection: C, state: State) -> None:
        """The connection is CLOSED, RESET or DEAD from now on."""
        connection.become(state)
        self._silent.pop(connection.key, None)
        self._over.pop(connection.key, None)
        self._over[connection.key] = connection

    def remove(self, connection: C) -> None:
        """Forget a connection."""
        del self._sides[connection.key], self._sides[connection.server_key]
        self._over.pop(connection.key, None)
        self._silent.pop(connection.key, None)

    def idle(self, now: int) -> list[C]:
        """The connections that have been idle for too long."""
        lifetimes, silent, silence = self.lifetimes, self._silent, self._silence
        return [each for each in self if now - each.last > (silence if each.key in silent else lifetimes[each.state])]
