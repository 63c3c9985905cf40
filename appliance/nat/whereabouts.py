"""Who a packet is from and to: behind which interface an address is, and by which static it is called there."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address

from appliance.nat.connection import Key, Parties
from appliance.nat.machine import Entry, Packet
from appliance.nat.places import Tuple
from appliance.nat.remembered import Remembered
from appliance.nat.static import End, Static, same_name


class Whereabouts:
    """By `interface`, the nameif that an address is behind, and by the statics that are `remembered`."""

    def __init__(self, interface: Mapping[IPv4Address, str], remembered: Remembered) -> None:
        self._interface = interface
        self._remembered = remembered

    def behind(self, address: IPv4Address) -> str:
        """The interface an address is behind; nobody is behind the one without a name."""
        return self._interface.get(address, "")

    def ends(self, packet: Packet) -> Tuple:
        """The real ends of a packet's connection."""
        return frozenset({self.server(packet), (packet.key.client, packet.key.client_port)})

    def server(self, packet: Packet) -> End:
        """Where a packet's server is."""
        return packet.place or self._remembered.names.real(packet.key.mapped, packet.key.port)

    def called(self, packet: Packet) -> End:
        """The server by its real address, or as only some may call it."""
        return (packet.key.mapped, packet.key.port) if packet.place else self.server(packet)

    def static(self, key: Key) -> Static | None:
        """The static that is called; one that is gone, too."""
        return self._remembered.names.called(key.mapped, key.port)

    def calls(self, packet: Packet, entry: Entry) -> bool:
        """Whether the packet calls the server as the client of `entry` did."""
        static = self.static(packet.key)
        return same_name(static.ends if static else None, entry.static)

    def leading_to(self, packet: Packet) -> Static | None:
        """The static in force by which a packet's server is known where its client is."""
        return self._remembered.names.of(self.behind(packet.key.client), *self.server(packet))

    def of_client(self, packet: Packet) -> Static | None:
        """The static by which a packet's client is known where its server is; one that is gone, by its own address."""
        here, key, names = self.behind(self.server(packet)[0]), packet.key, self._remembered.names
        return names.of(here, key.client, key.client_port) or names.called(key.client, key.client_port)

    def parties(self, packet: Packet, static: Static | None) -> Parties:
        """Whom a SYN is between, if `static` is the one it is charged to."""
        server, port = self.server(packet)
        mapped = static.called(port) if static else self.called(packet)
        key = Key(*mapped, packet.key.client, packet.key.client_port)
        return Parties(key, server, real_port=port, beyond=packet.beyond)
