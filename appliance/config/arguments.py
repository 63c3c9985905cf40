"""The arguments of statements: each type reads one or more words and gives a value, or says where it can't.

A type is a function of a `Cursor`; ``ARGUMENTS`` names them for `syntax`. A type that names a thing defined elsewhere
(an access list, a nameif) leaves a `Reference`, which `verify` resolves at the end. Which traffic is meant, `traffic`
reads.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import Any

from appliance.config import traffic
from appliance.config.cursor import Argument, Cursor, Kind, Reference, Rejected, decimal, number
from appliance.config.names import NEVER, PORTS
from appliance.config.nat import ANYWHERE, Trailer
from appliance.nat.translation import PortMap
from appliance.policy.acl import Ports
from appliance.policy.regex import PatternError, check

#: The longest name, an ASA's for access lists. With `TEXT_OCTETS` it keeps every line we print within a line's length.
NAME_OCTETS = 241
TEXT_OCTETS = 200  # asa.md §2.1

_NAME = re.compile(r"[!-~]+")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,14}")  # IFNAMSIZ - 1; no iptables wildcard
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})", re.ASCII)
_INTERFACE = re.compile(r"\([ \t]*([!-'*+\--~]+)[ \t]*\)")  # a name without parenthesis and comma
_NAT_OPTIONS = ("dns", "net-to-net", "no-proxy-arp", "route-lookup", "unidirectional", "inactive")
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
        word = cursor.peek()
        _name(cursor)
        assert word is not None, "a name was read"
        return cursor.name(kind, word)

    return read


_name = _matching(_NAME, NAME_OCTETS)


def _one_of(cursor: Cursor, *words: str) -> str:
    word = cursor.take()
    if word.text.lower() not in words:
        raise Rejected(word.column)
    return word.text.lower()


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


def _rest(cursor: Cursor) -> str:
    """The rest of the line, whatever it says."""
    start = cursor.take().column - 1
    cursor.at = len(cursor.line.words)
    return cursor.line.text[start:].rstrip(" \t")


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


def _clock(cursor: Cursor) -> int:
    """``h:mm:ss`` in seconds, up to ASA's 1193:00:00; ``0`` is none of them."""
    word = cursor.take()
    if word.text == "0":
        return 0
    found = _CLOCK.fullmatch(word.text)
    if found is None:
        raise Rejected(word.column)
    hours, minutes, seconds = (int(each) for each in found.groups())
    if hours > 1193 or minutes > 59 or seconds > 59:
        raise Rejected(word.column)
    return hours * 3600 + minutes * 60 + seconds


def _lasting(cursor: Cursor, least: int, endless: bool = True) -> int:
    """A time of `least` seconds or more; 0, of what may be `endless`, is `NEVER`."""
    column = cursor.column
    found = _clock(cursor)
    if found < least and (found or not endless):
        raise Rejected(column)
    return found or NEVER


#: What ``timeout`` sets and the least it takes, in seconds (asa.md §5.3, §6.6); ``embryonic`` here is ours.
TIMEOUTS = {"xlate": 60, "conn": 300, "half-closed": 30, "udp": 60, "icmp": 2, "embryonic": 5}
#: Those that may be none at all.
ENDLESS = ("conn", "half-closed", "udp")
#: What it sets besides, and a word that may stand behind the time.
OTHER_TIMEOUTS = {
    **dict.fromkeys(("conn-holddown", "floating-conn", "h225", "h323", "mgcp", "mgcp-pat", "pat-xlate"), ""),
    **dict.fromkeys(("rpc", "sctp", "sip", "sip-disconnect", "sip-invite", "sip-provisional-media", "sip_media"), ""),
    **dict.fromkeys(("sunrpc", "tcp-proxy-reassembly"), ""),
    "igp stale-route": "",
    "uauth": " absolute",
}


