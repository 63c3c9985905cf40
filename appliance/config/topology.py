"""Where the ends of a connection are: behind which interface, mapped to what, and which is the less secure side.

ASA names that side first in records and in `show conn`, whoever opened the connection (asa.md §3.4, §4.4).
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TypeVar

from appliance.config.config import Config
from appliance.config.translations import Kept, translations
from appliance.flow import Endpoint
from appliance.nat.connection import Parties
from appliance.nat.static import End, Names
from appliance.value import value

#: Where an end is of which the configuration says nothing: no interface has its network or a route to it.
UNKNOWN_INTERFACE = "unknown"
#: Addresses, and servers, whose place is remembered.
_REMEMBERED = 16_384

K = TypeVar("K")
V = TypeVar("V")
#: A server by its real end and by the one it was called, and the interface that its client is behind if a static says.
_Server = tuple[Endpoint, Endpoint, str | None]


@value
class Ends:
    """Both ends of a connection. `inbound`: the client is on the less secure side (or on an equal one).

    `otherwise`: the server is called as no static of a host or a port says (policy NAT, a static of more than 256
    hosts, ``destination static``).
    """

    client: Endpoint
    server: Endpoint
    client_mapped: Endpoint
    server_mapped: Endpoint
    inbound: bool
    otherwise: bool = False

    @property
    def beyond(self) -> Endpoint:
        """The client as its server knows it, on the server's side."""
        return Endpoint(self.server.interface, self.client_mapped.address, self.client_mapped.port)

    @property
    def lower(self) -> Endpoint:
        """The end of lower security, by its real address."""
        return self.client if self.inbound else self.server

    @property
    def lower_mapped(self) -> Endpoint:
        """The same, by its mapped address."""
        return self.client_mapped if self.inbound else self.server_mapped

    @property
    def upper(self) -> Endpoint:
        """The end of higher security, by its real address."""
        return self.server if self.inbound else self.client

    @property
    def upper_mapped(self) -> Endpoint:
        """The same, by its mapped address."""
        return self.server_mapped if self.inbound else self.client_mapped


class Topology:
    """What a configuration says of addresses and security levels, looked up by connection."""

    def __init__(self, config: Config) -> None:
        self._names = Names(config.all_statics)
        self._kept = Kept(translations(config))
        self._levels = {each.nameif: each.security_level or 0 for each in config.interfaces}
        connected = [(each.address.network, each.nameif) for each in config.interfaces if each.address and each.nameif]
        routed = [(each.network, each.interface) for each in config.routes]
        self._networks = sorted(connected + routed, key=lambda each: -each[0].prefixlen)  # connected ones before routes
        # Addresses are numbers here: one as an object takes longer to look up than all else about a connection.
        self._translated = {int(each.real) for each in config.all_statics}
        self._interfaces: dict[int, str] = {}
        self._servers: dict[tuple[int, int, int, int], _Server] = {}

    def ends(self, of: Parties) -> Ends:
        """The ends of a connection."""
        key = of.key
        server, mapped, here = self._server(of)
        otherwise = False
        if here is None:
            here = self.interface(key.client)
            if (key.mapped, key.port) != of.server:  # only some may call it so
                otherwise = True
                mapped = Endpoint(here, mapped.address, mapped.port)
        client = client_mapped = Endpoint(here, key.client, key.client_port)
        if of.beyond is not None:
            client_mapped = Endpoint(here, *of.beyond)
        elif int(key.client) in self._translated:
            client_mapped = Endpoint(here, *self._known_as(client, server))
        inbound = self._levels.get(here, 0) <= self._levels.get(server.interface, 0)
        return Ends(client, server, client_mapped, mapped, inbound, otherwise)

    def interface(self, address: IPv4Address) -> str:
        """The interface that an address is behind, by the longest network or route that holds it."""
        known = self._interfaces.get(int(address))
        if known is None:
            known = next((nameif for network, nameif in self._networks if address in network), UNKNOWN_INTERFACE)
            _remember(self._interfaces, int(address), known)
        return known

    def _known_as(self, client: Endpoint, server: Endpoint) -> End:
        """By what a client is known to a server, if it is by what it always is."""
        static = self._names.of(server.interface, client.address, client.port)
        if static is None or self._kept.by(client, server, static.line):
            return client.address, client.port
        return static.called(client.port)

    def _server(self, of: Parties) -> _Server:
        """The server, the same as it was called, and where its client is if the static says so: of many connections
        to one server they are the same."""
        key, (real, port) = of.key, of.server
        place = int(key.mapped), key.port, int(real), port
        known = self._servers.get(place)
        if known is None:
            static = self._names.called(key.mapped, key.port)
            if static is not None and static.real == real:
                here, there = static.mapped_interface, static.real_interface
            else:
                here, there = None, self.interface(real)
            known = Endpoint(there, real, port), Endpoint(here or there, key.mapped, key.port), here
            _remember(self._servers, place, known)
        return known


def _remember(known: dict[K, V], key: K, value: V) -> None:
    """Keep it; a flood's addresses do not fill the memory with what nobody asks for again."""
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = value
