"""``show access-list``: the entries with their lines, and how many connections each decided (asa.md §3.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

from appliance.config.config import Config
from appliance.config.statements.access_lists import entry_text
from appliance.policy.acl import AccessList, Ace


@dataclass(frozen=True, slots=True)
class EntryReport:
    """A line of an access list; a remark has no count."""

    line: int
    text: str
    hits: int | None
    hash: str


@dataclass(frozen=True, slots=True)
class AccessListReport:
    """One access list; its elements are the entries that match packets."""

    name: str
    elements: int
    hash: str
    entries: tuple[EntryReport, ...]


@dataclass(frozen=True, slots=True)
class AccessListsReport:
    """Every access list that was asked for, in the file's order."""

    access_lists: tuple[AccessListReport, ...]


def access_lists(config: Config, hits: Mapping[str, Sequence[int]], name: str | None = None) -> AccessListsReport:
    """All of them, or the one called `name`; `hits` has, by list, a count for each entry that matches packets."""
    wanted = [each for each in config.access_lists if name in (None, each.name)]
    return AccessListsReport(tuple(_access_list(each, hits.get(each.name, ())) for each in wanted))


def _access_list(access_list: AccessList, hits: Sequence[int]) -> AccessListReport:
    counts = iter(hits)
    entries = tuple(
        EntryReport(
            line,
            text := entry_text(entry),
            next(counts, 0) if isinstance(entry, Ace) else None,
            _hash(f"{access_list.name} {text}"),
        )
        for line, entry in enumerate(access_list.entries, 1)
    )
    return AccessListReport(access_list.name, len(access_list.aces), _hash(access_list.name), entries)


def _hash(text: str) -> str:
    """Something that stays the same for the same words, as ASA's does; the numbers are not ASA's."""
    return f"0x{crc32(text.encode()):08x}"
