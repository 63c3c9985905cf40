"""Address translation, while it is being read: `static`, `nat` and `global` up to 8.2, `nat` of 8.3 (asa.md §5.1-5.2).

What is not carried out is refused where it stands, because a translation left out is another translation: limits of a
static of one port, of one for some peers, of one of more than `HOSTS` hosts. What depends on a list or an object that
may come later, `verify` refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any, assert_never

from appliance.config.names import PLAIN, Spelling, port_name
from appliance.config.nat import (
    GlobalStatement,
    ManualNat,
    NatStatement,
    ObjectNat,
    PolicyStaticStatement,
    StaticStatement,
    Trailer,
    TranslationStatement,
)
from appliance.config.statements.objects import Objects
from appliance.config.syntax import Mode, Statement, both
from appliance.config.translations import HOSTS
from appliance.nat.translation import PortMap
from appliance.policy.objects import AddressRange

_NOTHING: Mapping[str, Any] = {}


class Translations(Objects):
    """The statements of translation in the file's order."""

    def __init__(self) -> None:
        super().__init__()
        self.translations: list[TranslationStatement] = []
        self._object_nats: dict[str, ObjectNat] = {}
        self.nat_control: bool | None = None

    def _add(self, statement: TranslationStatement) -> None:
        self.translations.append(statement)

    def _untold(self, dns: bool) -> None:
        if dns:
            self.accepted_once("dns", "WARNING: accepted, not acted on: dns: DNS replies are left as they are")

    def _remove(self, statement: TranslationStatement) -> None:
        if statement not in self.translations:
            raise self.rejected("", "ERROR: there is no such translation")
        at = self.translations.index(statement)
        self.forgotten |= {self.translations.pop(at).line, self._line.number}

    # -- up to 8.2

    def static(self, **fields: Any) -> None:
        self._add(self._static(**fields))

    def no_static(self, **fields: Any) -> None:
        """By its addresses: what follows them need not be said again."""
        named = self._static(**fields)
        same = (
            each
            for each in self.translations
            if isinstance(each, StaticStatement) and replace(each, trailer=Trailer()) == named
        )
        self._remove(next(same, named))

    def _static(
        self,
        interfaces: tuple[str, str],
        real: IPv4Address,
        mapped: IPv4Address | None = None,
        protocol: str = "",
        mapped_port: int = 0,
        real_port: int = 0,
        prefix: int = 32,
        dns: str = "",
        trailer: Trailer | None = None,
    ) -> StaticStatement:
        trailer = trailer or Trailer()
        trailer = replace(trailer, dns=trailer.dns or bool(dns))
        ports = PortMap(protocol, real_port, mapped_port) if protocol else None
        if prefix != 32 and (ports is not None or mapped is None):
            raise self.rejected("prefix", "ERROR: a static of a port or of the interface translates one host")
        if 1 << (32 - prefix) > HOSTS:
            self._of_many(trailer)
        for name, address in (("mapped", mapped), ("real", real)):
            if address is not None and int(address) & ((1 << (32 - prefix)) - 1):
                raise self.rejected(name, f"ERROR: {address} is not the first address of its network")
        if (trailer.tcp or trailer.embryonic) and ports is None and mapped is None:
            raise self.rejected("trailer", "ERROR: limits are for a static of a host or of a port: use set connection")
        if mapped is None and trailer.embryonic and not 0 < trailer.tcp <= trailer.embryonic:
            message = "WARNING: accepted, not acted on: TCP Intercept for a port of the firewall's own address"
            self.warn("trailer", message)
        self._untold(trailer.dns)
        if trailer.udp:
            self.warn("trailer", "WARNING: accepted, not acted on: the limit of UDP connections")
        return StaticStatement(*interfaces, mapped, real, prefix, ports, trailer, self._line.number)

    def _of_many(self, trailer: Trailer) -> None:
        """Hosts by the thousand are translated by their network: none of them is known by itself."""
        if trailer.tcp or trailer.embryonic:
            raise self.rejected("trailer", f"ERROR: limits are for a static of at most {HOSTS} hosts")
        message = f"WARNING: a static of more than {HOSTS} hosts: no ARP is answered for them, route them to here"
        self.warn("prefix", message)

    def policy_static(self, **fields: Any) -> None:
        self._add(self._policy_static(**fields))

    def no_policy_static(self, **fields: Any) -> None:
        self._remove(self._policy_static(**fields))

    def _policy_static(
        self,
        interfaces: tuple[str, str],
        mapped: IPv4Address,
        acl: str,
        prefix: int | None = None,
        dns: str = "",
        trailer: Trailer | None = None,
    ) -> PolicyStaticStatement:
        trailer = trailer or Trailer()
        trailer = replace(trailer, dns=trailer.dns or bool(dns))
        if trailer.tcp or trailer.embryonic:
            raise self.rejected("trailer", "ERROR: limits are for a static of a whole host: use set connection")
        self._untold(trailer.dns)
        return PolicyStaticStatement(*interfaces, mapped, acl, prefix, trailer, self._line.number)

    def nat(self, **fields: Any) -> None:
        self._add(self._nat(**fields))

    def no_nat(self, **fields: Any) -> None:
        self._remove(self._nat(**fields))

    def _nat(
        self,
        interface: str,
        number: int,
        network: IPv4Network | None = None,
        acl: str = "",
        outside: str = "",
        trailer: Trailer | None = None,
    ) -> NatStatement:
        trailer = trailer or Trailer()
        self._untold(trailer.dns)
        if trailer.tcp or trailer.embryonic or trailer.udp:
            self.warn("trailer", "WARNING: accepted, not acted on: the limits of nat")
        return NatStatement(interface, number, network, acl, bool(outside), trailer, self._line.number)

    def global_(self, **fields: Any) -> None:
        self._add(self._global(**fields))

    def no_global(self, **fields: Any) -> None:
        self._remove(self._global(**fields))

    def _global(
        self, interface: str, number: int, pool: AddressRange | None = None, prefix: int | None = None
    ) -> GlobalStatement:
        return GlobalStatement(interface, number, pool, prefix, self._line.number)

    def set_nat_control(self) -> None:
        self.nat_control = True

    def no_nat_control(self) -> None:
        self.nat_control = False

    # -- from 8.3

    def object_nat(self, **fields: Any) -> None:
        found = self._object_nat(**fields)
        known = self._object_nats.get(found.name)
        if known is not None and known in self.translations:
            self._remove(known)  # an object has one
            self.forgotten.discard(self._line.number)
        self._object_nats[found.name] = found
        self._add(found)

    def no_object_nat(self, **fields: Any) -> None:
        self._remove(self._object_nat(**fields))

    def _object_nat(
        self,
        interfaces: tuple[str, str],
        kind: str,
        address: IPv4Address | None = None,
        name: str | None = None,
        overload: str = "",
        options: Mapping[str, Any] = _NOTHING,
    ) -> ObjectNat:
        ports = options.get("ports")
        if ports is not None and kind == "dynamic":
            raise self.rejected("options", "ERROR: service is for static")
        self._untold("dns" in options.get("words", ()))
        return ObjectNat(
            self._object,
            *interfaces,
            kind == "dynamic",
            address if address is not None else name,
            bool(overload),
            ports,
            options.get("words", ()),
            self._line.number,
        )

    def manual_nat(self, position: int | None = None, **fields: Any) -> None:
        found = self._manual_nat(**fields)
        section = [
            at
            for at, each in enumerate(self.translations)
            if isinstance(each, ManualNat) and each.after_auto == found.after_auto
        ]
        if position is not None and position <= len(section):
            self.translations.insert(section[position - 1], found)
        else:
            self._add(found)

    def no_manual_nat(self, position: int | None = None, **fields: Any) -> None:
        del position
        self._remove(self._manual_nat(**fields))

    def _manual_nat(
        self,
        interfaces: tuple[str, str],
        kind: str,
        real: str,
        mapped: str | None = None,
        after: str = "",
        overload: str = "",
        far_mapped: str = "",
        far_real: str = "",
        options: Mapping[str, Any] = _NOTHING,
    ) -> ManualNat:
        if options.get("ports") is not None:
            raise self.rejected("options", "ERROR: service of a manual rule names two objects")
        self._untold("dns" in options.get("words", ()))
        return ManualNat(
            *interfaces,
            kind == "dynamic",
            real,
            mapped,
            (far_mapped, far_real) if far_real else None,
            bool(after),
            bool(overload),
            options.get("words", ()),
            options.get("services"),
            options.get("description", ""),
            self._line.number,
        )


