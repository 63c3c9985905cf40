"""What a session is told of its policy: where to measure, what to look for, which verbs go through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
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

    @property
    def mime(self) -> bool:
        """Whether anything is asked of the structure of messages."""
        return bool(
            not self.wanted.isdisjoint({MimeEncoding, MimeFile})
            or self.of(Quantity.MIME_FILENAME)
            or self.of(Quantity.TO_FIELDS)
        )
