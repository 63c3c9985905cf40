"""The connection table in the kernel: bpf/connlimit.bpf.c loaded, configured and asked; `clsact` attaches it.

The program keeps the table; this only says what the limits, timeouts and workers are, and reads entries, counts and
events. It writes no entry: what user space wants changed it has ``reap`` change, under the entry's own lock. Structures
are read as bcc found them in the C (``bpf_entries``, ``bpf_events``); there is no second description of them.

The order that loses nothing: construct, set_limits, set_timeouts, set_workers, attach. A new table on the pins of an
old one adopts its connections, and attaching swaps the program without a gap (design row 20; bpf-notes sections 1, 6).
"""

from __future__ import annotations

import enum
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from appliance import marks
from appliance.config.config import Timeouts
from appliance.datapath.snapshot import ClassUse, StaticUse
from appliance.flow import Side
from appliance.kernel import bpf_pins, clsact, headers
from appliance.kernel.bpf_entries import Entries
from appliance.kernel.bpf_events import heard
from appliance.kernel.bpf_limits import CLASSES, INTERFACES, NOTES, SHARES, STATICS, WAYS, LimitMaps, ticks
from appliance.kernel.bpf_program import Module, Program
from appliance.kernel.errors import KernelError
from appliance.kernel.links import conntrack_handshake
from appliance.nat.classes import RULES, Limits
from appliance.nat.connection import Connection, Event, Key, Parties, State
from appliance.nat.machine import lifetimes
from appliance.nat.static import End

SOURCE = Path(__file__).parents[2] / "bpf" / "connlimit.bpf.c"
CONNECTIONS = 131_072  # entries; 17 MiB
RING_PAGES = 256  # 1 MiB: some 14,000 events
EVENTS = 2_048  # taken from the ring at once; every 50 ms that is 40,000 a second
ORDERS = 32  # keys in one order; ``reap`` calls itself for each, and a program may 33 times