def translation_line(statement: TranslationStatement, spelling: Spelling = PLAIN) -> str:
    """The statement; that of an object without its head."""
    match statement:
        case StaticStatement():
            return _static_line(statement, spelling)
        case PolicyStaticStatement():
            return _policy_static_line(statement, spelling)
        case NatStatement():
            of = _network(statement.network, spelling) if statement.network else f"access-list {statement.access_list}"
            words = [f"nat ({statement.interface}) {statement.number} {of}"]
            words += ["outside"] if statement.outside else []
            limits = spelling if statement.network else replace(spelling, pix6=False)  # PIX 6 has none of lists
            return " ".join([*words, *_trailer(statement.trailer, limits)])
        case GlobalStatement():
            return _global_line(statement)
        case ObjectNat():
            return _object_line(statement, spelling)
        case ManualNat():
            return _manual_line(statement)
        case other:
            assert_never(other)


def _network(network: IPv4Network, spelling: Spelling) -> str:
    """``10.0.0.0 255.0.0.0``, whatever network it is."""
    return f"{spelling.address(network.network_address)} {network.netmask}"


def _static_line(static: StaticStatement, spelling: Spelling) -> str:
    words = [f"static ({static.real_interface},{static.mapped_interface})"]
    ports, mapped = static.ports, "interface" if static.mapped is None else spelling.address(static.mapped)
    if ports is None:
        words += [mapped, spelling.address(static.real)]
    else:
        words += [ports.protocol, mapped, port_name(ports.protocol, ports.mapped)]
        words += [spelling.address(static.real), port_name(ports.protocol, ports.real)]
    words.append(f"netmask {IPv4Network((0, static.prefix)).netmask}")
    return " ".join([*words, *_trailer(static.trailer, spelling)])


