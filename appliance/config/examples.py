"""An example of every statement, made of its syntax: the longest way through it, a sample for each argument."""

from __future__ import annotations

import re

from appliance.config.syntax import Mode, Statement

#: A sample of each type of argument (`appliance.config.arguments`).
SAMPLES = {
    "name": "mail",
    "map-name": "mail",
    "new-nameif": "outside",
    "device": "eth0",
    "vlan": "vlan20",
    "hostname": "edge",
    "text": "mail from the world",
    "rest": "10",
    "release": "8.2(5)",
    "pattern": '"user1@example\\.com"',
    "domain": "example.com",
    "address": "192.0.2.25",
    "ipv6": "2001:db8::25",
    "mask": "255.255.255.255",
    "network": "192.0.2.0 255.255.255.0",
    "range": "192.0.2.25 192.0.2.30",
    "pool": "203.0.113.60-203.0.113.70",
    "endpoint": "host 192.0.2.25",
    "protocol": "object-group protocols",
    "plain-protocol": "gre",
    "ports": "eq 25",
    "operator": "eq 25",
    "service": "25",
    "port": "25",
    "icmp": "echo-reply",
    "icmp-type": "echo-reply",
    "ace-options": "log notifications interval 300 inactive",
    "timeouts": "conn 1:00:00 half-closed 0:10:00",
    "timeout-names": "conn",
    "level": "informational",
    "interfaces": "(inside,outside)",
    "any-interfaces": "(inside,outside)",
    "in-brackets": "(inside)",
    "trailer": "norandomseq tcp 50 100",
    "port-trailer": "norandomseq",
    "nat-number": "0",
    "connection-limits": "conn-max 50 embryonic-conn-max 100",
    "class-timeouts": "embryonic 0:00:30 half-closed 0:10:00",
    "nat-options": "no-proxy-arp route-lookup",
    "pat-options": "round-robin extended",
    "place": "servers",
    "listen": "127.0.0.1:9137",
    "port-span": "25",
    "security": "security0",
    "host-port": "udp/514",
    "nameif": "outside",
    "access-list": "outside_in",
    "class-map": "mail",
    "policy-map": "global_policy",
    "inspect-map": "strict",
    "regex": "senders",
    "regex-class": "blocked",
    "network-object": "server",
    "service-object": "submission",
    "network-group": "servers",
    "service-group": "ports",
    "protocol-group": "protocols",
    "icmp-group": "pings",
}
#: What opens each mode; the example of any of its statements may stand behind one of these.
OPENED = {
    Mode.CONFIGURE: ("", "nameif ethernet0 outside security0\n", "logging list mail level errors\n"),
    Mode.INTERFACE: ("interface Ethernet0/0\n",),
    Mode.NETWORK_OBJECT: ("object network server\n",),
    Mode.SERVICE_OBJECT: ("object service submission\n",),
    Mode.NETWORK_GROUP: ("object-group network servers\n",),
    Mode.SERVICE_GROUP: ("object-group service ports\n", "object-group service ports tcp\n"),
    Mode.PROTOCOL_GROUP: ("object-group protocol protocols\n",),
    Mode.ICMP_GROUP: ("object-group icmp-type pings\n",),
    Mode.TIME_RANGE: ("time-range office\n",),
    Mode.CLASS_MAP: ("class-map mail\n",),
    Mode.REGEX_CLASS: ("class-map type regex match-any blocked\n",),
    Mode.POLICY_MAP: ("policy-map global_policy\n",),
    Mode.CLASS: ("policy-map global_policy\nclass mail\n",),
    Mode.INSPECT_MAP: ("policy-map type inspect esmtp strict\n",),
    Mode.MATCH: (
        "policy-map type inspect esmtp strict\nmatch cmd line length gt 512\n",
        "policy-map type inspect esmtp strict\nmatch ehlo-reply-parameter others\n",
        "policy-map type inspect esmtp strict\nmatch cmd verb NOOP\n",
        "policy-map type inspect esmtp strict\nmatch cmd verb NOOP\nlog\n",
    ),
    Mode.PARAMETERS: ("policy-map type inspect esmtp strict\nparameters\n",),
    Mode.ACCEPTED: ("",),
}
_TOKEN = re.compile(r"\[|\]|<[^<>]+>|[^\[\]<> ]+")
_RANGE = re.compile(r"(\d+)-(\d+)")


def example(statement: Statement) -> str:
    """The statement with every optional part, and the first of every choice."""
    return " ".join(_sample(token) for token in _TOKEN.findall(statement.syntax) if token not in "[]")


def _sample(token: str) -> str:
    if not token.startswith("<"):
        return token
    _, separator, words = re.split(r"([=+:])", token[1:-1], maxsplit=1)
    if separator != ":":
        return words.split("|")[0]
    bounds = _RANGE.fullmatch(words)
    if bounds:
        low, high = int(bounds[1]), int(bounds[2])
        return str(low or min(high, 50))
    return SAMPLES.get(words) or SAMPLES[words.rpartition("-")[2]]


def written(statement: Statement) -> str:
    """The syntax as a command reference prints it: ``hostname NAME``, ``{permit|deny}``, ``<0-100>``."""
    return "".join(_written(token) for token in re.findall(r"<[^<>]+>|[^<]+", statement.syntax))


def _written(token: str) -> str:
    if not token.startswith("<"):
        return token
    name, separator, kind = re.split(r"([=+:])", token[1:-1], maxsplit=1)
    if separator != ":":
        several = " …" if separator == "+" else ""
        return f"{{{kind}}}{several}" if "|" in kind else kind + several
    if _RANGE.fullmatch(kind):
        return f"<{kind}>"
    return "…" if kind == "rest" else (kind if name == "_" else name).upper().replace("_", "-")
