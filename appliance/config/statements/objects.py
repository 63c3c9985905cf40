"""Names for addresses, objects and object groups, while they are being read (asa.md §6.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from appliance.config.config import Name
from appliance.config.names import PLAIN, Spelling, description, endpoint_text, icmp_text, ports_text
from appliance.config.statements.sheet import Sheet
from appliance.config.syntax import Mode, Statement, both
from appliance.policy.acl import IcmpType, Named, Ports
from appliance.policy.objects import (
    AddressRange,
    Fqdn,
    Group,
    GroupKind,
    Ipv6Place,
    Member,
    NetworkObject,
    Place,
    Service,
    ServiceObject,
)


class Objects(Sheet):
    """Names, objects and groups by name, and the one the mode is in."""

    def __init__(self) -> None:
        super().__init__()
        self.names_shown = False
        self.names: dict[str, Name] = {}
        self.addresses: dict[str, IPv4Address] = {}  # what a name stands for
        self.objects: dict[str, NetworkObject] = {}
        self.service_objects: dict[str, ServiceObject] = {}
        self.group_kinds: dict[str, GroupKind] = {}
        self._groups: dict[str, Group] = {}
        self._members: dict[str, dict[Member, int]] = {}  # by group: the line each came in
        self._object = ""
        self._group = ""

    def groups(self) -> tuple[Group, ...]:
        """The groups with their members."""
        return tuple(replace(each, members=tuple(self._members[each.name])) for each in self._groups.values())

    # -- names

    def show_names(self) -> None:
        self.names_shown = True

    def no_show_names(self) -> None:
        self.names_shown = False

    def name(self, address: IPv4Address, name: str, text: str = "") -> None:
        self.names[name] = Name(name, address, text)
        self.addresses[name] = address

    def no_name(self, address: IPv4Address, name: str = "") -> None:
        for known in [each for each in self.names.values() if each.address == address and name in ("", each.name)]:
            del self.names[known.name], self.addresses[known.name]

    # -- objects

    def network_object(self, name: str) -> None:
        if name.lower() in ("any", "any4", "any6", "interface"):
            raise self.rejected("name", f"ERROR: {name} is a word of translations: no object has it as its name")
        self._unused(name, self.objects)
        self._object = name
        self.objects.setdefault(name, NetworkObject(name, line=self._line.number))

    def no_network_object(self, name: str) -> None:
        self.objects.pop(name, None)

    def place(
        self,
        host: IPv4Address | None = None,
        subnet: IPv4Network | None = None,
        range: AddressRange | None = None,
        fqdn: str = "",
    ) -> None:
        found: Place | None = subnet or range or (IPv4Network(host) if host is not None else None)
        if fqdn:
            self.accepted_once("fqdn", "WARNING: accepted, not acted on: fqdn; nothing is looked up, it is no address")
            found = Fqdn(fqdn)
        self.objects[self._object] = replace(self.objects[self._object], place=found)

    def ipv6_place(self, kind: str, place: Named) -> None:
        self.objects[self._object] = replace(self.objects[self._object], place=Ipv6Place(f"{kind} {place}"))

    def no_place(self, **fields: Any) -> None:
        del fields
        self.objects[self._object] = replace(self.objects[self._object], place=None)

    def network_object_description(self, text: str) -> None:
        self.objects[self._object] = replace(self.objects[self._object], description=text)

    def service_object(self, name: str) -> None:
        self._unused(name, self.service_objects)
        self._object = name
        self.service_objects.setdefault(name, ServiceObject(name, line=self._line.number))

    def no_service_object(self, name: str) -> None:
        self.service_objects.pop(name, None)

    def service(self, **fields: Any) -> None:
        known = self.service_objects[self._object]
        self.service_objects[self._object] = replace(known, service=Service(**fields))

    def no_service(self, **fields: Any) -> None:
        del fields
        self.service_objects[self._object] = replace(self.service_objects[self._object], service=None)

    def service_object_description(self, text: str) -> None:
        known = self.service_objects[self._object]
        self.service_objects[self._object] = replace(known, description=text)

    def _unused(self, name: str, same: object) -> None:
        """Objects and groups share their names."""
        for known, kind in (
            (self.objects, "object network"),
            (self.service_objects, "object service"),
            (self._groups, "object-group"),
        ):
            if known is not same and name in known:
                raise self.rejected("name", f"ERROR: {name} is the name of an {kind} already")

    # -- groups

    def group(self, kind: str, name: str, protocol: str = "") -> None:
        self._unused(name, self._groups)
        found = Group(name, GroupKind(kind), protocol, line=self._line.number)
        known = self._groups.setdefault(name, found)
        if (known.kind, known.protocol) != (found.kind, found.protocol):
            raise self.rejected("name", f"ERROR: object-group {name} is of type {known.kind.value} {known.protocol}")
        self._group = name
        self.group_kinds[name] = found.kind
        self._members.setdefault(name, {})

    def no_group(self, kind: str, name: str, protocol: str = "") -> None:
        del kind, protocol
        if self._groups.pop(name, None) is not None:
            del self.group_kinds[name]
            self.forgotten.update(self._members.pop(name).values())

    def group_description(self, text: str) -> None:
        self._groups[self._group] = replace(self._groups[self._group], description=text)

    def member(self, make: Callable[..., Member], **fields: Any) -> None:
        member = make(**fields)
        grouped = self._groups[self._group]
        if isinstance(member, Ports) and not grouped.protocol:
            raise self.rejected("", f"ERROR: object-group {grouped.name} is not of tcp, udp or tcp-udp")
        if isinstance(member, Service) and grouped.protocol:
            raise self.rejected("", f"ERROR: object-group {grouped.name} is of {grouped.protocol}: it holds ports")
        self._members[self._group].setdefault(member, self._line.number)

    def no_member(self, make: Callable[..., Member], **fields: Any) -> None:
        line = self._members[self._group].pop(make(**fields), None)
        self.forgotten |= {self._line.number} | ({line} if line is not None else set())


def _host(host: IPv4Address) -> Member:
    return IPv4Network(host)


def _ipv6_host(host: Named) -> Member:
    return Named("host", host.kind)


def _the_same(member: Member) -> Member:
    return member


def _object(name: str) -> Member:
    return Named("object", name)


def _group(name: str) -> Member:
    return Named("group-object", name)


def name_lines(name: Name) -> Iterator[str]:
    """``name …``"""
    yield f"name {name.address} {name.name}" + (f" description {name.description}" if name.description else "")


def network_object_lines(found: NetworkObject, spelling: Spelling = PLAIN) -> Iterator[str]:
    """``object network …`` without its translation."""
    yield f"object network {found.name}"
    match found.place:
        case IPv4Network(prefixlen=32):
            yield f" host {spelling.address(found.place.network_address)}"
        case IPv4Network():
            yield f" subnet {spelling.address(found.place.network_address)} {found.place.netmask}"
        case AddressRange(first, last):
            yield f" range {spelling.address(first)} {spelling.address(last)}"
        case Fqdn(name):
            yield f" fqdn v4 {name}"
        case Ipv6Place(text):
            yield f" {text}"
    yield from description(found.description)


def service_object_lines(found: ServiceObject) -> Iterator[str]:
    """``object service …``"""
    yield f"object service {found.name}"
    if found.service is not None:
        yield f" service {_service_text(found.service)}"
    yield from description(found.description)


def _service_text(service: Service) -> str:
    words = [service.protocol]
    for side, ports in (("source", service.source), ("destination", service.destination)):
        if ports is not None:
            words += [side, ports_text(service.protocol, ports)]
    if service.icmp is not None:
        words.append(icmp_text(service.icmp))
    return " ".join(words)


def group_lines(group: Group, spelling: Spelling = PLAIN) -> Iterator[str]:
    """``object-group …`` and its members."""
    yield f"object-group {group.kind.value} {group.name} {group.protocol}".rstrip()
    yield from description(group.description)
    for member in group.members:
        yield f" {_member_text(member, group, spelling)}"


def _member_text(member: Member, group: Group, spelling: Spelling) -> str:
    match member:
        case Named(kind="group-object"):
            return str(member)
        case IPv4Network() if member.prefixlen == 32 or member.prefixlen:
            return f"network-object {endpoint_text(member, spelling)}"
        case IPv4Network():
            return f"network-object {spelling.address(member.network_address)} {member.netmask}"
        case Named():
            return f"{'network' if group.kind is GroupKind.NETWORK else 'service'}-object {member}"
        case Ports():
            return f"port-object {ports_text(group.protocol, member)}"
        case Service():
            return f"service-object {_service_text(member)}"
        case IcmpType():
            return f"icmp-object {icmp_text(member)}"
        case str():
            return f"protocol-object {member}"


_IPV6 = "accepted, not acted on: it is no address of IPv4"
_PLACES = {
    "host <host:address>": "one address",
    "subnet <subnet:network>": "a network",
    "range <range:range>": "all from the first to the last",
    "fqdn [<_=v4|v6>] <fqdn:domain>": "accepted, not acted on: nothing is looked up",
}


def _services(head: str) -> Iterator[str]:
    """A service behind `head`."""
    for protocol in ("tcp", "udp", "sctp", "tcp-udp"):
        yield (
            f"{head} <protocol={protocol}> [source <source:{protocol}-operator>]"
            f" [destination <destination:{protocol}-operator>]"
        )


def _older_services(head: str) -> Iterator[str]:
    """The same without a side: the ports are the destination's."""
    for protocol in ("tcp", "udp", "tcp-udp"):
        yield f"{head} <protocol={protocol}> [source <source:{protocol}-operator>] <destination:{protocol}-operator>"
        yield f"{head} <protocol={protocol}> <destination:{protocol}-service>"


