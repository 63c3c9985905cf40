"""``show xlate`` and ``show nat``: translations that are in use, and the rules of them that are hit.

A static is a translation from the start on and has no timeout. What a pool or PAT gave a connection is one as long as
that lives: of these a report is made for a run of the table's entries at a time. As whom else a server is called (by
policy NAT, a static of more than 256 hosts, ``destination static``) is one as long as any connection calls it so. The
idle time of each is counted from the latest connection that was built through it (asa.md §3.6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import groupby

from appliance.config.config import Config
from appliance.config.names import port_name
from appliance.config.nat import ANYWHERE, ManualNat, NatStatement, ObjectNat, TranslationStatement
from appliance.config.topology import Ends, Topology
from appliance.config.translations import translations as rules
from appliance.datapath.snapshot import CalledUse, Snapshot
from appliance.nat.connection import Connection
from appliance.nat.static import End, Static
from appliance.nat.translation import Kind, Pool, Translation
from appliance.show.connections import AddressRange, ConnectionReport

_SECOND = 1_000_000_000  # ns
#: Seconds of ``timeout pat-xlate`` where nothing is said (asa.md §6.6).
_PAT_XLATE = 30


@dataclass(frozen=True, slots=True)
class TranslationsWanted:
    """What `show xlate` and `clear xlate` are asked for; None, or no interface, is any."""

    mapped: AddressRange | None = None  # ``global A[-B]``
    real: AddressRange | None = None  # ``local A[-B]``
    interfaces: tuple[str, ...] = ()  # on either side of it

    def takes(self, _report: ConnectionReport) -> bool:
        """The ends say everything."""
        return True

    def takes_ends(self, ends: Ends) -> bool:
        """Whether a connection between `ends` goes through a wanted translation."""
        pairs = ((ends.client, ends.beyond), (ends.server, ends.server_mapped))
        return any(
            self.holds(real.interface, real.address, mapped.interface, mapped.address)
            for real, mapped in pairs
            if (real.address, real.port) != (mapped.address, mapped.port)
        )

    def holds(self, real_interface: str, real: IPv4Address, mapped_interface: str, mapped: IPv4Address) -> bool:
        """Whether the translation of `real` to `mapped` is wanted."""
        return (
            (self.mapped is None or self.mapped.first <= mapped <= self.mapped.last)
            and (self.real is None or self.real.first <= real <= self.real.last)
            and (not self.interfaces or bool({real_interface, mapped_interface} & set(self.interfaces)))
        )


@dataclass(frozen=True, slots=True)
class PortsReport:
    """The port that a translation of one port has on the real side, and on the mapped one."""

    protocol: str
    real: int
    mapped: int


@dataclass(frozen=True, slots=True)
class TranslationReport:
    """One translation: ``NAT from inside:192.0.2.25 to outside:203.0.113.125``; times in seconds.

    `ports` is there for a translation of one port. `flags`: ``s`` of a static, ``i`` of a dynamic one, ``r`` of ports.
    """

    real_interface: str
    real: IPv4Address
    mapped_interface: str
    mapped: IPv4Address
    flags: str
    idle: int
    timeout: int
    ports: PortsReport | None = None


@dataclass(frozen=True, slots=True)
class TranslationsReport:
    """``show xlate``, or a part of it: how many there are, how many there were at most, and which (none for
    ``count``)."""

    in_use: int
    most_used: int
    translations: tuple[TranslationReport, ...]


def translations(config: Config, snapshot: Snapshot, wanted: TranslationsWanted) -> TranslationsReport:
    """The first part: the statics that are wanted, of hosts and then of ports, in the order they are asked."""
    found = _statics(config, snapshot.last_uses, snapshot.now)
    return TranslationsReport(
        snapshot.translations,
        snapshot.most_translations,
        tuple(
            each for each in found if wanted.holds(each.real_interface, each.real, each.mapped_interface, each.mapped)
        ),
    )


def standing(config: Config) -> int:
    """How many translations there are without any connection."""
    return sum(1 for _ in _statics(config, {}, 0))


class Chosen:
    """Makes the other parts under one configuration: what connections were given, and whom they call."""

    def __init__(self, config: Config) -> None:
        self._topology = Topology(config)
        self._timeout = dict(config.timeouts.others).get("pat-xlate", _PAT_XLATE)
        manual = {each.line for each in config.translations if isinstance(each, ManualNat)}
        self._twice = [each for each in rules(config) if each.far is not None and each.line in manual]

    def wanted(
        self, connections: Iterable[Connection], wanted: TranslationsWanted, now: int
    ) -> Iterator[TranslationReport]:
        """Those of `connections` that are wanted; idle times are counted to `now`, the kernel's clock in ns."""
        for each in connections:
            if each.beyond is None or not each.in_use:
                continue
            ends = self._topology.ends(each)
            real, mapped = ends.client, ends.beyond
            if wanted.holds(real.interface, real.address, mapped.interface, mapped.address):
                idle, ports = max(0, now - each.started) // _SECOND, PortsReport("tcp", real.port, mapped.port)
                between = real.interface, real.address, mapped.interface, mapped.address
                yield TranslationReport(*between, "ri", idle, self._timeout, ports)

    def called(self, uses: Iterable[CalledUse], wanted: TranslationsWanted, now: int) -> Iterator[TranslationReport]:
        """Those of `uses` that are wanted: statics, ``r`` if the port is another, ``T`` by a rule for both ends."""
        for each in uses:
            real, mapped = each.real, each.mapped
            if wanted.holds(real.interface, real.address, mapped.interface, mapped.address):
                idle, ports = max(0, now - each.last) // _SECOND, PortsReport("tcp", real.port, mapped.port)
                between = real.interface, real.address, mapped.interface, mapped.address
                twice = any(_translates(rule, real.address, mapped.address) for rule in self._twice)
                flags = "s" + ("r" if mapped.port else "") + ("T" if twice else "")
                yield TranslationReport(*between, flags, idle, 0, ports if mapped.port else None)


