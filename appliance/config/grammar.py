"""Every statement of the language: one table, by mode.

A row is the statement as ASA's command reference writes it (the notation is `syntax`'s), the method of `Draft` that
does it, and the mode it opens. Sources: asa.md §2, §5.1, §6. Ours: ``hardware``, ``metrics``, ``inspection-workers``,
``mask-banner all``, ``smuggling-guard``, ``fail-open``, ``timeout embryonic``, ``match address`` (row 18).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from appliance.config.draft import Draft
from appliance.config.syntax import Mode, Statement, compiled
from appliance.policy.maps import Deed
from appliance.policy.matches import CONDITIONS, FASTEST, LARGEST, SMALLEST, Condition, Operand

EXIT = Statement("exit", Draft.exit)

_ACL = "access-list <acl:name> [line <position:1-2147483647>]"
_ACE = f"{_ACL} [extended] <action=permit|deny>"


def _flag(**fields: object) -> Callable[[Draft], None]:
    """A ``logging`` statement that only sets `fields`."""
    return lambda draft: draft.logging(**fields)


def _level(destination: str) -> Callable[[Draft, int], None]:
    return lambda draft, level: draft.logging(**{destination: level})


CONFIGURE = (
    Statement("hostname <name:hostname>", Draft.hostname),
    Statement("interface <name:name>", Draft.interface, Mode.INTERFACE),
    Statement(
        "route <interface:nameif> <network:network> <gateway:address> [<metric:1-255>]",
        Draft.route,
    ),
    Statement(f"{_ACL} remark <text:text>", Draft.remark),
    Statement(
        f"{_ACE} <protocol=tcp> <source:endpoint> [<source_ports:tcp-ports>]"
        " <destination:endpoint> [<destination_ports:tcp-ports>]",
        Draft.ace,
    ),
    Statement(
        f"{_ACE} <protocol=udp> <source:endpoint> [<source_ports:udp-ports>]"
        " <destination:endpoint> [<destination_ports:udp-ports>]",
        Draft.ace,
    ),
    Statement(f"{_ACE} <protocol:protocol> <source:endpoint> <destination:endpoint>", Draft.ace),
    Statement("access-group <acl:access-list> in interface <interface:nameif>", Draft.access_group),
    Statement(
        "static <interfaces:interfaces> <mapped:address> <real:address> [netmask <prefix:mask>]"
        " [[tcp] <max_conns:0-65535> [<max_embryonic:0-65536>]]",
        Draft.static,
    ),
    Statement("regex <name:map-name> <pattern:pattern>", Draft.regex),
    Statement("class-map type regex match-any <name:map-name>", Draft.regex_class, Mode.REGEX_CLASS),
    Statement("class-map <name:map-name>", Draft.class_map, Mode.CLASS_MAP),
    Statement("policy-map type inspect esmtp <name:map-name>", Draft.inspect_map, Mode.INSPECT_MAP),
    Statement("policy-map <name:map-name>", Draft.policy_map, Mode.POLICY_MAP),
    Statement("service-policy <policy:policy-map> global", Draft.service_policy_global),
    Statement("service-policy <policy:policy-map> interface <interface:nameif>", Draft.service_policy_interface),
    Statement("timeout <timeouts:timeouts>", Draft.timeout),
    Statement("logging enable", _flag(enabled=True)),
    Statement("logging timestamp", _flag(timestamp=True)),
    Statement("logging buffer-size <size:4096-1048576>", lambda draft, size: draft.logging(buffer_size=size)),
    Statement("logging buffered <level:level>", _level("buffered")),
    Statement("logging console <level:level>", _level("console")),
    Statement("logging trap <level:level>", _level("trap")),
    Statement("logging facility <facility:16-23>", lambda draft, facility: draft.logging(facility=facility)),
    Statement("logging device-id hostname", _flag(device_id="hostname")),
    Statement("logging device-id string <name:name>", lambda draft, name: draft.logging(device_id=name)),
    Statement("logging host <interface:nameif> <address:address> [<port:udp-port>]", Draft.logging_host),
    Statement("logging message <message:100000-999999>", Draft.logging_message),
    Statement("no logging message <message:100000-999999>", Draft.no_logging_message),
    Statement(
        "threat-detection statistics tcp-intercept [rate-interval <rate_interval:1-1440>]"
        " [burst-rate <burst_rate:25-2147483647>] [average-rate <average_rate:25-2147483647>]",
        Draft.tcp_intercept_statistics,
    ),
    Statement("no threat-detection statistics tcp-intercept", Draft.no_tcp_intercept_statistics),
    Statement("metrics listen <listen:listen>", Draft.metrics_listen),
    Statement("inspection-workers <workers:1-32>", Draft.inspection_workers),
    EXIT,
)

INTERFACE = (
    Statement("hardware <device:device>", Draft.hardware),
    Statement("nameif <name:new-nameif>", Draft.nameif),
    Statement("no nameif", Draft.no_nameif),
    Statement("security-level <level:0-100>", Draft.security_level),
    Statement("no security-level", Draft.no_security_level),
    Statement("ip address <address:address> <prefix:mask>", Draft.ip_address),
    Statement("no ip address", Draft.no_ip_address),
    Statement("shutdown", Draft.shutdown),
    Statement("no shutdown", Draft.no_shutdown),
    Statement("description <text:text>", Draft.interface_description),
    EXIT,
)

CLASS_MAP = (
    Statement("description <text:text>", Draft.class_map_description),
    Statement("match any", Draft.match_any),
    Statement("match access-list <acl:access-list>", Draft.match_access_list),
    Statement("match address <acl:access-list>", Draft.match_address),
    Statement("match port <protocol=tcp> <ports:tcp-ports>", Draft.match_port),
    Statement("match port <protocol=udp> <ports:udp-ports>", Draft.match_port),
    Statement("match default-inspection-traffic", Draft.match_default_inspection_traffic),
    EXIT,
)

REGEX_CLASS = (
    Statement("description <text:text>", Draft.regex_class_description),
    Statement("match regex <regex:regex>", Draft.match_regex),
    EXIT,
)

POLICY_MAP = (
    Statement("description <text:text>", Draft.policy_map_description),
    Statement("class <name:class-map>", Draft.policy_class, Mode.CLASS),
    EXIT,
)

CLASS = (
    Statement("inspect esmtp [<map:inspect-map>] [<fail_open=fail-open>]", Draft.inspect_esmtp),
    Statement("no inspect esmtp", Draft.no_inspect_esmtp),
    EXIT,
)


def _acting(syntax: str, apply: Callable[..., None]) -> tuple[Statement, ...]:
    """A parameter with the actions that it can have."""
    return Statement(f"{syntax} <deed=drop-connection> [<log=log>]", apply), Statement(f"{syntax} <deed=log>", apply)


PARAMETERS = (
    Statement("mask-banner [<everything=all>]", Draft.mask_banner),
    Statement("no mask-banner", Draft.no_mask_banner),
    *_acting("mail-relay <domain:domain> action", Draft.mail_relay),
    Statement("no mail-relay [<domain:domain>]", Draft.no_mail_relay),
    *_acting("special-character action", Draft.special_character),
    Statement("no special-character", Draft.no_special_character),
    Statement("allow-tls [action <log=log>]", Draft.allow_tls),
    Statement("no allow-tls", Draft.no_allow_tls),
    Statement("smuggling-guard", Draft.smuggling_guard),
    Statement("no smuggling-guard", Draft.no_smuggling_guard),
    EXIT,
)

_CLOSING = "|".join(deed.value for deed in Deed if deed not in (Deed.LOG, Deed.RATE_LIMIT))

MATCH = (
    Statement(f"<deed={_CLOSING}> [<log=log>]", Draft.react),
    Statement("<deed=log>", Draft.react),
    Statement(f"<deed=rate-limit> <rate:1-{FASTEST}>", Draft.react),
    EXIT,
)


def _operands(row: Condition) -> tuple[str, ...]:
    match row.operand:
        case Operand.NUMBER:
            return (f"gt <limit:{SMALLEST}-{LARGEST}>",)
        case Operand.WORDS:
            return (f"<words+{'|'.join(row.words)}>",)
        case Operand.REGEX:
            return ("regex <regex:regex>", "regex class <regex_class:regex-class>")


def _condition(row: Condition) -> Iterator[Statement]:
    """``match [not] …`` of a row of the one table."""
    for operand in _operands(row):
        yield Statement(
            f"match [<negated=not>] {row.phrase} {operand}", partial(Draft.condition, key=row.key), Mode.MATCH
        )


def _inspect_map() -> Iterator[Statement]:
    yield Statement("description <text:text>", Draft.inspect_map_description)
    yield Statement("parameters", Draft.parameters, Mode.PARAMETERS)
    for row in CONDITIONS:
        yield from _condition(row)
    yield EXIT


INSPECT_MAP = tuple(_inspect_map())

STATEMENTS: dict[Mode, tuple[Statement, ...]] = {
    Mode.CONFIGURE: CONFIGURE,
    Mode.INTERFACE: INTERFACE,
    Mode.CLASS_MAP: CLASS_MAP,
    Mode.REGEX_CLASS: REGEX_CLASS,
    Mode.POLICY_MAP: POLICY_MAP,
    Mode.CLASS: CLASS,
    Mode.INSPECT_MAP: INSPECT_MAP,
    Mode.MATCH: MATCH,
    Mode.PARAMETERS: PARAMETERS,
}

TREES = {mode: compiled(statements) for mode, statements in STATEMENTS.items()}