_Row = tuple[str, Callable[..., Member], str]  # the syntax, what makes a member of its fields, what it says


def _group_rows(kind: str, *members: _Row) -> tuple[Statement, ...]:
    rows = [Statement("description <text:text>", Objects.group_description)]
    for syntax, make, says in (*members, (f"group-object <name:{kind}-group>", _group, "what another group holds")):
        rows += both(syntax, partial(Objects.member, make=make), partial(Objects.no_member, make=make), says=says)
    return tuple(rows)


_GROUPS = {
    "network": Mode.NETWORK_GROUP,
    "service": Mode.SERVICE_GROUP,
    "protocol": Mode.PROTOCOL_GROUP,
    "icmp-type": Mode.ICMP_GROUP,
}

_SERVICE = "the protocol, and its ports or its type of ICMP"

STATEMENTS = {
    Mode.CONFIGURE: (
        *both("names", Objects.show_names, Objects.no_show_names, says="names stand for addresses"),
        *both(
            "name <address:address> <name:name> [description <text:text>]",
            Objects.name,
            Objects.no_name,
            short="no name <address:address> [<name:name>]",
            says="a name that may stand in any place of this address from here on",
        ),
        *both(
            "object network <name:name>",
            Objects.network_object,
            Objects.no_network_object,
            Mode.NETWORK_OBJECT,
            says="an address, a network or a range by name; with its translation (8.3 and later)",
        ),
        *both(
            "object service <name:name>",
            Objects.service_object,
            Objects.no_service_object,
            Mode.SERVICE_OBJECT,
            says="a protocol and its ports by name",
        ),
        *(
            row
            for kind, mode in _GROUPS.items()
            for row in both(
                f"object-group <kind={kind}> <name:name>"
                + (" [<protocol=tcp|udp|tcp-udp>]" if kind == "service" else ""),
                Objects.group,
                Objects.no_group,
                mode,
                says="several by one name; a group may hold groups, not itself",
            )
        ),
    ),
    Mode.NETWORK_OBJECT: (
        *(row for syntax, says in _PLACES.items() for row in both(syntax, Objects.place, Objects.no_place, says=says)),
        *(
            row
            for kind in ("host", "subnet", "range")
            for row in both(
                f"{kind} <place:ipv6>", partial(Objects.ipv6_place, kind=kind), Objects.no_place, says=_IPV6
            )
        ),
        Statement("description <text:text>", Objects.network_object_description),
    ),
    Mode.SERVICE_OBJECT: (
        *(
            row
            for syntax in _services("service")
            for row in both(syntax, Objects.service, Objects.no_service, says=_SERVICE)
        ),
        *both("service <protocol=icmp> [<icmp:icmp-type>]", Objects.service, Objects.no_service, says=_SERVICE),
        *both("service <protocol:plain-protocol>", Objects.service, Objects.no_service, says=_SERVICE),
        Statement("description <text:text>", Objects.service_object_description),
    ),
    Mode.NETWORK_GROUP: _group_rows(
        "network",
        ("network-object host <host:address>", _host, "an address"),
        ("network-object object <name:network-object>", _object, "what an object stands for"),
        ("network-object <member:network>", _the_same, "a network"),
        ("network-object host <host:ipv6>", _ipv6_host, _IPV6),
        ("network-object <member:ipv6>", _the_same, _IPV6),
    ),
    Mode.SERVICE_GROUP: _group_rows(
        "service",
        ("port-object <member:tcp-udp-operator>", _the_same, "ports, in a group of tcp, udp or tcp-udp"),
        *((syntax, Service, "a service, in a group of none") for syntax in _services("service-object")),
        *((syntax, Service, "the same, as 8.0 to 8.2 write it") for syntax in _older_services("service-object")),
        ("service-object <protocol=icmp> [<icmp:icmp-type>]", Service, "a type of ICMP"),
        ("service-object object <name:service-object>", _object, "what an object stands for"),
        ("service-object <protocol:plain-protocol>", Service, "a protocol"),
    ),
    Mode.PROTOCOL_GROUP: _group_rows("protocol", ("protocol-object <member:plain-protocol>", _the_same, "a protocol")),
    Mode.ICMP_GROUP: _group_rows("icmp", ("icmp-object <member:icmp-type>", _the_same, "a type of ICMP")),
}
