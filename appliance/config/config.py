"""The frozen configuration: what a rule file says, every name resolved by `verify`, nothing of how it was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from appliance.config.names import NEVER
from appliance.config.nat import TranslationStatement
from appliance.config.versions import Version, named, of_release
from appliance.nat.static import Static, intercepted_once
from appliance.policy.acl import AccessList
from appliance.policy.maps import ClassMap, InspectMap, PolicyMap
from appliance.policy.objects import Group, NetworkObject, ServiceObject
from appliance.policy.regex import Regex, RegexClass


@dataclass(frozen=True, slots=True)
class Interface:
    """An ``interface`` block. `name` is ASA's (Ethernet0/0), `hardware` the Linux device (ours)."""

    name: str
    hardware: str | None = None
    nameif: str | None = None
    security_level: int | None = None
    address: IPv4Interface | None = None
    shutdown: bool = False
    description: str = ""
    line: int = field(default=0, compare=False)  # of the rule file, for errors
    standby: IPv4Address | None = None  # of the failover's other unit: kept, not used
    accepted: tuple[str, ...] = ()  # what is kept and not acted on: ``duplex full``; a block's lines begin with a blank
    speed: str = "auto"  # of PIX 6's ``interface ethernet0 100full``: kept
    mtu: int | None = None  # ``mtu NAMEIF OCTETS``; None: as the device has it
    no_forward: tuple[str, ...] = ()  # ``no forward interface NAME``: interfaces to which it opens no connection


@dataclass(frozen=True, slots=True)
class Route:
    """``route IFC NETWORK MASK GATEWAY [METRIC] [track NUMBER]``; it stands whatever becomes of what is tracked."""

    interface: str
    network: IPv4Network
    gateway: IPv4Address
    metric: int = 1
    track: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class AccessGroup:
    """``access-group ID {in | out} interface IFC``; `interface` None is ``access-group ID global``."""

    access_list: str
    interface: str | None
    direction: str = "in"
    option: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """``name ADDRESS NAME``"""

    name: str
    address: IPv4Address
    description: str = ""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """``time-range NAME`` and its lines, as they are written."""

    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ServicePolicy:
    """``service-policy NAME {global | interface IFC}``; `interface` None is global."""

    policy_map: str
    interface: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """``timeout …``, in seconds; the defaults are ASA's (asa.md §5.3, §6.6)."""

    conn: int = 3600
    half_closed: int = 600
    embryonic: int = 30  # not in `timeout conn` on an ASA; `set connection timeout embryonic` there
    xlate: int = 10800
    udp: int = 120
    icmp: int = 2
    others: tuple[tuple[str, int], ...] = ()  # of protocols that are not looked into: kept

    @property
    def dead(self) -> int:
        """How long what inspection closed holds its place at most (row 14): even where half-closed is for ever."""
        return Timeouts().half_closed if self.half_closed == NEVER else self.half_closed


@dataclass(frozen=True, slots=True)
class LoggingHost:
    """``logging host IFC IP [{udp | tcp}/PORT] [format emblem] [secure]``; by TCP nothing is sent."""

    interface: str
    address: IPv4Address
    port: int = 514
    tcp: bool = False
    options: tuple[str, ...] = ()  # kept: ``format emblem``, ``secure``


@dataclass(frozen=True, slots=True)
class Logging:
    """``logging …``. A level is 0 (emergencies) to 7 (debugging), None where the destination is off."""

    enabled: bool = False
    timestamp: bool = False
    rfc5424: bool = False  # `logging timestamp rfc5424`: kept
    buffered: int | None = None
    buffer_size: int = 4096  # octets, ASA's default
    console: int | None = None  # stderr, here
    trap: int | None = None
    facility: int = 20  # local4
    device_id: str | None = None  # "hostname" or a string
    hosts: tuple[LoggingHost, ...] = ()
    disabled: frozenset[int] = frozenset()  # `no logging message ID`
    levels: tuple[tuple[int, int], ...] = ()  # `logging message ID level LEVEL`
    lists: tuple[tuple[str, str], ...] = ()  # destinations whose level is that of a `logging list`, and its name

    def takes(self, message: int, severity: int) -> bool:
        """Whether any destination takes this message."""
        levels = (self.buffered, self.console, self.trap)
        heard = any(level is not None and severity <= level for level in levels)
        return self.enabled and heard and message not in self.disabled


