"""The client's command lines: which verb, is it whole, what of the line has no place in it (rows 3-6, 8, 13).

Cut-through: octets are judged as they come, because a line whose LF has not been released is no command yet. A line's
verdict may therefore begin in the middle: the letters of a verb cut by the end of a segment have gone on when the
next octet makes it unsupported (row 4). ASA differs from a line reader in one thing that is kept: a segment that is
nothing but one to three letters at the start of a line, typed by hand, is unsupported at once.
"""

from __future__ import annotations

from operator import attrgetter

from appliance.esmtp.commands import BDAT, HEAD, LONG, SHORT, STARTTLS, SUPPORTED, Verb, starts
from appliance.esmtp.events import (
    Breach,
    Command,
    Exceeded,
    Fact,
    InvalidAddress,
    Kept,
    Misplaced,
    Odd,
    Oddity,
    Quantity,
    Recipient,
    Rule,
    Sender,
    Unsupported,
)
from appliance.esmtp.grammar import PLAIN, READ, SHOWN, Address, Path, control, declared, hosts, mailbox, regular
from appliance.esmtp.settings import Settings
from appliance.esmtp.states import EMPTY, MASKED, Dialogue

_OFFSET = attrgetter("offset")

_SP = 0x20
_CR = 0x0D

#: The longest SASL line, octets without CRLF (RFC 4954 §4; row 12).
SASL_LINE = 12288

#: Behind these the client waits even though the server never saw them.
_AWAITED_MASKED = (STARTTLS, BDAT)


