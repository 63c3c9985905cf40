"""The server's reply lines: their codes, the greeting's text, and the parameters of an EHLO reply (rows 1, 2, 7).

LF ends a line, with CR before it or without; a CR elsewhere is an ordinary octet, but in an EHLO reply, where a client
may take it for a line's end: what stands behind it has no word. The first four octets of a line are its code and the
sign whether more lines follow (only ``-`` says so); the rest is its text. Replies go on as they come, but for two
things that can't be decided yet: a CR at the end of what has come of a greeting line, and, behind the first line of a
2xx reply to EHLO, the text of a line without its LF. `undecided` is where they begin.
"""

from __future__ import annotations

import enum
import functools
import re

from appliance.esmtp.commands import OTHERS, PARAMETERS
from appliance.esmtp.events import (
    Breach,
    EhloParameter,
    EhloReply,
    Exceeded,
    Fact,
    Greeted,
    Greeting,
    Odd,
    Oddity,
    Quantity,
    Rule,
)
from appliance.esmtp.settings import Settings
from appliance.esmtp.states import GREETING, LICENSED, Dialogue, Expectation

#: What of an EHLO reply may be held (design §2): octets a line with its end, octets and lines a reply.
LINE = 1024
REPLY = 65536
LINES = 100

_HEAD = 4  # code and separator
_CODE = 3


class Text(enum.Enum):
    """What is done with the text of the reply's lines."""

    PASSING = "passing"
    GREETING = "greeting"
    PARAMETERS = "parameters"


#: Asked for with every reply: a name costs a tenth of what a member of an enumeration does.
_PASSING, _PARAMETERS = Text.PASSING, Text.PARAMETERS