def _policy_static_line(static: PolicyStaticStatement, spelling: Spelling) -> str:
    words = [f"static ({static.real_interface},{static.mapped_interface})", spelling.address(static.mapped)]
    words.append(f"access-list {static.access_list}")
    words += [] if static.prefix is None else [f"netmask {IPv4Network((0, static.prefix)).netmask}"]
    return " ".join([*words, *_trailer(static.trailer, spelling)])


def _trailer(trailer: Trailer, spelling: Spelling) -> Iterator[str]:
    """PIX 6 has no word before the limits, and prints them where there are none."""
    if trailer.dns:
        yield "dns"
    if trailer.norandomseq:
        yield "norandomseq"
    if spelling.pix6:
        yield f"{trailer.tcp} {trailer.embryonic}"
    elif trailer.tcp or trailer.embryonic:
        yield f"tcp {trailer.tcp}"
        yield from [str(trailer.embryonic)] if trailer.embryonic else []
    if trailer.udp:
        yield f"udp {trailer.udp}"


def _global_line(found: GlobalStatement) -> str:
    pool = found.pool
    what = "interface"
    if pool is not None:
        what = str(pool.first) if pool.first == pool.last else f"{pool.first}-{pool.last}"
    mask = "" if found.prefix is None else f" netmask {IPv4Network((0, found.prefix)).netmask}"
    return f"global ({found.interface}) {found.number} {what}{mask}"


def _object_line(nat: ObjectNat, spelling: Spelling) -> str:
    words = [f"nat ({nat.real_interface},{nat.mapped_interface})", "dynamic" if nat.dynamic else "static"]
    mapped = spelling.address(nat.mapped) if isinstance(nat.mapped, IPv4Address) else nat.mapped
    words.append("interface" if mapped is None else mapped)
    words += ["interface"] if nat.overload else []
    words += nat.options
    if nat.ports is not None:
        protocol = nat.ports.protocol
        words += ["service", protocol, port_name(protocol, nat.ports.real), port_name(protocol, nat.ports.mapped)]
    return " ".join(words)


