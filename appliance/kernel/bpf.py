"""The connection table in the kernel: bpf/connlimit.bpf.c loaded, configured and read; `clsact` attaches it.

The program keeps the table; this only says what the limits, timeouts and workers are, and reads entries, counts and
events. It writes no entry: what user space wants changed it has ``reap`` change, under the entry's own lock. Structures
are read as bcc found them in the C; there is no second description of them.

The order that loses nothing: construct, set_limits, set_timeouts, set_workers, attach. A new table on the pins of an
old one adopts its connections, and attaching swaps the program without a gap (design row 20; bpf-notes sections 1, 6).
"""

from __future__ import annotations

import ctypes
import enum
import errno
import os
import struct
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from appliance import marks
from appliance.config.config import Timeouts
from appliance.datapath.snapshot import ClassUse, StaticUse
from appliance.flow import Side
from appliance.kernel import bpf_pins, clsact, headers
from appliance.kernel.bpf_limits import (
    CLASSES,
    INTERFACES,
    NOTES,
    SHARES,
    STATICS,
    TICK_SHIFT,
    LimitMaps,
    address,
    swap,
    ticks,
    word,
)
from appliance.kernel.bpf_program import Module, Program
from appliance.kernel.errors import KernelError
from appliance.kernel.links import conntrack_handshake
from appliance.nat.classes import RULES, Limits
from appliance.nat.connection import (
    Built,
    Connection,
    Ending,
    Event,
    Expired,
    Key,
    Limit,
    Refused,
    State,
    Stranded,
    TornDown,
    Unanswered,
)
from appliance.nat.limits import lifetimes

SOURCE = Path(__file__).parents[2] / "bpf" / "connlimit.bpf.c"
CONNECTIONS = 131_072  # entries; 17 MiB
RING_PAGES = 256  # 1 MiB: some 14,000 events
EVENTS = 2_048  # taken from the ring at once; every 50 ms that is 40,000 a second
CHUNK = 256  # entries in one look: 0.27 ms at most (bpf-notes section 3)
ORDERS = 64  # keys in one order; the verifier walks every turn of the loop over them, and gives up at a million steps


#: bits of struct conn's flags (bpf/structs.h)
_FIN = {Side.CLIENT: 0x01, Side.SERVER: 0x02}
#: where an entry's arrays have a side: enum side
_INDEX = {Side.CLIENT: 0, Side.SERVER: 1}
_DATA = {Side.CLIENT: 0x04, Side.SERVER: 0x08}
_BYPASS = 0x10
_INTERCEPTED = 0x20
_CLIENT_HIGH = 0x40
_TRANSLATED = 0x100
_PORT_SHIFT, _OCTETS = 48, (1 << 48) - 1
#: states of what is no connection; the second one is ALIAS of bpf/structs.h
_NONE = (State.CLOSED, 8)
#: the table keeps 32 bits of a tick
_HALF = 1 << 31


class _Order(enum.IntEnum):
    """``enum order`` in bpf/structs.h."""

    SWEEP = 0
    KILL = 1
    RELEASE = 2
    CLEAR = 3
    WORKER = 4


class _Kind(enum.IntEnum):
    """``enum event_kind`` in bpf/structs.h."""

    BUILT = 0
    TORN_DOWN = 1
    REFUSED = 2
    STRANDED = 3
    EXPIRED = 4
    UNANSWERED = 5


