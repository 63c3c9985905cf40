"""What a session is told of its policy: where to measure, what to look for, which verbs go through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from appliance.esmtp.events import (
    Fact,
    MimeEncoding,
    MimeFile,
    Quantity,
    Recipient,
    Sender,
    SizeViolation,
    Special,
)

#: The facts a session states only if told to.
OPTIONAL: frozenset[type[Fact]] = frozenset({Sender, Recipient, Special, SizeViolation, MimeEncoding, MimeFile})


#: In the place of a limit.
NO_LIMIT = 1 << 62


@dataclass(frozen=True)  # without slots: what follows from it is worked out once, not for every session
class Settings:
    """What one inspect map asks of every session under it.

    `wanted` are those of `OPTIONAL` that a rule asks for; what nobody wants is not looked for. `passing` are the words
    of EHLO parameters that no rule speaks of: they are not stated.
    """

    limits: Mapping[Quantity, tuple[int, ...]] = field(default_factory=dict)  # ascending
    starttls: bool = False  # STARTTLS reaches the server
    crossed: frozenset[str] = frozenset()  # supported verbs whose lines are to be X-ed as if they were not
    wanted: frozenset[type[Fact]] = frozenset()
    passing: frozenset[str] = frozenset()
    kept: frozenset[Quantity] = frozenset()  # of which `Kept` is to be stated too

    def of(self, quantity: Quantity) -> tuple[int, ...]:
        """The limits set on `quantity`."""
        return self.limits.get(quantity, ())

    @cached_property
    def command_limits(self) -> tuple[int, ...]:
        """Those of a command line, and one that is never reached."""
        return (*self.of(Quantity.COMMAND_LINE), NO_LIMIT)

    @cached_property
    def kept_commands(self) -> tuple[int, ...]:
        """Of those the ones a line is to be told of that keeps within them."""
        return self.of(Quantity.COMMAND_LINE) if Quantity.COMMAND_LINE in self.kept else ()

    @cached_property
    def sender_limits(self) -> tuple[int, ...]:
        """Those of a sender's address."""
        return self.of(Quantity.SENDER_ADDRESS)

    @cached_property
    def longest_sender(self) -> int:
        """The least of these."""
        return min(self.sender_limits, default=NO_LIMIT)

    @cached_property
    def recipient_limits(self) -> tuple[int, ...]:
        """Those of a transaction's recipients."""
        return self.of(Quantity.RECIPIENTS)

    @cached_property
    def refused_limits(self) -> tuple[int, ...]:
        """Those of the recipients that the server refused."""
        return self.of(Quantity.INVALID_RECIPIENTS)

    @cached_property
    def crossed_heads(self) -> frozenset[bytes]:
        """The crossed verbs as lines begin with them."""
        return frozenset(word.encode() for word in self.crossed)

    @cached_property
    def tells_sender(self) -> bool:
        """Whether a sender's address is asked for."""
        return Sender in self.wanted

    @cached_property
    def tells_recipient(self) -> bool:
        """Whether a recipient's is."""
        return Recipient in self.wanted

    @cached_property
    def special(self) -> bool:
        """Whether special characters are."""
        return Special in self.wanted

    @cached_property
    def message_limits(self) -> tuple[tuple[int, ...], ...]:
        """Those of a message: of its header lines, body lines, header and body."""
        measured = (Quantity.HEADER_LINE, Quantity.BODY_LINE, Quantity.HEADER, Quantity.BODY)
        return tuple(self.of(each) for each in measured)

    @cached_property
    def mime(self) -> bool:
        """Whether anything is asked of the structure of messages."""
        return bool(
            not self.wanted.isdisjoint({MimeEncoding, MimeFile})
            or self.of(Quantity.MIME_FILENAME)
            or self.of(Quantity.TO_FIELDS)
        )
