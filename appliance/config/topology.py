"""Where the ends of a connection are: behind which interface, mapped to what, and which is the less secure side.

ASA names that side first in records and in `show conn`, whoever opened the connection (asa.md §3.4, §4.4).
"""

from __future__ import annotations

from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.flow import Endpoint
from appliance.nat.connection import Parties
from appliance.nat.static import Names
from appliance.value import value

#: Where an end is of which the configuration says nothing: no interface has its network or a route to it.
UNKNOWN_INTERFACE = "unknown"


@value
class Ends:
    """Both ends of a connection. `inbound`: the client is on the less secure side (or on an equal one)."""

    client: Endpoint
    server: Endpoint
    client_mapped: Endpoint
    server_mapped: Endpoint
    inbound: bool

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
        self._levels = {each.nameif: each.security_level or 0 for each in config.interfaces}
        connected = [(each.address.network, each.nameif) for each in config.interfaces if each.address and each.nameif]
        routed = [(each.network, each.interface) for each in config.routes]
        self._networks = sorted(connected + routed, key=lambda each: -each[0].prefixlen)  # connected ones before routes

    def ends(self, of: Parties) -> Ends:
        """The ends of a connection."""
        key, (real, port) = of.key, of.server
        static = self._names.called(key.mapped, key.port)
        if static is not None and static.real == real:
            here, there = static.mapped_interface, static.real_interface
            mapped = Endpoint(here, key.mapped, key.port)
        else:
            here, there = self.interface(key.client), self.interface(real)
            mapped = Endpoint(there, key.mapped, key.port)
        client = client_mapped = Endpoint(here, key.client, key.client_port)
        beyond = of.beyond or self._names.mapped(there, key.client, key.client_port)
        if beyond != (key.client, key.client_port):
            client_mapped = Endpoint(here, *beyond)
        inbound = self._levels.get(here, 0) <= self._levels.get(there, 0)
        return Ends(client, Endpoint(there, real, port), client_mapped, mapped, inbound)

    def interface(self, address: IPv4Address) -> str:
        """The interface that an address is behind, by the longest network or route that holds it."""
        return next((nameif for network, nameif in self._networks if address in network), UNKNOWN_INTERFACE)
