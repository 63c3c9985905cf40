"""What the rules dropped, as log records: 106001, 106015, 106023.

The rules hand out copies of packets, so many a second at most; which record one becomes its prefix says. What cannot
be read is passed over: the packet is dropped either way.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.flow import Endpoint
from appliance.kernel.nflog import Copy
from appliance.syslog import AccessDenied, InboundDenied, NoConnection, Record

_ICMP, _TCP, _UDP = 1, 6, 17
_NAMES = {_ICMP: "icmp", _TCP: "tcp", _UDP: "udp"}
#: TCP's flags from the lowest bit up, in the order of ASA's messages.
_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")
_UNKNOWN = "unknown"


class Denials:
    """Makes records under one configuration; `interfaces` has the nameif of each index."""

    def __init__(self, config: Config, interfaces: Mapping[int, str]) -> None:
        self._interfaces = interfaces
        self._real = {(each.mapped_interface, each.mapped): each for each in config.statics}
        self._groups = {each.interface: each.access_list for each in config.access_groups if each.direction == "in"}

    def record(self, copy: Copy) -> Record | None:
        """The record of a dropped packet; None for one that is no IPv4 packet, or of no kind we know."""
        found = _parsed(copy.packet)
        if found is None:
            return None
        protocol, source, destination, ports, flags = found
        here = self._interfaces.get(copy.came_in, _UNKNOWN)
        there = self._interfaces.get(copy.goes_out, _UNKNOWN)
        sender, receiver = Endpoint(here, source, ports[0]), Endpoint(there, destination, ports[1])
        match copy.prefix:
            case "106001":
                return InboundDenied(sender, receiver, flags)
            case "106015":
                return NoConnection(sender, receiver, flags)
            case "106023":
                return self._denied(protocol, sender, self._translated(sender, receiver))
            case _:
                return None

    def _translated(self, sender: Endpoint, receiver: Endpoint) -> Endpoint:
        """The receiver by its real address: what TCP Intercept would answer is not translated yet."""
        static = self._real.get((sender.interface, receiver.address))
        return receiver if static is None else Endpoint(static.real_interface, static.real, receiver.port)

    def _denied(self, protocol: int, sender: Endpoint, receiver: Endpoint) -> Record:
        group = self._groups.get(sender.interface, self._groups.get(None, _UNKNOWN))
        name = _NAMES.get(protocol, f"protocol {protocol}")
        if protocol == _ICMP:  # its type and code stand where ports would
            kind, code = divmod(sender.port, 256)
            return AccessDenied(name, sender, receiver, group, kind, code)
        return AccessDenied(name, sender, receiver, group)


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
