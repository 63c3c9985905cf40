"""What a packet must have: elements of access lists, addresses, ports, as words of a rule."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from ipaddress import IPv4Network

from appliance.config.names import PROTOCOLS
from appliance.config.real_ends import RealEnds
from appliance.config.statements.access_lists import ace_text
from appliance.config.versions import Addresses
from appliance.iptables.tables import Rule, Scene
from appliance.marks import OURS
from appliance.policy.acl import ANY, AccessList, Ace, Element, IcmpType, Ports

#: Protocols that iptables knows by ASA's name; the others go by number.
_NAMES = ("tcp", "udp", "icmp", "sctp", "gre", "esp", "ah", "igmp")


def tag(access_list: AccessList, ace: Ace, element: Element) -> str:
    """The number of an element in its list, ``0x1b2c3d4e``, as ASA prints one: counters are found by it."""
    return f"0x{zlib.crc32(f'{access_list.name} {ace_text(ace)} {element}'.encode()):08x}"


def denier(tag: str) -> int:
    """The element with this tag in the mark of a packet that it denied: as much of it as our bits hold."""
    return int(tag, 16) & OURS


class Matches:
    """Elements as words, on the addresses that the version's access lists know."""

    def __init__(self, scene: Scene) -> None:
        self.real = RealEnds(scene.config)
        #: whether a packet may have other addresses where it comes in than where it is judged
        self.mapped = scene.config.defaults.addresses is Addresses.MAPPED and bool(scene.translations)

    def here(self, element: Element, *, sources: bool = True) -> Iterator[Rule]:
        """On real addresses, an element that names a mapped one being each real one's (row 17).

        Where packets come in no source is of the other side: without `sources` a network of them stays what it is.
        """
        return map(condition, self.real.of(element, sources=sources))

    def arriving(self, element: Element) -> Iterator[Rule]:
        """Of a connection's first packet, as it was where it came in: up to 8.2 lists know mapped addresses."""
        if not self.mapped:
            yield from self.here(element, sources=False)
            return
        ends = [*address("--ctorigsrc", element.source), *address("--ctorigdst", element.destination)]
        ends += ports("--ctorigsrcport", element.source_ports) + ports("--ctorigdstport", element.destination_ports)
        yield [*protocol(element), *(["-m", "conntrack", *ends] if ends else [])]


def condition(element: Element) -> Rule:
    """What a packet must have, as it is."""
    ends = [*address("-s", element.source), *address("-d", element.destination)]
    of_ports = [*ports("--sport", element.source_ports), *ports("--dport", element.destination_ports)]
    return [*ends, *protocol(element), *of_ports]


def protocol(element: Element) -> Rule:
    """``-p`` and the type of ICMP."""
    if element.protocol == "ip":
        return []
    number = PROTOCOLS.get(element.protocol, element.protocol)
    words = ["-p", element.protocol if element.protocol in _NAMES else str(number)]
    return words if element.icmp is None else [*words, "--icmp-type", _icmp(element.icmp)]


def _icmp(icmp: IcmpType) -> str:
    return str(icmp.type) if icmp.code is None else f"{icmp.type}/{icmp.code}"


def address(option: str, network: IPv4Network) -> Rule:
    """``-s 192.0.2.25/32``; nothing for any."""
    return [] if network == ANY else [option, str(network)]


_SPANS = {"eq": "{low}", "neq": "{low}", "lt": "0:{below}", "gt": "{above}:65535", "range": "{low}:{high}"}


def ports(option: str, ports: Ports | None) -> Rule:
    """``--dport 25``; nothing for all of them."""
    if ports is None:
        return []
    span = _SPANS[ports.operator].format(low=ports.low, high=ports.high, below=ports.low - 1, above=ports.low + 1)
    return ["!", option, span] if ports.operator == "neq" else [option, span]
