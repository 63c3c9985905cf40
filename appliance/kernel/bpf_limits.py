"""What limits connections, as the kernel's program has it: statics and classes by number, rules, faces, interfaces.

An entry of the connection table knows its static and its class by number, so a number means the same as long as an
entry has it: the rows themselves, which outlive the program, say which numbers are taken and by whom. A static or
class that is gone keeps its row, without limits, until a later reload finds nothing of it left: by then no packet is on
its way that was charged to it. By a static's mapped address its host is known for as long, so what the host itself has
opened goes on, too.
"""

from __future__ import annotations

import functools
import socket
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import IPv4Address
from typing import Any

from appliance.datapath.snapshot import AddressUse, ClassUse, StaticUse
from appliance.kernel.bpf_program import Module
from appliance.kernel.errors import KernelError
from appliance.nat.classes import RULES, LimitedClass, Limits, Rule
from appliance.nat.connection import Limit, State
from appliance.nat.static import End, Ends, Static

STATICS = 1_025  # 0 is no static's number
CLASSES = 256
INTERFACES = 256
WAYS = INTERFACES * (INTERFACES - 1) // 2  # from each to those that are more secure
NOTES = 65_536  # SYNs between coming in and going out; the oldest give way, so a flood must not fill it soon
SHARES = 65_536  # servers and clients of classes; 5 MiB

_OURSELVES = 0xFFFFFFFF  # bpf/structs.h
_TO_SERVER, _FROM_CLIENT = 0, 1  # enum scope
_PLAIN, _CHOOSING = 1, 2  # enum interface
TICK_SHIFT = 23  # a tick is 2^23 ns


