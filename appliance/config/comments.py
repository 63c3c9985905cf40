"""The comments of a rule file, saved where the language has a place for them: as remarks of access lists.

A configuration has no comments; a file that is written from it would lose them all. Those that stand before an entry
of an access list say what it is for, which is what a remark does: they become one. The others have no place.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace

from appliance.config.config import Config
from appliance.config.lexer import Line, lines
from appliance.config.parser import parse
from appliance.policy.acl import AccessList, Ace, Remark

#: Octets of a remark, an ASA's; what is longer becomes several.
LONGEST = 100
#: What frames a comment and says nothing.
_FRAME = " \t!-=*#\r"


def as_remarks(config: Config, text: bytes) -> tuple[Config, int]:
    """`config` with the comments of the rule file `text` that have a place in it, and how many lines have none."""
    comments = _comments(text)
    former = {
        (each.name, entry): comments[entry.line]
        for each in parse(text).config.access_lists
        for entry in each.aces
        if entry.line in comments
    }
    lists = tuple(_with_remarks(each, former) for each in config.access_lists)
    there = {(each.name, entry) for each in config.access_lists for entry in each.aces}
    kept = sum(len(said) for place, said in former.items() if place in there)
    return replace(config, access_lists=lists), sum(map(len, comments.values())) - kept


def _comments(text: bytes) -> dict[int, list[str]]:
    """What is said before each statement, by its line; before a remark it is said of the entry behind it."""
    statements = {each.number if isinstance(each, Line) else each.place.line: each for each in lines(text)}
    said: list[str] = []
    found: dict[int, list[str]] = {}
    octets = text.split(b"\n")
    for number, raw in enumerate(octets, 1):
        statement = statements.get(number)
        if statement is None:
            said.extend(_comment(raw))
        elif said and not _is_remark(statement):
            found[number], said = said, []
    if said:
        found[len(octets) + 1] = said
    return found


def _comment(raw: bytes) -> Iterator[str]:
    words = "".join(each for each in raw.decode("utf-8", "replace").strip(_FRAME) if each.isprintable())
    yield from textwrap.wrap(words, LONGEST if words.isascii() else LONGEST // 4)


def _is_remark(statement: object) -> bool:
    words = [each.text.lower() for each in statement.words] if isinstance(statement, Line) else []
    return words[:1] == ["access-list"] and words[2:3] == ["remark"]


def _with_remarks(access_list: AccessList, former: dict[tuple[str, Ace], list[str]]) -> AccessList:
    entries: list[Ace | Remark] = []
    for each in access_list.entries:
        if isinstance(each, Ace):
            said = [Remark(text) for text in former.get((access_list.name, each), ())]
            entries.extend(remark for remark in said if remark not in entries)
        entries.append(each)
    return replace(access_list, entries=tuple(entries))
