"""The one table: a row is a condition that a `match` line of an inspect map can state (asa.md §2.3, §2.4).

The parser, the renderer, the inspector, `show service-policy` and the metrics' labels iterate it: a new condition is
one row and one test case. A row takes ``gt NUMBER``, one or more words, or a regex; every row takes ``not``.

Rows with a default stand in the default map's order (asa.md §2.8).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from appliance.esmtp.commands import PARAMETERS, SUPPORTED
from appliance.esmtp.events import Command, EhloParameter, MimeEncoding, MimeFile, Quantity, Sender
from appliance.policy.maps import Deed, Match, Reaction

#: The numbers `gt` takes (asa.md §2.3).
SMALLEST = 1
LARGEST = 4_294_967_295
#: The numbers `rate-limit` takes: commands a second (asa.md §2.4).
FASTEST = LARGEST

_CLOSE = Reaction(Deed.DROP_CONNECTION, log=True)
#: What every row takes (asa.md §2.4).
EVERYWHERE = frozenset({Deed.DROP_CONNECTION, Deed.RESET, Deed.LOG})


class Operand(enum.Enum):
    """What stands behind a row's phrase."""

    NUMBER = "gt NUMBER"
    WORDS = "WORD [WORD ...]"
    REGEX = "regex {REGEX | class CLASS}"


@dataclass(frozen=True, slots=True)
class Condition:
    """A row: `key` is what `Match.condition` holds, `phrase` ASA's words behind `match`, spelt as it prints them.

    `summary` says for people what meets it. `default` is its operand in the default map and `reaction` what is done
    there; None: it is not in it.
    """

    key: str
    phrase: str
    fact: Quantity | type[Command | EhloParameter | MimeEncoding | MimeFile | Sender]
    summary: str
    default: int | tuple[str, ...] | None = None
    reaction: Reaction = _CLOSE
    deeds: frozenset[Deed] = EVERYWHERE
    words: tuple[str, ...] = ()  # the words it takes, as printed

    @property
    def operand(self) -> Operand:
        """What it takes: a quantity is compared with a number, a fact with words or a regex."""
        if isinstance(self.fact, Quantity):
            return Operand.NUMBER
        return Operand.WORDS if self.words else Operand.REGEX

    def match(self) -> Match:
        """The condition as the default map states it."""
        match self.default:
            case int(limit):
                return Match(self.key, self.reaction, limit=limit)
            case tuple(words):
                return Match(self.key, self.reaction, words=words)
            case None:
                raise ValueError(f"{self.key} is not in the default map")


CONDITIONS: tuple[Condition, ...] = (
    Condition(
        "cmd-line-length",
        "cmd line length",
        Quantity.COMMAND_LINE,
        "a client's line outside message and SASL, without CR LF",
        default=512,
    ),
    Condition(
        "cmd-rcpt-count",
        "cmd RCPT count",
        Quantity.RECIPIENTS,
        "RCPT commands of one transaction, refused ones too",
        default=100,
    ),
    Condition(
        "cmd-verb",
        "cmd verb",
        Command,
        "a supported command with one of these verbs",
        deeds=EVERYWHERE | {Deed.MASK, Deed.RATE_LIMIT},
        words=tuple(sorted(each.word for each in SUPPORTED.values())),
    ),
    Condition(
        "body-length",
        "body length",
        Quantity.BODY,
        "octets of a message behind its header section, line ends too",
    ),
    Condition(
        "body-line-length",
        "body line length",
        Quantity.BODY_LINE,
        "a line of it, without CR LF, the dot that stuffs it not counted",
        default=998,
        reaction=Reaction(Deed.LOG, log=True),
    ),
    Condition(
        "header-length",
        "header length",
        Quantity.HEADER,
        "octets of a message's header section, line ends too",
    ),
    Condition(
        "header-line-length",
        "header line length",
        Quantity.HEADER_LINE,
        "a physical line of it, without CR LF",
        default=998,
    ),
    Condition(
        "header-to-fields-count",
        "header to-fields count",
        Quantity.TO_FIELDS,
        "To fields in a message's header section",
    ),
    Condition(
        "sender-address-length",
        "sender-address length",
        Quantity.SENDER_ADDRESS,
        "the address of MAIL, SEND, SOML or SAML, between its brackets",
        default=320,
    ),
    Condition(
        "sender-address",
        "sender-address",
        Sender,
        "the same address, searched for the expression",
    ),
    Condition(
        "invalid-recipients-count",
        "invalid-recipients count",
        Quantity.INVALID_RECIPIENTS,
        "recipients of one transaction that the server refused",
    ),
    Condition(
        "mime-filename-length",
        "MIME filename length",
        Quantity.MIME_FILENAME,
        "the name a part gives its file, every encoding of it undone, in octets of UTF-8",
        default=255,
    ),
    Condition(
        "mime-encoding",
        "MIME encoding",
        MimeEncoding,
        "the Content-Transfer-Encoding of a message or a part of it",
        words=("7bit", "8bit", "base64", "binary", "others", "quoted-printable"),
    ),
    Condition(
        "mime-filetype",
        "MIME filetype",
        MimeFile,
        "a part's media type, or the last extension of its file name, searched for the expression",
    ),
    Condition(
        "ehlo-reply-parameter",
        "ehlo-reply-parameter",
        EhloParameter,
        "a line of the reply to EHLO, by its keyword",
        default=("others",),
        reaction=Reaction(Deed.MASK),
        deeds=EVERYWHERE | {Deed.MASK},
        words=tuple(sorted({*PARAMETERS.values(), "others"})),
    ),
)

BY_KEY: dict[str, Condition] = {each.key: each for each in CONDITIONS}


def phrase(match: Match) -> str:
    """A match line as ASA prints it, without the word `match`: ``header line length gt 998``."""
    condition = BY_KEY[match.condition]
    words = ["not"] if match.negated else []
    words.append(condition.phrase)
    match condition.operand:
        case Operand.NUMBER:
            words += ("gt", str(match.limit))
        case Operand.WORDS:
            words += match.words
        case Operand.REGEX:
            words += ("regex", str(match.expression))
    return " ".join(words)