class CommandLines:
    """Reads command lines piece by piece."""

    __slots__ = (
        "_address",
        "_carriage_return",
        "_counted",
        "_dialogue",
        "_fresh",
        "_head",
        "_length",
        "_line",
        "_masked",
        "_misplaced",
        "_odd",
        "_over",
        "_settings",
        "_verb",
    )

    def __init__(self, dialogue: Dialogue, settings: Settings) -> None:
        self._dialogue = dialogue
        self._settings = settings
        self._begin()

    def _begin(self) -> None:
        self._fresh = True  # no octet of the line yet
        self._head = b""  # its first octets, as sent
        self._line = b""  # what a record of a mail address shows, as sent
        self._length = 0
        self._over = 0  # how many of the limits it is beyond
        self._verb: Verb | None = None  # whole and supported
        self._masked = False
        self._counted = False  # a masked line was counted, which takes its fourth octet or its end
        self._carriage_return = False  # the last octet was CR
        self._address: Address | None = None
        self._misplaced = False
        self._odd = False  # 8-bit was counted

    @property
    def unfinished(self) -> bool:
        """Whether octets of a line have come and its end has not."""
        return not self._fresh

    def feed(self, octets: bytes, pos: int, base: int, facts: list[Fact]) -> int:
        """Read on from `octets[pos]` to the end of the line or of `octets`; `base` is the offset of `octets[0]`.

        Returns where the next line begins, or the end of `octets`; behind a Breach nothing is to be fed any more.
        """
        line_feed = octets.find(b"\n", pos)
        if self._fresh and line_feed > pos and octets[line_feed - 1] == _CR:
            text = octets[pos : line_feed - 1]
            if b"\r" not in text and self._usual(text, base + pos, facts):
                return line_feed + 1
        stop = len(octets) if line_feed < 0 else line_feed
        text_end, wrong = _text_end(octets, pos, stop, line_feed >= 0, self._carriage_return)
        self._carriage_return = self._carriage_return or text_end < stop
        ended = line_feed >= 0 and wrong < 0
        if text_end > pos or ended:
            self._text(octets, pos, text_end, base, ended, facts)
        if wrong >= 0:
            facts.append(Breach(Rule.TERMINATION, "command not terminated by CR LF", base + wrong))
            return len(octets)
        self._fresh = False
        if not ended:
            return stop
        self._end(base + line_feed, facts)
        self._begin()
        return line_feed + 1

    def _usual(self, text: bytes, offset: int, facts: list[Fact]) -> bool:
        """Whether a whole line is a supported command of which no rule says anything; if so, it is dealt with."""
        settings, length = self._settings, len(text)
        verb = SUPPORTED.get(text[:SHORT].upper())
        if verb is None or length > settings.command_limits[0] or verb.word in settings.crossed:
            return False
        size = 0
        if verb.path:
            found = regular(text)
            if found is None or (settings.special and b"`" in text):
                return False
            path, parameters = found
            if verb.sender and len(path) > settings.longest_sender:
                return False
            self._state_verb(verb, offset, facts)
            if self._tells(verb):
                end = offset + length - len(parameters) - 1
                self._state_path(verb, Path(path[:READ], len(path) <= READ), end, facts)
            if parameters and verb.sender:
                size = declared(parameters[:READ])
        elif length == SHORT or (text[SHORT] == _SP and text.isascii() and text.decode().isprintable()):
            self._state_verb(verb, offset, facts)
        else:
            return False
        self._sent(verb.word, verb.word if verb.waits else EMPTY, size, offset + length + 1, facts)
        if settings.kept_commands:
            self._state_kept(length, offset + length + 1, facts)
        return True

    def _text(self, octets: bytes, pos: int, end: int, base: int, ended: bool, facts: list[Fact]) -> None:
        """Judge a piece of the line's text; `ended`: the line's end is right behind it."""
        ended = ended or self._carriage_return
        text = octets[pos:end]
        mark = len(facts)
        if len(self._head) < HEAD:
            typed = self._fresh and pos == 0 and end == len(octets) and end < SHORT
            self._head += text[: HEAD - len(self._head)]
            if self._verb is None and not self._masked:
                self._judge(typed, ended, base + pos, facts)
        if self._masked:
            if not self._counted and (ended or len(self._head) >= SHORT):
                self._counted = True
                oddity = Oddity.UNSUPPORTED if len(self._head) >= SHORT else Oddity.TRUNCATED
                facts.append(Odd(oddity, base + pos))
            if text:
                facts.append(Unsupported(base + pos, len(text)))
        else:
            if text and self._verb is None and self._head.upper() in self._settings.crossed_heads:
                facts.append(
                    Unsupported(base + pos, len(text))
                )  # whatever follows these four letters, they must not pass
            self._arguments(text, base + pos, facts)
            self._follow_path(facts)
        self._length += len(text)
        if self._length > self._settings.command_limits[self._over]:
            self._exceed(base + end - self._length, facts)
        if len(facts) - mark > 1:
            facts[mark:] = sorted(facts[mark:], key=_OFFSET)

    def _follow_path(self, facts: list[Fact]) -> None:
        """State the paths that have become whole."""
        address = self._address
        if address is not None and address.found:
            for path, end in address.found:
                if self._verb and self._tells(self._verb):
                    self._state_path(self._verb, path, end, facts)
            address.found.clear()

    def _judge(self, typed: bool, ended: bool, offset: int, facts: list[Fact]) -> None:
        """Decide whether the head is a supported verb; leaves it open where only a part of a verb has come."""
        head = self._head
        if ended and len(head) < SHORT:
            self._masked = bool(head)
            return
        verb = self._supported(head, ended)
        if verb is None:
            if not ended and not typed and self._may_become_verb(head):
                return
            self._masked = True
            return
        self._verb = verb
        if verb.word in self._settings.crossed:
            self._masked = self._counted = True  # what is done to it is the policy's, and so is counting it
            facts.append(Command(verb.word, offset - self._length))
            return
        if verb.path:
            self._address = Address(self._settings.sender_limits if verb.sender else (), self._settings.special)
        self._state_verb(verb, offset - self._length, facts)

    def _state_verb(self, verb: Verb, start: int, facts: list[Fact]) -> None:
        """The line that begins at offset `start` is a supported command."""
        facts.append(Command(verb.word, start))
        if verb.word == "RCPT":
            count = self._dialogue.recipient()
            if count - 1 in self._settings.recipient_limits:
                facts.append(Exceeded(Quantity.RECIPIENTS, count - 1, start + SHORT))

    def _tells(self, verb: Verb) -> bool:
        """Whether the path of `verb` is asked for."""
        return self._settings.tells_sender if verb.sender else self._settings.tells_recipient

    def _state_path(self, verb: Verb, path: Path, end: int, facts: list[Fact]) -> None:
        """The path of `verb` is whole; the octet at offset `end` ended it."""
        if verb.sender:
            facts.append(Sender(path.octets, mailbox(path.octets), path.whole, end))
        else:
            facts.append(Recipient(path.octets, hosts(path), end))

    def _state_kept(self, length: int, offset: int, facts: list[Fact]) -> None:
        """The line has `length` octets; its LF is at `offset`."""
        facts.extend(
            Kept(Quantity.COMMAND_LINE, limit, offset) for limit in self._settings.kept_commands if length <= limit
        )

    def _supported(self, head: bytes, ended: bool) -> Verb | None:
        """The verb at the start of `head` if the octet behind it says that it is whole."""
        verb = SUPPORTED.get(head[:SHORT].upper())
        length = SHORT
        if verb is None and self._settings.starttls and head[:LONG].upper() == b"STARTTLS":
            verb, length = STARTTLS, LONG
        if len(head) > length:
            return verb if head[length] == _SP else None
        return verb if ended else None

    def _may_become_verb(self, head: bytes) -> bool:
        """Whether `head`, to which no more has come yet, passes as far as it has come (row 4)."""
        if len(head) < SHORT:
            return head.isalpha()
        if len(head) == SHORT and head.upper() in SUPPORTED:
            return True
        return self._settings.starttls and b"STARTTLS".startswith(head.upper())

    def _arguments(self, text: bytes, offset: int, facts: list[Fact]) -> None:
        """What of the line's text has no place there."""
        address = self._address
        if address is None:
            if self._verb is None or self._verb.path:
                self._line += text[: SHOWN - len(self._line)]
            if text.translate(None, PLAIN):
                self._odd_octets(text, offset, facts)
            return
        skipped = max(0, SHORT - self._length)  # the verb itself
        self._line += text[: SHOWN - len(self._line)]
        if address.scan(text[skipped:], offset + skipped, facts):
            self._misplaced = True

    def _odd_octets(self, text: bytes, offset: int, facts: list[Fact]) -> None:
        for at, octet in enumerate(text, offset):
            if control(octet):
                facts.append(Misplaced(at))
                facts.append(Odd(Oddity.CONTROL, at))
            elif octet > 0x7F and not self._odd:
                self._odd = True
                facts.append(Odd(Oddity.EIGHT_BIT, at))

    def _exceed(self, start: int, facts: list[Fact]) -> None:
        """The line, which began at offset `start`, is beyond one more limit, or several."""
        while self._length > (limit := self._settings.command_limits[self._over]):
            facts.append(Exceeded(Quantity.COMMAND_LINE, limit, start + limit))
            self._over += 1

    def _end(self, offset: int, facts: list[Fact]) -> None:
        """The line is whole; its LF is at `offset`."""
        if self._address is not None:
            self._address.close(offset, facts)
            self._follow_path(facts)
        if self._misplaced:
            facts.append(InvalidAddress(self._line, offset))
        if self._length == 0:
            facts.append(Odd(Oddity.EMPTY, offset))
        verb = self._verb
        if self._masked and verb is None:
            verb = starts(self._head, _AWAITED_MASKED)
        entry = MASKED if self._masked else verb.word if verb else EMPTY
        awaited = verb.word if verb and verb.waits else EMPTY
        size = declared(bytes(self._address.parameters)) if self._address and verb and verb.sender else 0
        self._sent(entry, awaited, size, offset, facts)
        if self._settings.kept_commands:
            self._state_kept(self._length, offset, facts)

    def _sent(self, entry: str, awaited: str, size: int, offset: int, facts: list[Fact]) -> None:
        """The line goes into the queue of those that are answered; its LF is at `offset`."""
        dialogue = self._dialogue
        if not dialogue.pipelining and dialogue.oldest() is not None:
            facts.append(Odd(Oddity.PIPELINED, offset, detail=entry))
        if not dialogue.sent(entry, awaited, size):
            facts.append(Breach(Rule.OUTSTANDING, "too many commands without a reply", offset))


