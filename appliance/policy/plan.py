"""An inspect map made ready: what the session has to look for, and which match lines each fact is put to.

It is made once for all connections under the map. Lines that one fact meets stand in the map's order; the order of the
facts is that of the stream (asa.md §2.7).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from appliance.esmtp.commands import OTHERS, SUPPORTED
from appliance.esmtp.events import (
    Command,
    EhloParameter,
    Fact,
    MimeFile,
    Quantity,
    Recipient,
    Sender,
    SizeViolation,
    Special,
)
from appliance.esmtp.session import OPTIONAL, Settings
from appliance.policy.actions import Matched
from appliance.policy.counters import MATCHES_BASE
from appliance.policy.maps import Banner, Deed, InspectMap, Match
from appliance.policy.matches import BY_KEY, phrase
from appliance.policy.regex import Matcher

#: What of a limit's `not` is judged by what the session states; the rest when its address or its message is over.
STATED = frozenset({Quantity.COMMAND_LINE, Quantity.RECIPIENTS, Quantity.INVALID_RECIPIENTS})


@dataclass(frozen=True, slots=True)
class Line:
    """A match line of the map, ready to use: the counter it has, the cause it gives, the expressions it has."""

    match: Match
    slot: int
    cause: Matched
    matcher: Matcher

    def meets(self, word: str) -> bool:
        """Whether a fact with ASA's `word` meets it."""
        return (word in self.match.words) is not self.match.negated

    def finds(self, *texts: bytes) -> bool:
        """Whether a fact with `texts` meets it: its expressions are searched in each."""
        return any(self.matcher.matches(each) for each in texts) is not self.match.negated


@dataclass(frozen=True, slots=True)
class Plan:
    """`exceeded` are the lines put to a limit that was passed, `kept` those put to one that was not (``not``).

    `verbs` are those put to a command by its verb, `facts` those put to the other facts by their type. `stars` is what
    the greeting becomes, octet for octet; None if it passes. `relay` is the domain that mail may be for, b"" if any.
    """

    settings: Settings
    exceeded: dict[tuple[Quantity, int], tuple[Line, ...]]
    kept: dict[Quantity, tuple[Line, ...]]
    verbs: dict[str, tuple[Line, ...]]
    facts: dict[type[Fact], tuple[Line, ...]]
    stars: bytes | None
    relay: bytes


#: The greeting's text, octet for octet (row 1; the line ends are not part of it).
_STARS = {
    Banner.OFF: None,
    Banner.KEEP_2_AND_0: bytes(octet if octet in b"20" else ord("*") for octet in range(256)),
    Banner.ALL: b"*" * 256,
}


@functools.lru_cache(maxsize=64)
def plan(inspect_map: InspectMap) -> Plan:
    """The plan of `inspect_map`."""
    exceeded: dict[tuple[Quantity, int], tuple[Line, ...]] = {}
    kept: dict[Quantity, tuple[Line, ...]] = {}
    facts: dict[type[Fact], tuple[Line, ...]] = {}
    for line in _lines(inspect_map):
        fact = BY_KEY[line.match.condition].fact
        if not isinstance(fact, Quantity):
            facts[fact] = (*facts.get(fact, ()), line)
            continue
        key = (fact, line.match.limit)
        exceeded.setdefault(key, ())
        if line.match.negated:
            kept[fact] = (*kept.get(fact, ()), line)
        else:
            exceeded[key] += (line,)
    commands = facts.pop(Command, ())
    verbs = {word: tuple(each for each in commands if each.meets(word)) for word in _WORDS}
    parameters = inspect_map.parameters
    relay = domain(parameters.mail_relay.domain.encode()) if parameters.mail_relay is not None else b""
    settings = _settings(inspect_map, exceeded, kept, verbs, facts)
    return Plan(settings, exceeded, kept, verbs, facts, _STARS[parameters.banner], relay)


_WORDS = tuple(each.word for each in SUPPORTED.values())


def _lines(inspect_map: InspectMap) -> Iterable[Line]:
    for index, match in enumerate(inspect_map.matches):
        patterns = match.expression.patterns if match.expression else ()
        asked = match if inspect_map.parameters.vrfy else _with_vrfy(match)
        yield Line(asked, MATCHES_BASE + index, Matched(index + 1, phrase(match)), Matcher(patterns))


def _with_vrfy(match: Match) -> Match:
    """The line with VRFY among the `others` (asa.md §1.8: captures of older versions mask it)."""
    known = match.condition != "ehlo-reply-parameter" or OTHERS not in match.words
    return match if known else replace(match, words=(*match.words, "vrfy"))


def _settings(
    inspect_map: InspectMap,
    exceeded: Iterable[tuple[Quantity, int]],
    kept: dict[Quantity, tuple[Line, ...]],
    verbs: dict[str, tuple[Line, ...]],
    facts: dict[type[Fact], tuple[Line, ...]],
) -> Settings:
    """What the session is told."""
    parameters = inspect_map.parameters
    limits: dict[Quantity, list[int]] = {}
    for quantity, limit in sorted(exceeded, key=lambda each: each[1]):
        limits.setdefault(quantity, []).append(limit)
    wanted: set[type[Fact]] = {SizeViolation, *(OPTIONAL & facts.keys())}
    if parameters.mail_relay is not None:
        wanted.add(Recipient)
    if parameters.special_character is not None:
        wanted.add(Special)
    if Quantity.SENDER_ADDRESS in kept:
        wanted.add(Sender)
    return Settings(
        {quantity: tuple(each) for quantity, each in limits.items()},
        starttls=parameters.allow_tls,
        crossed=frozenset(word for word, lines in verbs.items() if _masked(lines)),
        wanted=frozenset(wanted),
        passing=frozenset(word for word in BY_KEY["ehlo-reply-parameter"].words if not _asked(word, facts)),
        kept=frozenset(kept.keys() & STATED),
    )


def domain(name: bytes) -> bytes:
    """A domain to be compared: in lower case, without the dot that stands for the root behind it (RFC 1034 3.1)."""
    return name.lower().removesuffix(b".")


def _asked(word: str, facts: dict[type[Fact], tuple[Line, ...]]) -> bool:
    """Whether a line speaks of the EHLO parameter `word`."""
    return any(line.meets(word) for line in facts.get(EhloParameter, ()))


def _masked(lines: tuple[Line, ...]) -> bool:
    return any(line.match.reaction.deed is Deed.MASK for line in lines)


def file_type(fact: MimeFile) -> tuple[bytes, bytes]:
    """What ``MIME filetype regex`` searches: the media type, and what stands behind the file name's last dot.

    Dots and blanks at a name's end are no part of it: Windows, whose file types these are, drops them.
    """
    _, dot, extension = fact.filename.rstrip(b" .").rpartition(b".")
    return fact.content_type.encode("latin-1", "replace"), extension if dot else b""


def meets(line: Line, sender: Sender) -> bool:
    """Whether `sender`, as sent or as a server keeps it, meets `line`; an address not all of which is known always."""
    return not sender.whole or any(line.finds(each) for each in (sender.address, sender.mailbox))
