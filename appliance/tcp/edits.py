"""The octets of one direction from the acknowledged offset to the last one read, masks written into them.

What lies here is what the peer gets, at the first sending as at every later one: a packet's payload is always taken
from here. Below the acknowledged offset nothing is kept; such octets are NULs (a keep-alive needs its ACK, nobody
needs its octet).
"""

from __future__ import annotations


class Edits:
    """`base`: the acknowledged offset; `top`: the offset behind the last octet kept."""

    __slots__ = ("_octets", "base")

    def __init__(self) -> None:
        self.base = 0
        self._octets = bytearray()

    @property
    def top(self) -> int:
        """The offset behind the last octet."""
        return self.base + len(self._octets)

    def __len__(self) -> int:
        return len(self._octets)

    def append(self, octets: bytes) -> None:
        """The stream goes on with `octets`."""
        self._octets += octets

    def write(self, start: int, octets: bytes) -> None:
        """Mask: `octets` over what is kept from offset `start` on. IndexError if that is not all kept."""
        at = start - self.base
        if at < 0 or at + len(octets) > len(self._octets):
            raise IndexError(f"{len(octets)} octets at {start} are not within {self.base}–{self.top}")
        self._octets[at : at + len(octets)] = octets

    def read(self, start: int, end: int) -> bytes:
        """The octets from `start` to before `end`, which is at most `top`."""
        at = start - self.base
        if at >= 0:
            return bytes(self._octets[at : end - self.base])
        if end <= self.base:
            return bytes(end - start)
        return bytes(-at) + self._octets[: end - self.base]

    def acknowledge(self, offset: int) -> int:
        """The peer has everything below `offset` (at most `top`): let go of it. How many octets that were."""
        gone = offset - self.base
        if gone <= 0:
            return 0
        del self._octets[:gone]
        self.base = offset
        return gone

    def forget(self) -> None:
        """Let go of everything."""
        self.acknowledge(self.top)