class SaslLine:
    """The one line a 334 licenses. It is not a command: nothing of it is kept but its length (row 12)."""

    __slots__ = ("_carriage_return", "_length", "unfinished")

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._length = 0
        self._carriage_return = False
        self.unfinished = False  # octets of it have come, its end has not

    def feed(self, octets: bytes, pos: int, base: int, facts: list[Fact]) -> int:
        """As `CommandLines.feed`."""
        line_feed = octets.find(b"\n", pos)
        stop = len(octets) if line_feed < 0 else line_feed
        text_end, wrong = _text_end(octets, pos, stop, line_feed >= 0, self._carriage_return)
        self._carriage_return = self._carriage_return or text_end < stop
        room = SASL_LINE - self._length
        self._length += text_end - pos
        self.unfinished = True
        if self._length > SASL_LINE:
            facts.append(Breach(Rule.SASL_LENGTH, "longer than any SASL line", base + pos + room))
            return len(octets)
        if wrong >= 0:
            facts.append(Breach(Rule.TERMINATION, "SASL line not terminated by CR LF", base + wrong))
            return len(octets)
        if line_feed < 0:
            return stop
        self._begin()
        return line_feed + 1


def _text_end(octets: bytes, pos: int, stop: int, ended: bool, carriage_return: bool) -> tuple[int, int]:
    """Where a line's text ends in `octets[pos:stop]`, and the octet that makes its end incorrect, -1 if none does.

    `ended`: an LF is at `stop`. `carriage_return`: the last octet before `pos` was a CR.
    """
    if carriage_return:
        return (stop, -1) if pos == stop and ended else (pos, pos)
    at = octets.find(b"\r", pos, stop)
    if at < 0:
        return stop, stop if ended else -1
    return at, at + 1 if at + 1 < stop else -1
