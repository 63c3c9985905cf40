"""Where the ends of a connection are: behind which interface, mapped to what, and which is the less secure side.

ASA names that side first in records and in `show conn`, whoever opened the connection (asa.md §3.4, §4.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.flow import Endpoint
from appliance.nat.connection import Key

#: Where an end is of which the configuration knows no more: its static went with a reload.
UNKNOWN_INTERFACE = "unknown"


@dataclass(frozen=True, slots=True)
class Ends:
    """Both ends of a connection. `inbound`: the client is on the less secure side (or on an equal one)."""

    client: Endpoint
    server: Endpoint
    server_mapped: Endpoint
    inbound: bool

    @property
    def lower(self) -> Endpoint:
        """The end of lower security, by its real address."""
        return self.client if self.inbound else self.server

    @property
    def lower_mapped(self) -> Endpoint:
        """The same, by its mapped address."""
        return self.client if self.inbound else self.server_mapped

    @property
    def upper(self) -> Endpoint:
        """The end of higher security, by its real address."""
        return self.server if self.inbound else self.client

    @property
    def upper_mapped(self) -> Endpoint:
        """The same, by its mapped address."""
        return self.server_mapped if self.inbound else self.client


class Topology:
    """What a configuration says of addresses and security levels, looked up by connection."""

    def __init__(self, config: Config) -> None:
        self._statics = {each.mapped: each for each in config.statics}
        self._levels = {each.nameif: each.security_level or 0 for each in config.interfaces}

    def ends(self, key: Key, real: IPv4Address) -> Ends:
        """The ends of the connection `key` to the server `real`."""
        static = self._statics.get(key.mapped)
        here, there = UNKNOWN_INTERFACE, UNKNOWN_INTERFACE
        if static is not None:
            here, there = static.mapped_interface, static.real_interface
        return Ends(
            client=Endpoint(here, key.client, key.client_port),
            server=Endpoint(there, real, key.port),
            server_mapped=Endpoint(here, key.mapped, key.port),
            inbound=self._levels.get(here, 0) <= self._levels.get(there, 0),
        )
