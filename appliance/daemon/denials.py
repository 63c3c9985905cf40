"""What the rules dropped, and what entries with ``log`` matched: 106001, 106015, 106021, 106023, 106100,
106101, 305013.

The rules hand out copies of packets, so many a second at most; which record one becomes its prefix says. What cannot
be read is passed over: the packet is dropped either way. The address a packet was sent to, or the real one behind it:
the version says which (asa.md §5.2).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from appliance import show
from appliance.config.config import Config
from appliance.config.translations import translations
from appliance.config.versions import Addresses
from appliance.daemon.flows import LoggedFlows
from appliance.flow import Endpoint
from appliance.iptables import LOGGED, hits
from appliance.iptables.hits import Counters
from appliance.iptables.match import denier
from appliance.kernel.nflog import Copy
from appliance.marks import OURS
from appliance.syslog import AccessDenied, InboundDenied, NatMismatch, NoConnection, Record, SpoofedSource

_ICMP, _TCP, _UDP = 1, 6, 17
_NAMES = {_ICMP: "icmp", _TCP: "tcp", _UDP: "udp"}
#: TCP's flags from the lowest bit up, in the order of ASA's messages.
_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
_UNKNOWN = "unknown"

#: An end as a copy has it, seen from an interface: that, the real address, the protocol and port (none: any).
_End = tuple[str, IPv4Address, str, int]


class Denials:
    """Makes records under one configuration; `interfaces` has the nameif of each index. `flows` outlives it."""

    def __init__(self, config: Config, interfaces: Mapping[int, str], flows: LoggedFlows) -> None:
        self._interfaces = interfaces
        mapped = config.defaults.addresses is Addresses.MAPPED
        self._real = {(each.mapped_interface, each.mapped): each for each in config.statics if not mapped}
        self._mapped = dict(_sent_to(config)) if mapped else {}
        self._flows = flows
        flows.configure(config)
        self._deniers = dict(_deniers(config))
        self._groups = {each.interface: each.access_list for each in config.access_groups if each.direction == "in"}

    def due(self, now: int) -> Iterator[Record]:
        """What entries with ``log`` matched in the intervals that are over."""
        return self._flows.due(now)

    def record(self, copy: Copy, now: int = 0) -> Record | None:
        """The record of a packet; None for one that is no IPv4 packet, of no kind we know, or of a known flow."""
        found = _parsed(copy.packet)
        if found is None:
            return None
        protocol, source, destination, ports, flags = found
        here = self._interfaces.get(copy.came_in, _UNKNOWN)
        there = self._interfaces.get(copy.goes_out, _UNKNOWN)
        sender, receiver = Endpoint(here, source, ports[0]), Endpoint(there, destination, ports[1])
        match copy.prefix:
            case "106001":
                return InboundDenied(sender, self._known(protocol, sender, receiver), flags)
            case "106015":
                return NoConnection(sender, receiver, flags)
            case "106021":
                return SpoofedSource(_NAMES.get(protocol, f"protocol {protocol}").upper(), sender, receiver)
            case "305013":
                return _mismatched(protocol, sender, receiver)
            case "106023":
                return self._denied(protocol, sender, self._known(protocol, sender, receiver), copy.mark)
            case prefix if prefix.startswith(LOGGED):
                receiver = self._known(protocol, sender, receiver)
                return self._hit(prefix.removeprefix(LOGGED), protocol, sender, receiver, now)
            case _:
                return None

    def _hit(self, tag: str, protocol: int, sender: Endpoint, receiver: Endpoint, now: int) -> Record | None:
        if protocol == _ICMP:
            kind, code = divmod(sender.port, 256)
            sender, receiver = replace(sender, port=kind), replace(receiver, port=code)
        return self._flows.hit(tag, _NAMES.get(protocol, str(protocol)), sender, receiver, now)

    def _known(self, protocol: int, sender: Endpoint, receiver: Endpoint) -> Endpoint:
        """The receiver by the address that the version's records have.

        A copy has the real one, but for what TCP Intercept would answer: that is not translated yet.
        """
        name, end = _NAMES.get(protocol, ""), (sender.interface, receiver.address)
        sent_to = self._mapped.get((*end, name, receiver.port)) or self._mapped.get((*end, "", 0))
        if sent_to is not None:
            return Endpoint(receiver.interface, sent_to[0], sent_to[1] or receiver.port)
        static = self._real.get(end)
        return receiver if static is None else Endpoint(static.real_interface, static.real, receiver.port)

    def _denied(self, protocol: int, sender: Endpoint, receiver: Endpoint, mark: int) -> Record:
        group = self._groups.get(sender.interface, self._groups.get(None, _UNKNOWN))
        access_list, entry, element = self._deniers.get(mark & OURS, (group, 0, 0))
        name = _NAMES.get(protocol, f"protocol {protocol}")
        denied = AccessDenied(name, sender, receiver, access_list, entry=entry, element=element)
        if protocol == _ICMP:  # its type and code stand where ports would
            return replace(denied, kind=sender.port // 256, code=sender.port % 256)
        return denied


def _mismatched(protocol: int, sender: Endpoint, receiver: Endpoint) -> Record:
    name = _NAMES.get(protocol, f"protocol {protocol}")
    kind, code = divmod(sender.port, 256) if protocol == _ICMP else (0, 0)
    return NatMismatch(name, sender, receiver, kind, code)


def _deniers(config: Config) -> Iterator[tuple[int, tuple[str, int, int]]]:
    """What denies, as the mark says it: its list, and the hashes that `show access-list` has of it."""
    elements = {each.name: hits.entries(config, each, Counters()) for each in config.access_lists}
    for found in show.access_lists(config, elements).access_lists:
        for entry in found.entries:
            if entry.hits is None:
                continue
            for each in entry.elements:
                yield denier(each.hash), (found.name, int(entry.hash, 16), int(each.hash, 16))
            if not entry.elements:
                yield denier(entry.hash), (found.name, int(entry.hash, 16), 0)


def _sent_to(config: Config) -> Iterator[tuple[_End, tuple[IPv4Address, int]]]:
    """What an end behind a static is called on the other side; port 0 is any."""
    for each in config.statics:
        yield (each.mapped_interface, each.real, "", 0), (each.mapped, 0)
    for rule in translations(config):
        if rule.ports is not None and rule.mapped_interface is not None and isinstance(rule.mapped, IPv4Network):
            end = rule.mapped_interface, rule.real.network_address, rule.ports.protocol, rule.ports.real
            yield end, (rule.mapped.network_address, rule.ports.mapped)


def _parsed(packet: bytes) -> tuple[int, IPv4Address, IPv4Address, tuple[int, int], str] | None:
    """Protocol, addresses, ports, and TCP's flags in words. A fragment but the first has no ports."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header = (packet[0] & 0x0F) * 4
    protocol, source, destination = packet[9], IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    body = b"" if (packet[6] & 0x1F) << 8 | packet[7] else packet[header:]
    ports = (0, 0)
    if protocol in _NAMES and len(body) >= 4:
        first, second = struct.unpack_from("!HH", body)
        ports = (first, 0 if protocol == _ICMP else second)
    bits = body[13] if protocol == _TCP and len(body) > 13 else 0
    flags = " ".join(name for bit, name in enumerate(_FLAGS) if bits >> bit & 1)
    return protocol, source, destination, ports, flags
