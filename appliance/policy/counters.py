"""A counter block: the numbers one inspection keeps, as a fixed array (design §1).

There is one block per `Inspection.number`. Slots below `MATCHES_BASE` are named by `Slot`; behind them comes one per
match line of the inspect map, in its order. Slots count facts, except PACKET, DROP and RESET_DROP, which the
datapath keeps and which count packets. They only grow.
"""

from __future__ import annotations

import enum

from appliance.esmtp.events import Oddity, Rule


class Slot(enum.IntEnum):
    """The fixed slots. The label of a slot is its name in lower case with dashes (`label`)."""

    PACKET = 0  # packets handed to the inspector
    DROP = 1  # packets dropped
    RESET_DROP = 2  # packets dropped by a reset
    MASK_BANNER = 3  # greetings masked
    INVALID_ADDRESS = 4  # address lines of which octets were replaced (108002)
    MALICIOUS_ADDRESS = 5  # 108003
    ALLOW_TLS = 6  # 108007
    COMMAND = 7  # supported commands
    MESSAGE = 8  # messages that came to their end
    EHLO_MASKED = 9  # EHLO reply lines masked, by whichever rule
    MAIL_RELAY = 10  # recipients refused or logged as relay
    SPECIAL_CHARACTER = 11  # addresses with one
    SIZE_VIOLATION = 12  # 108006
    UNSUPPORTED = 16
    TRUNCATED = 17
    EMPTY = 18
    UNTERMINATED = 19
    PIPELINED = 20
    UNEXPECTED_REPLY = 21
    EIGHT_BIT = 22
    CONTROL = 23
    BARE_LINE_END = 24
    STALLED = 25
    UNREADABLE_MIME = 26
    TERMINATION = 40
    SERVER_TRANSITION = 41
    OUTSTANDING = 42
    EARLY_DATA = 43
    SMUGGLING = 44
    TLS = 45
    SASL_LENGTH = 46
    EHLO_REPLY = 47

    @property
    def label(self) -> str:
        """As reports and metrics name it: ``early-data``."""
        return self.name.lower().replace("_", "-")


#: Where an oddity and a broken rule are counted: under their own names.
OF_ODDITY: dict[Oddity, Slot] = {each: Slot[each.name] for each in Oddity}
OF_RULE: dict[Rule, Slot] = {each: Slot[each.name] for each in Rule}

#: The first match line's slot, the most match lines a map may have, and the slots of a block.
MATCHES_BASE = 64
MATCHES = 64
BLOCK = MATCHES_BASE + MATCHES