def _manual_line(nat: ManualNat) -> str:
    words = [f"nat ({nat.real_interface},{nat.mapped_interface})"]
    words += ["after-auto"] if nat.after_auto else []
    words += ["source", "dynamic" if nat.dynamic else "static", nat.real]
    words.append("interface" if nat.mapped is None else nat.mapped)
    words += ["interface"] if nat.overload else []
    if nat.destination is not None:
        words += ["destination", "static", *nat.destination]
    words += nat.options
    words += ["service", *nat.services] if nat.services else []
    words += ["description", nat.description] if nat.description else []
    return " ".join(words)


_STATIC = "static <interfaces:interfaces>"
_END = "[<dns=dns>] [netmask <prefix:mask>] [<trailer:trailer>]"
_PORT_END = "[<dns=dns>] [netmask <prefix:mask>] [<trailer:port-trailer>]"
_NAT = "nat <interface:in-brackets> <number:nat-number>"


def _statics() -> Iterator[Statement]:
    host = "translates a host or a network, and limits the connections to each (of up to 256)"
    yield from both(
        f"{_STATIC} <mapped:address> <real:address> {_END}", Translations.static, Translations.no_static, says=host
    )
    yield from both(
        f"{_STATIC} interface <real:address> {_PORT_END}",
        Translations.static,
        Translations.no_static,
        says="the interface's own address stands for the host",
    )
    for protocol in ("tcp", "udp"):
        for mapped in ("<mapped:address>", "interface"):
            yield from both(
                f"{_STATIC} <protocol={protocol}> {mapped} <mapped_port:{protocol}-port>"
                f" <real:address> <real_port:{protocol}-port> {_PORT_END}",
                Translations.static,
                Translations.no_static,
                says="one port of an address stands for one of the host's",
            )
    yield from both(
        f"{_STATIC} <mapped:address> access-list <acl:access-list> {_PORT_END}",
        Translations.policy_static,
        Translations.no_policy_static,
        says="translates the list's source for its destinations alone",
    )


def _object_nats() -> Iterator[Statement]:
    for kind in ("static", "dynamic"):
        for mapped in ("interface", "<address:address>", "<name:place>"):
            if kind == "dynamic" and mapped != "interface":
                mapped += " [<overload=interface>]"
            yield from both(
                f"nat <interfaces:any-interfaces> <kind={kind}> {mapped} [<options:nat-options>]",
                Translations.object_nat,
                Translations.no_object_nat,
                says="the object's translation",
            )


def _manual_nats() -> Iterator[Statement]:
    dynamic = ("interface", "<mapped:place> [<overload=interface>]")
    kinds = [("static", "interface"), ("static", "<mapped:place>"), *(("dynamic", each) for each in dynamic)]
    for kind, mapped in kinds:
        yield from both(
            "nat <interfaces:any-interfaces> [<after=after-auto>] [<position:1-2147483647>] source"
            f" <kind={kind}> <real:place> {mapped}"
            " [destination static <far_mapped:place> <far_real:place>] [<options:nat-options>]",
            Translations.manual_nat,
            Translations.no_manual_nat,
            says="a translation asked before (or, after-auto, behind) those of objects",
        )


STATEMENTS = {
    Mode.CONFIGURE: (
        *_statics(),
        *both(
            f"{_NAT} <network:network> [<outside=outside>] [<trailer:trailer>]",
            Translations.nat,
            Translations.no_nat,
            says="the hosts that global addresses of the same number stand for; 0: none do",
        ),
        *both(
            f"{_NAT} access-list <acl:access-list> [<outside=outside>] [<trailer:trailer>]",
            Translations.nat,
            Translations.no_nat,
            says="the same for some peers alone; with 0: not translated towards them",
        ),
        *both(
            "global <interface:in-brackets> <number:1-2147483647> <pool:pool> [netmask <prefix:mask>]",
            Translations.global_,
            Translations.no_global,
            says="the addresses that nat's hosts have there",
        ),
        *both(
            "global <interface:in-brackets> <number:1-2147483647> interface",
            Translations.global_,
            Translations.no_global,
            says="the interface's own address",
        ),
        *both(
            "nat-control",
            Translations.set_nat_control,
            Translations.no_nat_control,
            says="to a lower security level passes only what is translated",
        ),
        *_manual_nats(),
    ),
    Mode.NETWORK_OBJECT: tuple(_object_nats()),
}