#: What ``set connection`` limits, and to what at most (asa.md §5.3).
LIMITS = ("conn-max", "embryonic-conn-max", "per-client-max", "per-client-embryonic-max")
MOST_CONNECTIONS = 2_000_000
#: The timeouts of a class and the least each takes, in seconds; ``tcp`` is what 7.x calls ``idle``.
CLASS_TIMEOUTS = {"embryonic": 5, "half-closed": 30, "idle": 300}


#: What it says besides, which is kept and not acted on.
_OTHER_LIMITS: dict[str, Argument] = {
    "random-sequence-number": lambda cursor: _one_of(cursor, "enable", "disable"),
    "syn-cookie-mss": lambda cursor: str(number(48, 65535)(cursor)),
}


def _connection_limits(cursor: Cursor) -> dict[str, int | str]:
    """``conn-max 50 per-client-max 5``: pairs up to the line's end, at least one, in any order; others as words."""
    found: dict[str, int | str] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        name = word.text.lower()
        if name in LIMITS:
            found[name] = number(0, MOST_CONNECTIONS)(cursor)
        elif name in _OTHER_LIMITS:
            found[name] = _OTHER_LIMITS[name](cursor)
        else:
            raise Rejected(word.column)
    return found


def _probes(cursor: Cursor) -> str:
    """Behind ``dcd``: ``[RETRY-INTERVAL [MAX-RETRIES]]``, as written."""
    start = cursor.at
    following = cursor.peek()
    if following is not None and _CLOCK.fullmatch(following.text):
        _clock(cursor)
        retries = cursor.peek()
        if retries is not None and retries.text.isdigit():
            number(1, 255)(cursor)
    return " ".join(each.text for each in cursor.line.words[start : cursor.at])


def _class_timeouts(cursor: Cursor) -> dict[str, int | str]:
    """``embryonic 0:00:20 idle 2:00:00 reset``: pairs up to the line's end; ``reset`` is 1 behind ``idle``; ``dcd``."""
    found: dict[str, int | str] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        name = "idle" if word.text.lower() == "tcp" else word.text.lower()
        if name == "dcd":
            found[name] = _probes(cursor)
            continue
        if name not in CLASS_TIMEOUTS:
            raise Rejected(word.column)
        found[name] = _lasting(cursor, CLASS_TIMEOUTS[name])
        following = cursor.peek()
        if name == "idle":
            reset = int(following is not None and following.text.lower() == "reset")
            found["reset"] = reset
            cursor.at += reset
    return found


def _timeouts(cursor: Cursor) -> dict[str, int]:
    """``conn 1:00:00 half-closed 0:10:00``: pairs up to the line's end, at least one, in any order."""
    found: dict[str, int] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        name = word.text.lower()
        if name == "igp":
            name = f"igp {cursor.take().text.lower()}"
        if name not in TIMEOUTS and name not in OTHER_TIMEOUTS:
            raise Rejected(word.column)
        least = TIMEOUTS.get(name)
        found[name] = _clock(cursor) if least is None else _lasting(cursor, least, name in ENDLESS)
        following = cursor.peek()
        if name == "uauth" and following is not None and following.text.lower() in ("absolute", "inactivity"):
            cursor.at += 1
    return found


def _timeout_names(cursor: Cursor) -> tuple[str, ...]:
    """The same behind ``no``, with the times or without."""
    found: list[str] = []
    while not found or cursor.peek() is not None:
        word = cursor.take()
        if word.text.lower() in TIMEOUTS or word.text.lower() in OTHER_TIMEOUTS:
            found.append(word.text.lower())
        elif not found or not (word.text == "0" or _CLOCK.fullmatch(word.text)):
            raise Rejected(word.column)
    return tuple(found)


def _any_interfaces(cursor: Cursor) -> tuple[str, str]:
    """The same; ``any`` may stand for either."""
    known = len(cursor.references)
    found = _interfaces(cursor)
    cursor.references[known:] = [each for each in cursor.references[known:] if each.name != ANYWHERE]
    return found


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


