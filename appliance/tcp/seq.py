"""Sequence numbers: the only arithmetic modulo 2**32.

Everything above speaks of *offsets*: absolute, from the first payload octet of that side, unbounded. `first` is the
sequence number of offset 0, the initial number plus one (RFC 9293 §3.4). A number stands for the offset nearest to
one already known, so streams longer than 4 GiB need nothing more. A keep-alive's octet before any data is at -1.
"""

from __future__ import annotations

_MODULUS = 1 << 32
_HALF = 1 << 31


def first_octet(initial: int) -> int:
    """The sequence number of offset 0, given the initial one (the SYN takes one)."""
    return (initial + 1) % _MODULUS


def to_offset(seq: int, first: int, near: int) -> int:
    """The offset nearest to `near` that `seq` can stand for."""
    return near + (seq - first - near + _HALF) % _MODULUS - _HALF


def to_seq(offset: int, first: int) -> int:
    """The sequence number of `offset`."""
    return (first + offset) % _MODULUS
