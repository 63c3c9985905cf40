"""Who talks to whom: the two sides of a connection and its end points."""

from __future__ import annotations

import enum
import functools
from ipaddress import IPv4Address

from appliance.value import value


class Side(enum.Enum):
    """The side of a connection that sent something. The client is the TCP initiator."""

    CLIENT = "client"
    SERVER = "server"

    @property
    def peer(self) -> Side:
        """The other side."""
        return Side.SERVER if self is Side.CLIENT else Side.CLIENT


@value
class Endpoint:
    """One end of a connection: the firewall's interface it is behind (its nameif), address and port."""

    interface: str
    address: IPv4Address
    port: int

    def __str__(self) -> str:
        """As ASA's messages write it: ``outside:203.0.113.10/40000``."""
        return f"{self.interface}:{_written(self.address)}/{self.port}"

    @property
    def place(self) -> str:
        """Address and port alone: ``203.0.113.10/40000``."""
        return f"{_written(self.address)}/{self.port}"


@value
class Flow:
    """A TCP connection through the firewall, on real addresses (row 17 of the design)."""

    client: Endpoint
    server: Endpoint

    def sender(self, side: Side) -> Endpoint:
        """The end point that `side` sends from."""
        return self.client if side is Side.CLIENT else self.server


#: An address as it is written. Log lines name the same ones again and again; a look costs a third of writing it anew.
_written = functools.lru_cache(maxsize=4096)(str)
