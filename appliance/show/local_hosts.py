"""``show local-host``: hosts by interface, with what they use of their limits and the connections they have.

Limits and totals are the daemon's; which connections and translations are whose the client puts together, for the
daemon sends them in parts and holds none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.datapath.snapshot import ClassUse, Snapshot, StaticUse
from appliance.show.connections import AddressRange, ConnectionReport
from appliance.show.translations import TranslationReport


@dataclass(frozen=True, slots=True)
class InterfaceHosts:
    """How many hosts have connections behind an interface, and how many had at once at most.

    None is ever denied: that is an ASA's licence.
    """

    interface: str
    active: int
    maximum: int
    denied: int = 0


@dataclass(frozen=True, slots=True)
class HostUse:
    """A host with limits, behind its real interface; a limit of 0 is none.

    `connections` has the places that connections closed by inspection still hold (row 14).
    """

    interface: str
    address: IPv4Address
    connections: int
    limit: int
    embryonic: int
    watermark: int


@dataclass(frozen=True, slots=True)
class LocalHostsReport:
    """``show local-host`` but for connections and translations."""

    interfaces: tuple[InterfaceHosts, ...]
    uses: tuple[HostUse, ...]


def local_hosts(config: Config, snapshot: Snapshot) -> LocalHostsReport:
    """The interfaces in the file's order, and what the hosts of statics use."""
    names = [each.nameif for each in config.interfaces if each.nameif is not None]
    hosts: dict[tuple[str, IPv4Address], list[StaticUse]] = {}
    for each in snapshot.statics:
        hosts.setdefault((each.static.real_interface, each.static.real), []).append(each)
    return LocalHostsReport(
        tuple(InterfaceHosts(name, *snapshot.hosts.get(name, (0, 0))) for name in names),
        tuple(_use(each, snapshot.classes) for each in hosts.values()),
    )


def _use(uses: list[StaticUse], classes: tuple[ClassUse, ...]) -> HostUse:
    """The host of some statics, the limits the lower of theirs together and of the classes that count it (row 16)."""
    static = uses[0].static
    limited = [each.limited for each in classes if any(server.address == static.real for server in each.servers)]
    return HostUse(
        static.real_interface,
        static.real,
        sum(each.connections for each in uses),
        _lowest(_together(each.static.max_conns for each in uses), *(each.max_conns for each in limited)),
        sum(each.embryonic for each in uses),
        _lowest(_together(each.static.max_embryonic for each in uses), *(each.max_embryonic for each in limited)),
    )


def _together(limits: Iterable[int]) -> int:
    """What limits come to that count apart; 0 if one of them is none."""
    found = list(limits)
    return sum(found) if all(found) else 0


def _lowest(*limits: int) -> int:
    """Of those that limit anything; 0 if none does."""
    return min((each for each in limits if each), default=0)


@dataclass(frozen=True, slots=True)
class LocalHost:
    """One host: what it uses, its translations and its connections."""

    address: IPv4Address
    count: int
    limit: int
    embryonic: int
    watermark: int
    translations: tuple[TranslationReport, ...]
    connections: tuple[ConnectionReport, ...]


@dataclass(frozen=True, slots=True)
class Behind:
    """The hosts behind one interface."""

    interface: InterfaceHosts
    hosts: tuple[LocalHost, ...]


@dataclass(frozen=True, slots=True)
class HostsWanted:
    """``show local-host [A[-B]] [connection {tcp | embryonic} N[-M]]``: hosts with so many, both numbers included."""

    addresses: AddressRange | None = None
    connections: range | None = None
    embryonic: range | None = None

    def takes(self, host: LocalHost) -> bool:
        """Whether `host` is wanted."""
        return (
            (self.addresses is None or self.addresses.first <= host.address <= self.addresses.last)
            and (self.connections is None or host.count in self.connections)
            and (self.embryonic is None or host.embryonic in self.embryonic)
        )


def behind(
    report: LocalHostsReport,
    connections: Iterable[ConnectionReport],
    translations: Iterable[TranslationReport],
    wanted: HostsWanted,
    *,
    listed: bool = True,
) -> Iterator[Behind]:
    """The hosts that have connections, or places taken, by interface and address; unless they are `listed`, without
    translations and connections, of which none is kept then."""
    uses = {(each.interface, each.address): each for each in report.uses}
    found = {place: _Found() for place, use in uses.items() if use.connections}
    for each in connections:
        for end in (each.lower, each.upper):
            host = found.setdefault((end.interface, end.address), _Found())
            host.count += 1
            if listed:
                host.connections.append(each)
    for given in translations if listed else ():
        place = given.real_interface, given.real
        if place in found:
            found[place].translations.append(given)
    for interface in report.interfaces:
        hosts = (
            _host(place[1], uses.get(place), found[place]) for place in sorted(found) if place[0] == interface.interface
        )
        yield Behind(interface, tuple(each for each in hosts if wanted.takes(each)))


@dataclass(slots=True)
class _Found:
    """A host's translations and connections, and how many of these there are."""

    count: int = 0
    translations: list[TranslationReport] = field(default_factory=list)
    connections: list[ConnectionReport] = field(default_factory=list)


def _host(address: IPv4Address, use: HostUse | None, found: _Found) -> LocalHost:
    owned = tuple(found.translations), tuple(found.connections)
    if use is None:
        return LocalHost(address, found.count, 0, 0, 0, *owned)
    return LocalHost(address, use.connections, use.limit, use.embryonic, use.watermark, *owned)
