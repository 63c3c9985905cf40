"""What was said in one inspected connection: the inspector itself, with somebody who takes notes.

It is the policy's own inspector; the notes are taken from what it is given and what it answers. Where a line of
credentials or a message is, a second session says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, MutableSequence, Sequence

from appliance.esmtp.events import MessageBegun, MessageEnded
from appliance.esmtp.session import Session, Settings
from appliance.esmtp.states import Phase
from appliance.flow import Side
from appliance.policy.actions import (
    Action,
    Bypass,
    Defer,
    DropConnection,
    Hold,
    Log,
    MaliciousAddress,
    Mask,
    Oversize,
    Replaced,
    ResetConnection,
)
from appliance.policy.inspector import Inspector
from appliance.policy.maps import InspectMap
from appliance.policy.plan import plan
from appliance.replay.report import Entry, Kind
from appliance.syslog import printable

#: Entries of one connection that are kept; those beyond are counted.
MAX_ENTRIES = 10_000

_SECRET = "(credentials)"
_KINDS = {Side.CLIENT: Kind.COMMAND, Side.SERVER: Kind.REPLY}


class Lines:
    """The lines of one side that are not told yet: as sent, and with the masks written in."""

    __slots__ = ("base", "got", "sent")

    def __init__(self) -> None:
        self.base = 0
        self.sent = bytearray()
        self.got = bytearray()

    def skip(self, end: int) -> None:
        """Octets up to `end` are in no line."""
        self.base = end
        self.sent.clear()
        self.got.clear()

    def append(self, octets: bytes) -> None:
        """The side goes on."""
        self.sent += octets
        self.got += octets

    def mask(self, start: int, octets: bytes) -> int:
        """Some of it was masked. How many octets became others."""
        at = start - self.base
        before = bytes(self.got[at : at + len(octets)]) if at >= 0 else b""
        if len(before) < len(octets):
            return 0  # of a line that began before this was asked for
        self.got[at : at + len(octets)] = octets
        return sum(old != new for old, new in zip(before, octets, strict=True))

    def take(self, before: int) -> tuple[bytes, bytes] | None:
        """The next whole line that ends at or before offset `before`: as sent, as got."""
        end = self.sent.find(b"\n") + 1
        if not end or self.base + end > before:
            return None
        line = bytes(self.sent[:end]), bytes(self.got[:end])
        del self.sent[:end], self.got[:end]
        self.base += end
        return line


class Transcript:
    """An inspector that remembers. `entries` are in order; `messages` are octets of each."""

    def __init__(self, inspect_map: InspectMap, counters: MutableSequence[int]) -> None:
        self._inspector = Inspector(inspect_map, counters)
        self._session = Session(
            Settings(starttls=inspect_map.parameters.allow_tls, crossed=plan(inspect_map).settings.crossed)
        )
        self._lines = {Side.CLIENT: Lines(), Side.SERVER: Lines()}
        self._ends = {Side.CLIENT: 0, Side.SERVER: 0}
        self._message: int | None = None  # where it began
        self._digest = hashlib.sha256()  # of its octets
        self._secret = False  # the client's line in progress is one
        self.entries: list[Entry] = []
        self.omitted = 0
        self.masked = 0
        self.messages: list[int] = []

    def inspect(self, side: Side, offset: int, octets: bytes, now: int) -> Sequence[Action]:
        """As `Inspector.inspect`."""
        actions = self._inspector.inspect(side, offset, octets, now)
        self._ends[side] = offset + len(octets)
        closing = self._closing(actions)
        if closing is None:
            self._note(side, offset, octets, actions)
        self._events(actions)
        return actions

    def finish(self, side: Side) -> Sequence[Action]:
        """As `Inspector.finish`."""
        actions = self._inspector.finish(side)
        self._session.finish(side)
        self._note(side, self._ends[side], b"", actions)
        self._events(actions)
        return actions

    def stalled(self) -> Sequence[Action]:
        """As `Inspector.stalled`."""
        actions = self._inspector.stalled()
        self._session.stalled()
        self._note(Side.SERVER, self._ends[Side.SERVER], b"", actions)
        self._events(actions)
        return actions

    def _note(self, side: Side, offset: int, octets: bytes, actions: Sequence[Action]) -> None:
        masks = [each for each in actions if isinstance(each, Mask)]
        if side is Side.CLIENT:
            self._note_client(offset, octets, masks)
            return
        lines = self._lines[side]
        lines.append(octets)
        for each in masks:
            self.masked += lines.mask(each.start, each.octets)
        holds = [each.start for each in actions if isinstance(each, Hold) and each.side is side]
        decided = min(holds, default=self._ends[side])
        while (line := lines.take(decided)) is not None:
            self._add(Kind.REPLY, *line)
        for fact in self._session.feed(side, offset, octets) if octets else ():
            if isinstance(fact, MessageBegun):
                self._message = fact.offset

    def _note_client(self, offset: int, octets: bytes, masks: list[Mask]) -> None:
        if self._message is not None:
            facts = self._session.feed(Side.CLIENT, offset, octets)
            over = next((each.offset for each in facts if isinstance(each, MessageEnded)), None)
            self._digest.update(octets if over is None else octets[: over - offset])
            if over is not None:  # commands may follow; no credentials do, they are asked for
                self._end_message(over)
                self._note_lines(over, octets[over - offset :], masks)
            return
        for start, line in _lines(octets):  # one by one: the second session says what it is before it is told
            if not self._lines[Side.CLIENT].sent:
                self._secret = self._session.phase is Phase.SASL
            self._session.feed(Side.CLIENT, offset + start, line)
            self._note_lines(offset + start, line, masks)

    def _note_lines(self, offset: int, octets: bytes, masks: list[Mask]) -> None:
        lines = self._lines[Side.CLIENT]
        if not lines.sent:
            lines.skip(offset)
        lines.append(octets)
        for each in masks:
            self.masked += lines.mask(each.start, each.octets)
        while (line := lines.take(offset + len(octets))) is not None:
            self._add(Kind.COMMAND, *line)

    def _end_message(self, end: int) -> None:
        octets = end - (self._message or 0)
        self._message = None
        self.messages.append(octets)
        self._keep(Entry(Kind.MESSAGE, octets=octets, sha256=self._digest.hexdigest()))
        self._digest = hashlib.sha256()

    def _add(self, kind: Kind, sent: bytes, got: bytes) -> None:
        shown, octets = _shown(sent), len(sent)
        if kind is Kind.COMMAND and self._secret:
            shown, got = _SECRET, sent
        elif kind is Kind.COMMAND and sent[:5].upper() == b"AUTH ":
            shown, got = " ".join([*shown.split(" ")[:2], *[_SECRET] * (b" " in sent[5:])]), sent
        self._keep(Entry(kind, shown, None if got == sent else _shown(got), octets))

    def _events(self, actions: Sequence[Action]) -> None:
        for action in actions:
            match action:
                case DropConnection(cause=cause) | ResetConnection(cause=cause):
                    self._keep(Entry(Kind.CLOSED, str(cause)))
                case MaliciousAddress(address=address):
                    self._keep(Entry(Kind.CLOSED, f"malicious pattern in the mail address {printable(address)}"))
                case Log(cause=cause):
                    self._keep(Entry(Kind.LOGGED, str(cause)))
                case Replaced(line=line):
                    self._keep(Entry(Kind.LOGGED, f"replaced in {printable(line)}"))
                case Bypass():
                    self._keep(Entry(Kind.TLS))
                case Oversize(declared=declared, actual=actual):
                    self._keep(Entry(Kind.LOGGED, f"size violation: declared {declared}, actual {actual}"))
                case Mask() | Hold() | Defer():
                    pass

    def _closing(self, actions: Sequence[Action]) -> Action | None:
        kinds = DropConnection | ResetConnection | MaliciousAddress
        return next((each for each in actions if isinstance(each, kinds)), None)

    def _keep(self, entry: Entry) -> None:
        if len(self.entries) < MAX_ENTRIES:
            self.entries.append(entry)
        else:
            self.omitted += 1


def _lines(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The pieces of `octets` up to and with each LF, and where each begins."""
    start = 0
    while start < len(octets):
        end = (octets.find(b"\n", start) + 1) or len(octets)
        yield start, octets[start:end]
        start = end


def _shown(line: bytes) -> str:
    return printable(line.removesuffix(b"\n").removesuffix(b"\r"))
