"""NULs beside a dot: what is the end of data for a server that drops them, and is none as sent (row 9).

A lone dot between line ends, any number of NULs before it, behind it or both. A run of them may go on for as long as
the peer likes, over as many segments: all that has to be kept of one is that it is there.
"""

from __future__ import annotations

import re

_LOOK_ALIKE = re.compile(rb"[\r\n](?:\0++\.\0*+|\.\0++)[\r\n]")
#: How one begins that is not yet complete.
_BEGUN = re.compile(rb"[\r\n]\0*+(?:\.\0*+)?\Z")
_RUN = re.compile(rb"\0+")
#: Octets of a beginning without NULs.
_PLAIN = len(b"\n.")


class NulLookAlikes:
    """The look-alikes of one message; made when its 354 was seen, behind DATA's own line end."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun = b"\n"  # the beginning of one, each run of NULs in it a single one

    def feed(self, octets: bytes) -> int:
        """Read on. Returns the index of the octet that decides the first look-alike in `octets`, -1 if none does."""
        before = self._begun
        if b"\0" not in octets and b"\0" not in before:
            self._begun = octets[-_PLAIN:] if len(octets) >= _PLAIN else (before + octets)[-_PLAIN:]
            return -1
        text = before + octets
        found = _LOOK_ALIKE.search(text)
        begun = _BEGUN.search(text, max(text.rfind(b"\r"), text.rfind(b"\n"), 0))
        self._begun = _RUN.sub(b"\0", begun[0]) if begun else b""
        return found.end() - 1 - len(before) if found else -1
