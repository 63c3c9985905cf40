"""Statements that a real configuration holds and that mean nothing to Fixup: one table of how they begin.

They are accepted, kept in the running-config and told of once, at the first line of each kind; so the whole of what a
device prints can be pasted. What would change who may pass, and isn't carried out (``conduit``, ``established``,
``firewall transparent`` …), is not in the table: it is an error. Sources: asa.md §3.13 (what a device prints), §6.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from appliance.config.config import Accepted, Config
from appliance.config.lexer import Line
from appliance.config.statements.sheet import Sheet
from appliance.config.syntax import ACCEPTED, Mode, Statement, both


class Section(enum.IntEnum):
    """Behind what a statement stands in the running-config (asa.md §3.13)."""

    NAME = 1  # hostname
    INTERFACES = 2
    ACCESS_LISTS = 3
    ROUTES = 4
    TIMEOUTS = 5
    CLASSES = 6  # regexes and class maps
    POLICIES = 7  # service policies: the end


#: The inspections of an ASA, ESMTP aside.
INSPECTIONS = (
    *("ctiqbe", "dcerpc", "diameter", "dns", "ftp", "gtp", "h323", "http", "icmp", "ils", "im", "ip-options"),
    *("ipsec-pass-thru", "ipv6", "lisp", "m3ua", "mgcp", "mmp", "netbios", "pptp", "radius-accounting", "rsh", "rtsp"),
    *("scansafe", "sctp", "sip", "skinny", "snmp", "sqlnet", "stun", "sunrpc", "tftp", "vxlan", "waas", "xdmcp"),
)
_FIXUPS = (
    *("ctiqbe", "dns", "domain", "esp-ike", "ftp", "h323", "http", "icmp", "ils", "mgcp", "pptp", "rsh", "rtsp"),
    *("sip", "skinny", "snmp", "sqlnet", "tftp"),
)

#: How statements begin that stand alone, by where the running-config has them.
HEADS: dict[Section, tuple[str, ...]] = {
    Section.NAME: ("domain-name", "enable password", "passwd", "password encryption", "terminal width"),
    Section.INTERFACES: (
        *("banner", "boot", "clock", "dns-guard", "ftp mode", "jumbo-frame"),
        f"fixup protocol <_={'|'.join(_FIXUPS)}>",
    ),
    Section.ACCESS_LISTS: (
        *("arp", "arp-inspection", "asdm"),
        *("asp load-balance", "asp rule-engine", "capture", "failover", "floodguard", "flow-export", "icmp"),
        *("ip local pool", "ipv6", "logging asdm", "logging asdm-buffer-size", "logging class", "logging debug-trace"),
        *("logging emblem", "logging flash-bufferwrap", "logging flash-maximum-allocation"),
        *("logging flash-minimum-free", "logging flow-export-syslogs", "logging from-address"),
        *("logging ftp-bufferwrap", "logging ftp-server", "logging hide", "logging history"),
        *("logging mail", "logging monitor", "logging permit-hostdown", "logging queue", "logging rate-limit"),
        *("logging recipient-address", "logging savelog", "logging standby", "mac-address", "mac-address-table"),
        *("mac-learn", "monitor-interface", "object-group-search", "pager", "pdm"),
    ),
    Section.TIMEOUTS: (
        *("aaa", "app-agent heartbeat", "as-path", "auth-prompt", "auto-update", "ca", "client-update"),
        *("community-list", "compression", "config-register", "console", "coredump"),
        *("crashinfo", "ctl-file", "dhcp-client", "dhcpd", "dhcprelay", "dynamic-filter", "eou", "fips"),
        *("flow-offload", "fragment", "hpm", "http"),
        *("igmp", "isakmp", "l2tp", "lldp", "management-access", "mroute", "multicast-routing"),
        *("ntp", "password-policy", "pim", "policy-list", "port-forward", "prefix-list", "privilege"),
        *("process", "quota"),
        *("remote-access threshold", "rip", "service", "service-interface", "service-module", "smtp-server", "snmp"),
        *("snmp-server", "ssh", "ssl"),
        *("sunrpc-server", "sysopt connection permit-l2tp", "sysopt ipsec pl-compatible", "url-list"),
        *("sysopt connection permit-ipsec", "sysopt connection permit-vpn", "sysopt connection preserve-vpn-flows"),
        *("sysopt connection reclassify-vpn", "sysopt connection timewait", "sysopt nodnsalias", "sysopt radius"),
        *("sysopt route", "sysopt traffic", "sysopt uauth", "telnet", "tftp-server"),
        *("threat-detection basic-threat", "threat-detection rate", "threat-detection scanning-threat"),
        *("threat-detection statistics <_=access-list|host|port|protocol>", "url-block", "url-cache", "url-server"),
        *("virtual", "vpdn"),
        *("vpn-addr-assign", "vpn-sessiondb", "vpnclient", "vpngroup", "wccp", "xlate"),
    ),
    Section.POLICIES: ("prompt", "mount", "hw-module"),
}
#: What would keep traffic out on a device and does not here: each line of it is told.
UNFILTERED: dict[str, tuple[Section, str]] = {
    "filter": (Section.TIMEOUTS, "filter: what it names passes unfiltered"),
    "ip audit": (Section.ACCESS_LISTS, "ip audit: no signature is looked for, nothing is dropped or reset"),
    "aaa <_=authentication|authorization> <_=match|include|exclude>": (
        Section.TIMEOUTS,
        "aaa match: nobody is asked who he is, the access lists alone decide",
    ),
    "aaa <_=authentication|authorization|accounting>": (Section.TIMEOUTS, ""),
}
#: The same of statements that may be followed by a block, set in further.
BLOCKS: dict[Section, tuple[str, ...]] = {
    Section.INTERFACES: ("dns", "object-group security", "object-group user"),
    Section.TIMEOUTS: (
        *("aaa-server", "nac-policy", "nve", "scansafe general-options", "mdm-proxy", "imap4s", "pop3s", "smtps"),
        *("call-home", "cluster", "crypto", "cts", "ddns", "dynamic-access-policy-record", "event manager"),
        *("group-policy", "key", "ldap", "license", "media-termination", "phone-proxy", "priority-queue"),
        *("route-map", "router", "saml", "sla", "tls-proxy", "track", "tunnel-group"),
        *("tunnel-group-map", "user-identity"),
        *("username", "vpn load-balancing", "webvpn", "zone"),
    ),
    Section.CLASSES: (
        *("ftp-map", "gtp-map", "h225-map", "http-map", "mgcp-map", "sip-map", "snmp-map", "tcp-map"),
        *("class-map type management", f"class-map type inspect <_={'|'.join(INSPECTIONS)}>"),
        f"policy-map type inspect <_={'|'.join(INSPECTIONS)}>",
    ),
}


class AcceptedStatements(Sheet):
    """What was accepted so far, by its text, and the statement whose block is open."""

    def __init__(self) -> None:
        super().__init__()
        self._statements: dict[str, Accepted] = {}
        self._blocks: dict[str, list[str]] = {}
        self._keep: Callable[[str], None] = self._blocks.setdefault("", []).append  # a line of the open block

    def accepted(self) -> tuple[Accepted, ...]:
        """All of them, in the order of the running-config."""
        ordered = sorted(self._statements.items(), key=lambda each: each[1].section)
        return tuple(
            Accepted(text, statement.section, tuple(self._blocks.get(text, ()))) for text, statement in ordered
        )

    def accept(self, head: str, section: Section, **fields: Any) -> None:
        """Keep the statement, whatever it says; it takes the place of the one that said ``no``."""
        del fields
        text = self.accepted_once(head)
        self._statements.pop(f"no {text}", None)
        self._statements.setdefault(text, Accepted(text, section))
        self._keep = self._blocks.setdefault(text, []).append

    def accept_unfiltered(self, section: Section, told: str) -> None:
        """The same, and each line of it is told."""
        self.accept(told, section)
        self.warnings.clear()
        self.warn("", f"WARNING: accepted, not acted on: {told}")

    def accept_no(self, head: str, section: Section, **fields: Any) -> None:
        """Drop what is named, word for word; else the ``no`` itself is kept, as a device prints some."""
        del fields
        text = self.accepted_once(head)
        named = " ".join(text.split(" ")[1:])
        if self._statements.pop(named, None) is None:
            self._statements.setdefault(f"no {named}", Accepted(f"no {named}", section))
        self._blocks.pop(named, None)

    def accept_inside(self, line: Line) -> None:
        """A line of the open block, set in by one blank or as far as it is."""
        self._keep(" " * min(line.indent, 8) + line.text.strip(" \t").replace("\t", " "))


def accepted_lines(config: Config, section: Section) -> Iterator[str]:
    """The statements of a place in the running-config."""
    for each in config.accepted:
        if each.section == section:
            yield each.text
            yield from each.block


def kept(syntax: str, head: str, section: Section, says: str = ACCEPTED) -> tuple[Statement, Statement]:
    """A statement that is kept, told of as `head`, and its ``no``."""
    kind: dict[str, Any] = {"head": head, "section": section}
    do, undo = partial(AcceptedStatements.accept, **kind), partial(AcceptedStatements.accept_no, **kind)
    return both(syntax, do, undo, says=says)


def _rows(heads: Iterable[str], section: Section, enters: Mode | None) -> Iterator[Statement]:
    for head in heads:
        kind: dict[str, Any] = {"head": head.split(" <")[0], "section": section}
        syntax = f"{head} [<_:rest>]"
        yield Statement(syntax, partial(AcceptedStatements.accept, **kind), enters, ACCEPTED)
        yield Statement(f"no {syntax}", partial(AcceptedStatements.accept_no, **kind), says=ACCEPTED)


def _unfiltered() -> Iterator[Statement]:
    for head, (section, told) in UNFILTERED.items():
        syntax, short = f"{head} [<_:rest>]", head.split(" <")[0]
        apply = partial(AcceptedStatements.accept_unfiltered, section=section, told=told)
        if not told:
            apply = partial(AcceptedStatements.accept, section=section, head=short)
        undo = partial(AcceptedStatements.accept_no, section=section, head=short)
        yield from both(syntax, apply, undo, says=ACCEPTED)


STATEMENTS = {
    Mode.CONFIGURE: (
        *_unfiltered(),
        *kept("threat-detection statistics", "threat-detection statistics", Section.TIMEOUTS),
        *(row for section, heads in HEADS.items() for row in _rows(heads, section, None)),
        *(row for section, heads in BLOCKS.items() for row in _rows(heads, section, Mode.ACCEPTED)),
    )
}