class _Order(enum.IntEnum):
    """``enum order`` in bpf/structs.h."""

    SWEEP = 0
    KILL = 1
    RELEASE = 2
    CLEAR = 3
    WORKER = 4
    JOIN = 5


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
            f"WAYS={WAYS}",
            f"RING_PAGES={RING_PAGES}",
            f"ORDERS={ORDERS}",
            f"MARK_OURS={marks.OURS:#x}u",
            *(
                f"MARK_{each.name}={marks.DISPOSITION.put(each):#x}u"
                for each in marks.Disposition
                if each is not marks.Disposition.QUEUE
            ),
            f"MARK_DISPOSITION={marks.DISPOSITION.mask:#x}u",
            f"MARK_CLASS={marks.CLASS.mask:#x}u",
            f"WORKER_SHIFT={marks.WORKER.shift}",
        ]
        #: where its maps are pinned; and whether they were there, with what another program has counted
        self.pins = bpf_pins.versioned(pins, _layout(source, size)) if pins is not None else None
        self.adopted = self.pins is not None and any(self.pins.iterdir())
        if self.pins is not None:
            macros.append(f'PINS="{self.pins}"')
            if not self.adopted:
                bpf_pins.uncounted(self.pins.parent).mkdir(exist_ok=True)
        self._module = Module(source, macros, (*clsact.PARENTS, "reap"), cache)
        again = self._module.table("again")
        again[again.Key(0)] = again.Leaf(self.programs["reap"].fd)
        self._limits = LimitMaps(self._module)
        self._entries = Entries(self._module.table("conns"), self._limits)
        self._settings = self._module.table("settings")
        self._told = self._settings.Leaf()
        self._events: list[Event] = []
        self._unheard: list[Key] = []
        self._module.listen("events", self._hear)
        self.set_workers(1)
        self.set_timeouts(Timeouts(), Timeouts().embryonic)

    @property
    def programs(self) -> Mapping[str, Program]:
        """The programs by name: ingress, egress, reap."""
        return self._module.programs

    # what it is told

    def set_limits(self, limits: Limits, interfaces: Mapping[str, int]) -> list[Key]:
        """Make `limits` the ones in force, `interfaces` the ifindex of each nameif; again and again, while it runs.

        Living connections keep their places, those of a static or a class that is gone too, and are counted among
        their client's where their class limits those from now on. But those end whose client called what is another
        static's now; which.
        """
        self._told.first_rule, self._told.last_rule = self._limits.put(limits, interfaces, self._entries.ends)
        self._told.mapped, self._told.ways = self._limits.mapped, bool(limits.ways)
        self._tell()
        ended = self._end_diverted()
        self._recount()
        return ended

    def _recount(self) -> None:
        """Count among their clients' what was opened in a class before that limited them."""
        per_client = self._limits.per_client
        for some in self._entries.pairs() if per_client else ():
            self._order(_Order.JOIN, b"".join(bytes(key) for key, leaf in some if leaf.klass in per_client))

    def _end_diverted(self) -> list[Key]:
        """End the connections whose client called what is another static's now; which."""
        ended: list[Key] = []
        disputed = self._limits.disputed
        for some in self._entries.pairs() if disputed else ():
            known = [
                (bytes(key), leaf.number, self._entries.connection(key, leaf, 0))
                for key, leaf in some
                if leaf.number in disputed
            ]
            found = [
                (key, connection.key)
                for key, number, connection in known
                if connection and self._limits.diverts(number, (connection.key.mapped, connection.key.port))
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

    def intercepted(self) -> dict[End | None, int]:
        """SYNs left to SYNPROXY, by what static they called; None is of those that called none."""
        return self._limits.intercepted()

    def classes(self) -> tuple[ClassUse, ...]:
        """What is used of each class's limits."""
        return self._limits.uses()

    def connections(self) -> list[Connection]:
        """Every entry but tombstones; taken bucket by bucket while the table lives."""
        return [each for some in self.walk() for each in some]

    def walk(self) -> Iterator[list[Connection]]:
        """The same, some entries at a time, read when they are asked for."""
        for some in self._entries.pairs():
            now = time.monotonic_ns() + self._told.clock_offset
            known = (self._entries.connection(key, leaf, now) for key, leaf in some)
            yield [each for each in known if each]

    def events(self) -> list[Event]:
        """What happened since the last call, in order; `EVENTS` at most, the caller has other work too."""
        self._module.consume()
        told, self._events = self._events, []
        return told

    def lost_events(self) -> int:
        """Events that found the ring full, since the program was loaded."""
        return int(self._totals().lost_events)

    def refused_full(self) -> int:
        """SYNs refused because the table had no room, since the program was loaded."""
        return int(self._totals().table_full)

    def refused_shares(self) -> int:
        """SYNs refused because what classes count by server and by client had no room, since the program was loaded."""
        return int(self._totals().shares_full)

    def worker(self, key: Key) -> int:
        """Which worker's queue the connection's packets go to, by asking the program itself."""
        return self._order(_Order.WORKER, self._entries.key(key))

    def acknowledged(self, key: Key) -> int | None:
        """The highest acknowledgment number that went to the client, None if there is no such connection."""
        return self._entries.acknowledged(key)

    def behind_fin(self, key: Key, side: Side) -> int | None:
        """The number behind the FIN of `side`, None if none was forwarded."""
        return self._entries.behind_fin(key, side)

    def parties(self, key: Key) -> Parties | None:
        """Whom the connection is between, None if the client of `key` has opened no such one."""
        return self._entries.parties(key)

    # what it is asked to do, with tuples by real addresses (`Parties.ends`)

    def sweep(self) -> int:
        """End every connection whose time is over; how many."""
        return sum(self.sweeping())

    def sweeping(self) -> Iterator[int]:
        """The same some entries at a time, each when it is asked for. Those of which an event may be lost are
        `unheard`."""
        lost = self.lost_events()
        for keys, pairs in self._entries.packed():
            over, before = self._order(_Order.SWEEP, keys), lost
            lost = self.lost_events()
            if over and lost > before:
                known = (self._entries.connection(key, leaf, 0) for key, leaf in pairs)
                self._unheard += [each.key for each in known if each and not self._entries.has(each.ends)]
            yield over

    def unheard(self) -> list[Key]:
        """Connections that are gone since a sweep during which events were lost; each once."""
        keys, self._unheard = self._unheard, []
        return keys

    def kill(self, key: Key) -> bool:
        """Make a connection DEAD: nothing passes any more, its place is held until the server lets go (row 14)."""
        return self._order(_Order.KILL, self._entries.key(key)) == 1

    def release(self, key: Key) -> bool:
        """Let a connection's packets pass uninspected (BYPASS)."""
        return self._order(_Order.RELEASE, self._entries.key(key)) == 1

    def clear(self, keys: Iterable[Key]) -> int:
        """Remove connections (``clear conn``); how many there were."""
        return self._order(_Order.CLEAR, b"".join(map(self._entries.key, keys)))

    def _order(self, order: _Order, keys: bytes) -> int:
        """Have `reap` carry out `order` on packed keys; how many entries it changed."""
        head, length = bytes(14) + struct.pack("=H", order), ORDERS * self._entries.key_size
        pieces = (keys[start : start + length] for start in range(0, len(keys), length))
        return sum(self.programs["reap"].run(head + piece).value for piece in pieces)

    def _totals(self) -> Any:
        return self._module.table("totals")[0]

    def _hear(self, event: Any) -> bool:
        """Note an event; whether there is room for another."""
        self._events.append(heard(event))
        return len(self._events) < EVENTS


def _layout(source: Path, size: int) -> str:
    """What the shape of a pinned map depends on, and what its keys and an entry's tag are made by."""
    return f"{size} {STATICS} {CLASSES} {SHARES}" + "".join(
        (source.parent / name).read_text() for name in ("structs.h", "ends.h", "maps.h")
    )
