"""The octets of one direction from the acknowledged offset to the last one read, masks written into them.

What lies here is what the peer gets, at the first sending as at every later one: a packet's payload is always taken
from here. Below the acknowledged offset nothing is kept; such octets are NULs (a keep-alive needs its ACK, nobody
needs its octet). In a dialogue there is never more than one packet's payload: that is kept as it came, uncopied.
"""

from __future__ import annotations


class Edits:
    """`base`: the acknowledged offset; `top`: the offset behind the last octet kept."""

    __slots__ = ("_octets", "base")

    def __init__(self) -> None:
        self.base = 0
        self._octets: bytes | bytearray = b""

    @property
    def top(self) -> int:
        """The offset behind the last octet."""
        return self.base + len(self._octets)

    def __len__(self) -> int:
        return len(self._octets)

    def append(self, octets: bytes) -> None:
        """The stream goes on with `octets`."""
        if self._octets:
            self._writable().extend(octets)
        else:
            self._octets = octets

    def write(self, start: int, octets: bytes) -> None:
        """Mask: `octets` over what is kept from offset `start` on. IndexError if that is not all kept."""
        at = start - self.base
        if at < 0 or at + len(octets) > len(self._octets):
            raise IndexError(f"{len(octets)} octets at {start} are not within {self.base}–{self.top}")
        self._writable()[at : at + len(octets)] = octets

    def _writable(self) -> bytearray:
        octets = self._octets
        if isinstance(octets, bytes):
            self._octets = octets = bytearray(octets)
        return octets

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
        if gone == len(self._octets):
            return self.forget()
        del self._writable()[:gone]
        self.base = offset
        return gone

    def forget(self) -> int:
        """Let go of everything. How many octets that were."""
        gone = len(self._octets)
        self.base += gone
        self._octets = b""
        return gone
