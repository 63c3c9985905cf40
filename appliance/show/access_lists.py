"""``show access-list``: the entries with their lines, and how many connections each decided (asa.md §3.9).

An entry that names objects or groups is followed by what it comes to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from appliance.config.config import Config
from appliance.config.statements.access_lists import ace_text, entry_text
from appliance.policy.acl import AccessList, Ace, Element, Named

#: An element of an entry, its hash, and how many connections it decided.
Counted = tuple[Element, str, int]


@dataclass(frozen=True, slots=True)
class ElementReport:
    """What an entry comes to, or one of the things."""

    text: str
    hits: int
    hash: str


@dataclass(frozen=True, slots=True)
class EntryReport:
    """A line of an access list; a remark has no count. `elements` are what an entry that names something comes to."""

    line: int
    text: str
    hits: int | None
    hash: str
    inactive: bool = False
    elements: tuple[ElementReport, ...] = ()


@dataclass(frozen=True, slots=True)
class AccessListReport:
    """One access list; `elements` is how many things its entries come to."""

    name: str
    elements: int
    hash: str
    entries: tuple[EntryReport, ...]


@dataclass(frozen=True, slots=True)
class AccessListsReport:
    """Every access list that was asked for, in the file's order; and the flows that entries with ``log`` have at the
    moment, the denied ones among them, how many of those there may be, and s between two records that there are."""

    access_lists: tuple[AccessListReport, ...]
    flows: int
    denied_flows: int
    deny_flow_max: int
    alert_interval: int


def access_lists(
    config: Config,
    counts: Mapping[str, Sequence[Sequence[Counted]]],
    name: str | None = None,
    flows: tuple[int, int] = (0, 0),
) -> AccessListsReport:
    """All of them, or the one called `name`; `counts` has, by list, the elements of each entry that matches packets,
    `flows` how many are known, and how many of them are denied."""
    wanted = [each for each in config.access_lists if name in (None, each.name)]
    lists = tuple(_access_list(each, counts.get(each.name, ())) for each in wanted)
    return AccessListsReport(lists, *flows, config.deny_flow_max, config.alert_interval)


def _access_list(access_list: AccessList, counts: Sequence[Sequence[Counted]]) -> AccessListReport:
    counted = iter(counts)
    entries = []
    for line, entry in enumerate(access_list.entries, 1):
        if isinstance(entry, Ace):
            entries.append(_entry(access_list.name, line, entry, next(counted, ())))
        else:
            entries.append(EntryReport(line, entry_text(entry), None, ""))
    elements = sum(max(1, len(each.elements)) for each in entries if each.hits is not None)
    return AccessListReport(access_list.name, elements, _hash(access_list.name), tuple(entries))


def _entry(name: str, line: int, ace: Ace, counted: Sequence[Counted]) -> EntryReport:
    text = entry_text(ace)
    hits = sum(count for _, _, count in counted)
    named = any(isinstance(each, Named) for each in (ace.protocol, ace.source, ace.destination, *_asked(ace)))
    if len(counted) == 1 and not named:
        return EntryReport(line, text, hits, counted[0][1])
    elements = tuple(ElementReport(_element_text(element), count, known) for element, known, count in counted)
    return EntryReport(line, text, hits, _hash(f"{name} {text}"), ace.inactive, elements)


def _asked(ace: Ace) -> tuple[object, ...]:
    return ace.source_ports, ace.destination_ports, ace.icmp


def _element_text(element: Element) -> str:
    """As an entry that asks for just this would be written."""
    ace = Ace(
        element.permit,
        element.protocol,
        element.source,
        element.source_ports,
        element.destination,
        element.destination_ports,
        icmp=element.icmp,
    )
    return f"extended {ace_text(ace)}"


def _hash(text: str) -> str:
    """Something that stays the same for the same words, as ASA's does; the numbers are not ASA's."""
    return f"0x{crc32(text.encode()):08x}"
