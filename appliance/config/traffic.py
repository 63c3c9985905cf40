"""Arguments that say which traffic: addresses, protocols, ports, ICMP types, and what an access list's entry ends with.

An address may be a `name`. A group whose kind is known by then tells a port's place from a destination's.
"""

from __future__ import annotations

import functools
import re
from ipaddress import IPv4Address, IPv4Network, IPv6Interface
from typing import Any

from appliance.config.cursor import Argument, Cursor, Kind, Rejected, decimal, number
from appliance.config.diagnostics import INVALID
from appliance.config.names import ICMP_TYPES, LEVELS, PORTS, PROTOCOLS
from appliance.policy.acl import ANY, Endpoint, IcmpType, Log, Named, Ports
from appliance.policy.objects import AddressRange, GroupKind

ANY4, ANY6 = Named("any4"), Named("any6")
#: Told once of a file.
IPV6 = "WARNING: accepted, not acted on: addresses of IPv6, which does not pass"
_THIS_NETWORK = IPv4Network("0.0.0.0/8")  # RFC 1122 §3.2.1.3: no host's
_MASKS = IPv4Network("255.0.0.0/8")


_OCTET = r"(0|[1-9]\d{0,2})"
_DOTTED = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}", re.ASCII)


# A long file says the same address again and again, and `ipaddress` takes its time with text.
@functools.lru_cache(maxsize=65536)
def address_of(text: str) -> IPv4Address | None:
    """The address `text` is, if it is one; 0 is 0.0.0.0."""
    if text == "0":
        return IPv4Address(0)
    found = _DOTTED.fullmatch(text)
    octets = [int(each) for each in found.groups()] if found else [256]
    return IPv4Address(int.from_bytes(bytes(octets), "big")) if max(octets) < 256 else None


def address(cursor: Cursor) -> IPv4Address:
    """``192.0.2.25``, a name that stands for it, or ``0`` for 0.0.0.0."""
    word = cursor.take()
    found = address_of(word.text) or cursor.names.get(word.text)
    if found is None:
        raise Rejected(word.column)
    return found


@functools.lru_cache(maxsize=1024)
def prefix_of(text: str) -> int | None:
    """The length of a netmask, None where `text` isn't one; ``0.0.0.255`` is no netmask."""
    mask = address_of(text)
    if mask is None:
        return None
    inverse = ~int(mask) & 0xFFFFFFFF
    return 32 - inverse.bit_length() if inverse & (inverse + 1) == 0 else None


def mask(cursor: Cursor) -> int:
    """The length of a netmask."""
    word = cursor.take()
    prefix = prefix_of(word.text)
    if prefix is None:
        raise Rejected(word.column)
    return prefix


def network(cursor: Cursor) -> IPv4Network:
    """``10.0.0.0 255.0.0.0``; the address has no bits beyond its mask."""
    column = cursor.column
    return paired(address(cursor), mask(cursor), column)


@functools.lru_cache(maxsize=65536)
def _network_of(address: IPv4Address, prefix: int) -> IPv4Network:
    return IPv4Network((int(address), prefix), strict=False)


def paired(address: IPv4Address, prefix: int, column: int) -> IPv4Network:
    """The network of both; Rejected where the address has bits beyond the mask."""
    found = _network_of(address, prefix)
    if found.network_address != address:
        raise Rejected(column, f"ERROR: IP address,mask <{address},{found.netmask}> doesn't pair")
    return found


def address_range(cursor: Cursor) -> AddressRange:
    """``192.0.2.10 192.0.2.20``"""
    column = cursor.column
    first, last = address(cursor), address(cursor)
    if last < first:
        raise Rejected(column, f"ERROR: the range ends before it begins: {first} {last}")
    return AddressRange(first, last)


def pool(cursor: Cursor) -> AddressRange:
    """``203.0.113.5``, ``203.0.113.5-203.0.113.9``"""
    word = cursor.take()
    first, dash, last = word.text.partition("-")
    ends = [address_of(each) or cursor.names.get(each) for each in (first, last if dash else first)]
    if ends[0] is None or ends[1] is None or ends[1] < ends[0]:
        raise Rejected(word.column)
    return AddressRange(ends[0], ends[1])


@functools.lru_cache(maxsize=65536)
def _host(address: IPv4Address) -> IPv4Network:
    return IPv4Network(int(address))


