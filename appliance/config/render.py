"""A configuration as ``show running-config`` prints it: in ASA's order and spelling, and it parses to itself.

This is the order alone (asa.md §3.13); how a statement is spelt, its topic in `statements` knows. The default inspect
map is printed by ``show running-config all`` alone (asa.md §2.8).
"""

from __future__ import annotations

from collections.abc import Iterator

from appliance.config.config import Config
from appliance.config.nat import ManualNat, ObjectNat
from appliance.config.statements.accepted import Section, accepted_lines
from appliance.config.statements.access_lists import access_group_line, access_list_lines, time_range_lines
from appliance.config.statements.box import statistics_lines, timeout_lines
from appliance.config.statements.inspect_maps import inspect_map_lines, regex_class_lines
from appliance.config.statements.interfaces import interface_lines
from appliance.config.statements.logs import logging_lines
from appliance.config.statements.objects import group_lines, name_lines, network_object_lines, service_object_lines
from appliance.config.statements.policies import class_map_lines, policy_map_lines
from appliance.config.statements.translations import translation_line


def running_config(config: Config, all: bool = False) -> str:
    """The text. With `all` it holds what is as by default too, the default inspect map among it."""
    return "".join(f"{line}\n" for line in _lines(config, all))


def _lines(config: Config, everything: bool) -> Iterator[str]:
    if config.head:
        yield config.head
    if config.compatibility:
        yield f"compatibility {config.compatibility}"
    yield "!"
    yield f"hostname {config.hostname}"
    yield from accepted_lines(config, Section.NAME)
    yield "!"
    if config.names_shown:
        yield "names"
    for name in config.names:
        yield from name_lines(name)
    for interface in config.interfaces:
        yield from interface_lines(interface)
        yield "!"
    yield from accepted_lines(config, Section.INTERFACES)
    if config.inter_interface:
        yield "same-security-traffic permit inter-interface"
    if config.intra_interface:
        yield "same-security-traffic permit intra-interface"
    for network_object in config.objects:
        yield from network_object_lines(network_object)
    for service_object in config.service_objects:
        yield from service_object_lines(service_object)
    for group in config.groups:
        yield from group_lines(group)
    for time_range in config.time_ranges:
        yield from time_range_lines(time_range)
    for access_list in config.access_lists:
        yield from access_list_lines(access_list)
    yield from accepted_lines(config, Section.ACCESS_LISTS)
    yield from logging_lines(config.logging, everything)
    yield from _translations(config)
    yield from map(access_group_line, config.access_groups)
    for route in config.routes:
        network = f"{route.network.network_address} {route.network.netmask}"
        yield f"route {route.interface} {network} {route.gateway} {route.metric}"
    if everything or config.tcpmss != Config().tcpmss:
        yield f"sysopt connection tcpmss {config.tcpmss}"
    for nameif in sorted(config.no_proxy_arp):
        yield f"sysopt noproxyarp {nameif}"
    yield from timeout_lines(config.timeouts, everything)
    yield from statistics_lines(config.tcp_intercept, everything)
    yield from accepted_lines(config, Section.TIMEOUTS)
    if config.metrics is not None:
        yield f"metrics listen {config.metrics.address}:{config.metrics.port}"
    if config.workers is not None:
        yield f"inspection-workers {config.workers}"
    yield "!"
    for regex in config.regexes:
        yield f'regex {regex.name} "{regex.pattern}"'
    for regex_class in config.regex_classes:
        yield from regex_class_lines(regex_class)
    for class_map in config.class_maps:
        yield from class_map_lines(class_map)
    yield from accepted_lines(config, Section.CLASSES)
    yield "!"
    for inspect_map in (*((config.defaults.default_map,) if everything else ()), *config.inspect_maps):
        yield from inspect_map_lines(inspect_map, config.defaults.parameters, everything)
    for policy_map in config.policy_maps:
        yield from policy_map_lines(policy_map)
    yield "!"
    for service in config.service_policies:
        where = "global" if service.interface is None else f"interface {service.interface}"
        yield f"service-policy {service.policy_map} {where}"
    yield from accepted_lines(config, Section.POLICIES)


def _translations(config: Config) -> Iterator[str]:
    """In the order the rules are asked: manual ones, those of objects, manual ones after-auto (asa.md §5.2)."""
    if config.nat_control is not None:
        yield "nat-control" if config.nat_control else "no nat-control"
    later = [each for each in config.translations if isinstance(each, ManualNat) and each.after_auto]
    of_objects = [each for each in config.translations if isinstance(each, ObjectNat)]
    yield from (translation_line(each) for each in config.translations if each not in later + of_objects)
    for each in of_objects:
        yield f"object network {each.name}"
        yield f" {translation_line(each)}"
    yield from map(translation_line, later)