def _in_brackets(cursor: Cursor) -> str:
    """``(inside)``"""
    word = cursor.take()
    found = _INTERFACE.fullmatch(word.text)
    if found is None:
        raise Rejected(word.column)
    name = found.group(1)
    cursor.references.append(Reference(Kind.NAMEIF, name, cursor.line, word.column + found.start(1)))
    return name


def _trailer(cursor: Cursor) -> Trailer:
    """``dns norandomseq tcp MAX EMBRYONIC udp MAX`` in any order; without ``tcp``, PIX 6's."""
    found: dict[str, Any] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        text = word.text.lower()
        if text in found or (text != "udp" and text.isdigit() and "tcp" in found):
            raise Rejected(word.column)
        match text:
            case "dns" | "norandomseq":
                found[text] = True
            case "udp":
                found["udp"] = number(0, 65535)(cursor)
            case _:
                if text != "tcp":
                    cursor.at -= 1
                found["tcp"] = number(0, 65535)(cursor)
                following = cursor.peek()
                if following is not None and decimal(following.text) is not None:
                    found["embryonic"] = number(0, 65536)(cursor)
    return Trailer(**found)


def _nat_options(cursor: Cursor) -> dict[str, Any]:
    """What a `nat` of 8.3 ends with; ``service tcp REAL MAPPED`` among it."""
    words: dict[str, None] = {}
    found: dict[str, Any] = {}
    while cursor.peek() is not None:
        word = cursor.take()
        text = word.text.lower()
        if text in _NAT_OPTIONS and text not in words:
            words[text] = None
        elif text == "service" and not found:
            found |= _nat_service(cursor)
        elif text == "description":
            found["description"] = _text(cursor)
        else:
            raise Rejected(word.column)
    return {"words": tuple(words), **found}


def _nat_service(cursor: Cursor) -> dict[str, Any]:
    protocol = cursor.take().text.lower()
    if protocol not in ("tcp", "udp"):
        cursor.at -= 1
        return {"services": (cursor.name(Kind.SERVICE, cursor.take()), cursor.name(Kind.SERVICE, cursor.take()))}
    port = traffic.port(protocol)
    return {"ports": PortMap(protocol, port(cursor), port(cursor))}


def _place(cursor: Cursor) -> str:
    """An object or a group of addresses by name, or ``any``."""
    word = cursor.peek()
    name = str(_name(cursor))
    if name == ANYWHERE or word is None:
        return name
    return cursor.name(Kind.PLACE, word)


def _security(cursor: Cursor) -> int:
    """``security50``, PIX 6's."""
    word = cursor.take()
    value = decimal(word.text[8:])
    if not word.text.lower().startswith("security") or value is None or value > 100:
        raise Rejected(word.column)
    return value


def _port_span(cursor: Cursor) -> Ports:
    """``25``, ``smtp``, ``25-26``"""
    word = cursor.take()
    first, dash, last = word.text.lower().partition("-")
    ends = [PORTS["tcp"].get(each, decimal(each)) for each in (first, last if dash else first)]
    if ends[0] is None or ends[1] is None or not 1 <= ends[0] <= ends[1] <= 65535:
        raise Rejected(word.column)
    return Ports("eq" if ends[0] == ends[1] else "range", ends[0], ends[1])


def _listen(cursor: Cursor) -> tuple[IPv4Address, int]:
    """``127.0.0.1:9137``"""
    word = cursor.take()
    host, colon, port = word.text.partition(":")
    address, value = traffic.address_of(host), decimal(port)
    if address is None:
        raise Rejected(word.column)
    if not colon or value is None or not 1 <= value <= 65535:
        raise Rejected(word.column + len(host))
    return address, value


_SYSLOG_PROTOCOLS = {"udp": "udp", "17": "udp", "tcp": "tcp", "6": "tcp"}