def endpoint(cursor: Cursor) -> Endpoint:
    """``any``, ``host A``, ``A MASK``, ``object N``, …; a bare A is a host, with a warning (row 18)."""
    word = cursor.take()
    match word.text.lower():
        case "any":
            return ANY
        case "any4":
            return ANY4
        case "any6":
            return ANY6
        case "host":
            return ipv6_host(cursor) or _host(address(cursor))
        case "interface":
            return Named("interface", cursor.name(Kind.NAMEIF, cursor.take()))
        case "object":
            return Named("object", cursor.name(Kind.NETWORK, cursor.take()))
        case "object-group":
            return Named("object-group", _group(cursor, Kind.GROUP_NETWORK, GroupKind.NETWORK))
    cursor.at -= 1
    sixth = ipv6(cursor)
    if sixth is not None:
        return sixth
    found = address(cursor)
    following = cursor.peek()
    prefix = prefix_of(following.text) if following else None
    if following is not None and prefix is None and _wildcard(following.text):
        raise Rejected(following.column, f"ERROR: IP address,mask <{found},{following.text}> doesn't pair")
    if prefix is None:
        cursor.warnings.append((word.column, f"WARNING: {found} without a mask is taken as host {found}"))
        return IPv4Network(found)
    cursor.at += 1
    return paired(found, prefix, word.column)


def ipv6(cursor: Cursor) -> Named | None:
    """``2001:db8::/32``, or an address or two of such: read and kept, and nothing of IPv4; None where none stands."""
    word = cursor.peek()
    if word is None or ":" not in word.text:
        return None
    try:
        IPv6Interface(word.text)
    except ValueError:
        raise Rejected(word.column) from None
    cursor.at += 1
    cursor.warnings.append((word.column, IPV6))
    return Named(word.text.lower())


def ipv6_host(cursor: Cursor) -> Named | None:
    """The same behind ``host``."""
    found = ipv6(cursor)
    return None if found is None else Named("host", found.kind)


def ipv6_words(cursor: Cursor) -> Named:
    """One address of IPv6, a network, or the first and the last of a range."""
    first = ipv6(cursor)
    if first is None:
        raise Rejected(cursor.column)
    last = ipv6(cursor)
    return first if last is None else Named(first.kind, last.kind)


def _wildcard(text: str) -> bool:
    """``0.0.0.255``, a mask as routers write it, or ``255.0.255.0``, which is none: no host is called so."""
    found = address_of(text)
    return found is not None and (found in _THIS_NETWORK or found in _MASKS)


def _group(cursor: Cursor, kind: Kind, *kinds: GroupKind) -> str:
    """The group's name, unless it is known to be of another kind: then something else stands here."""
    word = cursor.take()
    if cursor.groups.get(word.text, kinds[0]) not in kinds:
        raise Rejected(word.column)
    return cursor.name(kind, word)


def _known_group(cursor: Cursor, kind: Kind, group: GroupKind) -> Named:
    """``object-group NAME`` of a group that is known to be of the kind: else it may be a destination."""
    word = cursor.take()
    following = cursor.peek()
    if word.text.lower() != "object-group" or following is None or cursor.groups.get(following.text) is not group:
        raise Rejected(word.column)
    return Named("object-group", cursor.name(kind, cursor.take()))


def plain_protocol(cursor: Cursor) -> str:
    """``tcp``, ``esp``, ``132``, as the first name its number has."""
    word = cursor.take()
    text = word.text.lower()
    value = PROTOCOLS[text] if text in PROTOCOLS else decimal(text)
    if text == "ip":
        return text
    if value is None or value > 255:
        raise Rejected(word.column)
    return next((name for name, known in PROTOCOLS.items() if known == value), str(value))


def protocol(cursor: Cursor) -> str | Named:
    """A protocol, ``object SERVICE``, ``object-group SERVICES-OR-PROTOCOLS``."""
    word = cursor.peek()
    match word.text.lower() if word else "":
        case "object":
            cursor.at += 1
            return Named("object", cursor.name(Kind.SERVICE, cursor.take()))
        case "object-group":
            cursor.at += 1
            kinds = GroupKind.PROTOCOL, GroupKind.SERVICE
            return Named("object-group", _group(cursor, Kind.GROUP_PROTOCOLS, *kinds))
    return plain_protocol(cursor)


