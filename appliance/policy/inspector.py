"""Facts into actions: one connection under one inspect map.

The session says what was seen, the map what is to be done about it. Rules that no map line states (the fixed part of
`inspect esmtp`: rows 3-12 of the design) are here. Facts come in stream order, whatever the map's; the lines that one
of them meets are judged in the map's order. An action that closes the connection ends their evaluation, every other
lets it go on (asa.md §2.7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableSequence, Sequence
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
    Kept,
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
from appliance.esmtp.session import Session
from appliance.flow import Side
from appliance.policy.actions import (
    Action,
    Bypass,
    Cause,
    Defer,
    DropConnection,
    Hold,
    Log,
    MaliciousAddress,
    Mask,
    Oversize,
    Replaced,
    ResetConnection,
    Violated,
)
from appliance.policy.counters import OF_ODDITY, OF_RULE, Slot
from appliance.policy.maps import Deed, InspectMap, Reaction
from appliance.policy.plan import Line, domain, file_type, meets, plan
from appliance.policy.rates import Rate

NOTHING: Sequence[Action] = ()

#: The oddities that are logged as well as counted (row 7), as 108005 says them.
LOGGED = {Oddity.PIPELINED: "pipelining", Oddity.UNEXPECTED_REPLY: "server-reply"}

#: Counted in every mail: a number costs a tenth of what a member of an enumeration does.
_COMMAND, _MESSAGE, _MASK_BANNER = int(Slot.COMMAND), int(Slot.MESSAGE), int(Slot.MASK_BANNER)

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"

#: Asa.md §2.5 has the first; the other is in its manner.
_RELAY = Violated("mail-relay", "No Mail Relay allowed")
_SPECIAL = Violated("special-character", "Special Character in mail address not allowed")

#: What of a message is kept within a limit is known when the message is over.
_OF_MESSAGE = (
    Quantity.BODY,
    Quantity.BODY_LINE,
    Quantity.HEADER,
    Quantity.HEADER_LINE,
    Quantity.TO_FIELDS,
    Quantity.MIME_FILENAME,
)


class Inspector:
    """The inspection of one connection. `counters` is its inspection's block (`policy.counters`), only added to.

    A call returns what is to be done, in stream order. Octets are new and in order, at first sight. After an action
    that closes the connection, or Bypass, it says nothing more. Nothing is ever held but server octets.
    """

    __slots__ = (
        "_closed",
        "_counters",
        "_map",
        "_masked_lines",
        "_now",
        "_over",
        "_plan",
        "_rates",
        "_session",
        "_stalled_at",
    )

    def __init__(self, inspect_map: InspectMap, counters: MutableSequence[int]) -> None:
        self._map = inspect_map.parameters
        self._plan = plan(inspect_map)
        self._session = Session(self._plan.settings)
        self._counters = counters
        self._masked_lines = 0  # of this EHLO reply
        self._stalled_at = -1  # where the rest of its line that stalled begins
        self._closed = False
        self._now = 0
        self._over: dict[tuple[Quantity, int], None] = {}  # limits that this address, or this message, went beyond
        self._rates: dict[int, Rate] = {}  # by counter slot of the line

    def inspect(self, side: Side, offset: int, octets: bytes, now: int) -> Sequence[Action]:
        """`octets` of `side`, the first at stream offset `offset`, at `now` (ns)."""
        session = self._session
        facts = session.feed(side, offset, octets)
        if not facts and session.undecided is None:
            return NOTHING
        self._now = now
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
        match fact:  # those of every mail first
            case Command():
                counters[_COMMAND] += 1
                if lines := self._plan.verbs.get(fact.verb):
                    self._command(lines, fact.offset, actions)
            case MessageBegun():
                pass
            case MessageEnded():
                counters[_MESSAGE] += 1
                if self._plan.kept:
                    self._judge_kept(side, _OF_MESSAGE, actions)
            case EhloReply():
                self._masked_lines = 0
            case Greeted():
                counters[_MASK_BANNER] += self._plan.stars is not None
            case Greeting(offset=offset, octets=octets):
                if self._plan.stars is not None:
                    actions.append(Mask(side, offset, octets.translate(self._plan.stars)))
            case Unsupported(offset=offset, length=length):
                actions.append(Mask(side, offset, b"X" * length))
            case Odd():
                self._odd(side, fact, actions)
            case Exceeded() | Kept() | Sender() | MimeEncoding() | MimeFile():
                self._measured(side, fact, actions)
            case EhloParameter():
                self._parameter(fact, actions)
            case Misplaced() | InvalidAddress() | Pipe() | Special() | Recipient():
                self._address(side, fact, actions)
            case Breach():
                self._breach(side, fact, actions)
            case SizeViolation(declared=declared, actual=actual):
                counters[Slot.SIZE_VIOLATION] += 1
                actions.append(Oversize(side, declared, actual))
            case TlsStarted():
                counters[Slot.ALLOW_TLS] += 1
                actions.append(Bypass(self._map.allow_tls_log))
                self._closed = True
            case _:
                assert_never(fact)

    # --- match lines --------------------------------------------------------------------------------------------

    def _measured(
        self, side: Side, fact: Exceeded | Kept | Sender | MimeEncoding | MimeFile, actions: list[Action]
    ) -> None:
        """A fact that nothing but match lines speak of."""
        match fact:
            case Exceeded(quantity=quantity, limit=limit):
                if quantity in self._plan.kept:
                    self._over[quantity, limit] = None
                self._put(side, self._plan.exceeded[quantity, limit], actions)
            case Kept(quantity=quantity, limit=limit):
                kept = self._plan.kept.get(quantity, ())
                self._put(side, [each for each in kept if each.match.limit == limit], actions)
            case Sender():
                self._judge_kept(side, (Quantity.SENDER_ADDRESS,), actions)
                self._put(side, self._met(Sender, lambda line: meets(line, fact)), actions)
            case MimeEncoding(word=word):
                self._put(side, self._met(MimeEncoding, lambda line: line.meets(word)), actions)
            case MimeFile():
                texts = file_type(fact)
                self._put(side, self._met(MimeFile, lambda line: line.finds(*texts)), actions)
            case _:
                assert_never(fact)

    def _met(self, kind: type[Fact], meets: Callable[[Line], bool]) -> list[Line]:
        """The lines put to facts of `kind` that this one meets."""
        return [line for line in self._plan.facts.get(kind, ()) if meets(line)]

    def _judge_kept(self, side: Side, quantities: Iterable[Quantity], actions: list[Action]) -> None:
        """What `quantities` measure is over: limits that it kept within are what ``not`` asks for."""
        for quantity in quantities:
            lines = self._plan.kept.get(quantity, ())
            self._put(side, [each for each in lines if (quantity, each.match.limit) not in self._over], actions)
            for each in lines:
                self._over.pop((quantity, each.match.limit), None)

    def _put(self, side: Side, lines: Iterable[Line], actions: list[Action]) -> None:
        """`lines` were met: count them and do what they say, until one closes the connection."""
        for line in lines:
            if self._closed:
                return
            self._counters[line.slot] += 1
            self._react(side, line.match.reaction, line.cause, actions)

    def _command(self, lines: Iterable[Line], offset: int, actions: list[Action]) -> None:
        """A command's verb: a rate has to be kept before it is over; everything else is as with any other line."""
        for line in lines:
            if self._closed:
                return
            reaction = line.match.reaction
            if reaction.deed is Deed.RATE_LIMIT:
                until = self._rates.setdefault(line.slot, Rate(reaction.rate)).turn(self._now)
                if until > self._now:
                    self._counters[line.slot] += 1
                    actions.append(Defer(Side.CLIENT, offset, until))
            else:
                self._put(Side.CLIENT, (line,), actions)

    def _react(self, side: Side, reaction: Reaction, cause: Cause, actions: list[Action]) -> None:
        """What a match line or a parameter does to a connection; masking itself is not done here."""
        match reaction.deed:
            case Deed.DROP_CONNECTION:
                actions.append(DropConnection(side, cause, reaction.log))
                self._closed = True
            case Deed.RESET:
                actions.append(ResetConnection(side, cause, reaction.log))
                self._closed = True
            case Deed.LOG:
                actions.append(Log(side, cause))
            case Deed.MASK:
                if reaction.log:
                    actions.append(Log(side, cause, masked=True))
            case Deed.RATE_LIMIT:
                pass
            case _:
                assert_never(reaction.deed)

    # --- parameters and rules of our own ------------------------------------------------------------------------

    def _address(
        self, side: Side, fact: Misplaced | InvalidAddress | Pipe | Special | Recipient, actions: list[Action]
    ) -> None:
        """Something in a mail address (row 8), or whose it is."""
        counters = self._counters
        match fact:
            case Misplaced(offset=offset):
                actions.append(Mask(side, offset, b" "))
            case InvalidAddress(line=text):
                counters[Slot.INVALID_ADDRESS] += 1
                actions.append(Replaced(side, text))
            case Pipe(address=address):
                counters[Slot.MALICIOUS_ADDRESS] += 1
                actions.append(MaliciousAddress(side, address))
                self._closed = True
            case Special():
                if self._map.special_character is not None:
                    counters[Slot.SPECIAL_CHARACTER] += 1
                    self._react(side, self._map.special_character, _SPECIAL, actions)
            case Recipient(hosts=hosts):
                if self._map.mail_relay is not None and any(domain(each) != self._plan.relay for each in hosts):
                    counters[Slot.MAIL_RELAY] += 1
                    self._react(side, self._map.mail_relay.reaction, _RELAY, actions)
            case _:
                assert_never(fact)

    def _odd(self, side: Side, fact: Odd, actions: list[Action]) -> None:
        self._counters[OF_ODDITY[fact.oddity]] += fact.count
        parameter = LOGGED.get(fact.oddity)
        if parameter is not None:
            actions.append(Log(side, Violated(parameter, f"{fact.oddity.value} {fact.detail}".rstrip())))

    def _breach(self, side: Side, fact: Breach, actions: list[Action]) -> None:
        if fact.rule is Rule.SMUGGLING and not self._map.smuggling_guard:
            return
        self._counters[OF_RULE[fact.rule]] += 1
        actions.append(DropConnection(side, Violated(fact.rule.value, fact.detail), log=True))
        self._closed = True

    def _parameter(self, fact: EhloParameter, actions: list[Action]) -> None:
        """A parameter of an EHLO reply, or a piece of one that stalled; what has no word is always masked."""
        allowed = fact.starttls and self._map.allow_tls
        masked = not fact.word or (fact.starttls and not allowed)
        lines = self._plan.facts.get(EhloParameter, ()) if fact.word and not allowed else ()
        for line in lines:
            if not line.meets(fact.word):
                continue
            masked = masked or line.match.reaction.deed is Deed.MASK
            if fact.offset == self._stalled_at:  # more of a line that was judged: one fact, one record
                continue
            self._counters[line.slot] += fact.whole
            self._react(Side.SERVER, line.match.reaction, line.cause, actions)
            if self._closed:
                return
        if not fact.whole:
            self._stalled_at = fact.offset + fact.length
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
