"""Objects and object groups as values: names for addresses, services, protocols and ICMP types (asa.md §6.4)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, summarize_address_range

from appliance.policy.acl import IcmpType, Named, Ports


@dataclass(frozen=True, slots=True)
class AddressRange:
    """``range FIRST LAST``, both in it."""

    first: IPv4Address
    last: IPv4Address

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """The fewest networks that are the range; at most 62."""
        return tuple(summarize_address_range(self.first, self.last))


@dataclass(frozen=True, slots=True)
class Fqdn:
    """``fqdn v4 NAME``: nothing is looked up, so it stands for no address."""

    name: str


@dataclass(frozen=True, slots=True)
class Ipv6Place:
    """``host``, ``subnet`` or ``range`` of IPv6, as it is written: no address of IPv4."""

    text: str


Place = IPv4Network | AddressRange | Fqdn | Ipv6Place


@dataclass(frozen=True, slots=True)
class NetworkObject:
    """``object network NAME``; `place` None until it is given one."""

    name: str
    place: Place | None = None
    description: str = ""
    line: int = field(default=0, compare=False)

    @property
    def networks(self) -> tuple[IPv4Network, ...]:
        """The addresses it stands for."""
        match self.place:
            case IPv4Network():
                return (self.place,)
            case AddressRange():
                return self.place.networks
            case _:
                return ()


@dataclass(frozen=True, slots=True)
class Service:
    """A protocol with what is asked of its ports or its ICMP type; `protocol` as in an `Ace`, or tcp-udp."""

    protocol: str
    source: Ports | None = None
    destination: Ports | None = None
    icmp: IcmpType | None = None


@dataclass(frozen=True, slots=True)
class ServiceObject:
    """``object service NAME``; `service` None until it is given one."""

    name: str
    service: Service | None = None
    description: str = ""
    line: int = field(default=0, compare=False)


class GroupKind(enum.Enum):
    """What the members of an object group are."""

    NETWORK = "network"
    SERVICE = "service"
    PROTOCOL = "protocol"
    ICMP_TYPE = "icmp-type"


#: ``host 192.0.2.25`` · ``tcp destination eq smtp`` · ``eq smtp`` (of a group of one protocol) · ``tcp`` · ``echo``;
#: `Named` for ``object NAME`` and ``group-object NAME``.
Member = IPv4Network | Service | Ports | str | IcmpType | Named


@dataclass(frozen=True, slots=True)
class Group:
    """``object-group KIND NAME [PROTOCOL]``. `protocol` (tcp udp tcp-udp) is of a service group of ports alone."""

    name: str
    kind: GroupKind
    protocol: str = ""
    members: tuple[Member, ...] = ()
    description: str = ""
    line: int = field(default=0, compare=False)
