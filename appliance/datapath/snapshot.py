"""What the firewall knows of itself at one moment: `show` and `metrics` read this and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from appliance.flow import Endpoint
from appliance.nat.attacks import Attack
from appliance.nat.classes import LimitedClass
from appliance.nat.connection import Limit
from appliance.nat.static import End, Static


@dataclass(frozen=True, slots=True)
class CalledUse:
    """As whom connections call a server that no static of a host or a port translates: its real end, the one called,
    and when the latest of them was built (ns). Port 0 is every port, none of which is another."""

    real: Endpoint
    mapped: Endpoint
    last: int


@dataclass(frozen=True, slots=True)
class StaticUse:
    """How much of a static's limits is used, and how many SYNs found each of them reached since the start."""

    static: Static
    connections: int
    embryonic: int
    refused_max: int = 0
    refused_embryonic: int = 0


@dataclass(frozen=True, slots=True)
class AddressUse:
    """The connections of a class to one server, or from one client."""

    address: IPv4Address
    connections: int
    embryonic: int


@dataclass(frozen=True, slots=True)
class ClassUse:
    """How much of a class's limits is used, by server and (where it limits them) by client, and SYNs refused."""

    limited: LimitedClass
    servers: tuple[AddressUse, ...] = ()
    clients: tuple[AddressUse, ...] = ()
    refused: Mapping[Limit, int] = field(default_factory=dict)

    @property
    def connections(self) -> int:
        """Connections of the class."""
        return sum(each.connections for each in self.servers)

    @property
    def embryonic(self) -> int:
        """Half-open ones among them."""
        return sum(each.embryonic for each in self.servers)


@dataclass(frozen=True, slots=True)
class QueueUse:
    """One line of /proc/net/netfilter/nfnetlink_queue, with the worker that serves it."""

    number: int
    worker_pid: int
    length: int  # packets waiting
    dropped: int  # queue full
    user_dropped: int  # netlink receive buffer full


@dataclass(frozen=True, slots=True)
class LogUse:
    """One log destination: ``Buffer logging: level informational, 12 messages logged``."""

    destination: str  # buffered console trap
    level: int
    logged: int
    hosts: tuple[HostUse, ...] = ()


@dataclass(frozen=True, slots=True)
class HostUse:
    """One ``logging host``: datagrams sent, failed, and dropped because there was no room."""

    interface: str
    address: IPv4Address
    sent: int
    errors: int
    dropped: int


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """A network device as the kernel has it, and what it has counted since it is there."""

    name: str
    kind: str  # its driver, or what kind of virtual device it is
    address: str  # MAC, ``02:00:00:00:00:01``; nothing for a device without
    mtu: int
    up: bool
    carrier: bool
    speed: int | None  # Mbit/s; None where the device does not say
    duplex: str | None  # full half
    packets_in: int
    octets_in: int
    multicast_in: int
    errors_in: int
    bad_length: int  # among the errors
    bad_checksum: int  # CRC
    bad_frame: int
    overrun: int
    missed: int  # the device had no buffer for it
    dropped_in: int
    packets_out: int
    octets_out: int
    errors_out: int
    underrun: int
    dropped_out: int
    collisions: int


@dataclass(frozen=True, slots=True)
class Machine:
    """What the firewall runs on."""

    architecture: str  # x86_64
    kernel: str  # 6.1.0-18-amd64
    processor: str
    processors: int
    memory: int  # MB


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything at one moment. `now` is the kernel's monotonic clock in ns."""

    now: int
    #: per inspection number, the counter block summed over the workers (`policy.counters`)
    inspections: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    #: the engine's own counters, by the names of `datapath.counters`
    engine: Mapping[str, int] = field(default_factory=dict)
    in_use: int = 0  # connections
    most_used: int = 0  # at once, since the start
    #: per interface how many hosts have connections, and how many had at once at most
    hosts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    #: per mapped address when the latest connection through the static was built (ns)
    last_uses: Mapping[End, int] = field(default_factory=dict)
    translations: int = 0  # statics, those that connections were given as they connected, and `CalledUse`s
    most_translations: int = 0  # at once, since the start
    statics: tuple[StaticUse, ...] = ()
    classes: tuple[ClassUse, ...] = ()
    queues: tuple[QueueUse, ...] = ()
    logs: tuple[LogUse, ...] = ()
    log_lines: tuple[str, ...] = ()  # the memory buffer, oldest first
    #: servers whose SYNs TCP Intercept answered, the highest average first
    attacks: tuple[Attack, ...] = ()
    events_lost: int = 0  # kernel events that found the ring full
    refused_full: int = 0  # SYNs for which the kernel's table had no room
    refused_shares: int = 0  # and those for which what classes count by server and by client had none
