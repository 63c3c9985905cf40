"""Access lists, the times their entries may hold, and where they are applied (asa.md §6.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, assert_never

from appliance.config.config import AccessGroup, TimeRange
from appliance.config.diagnostics import INVALID
from appliance.config.names import LEVELS, PLAIN, Spelling, endpoint_text, icmp_text, ports_text
from appliance.config.statements.accepted import AcceptedStatements, Section, kept
from appliance.config.syntax import Mode, Statement, both
from appliance.policy.acl import AccessList, Ace, Endpoint, IcmpType, Log, Named, Ports, Remark

#: Between the ranks of neighbours, so that entries may be put between them: so many halvings before all are dealt anew.
_GAP = 1 << 128


@dataclass(slots=True, eq=False)
class _Held:
    """An entry in its place; `rank` grows along the list."""

    entry: Ace | Remark
    rank: int


@dataclass(slots=True)
class _Entries:
    """An access list: its entries in order, and the ACEs once more by what they match, to find one at once."""

    ordered: list[_Held] = field(default_factory=list)
    aces: dict[Hashable, _Held] = field(default_factory=dict)

    def insert(self, entry: Ace | Remark, position: int | None) -> _Held:
        """Put `entry` at a position, from 1; at the end where none is given."""
        known = self.ordered
        at = len(known) if position is None else min(position - 1, len(known))
        below = known[at - 1].rank if at else (known[0].rank if known else 0) - 2 * _GAP
        above = known[at].rank if at < len(known) else below + 2 * _GAP
        held = _Held(entry, (below + above) // 2)
        known.insert(at, held)
        if held.rank == below:
            for number, each in enumerate(known):
                each.rank = number * _GAP
        return held

    def delete(self, held: _Held) -> None:
        """Take an entry out: found by its rank, which is quick, where comparing entries is not."""
        del self.ordered[bisect_left(self.ordered, held.rank, key=attrgetter("rank"))]


class AccessLists(AcceptedStatements):
    """The access lists by name, the access groups by interface and direction, and the time ranges."""

    def __init__(self) -> None:
        super().__init__()
        self._access_lists: dict[str, _Entries] = {}
        self.access_groups: dict[tuple[str | None, str], AccessGroup] = {}
        self._time_ranges: dict[str, list[str]] = {}
        self._time_range = ""

    def access_lists(self) -> tuple[AccessList, ...]:
        """The lists, in the order of their first entries."""
        found = self._access_lists.items()
        return tuple(
            AccessList(name, tuple([each.entry for each in entries.ordered]))
            for name, entries in found
            if entries.ordered
        )

    def time_ranges(self) -> tuple[TimeRange, ...]:
        """The time ranges."""
        return tuple(TimeRange(name, tuple(lines)) for name, lines in self._time_ranges.items())

    def ace(self, acl: str, position: int | None = None, **fields: Any) -> None:
        """An entry stands once: the same one again changes its ``log`` and ``inactive`` where it stands."""
        entry = self._entry(**fields)
        entries = self._access_lists.setdefault(acl, _Entries())
        matched = _matched(entry)
        known = entries.aces.get(matched)
        if known is None:
            entries.aces[matched] = entries.insert(entry, position)
        else:
            self.forgotten.add(_line(known))
            known.entry = entry

    def no_ace(self, acl: str, position: int | None = None, **fields: Any) -> None:
        """The entry goes, wherever in the list it is, and however it is logged."""
        del position
        entries = self._access_lists.get(acl, _Entries())
        known = entries.aces.pop(_matched(self._entry(**fields)), None)
        if known is None:
            raise self.rejected("acl", f"ERROR: access-list <{acl}> has no such entry")
        entries.delete(known)
        self.forgotten |= {_line(known), self._line.number}

    def _entry(
        self,
        action: str,
        protocol: str | Named,
        source: Endpoint,
        destination: Endpoint,
        source_ports: Ports | Named | None = None,
        destination_ports: Ports | Named | None = None,
        icmp: IcmpType | Named | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Ace:
        if isinstance(protocol, str) and protocol not in ("tcp", "udp", "sctp"):
            for name, given in (("source_ports", source_ports), ("destination_ports", destination_ports)):
                if given is not None:
                    raise self.rejected(name, INVALID)
        if options is not None and "time_range" in options:
            does = "permits at no time" if action == "permit" else "denies at all times"
            self.warn("options", f"WARNING: accepted, not acted on: time-range; the entry {does}")
        permit, line = action == "permit", self._line.number
        return Ace(
            permit, protocol, source, source_ports, destination, destination_ports, line, icmp, **(options or {})
        )

    def remark(self, acl: str, text: str, position: int | None = None) -> None:
        self._access_lists.setdefault(acl, _Entries()).insert(Remark(text), position)

    def no_remark(self, acl: str, text: str, position: int | None = None) -> None:
        del position
        entries = self._access_lists.get(acl, _Entries())
        known = next((each for each in entries.ordered if each.entry == Remark(text)), None)
        if known is not None:
            entries.delete(known)

    def no_access_list(self, acl: str) -> None:
        known = self._access_lists.pop(acl, _Entries())
        self.forgotten |= {_line(each) for each in known.aces.values()}

    def access_group(self, acl: str, interface: str | None = None, direction: str = "in", option: str = "") -> None:
        if option:
            self.accepted_once(option, f"WARNING: accepted, not acted on: access-group {option}")
        self._drop_group(interface, direction)
        self.access_groups[interface, direction] = AccessGroup(acl, interface, direction, option, self._line.number)

    def no_access_group(self, acl: str, interface: str | None = None, direction: str = "in", option: str = "") -> None:
        del option
        known = self.access_groups.get((interface, direction))
        self.forgotten.add(self._line.number)
        self.stands("acl", acl, known and known.access_list)
        self._drop_group(interface, direction)

    def _drop_group(self, interface: str | None, direction: str) -> None:
        known = self.access_groups.pop((interface, direction), None)
        if known is not None:
            self.forgotten.add(known.line)

    def time_range(self, name: str) -> None:
        self._time_range = name
        self._time_ranges.setdefault(name, [])

    def no_time_range(self, name: str) -> None:
        self._time_ranges.pop(name, None)

    def time_range_line(self) -> None:
        text = self._line.text.strip(" \t").replace("\t", " ")
        if text not in self._time_ranges[self._time_range]:
            self._time_ranges[self._time_range].append(text)


def _matched(ace: Ace) -> Hashable:
    """What an entry matches, and what it does with that: not how it is logged, nor whether it is in force."""
    ends = (ace.source, ace.source_ports, ace.destination, ace.destination_ports)
    return (ace.permit, ace.protocol, *ends, ace.icmp, ace.time_range)


def _line(held: _Held) -> int:
    """The line that an ACE stands on."""
    return held.entry.line if isinstance(held.entry, Ace) else 0


def access_list_lines(access_list: AccessList, spelling: Spelling = PLAIN) -> Iterator[str]:
    """``access-list …``, line by line."""
    for entry in access_list.entries:
        yield f"access-list {access_list.name} {entry_text(entry, spelling)}"


def entry_text(entry: Ace | Remark, spelling: Spelling = PLAIN) -> str:
    """``extended permit tcp any host 203.0.113.125 eq smtp``, ``remark TEXT``"""
    match entry:
        case Remark(text=text):
            return f"remark {text}"
        case Ace():
            return f"{'' if spelling.pix6 else 'extended '}{ace_text(entry, spelling)}"
        case other:
            assert_never(other)


def ace_text(ace: Ace, spelling: Spelling = PLAIN) -> str:
    """An entry behind ``extended``."""
    words = ["permit" if ace.permit else "deny", str(ace.protocol)]
    for endpoint, ports in ((ace.source, ace.source_ports), (ace.destination, ace.destination_ports)):
        words.append(endpoint_text(endpoint, spelling))
        if isinstance(ports, Ports):
            words.append(ports_text("tcp-udp" if isinstance(ace.protocol, Named) else ace.protocol, ports))
        elif ports is not None:
            words.append(str(ports))
    if ace.icmp is not None:
        words.append(icmp_text(ace.icmp) if isinstance(ace.icmp, IcmpType) else str(ace.icmp))
    if ace.log is not None:
        words += _log_words(ace.log)
    if ace.time_range:
        words.append(f"time-range {ace.time_range}")
    if ace.inactive:
        words.append("inactive")
    return " ".join(words)


def _log_words(log: Log) -> Iterator[str]:
    yield "log"
    if log.keyword:
        yield log.keyword
    if log.level is not None:
        yield LEVELS[log.level]
    if log.interval is not None:
        yield f"interval {log.interval}"


def access_group_line(group: AccessGroup) -> str:
    """``access-group …``"""
    where = "global" if group.interface is None else f"{group.direction} interface {group.interface}"
    return f"access-group {group.access_list} {where} {group.option}".rstrip()


def time_range_lines(time_range: TimeRange) -> Iterator[str]:
    """``time-range …`` and what it holds."""
    yield f"time-range {time_range.name}"
    yield from (f" {each}" for each in time_range.lines)


_ACL = "access-list <acl:name> [line <position:1-2147483647>]"
_ACE = f"{_ACL} [extended] <action=permit|deny>"


def _with_ports(protocol: str, names: str) -> str:
    return (
        f"{_ACE} {protocol} <source:endpoint> [<source_ports:{names}-ports>]"
        f" <destination:endpoint> [<destination_ports:{names}-ports>] [<options:ace-options>]"
    )


def _aces() -> Iterator[Statement]:
    says = "an entry of an access list; what no entry matches is denied"
    for protocol in ("tcp", "udp", "sctp"):
        yield from both(_with_ports(f"<protocol={protocol}>", protocol), AccessLists.ace, AccessLists.no_ace, says=says)
    yield from both(
        f"{_ACE} <protocol=icmp> <source:endpoint> <destination:endpoint> [<icmp:icmp>] [<options:ace-options>]",
        AccessLists.ace,
        AccessLists.no_ace,
        says="the same for a type of ICMP",
    )
    yield from both(
        _with_ports("<protocol:protocol>", "tcp-udp"),
        AccessLists.ace,
        AccessLists.no_ace,
        says="the same for any protocol, or for an object or a group of services or protocols",
    )


STATEMENTS = {
    Mode.CONFIGURE: (
        *_aces(),
        *both(f"{_ACL} remark <text:text>", AccessLists.remark, AccessLists.no_remark, says="a remark among them"),
        Statement("no access-list <acl:name>", AccessLists.no_access_list, says="the whole list goes"),
        *kept(
            "access-list <acl:name> <_=standard|ethertype|webtype> <_:rest>",
            "access-list of another type",
            Section.ACCESS_LISTS,
            "accepted, not acted on: no packet through the firewall is compared with such a list",
        ),
        *kept("access-list compiled", "access-list compiled", Section.ACCESS_LISTS),
        *kept("access-list <acl:name> compiled", "access-list compiled", Section.ACCESS_LISTS),
        *kept(
            "access-group <acl:access-list> <direction=in> interface <interface:nameif> control-plane",
            "access-group control-plane",
            Section.ROUTES,
            "accepted, not acted on: what is sent to the firewall itself is for rules of your own",
        ),
        *both(
            "access-group <acl:access-list> <direction=in|out> interface <interface:nameif>"
            " [<option=per-user-override>]",
            AccessLists.access_group,
            AccessLists.no_access_group,
            says="first packets that come in (or go out) there are asked about",
        ),
        *both(
            "access-group <acl:access-list> global",
            AccessLists.access_group,
            AccessLists.no_access_group,
            says="the same, behind every interface's own list",
        ),
        *both(
            "time-range <name:name>",
            AccessLists.time_range,
            AccessLists.no_time_range,
            Mode.TIME_RANGE,
            says="accepted, not acted on: entries that name it fail closed",
        ),
    ),
    Mode.TIME_RANGE: (
        Statement("absolute <_:rest>", AccessLists.time_range_line, says="kept"),
        Statement("periodic <_:rest>", AccessLists.time_range_line, says="kept"),
    ),
}