class LimitMaps:
    """The maps of one loaded program that hold limits."""

    def __init__(self, module: Module) -> None:
        names = ("limits", "counts", "classes", "refusals", "shares", "rules", "faces", "interfaces", "ways")
        self._maps: dict[str, Any] = {name: module.table(name) for name in names}
        self._statics: dict[int, Static] = {}
        self._classes: dict[int, LimitedClass] = {}
        self._called: dict[End, set[int]] = {}  # the numbers of statics in force by what clients call them
        #: statics by number, gone ones too, some of whose connections may be called what is another static's by now
        self.disputed: set[int] = set()
        #: a bit by the last six of an address, set where a mapped one ends so: the program looks up no other
        self.mapped = 0
        self._half = 0  # of the rules: the one in force
        #: what each static is called and where it leads, by number, those that are gone too; port 0 is every port
        self.ends = {
            number: ((address(row.mapped), swap(row.mapped_port)), (address(row.real), swap(row.real_port)))
            for number, row in enumerate(self._maps["limits"].values())
            if row.mapped
        }
        self._names = {number: row.name for number, row in enumerate(self._maps["classes"].values()) if row.name}

    def diverts(self, number: int, called: End) -> bool:
        """Whether what a client of the static `number` called is another static's by now."""
        return number not in (self._called.get(called) or self._called.get((called[0], 0)) or {number})

    def put(
        self, limits: Limits, interfaces: Mapping[str, int], ends: Callable[[], set[tuple[int, int]]]
    ) -> tuple[int, int]:
        """Make `limits` the ones in force, `interfaces` the index of each nameif; the rules' first and last row.

        Limits are there before the faces and rules that lead to them. `ends` are those of what lives, and each address
        with port 0. KernelError for more than there is room for.
        """
        wanted = [each.ends for each in limits.statics]
        names = [_name(each) for each in limits.classes]
        gone = set(self.ends.values()) - set(wanted)
        empty = self._empty_statics(ends()) if gone else set()
        self._let_go(empty, wanted, names)
        numbers = _numbers("statics", self.ends, wanted, empty, STATICS)
        classes = _numbers("limited classes", self._names, names, self._empty_classes(), CLASSES)
        if len(limits.rules) > RULES:
            raise KernelError(f"{len(limits.rules)} lines say what `set connection` limits: there is room for {RULES}")
        self._set_statics(dict(zip(numbers, limits.statics, strict=True)), interfaces)
        self._set_classes(dict(zip(classes, limits.classes, strict=True)))
        self._set_interfaces({index: name in limits.choosing for name, index in interfaces.items()})
        self._set_ways({(interfaces[way], interfaces[to]) for way, to in limits.ways})
        self._half = RULES - self._half
        self._set_rules(limits.rules, interfaces)
        return self._half, self._half + len(limits.rules)

    def _let_go(self, empty: set[int], wanted: Collection[Ends], names: Collection[int]) -> None:
        """Forget what was gone before, and of which nothing is left."""
        limits, classes = self._maps["limits"], self._maps["classes"]
        for number in [each for each in empty if each not in self._statics and self.ends[each] not in wanted]:
            del self.ends[number]
            limits[number] = limits.Leaf()
        for number in self._empty_classes() - self._classes.keys():
            if self._names[number] not in names:
                del self._names[number]
                classes[number] = classes.Leaf()

    # statics

    def _empty_statics(self, ends: set[tuple[int, int]]) -> set[int]:
        """The numbers of statics that lead to no end of a connection."""
        places = {number: place for number, (_, place) in self.ends.items()}
        return {number for number, (real, port) in places.items() if (word(real), swap(port)) not in ends}

    def _set_statics(self, statics: Mapping[int, Static], interfaces: Mapping[str, int]) -> None:
        rows, counts = self._maps["limits"], self._maps["counts"]
        for number in [number for number in self.ends if number not in statics]:
            rows[number] = self._row(number)
        for number, static in statics.items():
            if self.ends.get(number) != static.ends:  # it was nobody's, or of one that is gone
                counts[number] = counts.Leaf()
                self.ends[number] = static.ends
            rows[number] = self._row(number, static.max_conns, static.max_embryonic, static.own)
        self._statics = dict(statics)
        self._called = {}
        for number, static in statics.items():
            self._called.setdefault(static.name, set()).add(number)
        sharing = Counter(static.mapped for static in statics.values())
        self.disputed = {
            number for number, ((mapped, _), _) in self.ends.items() if sharing[mapped] > (number in statics)
        }
        self._set_faces(statics, interfaces)

    def _row(self, number: int, *limits: int) -> Any:
        (mapped, mapped_port), (real, real_port) = self.ends[number]
        ends = word(mapped), word(real), swap(mapped_port), swap(real_port)
        return self._maps["limits"].Leaf(*ends, *limits)

    def _set_faces(self, statics: Mapping[int, Static], interfaces: Mapping[str, int]) -> None:
        """The faces of `statics`, and what is left of one that is gone: by its mapped face, unless another static has
        its name, packets of its connections are known. None but `statics` has a face that new ones are charged by."""
        faces = self._maps["faces"]
        rows: dict[tuple[int, int, int, int], tuple[int, int, int, int]] = {}
        for number, static in statics.items():
            outside, inside = interfaces[static.mapped_interface], interfaces[static.real_interface]
            mapped, real = word(static.mapped), word(static.real)
            port, real_port = (swap(port) for _, port in (static.name, static.place))
            rows[outside, mapped, 0, port] = (real, real_port, number, inside)
            rows[inside, real, outside, real_port] = (real, real_port, number, outside)
            if not static.own:
                rows[inside, real, _OURSELVES, real_port] = (real, real_port, number, outside)
        old_faces = list(faces.items())
        for old, face in old_faces:
            key = old.ifindex, old.address, old.peer, old.port
            gone = face.number in self.ends and face.number not in statics and not old.peer
            if gone and key not in rows and not self.diverts(face.number, self.ends[face.number][0]):
                rows[key] = face.real, face.port, face.number, face.opposite
        by_port = {key[:3] for key in rows if key[3]}
        for place in by_port:
            rows.setdefault((*place, 0), (place[1], 0, 0, 0))
        for key, row in rows.items():
            faces[faces.Key(*key)] = faces.Leaf(*row, key[:3] in by_port)
        self.mapped = sum(1 << bit for bit in {int(address(key[1])) & 63 for key in rows if not key[2]})
        for old, _ in old_faces:
            if (old.ifindex, old.address, old.peer, old.port) not in rows:
                del faces[old]

    def counts(self) -> tuple[StaticUse, ...]:
        """What is used of each static's limits."""
        rows = ((static, self._maps["counts"][number]) for number, static in self._statics.items())
        return tuple(
            StaticUse(static, row.total, row.embryonic, row.refused_max, row.refused_embryonic) for static, row in rows
        )

    def intercepted(self) -> dict[End | None, int]:
        """SYNs left to SYNPROXY, by the name of the static they called; None is of those that called none."""
        names: dict[End | None, int] = {static.name: number for number, static in self._statics.items()}
        return {name: int(self._maps["counts"][number].intercepted) for name, number in (names | {None: 0}).items()}

    # classes

    def _empty_classes(self) -> set[int]:
        return set(self._names) - {key.klass for key in self._maps["shares"]}

    def _set_classes(self, classes: Mapping[int, LimitedClass]) -> None:
        rows, refusals = self._maps["classes"], self._maps["refusals"]
        for number in [number for number in self._names if number not in classes]:
            row = rows[number]
            row.max_conns = row.max_embryonic = row.client_max = row.client_embryonic = 0
            rows[number] = row
        for number, each in classes.items():
            if self._names.get(number) != _name(each):  # it was nobody's, or of one that is gone
                refusals[number] = refusals.Leaf()
            row = rows.Leaf()
            row.name = self._names[number] = _name(each)
            row.max_conns, row.max_embryonic = each.max_conns, each.max_embryonic
            row.client_max, row.client_embryonic = each.client_max, each.client_embryonic
            row.resets = each.resets
            for state, seconds in each.lifetimes.items():
                row.timeout[state] = ticks(seconds)
            rows[number] = row
        self._classes = dict(classes)

    @property
    def per_client(self) -> set[int]:
        """The numbers of classes that limit each client."""
        return {number for number, each in self._classes.items() if each.per_client}

    def _set_interfaces(self, choosing: Mapping[int, bool]) -> None:
        table = self._maps["interfaces"]
        for index, chooses in choosing.items():
            table[table.Key(index)] = table.Leaf(_CHOOSING if chooses else _PLAIN)
        for old in [key for key in table if key.value not in choosing]:
            del table[old]

    def _set_ways(self, ways: Collection[tuple[int, int]]) -> None:
        table = self._maps["ways"]
        for each in ways:
            table[table.Key(*each)] = table.Leaf(1)
        for old in [key for key in table if (key.came_in, key.goes_out) not in ways]:
            del table[old]

    def _set_rules(self, rules: Iterable[Rule], interfaces: Mapping[str, int]) -> None:
        table = self._maps["rules"]
        numbers = {each.identity: number for number, each in self._classes.items()}
        for at, rule in enumerate(rules, self._half):
            row = table.Leaf()
            row.source, row.source_mask = word(rule.source.network_address), word(rule.source.netmask)
            row.destination = word(rule.destination.network_address)
            row.destination_mask = word(rule.destination.netmask)
            row.source_ports[:] = rule.source_ports.low, rule.source_ports.high
            row.source_but = rule.source_ports.but
            row.destination_ports[:] = rule.destination_ports.low, rule.destination_ports.high
            row.destination_but = rule.destination_ports.but
            row.klass = numbers[rule.limited.identity] if rule.limited else 0
            row.ifindex = interfaces[rule.interface] if rule.interface is not None else 0
            row.otherwise = self._half + rule.otherwise
            table[at] = row

    def uses(self) -> tuple[ClassUse, ...]:
        """What is used of each class's limits."""
        found: dict[tuple[int, int], list[AddressUse]] = {}
        for key, row in self._maps["shares"].items():
            place = key.klass, key.scope
            found.setdefault(place, []).append(AddressUse(address(key.address), row.total, row.embryonic))
        return tuple(
            ClassUse(
                each,
                tuple(found.get((number, _TO_SERVER), ())),
                tuple(found.get((number, _FROM_CLIENT), ())),
                {limit: self._maps["refusals"][number].count[limit] for limit in Limit},
            )
            for number, each in self._classes.items()
        )

    def lifetime(self, class_number: int, state: State) -> int:
        """What a class says how long an entry lives in `state`, in seconds; 0 if it does not."""
        found = self._classes.get(class_number)
        return found.lifetimes.get(state, 0) if found else 0


