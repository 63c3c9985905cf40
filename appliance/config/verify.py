"""Whether a configuration makes sense as a whole: names that nothing defines, things that can't stand together.

Every finding of a file comes at once, each where it was written; it is ASA's sentence where ASA has one (asa.md
§5.1, §6). Nothing is changed. What stands alone and does nothing is a warning.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network

from appliance.config.config import Config
from appliance.config.cursor import Kind
from appliance.config.diagnostics import Diagnostic, Place, Severity
from appliance.config.elements import MOST as ELEMENTS
from appliance.config.elements import Elements, TooMany
from appliance.config.inspections import inspections
from appliance.config.lexer import Line
from appliance.config.limits import rules
from appliance.config.nat import ManualNat, NatStatement, PolicyStaticStatement
from appliance.config.parser import MOST, Parsed
from appliance.config.translations import STATICS, served, translations
from appliance.marks import CLASS
from appliance.nat.classes import RULES
from appliance.nat.translation import Kind as Does
from appliance.nat.translation import Pool, Translation
from appliance.policy.acl import Element, Named
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
        sizes = [*_sizes(parsed)] or [*_translated(parsed)]
        found += sizes
        if not sizes:
            found += [*_statics(parsed), *_policies(parsed), *_services(parsed), *_limits(parsed)]
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
        yield _error(each.line, message, each.column)


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
            yield _found(Severity.WARNING, parsed.lines[line], message)


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
                yield _error(line, f"ERROR: object-group {inner} holds itself by way of {name}")
                return
            elif inner in groups and inner not in depths:
                ahead.append(inner)
    for name, depth in depths.items():
        if depth > DEEPEST:
            message = f"ERROR: object-group {name}: groups nest more than {DEEPEST} deep"
            yield _error(parsed.lines[groups[name].line], message)
            return


def _held(group: Group) -> Iterator[str]:
    return (each.name for each in group.members if isinstance(each, Named) and each.kind == "group-object")


def _sizes(parsed: Parsed) -> Iterator[Diagnostic]:
    """Access lists that come to more elements than the rules may have."""
    elements = Elements(parsed.config)
    for access_list in parsed.config.access_lists:
        for ace in access_list.aces:
            try:
                elements.count(ace)
            except TooMany:
                message = f"ERROR: the access lists come to more than {ELEMENTS} elements here"
                yield _error(parsed.lines[ace.line], message)
                return


def _translated(parsed: Parsed) -> Iterator[Diagnostic]:
    """The same of translations, each of which may name a list."""
    try:
        translations(parsed.config)
    except TooMany:
        last = max(each.line for each in parsed.config.translations)
        yield _error(parsed.lines[last], f"ERROR: the lists of translations come to more than {ELEMENTS} elements")


# -- translations


def _policies(parsed: Parsed) -> Iterator[Diagnostic]:
    """What the lists of policy NAT say that is not carried out; what they deny goes on to other rules on an ASA."""
    for each in parsed.config.translations:
        if not isinstance(each, NatStatement | PolicyStaticStatement):
            continue
        if (named := parsed.config.access_list(each.access_list)) is None:
            continue
        exempts = isinstance(each, NatStatement) and each.number == 0
        sources: set[IPv4Network] = set()
        elements = Elements(parsed.config)
        for ace in named.aces:
            found = list(elements.of(ace))
            sources.update(element.source for element in found)
            what = _unfit(found, exempts)
            if what:
                message = f"ERROR: {what} is not carried out in translation: access-list {named.name}"
                yield _error(parsed.lines[ace.line], message)
        if isinstance(each, PolicyStaticStatement):
            yield from _one_source(parsed, each, sources)


def _unfit(elements: list[Element], exempts: bool) -> str:
    """What is said there that an entry of such a list cannot say; ports do not count in an exemption."""
    if not all(each.permit for each in elements):
        return "an entry that denies"
    if not exempts and any(each.source_ports is not None for each in elements):
        return "a source port"
    if not exempts and any(each.icmp is not None for each in elements):
        return "a type of ICMP"
    others = (each.destination_ports for each in elements if each.destination_ports is not None)
    return "neq" if not exempts and any(each.operator == "neq" for each in others) else ""


def _one_source(parsed: Parsed, static: PolicyStaticStatement, sources: set[IPv4Network]) -> Iterator[Diagnostic]:
    """The mapped address stands for one host, or for one network as large."""
    line = parsed.lines[static.line]
    if len(sources) > 1:
        yield _error(line, f"ERROR: access-list {static.access_list} has more than one source: a static has one")
    for source in sources if len(sources) == 1 else ():
        if int(static.mapped) & int(source.hostmask):
            yield _error(line, f"ERROR: {static.mapped} is not the first address of its network, {source.netmask}")


def _services(parsed: Parsed) -> Iterator[Diagnostic]:
    """``service``, where it is more than is carried out."""
    for rule in translations(parsed.config):
        if rule.ports is not None and rule.real.prefixlen < 32:
            line = parsed.lines[rule.line]
            yield _error(line, "ERROR: service translates a port of one host", _column(line, "service"))
    config, defined = parsed.config, {each.name for each in parsed.config.service_objects}
    for each in config.translations:
        if not isinstance(each, ManualNat) or each.services is None or not defined.issuperset(each.services):
            continue
        ports, far = served(config, each)
        if (ports is None and far is None) or (ports is not None and each.dynamic):
            message = (
                "ERROR: service is carried out of a static rule whose objects have one source port each, "
                "or of two like objects with destination ports"
            )
            line = parsed.lines[each.line]
            yield _error(line, message, _column(line, "service"))


def _statics(parsed: Parsed) -> Iterator[Diagnostic]:
    """No address twice between the same two interfaces (asa.md §5.1), none of the firewall's own; not too many."""
    own = {each.address.ip: each for each in parsed.config.interfaces if each.address is not None}
    rules = [each for each in translations(parsed.config) if each.kind is not Does.DYNAMIC and not each.far]
    whole = [each for each in rules if each.whole]
    for word in ("mapped", "real"):
        yield from _twice(parsed, rules, word)
    for each in whole:
        line = parsed.lines[each.line]
        for address in own:
            known = not isinstance(each.mapped, Pool) and address in each.mapped and each.proxy_arp
            if each.real.prefixlen == 32 and (known or address in each.real):
                yield _error(line, f"ERROR: {address} is the address of interface {own[address].name}")
        if each.real_interface is not None and each.real_interface == each.mapped_interface:
            yield _error(line, "ERROR: a static translates between two interfaces")
    if len(parsed.config.all_statics) > STATICS:
        line = parsed.lines[parsed.config.all_statics[STATICS].line]
        yield _error(line, f"ERROR: at most {STATICS} hosts are translated by statics")


