"""One SMTP session, seen from between its peers: octets of both directions in, facts out. The only class callers use.

Sans-IO: it is fed the new, in-order octets of either side at first sight and keeps no more of them than it must (the
line in progress, bounded; four octets of a message). It never says what to do. What a peer does wrong is a fact; an
exception is a bug of ours. The facts are the same for every segmentation of the input, row 4 and a stalled line aside.
"""

from __future__ import annotations

from appliance.esmtp.events import (
    Breach,
    Fact,
    Kept,
    MessageBegun,
    Odd,
    Oddity,
    Quantity,
    Rule,
    SizeViolation,
    TlsStarted,
)
from appliance.esmtp.lines import CommandLines, SaslLine
from appliance.esmtp.message import Message
from appliance.esmtp.replies import ReplyLines
from appliance.esmtp.settings import OPTIONAL as OPTIONAL
from appliance.esmtp.settings import Settings as Settings
from appliance.esmtp.states import END_OF_DATA, Dialogue, Phase
from appliance.flow import Side

#: How a TLS connection begins (RFC 8446 §5.1): record type and major version; a server may answer with an alert.
_TLS_BEGINNINGS = {Side.CLIENT: (b"\x16\x03",), Side.SERVER: (b"\x16\x03", b"\x15\x03")}


#: Asked for with every packet: a name costs a tenth of what a member of an enumeration does.
_CLIENT = Side.CLIENT
_COMMAND, _MESSAGE, _TLS, _BYPASS = Phase.COMMAND, Phase.MESSAGE, Phase.TLS, Phase.BYPASS


class Session:
    """The session of one connection from its first octet on."""

    __slots__ = (
        "_client_end",
        "_commands",
        "_dialogue",
        "_message",
        "_over",
        "_replies",
        "_sasl",
        "_settings",
        "_tls",
        "undecided",
    )

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dialogue = dialogue = Dialogue()
        self._commands = CommandLines(dialogue, settings)
        self._replies = ReplyLines(dialogue, settings)
        self._message: Message | None = None
        self._sasl = SaslLine()
        self._tls: dict[Side, bytes] = {}  # the first octets behind the 220 to STARTTLS
        self._client_end = 0  # offset behind the client's last octet
        self._over = False  # a rule was broken: nothing more is to be said
        #: Offset of the first server octet that can't be judged yet, None if all can.
        self.undecided: int | None = None

    @property
    def phase(self) -> Phase:
        """What the client's next octet is."""
        return self._dialogue.phase

    def feed(self, side: Side, offset: int, octets: bytes) -> list[Fact]:
        """New octets of `side`, the first of them at stream offset `offset`, right behind what was fed before."""
        facts: list[Fact] = []
        if side is _CLIENT:
            message = self._message
            if message is None:
                self._client(octets, 0, offset, facts)
            else:
                end = message.feed(octets, offset, facts)
                if end >= 0:
                    self._end_message()
                    self._client(octets, end, offset, facts)
            self._client_end = offset + len(octets)
        else:
            self._server(octets, offset, facts)
        return facts

    def finish(self, side: Side) -> list[Fact]:
        """The FIN of `side`: all its octets were fed."""
        facts: list[Fact] = []
        if side is not _CLIENT:
            self._stalled(facts)
        elif self._commands.unfinished or self._sasl.unfinished:
            facts.append(Odd(Oddity.UNTERMINATED, self._client_end))
        return facts

    def stalled(self) -> list[Fact]:
        """The server octets from `undecided` on can wait no longer."""
        facts: list[Fact] = []
        self._stalled(facts)
        return facts

    def _stalled(self, facts: list[Fact]) -> None:
        self._replies.stalled(facts)
        self.undecided = self._replies.undecided

    def _client(self, octets: bytes, pos: int, base: int, facts: list[Fact]) -> None:
        dialogue = self._dialogue
        while pos < len(octets) and not self._over:
            phase = dialogue.phase
            if phase is _COMMAND and self._sasl.unfinished:  # what the server will read as a command
                facts.append(Breach(Rule.EARLY_DATA, "SASL", base + pos))
                self._over = True
            elif phase is _COMMAND:
                pos = self._commands.feed(octets, pos, base, facts)
                if facts and type(facts[-1]) is Breach:
                    self._over = True
            elif phase is Phase.SASL:
                pos = self._sasl.feed(octets, pos, base, facts)
                if self._sasl.unfinished:
                    self._over = bool(facts) and type(facts[-1]) is Breach
                else:
                    dialogue.sent_sasl()
            elif phase is Phase.WAITING:
                facts.append(Breach(Rule.EARLY_DATA, dialogue.awaited, base + pos))
                self._over = True
            elif phase is Phase.TLS:
                self._begin_tls(Side.CLIENT, octets[pos:], base + pos, facts)
                return
            else:
                return

    def _server(self, octets: bytes, base: int, facts: list[Fact]) -> None:
        dialogue = self._dialogue
        pos = 0
        while pos < len(octets) and not self._over:
            phase = dialogue.phase
            if phase is _TLS:
                self._begin_tls(Side.SERVER, octets[pos:], base + pos, facts)
                break
            if phase is _BYPASS:
                break
            pos = self._replies.feed(octets, pos, base, facts)
            if facts and type(facts[-1]) is Breach:
                self._over = True
            if dialogue.phase is _MESSAGE and self._message is None:
                self._begin_message(base + pos - 1, facts)
        self.undecided = self._replies.undecided

    def _begin_message(self, offset: int, facts: list[Fact]) -> None:
        """The 354 was seen; its last octet is at `offset` of the server's."""
        settings, dialogue = self._settings, self._dialogue
        if settings.kept:
            counts = ((Quantity.RECIPIENTS, dialogue.recipients), (Quantity.INVALID_RECIPIENTS, dialogue.refused))
            for quantity, count in counts:
                if quantity in settings.kept:
                    facts.extend(Kept(quantity, limit, offset) for limit in settings.of(quantity) if count <= limit)
        self._message = Message(settings, dialogue.declared if SizeViolation in settings.wanted else 0)
        facts.append(MessageBegun(self._client_end))

    def _end_message(self) -> None:
        self._message = None
        self._dialogue.sent(END_OF_DATA)

    def _begin_tls(self, side: Side, octets: bytes, offset: int, facts: list[Fact]) -> None:
        """The first octets of either side behind the 220 to STARTTLS."""
        seen = self._tls.get(side, b"")
        self._tls[side] = seen = seen + octets[: 2 - len(seen)]
        if not any(beginning.startswith(seen) for beginning in _TLS_BEGINNINGS[side]):
            facts.append(Breach(Rule.TLS, "no TLS record behind STARTTLS", offset))
            self._over = True
        elif [len(each) for each in self._tls.values()] == [2, 2]:
            self._dialogue.began_tls()
            facts.append(TlsStarted(offset))