class ReplyLines:
    """Reads reply lines piece by piece."""

    __slots__ = (
        "_code",
        "_dialogue",
        "_expected",
        "_head",
        "_held",
        "_line_octets",
        "_lines",
        "_pipelining",
        "_reply_octets",
        "_settings",
        "_stalled",
        "_text",
        "undecided",
    )

    def __init__(self, dialogue: Dialogue, settings: Settings) -> None:
        self._dialogue = dialogue
        self._settings = settings
        #: Stream offset of the first octet that waits for a decision, None if none does.
        self.undecided: int | None = None
        self._begin_reply()
        self._begin_line()

    def _begin_reply(self) -> None:
        self._code = 0
        self._expected = True  # the reply is the oldest outstanding command's
        self._text = _PASSING
        self._lines = 0
        self._reply_octets = 0
        self._pipelining = False

    def _begin_line(self) -> None:
        self._head = b""
        self._line_octets = 0
        self._held = b""  # text of an EHLO line, or a CR that ends what has come, that is undecided
        self._stalled: str | None = None  # the keyword of a line that stalled; "" if not even that had come

    def feed(self, octets: bytes, pos: int, base: int, facts: list[Fact]) -> int:
        """Read on from `octets[pos]` to the end of the line or of `octets`; `base` is the offset of `octets[0]`.

        Returns where the next line begins, or the end of `octets`; behind a Breach nothing is to be fed any more.
        """
        line_feed = octets.find(b"\n", pos)
        if line_feed > 0 and not self._head:
            if self._lines:
                if self._usual_parameters(octets, pos, base, facts):
                    return len(octets)
            elif self._usual_reply(octets[pos:line_feed], base + pos, facts):
                return line_feed + 1
        end = len(octets) if line_feed < 0 else line_feed + 1
        text = pos
        missing = _HEAD - len(self._head)
        if missing:
            self._head += octets[pos : min(pos + missing, end)]
            text = min(pos + missing, end)
            if not self._judge(base + text - len(self._head), missing, facts):
                return len(octets)
        self._line_octets += end - pos
        if self._text is not _PASSING:
            stop = line_feed if 0 <= line_feed >= text else min(end, len(octets))
            whole = line_feed >= 0
            if self._text is Text.GREETING:
                self._greeting(octets[text:stop], base + text, whole, facts)
            elif not self._parameters(octets[text:stop], base + text, whole, end - pos, base + end, facts):
                return len(octets)
        if line_feed >= 0:
            self._end(base + line_feed, facts)
        return end

    def _usual_reply(self, line: bytes, start: int, facts: list[Fact]) -> bool:
        """Whether a whole `line`, at offset `start`, is a reply as most are; if so, it is dealt with.

        That is one of one line that changes nothing but the queue, a greeting of one line, or the beginning of what
        an EHLO is answered.
        """
        oldest = self._dialogue.oldest()
        if oldest in _REMARKABLE:
            return self._usual_beginning(oldest, line, start, facts)
        code = _LAST_LINES.get(line[:_HEAD])
        if code is None or (code in LICENSED and oldest not in LICENSED[code]):
            return False
        self._replied(code, start + len(line), facts)
        return True

    def _usual_beginning(self, oldest: str | None, line: bytes, start: int, facts: list[Fact]) -> bool:
        """The same of a greeting, and of the first line of the reply to an EHLO."""
        text = line[_HEAD:].removesuffix(b"\r")
        if oldest == GREETING and line.startswith(b"220 "):
            facts.append(Greeted(start))
            if text:
                facts.append(Greeting(start + _HEAD, text))
            self._replied(220, start + len(line), facts)
            return True
        if oldest == "EHLO" and line.startswith(b"250-") and len(line) < LINE and b"\r" not in text:
            facts.append(EhloReply(start))
            self._code, self._text = _USUAL, _PARAMETERS
            self._lines, self._reply_octets = 1, len(line) + 1
            return True
        return False

    def _replied(self, code: int, end: int, facts: list[Fact]) -> None:
        """The reply to the oldest outstanding command is whole; its last LF is at `end`."""
        dialogue = self._dialogue
        if dialogue.replied(code, self._pipelining) and dialogue.refused - 1 in self._settings.refused_limits:
            facts.append(Exceeded(Quantity.INVALID_RECIPIENTS, dialogue.refused - 1, end))

    def _usual_parameters(self, octets: bytes, pos: int, base: int, facts: list[Fact]) -> bool:
        """Whether what stands from `octets[pos]` on is what is left of an EHLO reply and far from every limit; if so,
        it is stated."""
        if self._text is not _PARAMETERS or self._code != _USUAL or len(octets) - pos > LINE or self._lines > 1:
            return False
        rest, start = octets[pos:], base + pos
        offer = _offer(rest)
        if offer is None:
            return False
        parameters, self._pipelining = offer
        passing = self._settings.passing
        for word, at, length, starttls in parameters:
            if starttls or word not in passing:
                facts.append(EhloParameter(word, start + at, length, starttls))
        self._replied(_USUAL, start + len(rest) - 1, facts)
        self._begin_reply()
        return True

    def _judge(self, start: int, missing: int, facts: list[Fact]) -> bool:
        """Look at what has come of the line's first four octets; `start` is the line's offset. False: a Breach."""
        head = self._head
        code = head[:_CODE]
        if not code.isdigit():
            wrong = next(at for at, octet in enumerate(code) if not 0x30 <= octet <= 0x39)
            facts.append(Breach(Rule.SERVER_TRANSITION, "a line without a reply code", start + wrong))
            return False
        if len(head) < _CODE or missing == 1:  # not whole yet, or judged before
            return True
        number = int(code)
        if not self._lines:
            return self._begin_code(number, start, facts)
        if number != self._code:
            detail = f"{code.decode()} inside a {self._code:03} reply"
            facts.append(Breach(Rule.SERVER_TRANSITION, detail, start + _CODE - 1))
            return False
        return True

    def _begin_code(self, code: int, start: int, facts: list[Fact]) -> bool:
        """A reply has begun: what is `code` now?"""
        self._code = code
        oldest = self._dialogue.oldest()
        expectation = self._dialogue.expects(code)
        if expectation is Expectation.TRANSITION:
            detail = f"{code:03} without {_OWNERS[code]}"
            facts.append(Breach(Rule.SERVER_TRANSITION, detail, start + _CODE - 1))
            return False
        self._expected = expectation is Expectation.EXPECTED
        if not self._expected:
            facts.append(Odd(Oddity.UNEXPECTED_REPLY, start, detail=f"{code:03}"))
            return True
        self._dialogue.began(code)
        if code == 220 and oldest == GREETING:
            self._text = Text.GREETING
            facts.append(Greeted(start))
        elif code // 100 == 2 and oldest == "EHLO":  # clients look at the first digit (RFC 5321 4.2.1)
            self._text = Text.PARAMETERS
            facts.append(EhloReply(start))
        return True

    def _greeting(self, text: bytes, offset: int, whole: bool, facts: list[Fact]) -> None:
        """A piece of a greeting's text, without its LF; `whole`: the LF is right behind it."""
        text, offset = self._held + text, offset - len(self._held)
        self._held, self.undecided = b"", None
        if text.endswith(b"\r"):
            text = text[:-1]
            if not whole:
                self._held, self.undecided = b"\r", offset + len(text)
        if text:
            facts.append(Greeting(offset, text))

    def _parameters(self, text: bytes, offset: int, whole: bool, read: int, end: int, facts: list[Fact]) -> bool:
        """A piece of an EHLO reply line, without its LF. False: more than may be held, a Breach."""
        self._reply_octets += read
        excess = max(self._line_octets - LINE, self._reply_octets - REPLY, self._lines + 1 > LINES)
        if excess > 0:
            facts.append(Breach(Rule.EHLO_REPLY, "more than can be held", end - excess))
            return False
        if not self._lines or self._stalled is not None:
            self._piece(text, offset, facts)
            return True
        text, offset = self._held + text, offset - len(self._held)
        if whole:
            self._held, self.undecided = b"", None
            self._state_parameter(text, offset, facts)
        elif text:
            self._held, self.undecided = text, offset
        return True

    def _piece(self, text: bytes, offset: int, facts: list[Fact]) -> None:
        """A piece of an EHLO line that goes on as it comes: the first, which is no parameter, or one that stalled."""
        offset -= len(self._held)  # of a CR that the last piece ended in
        text = self._held + text
        self._held = text[-1:] if text.endswith(b"\r") else b""
        for run in _BETWEEN_CRS.finditer(text):
            if run.start():
                self._stalled = ""
            if self._stalled is not None:
                facts.append(EhloParameter(self._stalled, offset + run.start(), len(run[0]), whole=False))

    def _state_parameter(self, text: bytes, offset: int, facts: list[Fact]) -> None:
        """State the parameter of a whole line; an empty line has none, and STARTTLS is always of interest."""
        word, length, starttls = _parameter(text)
        if word == "pipelining":
            self._pipelining = True
        if length and (starttls or word not in self._settings.passing):
            facts.append(EhloParameter(word, offset, length, starttls))

    def _end(self, offset: int, facts: list[Fact]) -> None:
        """The line's LF has come; it is at `offset`."""
        more = self._head[_CODE:] == b"-"
        self._begin_line()
        self._lines += 1
        if more:
            return
        if self._expected:
            self._replied(self._code, offset, facts)
        self._begin_reply()

    def stalled(self, facts: list[Fact]) -> None:
        """What is undecided can wait no longer: say what is known of it; the rest of its line will follow piecemeal."""
        if self.undecided is None:
            return
        offset = self.undecided
        text = held = self._held
        self._held, self.undecided = b"", None
        facts.append(Odd(Oddity.STALLED, offset))
        if self._text is Text.GREETING:  # a CR: its LF is late
            return
        keyword, blank, _ = text.upper().partition(b" ")
        text = text.removesuffix(b"\r")
        self._stalled = PARAMETERS.get(keyword, OTHERS) if blank and b"\r" not in text else ""
        self._held = held[len(text) :]
        if text:
            facts.append(EhloParameter(self._stalled, offset, len(text), starttls=keyword == b"STARTTLS", whole=False))


