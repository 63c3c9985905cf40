"""What rules and connection tracking make of a packet on its way: a connection keeps what it began with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from appliance.flow import Side
from appliance.nat.connection import Key
from appliance.nat.machine import Packet
from appliance.nat.static import End, Names, Static
from tests.admission import INTERFACES, SOME, real


@dataclass(frozen=True)
class Track:
    """Where a connection leads, and by what its server knows its client."""

    place: End
    client: End


class Tracking:
    """The statics in force, and the connections that began under these or others."""

    def __init__(self) -> None:
        self._living: dict[Key, Track] = {}
        self._lost: set[Key] = set()  # their client's name beyond has been another host's
        self.reloads = 0
        self.put(())

    def put(self, statics: Iterable[Static], choosing: Collection[str] = ()) -> None:
        """What begins from now on is translated by these, and from these interfaces by rules of another kind."""
        self._names = Names(statics)
        self._choosing = choosing
        self.reloads += 1
        for key, track in self._living.items():
            known = self._names.real(*track.client)
            if known == _client(key):
                self._lost.discard(key)
            elif known != track.client:
                self._lost.add(key)

    def follow(self, keys: Collection[Key]) -> None:
        """These connections there are."""
        self._living = {key: self._track(key) for key in keys}
        self._lost &= self._living.keys()

    def knows(self, key: Key) -> bool:
        """Whether there is such a connection."""
        return key in self._living

    def of(self, packet: Packet) -> Track:
        """What becomes of the packet."""
        track, twin = self._track(packet.key), self._twin(packet.key)
        known = (twin.mapped, twin.port) if twin else track.client
        return Track(track.place, packet.beyond or known)

    def passes(self, packet: Packet) -> bool:
        """Whether it is forwarded as what it is.

        Not by an address that only some may call by, while there are none, nor as its server opens one; not to where
        nobody is, nor past a static; nor where its ends are another connection's, for connection tracking
        would give it another port; nor where its client's name is another host's, or was since it began; nor what calls
        a name that was chosen for somebody's own connection.
        """
        key, track, twin = packet.key, self.of(packet), self._twin(packet.key)
        if packet.place and packet.opens and (packet.side is Side.SERVER or "outside" not in self._choosing):
            return False
        ends = {track.place, _client(key)}
        same = {other for other, each in self._living.items() if {each.place, _client(other)} == ends}
        if track.place[0] not in INTERFACES or same - {key, twin}:
            return False
        if twin and self._living[twin].client != (key.mapped, key.port):
            return False
        around = (key.mapped, key.port) == track.place and self._names.of(INTERFACES[key.client], *track.place)
        if around and key not in self._living:
            return False
        if (twin or key) in self._lost:
            return False
        if packet.beyond and packet.opens and packet.side is Side.SERVER:
            return False
        return packet.beyond is not None or self._names.real(*track.client) in (track.client, _client(key))

    def _track(self, key: Key) -> Track:
        if key in self._living:
            return self._living[key]
        place = real(key) if key.mapped == SOME else self._names.real(key.mapped, key.port)
        return Track(place, self._names.mapped(INTERFACES.get(place[0], ""), *_client(key)))

    def _twin(self, key: Key) -> Key | None:
        """The connection of the same ends that the other one has opened."""
        place = self._track(key).place
        found = (other for other, each in self._living.items() if (_client(other), each.place) == (place, _client(key)))
        return next(found, None)


def _client(key: Key) -> End:
    return key.client, key.client_port