def _translates(rule: Translation, real: IPv4Address, mapped: IPv4Address) -> bool:
    """Whether `rule`, at one of its ends, leads from `mapped` to `real`."""
    source = isinstance(rule.mapped, IPv4Network) and _leads(rule.mapped, mapped, rule.real, real)
    return source or (rule.far is not None and _leads(rule.far.mapped, mapped, rule.far.real, real))


def _leads(called: IPv4Network, mapped: IPv4Address, to: IPv4Network, real: IPv4Address) -> bool:
    """Whether `real` has the place in `to` that `mapped` has in `called`."""
    return mapped in called and int(mapped) - int(called.network_address) == int(real) - int(to.network_address)


def _statics(config: Config, last_uses: Mapping[End, int], now: int) -> Iterator[TranslationReport]:
    for each in config.statics:
        yield _of_host(each, _idle(last_uses, each.name, now))
    for rule in rules(config):
        if rule.kind is Kind.STATIC and rule.ports is not None and not _called(rule):
            found = _of_port(rule, last_uses, now)
            if found is not None:
                yield found


def _called(rule: Translation) -> bool:
    """Whether it is known by the connections that call a server so (`Chosen.called`): of UDP there are none."""
    return rule.far is not None and rule.ports is not None and rule.ports.protocol == "tcp"


def _idle(last_uses: Mapping[End, int], name: End, now: int) -> int:
    return max(0, now - last_uses.get(name, now)) // _SECOND


def _of_host(static: Static, idle: int) -> TranslationReport:
    return TranslationReport(
        static.real_interface, static.real, static.mapped_interface, static.mapped, "s", idle, timeout=0
    )


def _of_port(rule: Translation, last_uses: Mapping[End, int], now: int) -> TranslationReport | None:
    """A static of one port; None where it is between no two hosts."""
    ports, mapped = rule.ports, rule.mapped
    ends = rule.real_interface, rule.mapped_interface
    if ports is None or isinstance(mapped, Pool) or ends[0] is None or ends[1] is None:
        return None
    address = mapped.network_address
    idle = _idle(last_uses, (address, ports.mapped), now)
    known = PortsReport(ports.protocol, ports.real, ports.mapped)
    return TranslationReport(ends[0], rule.real.network_address, ends[1], address, "sr", idle, 0, known)


