"""The arguments of statements: each type reads one or more words and gives a value, or says where it can't.

A type is a function of a `Cursor`; ``ARGUMENTS`` names them for `syntax`. A type that names a thing defined elsewhere
(an access list, a nameif) leaves a `Reference`, which `verify` resolves at the end. Which traffic is meant, `traffic`
reads; what is kept of connections, `connection_settings`; translations, `nat_arguments`; plain words, `words`.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address

from appliance.config import traffic
from appliance.config.connection_settings import class_timeouts, connection_limits, timeout_names, timeouts
from appliance.config.cursor import Argument, Cursor, Kind, Rejected, decimal, number
from appliance.config.names import PORTS
from appliance.config.nat_arguments import (
    PAT_WORDS,
    any_interfaces,
    in_brackets,
    interfaces,
    nat_options,
    pat_options,
    place,
    trailer,
)
from appliance.config.words import NAME, any_name, matching, naming, pattern, rest, text_to_end
from appliance.policy.acl import Ports

_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@-]{0,14}")  # IFNAMSIZ - 1; no iptables wildcard
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


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
    "name": any_name,
    "map-name": matching(NAME, 40),  # asa.md §2.1, §6.1
    "new-nameif": matching(re.compile(r"[!-'*+\--~]+"), 48),  # no parenthesis, no comma: it goes between some
    "device": matching(_DEVICE),
    "vlan": matching(re.compile(r"vlan\d{1,4}", re.IGNORECASE)),
    "hostname": matching(_HOSTNAME),
    "text": text_to_end,
    "rest": rest,
    "release": matching(re.compile(r"\d{1,2}\.\d{1,2}\(\S+")),  # 8.2(5), 9.1(7)16
    "pattern": pattern,
    "domain": matching(_DOMAIN, 253),
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
    "timeouts": timeouts,
    "connection-limits": connection_limits,
    "class-timeouts": class_timeouts,
    "timeout-names": timeout_names,
    "level": traffic.level,
    "interfaces": interfaces,
    "any-interfaces": any_interfaces,
    "in-brackets": in_brackets,
    "nat-number": number(0, 2147483647),
    "trailer": trailer,
    "port-trailer": trailer,
    "nat-options": nat_options,
    "pat-options": pat_options,
    "place": place,
    "security": _security,
    "port-span": _port_span,
    "listen": _listen,
    "host-port": _host_port,
    "nameif": naming(Kind.NAMEIF),
    "access-list": naming(Kind.ACCESS_LIST),
    "class-map": naming(Kind.CLASS_MAP),
    "policy-map": naming(Kind.POLICY_MAP),
    "inspect-map": naming(Kind.INSPECT_MAP),
    "network-object": naming(Kind.NETWORK),
    "service-object": naming(Kind.SERVICE),
    "network-group": naming(Kind.GROUP_NETWORK),
    "service-group": naming(Kind.GROUP_SERVICE),
    "protocol-group": naming(Kind.GROUP_PROTOCOL),
    "icmp-group": naming(Kind.GROUP_ICMP_TYPE),
    "regex": naming(Kind.REGEX),
    "regex-class": naming(Kind.REGEX_CLASS),
}
#: The words that an argument of some types begins with: no other line need be tried.
BEGINS = {
    **dict.fromkeys((f"{each}-ports" for each in PORTS), frozenset((*traffic.OPERATORS, "object-group"))),
    **dict.fromkeys((f"{each}-operator" for each in PORTS), frozenset(traffic.OPERATORS)),
    "ace-options": frozenset(("log", "inactive", "time-range")),
    "pat-options": frozenset(PAT_WORDS),
}
