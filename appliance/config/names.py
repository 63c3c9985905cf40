"""The words that stand for numbers in a rule file, and back: ports, protocols, levels, times (asa.md §6.4-6.7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from appliance.policy.acl import ANY, Endpoint, IcmpType, Ports

#: TCP and UDP ports with a name; a number with one is printed as the first that it has.
TCP_PORTS = {
    "echo": 7,
    "discard": 9,
    "daytime": 13,
    "chargen": 19,
    "ftp-data": 20,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "whois": 43,
    "tacacs": 49,
    "domain": 53,
    "gopher": 70,
    "finger": 79,
    "www": 80,
    "http": 80,
    "kerberos": 750,
    "hostname": 101,
    "pop2": 109,
    "pop3": 110,
    "sunrpc": 111,
    "ident": 113,
    "nntp": 119,
    "netbios-ssn": 139,
    "imap4": 143,
    "bgp": 179,
    "irc": 194,
    "ldap": 389,
    "https": 443,
    "pim-auto-rp": 496,
    "exec": 512,
    "login": 513,
    "rsh": 514,
    "cmd": 514,
    "lpd": 515,
    "talk": 517,
    "uucp": 540,
    "klogin": 543,
    "kshell": 544,
    "rtsp": 554,
    "ldaps": 636,
    "lotusnotes": 1352,
    "citrix-ica": 1494,
    "sqlnet": 1521,
    "h323": 1720,
    "pptp": 1723,
    "nfs": 2049,
    "ctiqbe": 2748,
    "cifs": 3020,
    "sip": 5060,
    "aol": 5190,
    "pcanywhere-data": 5631,
}
UDP_PORTS = {
    "echo": 7,
    "discard": 9,
    "time": 37,
    "nameserver": 42,
    "tacacs": 49,
    "domain": 53,
    "bootps": 67,
    "bootpc": 68,
    "tftp": 69,
    "www": 80,
    "http": 80,
    "kerberos": 750,
    "sunrpc": 111,
    "ntp": 123,
    "netbios-ns": 137,
    "netbios-dgm": 138,
    "snmp": 161,
    "snmptrap": 162,
    "xdmcp": 177,
    "dnsix": 195,
    "mobile-ip": 434,
    "pim-auto-rp": 496,
    "isakmp": 500,
    "biff": 512,
    "who": 513,
    "syslog": 514,
    "talk": 517,
    "rip": 520,
    "radius": 1645,
    "radius-acct": 1646,
    "nfs": 2049,
    "cifs": 3020,
    "vxlan": 4789,
    "sip": 5060,
    "secureid-udp": 5510,
    "pcanywhere-status": 5632,
}
#: By protocol; of another one a port is a number.
PORTS = {"tcp": TCP_PORTS, "udp": UDP_PORTS, "tcp-udp": {**UDP_PORTS, **TCP_PORTS}, "sctp": {}}

#: The protocols an ACE names; any other is a number. The first name of a number is printed.
PROTOCOLS = {
    "ip": None,
    "icmp": 1,
    "igmp": 2,
    "ipinip": 4,
    "tcp": 6,
    "igrp": 9,
    "udp": 17,
    "gre": 47,
    "pptp": 47,
    "esp": 50,
    "ipsec": 50,
    "ah": 51,
    "icmp6": 58,
    "eigrp": 88,
    "ospf": 89,
    "nos": 94,
    "pim": 103,
    "pcp": 108,
    "snp": 109,
    "sctp": 132,
}

#: ICMP's types.
ICMP_TYPES = {
    "echo-reply": 0,
    "unreachable": 3,
    "source-quench": 4,
    "redirect": 5,
    "alternate-address": 6,
    "echo": 8,
    "router-advertisement": 9,
    "router-solicitation": 10,
    "time-exceeded": 11,
    "parameter-problem": 12,
    "timestamp-request": 13,
    "timestamp-reply": 14,
    "information-request": 15,
    "information-reply": 16,
    "mask-request": 17,
    "mask-reply": 18,
    "traceroute": 30,
    "conversion-error": 31,
    "mobile-redirect": 32,
}

#: syslog's severities, 0 to 7, as ASA spells them.
LEVELS = ("emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging")


def port_name(protocol: str, port: int) -> str:
    """The name of `port` in `protocol`, or its number."""
    return next((name for name, number in PORTS.get(protocol, {}).items() if number == port), str(port))


def ports_text(protocol: str, ports: Ports) -> str:
    """``eq smtp``, ``range 1024 65535``"""
    low = port_name(protocol, ports.low)
    return f"range {low} {port_name(protocol, ports.high)}" if ports.operator == "range" else f"{ports.operator} {low}"


def icmp_text(icmp: IcmpType) -> str:
    """``echo-reply``, ``unreachable 4``"""
    name = next((name for name, number in ICMP_TYPES.items() if number == icmp.type), str(icmp.type))
    return name if icmp.code is None else f"{name} {icmp.code}"


@dataclass(frozen=True, slots=True)
class Spelling:
    """How a configuration is printed: addresses by their names where `names` is on, PIX 6's forms where it is one's."""

    names: Mapping[IPv4Address, str] = field(default_factory=dict)
    pix6: bool = False

    def address(self, address: IPv4Address) -> str:
        """``192.0.2.25``, or the name that stands for it."""
        return self.names.get(address) or str(address)


#: Addresses as they are, and 7.0's forms.
PLAIN = Spelling()


def endpoint_text(endpoint: Endpoint, spelling: Spelling = PLAIN) -> str:
    """An end of an entry: ``any``, ``host 192.0.2.25``, ``object-group servers``."""
    return network_text(endpoint, spelling) if isinstance(endpoint, IPv4Network) else str(endpoint)


def network_text(network: IPv4Network, spelling: Spelling = PLAIN) -> str:
    """``any``, ``host 192.0.2.25``, ``192.0.2.0 255.255.255.0``"""
    if network == ANY:
        return "any"
    address = spelling.address(network.network_address)
    return f"host {address}" if network.prefixlen == 32 else f"{address} {network.netmask}"


#: Seconds that no time in a file comes to: 50 days. A timeout of 0, which is none, stands for it.
NEVER = 1194 * 3600


def clock_text(seconds: int) -> str:
    """``1:00:00``; ``0:00:00`` for `NEVER`."""
    seconds = 0 if seconds == NEVER else seconds
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def description(text: str) -> Iterator[str]:
    """The line of a description, if there is one."""
    if text:
        yield f" description {text}"