@dataclass(frozen=True, slots=True)
class NatRuleReport:
    """A statement of translation in its section: its words, the addresses it comes to, those it asks for at the other
    end, as they are addressed and where they are, and connections translated from the real side and the mapped one."""

    section: int  # 1: manual, 2: of objects, and all of 8.2's; 3: manual, after-auto
    number: int  # in its section
    real_interface: str
    mapped_interface: str
    source: str  # ``static 192.0.2.25 203.0.113.125``, ``exempt access-list nonat`` (our words for 8.2's ``nat 0``)
    more: str  # ``destination static a b``, ``service tcp ssh 2222``, options
    origin: tuple[str, ...]
    translated: tuple[str, ...]
    far_origin: tuple[str, ...]
    far_translated: tuple[str, ...]
    translate_hits: int
    untranslate_hits: int


@dataclass(frozen=True, slots=True)
class NatReport:
    """``show nat``: the rules in the order they are asked."""

    rules: tuple[NatRuleReport, ...]


def nat(config: Config, hits: Iterable[tuple[Translation, int, int]]) -> NatReport:
    """The statements; `hits` has the rules they come to, in order, with how often each translated and untranslated."""
    statements = {each.line: each for each in config.translations}
    numbers = dict.fromkeys((1, 2, 3), 0)
    found = []
    for line, group in groupby(hits, key=lambda each: each[0].line):
        statement = statements.get(line)
        section = _section(statement)
        numbers[section] += 1
        found.append(_rule(section, numbers[section], statement, list(group)))
    return NatReport(tuple(found))


def _section(statement: TranslationStatement | None) -> int:
    if isinstance(statement, ManualNat):
        return 3 if statement.after_auto else 1
    return 2


def _rule(
    section: int, number: int, statement: TranslationStatement | None, rules: list[tuple[Translation, int, int]]
) -> NatRuleReport:
    first = rules[0][0]
    source, more = _words(statement, first)
    far = [rule.far for rule, _, _ in rules if rule.far is not None]
    return NatRuleReport(
        section,
        number,
        first.real_interface or ANYWHERE,
        first.mapped_interface or ANYWHERE,
        source,
        more,
        tuple(dict.fromkeys(str(rule.real) for rule, _, _ in rules)),
        tuple(dict.fromkeys(str(rule.mapped) for rule, _, _ in rules)),
        tuple(dict.fromkeys(str(each.mapped) for each in far)),
        tuple(dict.fromkeys(str(each.real) for each in far)),
        sum(there for _, there, _ in rules),
        sum(here for _, _, here in rules),
    )


def _words(statement: TranslationStatement | None, rule: Translation) -> tuple[str, str]:
    """What is translated to what, by the names it was written with, and what else the statement asks for."""
    match statement:
        case ManualNat():
            kind = "dynamic" if statement.dynamic else "static"
            more = list(statement.options)
            if statement.destination is not None:
                more = ["destination", "static", *statement.destination, *more]
            return f"{kind} {statement.real} {statement.mapped or _INTERFACE}", " ".join(more)
        case ObjectNat():
            kind = "dynamic" if statement.dynamic else "static"
            mapped = _INTERFACE if statement.mapped is None else statement.mapped
            return f"{kind} {statement.name} {mapped}", " ".join([*statement.options, *_service(rule)])
        case NatStatement(access_list=name) if name:
            return f"exempt access-list {name}", ""
    kind = "dynamic" if rule.kind is Kind.DYNAMIC else "static"
    return f"{kind} {_text(rule.real)} {_text(rule.mapped)}", " ".join(_service(rule))


_INTERFACE = "interface"


def _service(rule: Translation) -> tuple[str, ...]:
    ports = rule.ports
    if ports is None:
        return ()
    return "service", ports.protocol, port_name(ports.protocol, ports.real), port_name(ports.protocol, ports.mapped)


def _text(addresses: IPv4Network | Pool) -> str:
    """A host without its mask."""
    return str(addresses).removesuffix("/32")