def _numbers(what: str, taken: Mapping[int, Any], wanted: list[Any], empty: set[int], room: int) -> list[int]:
    """A number from 1 for each of `wanted`: its own if it has one, else a free one, or one of something gone."""
    own = {thing: number for number, thing in taken.items()}
    kept = {own[thing] for thing in wanted if thing in own}
    left = [number for number in range(1, room) if number not in kept and (number not in taken or number in empty)]
    free = iter(sorted(left, key=taken.__contains__))
    numbers = [own[thing] if thing in own else next(free, 0) for thing in wanted]
    if 0 in numbers:
        raise KernelError(f"{len(wanted)} {what}: the kernel's table has room for {room - 1}")
    return numbers


def _name(limited: LimitedClass) -> int:
    """What a class's row is known by over reloads and restarts."""
    return zlib.crc32(limited.identity.encode()) or 1


def ticks(seconds: int) -> int:
    """Seconds as the program counts them."""
    return (seconds * 10**9) >> TICK_SHIFT


def word(address: IPv4Address) -> int:
    """The address as the C has it: network order in a machine word."""
    return int.from_bytes(address.packed, sys.byteorder)


#: `swap(port)`: a port into network order in a machine word, or back.
swap = socket.htons


class _Known(IPv4Address):
    """An address whose hash is made once, not of a text each time: a connection's are looked up a dozen times."""

    __slots__ = ("_hash",)

    def __init__(self, octets: bytes) -> None:
        super().__init__(octets)
        self._hash = super().__hash__()

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"IPv4Address('{self}')"  # which it is


@functools.lru_cache(maxsize=4096)
def address(word: int) -> IPv4Address:
    """The address that the C has in a machine word; the same ones come again and again."""
    return _Known(word.to_bytes(4, sys.byteorder))
