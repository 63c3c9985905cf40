"""The words that stand for numbers in a rule file, and back: ports, protocols, levels, times (asa.md §6.4-6.7)."""

from __future__ import annotations

from ipaddress import IPv4Network

from appliance.policy.acl import ANY, Ports

#: TCP and UDP ports with a name; a number with one is printed as the name.
TCP_PORTS = {
    "ftp-data": 20,
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "domain": 53,
    "gopher": 70,
    "finger": 79,
    "www": 80,
    "pop2": 109,
    "pop3": 110,
    "ident": 113,
    "nntp": 119,
    "netbios-ssn": 139,
    "imap4": 143,
    "bgp": 179,
    "ldap": 389,
    "https": 443,
    "rsh": 514,
    "ldaps": 636,
    "lotusnotes": 1352,
    "citrix-ica": 1494,
    "sqlnet": 1521,
    "h323": 1720,
    "aol": 5190,
}
UDP_PORTS = {
    "domain": 53,
    "bootps": 67,
    "bootpc": 68,
    "tftp": 69,
    "sunrpc": 111,
    "ntp": 123,
    "netbios-ns": 137,
    "netbios-dgm": 138,
    "snmp": 161,
    "snmptrap": 162,
    "isakmp": 500,
    "syslog": 514,
    "rip": 520,
}
PORTS = {"tcp": TCP_PORTS, "udp": UDP_PORTS}

#: The protocols an ACE names; any other is a number.
PROTOCOLS = {"ip": None, "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51, "ospf": 89}

#: syslog's severities, 0 to 7, as ASA spells them.
LEVELS = ("emergencies", "alerts", "critical", "errors", "warnings", "notifications", "informational", "debugging")


def port_name(protocol: str, port: int) -> str:
    """The name of `port` in `protocol`, or its number."""
    return next((name for name, number in PORTS.get(protocol, {}).items() if number == port), str(port))


def ports_text(protocol: str, ports: Ports) -> str:
    """``eq smtp``, ``range 1024 65535``"""
    low = port_name(protocol, ports.low)
    return f"range {low} {port_name(protocol, ports.high)}" if ports.operator == "range" else f"{ports.operator} {low}"


def network_text(network: IPv4Network) -> str:
    """``any``, ``host 192.0.2.25``, ``192.0.2.0 255.255.255.0``"""
    if network == ANY:
        return "any"
    if network.prefixlen == 32:
        return f"host {network.network_address}"
    return f"{network.network_address} {network.netmask}"


def clock_text(seconds: int) -> str:
    """``1:00:00``"""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
