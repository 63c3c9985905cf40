"""Facts into actions: one connection under one inspect map.

The session says what was seen, the map what is to be done about it. Rules that no map line states (the fixed part of
`inspect esmtp`: rows 3-12 of the design) are here. Facts come in stream order; an action that closes the connection
ends their evaluation, a log lets it go on (asa.md §2.7).
"""

from __future__ import annotations

import functools
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from typing import assert_never

from appliance.esmtp.events import (
    Breach,
    Command,
    EhloParameter,
    EhloReply,
    Exceeded,
    Fact,
    Greeted,
    Greeting,
    InvalidAddress,
    MessageBegun,
    MessageEnded,
    MimeEncoding,
    MimeFile,
    Misplaced,
    Odd,
    Oddity,
    Pipe,
    Quantity,
    Recipient,
    Rule,
    Sender,
    SizeViolation,
    Special,
    TlsStarted,
    Unsupported,
)
from appliance.esmtp.session import Session, Settings
from appliance.flow import Side
from appliance.policy.actions import (
    Action,
    Bypass,
    Cause,
    DropConnection,
    Hold,
    Log,
    MaliciousAddress,
    Mask,
    Matched,
    Replaced,
    ResetConnection,
    Violated,
)
from appliance.policy.counters import MATCHES_BASE, OF_ODDITY, OF_RULE, Slot
from appliance.policy.maps import Banner, Deed, InspectMap, Match, Reaction
from appliance.policy.matches import BY_KEY, phrase

NOTHING: Sequence[Action] = ()

#: The greeting's text, octet for octet (row 1; the line ends are not part of it).
_STARS = {
    Banner.KEEP_2_AND_0: bytes(octet if octet in b"20" else ord("*") for octet in range(256)),
    Banner.ALL: b"*" * 256,
}

#: The oddities that are logged as well as counted (row 7), as 108005 says them.
_LOGGED = {Oddity.PIPELINED: "pipelining", Oddity.UNEXPECTED_REPLY: "server-reply"}

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class _Line:
    """A match line of the map, ready to use: the counter it has and the cause it gives."""

    match: Match
    slot: int
    cause: Matched


@dataclass(frozen=True, slots=True)
class _Plan:
    """An inspect map as the inspector needs it, made once for all connections under it."""

    settings: Settings
    exceeded: dict[tuple[Quantity, int], tuple[_Line, ...]]
    parameters: tuple[_Line, ...]


@functools.lru_cache(maxsize=64)
def _plan(inspect_map: InspectMap) -> _Plan:
    limits: dict[Quantity, set[int]] = {}
    exceeded: dict[tuple[Quantity, int], list[_Line]] = {}
    parameters = []
    for index, match in enumerate(inspect_map.matches):
        line = _Line(match, MATCHES_BASE + index, Matched(index + 1, phrase(match)))
        fact = BY_KEY[match.condition].fact
        if isinstance(fact, Quantity):
            limits.setdefault(fact, set()).add(match.limit)
            exceeded.setdefault((fact, match.limit), []).append(line)
        else:
            parameters.append(line)
    ascending = {quantity: tuple(sorted(each)) for quantity, each in limits.items()}
    settings = Settings(ascending, starttls=inspect_map.parameters.allow_tls)
    return _Plan(settings, {key: tuple(lines) for key, lines in exceeded.items()}, tuple(parameters))


