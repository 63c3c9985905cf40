"""A configuration as ``show running-config`` prints it: in ASA's order and spelling, and it parses to itself.

Source: asa.md §3.13 (order), §5.1 (statics), §2.8 (the default map, printed only by ``show running-config all``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from appliance.config.config import Config, Interface, Logging, TcpInterceptStatistics, Timeouts
from appliance.config.names import LEVELS, clock_text, network_text, ports_text
from appliance.nat.static import Static
from appliance.policy.acl import AccessList, Ace, Remark
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import (
    Banner,
    ClassMap,
    ExemptEsmtp,
    InspectEsmtp,
    InspectMap,
    MatchAccessList,
    MatchAny,
    MatchDefaultInspectionTraffic,
    MatchPort,
    Parameters,
    PolicyMap,
)
from appliance.policy.matches import phrase
from appliance.policy.regex import RegexClass


def running_config(config: Config, all: bool = False) -> str:
    """The text. With `all` it holds what is as by default too, the default inspect map among it."""
    return "".join(f"{line}\n" for line in _lines(config, all))


def _lines(config: Config, everything: bool) -> Iterator[str]:
    yield "!"
    yield f"hostname {config.hostname}"
    yield "!"
    for interface in config.interfaces:
        yield from _interface(interface)
        yield "!"
    for access_list in config.access_lists:
        yield from _access_list(access_list)
    yield from _logging(config.logging, everything)
    yield from map(_static, config.statics)
    for group in config.access_groups:
        yield f"access-group {group.access_list} {group.direction} interface {group.interface}"
    for route in config.routes:
        network = f"{route.network.network_address} {route.network.netmask}"
        yield f"route {route.interface} {network} {route.gateway} {route.metric}"
    yield from _timeouts(config.timeouts, everything)
    yield from _statistics(config.tcp_intercept, everything)
    if config.metrics is not None:
        yield f"metrics listen {config.metrics.address}:{config.metrics.port}"
    if config.workers is not None:
        yield f"inspection-workers {config.workers}"
    yield "!"
    for regex in config.regexes:
        yield f'regex {regex.name} "{regex.pattern}"'
    for regex_class in config.regex_classes:
        yield from _regex_class(regex_class)
    for class_map in config.class_maps:
        yield from _class_map(class_map)
    yield "!"
    for inspect_map in (*((DEFAULT_MAP,) if everything else ()), *config.inspect_maps):
        yield from _inspect_map(inspect_map, everything)
    for policy_map in config.policy_maps:
        yield from _policy_map(policy_map)
    yield "!"
    for service in config.service_policies:
        where = "global" if service.interface is None else f"interface {service.interface}"
        yield f"service-policy {service.policy_map} {where}"


def _statistics(statistics: TcpInterceptStatistics | None, everything: bool) -> Iterator[str]:
    line = "threat-detection statistics tcp-intercept"
    if statistics is not None:
        rates = f"burst-rate {statistics.burst_rate} average-rate {statistics.average_rate}"
        yield f"{line} rate-interval {statistics.rate_interval} {rates}"
    elif everything:
        yield f"no {line}"


def _interface(interface: Interface) -> Iterator[str]:
    yield f"interface {interface.name}"
    yield from _description(interface.description)
    if interface.shutdown:
        yield " shutdown"
    if interface.hardware is not None:
        yield f" hardware {interface.hardware}"
    yield " no nameif" if interface.nameif is None else f" nameif {interface.nameif}"
    level = interface.security_level
    yield " no security-level" if level is None else f" security-level {level}"
    address = interface.address
    yield " no ip address" if address is None else f" ip address {address.ip} {address.netmask}"


def _description(text: str) -> Iterator[str]:
    if text:
        yield f" description {text}"


def _access_list(access_list: AccessList) -> Iterator[str]:
    for entry in access_list.entries:
        yield f"access-list {access_list.name} {entry_text(entry)}"


def entry_text(entry: Ace | Remark) -> str:
    """``extended permit tcp any host 203.0.113.125 eq smtp``, ``remark TEXT``"""
    match entry:
        case Remark(text=text):
            return f"remark {text}"
        case Ace():
            return f"extended {_ace(entry)}"
        case other:
            assert_never(other)


def _ace(ace: Ace) -> str:
    words = ["permit" if ace.permit else "deny", ace.protocol]
    for network, ports in ((ace.source, ace.source_ports), (ace.destination, ace.destination_ports)):
        words.append(network_text(network))
        if ports is not None:
            words.append(ports_text(ace.protocol, ports))
    return " ".join(words)


def _logging(logging: Logging, everything: bool) -> Iterator[str]:
    default = Logging()
    if logging.enabled:
        yield "logging enable"
    if logging.timestamp:
        yield "logging timestamp"
    if everything or logging.buffer_size != default.buffer_size:
        yield f"logging buffer-size {logging.buffer_size}"
    for destination in ("console", "buffered", "trap"):
        level = getattr(logging, destination)
        if level is not None:
            yield f"logging {destination} {LEVELS[level]}"
    if everything or logging.facility != default.facility:
        yield f"logging facility {logging.facility}"
    if logging.device_id is not None:
        yield f"logging device-id {'' if logging.device_id == 'hostname' else 'string '}{logging.device_id}"
    for host in logging.hosts:
        port = "" if host.port == 514 else f" udp/{host.port}"
        yield f"logging host {host.interface} {host.address}{port}"
    for message in sorted(logging.disabled):
        yield f"no logging message {message}"


def _static(static: Static) -> str:
    words = [f"static ({static.real_interface},{static.mapped_interface}) {static.mapped} {static.real}"]
    words.append("netmask 255.255.255.255")
    if static.max_conns or static.max_embryonic:
        words.append(f"tcp {static.max_conns}")
    if static.max_embryonic:
        words.append(str(static.max_embryonic))
    return " ".join(words)


def _timeouts(timeouts: Timeouts, everything: bool) -> Iterator[str]:
    yield f"timeout xlate {clock_text(timeouts.xlate)}"
    yield f"timeout conn {clock_text(timeouts.conn)} half-closed {clock_text(timeouts.half_closed)}"
    if everything or timeouts.embryonic != Timeouts().embryonic:
        yield f"timeout embryonic {clock_text(timeouts.embryonic)}"


def _class_map(class_map: ClassMap) -> Iterator[str]:
    yield f"class-map {class_map.name}"
    yield from _description(class_map.description)
    match class_map.match:
        case MatchAny():
            yield " match any"
        case MatchAccessList(name=name):
            yield f" match access-list {name}"
        case MatchPort(protocol=protocol, ports=ports):
            yield f" match port {protocol} {ports_text(protocol, ports)}"
        case MatchDefaultInspectionTraffic():
            yield " match default-inspection-traffic"
        case None:
            pass
        case other:
            assert_never(other)
    yield "!"


def _regex_class(regex_class: RegexClass) -> Iterator[str]:
    yield f"class-map type regex match-any {regex_class.name}"
    yield from _description(regex_class.description)
    yield from (f" match regex {each}" for each in regex_class.regexes)
    yield "!"


def _inspect_map(inspect_map: InspectMap, everything: bool) -> Iterator[str]:
    yield f"policy-map type inspect esmtp {inspect_map.name}"
    yield from _description(inspect_map.description)
    parameters = list(_parameters(inspect_map.parameters, everything))
    if parameters:
        yield " parameters"
        yield from (f"  {each}" for each in parameters)
    for match in inspect_map.matches:
        yield f" match {phrase(match)}"
        yield f"  {match.reaction}"


_BANNER = {Banner.OFF: "no mask-banner", Banner.KEEP_2_AND_0: "mask-banner", Banner.ALL: "mask-banner all"}


def _parameters(parameters: Parameters, everything: bool) -> Iterable[str]:
    default = Parameters()
    relay, special = parameters.mail_relay, parameters.special_character
    if everything or parameters.banner is not default.banner:
        yield _BANNER[parameters.banner]
    if relay is not None:
        yield f"mail-relay {relay.domain} action {relay.reaction}"
    elif everything:
        yield "no mail-relay"
    if special is not None:
        yield f"special-character action {special}"
    elif everything:
        yield "no special-character"
    if parameters.allow_tls:
        yield "allow-tls action log" if parameters.allow_tls_log else "allow-tls"
    elif everything:
        yield "no allow-tls"
    if not parameters.smuggling_guard:
        yield "no smuggling-guard"


def _policy_map(policy_map: PolicyMap) -> Iterator[str]:
    yield f"policy-map {policy_map.name}"
    yield from _description(policy_map.description)
    for each in policy_map.classes:
        yield f" class {each.name}"
        match each.inspect:
            case InspectEsmtp(map=name, fail_open=fail_open):
                yield " ".join(["  inspect esmtp", *([name] if name else []), *(["fail-open"] if fail_open else [])])
            case ExemptEsmtp():
                yield "  no inspect esmtp"
            case None:
                pass
            case other:
                assert_never(other)