def port(protocol: str, low: int = 0, high: int = 65535) -> Argument:
    """A port by number or by its name in `protocol`."""

    def read(cursor: Cursor) -> int:
        word = cursor.peek()
        known = PORTS[protocol].get(word.text.lower()) if word else None
        if known is None or not low <= known <= high:
            return int(number(low, high)(cursor))
        cursor.at += 1
        return known

    return read


def one_port(protocol: str) -> Argument:
    """A port alone, which stands for ``eq PORT``."""
    read_port = port(protocol)

    def read(cursor: Cursor) -> Ports:
        found = int(read_port(cursor))
        return Ports("eq", found, found)

    return read


#: The operators of ports, and the ports that may stand behind each.
# No port is below 0 or above 65535: `lt 0` and `gt 65535` could match nothing.
OPERATORS = {"eq": (0, 65535), "neq": (0, 65535), "lt": (1, 65535), "gt": (0, 65534), "range": (0, 65535)}


def plain_ports(protocol: str) -> Argument:
    """A port operator; the port's name is one of `protocol`'s."""

    def read(cursor: Cursor) -> Ports:
        word = cursor.take()
        operator = word.text.lower()
        if operator not in OPERATORS:
            raise Rejected(word.column)
        first = port(protocol, *OPERATORS[operator])(cursor)
        return Ports(operator, first, port(protocol, first, 65535)(cursor) if operator == "range" else first)

    return read


def ports(protocol: str) -> Argument:
    """A port operator, or a group of services that is known by now."""
    plain = plain_ports(protocol)

    def read(cursor: Cursor) -> Ports | Named:
        word = cursor.peek()
        if word is not None and word.text.lower() == "object-group":
            return _known_group(cursor, Kind.GROUP_SERVICE, GroupKind.SERVICE)
        found: Ports = plain(cursor)
        return found

    return read


def plain_icmp(cursor: Cursor) -> IcmpType:
    """``echo``, ``8``, ``unreachable 4``: a type and a code."""
    word = cursor.take()
    kind = ICMP_TYPES.get(word.text.lower(), decimal(word.text))
    if kind is None or kind > 255:
        raise Rejected(word.column)
    following = cursor.peek()
    code = decimal(following.text) if following else None
    if code is None:
        return IcmpType(kind)
    if code > 255:
        raise Rejected(cursor.column)
    cursor.at += 1
    return IcmpType(kind, code)


def icmp(cursor: Cursor) -> IcmpType | Named:
    """An ICMP type, or a group of them."""
    word = cursor.peek()
    if word is not None and word.text.lower() == "object-group":
        cursor.at += 1
        return Named("object-group", _group(cursor, Kind.GROUP_ICMP_TYPE, GroupKind.ICMP_TYPE))
    return plain_icmp(cursor)


def level(cursor: Cursor) -> int:
    """A severity of syslog by number or name."""
    word = cursor.take()
    value = decimal(word.text)
    if value is not None and value < len(LEVELS):
        return value
    # The first letters say which level: ASA takes abbreviations here as everywhere.
    found = [at for at, name in enumerate(LEVELS) if name.startswith(word.text.lower())]
    if len(found) != 1:
        raise Rejected(word.column)
    return found[0]


def ace_options(cursor: Cursor) -> dict[str, Any]:
    """What an entry ends with: ``log …``, ``time-range NAME``, ``inactive``, each once, in any order."""
    found: dict[str, Any] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        match word.text.lower():
            case "log" if "log" not in found:
                found["log"] = _log(cursor)
            case "inactive" if "inactive" not in found:
                found["inactive"] = True
            case "time-range" if "time_range" not in found:
                found["time_range"] = cursor.name(Kind.TIME_RANGE, cursor.take())
            case _:
                raise Rejected(word.column, INVALID)
    return found


def _log(cursor: Cursor) -> Log:
    """Behind ``log``: ``[LEVEL] [interval SECONDS]``, ``disable``, ``default``, or nothing."""
    word = cursor.peek()
    if word is not None and word.text.lower() in ("disable", "default"):
        cursor.at += 1
        return Log(word.text.lower())
    severity, interval = None, None
    if word is not None and word.text.lower() not in ("interval", "inactive", "time-range"):
        severity = level(cursor)
        word = cursor.peek()
    if word is not None and word.text.lower() == "interval":
        cursor.at += 1
        interval = number(1, 600)(cursor)
    return Log(level=severity, interval=interval)
