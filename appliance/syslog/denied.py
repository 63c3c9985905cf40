"""What is said of packets that the rules denied, 106xxx and 305013 (asa.md §4.5). Real lines have two spaces behind TCP
flags."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.flow import Endpoint
from appliance.syslog.record import Record


@dataclass(frozen=True, slots=True)
class InboundDenied(Record):
    """A connection from a lower security level, or the same, where no access list permits any."""

    id = 106001
    severity = 2

    source: Endpoint
    destination: Endpoint
    flags: str

    def sentence(self) -> str:
        return f"Inbound TCP connection denied from {_with_flags(self)}"


@dataclass(frozen=True, slots=True)
class SpoofedSource(Record):
    """A packet that came in where its source is not routed to, and ``ip verify reverse-path`` is said.

    `protocol` is ASA's word, ``TCP``, or ``protocol 47``.
    """

    id = 106021
    severity = 1

    protocol: str
    source: Endpoint
    destination: Endpoint

    def sentence(self) -> str:
        where = f"from {self.source.address} to {self.destination.address} on interface {self.source.interface}"
        return f"Deny {self.protocol} reverse path check {where}"


@dataclass(frozen=True, slots=True)
class NoConnection(Record):
    """A TCP packet of no connection that we know, and not the first of one."""

    id = 106015
    severity = 6

    source: Endpoint
    destination: Endpoint
    flags: str

    def sentence(self) -> str:
        return f"Deny TCP (no connection) from {_with_flags(self)}"


def _with_flags(record: InboundDenied | NoConnection) -> str:
    source, destination = record.source, record.destination
    return (
        f"{source.address}/{source.port} to {destination.address}/{destination.port} "
        f"flags {record.flags}  on interface {source.interface}"
    )


@dataclass(frozen=True, slots=True)
class AccessDenied(Record):
    """An access list denied a first packet; the destination's address is as the version has it. `entry` is the hash
    of the entry in ``show access-list``, `element` that of what it comes to if it names something; both are 0 for the
    ``deny`` that ends every list unwritten."""

    id = 106023
    severity = 4

    protocol: str  # tcp, udp, icmp, or "protocol 47"
    source: Endpoint
    destination: Endpoint
    access_list: str
    kind: int = 0  # of ICMP, which has a type and a code in place of ports
    code: int = 0
    entry: int = 0
    element: int = 0

    def sentence(self) -> str:
        ports = self.protocol in ("tcp", "udp")
        source, destination = (
            str(each) if ports else f"{each.interface}:{each.address}" for each in (self.source, self.destination)
        )
        kind = f" (type {self.kind}, code {self.code})" if self.protocol == "icmp" else ""
        return (
            f"Deny {self.protocol} src {source} dst {destination}{kind} "
            f'by access-group "{self.access_list}" [{self.entry:#x}, {self.element:#x}]'
        )


@dataclass(frozen=True, slots=True)
class EntryHit(Record):
    """An entry with ``log`` matched a first packet, or so many of one flow in an interval, at the severity it says."""

    id = 106100
    severity = 6

    access_list: str
    permitted: bool
    protocol: str  # tcp, udp, icmp (its type and code in place of ports), or a number
    source: Endpoint
    destination: Endpoint
    count: int
    interval: int  # seconds; 0: the first
    hash: str  # of the entry
    level: int

    @property
    def logged_at(self) -> int:
        return self.level

    def sentence(self) -> str:
        ends = " -> ".join(f"{each.interface}/{each.address}({each.port})" for each in (self.source, self.destination))
        did = "permitted" if self.permitted else "denied"
        when = f"{self.interval}-second interval" if self.interval else "first hit"
        head = f"access-list {self.access_list} {did} {self.protocol} {ends}"
        return f"{head} hit-cnt {self.count} {when} [{self.hash}, 0x0]"


@dataclass(frozen=True, slots=True)
class DenyFlowsFull(Record):
    """One more denied flow of an entry with ``log`` than may be known at once (``access-list deny-flow-max``)."""

    id = 106101
    severity = 1

    limit: int

    def sentence(self) -> str:
        return f"Number of cached deny-flows for ACL log has reached limit ({self.limit})"


@dataclass(frozen=True, slots=True)
class NatMismatch(Record):
    """A host that is known by a mapped address was called by its real one: its answers would be translated."""

    id = 305013
    severity = 5

    protocol: str  # tcp, udp, icmp, or "protocol 47"
    source: Endpoint
    destination: Endpoint
    kind: int = 0  # of ICMP, which has a type and a code in place of ports
    code: int = 0

    def sentence(self) -> str:
        ports = self.protocol in ("tcp", "udp")
        source, destination = (
            str(each) if ports else f"{each.interface}:{each.address}" for each in (self.source, self.destination)
        )
        kind = f" (type {self.kind}, code {self.code})" if self.protocol == "icmp" else ""
        connection = f"Connection for {self.protocol} src {source} dst {destination}{kind}"
        rules = "Asymmetric NAT rules matched for forward and reverse flows"
        return f"{rules}; {connection} denied due to NAT reverse path failure"
