"""The dialogue: which commands wait for a reply, and what the client may send now.

Theory of operation. Replies come in the order of the commands (RFC 2920), so the firewall's knowledge is one queue:
the greeting first, then every client line in the order sent, X-ed ones too, because the server answers those as well.
A final reply takes the oldest from the queue. Three codes change what the client's next octets *are*, and therefore
count only as the reply to the oldest outstanding command and only to the commands `LICENSED` names; at any other
time the server is making an unexpected transition (row 7):

    354 to DATA      → MESSAGE    the message, up to its end-of-data line
    334 to AUTH      → SASL       one line, and AUTH stays the oldest
    220 to STARTTLS  → TLS        a TLS record

The licence for a SASL line ends where any other reply begins: the line it was for is none any more, and the client has
to wait.

Behind DATA, AUTH, a SASL line, STARTTLS and an X-ed BDAT the client has to wait (`Phase.WAITING`); whatever reaches
us from it before the reply is early data (row 7a). The command waited for is then always the last in the queue.

The recipients of a transaction are counted from the last command that is known to have begun a new one: the count
restarts when that command is answered 2xx, at the place where it was sent, so that an RCPT behind an unanswered one
counts for both (row 13).

A size that MAIL declared holds, and refused recipients count, for the transaction that its 2xx begins.

Rule: this state changes here alone, by `sent`, `sent_sasl`, `recipient`, `began`, `replied` and `began_tls`.
"""

from __future__ import annotations

import enum


class Phase(enum.Enum):
    """What the client's next octet is."""

    COMMAND = "command"
    WAITING = "waiting"  # nothing may come before a reply
    SASL = "SASL line"
    MESSAGE = "message"
    TLS = "TLS"  # a TLS record must come
    BYPASS = "bypass"  # TLS has come


#: Asked for with every packet: a name costs a tenth of what a member of an enumeration does.
_COMMAND, _WAITING, _SASL = Phase.COMMAND, Phase.WAITING, Phase.SASL


class Expectation(enum.Enum):
    """What a reply's code is to the dialogue at the moment it is seen."""

    EXPECTED = "expected"
    UNEXPECTED = "unexpected"  # nothing outstanding: passes, changes no state
    TRANSITION = "unexpected transition"  # must not reach the client


#: Entries of the queue that are no verb.
GREETING = "greeting"
MASKED = "X"
EMPTY = ""
END_OF_DATA = "."

#: Most commands that may be outstanding (row 7).
OUTSTANDING = 1000

#: The codes that mean something only as the reply to these.
LICENSED: dict[int, frozenset[str]] = {
    220: frozenset({GREETING, "STARTTLS"}),
    334: frozenset({"AUTH"}),
    354: frozenset({"DATA"}),
}
#: What the client's next octets are behind such a reply; COMMAND behind every other.
BEHIND: dict[tuple[str, int], Phase] = {
    ("DATA", 354): Phase.MESSAGE,
    ("AUTH", 334): Phase.SASL,
    ("STARTTLS", 220): Phase.TLS,
}
#: The codes that license a SASL line.
_CHALLENGES = frozenset(code for (_, code), phase in BEHIND.items() if phase is Phase.SASL)
#: "Service not available, closing": at any time.
CLOSING = 421

#: Answered 2xx, these end the mail transaction.
ENDS = frozenset({"EHLO", "HELO", "RSET", END_OF_DATA})


