"""What the firewall makes of an octet sequence: the words of the readings' table for our own side."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.policy.counters import Slot
from tests.playbook import HELLO, IN_MESSAGE, Outcome, client, everyhow, payload
from tests.smuggling.sequences import LEADING, OUTSIDE
from tests.smuggling.servers import AFTER, BODY, END

CLOSED = "closed"


@dataclass(frozen=True)
class Reading:
    """`word` as in the table; `released` octets of what was sent have reached the server."""

    word: str
    released: int


def ours(place: str, sequence: bytes) -> str:
    """The table's word for `sequence` in `place`, the same for every way of cutting it into segments."""
    if place == OUTSIDE:
        outcome = everyhow(*HELLO, client(sequence + b"QUIT\r\nQUIT\r\n"))
        return CLOSED if outcome.ended else str(lines(outcome))
    return in_message(LEADING[place], sequence).word


def in_message(leading: bytes, sequence: bytes) -> Reading:
    """How `sequence` is read behind `leading` in a message, and how much of it goes on."""
    outcome = everyhow(*IN_MESSAGE, payload(leading + sequence), client(AFTER))
    released = len(outcome.client.partition(b"DATA\r\n")[2]) - len(leading)
    if outcome.ended:
        return Reading(CLOSED, released)
    assert outcome.count(Slot.MESSAGE) == 1
    # Behind an end every line is a command again, and QUIT the first.
    commands = outcome.count(Slot.COMMAND) - len(b"EHLO MAIL RCPT DATA".split())
    return Reading(BODY if commands == 2 else END, released)


def lines(outcome: Outcome) -> int:
    """How many command lines were read behind EHLO, up to and with the first QUIT: a server answers no more."""
    return len(outcome.client.partition(b"EHLO a.example\r\n")[2].partition(b"QUIT\r\n")[0].splitlines()) + 1
