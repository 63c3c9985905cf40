"""Whether a configuration makes sense as a whole: names that nothing defines, things that can't stand together.

Every finding of a file comes at once, each where it was written; it is ASA's sentence where ASA has one (asa.md
§5.1, §6). Nothing is changed. What stands alone and does nothing is a warning.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace

from appliance.config import finding
from appliance.config.config import Config
from appliance.config.cursor import Kind
from appliance.config.diagnostics import Diagnostic, Severity
from appliance.config.elements import MOST as ELEMENTS
from appliance.config.elements import Elements, TooMany
from appliance.config.inspections import inspections
from appliance.config.limits import limited_classes, rules, ways
from appliance.config.parser import MOST, Parsed
from appliance.config.verify_translations import carried_out, translated
from appliance.marks import CLASS
from appliance.nat.classes import RULES
from appliance.policy.acl import Named
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import CLASS_DEFAULT, InspectEsmtp, MatchAny
from appliance.policy.objects import Group, GroupKind

#: How deep groups may hold groups.
DEEPEST = 16

_UNDEFINED = {
    Kind.NAMEIF: "ERROR: interface <{}> does not exist",
    Kind.ACCESS_LIST: "ERROR: access-list <{}> does not exist",
    Kind.CLASS_MAP: "ERROR: % class-map {} not configured",
    Kind.POLICY_MAP: "ERROR: % policy-map {} not configured",
    Kind.INSPECT_MAP: "ERROR: % policy-map type inspect esmtp {} not configured",
    Kind.REGEX: "ERROR: regex {} not configured",
    Kind.REGEX_CLASS: "ERROR: % class-map type regex {} not configured",
    Kind.TIME_RANGE: "ERROR: time-range <{}> does not exist",
    Kind.NETWORK: "ERROR: object network ({}) does not exist",
    Kind.SERVICE: "ERROR: object service ({}) does not exist",
    Kind.PLACE: "ERROR: object ({}) of addresses does not exist",
    Kind.GROUP_NETWORK: "ERROR: object-group network ({}) does not exist",
    Kind.GROUP_SERVICE: "ERROR: object-group service ({}) does not exist",
    Kind.GROUP_PROTOCOL: "ERROR: object-group protocol ({}) does not exist",
    Kind.GROUP_PROTOCOLS: "ERROR: object-group ({}) of protocols or services does not exist",
    Kind.GROUP_ICMP_TYPE: "ERROR: object-group icmp-type ({}) does not exist",
}
_OF_OTHER_TYPE = "ERROR: access-list <{}> is of type {}: an extended one is needed here"


def verify(parsed: Parsed) -> tuple[Diagnostic, ...]:
    """What is wrong with a file that was read, in the file's order; at most `MOST` findings."""
    nested = list(_nested(parsed))
    found = [*nested, *_undefined(parsed), *_interfaces(parsed), *_classes(parsed), *_unreachable(parsed)]
    found += [*_replaced(parsed)]
    found += [*_unused(parsed)]
    if not nested:  # else what groups come to can't be told
        sizes = [*_sizes(parsed)] or [*translated(parsed)]
        found += sizes
        if not sizes:
            found += [*_ports(parsed), *carried_out(parsed), *_limits(parsed)]
    return tuple(sorted(found, key=lambda each: each.place)[:MOST])


# -- names


def _defined(config: Config) -> Mapping[Kind, set[str]]:
    groups = {kind: {each.name for each in config.groups if each.kind is kind} for kind in GroupKind}
    objects = {each.name for each in config.objects}
    return {
        Kind.NAMEIF: {each.nameif for each in config.interfaces if each.nameif is not None},
        Kind.ACCESS_LIST: {each.name for each in config.access_lists},
        Kind.CLASS_MAP: {each.name for each in config.class_maps} | {CLASS_DEFAULT.name},
        Kind.POLICY_MAP: {each.name for each in config.policy_maps},
        Kind.INSPECT_MAP: {each.name for each in config.inspect_maps} | {DEFAULT_MAP.name},
        Kind.REGEX: {each.name for each in config.regexes},
        Kind.REGEX_CLASS: {each.name for each in config.regex_classes},
        Kind.TIME_RANGE: {each.name for each in config.time_ranges},
        Kind.NETWORK: objects,
        Kind.SERVICE: {each.name for each in config.service_objects},
        Kind.PLACE: objects | groups[GroupKind.NETWORK],
        Kind.GROUP_NETWORK: groups[GroupKind.NETWORK],
        Kind.GROUP_SERVICE: groups[GroupKind.SERVICE],
        Kind.GROUP_PROTOCOL: groups[GroupKind.PROTOCOL],
        Kind.GROUP_PROTOCOLS: groups[GroupKind.PROTOCOL] | groups[GroupKind.SERVICE],
        Kind.GROUP_ICMP_TYPE: groups[GroupKind.ICMP_TYPE],
    }


