"""The bits of a packet's mark, shared by the BPF program, the iptables rules and the workers.

A mark is a permission, never a request: a packet without SKIP is queued. Every match and every write is
``value/mask``, so that the eight low bits and what other people keep there are never touched.

======== ======= ====================================================================================
bits     field   meaning
======== ======= ====================================================================================
8-10     disposition  what the BPF program decided of this packet (``Disposition``)
11-15    worker       which worker's queue the connection belongs to, 0-31
16-25    klass        the class that decides the connection's inspection, 0 = none, 1-1023
26-31    generation   the policy generation the class number belongs to, 0-63
======== ======= ====================================================================================

The disposition is of one packet and lives in the packet mark alone; the other three are of a connection and
are kept in the connmark.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Field:
    """A run of bits in the mark: `shift` from the right, `width` bits wide."""

    shift: int
    width: int

    @property
    def mask(self) -> int:
        """The field's bits set."""
        return ((1 << self.width) - 1) << self.shift

    @property
    def top(self) -> int:
        """The largest value the field holds."""
        return (1 << self.width) - 1

    def put(self, value: int) -> int:
        """`value` in the field's place; ValueError if it does not fit."""
        if not 0 <= value <= self.top:
            raise ValueError(f"{value} does not fit in {self.width} bits of mark")
        return value << self.shift

    def get(self, mark: int) -> int:
        """The field's value in `mark`."""
        return mark >> self.shift & (1 << self.width) - 1

    def match(self, value: int) -> str:
        """`value` as iptables writes it: ``0x100/0x700``."""
        return f"{self.put(value):#x}/{self.mask:#x}"


class Disposition(enum.IntEnum):
    """What the BPF program allows for one packet; QUEUE, all bits clear, is what anyone else's packet gets."""

    QUEUE = 0
    SKIP = 1  # need not be inspected: a plain SYN, a pure ACK, an end in its turn, or a flow in BYPASS
    INTERCEPT = 2  # a SYN at the embryonic limit: SYNPROXY answers it
    FULL = 3  # the same as COOKIE while max_conns is reached: reset the client
    COOKIE = 4  # an ACK without an entry that may bring a cookie back, for one was given out of late: SYNPROXY sees


DISPOSITION = Field(8, 3)
WORKER = Field(11, 5)
CLASS = Field(16, 10)
GENERATION = Field(26, 6)
#: Class and generation in one: which inspection it is, of all that connections may carry.
DECISION = Field(CLASS.shift, CLASS.width + GENERATION.width)

#: Every bit of ours.
OURS = DISPOSITION.mask | WORKER.mask | CLASS.mask | GENERATION.mask
#: What a connection keeps in its connmark.
CONNECTION = WORKER.mask | CLASS.mask | GENERATION.mask