def _twice(parsed: Parsed, rules: list[Translation], word: str) -> Iterator[Diagnostic]:
    """Addresses that two rules translate between the same two interfaces; of one port each, the port decides."""
    spans: dict[object, list[tuple[int, int, int]]] = {}
    for each in rules:
        place = each.mapped if word == "mapped" else each.real
        if isinstance(place, Pool) or place.prefixlen == 0:
            continue
        port = (each.ports.protocol, each.ports.mapped if word == "mapped" else each.ports.real) if each.ports else None
        between = (each.real_interface, each.mapped_interface, port)
        spans.setdefault(between, []).append((int(place.network_address), -int(place.broadcast_address), each.line))
    for found in spans.values():
        found.sort()
        for (_, end, line), (start, _, other) in itertools.pairwise(found):
            if start <= -end and line != other:
                first, later = min(line, other), max(line, other)
                message = f"ERROR: duplicate of existing static: {word} {IPv4Address(start)} is in line {first}"
                yield _error(parsed.lines[later], message)


def _column(line: Line, keyword: str) -> int:
    """Where a keyword stands that may be shortened; the line's first word if it doesn't."""
    return next((word.column for word in line.words if keyword.startswith(word.text.lower())), line.words[0].column)


# -- interfaces


def _interfaces(parsed: Parsed) -> Iterator[Diagnostic]:
    """Networks that overlap; a named interface that has no Linux device."""
    networks = sorted((each.address.network, each.line) for each in parsed.config.interfaces if each.address)
    names = {each.line: each.name for each in parsed.config.interfaces}
    for (network, line), (following, other) in itertools.pairwise(networks):
        if network.overlaps(following):
            later, earlier = max(line, other), min(line, other)
            message = f"ERROR: the network of interface {names[later]} overlaps with interface {names[earlier]}"
            yield _error(parsed.lines[later], message)
    known = {each.name.lower() for each in parsed.config.interfaces}
    for each in parsed.config.interfaces:
        for name in each.no_forward:
            if name.lower() not in known:
                message = f"WARNING: no forward interface {name}: there is no such interface"
                yield _found(Severity.WARNING, parsed.lines[each.line], message)
        if each.nameif is not None and each.hardware is None:
            message = f'WARNING: interface {each.name} ("{each.nameif}") has no hardware: nothing passes through it'
            yield _found(Severity.WARNING, parsed.lines[each.line], message)


# -- classes


def _classes(parsed: Parsed) -> Iterator[Diagnostic]:
    """Classes that match nothing; more inspecting classes than the mark can number."""
    empty = {each.name for each in parsed.config.class_maps if each.match is None}
    for each in parsed.references:
        if each.kind is Kind.CLASS_MAP and each.name in empty:
            message = f"WARNING: class-map {each.name} has no match: it matches nothing"
            yield _found(Severity.WARNING, each.line, message, each.column)
    blank = {each.name for each in parsed.config.regex_classes if not each.regexes}
    for each in parsed.references:
        if each.kind is Kind.REGEX_CLASS and each.name in blank:
            message = f"WARNING: class-map type regex {each.name} has no match: it matches nothing"
            yield _found(Severity.WARNING, each.line, message, each.column)
    last = max((each.number for each in inspections(parsed.config)), default=0)
    if last > CLASS.top:
        service = next(each for each in parsed.references if each.kind is Kind.POLICY_MAP)
        yield _error(service.line, f"ERROR: {last} classes inspect, more than {CLASS.top}", service.column)


def _limits(parsed: Parsed) -> Iterator[Diagnostic]:
    """More lines of classes with `set connection` than the kernel's program walks."""
    with contextlib.suppress(TooMany):  # which `_sizes` has told
        lines = len(rules(parsed.config))
        if lines > RULES:
            service = next(each for each in parsed.references if each.kind is Kind.POLICY_MAP)
            message = f"ERROR: the classes with `set connection` match by {lines} lines, more than {RULES}"
            yield _error(service.line, message, service.column)


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
            yield _found(Severity.WARNING, parsed.lines[each.line], message)


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
                    yield _found(Severity.WARNING, place.line, message, place.column)
            elif matches.get(each.name) == MatchAny():
                before = each.name


def _error(line: Line, message: str, column: int = 0) -> Diagnostic:
    return _found(Severity.ERROR, line, message, column)


def _found(severity: Severity, line: Line, message: str, column: int = 0) -> Diagnostic:
    return Diagnostic(severity, Place(line.number, column or line.words[0].column), message, line.text)
