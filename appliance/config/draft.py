"""A configuration while it is being read: what each statement does to it.

Each method is one statement of `grammar`; its parameters are the fields of the statement's syntax. A method that
can't do what the statement says raises `Rejected` with the column and ASA's words. Names that other statements
define are not looked at here: `verify` resolves them when the file is whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from appliance.config.config import (
    AccessGroup,
    Config,
    Interface,
    Logging,
    LoggingHost,
    MetricsListen,
    Route,
    ServicePolicy,
    TcpInterceptStatistics,
    Timeouts,
)
from appliance.config.diagnostics import INVALID
from appliance.config.inspect_maps import POLICY_MAPS, InspectMaps
from appliance.nat.static import UNLIMITED, Static
from appliance.policy.acl import AccessList, Ace, Ports, Remark
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import (
    CLASS_DEFAULT,
    ClassMap,
    ClassMatch,
    ExemptEsmtp,
    InspectEsmtp,
    MatchAccessList,
    MatchAny,
    MatchDefaultInspectionTraffic,
    MatchPort,
    PolicyClass,
    PolicyMap,
)

#: ``logging host`` statements (ASA's 16).
HOSTS = 16
#: Interfaces; an ASA has at most 1,024 with all its VLANs.
INTERFACES = 256
#: Class maps, and classes in a policy map (asa.md §6.1).
CLASS_MAPS, CLASSES = 255, 63

_SECOND_MATCH = (
    "ERROR: Multiple match commands are not supported except for the "
    "'match tunnel-group or default-inspect-traffic' command."
)


@dataclass(slots=True)
class _Entries:
    """An access list: its entries in order, and the ACEs once more to know a repeated one at once."""

    ordered: list[Ace | Remark] = field(default_factory=list)
    aces: set[Ace] = field(default_factory=set)


_STATISTICS = TcpInterceptStatistics()


class Draft(InspectMaps):
    """What has been read so far, and the things the modes are in.

    Things are kept by name in dictionaries, which keep the file's order: a long file costs time in proportion.
    """

    def __init__(self) -> None:
        super().__init__()
        self._box = Config()  # what stands once: hostname, workers, metrics
        self._timeouts = Timeouts()
        self._logging = Logging()
        self._silent: set[int] = set()  # `no logging message`
        self._interfaces: dict[str, Interface] = {}
        self._routes: dict[Route, None] = {}
        self._access_lists: dict[str, _Entries] = {}
        self._access_groups: dict[str, AccessGroup] = {}  # by interface
        self._statics: list[Static] = []
        self._class_maps: dict[str, ClassMap] = {}
        self._policies: dict[str, dict[str, PolicyClass]] = {}  # by policy map, by class
        self._policy_descriptions: dict[str, str] = {}
        self._services: dict[str | None, ServicePolicy] = {}  # by interface
        self._interface = ""
        self._class_map = ""
        self._policy_map = ""
        self._class = ""

    def config(self) -> Config:
        """The configuration read."""
        lists = (AccessList(name, tuple(entries.ordered)) for name, entries in self._access_lists.items())
        return replace(
            self._box,
            interfaces=tuple(self._interfaces.values()),
            routes=tuple(self._routes),
            access_lists=tuple(lists),
            access_groups=tuple(self._access_groups.values()),
            statics=tuple(self._statics),
            class_maps=tuple(self._class_maps.values()),
            regexes=tuple(self._regexes.values()),
            regex_classes=tuple(self._regex_classes.values()),
            inspect_maps=self.inspect_maps(),
            policy_maps=tuple(self._policy(name) for name in self._policies),
            service_policies=tuple(self._services.values()),
            timeouts=self._timeouts,
            logging=replace(self._logging, disabled=frozenset(self._silent)),
        )

    def _policy(self, name: str) -> PolicyMap:
        # class-default comes last whenever it was written (asa.md §6.2); sorting keeps the others' order.
        classes = sorted(self._policies[name].values(), key=lambda each: each.name == CLASS_DEFAULT.name)
        return PolicyMap(name, tuple(classes), self._policy_descriptions.get(name, ""))

    # -- the box

    def hostname(self, name: str) -> None:
        self._box = replace(self._box, hostname=name)

    def metrics_listen(self, listen: tuple[IPv4Address, int]) -> None:
        self._box = replace(self._box, metrics=MetricsListen(*listen))

    def tcp_intercept_statistics(
        self,
        rate_interval: int = _STATISTICS.rate_interval,
        burst_rate: int = _STATISTICS.burst_rate,
        average_rate: int = _STATISTICS.average_rate,
    ) -> None:
        statistics = TcpInterceptStatistics(rate_interval, burst_rate, average_rate)
        self._box = replace(self._box, tcp_intercept=statistics)

    def no_tcp_intercept_statistics(self) -> None:
        self._box = replace(self._box, tcp_intercept=None)

    def inspection_workers(self, workers: int) -> None:
        self._box = replace(self._box, workers=workers)

    def timeout(self, timeouts: Mapping[str, int]) -> None:
        self._timeouts = replace(self._timeouts, **{name.replace("-", "_"): value for name, value in timeouts.items()})

    # -- interfaces and routes

    def interface(self, name: str) -> None:
        self._room(name, self._interfaces, INTERFACES, "interfaces")
        self._interface = name
        self._interfaces.setdefault(name, Interface(name, line=self._line.number))

    def hardware(self, device: str) -> None:
        for each in self._interfaces.values():
            if each.hardware == device and each.name != self._interface:
                raise self.rejected("device", f"ERROR: hardware {device} is already used by interface {each.name}")
        self._change_interface(hardware=device)

    def nameif(self, name: str) -> None:
        for each in self._interfaces.values():
            if each.nameif == name and each.name != self._interface:
                raise self.rejected("name", f'ERROR: Name "{name}" has been assigned to interface {each.name}')
        level = self._interfaces[self._interface].security_level
        if level is None:
            level = 100 if name == "inside" else 0  # asa.md §6.5
        self._change_interface(nameif=name, security_level=level)

    def no_nameif(self) -> None:
        self._change_interface(nameif=None)

    def security_level(self, level: int) -> None:
        self._change_interface(security_level=level)

    def no_security_level(self) -> None:
        self._change_interface(security_level=None)

    def ip_address(self, address: IPv4Address, prefix: int) -> None:
        self._change_interface(address=IPv4Interface((address, prefix)))

    def no_ip_address(self) -> None:
        self._change_interface(address=None)

    def shutdown(self) -> None:
        self._change_interface(shutdown=True)

    def no_shutdown(self) -> None:
        self._change_interface(shutdown=False)

    def interface_description(self, text: str) -> None:
        self._change_interface(description=text)

    def _change_interface(self, **fields: Any) -> None:
        self._interfaces[self._interface] = replace(self._interfaces[self._interface], **fields)

    def route(self, interface: str, network: IPv4Network, gateway: IPv4Address, metric: int = 1) -> None:
        self._routes[Route(interface, network, gateway, metric)] = None

    # -- access lists and statics

    def ace(
        self,
        acl: str,
        action: str,
        protocol: str,
        source: IPv4Network,
        destination: IPv4Network,
        position: int | None = None,
        source_ports: Ports | None = None,
        destination_ports: Ports | None = None,
    ) -> None:
        entry = Ace(
            action == "permit", protocol, source, source_ports, destination, destination_ports, self._line.number
        )
        entries = self._access_lists.setdefault(acl, _Entries())
        if entry not in entries.aces:  # an entry stands once
            entries.aces.add(entry)
            _insert(entries.ordered, entry, position)

    def remark(self, acl: str, text: str, position: int | None = None) -> None:
        _insert(self._access_lists.setdefault(acl, _Entries()).ordered, Remark(text), position)

    def access_group(self, acl: str, interface: str) -> None:
        self._access_groups[interface] = AccessGroup(acl, interface)

    def static(
        self,
        interfaces: tuple[str, str],
        mapped: IPv4Address,
        real: IPv4Address,
        prefix: int = 32,
        max_conns: int = UNLIMITED,
        max_embryonic: int = UNLIMITED,
    ) -> None:
        if prefix != 32:
            raise self.rejected("prefix", "ERROR: a static translates one host: netmask 255.255.255.255")
        self._statics.append(Static(*interfaces, mapped, real, max_conns, max_embryonic, self._line.number))

    # -- class maps

    def class_map(self, name: str) -> None:
        if name == CLASS_DEFAULT.name:
            raise self.rejected("name", f"ERROR: % class-map {name} is reserved")
        self._room(name, self._class_maps, CLASS_MAPS, "class maps")
        self._class_map = name
        self._class_maps.setdefault(name, ClassMap(name, None))

    def class_map_description(self, text: str) -> None:
        self._class_maps[self._class_map] = replace(self._class_maps[self._class_map], description=text)

    def match_any(self) -> None:
        self._match_class(MatchAny())

    def match_access_list(self, acl: str) -> None:
        self._match_class(MatchAccessList(acl))

    def match_address(self, acl: str) -> None:
        """``match address``, the seed's spelling (row 18)."""
        column = self._line.words[1].column
        self.warnings.append((column, f"WARNING: match address is taken as match access-list {acl}"))
        self._match_class(MatchAccessList(acl))

    def match_port(self, protocol: str, ports: Ports) -> None:
        if ports.operator not in ("eq", "range"):
            raise self.rejected("ports", INVALID)
        self._match_class(MatchPort(protocol, ports))

    def match_default_inspection_traffic(self) -> None:
        self._match_class(MatchDefaultInspectionTraffic())

    def _match_class(self, match: ClassMatch) -> None:
        known = self._class_maps[self._class_map]
        if known.match not in (None, match):
            raise self.rejected("", _SECOND_MATCH)
        self._class_maps[self._class_map] = replace(known, match=match)

    # -- policy maps

    def policy_map(self, name: str) -> None:
        self._room(name, self._policies, POLICY_MAPS, "policy maps")
        self._policy_map = name
        self._policies.setdefault(name, {})

    def policy_map_description(self, text: str) -> None:
        self._policy_descriptions[self._policy_map] = text

    def policy_class(self, name: str) -> None:
        self._room(name, self._policies[self._policy_map], CLASSES, "classes in a policy map")
        self._class = name
        self._policies[self._policy_map].setdefault(name, PolicyClass(name))

    def inspect_esmtp(self, map: str | None = None, fail_open: str = "") -> None:
        named = None if map == DEFAULT_MAP.name else map
        self._inspect(InspectEsmtp(named, bool(fail_open)))

    def no_inspect_esmtp(self) -> None:
        self._inspect(ExemptEsmtp())

    def _inspect(self, inspect: InspectEsmtp | ExemptEsmtp) -> None:
        self._policies[self._policy_map][self._class] = PolicyClass(self._class, inspect)

    def service_policy_global(self, policy: str) -> None:
        self._service(ServicePolicy(policy), "globally")

    def service_policy_interface(self, policy: str, interface: str) -> None:
        self._service(ServicePolicy(policy, interface), f"on interface {interface}")

    def _service(self, added: ServicePolicy, where: str) -> None:
        known = self._services.setdefault(added.interface, added)
        if known != added:
            raise self.rejected("policy", f"ERROR: Policy map {known.policy_map} is already applied {where}")

    # -- logging

    def logging(self, **fields: Any) -> None:
        """``logging …``: the fields of `Logging` that the statement sets."""
        self._logging = replace(self._logging, **fields)

    def logging_host(self, interface: str, address: IPv4Address, port: int = 514) -> None:
        kept = tuple(each for each in self._logging.hosts if each.address != address)
        if len(kept) >= HOSTS:
            raise self.rejected("address", f"ERROR: at most {HOSTS} logging hosts")
        self.logging(hosts=(*kept, LoggingHost(interface, address, port)))

    def logging_message(self, message: int) -> None:
        self._silent.discard(message)

    def no_logging_message(self, message: int) -> None:
        self._silent.add(message)


def _insert(entries: list[Ace | Remark], entry: Ace | Remark, position: int | None) -> None:
    entries.insert(len(entries) if position is None else position - 1, entry)
