"""A statement being read word by word, and what it says of names that others define."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any

from appliance.config.diagnostics import INCOMPLETE, INVALID
from appliance.config.lexer import Line, Word
from appliance.policy.objects import GroupKind


class Rejected(Exception):
    """The words don't fit: `message` at `column`."""

    def __init__(self, column: int, message: str = INVALID) -> None:
        super().__init__(column, message)
        self.column = column
        self.message = message


class Kind(enum.Enum):
    """What a name may name, in ASA's words."""

    NAMEIF = "interface"
    ACCESS_LIST = "access-list"
    CLASS_MAP = "class-map"
    POLICY_MAP = "policy-map"
    INSPECT_MAP = "policy-map type inspect esmtp"
    NETWORK = "object network"
    SERVICE = "object service"
    GROUP_NETWORK = "object-group network"
    GROUP_SERVICE = "object-group service"
    GROUP_PROTOCOL = "object-group protocol"
    GROUP_PROTOCOLS = "object-group"  # of protocols or of services
    GROUP_ICMP_TYPE = "object-group icmp-type"
    PLACE = "object"  # of addresses, or a group of them
    TIME_RANGE = "time-range"
    REGEX = "regex"
    REGEX_CLASS = "class-map type regex"


@dataclass(frozen=True, slots=True)
class Reference:
    """A statement used a name."""

    kind: Kind
    name: str
    line: Line
    column: int


@dataclass(slots=True)
class Cursor:
    """A statement being read: its words, how far it is read, and what was noticed on the way."""

    line: Line
    at: int = 0
    names: Mapping[str, IPv4Address] = field(default_factory=dict)  # `name` statements so far
    groups: Mapping[str, GroupKind] = field(default_factory=dict)  # object groups so far
    references: list[Reference] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)  # (column, message)

    def peek(self, ahead: int = 0) -> Word | None:
        """The next word, or the one `ahead` of it; None behind the line's end."""
        index = self.at + ahead
        return self.line.words[index] if index < len(self.line.words) else None

    def name(self, kind: Kind, name: Word) -> str:
        """Note that the statement names a thing of `kind`; the name."""
        self.references.append(Reference(kind, name.text, self.line, name.column))
        return name.text

    def take(self) -> Word:
        """The next word, read; Rejected as incomplete at the line's end."""
        words = self.line.words
        if self.at >= len(words):
            raise Rejected(self.end, INCOMPLETE)
        self.at += 1
        return words[self.at - 1]

    @property
    def end(self) -> int:
        """The column behind the last word."""
        last = self.line.words[-1]
        return last.column + len(last.text)

    @property
    def column(self) -> int:
        """The column of the next word; Rejected as incomplete at the line's end."""
        word = self.take()
        self.at -= 1
        return word.column


Argument = Callable[[Cursor], Any]


def number(low: int, high: int) -> Argument:
    """A decimal number from `low` to `high`."""

    def read(cursor: Cursor) -> int:
        word = cursor.take()
        value = decimal(word.text)
        if value is None or not low <= value <= high:
            raise Rejected(word.column)
        return value

    return read


def decimal(text: str) -> int | None:
    """The number `text` writes in decimal digits, ten at most."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None