@functools.lru_cache(maxsize=64)
def _offer(rest: bytes) -> tuple[tuple[tuple[str, int, int, bool], ...], bool] | None:
    """The parameters in the lines behind the first of a reply to EHLO, and whether PIPELINING is one of them.

    Of each its word, where it is in `rest`, its length, and whether it is STARTTLS. None if `rest` is anything else
    than whole lines of one reply to its end. Remembered: a server offers every client the same.
    """
    *lines, nothing = rest.split(b"\n")
    if nothing or len(lines) >= LINES:
        return None
    found, at = [], 0
    for line in lines:
        if not line.startswith(_LAST_LINE if line is lines[-1] else _MORE_LINES):
            return None
        word, length, starttls = _parameter(line[_HEAD:])
        if length:
            found.append((word, at + _HEAD, length, starttls))
        at += len(line) + 1
    return tuple(found), any(word == "pipelining" for word, *_ in found)


def _parameter(text: bytes) -> tuple[str, int, bool]:
    """A whole line's word, its octets without the line's end, and whether it is STARTTLS; no word with a bare CR."""
    text = text.removesuffix(b"\r")
    if b"\r" in text:
        return "", len(text), False
    keyword = text.partition(b" ")[0].upper()
    return PARAMETERS.get(keyword, OTHERS), len(text), keyword == b"STARTTLS"


_BETWEEN_CRS = re.compile(rb"[^\r]+")
#: How the last line of a reply begins, and which code that is.
_LAST_LINES = {b"%03d " % code: code for code in range(1000)}
_USUAL = 250
_LAST_LINE = b"250 "
_MORE_LINES = b"250-"
#: What is outstanding when a reply is more than a step in the queue.
_REMARKABLE = (None, GREETING, "EHLO")
_OWNERS = {220: "STARTTLS", 334: "AUTH", 354: "DATA"}
