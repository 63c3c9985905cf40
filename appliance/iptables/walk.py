"""What becomes of a connection's first packet in rules as we render them: the rules themselves, read by us.

The tables are the values that the text for iptables-restore is made of, so there is no second statement of what is
allowed. Of iptables only what our rules use is known here; anything else is a `ValueError`, and a test renders every
configuration there is against it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any

#: Chains by name, a rule as its words without ``-A CHAIN``.
Chains = Mapping[str, Sequence[Sequence[str]]]

_NUMBERS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "sctp": 132}


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection, where it is on its way; of ICMP the ports are type and code.

    `origin` are its addresses and ports as it came in, None as long as it is as it came.
    """

    protocol: str
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int
    came_in: str = ""  # devices
    goes_out: str = ""
    mark: int = 0
    origin: Packet | None = None

    @property
    def first(self) -> Packet:
        """As it came in."""
        return self.origin or self

    def at(self, **fields: Any) -> Packet:
        """Further on its way."""
        return replace(self, **fields)

    def translated(self, side: str, address: IPv4Address, port: int | None) -> Packet:
        """With another ``source`` or ``destination``; what it was is remembered."""
        ports = {} if port is None else {f"{side}_port": port}
        return self.at(origin=self.first, **{side: address}, **ports)


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that fits, and its place."""

    chain: str
    index: int
    rule: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Walked:
    """How a packet left a chain: `target` is the word that ended it, or empty where it came to the end."""

    packet: Packet
    target: str
    hits: tuple[Hit, ...] = field(default=())

    @property
    def dropped(self) -> bool:
        """It goes nowhere."""
        return self.target in ("DROP", "REJECT")


#: Targets that say something of a packet and let it go on to the next rule.
_PASSING = {"CONNMARK", "NFLOG", "TCPMSS", "CT"}
_ENDING = {"DROP", "ACCEPT", "REJECT", "NFQUEUE", "SYNPROXY", "DNAT", "SNAT", "NETMAP"}


def walk(chains: Chains, chain: str, packet: Packet, translated: str = "") -> Walked:
    """Take `packet` through `chain` and what it jumps to. RETURN at the outermost chain ends the walk, too.

    `translated` is the side that rules of this chain give another address: ``source`` or ``destination``.
    """
    hits: list[Hit] = []
    places = [(chain, 0)]
    while places:
        chain, index = places.pop()
        if index >= len(chains[chain]):
            continue
        rule = tuple(chains[chain][index])
        conditions, target = _parted(rule)
        places.append((chain, index + 1))
        if not _fits(conditions, packet):
            continue
        hits.append(Hit(chain, index, rule))
        match target[0]:
            case "-g" | "-j" if target[1] in chains:
                if target[0] == "-g":
                    places.pop()
                places.append((target[1], 0))
            case "-j" if target[1] == "RETURN":
                places.pop()
                if not places:
                    return Walked(packet, "RETURN", tuple(hits))
            case "-j" if target[1] == "MARK":
                packet = replace(packet, mark=_marked(packet.mark, target[3]))
            case "-j" if target[1] in _ENDING:
                return Walked(_rewritten(packet, target, translated), target[1], tuple(hits))
            case _ if target[1] not in _PASSING:
                raise ValueError(f"no such target: {' '.join(rule)}")
    return Walked(packet, "", tuple(hits))


def _parted(rule: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    at = next(index for index, word in enumerate(rule) if word in ("-j", "-g"))
    return rule[:at], rule[at:]


def _marked(mark: int, words: str) -> int:
    """``--set-xmark VALUE/MASK``"""
    value, mask = (int(each, 16) for each in words.split("/"))
    return mark & ~mask ^ value


def _rewritten(packet: Packet, target: tuple[str, ...], side: str) -> Packet:
    match target[1:]:
        case ("DNAT" | "SNAT", _, to):
            addresses, _, port = to.partition(":")
            first, _, _ = addresses.partition("-")  # of a pool, one
            return packet.translated(side, IPv4Address(first), int(port) if port else None)
        case ("NETMAP", _, to):
            network, before = IPv4Network(to), packet.destination if side == "destination" else packet.source
            kept = int(before) & int(network.hostmask)
            return packet.translated(side, IPv4Address(int(network.network_address) | kept), None)
        case _:
            return packet


# -- conditions


def _fits(words: tuple[str, ...], packet: Packet) -> bool:
    return all(wanted(packet) is not negated for wanted, negated in _conditions(words))


def _conditions(words: tuple[str, ...]) -> Iterator[tuple[Callable[[Packet], bool], bool]]:
    rest = iter(words)
    negated = False
    for word in rest:
        if word == "!":
            negated = True
            continue
        if word == "-m":
            next(rest)
            continue
        values = [next(rest) for _ in range(_TAKES.get(word, 1))]
        yield _condition(word, values), negated
        negated = False


#: Echo, timestamp, information and address mask: the types of ICMP that are answered.
_QUESTIONS = (8, 13, 15, 17)
#: Options that take another number of words than one.
_TAKES = {"--syn": 0, "--tcp-flags": 2}


def _condition(option: str, values: list[str]) -> Callable[[Packet], bool]:
    match option, values:
        case "-i", [device]:
            return lambda packet: packet.came_in == device
        case "-o", [device]:
            return lambda packet: packet.goes_out == device
        case "-s", [network]:
            return lambda packet: packet.source in IPv4Network(network)
        case "-d", [network]:
            return lambda packet: packet.destination in IPv4Network(network)
        case "--ctorigsrc", [network]:
            return lambda packet: packet.first.source in IPv4Network(network)
        case "--ctorigdst", [network]:
            return lambda packet: packet.first.destination in IPv4Network(network)
        case "--sport", [span]:
            return lambda packet: _within(span, packet.source_port)
        case "--dport", [span]:
            return lambda packet: _within(span, packet.destination_port)
        case "--ctorigsrcport", [span]:
            return lambda packet: _within(span, packet.first.source_port)
        case "--ctorigdstport", [span]:
            return lambda packet: _within(span, packet.first.destination_port)
        case "-p", [protocol]:
            return lambda packet: _number(packet.protocol) == _number(protocol)
        case "--icmp-type", [kind]:
            return lambda packet: _icmp(packet, kind)
        case "--ctstate", [states]:
            return lambda packet: not _states(packet).isdisjoint(states.split(","))
        case "--mark", [mark]:
            value, mask = (int(each, 16) for each in mark.split("/"))
            return lambda packet: packet.mark & mask == value
        case "--syn", []:
            return lambda packet: packet.protocol == "tcp"
        case "--tcp-flags", [_, flags]:
            return lambda packet: packet.protocol == "tcp" and flags == "SYN"
        case "--comment" | "--limit" | "--limit-burst" | "--mss", [_]:
            return lambda _packet: True
        case _:
            raise ValueError(f"no such condition: {option}")


def _states(packet: Packet) -> set[str]:
    """What connection tracking makes of it: of ICMP only questions begin anything (nf_conntrack_proto_icmp.c)."""
    state = "INVALID" if packet.protocol == "icmp" and packet.source_port not in _QUESTIONS else "NEW"
    first = packet.first
    known = first.destination, first.destination_port
    return {state} | ({"DNAT"} if known != (packet.destination, packet.destination_port) else set())


def _within(span: str, port: int) -> bool:
    low, _, high = span.partition(":")
    return int(low) <= port <= int(high or low)


def _number(protocol: str) -> int:
    return int(protocol) if protocol.isdigit() else _NUMBERS[protocol]


def _icmp(packet: Packet, kind: str) -> bool:
    wanted, _, code = kind.partition("/")
    return packet.source_port == int(wanted) and code in ("", str(packet.destination_port))
