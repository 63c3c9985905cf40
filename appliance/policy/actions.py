"""The second vocabulary: what a policy wants done, as a closed union.

Actions speak of stream offsets and of the connection, never of packets: the datapath turns them into effects.
A side that an action names is the *sender* of the octets it speaks of.
"""

from __future__ import annotations

from appliance.flow import Side
from appliance.value import value


@value
class Matched:
    """A `match` line of the inspect map was met: ``matched Class 4: header line length gt 998``.

    `number` counts the map's match lines from 1, `phrase` is the condition without the word match (real devices'
    lines, asa.md §4.2).
    """

    number: int
    phrase: str

    def __str__(self) -> str:
        return f"matched Class {self.number}: {self.phrase}"


@value
class Violated:
    """A parameter or a rule of our own was violated: ``mail-relay: No Mail Relay allowed``, ``early-data: DATA``."""

    parameter: str
    message: str

    def __str__(self) -> str:
        return f"{self.parameter}: {self.message}"


Cause = Matched | Violated


@value
class Mask:
    """Write `octets` over the stream of `side` from offset `start` on; the length never changes."""

    side: Side
    start: int
    octets: bytes


@value
class Hold:
    """Octets of `side` from offset `start` on are not decided yet: keep their packets until a later call decides.

    It holds for the call that returned it; a later call without a Hold has decided everything seen so far.
    """

    side: Side
    start: int


@value
class Defer:
    """Octets of `side` from offset `start` on may not go on before `until` (ns): a command is over its rate.

    Their packets are dropped and come again by retransmission. They have been inspected: what comes again is not.
    """

    side: Side
    start: int
    until: int


@value
class DropConnection:
    """Close the connection silently: nothing of the packet goes on, nothing of the flow passes from now on."""

    side: Side
    cause: Cause
    log: bool


@value
class ResetConnection:
    """The same, and both peers get an RST."""

    side: Side
    cause: Cause
    log: bool


@value
class Log:
    """Say it and go on: 108005, or 108004 where it was `masked`."""

    side: Side
    cause: Cause
    masked: bool = False


@value
class Replaced:
    """Octets of a mail address were replaced by spaces (108002); `line` is the command's line as sent."""

    side: Side
    line: bytes


@value
class MaliciousAddress:
    """A pipe in a mail address: close the connection (108003); `address` as sent. Not configurable."""

    side: Side
    address: bytes


@value
class Oversize:
    """A message was bigger than its MAIL had declared, in octets (108006)."""

    side: Side
    declared: int
    actual: int


@value
class Bypass:
    """TLS has begun (108007): the flow is not inspected any more."""

    log: bool


Action = Mask | Hold | Defer | DropConnection | ResetConnection | Log | Replaced | MaliciousAddress | Oversize | Bypass