class ConnectionTable:
    """The loaded program and its maps. KernelError, one line, when the kernel or a package refuses."""

    def __init__(
        self,
        pins: Path | None = None,
        *,
        size: int = CONNECTIONS,
        source: Path = SOURCE,
        cache: Path = headers.CACHE,
    ) -> None:
        """Compile and load; `pins` is a directory in a BPF file system (``bpf_pins.mount``), None pins nothing."""
        macros = [
            f"CONNECTIONS={size}",
            f"STATICS={STATICS}",
            f"CLASSES={CLASSES}",
            f"SHARES={SHARES}",
            f"RULES={RULES}",
            f"NOTES={NOTES}",
            f"INTERFACES={INTERFACES}",
            f"RING_PAGES={RING_PAGES}",
            f"ORDERS={ORDERS}",
            f"MARK_OURS={marks.OURS:#x}u",
            *(
                f"MARK_{each.name}={marks.DISPOSITION.put(each):#x}u"
                for each in (marks.Disposition.SKIP, marks.Disposition.INTERCEPT, marks.Disposition.FULL)
            ),
            f"MARK_DISPOSITION={marks.DISPOSITION.mask:#x}u",
            f"WORKER_SHIFT={marks.WORKER.shift}",
        ]
        if pins is not None:
            macros.append(f'PINS="{bpf_pins.versioned(pins, _layout(source, size))}"')
        self._module = Module(source, macros, (*clsact.PARENTS, "reap", "join"), cache)
        self._conns = self._module.table("conns")
        self._limits = LimitMaps(self._module)
        self._key_size = ctypes.sizeof(self._conns.Key)
        self._settings = self._module.table("settings")
        self._told = self._settings.Leaf()
        self._events: list[Event] = []
        self._module.listen("events", self._hear)
        self.set_workers(1)
        self.set_timeouts(Timeouts(), Timeouts().embryonic)

    @property
    def programs(self) -> Mapping[str, Program]:
        """The programs by name: ingress, egress, reap, join."""
        return self._module.programs

    # what it is told

    def set_limits(self, limits: Limits, interfaces: Mapping[str, int]) -> list[Key]:
        """Make `limits` the ones in force, `interfaces` the ifindex of each nameif; again and again, while it runs.

        Living connections keep their places, those of a static or a class that is gone too, and are counted among
        their client's where their class limits those from now on. But those end whose client called what is another
        static's now; which.
        """
        self._told.first_rule, self._told.last_rule = self._limits.put(limits, interfaces)
        self._tell()
        ended = self._end_diverted()
        self._recount()
        return ended

    def _recount(self) -> None:
        """Count among their clients' what was opened in a class before that limited them."""
        per_client = self._limits.per_client
        for keys, leaves, count in self._chunks() if per_client else ():
            entries = zip(keys[:count], leaves[:count], strict=True)
            self._ask("join", 0, b"".join(bytes(key) for key, leaf in entries if leaf.klass in per_client))

    def _end_diverted(self) -> list[Key]:
        """End the connections whose client called what is another static's now; which."""
        ended: list[Key] = []
        disputed = self._limits.disputed
        for keys, leaves, count in self._chunks() if disputed else ():
            entries = zip(keys[:count], leaves[:count], strict=True)
            some = [
                (bytes(key), leaf.number, self._connection(key, leaf, 0).key)
                for key, leaf in entries
                if leaf.number in disputed and leaf.state not in _NONE
            ]
            found = [
                (key, called)
                for key, number, called in some
                if self._limits.diverts(number, (called.mapped, called.port))
            ]
            self._order(_Order.CLEAR, b"".join(key for key, _ in found))
            ended += [called for _, called in found]
        return ended

    def set_timeouts(self, timeouts: Timeouts, shortest_embryonic: int) -> None:
        """What the next sweep goes by where no class says otherwise; of all classes the shortest embryonic one."""
        handshake = conntrack_handshake(shortest_embryonic)
        times = lifetimes(timeouts.conn, timeouts.half_closed, timeouts.embryonic, handshake)
        for state, seconds in {**times, State.DEAD: timeouts.dead}.items():
            self._told.timeout[state] = ticks(seconds)
        self._tell()

    def set_workers(self, workers: int) -> None:
        """How many workers connections are spread over, 1-32; what lives changes its worker too."""
        if not 1 <= workers <= marks.WORKER.top + 1:
            raise KernelError(f"{workers} workers: the mark has room for 1 to {marks.WORKER.top + 1}")
        self._told.workers = workers
        self._tell()

    def set_clock_offset(self, nanoseconds: int) -> None:
        """Add to the program's clock; for tests."""
        self._told.clock_offset = nanoseconds
        self._tell()

    def _tell(self) -> None:
        self._settings[self._settings.Key(0)] = self._told

    # where it runs

    def attach(self, devices: Iterable[str]) -> None:
        """Run at ingress and egress of `devices` of this network namespace, in place of an earlier program of ours."""
        clsact.attach(devices, self.programs)

    def close(self) -> None:
        """Let go of programs and maps; attached ones go on, pinned ones stay."""
        self._module.close()

    # what it knows

    def counts(self) -> tuple[StaticUse, ...]:
        """What is used of each static's limits."""
        return self._limits.counts()

    def classes(self) -> tuple[ClassUse, ...]:
        """What is used of each class's limits."""
        return self._limits.uses()

    def connections(self) -> list[Connection]:
        """Every entry but tombstones; taken bucket by bucket while the table lives."""
        return [each for some in self.walk() for each in some]

    def walk(self) -> Iterator[list[Connection]]:
        """The same, `CHUNK` entries at a time, read when they are asked for."""
        for keys, leaves, count in self._chunks():
            now = time.monotonic_ns() + self._told.clock_offset
            entries = zip(keys[:count], leaves[:count], strict=True)
            yield [self._connection(key, leaf, now) for key, leaf in entries if leaf.state not in _NONE]

    def events(self) -> list[Event]:
        """What happened since the last call, in order; `EVENTS` at most, the caller has other work too."""
        self._module.consume()
        heard, self._events = self._events, []
        return heard

    def lost_events(self) -> int:
        """Events that found the ring full, since the program was loaded."""
        return int(self._totals().lost_events)

    def refused_full(self) -> int:
        """SYNs refused because the table had no room, since the program was loaded."""
        return int(self._totals().table_full)

    def worker(self, key: Key) -> int:
        """Which worker's queue the connection's packets go to, by asking the program itself."""
        return self._order(_Order.WORKER, self._key(key))

    def acknowledged(self, key: Key) -> int | None:
        """The highest acknowledgment number that went to the client, None if there is no such connection."""
        entry = self._entry(key)
        return None if entry is None else int(entry.acked[_INDEX[Side.SERVER]])

    def behind_fin(self, key: Key, side: Side) -> int | None:
        """The number behind the FIN of `side`, None if none was forwarded."""
        entry = self._entry(key)
        return int(entry.next[_INDEX[side]]) if entry is not None and entry.flags & _FIN[side] else None

    def _entry(self, key: Key) -> Any:
        try:
            return self._conns[self._conns.Key.from_buffer_copy(self._key(key))]
        except KeyError:
            return None

    # what it is asked to do, with tuples by real addresses (`Parties.ends`)

    def sweep(self) -> int:
        """End every connection whose time is over; how many."""
        return sum(
            self._order(_Order.SWEEP, bytes(keys)[: count * self._key_size]) for keys, _, count in self._chunks()
        )

    def kill(self, key: Key) -> bool:
        """Make a connection DEAD: nothing passes any more, its place is held until the server lets go (row 14)."""
        return self._order(_Order.KILL, self._key(key)) == 1

    def release(self, key: Key) -> bool:
        """Let a connection's packets pass uninspected (BYPASS)."""
        return self._order(_Order.RELEASE, self._key(key)) == 1

    def clear(self, keys: Iterable[Key]) -> int:
        """Remove connections (``clear conn``); how many there were."""
        return self._order(_Order.CLEAR, b"".join(map(self._key, keys)))

    def _order(self, order: _Order, keys: bytes) -> int:
        """Have `reap` carry out `order` on packed keys; how many entries it changed."""
        return self._ask("reap", order, keys)

    def _ask(self, program: str, order: int, keys: bytes) -> int:
        head, length = bytes(14) + struct.pack("=H", order), ORDERS * self._key_size
        pieces = (keys[start : start + length] for start in range(0, len(keys), length))
        return sum(self.programs[program].run(head + piece).value for piece in pieces)

    def _key(self, key: Key) -> bytes:
        """What the program knows the connection by: its real ends in the order that it puts them in."""
        ends = [(word(key.mapped), swap(key.port)), (word(key.client), swap(key.client_port))]
        (low, low_port), (high, high_port) = sorted(ends)
        return bytes(self._conns.Key(low, high, low_port, high_port))

    def _connection(self, key: Any, leaf: Any, now: int) -> Connection:
        flags, state = leaf.flags, State(leaf.state)
        low, high = (address(key.low), swap(key.low_port)), (address(key.high), swap(key.high_port))
        (client, client_port), (real, port) = (high, low) if flags & _CLIENT_HIGH else (low, high)
        (mapped, mapped_port), _ = self._limits.ends.get(leaf.number, ((real, 0), (real, 0)))
        translated = flags & _TRANSLATED
        return Connection(
            key=Key(mapped, mapped_port or port, client, client_port),
            real=real,
            real_port=port,
            beyond=(address(leaf.other), swap(leaf.octets >> _PORT_SHIFT)) if translated else None,
            state=state,
            started=_moment(leaf.started, now),
            last=_moment(leaf.last, now),
            octets=leaf.octets & _OCTETS,
            from_client=bool(flags & _DATA[Side.CLIENT]),
            from_server=bool(flags & _DATA[Side.SERVER]),
            fin=frozenset(side for side in Side if flags & _FIN[side]),
            acknowledged=frozenset(side for side in Side if flags & _FIN[side.peer] and _acknowledges(leaf, side)),
            bypass=bool(flags & _BYPASS),
            intercepted=bool(flags & _INTERCEPTED),
            lifetime=self._limits.lifetime(leaf.klass, state),
        )

    def _totals(self) -> Any:
        return self._module.table("totals")[0]

    def _chunks(self) -> Iterator[tuple[Any, Any, int]]:
        """The table in chunks of keys, values, and how many of them count."""
        from bcc.libbcc import lib

        room = CHUNK
        keys, leaves = (self._conns.Key * room)(), (self._conns.Leaf * room)()
        position, at = ctypes.c_uint32(), None
        while True:
            count = ctypes.c_uint32(room)
            result = lib.bpf_lookup_batch(
                self._conns.get_fd(),
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

    def _hear(self, event: Any) -> bool:
        """Note an event; whether there is room for another."""
        key = Key(address(event.mapped), swap(event.port), address(event.client), swap(event.client_port))
        beyond = (address(event.beyond), swap(event.beyond_port)) if event.beyond else None
        more = {"real_port": swap(event.real_port), "beyond": beyond}
        self._events.append(_HEARD[event.kind](key, address(event.real), event, more))
        return len(self._events) < EVENTS


#: What an event is, by its kind.
_HEARD: Mapping[int, Callable[[Key, IPv4Address, Any, dict[str, Any]], Event]] = {
    _Kind.BUILT: lambda key, real, it, more: Built(key, real, it.time, **more),
    _Kind.TORN_DOWN: lambda key, real, it, more: TornDown(
        key, real, Ending(it.why), it.started, it.time, it.octets, **more
    ),
    _Kind.REFUSED: lambda key, real, it, more: Refused(key, real, Limit(it.why), it.count, it.limit, it.time, **more),
    _Kind.STRANDED: lambda key, real, it, more: Stranded(key, real, it.seq, it.ack, it.time, **more),
    _Kind.EXPIRED: lambda key, real, it, more: Expired(key, real, it.seq, it.ack, it.time, **more),
    _Kind.UNANSWERED: lambda key, real, it, more: Unanswered(key, real, it.seq, it.ack, it.time, **more),
}


def _layout(source: Path, size: int) -> str:
    """What a pinned map's shape depends on."""
    return f"{size} {STATICS} {CLASSES} {SHARES}" + "".join(
        (source.parent / name).read_text() for name in ("structs.h", "maps.h")
    )


def _acknowledges(leaf: Any, side: Side) -> bool:
    """Whether `side` has acknowledged all that its peer has sent."""
    own, other = (0, 1) if side is Side.CLIENT else (1, 0)
    return bool(leaf.acked[own] == leaf.next[other])


def _moment(tick: int, now: int) -> int:
    """The time in ns of a tick within 208 days of `now`; it may be a little later, the table lives while it is read."""
    ahead = (tick - (now >> TICK_SHIFT) + _HALF) % (2 * _HALF) - _HALF
    return ((now >> TICK_SHIFT) + ahead) << TICK_SHIFT
