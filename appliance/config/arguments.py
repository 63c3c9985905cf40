"""The arguments of statements: each type reads one or more words and gives a value, or says where it can't.

A type is a function of a `Cursor`; ``ARGUMENTS`` names them for `grammar`'s syntax strings. A type that names a
thing defined elsewhere (an access list, a nameif) leaves a `Reference`, which `verify` resolves at the end.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import Any

from appliance.config.diagnostics import INCOMPLETE, INVALID
from appliance.config.lexer import Line, Word
from appliance.config.names import LEVELS, PORTS, PROTOCOLS
from appliance.policy.acl import ANY, Ports
from appliance.policy.regex import PatternError, check


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
    references: list[Reference] = field(default_factory=list)
    warnings: list[tuple[int, str]] = field(default_factory=list)  # (column, message)

    def peek(self, ahead: int = 0) -> Word | None:
        """The next word, or the one `ahead` of it; None behind the line's end."""
        index = self.at + ahead
        return self.line.words[index] if index < len(self.line.words) else None

    def take(self) -> Word:
        """The next word, read; Rejected as incomplete at the line's end."""
        word = self.peek()
        if word is None:
            raise Rejected(self.end, INCOMPLETE)
        self.at += 1
        return word

    @property
    def end(self) -> int:
        """The column behind the last word."""
        last = self.line.words[-1]
        return last.column + len(last.text)


Argument = Callable[[Cursor], Any]

#: The longest name, an ASA's for access lists. With `TEXT_OCTETS` it keeps every line we print within a line's length.
NAME_OCTETS = 241
TEXT_OCTETS = 200  # asa.md §2.1

_NAME = re.compile(r"[!-~]+")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,14}")  # IFNAMSIZ - 1; no iptables wildcard
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})", re.ASCII)
_INTERFACES = re.compile(r"\([ \t]*([!-~]+?)[ \t]*,[ \t]*([!-~]+?)[ \t]*\)")


def _matching(pattern: re.Pattern[str], longest: int = 512) -> Argument:
    def read(cursor: Cursor) -> str:
        word = cursor.take()
        if not pattern.fullmatch(word.text):
            raise Rejected(word.column)
        if len(word.text) > longest:
            raise Rejected(word.column + longest)
        return word.text

    return read


def _naming(kind: Kind) -> Argument:
    def read(cursor: Cursor) -> str:
        column = cursor.take().column
        cursor.at -= 1
        name = str(_name(cursor))
        cursor.references.append(Reference(kind, name, cursor.line, column))
        return name

    return read


_name = _matching(_NAME, NAME_OCTETS)


def number(low: int, high: int) -> Argument:
    """A decimal number from `low` to `high`."""

    def read(cursor: Cursor) -> int:
        word = cursor.take()
        value = _decimal(word.text)
        if value is None or not low <= value <= high:
            raise Rejected(word.column)
        return value

    return read


