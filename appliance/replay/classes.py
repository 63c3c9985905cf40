"""Which inspection a captured connection would have been in: what the mark says in the kernel, worked out offline.

Without a configuration every connection to the port is in the default class. With one its classes decide in their
order; there is no NAT here, so a mapped address and the real one are the same host, wherever either is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import assert_never

from appliance.config.config import Config
from appliance.config.elements import Elements
from appliance.config.inspections import Inspection, inspections
from appliance.policy.acl import Ports
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import (
    ClassMap,
    MatchAccessList,
    MatchAny,
    MatchDefaultInspectionTraffic,
    MatchOther,
    MatchPort,
)

#: The port that is inspected where nothing says another.
SMTP = 25

_DEFAULT_CLASS = ClassMap("inspection_default", MatchDefaultInspectionTraffic())


class Classes:
    """The classes of `config`, or the default one; `port` stands for 25 in either."""

    def __init__(self, config: Config | None, port: int = SMTP) -> None:
        self._config = config or Config()
        self._port = port
        if config is None:
            self._ordered: tuple[Inspection, ...] = (Inspection(1, None, "global_policy", _DEFAULT_CLASS, DEFAULT_MAP),)
        else:
            self._ordered = inspections(config)
        self._elements = Elements(self._config)
        self._real = {each.mapped: each.real for each in self._config.statics}
        names = [each.nameif for each in self._config.interfaces if each.nameif]
        #: the interfaces' names by the index they have here
        self.interfaces: Mapping[int, str] = dict(enumerate(names or ["outside", "inside"], 1))
        self._networks = [
            (each.address.network, names.index(each.nameif) + 1)
            for each in self._config.interfaces
            if each.address is not None and each.nameif
        ]

    @property
    def by_number(self) -> dict[int, Inspection]:
        """The classes that inspect, as a Datapath takes them."""
        return {each.number: each for each in self._ordered if each.number}

    def device(self, address: IPv4Address, is_server: bool) -> int:
        """The index of the interface `address` is behind: the one whose network has it, else the side's own."""
        real = self._real.get(address, address)
        for network, index in self._networks:
            if real in network:
                return index
        return min(2, len(self.interfaces)) if is_server and not self._networks else 1

    def of(self, client: IPv4Address, client_port: int, server: IPv4Address, port: int) -> Inspection | None:
        """The class that decides for a connection, one that exempts it included; None: none speaks of it."""
        ends = (self._real.get(client, client), client_port, self._real.get(server, server), port)
        names = {self.interfaces[self.device(client, False)], self.interfaces[self.device(server, True)]}
        for each in self._ordered:
            if (each.interface is None or each.interface in names) and self._matches(each.class_map, *ends):
                return each
        return None

    def _matches(
        self, class_map: ClassMap, client: IPv4Address, client_port: int, server: IPv4Address, port: int
    ) -> bool:
        match class_map.match:
            case None:
                return False
            case MatchAny():
                return True
            case MatchDefaultInspectionTraffic(access_list=""):
                return port == self._port
            case MatchDefaultInspectionTraffic(access_list=name):
                return port == self._port and self._permitted(name, client, None, server, None)
            case MatchPort(protocol, ports):
                return protocol == "tcp" and _on(ports, port)
            case MatchAccessList(name):
                return self._permitted(name, client, client_port, server, port)
            case MatchOther():
                return False
            case _:
                assert_never(class_map.match)

    def _permitted(
        self, name: str, client: IPv4Address, client_port: int | None, server: IPv4Address, port: int | None
    ) -> bool:
        """Whether the list permits; without ports, addresses alone are compared."""
        access_list = self._config.access_list(name)
        for each in self._elements.of_list(access_list) if access_list else ():
            if client in self._of(each.source) and server in self._of(each.destination):
                ours = each.protocol in ("ip", "tcp") and _on(each.source_ports, client_port)
                if port is None or (ours and _on(each.destination_ports, port)):
                    return each.permit
        return False

    def _of(self, network: IPv4Network) -> IPv4Network:
        if network.prefixlen < network.max_prefixlen:
            return network
        return IPv4Network(self._real.get(network.network_address, network.network_address))


def _on(ports: Ports | None, port: int | None) -> bool:
    if ports is None or port is None:
        return True
    return {
        "eq": port == ports.low,
        "neq": port != ports.low,
        "lt": port < ports.low,
        "gt": port > ports.low,
        "range": ports.low <= port <= ports.high,
    }[ports.operator]
