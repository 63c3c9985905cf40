"""Address translation up to 8.2, while it is being read: `static`, `nat` and `global` (asa.md §5.1).

What is not carried out is refused where it stands, because a translation left out is another translation: limits of a
static of one port, of one for some peers, of one of more than `HOSTS` hosts. What depends on a list or an object that
may come later, `verify` refuses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from appliance.config.names import Spelling, port_name
from appliance.config.nat import GlobalStatement, NatStatement, PolicyStaticStatement, StaticStatement, Trailer
from appliance.config.statements.translation_order import TranslationOrder
from appliance.config.statics import HOSTS
from appliance.config.syntax import Mode, Statement, both
from appliance.nat.translation import PortMap
from appliance.policy.objects import AddressRange


class EarlyTranslations(TranslationOrder):
    """Those of 8.2 and before: the two sides of a translation are named in one statement or by one number."""

    def __init__(self) -> None:
        super().__init__()
        self.nat_control: bool | None = None

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
        acl: str,
        mapped: IPv4Address | None = None,
        protocol: str = "",
        mapped_port: int = 0,
        prefix: int | None = None,
        dns: str = "",
        trailer: Trailer | None = None,
    ) -> PolicyStaticStatement:
        trailer = trailer or Trailer()
        trailer = replace(trailer, dns=trailer.dns or bool(dns))
        if trailer.tcp or trailer.embryonic:
            raise self.rejected("trailer", "ERROR: limits are for a static of a whole host: use set connection")
        self._untold(trailer.dns)
        return PolicyStaticStatement(
            *interfaces, mapped, acl, prefix, trailer, self._line.number, protocol, mapped_port
        )

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


def nat_line(statement: NatStatement, spelling: Spelling) -> str:
    """``nat …``"""
    of = _network(statement.network, spelling) if statement.network else f"access-list {statement.access_list}"
    words = [f"nat ({statement.interface}) {statement.number} {of}"]
    words += ["outside"] if statement.outside else []
    limits = spelling if statement.network else replace(spelling, pix6=False)  # PIX 6 has none of lists
    return " ".join([*words, *_trailer(statement.trailer, limits)])


def _network(network: IPv4Network, spelling: Spelling) -> str:
    """``10.0.0.0 255.0.0.0``, whatever network it is."""
    return f"{spelling.address(network.network_address)} {network.netmask}"


def static_line(static: StaticStatement, spelling: Spelling) -> str:
    """``static …`` of a host, a network or a port."""
    words = [f"static ({static.real_interface},{static.mapped_interface})"]
    ports, mapped = static.ports, "interface" if static.mapped is None else spelling.address(static.mapped)
    if ports is None:
        words += [mapped, spelling.address(static.real)]
    else:
        words += [ports.protocol, mapped, port_name(ports.protocol, ports.mapped)]
        words += [spelling.address(static.real), port_name(ports.protocol, ports.real)]
    words.append(f"netmask {IPv4Network((0, static.prefix)).netmask}")
    return " ".join([*words, *_trailer(static.trailer, spelling)])


def policy_static_line(static: PolicyStaticStatement, spelling: Spelling) -> str:
    """``static … access-list …``"""
    words = [f"static ({static.real_interface},{static.mapped_interface})"]
    words += [static.protocol] if static.protocol else []
    words.append("interface" if static.mapped is None else spelling.address(static.mapped))
    words += [port_name(static.protocol, static.port)] if static.protocol else []
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


def global_line(found: GlobalStatement) -> str:
    """``global …``"""
    pool = found.pool
    what = "interface"
    if pool is not None:
        what = str(pool.first) if pool.first == pool.last else f"{pool.first}-{pool.last}"
    mask = "" if found.prefix is None else f" netmask {IPv4Network((0, found.prefix)).netmask}"
    return f"global ({found.interface}) {found.number} {what}{mask}"


_STATIC = "static <interfaces:interfaces>"
_END = "[<dns=dns>] [netmask <prefix:mask>] [<trailer:trailer>]"
_PORT_END = "[<dns=dns>] [netmask <prefix:mask>] [<trailer:port-trailer>]"
_NAT = "nat <interface:in-brackets> <number:nat-number>"


def _statics() -> Iterator[Statement]:
    host = "translates a host or a network, and limits the connections to each (of up to 256)"
    yield from both(
        f"{_STATIC} <mapped:address> <real:address> {_END}",
        EarlyTranslations.static,
        EarlyTranslations.no_static,
        says=host,
    )
    yield from both(
        f"{_STATIC} interface <real:address> {_PORT_END}",
        EarlyTranslations.static,
        EarlyTranslations.no_static,
        says="the interface's own address stands for the host",
    )
    yield from both(
        f"{_STATIC} <mapped:address> access-list <acl:access-list> {_PORT_END}",
        EarlyTranslations.policy_static,
        EarlyTranslations.no_policy_static,
        says="translates the list's source for its destinations alone",
    )
    for protocol, mapped in itertools.product(("tcp", "udp"), ("<mapped:address>", "interface")):
        port = f"{_STATIC} <protocol={protocol}> {mapped} <mapped_port:{protocol}-port>"
        yield from both(
            f"{port} <real:address> <real_port:{protocol}-port> {_PORT_END}",
            EarlyTranslations.static,
            EarlyTranslations.no_static,
            says="one port of an address stands for one of the host's",
        )
        yield from both(
            f"{port} access-list <acl:access-list> {_PORT_END}",
            EarlyTranslations.policy_static,
            EarlyTranslations.no_policy_static,
            says="the same for some peers alone: the list's entries are of the host and port, for their destinations",
        )


STATEMENTS = {
    Mode.CONFIGURE: (
        *_statics(),
        *both(
            f"{_NAT} <network:network> [<outside=outside>] [<trailer:trailer>]",
            EarlyTranslations.nat,
            EarlyTranslations.no_nat,
            says="the hosts that global addresses of the same number stand for; 0: none do",
        ),
        *both(
            f"{_NAT} access-list <acl:access-list> [<outside=outside>] [<trailer:trailer>]",
            EarlyTranslations.nat,
            EarlyTranslations.no_nat,
            says="the same for some peers alone; with 0: not translated towards them",
        ),
        *both(
            "global <interface:in-brackets> <number:1-2147483647> <pool:pool> [netmask <prefix:mask>]",
            EarlyTranslations.global_,
            EarlyTranslations.no_global,
            says="the addresses that nat's hosts have there",
        ),
        *both(
            "global <interface:in-brackets> <number:1-2147483647> interface",
            EarlyTranslations.global_,
            EarlyTranslations.no_global,
            says="the interface's own address",
        ),
        *both(
            "nat-control",
            EarlyTranslations.set_nat_control,
            EarlyTranslations.no_nat_control,
            says="to a lower security level passes only what is translated",
        ),
    ),
}