def _undefined(parsed: Parsed) -> Iterator[Diagnostic]:
    """Names that no statement defines, or that name a list of another type."""
    defined = _defined(parsed.config)
    other_lists = {
        words[1]: words[2]
        for words in (each.text.split() for each in parsed.config.accepted)
        if words[0].lower() == "access-list" and len(words) > 2
    }
    for each in parsed.references:
        if each.name in defined[each.kind]:
            continue
        message = _UNDEFINED[each.kind].format(each.name)
        if each.kind is Kind.ACCESS_LIST and each.name in other_lists:
            message = _OF_OTHER_TYPE.format(each.name, other_lists[each.name])
        yield finding.error(each.line, message, each.column)


#: What may be defined and not named by anything: told as a warning.
_USED = {
    Kind.ACCESS_LIST: "access-list {}",
    Kind.CLASS_MAP: "class-map {}",
    Kind.POLICY_MAP: "policy-map {}",
}


def _unused(parsed: Parsed) -> Iterator[Diagnostic]:
    """Definitions that nothing names. A real configuration is full of objects; those are not told of."""
    used = {(each.kind, each.name) for each in parsed.references}
    config = parsed.config
    accepted = (text for each in config.accepted for text in (each.text, *each.block))
    kept = set(itertools.chain.from_iterable(map(str.split, accepted)))  # a crypto map may name a list, too
    services = {each.policy_map for each in config.service_policies}
    lines = {
        **{(Kind.ACCESS_LIST, each.name): each.aces[0].line for each in config.access_lists if each.aces},
        **{(Kind.CLASS_MAP, each.name): each.line for each in config.class_maps},
        **{(Kind.POLICY_MAP, each.name): each.line for each in config.policy_maps if each.name not in services},
    }
    in_policies = {(Kind.CLASS_MAP, each.name) for policy in config.policy_maps for each in policy.classes}
    for thing, line in lines.items():
        if thing not in used | in_policies and thing[1] not in kept and line in parsed.lines:
            message = f"WARNING: {_USED[thing[0]].format(thing[1])} is not used"
            yield finding.found(Severity.WARNING, parsed.lines[line], message)


# -- groups, and what they come to


def _nested(parsed: Parsed) -> Iterator[Diagnostic]:
    """Groups that hold themselves, and groups nested deeper than `DEEPEST`; without recursion, however deep."""
    groups = {each.name: each for each in parsed.config.groups}
    depths: dict[str, int] = {}
    for group in groups.values():
        path: dict[str, Iterator[str]] = {}
        ahead = [group.name] if group.name not in depths else []
        while ahead:
            name = ahead[-1]
            if name not in path:
                path[name] = _held(groups[name])
            inner = next(path[name], None)
            if inner is None:
                depths[name] = 1 + max((depths.get(each, 0) for each in _held(groups[name])), default=0)
                del path[name]
                ahead.pop()
            elif inner in path:
                line = parsed.lines[groups[name].line]
                yield finding.error(line, f"ERROR: object-group {inner} holds itself by way of {name}")
                return
            elif inner in groups and inner not in depths:
                ahead.append(inner)
    for name, depth in depths.items():
        if depth > DEEPEST:
            message = f"ERROR: object-group {name}: groups nest more than {DEEPEST} deep"
            yield finding.error(parsed.lines[groups[name].line], message)
            return


def _held(group: Group) -> Iterator[str]:
    return (each.name for each in group.members if isinstance(each, Named) and each.kind == "group-object")


def _ports(parsed: Parsed) -> Iterator[Diagnostic]:
    """Groups of ports in entries of a protocol that is not theirs."""
    elements = Elements(parsed.config)
    groups = {each.name: each for each in parsed.config.groups}
    protocols = functools.cache(functools.partial(_protocols, groups))
    for access_list in parsed.config.access_lists:
        for ace in access_list.aces:
            for ports in (ace.source_ports, ace.destination_ports):
                if not isinstance(ports, Named):
                    continue
                plain = replace(ace, source_ports=None, destination_ports=None)  # an empty group is of a protocol, too
                beyond = {each.protocol for each in elements.services(plain)} - protocols(ports.name)
                if beyond:
                    line = parsed.lines[ace.line]
                    column = next((each.column for each in line.words if each.text == ports.name), 1)
                    message = f"ERROR: object-group ({ports.name}) is not one of ports of {min(beyond)}"
                    yield finding.error(line, message, column)


def _protocols(groups: Mapping[str, Group], name: str) -> set[str]:
    """Those that a group of ports, and every group in it, is of; none where it is of services."""
    found, seen, ahead = {"tcp", "udp"}, set[str](), [name]
    while ahead:
        group = groups.get(ahead.pop())
        if group is not None and group.name not in seen:
            seen.add(group.name)
            found &= set(group.protocol.split("-"))
            ahead.extend(_held(group))
    return found


def _sizes(parsed: Parsed) -> Iterator[Diagnostic]:
    """Access lists that come to more elements than the rules may have."""
    elements = Elements(parsed.config)
    for access_list in parsed.config.access_lists:
        for ace in access_list.aces:
            try:
                elements.count(ace)
            except TooMany:
                message = f"ERROR: the access lists come to more than {ELEMENTS} elements here"
                yield finding.error(parsed.lines[ace.line], message)
                return