def _host_port(cursor: Cursor) -> tuple[str, int]:
    """``udp/514``, ``tcp/1470``; ASA's own ``17/514``, ``6/1470`` alike."""
    word = cursor.take()
    protocol, _, port = word.text.lower().partition("/")
    value = decimal(port)
    if protocol not in _SYSLOG_PROTOCOLS:
        raise Rejected(word.column)
    if value is None or not 1 <= value <= 65535:
        raise Rejected(word.column + len(protocol) + 1)
    return _SYSLOG_PROTOCOLS[protocol], value


ARGUMENTS: dict[str, Argument] = {
    "name": _name,
    "map-name": _matching(_NAME, 40),  # asa.md §2.1, §6.1
    "new-nameif": _matching(re.compile(r"[!-'*+\--~]+"), 48),  # no parenthesis, no comma: it goes between some
    "device": _matching(_DEVICE),
    "vlan": _matching(re.compile(r"vlan\d{1,4}", re.IGNORECASE)),
    "hostname": _matching(_HOSTNAME),
    "text": _text,
    "rest": _rest,
    "release": _matching(re.compile(r"\d{1,2}\.\d{1,2}\(\S+")),  # 8.2(5), 9.1(7)16
    "pattern": _pattern,
    "domain": _matching(_DOMAIN, 253),
    "address": traffic.address,
    "ipv6": traffic.ipv6_words,
    "mask": traffic.mask,
    "network": traffic.network,
    "range": traffic.address_range,
    "pool": traffic.pool,
    "endpoint": traffic.endpoint,
    "protocol": traffic.protocol,
    "plain-protocol": traffic.plain_protocol,
    **{f"{each}-ports": traffic.ports(each) for each in PORTS},
    **{f"{each}-operator": traffic.plain_ports(each) for each in PORTS},
    **{f"{each}-port": traffic.port(each) for each in PORTS},
    **{f"{each}-service": traffic.one_port(each) for each in PORTS},
    "icmp": traffic.icmp,
    "icmp-type": traffic.plain_icmp,
    "ace-options": traffic.ace_options,
    "timeouts": _timeouts,
    "connection-limits": _connection_limits,
    "class-timeouts": _class_timeouts,
    "timeout-names": _timeout_names,
    "level": traffic.level,
    "interfaces": _interfaces,
    "any-interfaces": _any_interfaces,
    "in-brackets": _in_brackets,
    "nat-number": number(0, 2147483647),
    "trailer": _trailer,
    "port-trailer": _trailer,
    "nat-options": _nat_options,
    "place": _place,
    "security": _security,
    "port-span": _port_span,
    "listen": _listen,
    "host-port": _host_port,
    "nameif": _naming(Kind.NAMEIF),
    "access-list": _naming(Kind.ACCESS_LIST),
    "class-map": _naming(Kind.CLASS_MAP),
    "policy-map": _naming(Kind.POLICY_MAP),
    "inspect-map": _naming(Kind.INSPECT_MAP),
    "network-object": _naming(Kind.NETWORK),
    "service-object": _naming(Kind.SERVICE),
    "network-group": _naming(Kind.GROUP_NETWORK),
    "service-group": _naming(Kind.GROUP_SERVICE),
    "protocol-group": _naming(Kind.GROUP_PROTOCOL),
    "icmp-group": _naming(Kind.GROUP_ICMP_TYPE),
    "regex": _naming(Kind.REGEX),
    "regex-class": _naming(Kind.REGEX_CLASS),
}
#: The words that an argument of some types begins with: no other line need be tried.
BEGINS = {
    **dict.fromkeys((f"{each}-ports" for each in PORTS), frozenset((*traffic.OPERATORS, "object-group"))),
    **dict.fromkeys((f"{each}-operator" for each in PORTS), frozenset(traffic.OPERATORS)),
    "ace-options": frozenset(("log", "inactive", "time-range")),
}