class Inspector:
    """The inspection of one connection. `counters` is its inspection's block (`policy.counters`), only added to.

    A call returns what is to be done, in stream order. Octets are new and in order, at first sight. After an action
    that closes the connection, or Bypass, it says nothing more. Nothing is ever held but server octets.
    """

    __slots__ = ("_closed", "_counters", "_map", "_masked_lines", "_plan", "_session")

    def __init__(self, inspect_map: InspectMap, counters: MutableSequence[int]) -> None:
        self._map = inspect_map.parameters
        self._plan = _plan(inspect_map)
        self._session = Session(self._plan.settings)
        self._counters = counters
        self._masked_lines = 0  # of this EHLO reply
        self._closed = False

    def inspect(self, side: Side, offset: int, octets: bytes) -> Sequence[Action]:
        """`octets` of `side`, the first at stream offset `offset`."""
        session = self._session
        facts = session.feed(side, offset, octets)
        if not facts and session.undecided is None:
            return NOTHING
        return self._decide(side, facts)

    def finish(self, side: Side) -> Sequence[Action]:
        """The FIN of `side`, all its octets seen."""
        return self._decide(side, self._session.finish(side))

    def stalled(self) -> Sequence[Action]:
        """The octets a Hold stands for could not be decided in time: decide them with what is known."""
        return self._decide(Side.SERVER, self._session.stalled())

    def _decide(self, side: Side, facts: list[Fact]) -> Sequence[Action]:
        if self._closed:
            return NOTHING
        actions: list[Action] = []
        for fact in facts:
            self._act(side, fact, actions)
            if self._closed:
                return actions
        undecided = self._session.undecided
        if undecided is not None:
            actions.append(Hold(Side.SERVER, undecided))
        return actions

    def _act(self, side: Side, fact: Fact, actions: list[Action]) -> None:
        counters = self._counters
        match fact:
            case Command():
                counters[Slot.COMMAND] += 1
            case Unsupported(offset=offset, length=length):
                actions.append(Mask(side, offset, b"X" * length))
            case Odd():
                self._odd(side, fact, actions)
            case Exceeded(quantity=quantity, limit=limit):
                for line in self._plan.exceeded[quantity, limit]:
                    counters[line.slot] += 1
                    self._react(side, line.match.reaction, line.cause, actions)
                    if self._closed:
                        return
            case EhloReply():
                self._masked_lines = 0
            case EhloParameter():
                self._parameter(fact, actions)
            case Greeted():
                counters[Slot.MASK_BANNER] += self._map.banner is not Banner.OFF
            case Greeting(offset=offset, octets=octets):
                if self._map.banner is not Banner.OFF:
                    actions.append(Mask(side, offset, octets.translate(_STARS[self._map.banner])))
            case Misplaced(offset=offset):
                actions.append(Mask(side, offset, b" "))
            case InvalidAddress(line=text):
                counters[Slot.INVALID_ADDRESS] += 1
                actions.append(Replaced(side, text))
            case Pipe(address=address):
                counters[Slot.MALICIOUS_ADDRESS] += 1
                actions.append(MaliciousAddress(side, address))
                self._closed = True
            case Breach():
                self._breach(side, fact, actions)
            case MessageBegun():
                pass
            case Sender() | Recipient() | Special() | SizeViolation() | MimeEncoding() | MimeFile():
                pass  # no map asks for them
            case MessageEnded():
                counters[Slot.MESSAGE] += 1
            case TlsStarted():
                counters[Slot.ALLOW_TLS] += 1
                actions.append(Bypass(self._map.allow_tls_log))
                self._closed = True
            case _:
                assert_never(fact)

    def _odd(self, side: Side, fact: Odd, actions: list[Action]) -> None:
        self._counters[OF_ODDITY[fact.oddity]] += fact.count
        parameter = _LOGGED.get(fact.oddity)
        if parameter is not None:
            actions.append(Log(side, Violated(parameter, f"{fact.oddity.value} {fact.detail}".rstrip())))

    def _breach(self, side: Side, fact: Breach, actions: list[Action]) -> None:
        if fact.rule is Rule.SMUGGLING and not self._map.smuggling_guard:
            return
        self._counters[OF_RULE[fact.rule]] += 1
        actions.append(DropConnection(side, Violated(fact.rule.value, fact.detail), log=True))
        self._closed = True

    def _react(self, side: Side, reaction: Reaction, cause: Cause, actions: list[Action]) -> None:
        """What a match line does to a connection; masking is the caller's."""
        match reaction.deed:
            case Deed.DROP_CONNECTION:
                actions.append(DropConnection(side, cause, reaction.log))
                self._closed = True
            case Deed.RESET:
                actions.append(ResetConnection(side, cause, reaction.log))
                self._closed = True
            case Deed.LOG:
                actions.append(Log(side, cause))
            case Deed.MASK | Deed.RATE_LIMIT:
                if reaction.log:
                    actions.append(Log(side, cause))
            case _:
                assert_never(reaction.deed)

    def _parameter(self, fact: EhloParameter, actions: list[Action]) -> None:
        """A parameter of an EHLO reply, or a piece of one that stalled; a keyword cut by the stall is always masked."""
        masked = not fact.word or (fact.starttls and not self._map.allow_tls)
        for line in self._plan.parameters:
            if not fact.word or (fact.starttls and self._map.allow_tls):
                break
            if (fact.word in line.match.words) is line.match.negated:
                continue
            self._counters[line.slot] += fact.whole
            masked = masked or line.match.reaction.deed is Deed.MASK
            self._react(Side.SERVER, line.match.reaction, line.cause, actions)
            if self._closed:
                return
        if masked:
            actions.append(Mask(Side.SERVER, fact.offset, self._crosses(fact)))

    def _crosses(self, fact: EhloParameter) -> bytes:
        """X for every octet, and for the last of a whole line the letter that counts it (row 2)."""
        if not fact.whole:
            return b"X" * fact.length
        letter = self._masked_lines % len(_ALPHABET)
        self._masked_lines += 1
        self._counters[Slot.EHLO_MASKED] += 1
        return b"X" * (fact.length - 1) + _ALPHABET[letter : letter + 1]
