"""Interfaces, while they are being read (asa.md §6.5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from appliance.config.config import Interface
from appliance.config.names import PLAIN, Spelling, description
from appliance.config.statements.accepted import AcceptedStatements, Section, kept
from appliance.config.syntax import ACCEPTED, Mode, Statement, both

#: What stands for all of them: in translations, and in entries.
ANYWHERE = ("any", "any4", "any6")
#: Interfaces; an ASA has at most 1,024 with all its VLANs.
INTERFACES = 256


class Interfaces(AcceptedStatements):
    """The interfaces by name, and the interface the mode is in."""

    def __init__(self) -> None:
        super().__init__()
        self.interfaces: dict[str, Interface] = {}
        self.same_level: set[str] = set()  # `same-security-traffic permit …`
        self._mtus: dict[str, int] = {}  # by nameif
        self._interface = ""

    def interface(self, name: str) -> None:
        self._room(name, self.interfaces, INTERFACES, "interfaces")
        self._interface = name
        self.interfaces.setdefault(name, Interface(name, line=self._line.number))

    def hardware(self, device: str) -> None:
        for each in self.interfaces.values():
            if each.hardware == device and each.name != self._interface:
                raise self.rejected("device", f"ERROR: hardware {device} is already used by interface {each.name}")
        self._change_interface(hardware=device)

    def nameif(self, name: str) -> None:
        if name.lower() in ANYWHERE:
            raise self.rejected("name", f"ERROR: {name} is every interface: none has it as its name")
        for each in self.interfaces.values():
            if each.nameif == name and each.name != self._interface:
                raise self.rejected("name", f'ERROR: Name "{name}" has been assigned to interface {each.name}')
        level = self.interfaces[self._interface].security_level
        if level is None:
            level = 100 if name == "inside" else 0  # asa.md §6.5
        self._change_interface(nameif=name, security_level=level)

    def no_nameif(self, name: str | None = None) -> None:
        known = self.interfaces[self._interface].nameif
        self.stands("name", name, known)
        self._change_interface(nameif=None)
        if known is not None:
            self.unnamed(known)

    def unnamed(self, nameif: str) -> None:
        super().unnamed(nameif)
        self.unsaid("mtu", nameif)
        self._mtus.pop(nameif, None)

    def security_level(self, level: int) -> None:
        self._change_interface(security_level=level)

    def no_security_level(self, level: int | None = None) -> None:
        self.stands("level", level, self.interfaces[self._interface].security_level)
        self._change_interface(security_level=None)

    def no_hardware(self, device: str | None = None) -> None:
        self.stands("device", device, self.interfaces[self._interface].hardware)
        self._change_interface(hardware=None)

    def ip_address(self, address: IPv4Address, prefix: int, standby: IPv4Address | None = None) -> None:
        if standby is not None:
            self.accepted_once("ip address standby")
        found = IPv4Interface((address, prefix))
        if prefix < 31 and address in (found.network.network_address, found.network.broadcast_address):
            raise self.rejected("address", f"ERROR: {address} is no host of {found.network}")
        self._change_interface(address=found, standby=standby)

    def no_ip_address(self, address: IPv4Address | None = None, prefix: int = 32) -> None:
        given = None if address is None else IPv4Interface((address, prefix))
        self.stands("address", given, self.interfaces[self._interface].address)
        self._change_interface(address=None, standby=None)

    def ip_address_elsewhere(self) -> None:
        """``ip address dhcp``, ``ip address pppoe``: kept, and the device is left as it is."""
        self._change_interface(address=None)
        self.accept_in_interface("ip address dhcp")

    def shutdown(self) -> None:
        self._change_interface(shutdown=True)

    def no_shutdown(self) -> None:
        self._change_interface(shutdown=False)

    def interface_description(self, text: str) -> None:
        self._change_interface(description=text)

    def no_interface_description(self) -> None:
        self._change_interface(description="")

    def _change_interface(self, **fields: Any) -> None:
        self.interfaces[self._interface] = replace(self.interfaces[self._interface], **fields)

    def accept_in_interface(self, head: str) -> None:
        text = self.accepted_once(head)
        kept = self.interfaces[self._interface].accepted
        self._change_interface(accepted=tuple(dict.fromkeys((*kept, text))))

    def accept_no_in_interface(self, head: str) -> None:
        """It goes, with the block that it opened."""
        named = self.accepted_once(head).split(" ", 1)[1]
        kept, gone = [], False
        for each in self.interfaces[self._interface].accepted:
            gone = gone if each.startswith(" ") else f"{each} ".startswith(f"{named} ")
            kept += [] if gone else [each]
        self._change_interface(accepted=tuple(kept))

    def accept_block_in_interface(self, head: str) -> None:
        self.accept_in_interface(head)
        self._keep = self._keep_in_interface

    def _keep_in_interface(self, text: str) -> None:
        kept = self.interfaces[self._interface].accepted
        self._change_interface(accepted=(*kept, f" {text.strip()}"))

    def no_forward(self, other: str) -> None:
        kept = self.interfaces[self._interface].no_forward
        self._change_interface(no_forward=tuple(dict.fromkeys((*kept, other))))

    def forward(self, other: str) -> None:
        kept = self.interfaces[self._interface].no_forward
        self._change_interface(no_forward=tuple(each for each in kept if each.lower() != other.lower()))

    def no_interface(self, name: str) -> None:
        gone = self.interfaces.pop(name, None)
        if gone is not None and gone.nameif is not None:
            self.unnamed(gone.nameif)

    # -- PIX 6's own forms: one line says what an interface's block says

    def hardware_speed(self, name: str, speed: str, shutdown: str = "") -> None:
        self.interface(name)
        self.accepted_once("interface speed")
        self._change_interface(speed=speed, shutdown=bool(shutdown))

    def nameif_of(self, name: str, nameif: str, level: int) -> None:
        self.interface(name)
        self.nameif(nameif)
        self.security_level(level)

    def ip_address_of(self, nameif: str, address: IPv4Address, prefix: int) -> None:
        self._enter_named(nameif)
        self.ip_address(address, prefix)

    def no_ip_address_of(self, nameif: str, address: IPv4Address | None = None, prefix: int = 32) -> None:
        self._enter_named(nameif)
        self.no_ip_address(address, prefix)

    def ip_address_dhcp_of(self, nameif: str) -> None:
        self._enter_named(nameif)
        self.accepted_once("ip address dhcp")
        self._change_interface(accepted=("ip address dhcp",))

    def mtu(self, nameif: str, octets: int) -> None:
        self.said("mtu", nameif)
        self._mtus[nameif] = octets

    def no_mtu(self, nameif: str, octets: int | None = None) -> None:
        self.forgotten.add(self._line.number)
        self.stands("octets", octets, self._mtus.get(nameif))
        self.unsaid("mtu", nameif)
        self._mtus.pop(nameif, None)

    def all_interfaces(self) -> tuple[Interface, ...]:
        """What was read of them."""
        return tuple(replace(each, mtu=self._mtus.get(each.nameif or "")) for each in self.interfaces.values())

    def _enter_named(self, nameif: str) -> None:
        for each in self.interfaces.values():
            if each.nameif == nameif:
                self._interface = each.name
                return
        raise self.rejected("nameif", f"ERROR: interface <{nameif}> does not exist")

    # -- what passes between interfaces of one level

    def same_security(self, between: str) -> None:
        self.same_level.add(between)

    def no_same_security(self, between: str) -> None:
        self.same_level.discard(between)


def interface_lines(interface: Interface, spelling: Spelling = PLAIN) -> Iterator[str]:
    """``interface …`` and its block."""
    yield f"interface {interface.name}"
    yield from description(interface.description)
    if interface.shutdown:
        yield " shutdown"
    if interface.hardware is not None:
        yield f" hardware {interface.hardware}"
    yield from _names_and_level(interface)
    if not any(each.startswith("ip address") for each in interface.accepted):
        yield _address_line(interface, spelling)
    yield from _kept_lines(interface)


def _kept_lines(interface: Interface) -> Iterator[str]:
    yield from (f" no forward interface {each}" for each in interface.no_forward)
    yield from (f" {each}" for each in interface.accepted)


def _names_and_level(interface: Interface) -> Iterator[str]:
    yield " no nameif" if interface.nameif is None else f" nameif {interface.nameif}"
    level = interface.security_level
    yield " no security-level" if level is None else f" security-level {level}"


def _address_line(interface: Interface, spelling: Spelling) -> str:
    address, standby = interface.address, interface.standby
    if address is None:
        return " no ip address"
    unit = "" if standby is None else f" standby {standby}"
    return f" ip address {spelling.address(address.ip)} {address.netmask}{unit}"


def pix6_interface_lines(interfaces: Iterable[Interface]) -> Iterator[str]:
    """The same in PIX 6's lines: what has no line of its own there stays in the block that is ours.

    Addresses are no names yet: these lines come first.
    """
    for each in interfaces:
        yield f"interface {each.name} {each.speed}{' shutdown' if each.shutdown else ''}"
        yield from description(each.description)
        if each.hardware is not None:
            yield f" hardware {each.hardware}"
        if not _has_line(each):
            yield from _names_and_level(each)
        if each.address is not None and (each.standby is not None or not _has_line(each)):
            yield _address_line(each, PLAIN)
        yield from _kept_lines(each)
    for each in filter(_has_line, interfaces):
        yield f"nameif {each.name} {each.nameif} security{each.security_level}"


def pix6_address_lines(interfaces: Iterable[Interface], spelling: Spelling) -> Iterator[str]:
    """``ip address NAMEIF …``"""
    for each in filter(_has_line, interfaces):
        if each.address is not None and each.standby is None:
            yield f"ip address {each.nameif} {spelling.address(each.address.ip)} {each.address.netmask}"


def _has_line(interface: Interface) -> bool:
    return interface.nameif is not None and interface.security_level is not None


#: What an interface of a real configuration says that means nothing to a Linux device.
_HEADS = (
    *("active", "allocate-interface", "asr-group", "authentication", "backup", "bfd", "bridge-group"),
    *("channel-group", "crypto", "ddns"),
    *("delay", "dhcp", "dhcprelay", "duplex", "eigrp", "flowcontrol", "hello-interval", "hold-time"),
    *("igmp", "ipv6", "keepalive", "lacp", "lldp", "mac-address", "management-only", "media-type"),
    *("member-interface", "mfib"),
    *("multicast", "ospf", "pim", "policy-route", "port-channel", "pppoe", "rip", "speed"),
    *("split-horizon", "standby", "summary-address", "switchport", "tunnel", "vlan", "zone-member"),
)
#: The same of what may be followed by a block, set in further.
_BLOCKS = ("cts",)
_SPEEDS = "auto|10baset|10full|100basetx|100full|1000auto|1000basesx|1000full|1000sxfull|aui|bnc"


def _accepted() -> Iterator[Statement]:
    for head in _HEADS:
        yield from both(
            f"{head} [<_:rest>]",
            partial(Interfaces.accept_in_interface, head=head),
            partial(Interfaces.accept_no_in_interface, head=head),
            says=ACCEPTED,
        )
    for head in _BLOCKS:
        block = partial(Interfaces.accept_block_in_interface, head=head)
        yield Statement(f"{head} [<_:rest>]", block, Mode.ACCEPTED, ACCEPTED)
        yield Statement(f"no {head} [<_:rest>]", partial(Interfaces.accept_no_in_interface, head=head), says=ACCEPTED)


STATEMENTS = {
    Mode.CONFIGURE: (
        *both(
            "interface <name:name>", Interfaces.interface, Interfaces.no_interface, Mode.INTERFACE, says="an interface"
        ),
        Statement(
            f"interface <name:name> <speed={_SPEEDS}> [<shutdown=shutdown>]",
            Interfaces.hardware_speed,
            Mode.INTERFACE,
            says="PIX 6: the speed is accepted, not acted on",
        ),
        *kept(
            "interface <name:name> <_:vlan> <_=logical|physical>",
            "interface logical",
            Section.INTERFACES,
            "PIX 6: a VLAN, which is accepted: its device is what hardware says",
        ),
        Statement(
            "nameif <name:name> <nameif:new-nameif> <level:security>",
            Interfaces.nameif_of,
            says="PIX 6: nameif and security-level of an interface",
        ),
        *both(
            "ip address <nameif:nameif> <address:address> <prefix:mask>",
            Interfaces.ip_address_of,
            Interfaces.no_ip_address_of,
            short="no ip address <nameif:nameif> [<address:address> <prefix:mask>]",
            says="PIX 6: ip address of the interface with that name",
        ),
        Statement(
            "ip address <nameif:nameif> dhcp [<_:rest>]", Interfaces.ip_address_dhcp_of, says="accepted, not acted on"
        ),
        *both(
            "mtu <nameif:nameif> <octets:68-65535>",
            Interfaces.mtu,
            Interfaces.no_mtu,
            short="no mtu <nameif:nameif> [<octets:68-65535>]",
            says="the largest packet that it sends",
        ),
        *both(
            "same-security-traffic permit <between=inter-interface|intra-interface>",
            Interfaces.same_security,
            Interfaces.no_same_security,
            says="lets pass what goes between interfaces of one level, or back out by the same",
        ),
    ),
    Mode.INTERFACE: (
        *both(
            "hardware <device:device>",
            Interfaces.hardware,
            Interfaces.no_hardware,
            short="no hardware [<device:device>]",
            says="its Linux device (ours)",
        ),
        *both(
            "nameif <name:new-nameif>",
            Interfaces.nameif,
            Interfaces.no_nameif,
            short="no nameif [<name:new-nameif>]",
            says="the name that every other statement uses",
        ),
        *both(
            "security-level <level:0-100>",
            Interfaces.security_level,
            Interfaces.no_security_level,
            short="no security-level [<level:0-100>]",
            says="connections may be opened from a higher level to a lower one",
        ),
        *both(
            "ip address <address:address> <prefix:mask> [standby <standby:address>]",
            Interfaces.ip_address,
            Interfaces.no_ip_address,
            short="no ip address [<address:address> <prefix:mask>]",
            says="its address",
        ),
        Statement("ip address <_=dhcp|pppoe> [<_:rest>]", Interfaces.ip_address_elsewhere, says="accepted"),
        *both(
            "no forward interface <other:name>",
            Interfaces.no_forward,
            Interfaces.forward,
            short="forward interface <other:name>",
            says="no connection is opened from it to that interface, named as interface names it",
        ),
        *both("shutdown", Interfaces.shutdown, Interfaces.no_shutdown, says="nothing passes through it"),
        *both(
            "description <text:text>",
            Interfaces.interface_description,
            Interfaces.no_interface_description,
            short="no description [<_:rest>]",
            says="a comment",
        ),
        *_accepted(),
    ),
}
