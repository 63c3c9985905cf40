"""What ``?`` says of an argument's place, in ASA's words: ``WORD``, ``A.B.C.D``, ``<0-65535>``, the words it may be.

(K: an ASA's command line; asa.md §6.8.)
"""

from __future__ import annotations

from collections.abc import Mapping

from appliance.config.names import LEVELS, PORTS
from appliance.config.nat_arguments import PAT_WORDS

_ADDRESS = "Hostname or A.B.C.D"
_PORT = {"WORD": "Name of a port", "<0-65535>": "Number of a port"}
_OPERATORS = {
    "eq": "Port equal to",
    "gt": "Ports greater than",
    "lt": "Ports less than",
    "neq": "Ports other than",
    "range": "Ports from the first to the last",
}
_GROUP = {"object-group": "A group by its name"}
_PROTOCOL = {"WORD": "Name of a protocol: ip, tcp, udp, icmp, esp, …", "<0-255>": "Number of a protocol"}
_ICMP = {"WORD": "Type of ICMP: echo, echo-reply, unreachable, …", "<0-255>": "Number of a type of ICMP"}
_INTERFACES = {"(real_ifc,mapped_ifc)": "Real and mapped interface, in brackets"}
_TRAILER = {"dns": "Kept", "norandomseq": "Kept"}


def _names(*kinds: str) -> dict[str, Mapping[str, str]]:
    return {
        kind: {"WORD": f"Name of {'an' if words[0] in 'aeio' else 'a'} {words}"}
        for kind, _, words in (each.partition("=") for each in kinds)
    }


#: By the type of argument (`arguments.ARGUMENTS`): what may stand there, and what it is.
HINTS: Mapping[str, Mapping[str, str]] = {
    **_names("nameif=interface", "access-list=access list", "class-map=class map", "policy-map=policy map"),
    **_names("inspect-map=inspect map", "regex=regex", "regex-class=class map of type regex", "place=object or group"),
    **_names("network-object=network object", "service-object=service object", "network-group=network group"),
    **_names("service-group=service group", "protocol-group=protocol group", "icmp-group=group of ICMP types"),
    "name": {"WORD": "A name"},
    "map-name": {"WORD": "A name, of 40 letters at most"},
    "new-nameif": {"WORD": "A name for the interface: inside, outside, …"},
    "device": {"WORD": "A Linux device: see ip link"},
    "vlan": {"vlan<1-4094>": "A VLAN of the interface"},
    "hostname": {"WORD": "A name for the firewall"},
    "text": {"LINE": "A text, of 200 octets at most"},
    "rest": {"LINE": "Anything"},
    "release": {"WORD": "A release: 8.2(5)"},
    "pattern": {"LINE": "A regular expression"},
    "domain": {"WORD": "A domain"},
    "address": {_ADDRESS: "IP address"},
    "ipv6": {"X:X:X:X::X[/<0-128>]": "IPv6 address or prefix: kept"},
    "mask": {"A.B.C.D": "Netmask"},
    "network": {_ADDRESS: "IP address of a network, and its netmask"},
    "range": {_ADDRESS: "The first IP address and the last"},
    "pool": {"A.B.C.D[-A.B.C.D]": "An IP address, or the first and the last"},
    "endpoint": {
        _ADDRESS: "IP address, and its netmask",
        "any": "Any address",
        "host": "A single host",
        "interface": "The address of an interface",
        "object": "A network object by its name",
        **_GROUP,
    },
    "protocol": {**_PROTOCOL, "object": "A service object by its name", **_GROUP},
    "plain-protocol": _PROTOCOL,
    **{f"{each}-port": _PORT for each in PORTS},
    **{f"{each}-service": _PORT for each in PORTS},
    **{f"{each}-operator": _OPERATORS for each in PORTS},
    **{f"{each}-ports": {**_OPERATORS, **_GROUP} for each in PORTS},
    "icmp": {**_ICMP, **_GROUP},
    "icmp-type": _ICMP,
    "ace-options": {
        "inactive": "The entry is none, for now",
        "log": "Kept: what is denied is logged",
        "time-range": "The entry permits at no time",
    },
    "timeouts": {"conn": "hh:mm:ss", "half-closed": "hh:mm:ss", "embryonic": "hh:mm:ss (ours)", "xlate": "hh:mm:ss"},
    "timeout-names": {"conn": "", "half-closed": "", "embryonic": "", "xlate": ""},
    "connection-limits": {
        "conn-max": "Connections to each server",
        "embryonic-conn-max": "Half-open connections to each server",
        "per-client-max": "Connections of each client",
        "per-client-embryonic-max": "Half-open connections of each client",
    },
    "class-timeouts": {"embryonic": "hh:mm:ss", "half-closed": "hh:mm:ss", "idle": "hh:mm:ss [reset]"},
    "level": {"<0-7>": "Number of a severity", **dict.fromkeys(LEVELS, "")},
    "interfaces": _INTERFACES,
    "any-interfaces": _INTERFACES,
    "in-brackets": {"(ifc)": "An interface, in brackets"},
    "nat-number": {"<0-2147483647>": "Number of the global addresses; 0: none"},
    "trailer": {"tcp": "Connections at most, and half-open ones", "udp": "Kept", **_TRAILER},
    "port-trailer": _TRAILER,
    "nat-options": {
        "description": "A comment",
        "inactive": "The rule is none, for now",
        "no-proxy-arp": "No ARP is answered for the mapped address",
        "route-lookup": "Kept",
        "service": "Of one port alone",
        "unidirectional": "From the real side alone",
    },
    "pat-options": dict.fromkeys(PAT_WORDS, "Kept"),
    "security": {"security<0-100>": "Security level"},
    "port-span": {"WORD": "Name of a port", "<1-65535>[-<1-65535>]": "A port, or the first and the last"},
    "listen": {"A.B.C.D:<1-65535>": "Address and port"},
    "host-port": {"udp/<1-65535>": "Protocol and port"},
}


def hint(kind: str) -> Mapping[str, str]:
    """What may stand where an argument of this type is; a range of numbers stands for itself."""
    if kind.startswith("+"):
        return dict.fromkeys(kind[1:].split("|"), "")
    return HINTS.get(kind) or {f"<{kind}>" if kind[0].isdigit() else "WORD": ""}