class Dialogue:
    """The state of one session."""

    __slots__ = (
        "_counted_from",
        "_open",
        "_queue",
        "_recipients",
        "awaited",
        "declared",
        "phase",
        "pipelining",
        "refused",
    )

    def __init__(self) -> None:
        #: (verb or entry, recipients seen when it was sent, size it declared)
        self._queue: list[tuple[str, int, int]] = [(GREETING, 0, 0)]
        self._recipients = 0  # RCPT commands seen since the start
        self._counted_from = 0  # of these, those before the transaction
        self._open = False  # a MAIL was accepted
        self.refused = 0  # recipients of the transaction that the server refused
        self.declared = 0  # octets its message is to have, 0 if nothing was said
        self.phase = _COMMAND
        self.awaited = EMPTY  # in WAITING: what the client has to wait for
        self.pipelining = False  # offered by the last EHLO reply

    def oldest(self) -> str | None:
        """The oldest outstanding command, None if there is none."""
        return self._queue[0][0] if self._queue else None

    @property
    def recipients(self) -> int:
        """RCPT commands of the transaction."""
        return self._recipients - self._counted_from

    def sent(self, entry: str, awaited: str = EMPTY, declared: int = 0) -> bool:
        """The client sent a whole line: a verb, MASKED, EMPTY or END_OF_DATA; `awaited` if it must now wait.

        `declared` is what a MAIL said of its message's size. Returns whether no more commands are outstanding than may
        be.
        """
        queue = self._queue
        queue.append((entry, self._recipients, declared))
        if awaited:
            self.phase, self.awaited = _WAITING, awaited
        elif entry is END_OF_DATA:
            self.phase = _COMMAND
        return len(queue) <= OUTSTANDING or len(queue) - (queue[0][0] == GREETING) <= OUTSTANDING

    def sent_sasl(self) -> None:
        """The client sent the line a 334 licensed: AUTH is still the oldest."""
        self.phase, self.awaited = Phase.WAITING, "SASL"

    def recipient(self) -> int:
        """One RCPT more; how many the transaction has now."""
        self._recipients += 1
        return self.recipients

    def expects(self, code: int) -> Expectation:
        """What a reply that begins with `code` is now."""
        oldest = self.oldest()
        licensed = LICENSED.get(code)
        if licensed is not None and oldest not in licensed:
            return Expectation.TRANSITION
        if oldest is None and code != CLOSING:
            return Expectation.UNEXPECTED
        return Expectation.EXPECTED

    def began(self, code: int) -> None:
        """A reply to the oldest command has begun with `code`."""
        if self.phase is Phase.SASL and code not in _CHALLENGES:
            self.phase, self.awaited = Phase.WAITING, "SASL"

    def replied(self, code: int, pipelining: bool) -> bool:
        """The oldest command's reply is whole; `pipelining`: it was an EHLO reply that offers it.

        Returns whether it refused a recipient.
        """
        queue = self._queue
        if not queue:  # a 421 out of the blue
            return False
        entry, recipients, declared = queue[0]
        if self.phase is _COMMAND:  # the client waits for nothing
            del queue[0]
        else:
            self._go_on(entry, code)
        accepted = 200 <= code < 300
        if entry == "RCPT":
            self.refused += not accepted
            return not accepted
        if entry in ENDS and accepted:
            self._begin_transaction(recipients, 0, False)
            if entry == "EHLO" or entry == "HELO":
                self.pipelining = pipelining
        elif entry is END_OF_DATA:
            # RFC 5321 4.1.1.4: refused or not, the message is used up, and a MAIL may follow.
            self._open = False
            self.declared = 0
        elif entry == "MAIL" and accepted and not self._open:
            self._begin_transaction(recipients, declared, True)
        return False

    def _go_on(self, entry: str, code: int) -> None:
        """The oldest command, `entry`, got its reply, and the client waits for one: perhaps for this."""
        phase = BEHIND.get((entry, code), _COMMAND)
        if phase is not _SASL:
            del self._queue[0]
        if self.phase is _SASL:
            self.began(code)
        if self.phase is _WAITING and (phase is _SASL or not self._queue):
            self.phase = phase

    def _begin_transaction(self, counted_from: int, declared: int, begun: bool) -> None:
        """Nothing is left of the last transaction; `begun`: a MAIL has begun the next."""
        self._counted_from, self._open = counted_from, begun
        self.refused, self.declared = 0, declared

    def began_tls(self) -> None:
        """Both sides have begun TLS."""
        self.phase = Phase.BYPASS
