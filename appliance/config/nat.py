"""Statements of address translation as they are written; what they come to, `translations` tells (asa.md §5.1-5.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from appliance.nat.translation import PortMap
from appliance.policy.objects import AddressRange


@dataclass(frozen=True, slots=True)
class Trailer:
    """What a `static` or a `nat` ends with: ``dns norandomseq tcp MAX EMBRYONIC udp MAX``; 0 is unlimited."""

    dns: bool = False
    norandomseq: bool = False
    tcp: int = 0
    embryonic: int = 0
    udp: int = 0


@dataclass(frozen=True, slots=True)
class StaticStatement:
    """``static (real,mapped) [tcp|udp] MAPPED [PORT] REAL [PORT] netmask M …``; `mapped` None is ``interface``."""

    real_interface: str
    mapped_interface: str
    mapped: IPv4Address | None
    real: IPv4Address
    prefix: int = 32
    ports: PortMap | None = None
    trailer: Trailer = field(default_factory=Trailer)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PolicyStaticStatement:
    """``static (real,mapped) [tcp|udp] MAPPED [PORT] access-list ID``: of the list's source, for its destinations.

    `mapped` None is ``interface``, which only one port of it may be: `protocol` and `port` are of such a one.
    """

    real_interface: str
    mapped_interface: str
    mapped: IPv4Address | None
    access_list: str
    prefix: int | None = None
    trailer: Trailer = field(default_factory=Trailer)
    line: int = field(default=0, compare=False)
    protocol: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class NatStatement:
    """``nat (real) ID NETWORK`` or ``nat (real) ID access-list ID``, up to 8.2."""

    interface: str
    number: int
    network: IPv4Network | None
    access_list: str = ""
    outside: bool = False
    trailer: Trailer = field(default_factory=Trailer)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class GlobalStatement:
    """``global (mapped) ID FIRST-LAST [netmask M]``; `pool` None is ``interface``."""

    interface: str
    number: int
    pool: AddressRange | None
    prefix: int | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ObjectNat:
    """``nat (real,mapped) static|dynamic MAPPED …`` inside ``object network NAME``; `mapped` None is ``interface``."""

    name: str
    real_interface: str
    mapped_interface: str
    dynamic: bool
    mapped: IPv4Address | str | None  # an address, an object's name, or the interface's address
    overload: bool = False  # `dynamic POOL interface`: the interface's address behind the pool's
    pat_pool: tuple[str, ...] | None = None  # `dynamic pat-pool POOL`: how ports are given, which is kept alone
    ports: PortMap | None = None
    options: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ManualNat:
    """``nat (real,mapped) [after-auto] source … [destination static MAPPED REAL] …``: 8.3's rules in their order."""

    real_interface: str
    mapped_interface: str
    dynamic: bool
    real: str  # an object's or a group's name, or any
    mapped: str | None  # the same; None is `interface`
    destination: tuple[str, str] | None = None  # mapped, real
    after_auto: bool = False
    overload: bool = False  # `dynamic POOL interface`, as of an object
    pat_pool: tuple[str, ...] | None = None  # as of an object
    options: tuple[str, ...] = ()
    services: tuple[str, str] | None = None  # names of service objects: real, mapped
    description: str = ""
    line: int = field(default=0, compare=False)


TranslationStatement = StaticStatement | PolicyStaticStatement | NatStatement | GlobalStatement | ObjectNat | ManualNat

#: A name in a `ManualNat` that is of no object.
ANYWHERE = "any"


def section(statement: TranslationStatement) -> int:
    """Where it is asked, whatever came first in the file: rules in their order, of objects, ``after-auto``."""
    if isinstance(statement, ObjectNat):
        return 2
    return 3 if isinstance(statement, ManualNat) and statement.after_auto else 1
