"""The one table: a row is a condition that a `match` line of an inspect map can state (asa.md §2.3, §2.4).

The parser, the renderer, the inspector, `show service-policy` and the metrics' labels iterate it: a new condition is
one row and one test case. A row without words takes ``gt NUMBER``; a row with words takes one or more of them.
The rows stand in the default map's order (asa.md §2.8).
"""

from __future__ import annotations

from dataclasses import dataclass

from appliance.esmtp.events import EhloParameter, Quantity
from appliance.policy.maps import Deed, Match, Reaction

#: The numbers `gt` takes (asa.md §2.3).
SMALLEST = 1
LARGEST = 4_294_967_295

_CLOSE = Reaction(Deed.DROP_CONNECTION, log=True)
_ANY = frozenset({Deed.DROP_CONNECTION, Deed.RESET, Deed.LOG})


@dataclass(frozen=True, slots=True)
class Condition:
    """A row: `key` is what `Match.condition` holds, `phrase` ASA's words behind `match`, spelt as it prints them."""

    key: str
    phrase: str
    fact: Quantity | type[EhloParameter]
    default: int | tuple[str, ...]  # in the default map: the number or the words
    reaction: Reaction  # in the default map
    deeds: frozenset[Deed] = _ANY
    words: tuple[str, ...] = ()  # the words it takes; none: it takes `gt NUMBER`
    negatable: bool = False  # whether `match not` is evaluated

    def match(self) -> Match:
        """The condition as the default map states it."""
        if isinstance(self.default, int):
            return Match(self.key, self.reaction, limit=self.default)
        return Match(self.key, self.reaction, words=self.default)


CONDITIONS: tuple[Condition, ...] = (
    Condition("cmd-line-length", "cmd line length", Quantity.COMMAND_LINE, 512, _CLOSE),
    Condition("cmd-rcpt-count", "cmd RCPT count", Quantity.RECIPIENTS, 100, _CLOSE),
    Condition("body-line-length", "body line length", Quantity.BODY_LINE, 998, Reaction(Deed.LOG, log=True)),
    Condition("header-line-length", "header line length", Quantity.HEADER_LINE, 998, _CLOSE),
    Condition("sender-address-length", "sender-address length", Quantity.SENDER_ADDRESS, 320, _CLOSE),
    # The default map requires the row; the session does not read MIME structure yet, so it never counts.
    Condition("mime-filename-length", "MIME filename length", Quantity.MIME_FILENAME, 255, _CLOSE),
    Condition(
        "ehlo-reply-parameter",
        "ehlo-reply-parameter",
        EhloParameter,
        ("others",),
        Reaction(Deed.MASK),
        deeds=_ANY | {Deed.MASK},
        words=(
            "8bitmime",
            "auth",
            "binarymime",
            "checkpoint",
            "dsn",
            "ecode",
            "etrn",
            "others",
            "pipelining",
            "size",
            "vrfy",
        ),
        negatable=True,
    ),
)

BY_KEY: dict[str, Condition] = {each.key: each for each in CONDITIONS}


def phrase(match: Match) -> str:
    """A match line as ASA prints it, without the word `match`: ``header line length gt 998``."""
    condition = BY_KEY[match.condition]
    words = ["not"] if match.negated else []
    words.append(condition.phrase)
    words.extend(match.words if condition.words else ("gt", str(match.limit)))
    return " ".join(words)
