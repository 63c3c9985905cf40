"""``static (real_ifc,mapped_ifc) mapped real netmask 255.255.255.255 tcp MAX EMB`` as a value (asa.md §5.1).

A static is of a host, or of one TCP port of it: ``static (real_ifc,mapped_ifc) tcp mapped 2525 real 25 …``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from appliance.nat.translation import PortMap

UNLIMITED = 0

#: An address and a port.
End = tuple[IPv4Address, int]
#: What a static is known by over reloads: what clients call it, and where it leads; port 0 is every port.
Ends = tuple[End, End]


@dataclass(frozen=True, slots=True)
class Static:
    """A translation of a host, or of one port of it, with the limits it carries; 0 means unlimited."""

    real_interface: str
    mapped_interface: str
    mapped: IPv4Address
    real: IPv4Address
    max_conns: int = UNLIMITED
    max_embryonic: int = UNLIMITED
    line: int = field(default=0, compare=False)  # of the rule file, for errors
    ports: PortMap | None = None  # of this one alone
    #: No connection to it is intercepted: its address is the firewall's, another static is its host's, or of some
    #: who call it the address or port is decided as they connect.
    own: bool = False

    @property
    def name(self) -> tuple[IPv4Address, int]:
        """What clients call it; port 0 is every port."""
        return self.mapped, self.ports.mapped if self.ports else 0

    @property
    def place(self) -> tuple[IPv4Address, int]:
        """Where it leads; port 0 is the one that was called."""
        return self.real, self.ports.real if self.ports else 0

    @property
    def ends(self) -> Ends:
        """Both: over reloads it is the same static as long as these are."""
        return self.name, self.place

    def called(self, port: int) -> End:
        """What clients call it where its real port is `port`."""
        return self.mapped, self.name[1] or port

    def shares(self, other: Static) -> bool:
        """Whether both lead to one server: TCP Intercept calls that by neither's name."""
        (_, port), (_, others) = self.place, other.place
        same = (self.real_interface, self.real) == (other.real_interface, other.real)
        return same and (port == others or not (port and others))


def intercepted_once(statics: Iterable[Static]) -> tuple[Static, ...]:
    """Of the statics of one server one alone intercepts: what has an embryonic limit, else the first.

    Two with limits stay as they are: who wrote them is told.
    """
    found, chosen = list(statics), dict[tuple[str, IPv4Address], list[Static]]()
    for at, each in sorted(enumerate(found), key=lambda pair: not pair[1].max_embryonic):
        others = chosen.setdefault((each.real_interface, each.real), [])
        if each.own or (not each.max_embryonic and any(map(each.shares, others))):
            found[at] = replace(each, own=True)
        else:
            others.append(each)
    return tuple(found)


def same_name(one: Ends | None, other: Ends | None) -> bool:
    """Whether by both statics, or by none, a server is called alike: in some an address stands for itself."""
    first, second = (ends if ends and ends[0] != ends[1] else None for ends in (one, other))
    return first == second


class Names:
    """Who is known by which address and port where; a static of a port goes before one of its host.

    By what those that are `gone` were called, their hosts are still known; behind no interface are they known so.
    """

    def __init__(self, statics: Iterable[Static], gone: Iterable[Static] = ()) -> None:
        statics = tuple(statics)
        self._mapped = {(each.mapped_interface, *each.place): each for each in statics}
        self._real = {each.name: each for each in (*gone, *statics)}

    def called(self, address: IPv4Address, port: int) -> Static | None:
        """The static that clients call by `address` and `port`."""
        return self._real.get((address, port)) or self._real.get((address, 0))

    def of(self, interface: str, address: IPv4Address, port: int) -> Static | None:
        """The static by which a real end is known behind `interface`."""
        return self._mapped.get((interface, address, port)) or self._mapped.get((interface, address, 0))

    def real(self, address: IPv4Address, port: int) -> End:
        """Where what clients call `address` and `port` is; the same if no static translates it."""
        static = self.called(address, port)
        return (static.real, static.ports.real if static.ports else port) if static else (address, port)

    def mapped(self, interface: str, address: IPv4Address, port: int) -> End:
        """By what a real end is known behind `interface`; the same if no static translates it."""
        static = self.of(interface, address, port)
        return static.called(port) if static else (address, port)
