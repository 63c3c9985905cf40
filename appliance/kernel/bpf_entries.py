"""The entries of the connection table, read: the program writes them, here they become connections.

Structures are as bcc found them in the C; the flags and states below are those of bpf/structs.h.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import os
from collections.abc import Iterator
from typing import Any

from appliance.flow import Side
from appliance.kernel.bpf_limits import TICK_SHIFT, LimitMaps, address, swap, word
from appliance.kernel.errors import KernelError
from appliance.nat.connection import Connection, Key, Parties, State

CHUNK = 128  # entries in one look: 0.1 ms, and 3 ms of whoever makes a report of each

#: bits of struct conn's flags
_FIN = {Side.CLIENT: 0x01, Side.SERVER: 0x02}
_FINS = 0x03
_DATA_FROM_CLIENT, _DATA_FROM_SERVER = 0x04, 0x08
_BYPASS = 0x10
_INTERCEPTED = 0x20
_CLIENT_HIGH = 0x40
_RENAMED = 0x100
_INSPECTED = 0x200
_CALLED = 0x400
_PORT_SHIFT, _OCTETS = 48, (1 << 48) - 1
#: where an entry's arrays have a side: enum side
_INDEX = {Side.CLIENT: 0, Side.SERVER: 1}
#: the sides whose FINs those two bits tell of
_SIDES = tuple(frozenset(side for side, bit in _FIN.items() if bits & bit) for bits in range(_FINS + 1))
#: the states by number
_STATES = tuple(State(number) for number in range(len(State)))
#: states of what is no connection; the second one is ALIAS
_NONE = (State.CLOSED, 8)
#: the table keeps 32 bits of a tick
_HALF = 1 << 31


class Entries:
    """The map of entries; the limits say what their statics are called."""

    def __init__(self, table: Any, limits: LimitMaps) -> None:
        self._table = table
        self._limits = limits
        self.key_size: int = ctypes.sizeof(table.Key)

    def key(self, key: Key) -> bytes:
        """What the program knows the connection by: its real ends in the order that it puts them in."""
        ends = [(word(key.mapped), swap(key.port)), (word(key.client), swap(key.client_port))]
        (low, low_port), (high, high_port) = sorted(ends)
        return bytes(self._table.Key(low, high, low_port, high_port))

    def acknowledged(self, key: Key) -> int | None:
        """The highest acknowledgment number that went to the client, None if there is no such connection."""
        entry = self._find(key)
        return None if entry is None else int(entry.acked[_INDEX[Side.SERVER]])

    def behind_fin(self, key: Key, side: Side) -> int | None:
        """The number behind the FIN of `side`, None if none was forwarded."""
        entry = self._find(key)
        return int(entry.next[_INDEX[side]]) if entry is not None and entry.flags & _FIN[side] else None

    def parties(self, key: Key) -> Parties | None:
        """Whom the connection is between, None if the client of `key` has opened no such one."""
        entry = self._find(key)
        known = (
            self.connection(self._table.Key.from_buffer_copy(self.key(key)), entry, 0) if entry is not None else None
        )
        return known if known and known.ends == key else None

    def has(self, key: Key) -> bool:
        """Whether there is such a connection."""
        return self._find(key) is not None

    def _find(self, key: Key) -> Any:
        try:
            return self._table[self._table.Key.from_buffer_copy(self.key(key))]
        except KeyError:
            return None

    def packed(self) -> Iterator[tuple[bytes, Iterator[tuple[Any, Any]]]]:
        """The keys of all entries one behind the other, `CHUNK` at a time; and what `pairs` has of them."""
        for keys, leaves, count in self._chunks():
            pairs = zip(itertools.islice(keys, count), itertools.islice(leaves, count), strict=True)
            yield bytes(keys)[: count * self.key_size], pairs

    def ends(self) -> set[tuple[int, int]]:
        """The ends of all connections, address and port as the program has them; and each address with port 0."""
        found: set[tuple[int, int]] = set()
        for some in self.pairs():
            for key, leaf in some:
                if leaf.state not in _NONE:
                    low, high = key.low, key.high
                    found |= {(low, 0), (low, key.low_port), (high, 0), (high, key.high_port)}
        return found

    def pairs(self) -> Iterator[Iterator[tuple[Any, Any]]]:
        """All keys and their entries, `CHUNK` at a time; what one time brings is gone with the next."""
        for keys, leaves, count in self._chunks():
            yield zip(keys[:count], leaves[:count], strict=True)

    def _chunks(self) -> Iterator[tuple[Any, Any, int]]:
        """Arrays of keys and of entries and how many of them count, taken bucket by bucket while the table lives."""
        from bcc.libbcc import lib

        keys, leaves = (self._table.Key * CHUNK)(), (self._table.Leaf * CHUNK)()
        position, at = ctypes.c_uint32(), None
        while True:
            count = ctypes.c_uint32(CHUNK)
            result = lib.bpf_lookup_batch(
                self._table.get_fd(),
                at,
                ctypes.byref(position),
                ctypes.byref(keys),
                ctypes.byref(leaves),
                ctypes.byref(count),
            )
            if result < 0 and ctypes.get_errno() != errno.ENOENT:
                raise KernelError(f"the connection table cannot be read: {os.strerror(ctypes.get_errno())}")
            if count.value:
                yield keys, leaves, count.value
            if result < 0:
                return
            at = ctypes.byref(position)

    def connection(self, key: Any, leaf: Any, now: int) -> Connection | None:
        """What an entry is by the program's clock, None of a tombstone or an alias."""
        if leaf.state in _NONE:
            return None
        flags, state = leaf.flags, _STATES[leaf.state]
        low, high = (address(key.low), swap(key.low_port)), (address(key.high), swap(key.high_port))
        (client, client_port), (real, port) = (high, low) if flags & _CLIENT_HIGH else (low, high)
        (mapped, mapped_port), _ = self._limits.ends.get(leaf.number, ((real, 0), (real, 0)))
        other = (address(leaf.other), swap(leaf.octets >> _PORT_SHIFT)) if flags & _RENAMED else None
        if other and flags & _CALLED:
            (mapped, mapped_port), other = other, None
        return Connection(
            key=Key(mapped, mapped_port or port, client, client_port),
            real=real,
            real_port=port,
            beyond=other,
            state=state,
            started=_moment(leaf.started, now),
            last=_moment(leaf.last, now),
            octets=leaf.octets & _OCTETS,
            from_client=bool(flags & _DATA_FROM_CLIENT),
            from_server=bool(flags & _DATA_FROM_SERVER),
            fin=_SIDES[flags & _FINS],
            acknowledged=_acknowledged(leaf, flags) if flags & _FINS else _SIDES[0],
            bypass=bool(flags & _BYPASS),
            inspected=bool(flags & _INSPECTED),
            intercepted=bool(flags & _INTERCEPTED),
            lifetime=self._limits.lifetime(leaf.klass, state),
        )


def _acknowledged(leaf: Any, flags: int) -> frozenset[Side]:
    """The sides that have acknowledged all that their peer has sent, its FIN included."""
    return frozenset(
        side for side in Side if flags & _FIN[side.peer] and leaf.acked[_INDEX[side]] == leaf.next[_INDEX[side.peer]]
    )


def _moment(tick: int, now: int) -> int:
    """The time in ns of a tick within 208 days of `now`; it may be a little later, the table lives while it is read."""
    ahead = (tick - (now >> TICK_SHIFT) + _HALF) % (2 * _HALF) - _HALF
    return ((now >> TICK_SHIFT) + ahead) << TICK_SHIFT
