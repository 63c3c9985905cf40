"""A configuration as ``show running-config`` prints it: in its version's order and spelling, and it parses to itself.

This is the order alone (asa.md §3.13; PIX 6's is that of its own configurations, key CFG); how a statement is spelt,
its topic in `statements` knows. The default inspect map is printed by ``show running-config all`` alone (asa.md §2.8).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from appliance.config.config import Config
from appliance.config.names import Spelling
from appliance.config.nat import ManualNat, ObjectNat
from appliance.config.statements.accepted import Section, accepted_lines
from appliance.config.statements.access_lists import access_group_line, access_list_lines, time_range_lines
from appliance.config.statements.box import statistics_lines, timeout_lines
from appliance.config.statements.class_maps import class_map_lines
from appliance.config.statements.fixups import fixup_lines
from appliance.config.statements.inspect_maps import inspect_map_lines
from appliance.config.statements.interfaces import (
    interface_lines,
    pix6_address_lines,
    pix6_interface_lines,
)
from appliance.config.statements.logs import logging_lines
from appliance.config.statements.objects import group_lines, name_lines, network_object_lines, service_object_lines
from appliance.config.statements.policies import policy_map_lines
from appliance.config.statements.regexes import regex_class_lines
from appliance.config.statements.routes import route_line
from appliance.config.statements.translations import translation_line
from appliance.config.traffic import address_of

#: Names that could be read as something else where an address stands.
_KEYWORDS = {"any", "any4", "any6", "host", "interface", "object", "object-group", "access-list", "tcp", "udp"}
_KEYWORDS |= {"eq", "neq", "lt", "gt", "range", "dhcp", "pppoe"}


def running_config(config: Config, all: bool = False) -> str:
    """The text. With `all` it holds what is as by default too, the default inspect map among it."""
    printed = _Printed(config, all, spelling(config))
    order = PIX6_ORDER if config.defaults.pix6 else ORDER
    return "".join(f"{line}\n" for section in order for line in section(printed))


def spelling(config: Config) -> Spelling:
    """How the version of `config`, and its ``names``, spell it."""
    shown = [each for each in config.names if _is_only_a_name(each.name)] if config.names_shown else []
    return Spelling({each.address: each.name for each in reversed(shown)}, config.defaults.pix6)


def _is_only_a_name(name: str) -> bool:
    return address_of(name) is None and name.lower() not in _KEYWORDS


@dataclass(frozen=True, slots=True)
class _Printed:
    """What is printed, and how."""

    config: Config
    everything: bool
    spelling: Spelling


def _head(printed: _Printed) -> Iterator[str]:
    if printed.config.head:
        yield printed.config.head
    if printed.config.compatibility:
        yield f"compatibility {printed.config.compatibility}"


def _hostname(printed: _Printed) -> Iterator[str]:
    yield f"hostname {printed.config.hostname}"


def _accepted(section: Section) -> Callable[[_Printed], Iterator[str]]:
    return lambda printed: accepted_lines(printed.config, section)


def _names(printed: _Printed) -> Iterator[str]:
    if printed.config.names_shown:
        yield "names"
    for name in printed.config.names:
        yield from name_lines(name)


def _interfaces(printed: _Printed) -> Iterator[str]:
    for interface in printed.config.interfaces:
        yield from interface_lines(interface, printed.spelling)
        yield "!"


def _pix6_interfaces(printed: _Printed) -> Iterator[str]:
    yield from pix6_interface_lines(printed.config.interfaces)


def _pix6_addresses(printed: _Printed) -> Iterator[str]:
    yield from pix6_address_lines(printed.config.interfaces, printed.spelling)


def _fixups(printed: _Printed) -> Iterator[str]:
    yield from fixup_lines(printed.config)


def _same_security(printed: _Printed) -> Iterator[str]:
    if printed.config.inter_interface:
        yield "same-security-traffic permit inter-interface"
    if printed.config.intra_interface:
        yield "same-security-traffic permit intra-interface"


def _objects(printed: _Printed) -> Iterator[str]:
    config = printed.config
    for network_object in config.objects:
        yield from network_object_lines(network_object, printed.spelling)
    for service_object in config.service_objects:
        yield from service_object_lines(service_object)
    for group in config.groups:
        yield from group_lines(group, printed.spelling)
    for time_range in config.time_ranges:
        yield from time_range_lines(time_range)


def _access_lists(printed: _Printed) -> Iterator[str]:
    for access_list in printed.config.access_lists:
        yield from access_list_lines(access_list, printed.spelling)
    config, default = printed.config, Config()
    if printed.everything or config.deny_flow_max != default.deny_flow_max:
        yield f"access-list deny-flow-max {config.deny_flow_max}"
    if printed.everything or config.alert_interval != default.alert_interval:
        yield f"access-list alert-interval {config.alert_interval}"


def _logging(printed: _Printed) -> Iterator[str]:
    yield from logging_lines(printed.config.logging, printed.everything, printed.spelling)


def _nameifs(printed: _Printed) -> Iterator[str]:
    yield from (f"mtu {each.nameif} {each.mtu}" for each in printed.config.interfaces if each.mtu is not None)
    yield from (f"ip verify reverse-path interface {each}" for each in sorted(printed.config.reverse_path))


def _translations(printed: _Printed) -> Iterator[str]:
    """In the order the rules are asked: manual ones, those of objects, manual ones after-auto (asa.md §5.2)."""
    config, line = printed.config, partial(translation_line, spelling=printed.spelling)
    if config.nat_control is not None:
        yield "nat-control" if config.nat_control else "no nat-control"
    later = [each for each in config.translations if isinstance(each, ManualNat) and each.after_auto]
    of_objects = [each for each in config.translations if isinstance(each, ObjectNat)]
    yield from (line(each) for each in config.translations if each not in later + of_objects)
    if of_objects:
        yield "!"
    for each in of_objects:
        yield f"object network {each.name}"
        yield f" {line(each)}"
    if later:
        yield "!"
    yield from map(line, later)


def _access_groups(printed: _Printed) -> Iterator[str]:
    yield from map(access_group_line, printed.config.access_groups)


def _routes(printed: _Printed) -> Iterator[str]:
    yield from (route_line(each, printed.spelling) for each in printed.config.routes)


def _box(printed: _Printed) -> Iterator[str]:
    config, everything = printed.config, printed.everything
    if everything or config.tcpmss != Config().tcpmss:
        yield f"sysopt connection tcpmss {config.tcpmss}"
    for nameif in sorted(config.no_proxy_arp):
        yield f"sysopt noproxyarp {nameif}"
    yield from timeout_lines(config.timeouts, everything)
    yield from statistics_lines(config.tcp_intercept, everything)


def _ours(printed: _Printed) -> Iterator[str]:
    config = printed.config
    if config.metrics is not None:
        yield f"metrics listen {config.metrics.address}:{config.metrics.port}"
    if config.workers is not None:
        yield f"inspection-workers {config.workers}"


def _classes(printed: _Printed) -> Iterator[str]:
    config = printed.config
    for regex in config.regexes:
        yield f'regex {regex.name} "{regex.pattern}"'
    for regex_class in config.regex_classes:
        yield from regex_class_lines(regex_class)
    if not _said_by_fixups(config):
        for class_map in config.class_maps:
            yield from class_map_lines(class_map)


def _policies(printed: _Printed) -> Iterator[str]:
    config, everything = printed.config, printed.everything
    for inspect_map in (*((config.defaults.default_map,) if everything else ()), *config.inspect_maps):
        yield from inspect_map_lines(inspect_map, config.defaults.parameters, everything)
    if _said_by_fixups(config):
        return
    for policy_map in config.policy_maps:
        yield from policy_map_lines(policy_map)
    yield "!"
    for service in config.service_policies:
        where = "global" if service.interface is None else f"interface {service.interface}"
        yield f"service-policy {service.policy_map} {where}"


def _said_by_fixups(config: Config) -> bool:
    """PIX 6 has no other word for it."""
    return config.defaults.pix6 and bool(fixup_lines(config))


def _rule(printed: _Printed) -> Iterator[str]:
    del printed
    yield "!"


#: As an ASA prints it.
ORDER: tuple[Callable[[_Printed], Iterator[str]], ...] = (
    *(_head, _rule, _hostname, _accepted(Section.NAME), _rule, _names, _interfaces, _accepted(Section.INTERFACES)),
    *(_same_security, _objects, _access_lists, _accepted(Section.ACCESS_LISTS), _logging, _nameifs, _translations),
    *(_access_groups, _routes, _accepted(Section.ROUTES), _box, _accepted(Section.TIMEOUTS), _ours, _rule),
    *(_classes, _accepted(Section.CLASSES), _rule, _policies, _accepted(Section.POLICIES)),
)
#: As a PIX 6 does; what it has no word for comes where an ASA has it.
PIX6_ORDER: tuple[Callable[[_Printed], Iterator[str]], ...] = (
    *(_head, _pix6_interfaces, _hostname, _accepted(Section.NAME), _accepted(Section.INTERFACES), _fixups),
    *(
        _same_security,
        _names,
        _objects,
        _access_lists,
        _accepted(Section.ACCESS_LISTS),
        _logging,
        _nameifs,
        _pix6_addresses,
    ),
    *(_translations, _access_groups, _routes, _accepted(Section.ROUTES), _box, _accepted(Section.TIMEOUTS), _ours),
    *(_classes, _accepted(Section.CLASSES), _policies, _accepted(Section.POLICIES)),
)