@dataclass(frozen=True, slots=True)
class TcpInterceptStatistics:
    """``threat-detection statistics tcp-intercept``: the window in minutes, the thresholds in SYNs a second."""

    rate_interval: int = 30
    burst_rate: int = 400
    average_rate: int = 200


@dataclass(frozen=True, slots=True)
class MetricsListen:
    """``metrics listen ADDRESS:PORT`` (ours)."""

    address: IPv4Address
    port: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """A statement that is kept and not acted on, and the lines of the block it opens, set in."""

    text: str
    section: int  # where `show running-config` has it (`statements.accepted.Section`)
    block: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """A whole rule file. Tuples keep the file's order; lookups by name go through the methods."""

    hostname: str = "ciscoasa"
    head: str = ""  # ``ASA Version 8.2(5)``, as the file begins
    compatibility: str = ""  # `compatibility NAME` (ours)
    accepted: tuple[Accepted, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    names_shown: bool = False
    names: tuple[Name, ...] = ()
    objects: tuple[NetworkObject, ...] = ()
    service_objects: tuple[ServiceObject, ...] = ()
    groups: tuple[Group, ...] = ()
    time_ranges: tuple[TimeRange, ...] = ()
    routes: tuple[Route, ...] = ()
    access_lists: tuple[AccessList, ...] = ()
    access_groups: tuple[AccessGroup, ...] = ()
    translations: tuple[TranslationStatement, ...] = ()
    inter_interface: bool = False  # `same-security-traffic permit …`
    intra_interface: bool = False
    tcpmss: int = 1380  # `sysopt connection tcpmss`, ASA's default; 0 clamps nothing
    deny_flow_max: int = 4096  # `access-list deny-flow-max`: denied flows that are known at once, ASA's default
    alert_interval: int = 300  # `access-list alert-interval`: s between two records that there are so many
    nat_control: bool | None = None  # None: as the version has it
    no_proxy_arp: frozenset[str] = frozenset()  # `sysopt noproxyarp NAMEIF`
    reverse_path: frozenset[str] = frozenset()  # `ip verify reverse-path interface NAMEIF`
    statics: tuple[Static, ...] = ()  # every host translated whole, whichever statement says so
    port_statics: tuple[Static, ...] = ()  # and every TCP port that is translated by itself
    class_maps: tuple[ClassMap, ...] = ()
    regexes: tuple[Regex, ...] = ()
    regex_classes: tuple[RegexClass, ...] = ()
    inspect_maps: tuple[InspectMap, ...] = ()
    policy_maps: tuple[PolicyMap, ...] = ()
    service_policies: tuple[ServicePolicy, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    logging: Logging = field(default_factory=Logging)
    tcp_intercept: TcpInterceptStatistics | None = None
    metrics: MetricsListen | None = None
    workers: int | None = None  # `inspection-workers N` (ours); None: half the cores, at least one
    workers_line: int = field(default=0, compare=False)

    @property
    def defaults(self) -> Version:
        """What is so where the file says nothing: the row of its version."""
        if self.head and not self.compatibility:
            return of_release(self.head.split()[2])
        return named(self.compatibility)

    @property
    def all_statics(self) -> tuple[Static, ...]:
        """What is translated the same way whoever is at the other end: hosts, then ports."""
        return intercepted_once((*self.statics, *self.port_statics))

    @property
    def own_addresses(self) -> frozenset[IPv4Address]:
        """The firewall's own."""
        return frozenset(each.address.ip for each in self.interfaces if each.address is not None)

    def own_address(self, nameif: str) -> IPv4Network | None:
        """The firewall's own there, as a network."""
        interface = self.interface(nameif)
        return IPv4Network(interface.address.ip) if interface is not None and interface.address is not None else None

    def interface(self, nameif: str) -> Interface | None:
        """The interface called `nameif`."""
        return next((each for each in self.interfaces if each.nameif == nameif), None)

    def access_list(self, name: str) -> AccessList | None:
        """The access list called `name`."""
        return next((each for each in self.access_lists if each.name == name), None)

    def class_map(self, name: str) -> ClassMap | None:
        """The class map called `name`."""
        return next((each for each in self.class_maps if each.name == name), None)

    def policy_map(self, name: str) -> PolicyMap | None:
        """The policy map called `name`."""
        return next((each for each in self.policy_maps if each.name == name), None)

    def inspect_map(self, name: str) -> InspectMap | None:
        """The inspect map called `name` (the default one is `policy.defaults.DEFAULT_MAP`)."""
        return next((each for each in self.inspect_maps if each.name == name), None)
