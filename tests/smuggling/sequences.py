"""What is tried around a dot: row 9's matrix, and every short sequence of the octets that matter.

Sequences are spelt octet by octet, ``CR LF . LF``, so that a table of them can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

CRLF, LF, CR, CRCRLF = b"\r\n", b"\n", b"\r", b"\r\r\n"
NUL = b"\0"

#: Line ends beside the dot, and what stands between them and the dot.
BEFORE = (CRLF, LF, CR, CRCRLF)
BEHIND = (CRLF, LF, CR, CRCRLF)
#: The longer run is longer than anything that a reader keeps of a message.
RUN = NUL * 6
BESIDE = ((b"", b""), (NUL, b""), (b"", NUL), (NUL, NUL), (RUN, b""), (b"", RUN), (RUN, RUN))

#: Where the sequence stands: as the first octets of a message, further down in it, among the commands.
FIRST, LATER, OUTSIDE = "first line", "later line", "out of DATA"
LEADING = {FIRST: b"", LATER: b"a: b\r\n\r\nbody", OUTSIDE: b""}

#: The octets in which readers differ; ``x`` stands for all others. Every sequence of up to `LONGEST` is tried.
OCTETS = tuple(bytes([each]) for each in b"\r\n.\0x")
LONGEST = 5

_NAMES = {b"\r": "CR", b"\n": "LF", b"\0": "NUL"}
_OCTETS = {name: octet for octet, name in _NAMES.items()}


def matrix() -> Iterator[tuple[str, bytes]]:
    """Each place and sequence of row 9's set."""
    for place, before, (left, right), behind in product(LEADING, BEFORE, BESIDE, BEHIND):
        yield place, before + left + b"." + right + behind


def spell(octets: bytes) -> str:
    """``CR LF . LF``"""
    return " ".join(_NAMES.get(bytes([each]), chr(each)) for each in octets)


def unspell(text: str) -> bytes:
    """The octets that `spell` spelt."""
    return b"".join(_OCTETS.get(word, word.encode("ascii")) for word in text.split(" "))