# -- interfaces


def _interfaces(parsed: Parsed) -> Iterator[Diagnostic]:
    """Networks that overlap; a named interface that has no Linux device."""
    networks = sorted((each.address.network, each.line) for each in parsed.config.interfaces if each.address)
    names = {each.line: each.name for each in parsed.config.interfaces}
    for (network, line), (following, other) in itertools.pairwise(networks):
        if network.overlaps(following):
            later, earlier = max(line, other), min(line, other)
            message = f"ERROR: the network of interface {names[later]} overlaps with interface {names[earlier]}"
            yield finding.error(parsed.lines[later], message)
    known = {each.name.lower() for each in parsed.config.interfaces}
    for each in parsed.config.interfaces:
        for name in each.no_forward:
            if name.lower() not in known:
                message = f"WARNING: no forward interface {name}: there is no such interface"
                yield finding.found(Severity.WARNING, parsed.lines[each.line], message)
        if each.nameif is not None and each.hardware is None:
            message = f'WARNING: interface {each.name} ("{each.nameif}") has no hardware: nothing passes through it'
            yield finding.found(Severity.WARNING, parsed.lines[each.line], message)


# -- classes


def _classes(parsed: Parsed) -> Iterator[Diagnostic]:
    """Classes that match nothing; more inspecting classes than the mark can number."""
    empty = {each.name for each in parsed.config.class_maps if each.match is None}
    for each in parsed.references:
        if each.kind is Kind.CLASS_MAP and each.name in empty:
            message = f"WARNING: class-map {each.name} has no match: it matches nothing"
            yield finding.found(Severity.WARNING, each.line, message, each.column)
    blank = {each.name for each in parsed.config.regex_classes if not each.regexes}
    for each in parsed.references:
        if each.kind is Kind.REGEX_CLASS and each.name in blank:
            message = f"WARNING: class-map type regex {each.name} has no match: it matches nothing"
            yield finding.found(Severity.WARNING, each.line, message, each.column)
    last = max((each.number for each in inspections(parsed.config)), default=0)
    if last > CLASS.top:
        service = next(each for each in parsed.references if each.kind is Kind.POLICY_MAP)
        yield finding.error(service.line, f"ERROR: {last} classes inspect, more than {CLASS.top}", service.column)


def _limits(parsed: Parsed) -> Iterator[Diagnostic]:
    """More lines of classes with `set connection` than the kernel's program walks; half-open connections limited where
    TCP Intercept answers for nobody."""
    config = parsed.config
    service = next((each for each in parsed.references if each.kind is Kind.POLICY_MAP), None)
    if service is None:
        return
    with contextlib.suppress(TooMany):  # which `_sizes` has told
        lines = len(rules(config))
        if lines > RULES:
            message = f"ERROR: the classes with `set connection` match by {lines} lines, more than {RULES}"
            yield finding.error(service.line, message, service.column)
        named = any(not each.own for each in config.all_statics)
        interfaces = {each.nameif for each in config.interfaces if each.nameif}
        if any(each.intercepts for each in limited_classes(config)) and not (named or ways(config, interfaces)):
            message = (
                "WARNING: embryonic limits of classes hold for nobody: no static is intercepted, nor is there a way to "
                "a more secure interface by which untranslated clients call hosts by their own address"
            )
            yield finding.found(Severity.WARNING, service.line, message, service.column)


def _replaced(parsed: Parsed) -> Iterator[Diagnostic]:
    """An interface policy that inspects takes the place of the global one there, for all traffic (asa.md §6.2)."""
    config = parsed.config
    inspecting = {
        policy.name
        for policy in config.policy_maps
        if any(isinstance(each.inspect, InspectEsmtp) for each in policy.classes)
    }
    services = [each for each in config.service_policies if each.policy_map in inspecting]
    replaced = next((each for each in services if each.interface is None), None)
    for each in services:
        if replaced is None or each.policy_map == replaced.policy_map:
            continue
        if each.interface is not None and each.line in parsed.lines:
            message = (
                f"WARNING: {replaced.policy_map} inspects no ESMTP on interface {each.interface}: "
                f"{each.policy_map} does, and what its classes leave is not inspected"
            )
            yield finding.found(Severity.WARNING, parsed.lines[each.line], message)


def _unreachable(parsed: Parsed) -> Iterator[Diagnostic]:
    """Classes that inspect behind one that has everything inspected already."""
    matches = {each.name: each.match for each in parsed.config.class_maps}
    for policy in parsed.config.policy_maps:
        before = ""
        for each in policy.classes:
            if not isinstance(each.inspect, InspectEsmtp):
                continue
            if before:
                place = next(
                    (ref for ref in parsed.references if ref.kind is Kind.CLASS_MAP and ref.name == each.name), None
                )
                if place is not None:
                    message = f"WARNING: class {each.name} is never reached: class {before} matches everything"
                    yield finding.found(Severity.WARNING, place.line, message, place.column)
            elif matches.get(each.name) == MatchAny():
                before = each.name
