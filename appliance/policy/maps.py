"""Class maps, policy maps and inspect maps as values: the modular policy framework (asa.md §2, §6.1-6.2)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from appliance.policy.acl import Ports


@dataclass(frozen=True, slots=True)
class MatchAny:
    """``match any``"""


@dataclass(frozen=True, slots=True)
class MatchAccessList:
    """``match access-list NAME``: a permit matches, a deny does not."""

    name: str


@dataclass(frozen=True, slots=True)
class MatchPort:
    """``match port tcp eq smtp``: the destination port of the connection's first packet."""

    protocol: str  # tcp udp
    ports: Ports


@dataclass(frozen=True, slots=True)
class MatchDefaultInspectionTraffic:
    """``match default-inspection-traffic``: for ESMTP, TCP port 25; of what `access_list` permits, if there is one.

    Of the list addresses alone are compared (asa.md §6.1).
    """

    access_list: str = ""


@dataclass(frozen=True, slots=True)
class MatchOther:
    """``match dscp …``, ``match tunnel-group …``: kept as it is written, and matched by nothing."""

    texts: tuple[str, ...]


ClassMatch = MatchAny | MatchAccessList | MatchPort | MatchDefaultInspectionTraffic | MatchOther


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Which traffic: a name for it."""

    name: str
    match: ClassMatch | None
    description: str = ""
    line: int = field(default=0, compare=False)  # of the rule file, for errors


#: ``class class-default`` exists without being defined: what no other class of a policy map matches.
CLASS_DEFAULT = ClassMap("class-default", MatchAny())


class Deed(enum.Enum):
    """What a match line does, in ASA's words."""

    DROP_CONNECTION = "drop-connection"
    RESET = "reset"
    MASK = "mask"
    LOG = "log"
    RATE_LIMIT = "rate-limit"


@dataclass(frozen=True, slots=True)
class Reaction:
    """The action line under a match: ``drop-connection log``. `log` is also true of the bare ``log``."""

    deed: Deed
    log: bool = False
    rate: int = 0  # commands a second, for rate-limit

    def __str__(self) -> str:
        words = [self.deed.value]
        if self.deed is Deed.RATE_LIMIT:
            words.append(str(self.rate))
        if self.log and self.deed is not Deed.LOG:
            words.append("log")
        return " ".join(words)


@dataclass(frozen=True, slots=True)
class Expression:
    """What stands behind ``regex`` in a match line: a regex's name, or ``class`` and a regex class's.

    `patterns` are what the name stands for, of which any may match.
    """

    name: str
    of_class: bool = False
    patterns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"class {self.name}" if self.of_class else self.name


@dataclass(frozen=True, slots=True)
class Match:
    """One ``match`` line of an inspect map with its action.

    `condition` names a row of `policy/matches.py`; `limit` is its number (octets or a count) where the row takes
    one, `words` its keywords where it takes words (``others``, verbs), `expression` where it takes a regex.
    """

    condition: str
    reaction: Reaction
    limit: int = 0
    words: tuple[str, ...] = ()
    negated: bool = False
    expression: Expression | None = None


class Banner(enum.Enum):
    """How the server's greeting is masked."""

    OFF = "off"
    KEEP_2_AND_0 = "keep-2-and-0"  # ``mask-banner``, the seed's rule
    ALL = "all"  # ``mask-banner all``, ours: as PIX 4.4 and current ASAs do in captures


@dataclass(frozen=True, slots=True)
class MailRelay:
    """``mail-relay DOMAIN action …``: from outside, mail is for this domain alone (asa.md §2.5)."""

    domain: str
    reaction: Reaction


@dataclass(frozen=True, slots=True)
class Parameters:
    """The ``parameters`` of an inspect map. The reactions close or log."""

    banner: Banner = Banner.KEEP_2_AND_0
    smuggling_guard: bool = True  # ours
    allow_tls: bool = False
    allow_tls_log: bool = False
    mail_relay: MailRelay | None = None
    special_character: Reaction | None = None
    vrfy: bool = True  # VRFY in a reply to EHLO is known, not one of the `others` (the version decides)


@dataclass(frozen=True, slots=True)
class InspectMap:
    """``policy-map type inspect esmtp NAME``: the rules one inspected connection is under."""

    name: str
    parameters: Parameters = field(default_factory=Parameters)
    matches: tuple[Match, ...] = ()
    description: str = ""

    def __hash__(self) -> int:
        """Of the name alone: the plan of a map is looked up for every connection, and equal maps have equal names."""
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class InspectEsmtp:
    """``inspect esmtp [MAP] [fail-open]`` in a class; no map means the default one."""

    map: str | None = None
    fail_open: bool = False  # ours


@dataclass(frozen=True, slots=True)
class ExemptEsmtp:
    """``no inspect esmtp`` in a class: what it matches is never inspected (row 17)."""


@dataclass(frozen=True, slots=True)
class SetConnection:
    """``set connection …`` in a class: limits, of which 0 is none; timeouts in seconds, None as ``timeout`` says."""

    conn_max: int = 0
    embryonic_conn_max: int = 0
    per_client_max: int = 0
    per_client_embryonic_max: int = 0
    embryonic: int | None = None
    half_closed: int | None = None
    idle: int | None = None
    reset: bool = False  # both ends of what was idle for too long


@dataclass(frozen=True, slots=True)
class PolicyClass:
    """A class inside a policy map and what is done with it."""

    name: str
    inspect: InspectEsmtp | ExemptEsmtp | None = None
    accepted: tuple[str, ...] = ()  # actions that are kept and not done: ``inspect ftp``, ``police …``
    connection: SetConnection = SetConnection()


@dataclass(frozen=True, slots=True)
class PolicyMap:
    """``policy-map NAME``: classes in order."""

    name: str
    classes: tuple[PolicyClass, ...] = ()
    description: str = ""
    line: int = field(default=0, compare=False)  # of the rule file, for errors