def _decimal(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else None


def some(words: tuple[str, ...]) -> Argument:
    """One or more of `words` up to the line's end, each once, in the order written, spelt as in `words`."""
    spelling = {each.lower(): each for each in words}

    def read(cursor: Cursor) -> tuple[str, ...]:
        found: dict[str, None] = {}
        while not found or cursor.peek() is not None:
            word = cursor.take()
            if word.text.lower() not in spelling:
                raise Rejected(word.column)
            found[spelling[word.text.lower()]] = None
        return tuple(found)

    return read


def _text(cursor: Cursor) -> str:
    """The rest of the line as it is, but for TABs."""
    start = cursor.take().column - 1
    cursor.at = len(cursor.line.words)
    text = cursor.line.text[start:].rstrip(" \t").replace("\t", " ")
    if len(text.encode("utf-8", "surrogateescape")) > TEXT_OCTETS:
        raise Rejected(start + 1, f"ERROR: the text is longer than {TEXT_OCTETS} octets")
    return text


def _pattern(cursor: Cursor) -> str:
    """A regular expression: the rest of the line, which quotes may enclose to keep its spaces (asa.md §2.6)."""
    start = cursor.take().column - 1
    cursor.at = len(cursor.line.words)
    text = cursor.line.text[start:].rstrip(" \t")
    if text.startswith('"'):
        start += 1
        if len(text) < 2 or not text.endswith('"') or _escaped(text, len(text) - 1):
            raise Rejected(start + len(text), "ERROR: the closing quote is missing")
        text = text[1:-1]
    try:
        check(text)
    except PatternError as error:
        raise Rejected(start + error.at + 1, f"ERROR: Invalid regular expression: {error.message}") from None
    return text


def _escaped(text: str, at: int) -> bool:
    """Whether an odd number of backslashes stands before `text[at]`."""
    before = text[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _address_of(text: str) -> IPv4Address | None:
    try:
        return IPv4Address(text)
    except AddressValueError:
        return None


def _address(cursor: Cursor) -> IPv4Address:
    word = cursor.take()
    address = _address_of(word.text)
    if address is None:
        raise Rejected(word.column)
    return address


def _prefix_of(text: str) -> int | None:
    """The length of a netmask, None where `text` isn't one; ``0.0.0.255`` is no netmask."""
    mask = _address_of(text)
    if mask is None:
        return None
    inverse = ~int(mask) & 0xFFFFFFFF
    return 32 - inverse.bit_length() if inverse & (inverse + 1) == 0 else None


def _mask(cursor: Cursor) -> int:
    word = cursor.take()
    prefix = _prefix_of(word.text)
    if prefix is None:
        raise Rejected(word.column)
    return prefix


def _network(cursor: Cursor) -> IPv4Network:
    """``10.0.0.0 255.0.0.0``; the address has no bits beyond its mask."""
    column = cursor.take().column
    cursor.at -= 1
    address, prefix = _address(cursor), _mask(cursor)
    return _paired(address, prefix, column)


def _paired(address: IPv4Address, prefix: int, column: int) -> IPv4Network:
    network = IPv4Network((address, prefix), strict=False)
    if network.network_address != address:
        raise Rejected(column, f"ERROR: IP address,mask <{address},{network.netmask}> doesn't pair")
    return network


def _endpoint(cursor: Cursor) -> IPv4Network:
    """``any``, ``host A``, ``A MASK``; a bare A is a host, with a warning (row 18)."""
    word = cursor.take()
    if word.text.lower() in ("any", "any4"):
        return ANY
    if word.text.lower() == "host":
        return IPv4Network(_address(cursor))
    address = _address_of(word.text)
    if address is None:
        raise Rejected(word.column)
    following = cursor.peek()
    prefix = _prefix_of(following.text) if following else None
    if prefix is None:
        cursor.warnings.append((word.column, f"WARNING: {address} without a mask is taken as host {address}"))
        return IPv4Network(address)
    cursor.at += 1
    return _paired(address, prefix, word.column)


def _protocol(cursor: Cursor) -> str:
    word = cursor.take()
    text = word.text.lower()
    if text in PROTOCOLS:
        return text
    value = _decimal(text)
    if value is None or value > 255:
        raise Rejected(word.column)
    return next((name for name, known in PROTOCOLS.items() if known == value), str(value))


def _ports(protocol: str) -> Argument:
    """A port operator; the port's name is one of `protocol`'s."""
    # No port is below 0 or above 65535: `lt 0` and `gt 65535` could match nothing.
    ranges = {"eq": (0, 65535), "neq": (0, 65535), "lt": (1, 65535), "gt": (0, 65534), "range": (0, 65535)}

    def port(cursor: Cursor, low: int, high: int) -> int:
        word = cursor.peek()
        known = PORTS[protocol].get(word.text.lower()) if word else None
        if known is not None:
            cursor.at += 1
            return known
        return int(number(low, high)(cursor))

    def read(cursor: Cursor) -> Ports:
        word = cursor.take()
        operator = word.text.lower()
        if operator not in ranges:
            raise Rejected(word.column)
        first = port(cursor, *ranges[operator])
        return Ports(operator, first, port(cursor, first, 65535) if operator == "range" else first)

    return read


def _clock(cursor: Cursor) -> int:
    """``h:mm:ss`` in seconds, up to ASA's 1193:00:00."""
    word = cursor.take()
    found = _CLOCK.fullmatch(word.text)
    if found is None:
        raise Rejected(word.column)
    hours, minutes, seconds = (int(each) for each in found.groups())
    if hours > 1193 or minutes > 59 or seconds > 59:
        raise Rejected(word.column)
    return hours * 3600 + minutes * 60 + seconds


#: What ``timeout`` sets and the least it takes, in seconds (asa.md §5.3, §6.6); ``embryonic`` here is ours.
TIMEOUTS = {"xlate": 60, "conn": 300, "half-closed": 30, "embryonic": 5}


def _timeouts(cursor: Cursor) -> dict[str, int]:
    """``conn 1:00:00 half-closed 0:10:00``: pairs up to the line's end, at least one, in any order."""
    found: dict[str, int] = {}
    while not found or cursor.peek() is not None:
        name = cursor.take()
        if name.text.lower() not in TIMEOUTS:
            raise Rejected(name.column)
        value = cursor.peek()
        found[name.text.lower()] = _clock(cursor)
        if value is not None and found[name.text.lower()] < TIMEOUTS[name.text.lower()]:
            raise Rejected(value.column)
    return found


def _level(cursor: Cursor) -> int:
    word = cursor.take()
    value = _decimal(word.text)
    if value is not None and value < len(LEVELS):
        return value
    # The first letters say which level: ASA takes abbreviations here as everywhere.
    found = [at for at, name in enumerate(LEVELS) if name.startswith(word.text.lower())]
    if len(found) != 1:
        raise Rejected(word.column)
    return found[0]


def _interfaces(cursor: Cursor) -> tuple[str, str]:
    """``(real_ifc,mapped_ifc)``"""
    word = cursor.take()
    found = _INTERFACES.fullmatch(word.text)
    if found is None:
        raise Rejected(word.column)
    for group in (1, 2):
        column = word.column + found.start(group)
        cursor.references.append(Reference(Kind.NAMEIF, found.group(group), cursor.line, column))
    return found.group(1), found.group(2)


def _listen(cursor: Cursor) -> tuple[IPv4Address, int]:
    """``127.0.0.1:9137``"""
    word = cursor.take()
    host, colon, port = word.text.partition(":")
    address, value = _address_of(host), _decimal(port)
    if address is None:
        raise Rejected(word.column)
    if not colon or value is None or not 1 <= value <= 65535:
        raise Rejected(word.column + len(host))
    return address, value


def _udp_port(cursor: Cursor) -> int:
    """``udp/514``; ASA's own ``17/514`` alike."""
    word = cursor.take()
    protocol, _, port = word.text.lower().partition("/")
    value = _decimal(port)
    if protocol not in ("udp", "17") or value is None or not 1 <= value <= 65535:
        raise Rejected(word.column)
    return value


ARGUMENTS: dict[str, Argument] = {
    "name": _name,
    "map-name": _matching(_NAME, 40),  # asa.md §2.1, §6.1
    "new-nameif": _matching(re.compile(r"[!-'*+\--~]+"), 48),  # no parenthesis, no comma: it goes between some
    "device": _matching(_DEVICE),
    "hostname": _matching(_HOSTNAME),
    "text": _text,
    "pattern": _pattern,
    "domain": _matching(_DOMAIN, 253),
    "address": _address,
    "mask": _mask,
    "network": _network,
    "endpoint": _endpoint,
    "protocol": _protocol,
    "tcp-ports": _ports("tcp"),
    "udp-ports": _ports("udp"),
    "timeouts": _timeouts,
    "level": _level,
    "interfaces": _interfaces,
    "listen": _listen,
    "udp-port": _udp_port,
    "nameif": _naming(Kind.NAMEIF),
    "access-list": _naming(Kind.ACCESS_LIST),
    "class-map": _naming(Kind.CLASS_MAP),
    "policy-map": _naming(Kind.POLICY_MAP),
    "inspect-map": _naming(Kind.INSPECT_MAP),
    "regex": _naming(Kind.REGEX),
    "regex-class": _naming(Kind.REGEX_CLASS),
}
