"""Whether a configuration makes sense as a whole: names that nothing defines, things that can't stand together.

Every finding of a file comes at once, each where it was written; it is ASA's sentence where ASA has one (asa.md
§5.1, §6). Nothing is changed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address

from appliance.config.arguments import Kind
from appliance.config.diagnostics import Diagnostic, Place, Severity
from appliance.config.inspections import inspections
from appliance.config.lexer import Line
from appliance.config.parser import MOST, Parsed
from appliance.marks import CLASS
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import CLASS_DEFAULT

_UNDEFINED = {
    Kind.NAMEIF: "ERROR: interface <{}> does not exist",
    Kind.ACCESS_LIST: "ERROR: access-list <{}> does not exist",
    Kind.CLASS_MAP: "ERROR: % class-map {} not configured",
    Kind.POLICY_MAP: "ERROR: % policy-map {} not configured",
    Kind.INSPECT_MAP: "ERROR: % policy-map type inspect esmtp {} not configured",
    Kind.REGEX: "ERROR: regex {} not configured",
    Kind.REGEX_CLASS: "ERROR: % class-map type regex {} not configured",
}


def verify(parsed: Parsed) -> tuple[Diagnostic, ...]:
    """What is wrong with a file that was read, in the file's order; at most `MOST` findings."""
    found = [*_undefined(parsed), *_statics(parsed), *_interfaces(parsed), *_classes(parsed)]
    return tuple(sorted(found, key=lambda each: each.place)[:MOST])


def _undefined(parsed: Parsed) -> Iterator[Diagnostic]:
    """Names that no statement defines."""
    config = parsed.config
    defined: Mapping[Kind, set[str]] = {
        Kind.NAMEIF: {each.nameif for each in config.interfaces if each.nameif is not None},
        Kind.ACCESS_LIST: {each.name for each in config.access_lists},
        Kind.CLASS_MAP: {each.name for each in config.class_maps} | {CLASS_DEFAULT.name},
        Kind.POLICY_MAP: {each.name for each in config.policy_maps},
        Kind.INSPECT_MAP: {each.name for each in config.inspect_maps} | {DEFAULT_MAP.name},
        Kind.REGEX: {each.name for each in config.regexes},
        Kind.REGEX_CLASS: {each.name for each in config.regex_classes},
    }
    for each in parsed.references:
        if each.name not in defined[each.kind]:
            yield _error(each.line, _UNDEFINED[each.kind].format(each.name), each.column)


def _statics(parsed: Parsed) -> Iterator[Diagnostic]:
    """No address twice between the same two interfaces (asa.md §5.1), none of the firewall's own."""
    mapped: dict[tuple[str, str, IPv4Address], int] = {}
    real: dict[tuple[str, str, IPv4Address], int] = {}
    own = {each.address.ip: each for each in parsed.config.interfaces if each.address is not None}
    for each in parsed.config.statics:
        line, between = parsed.lines[each.line], (each.real_interface, each.mapped_interface)
        for seen, address, word in ((mapped, each.mapped, "mapped"), (real, each.real, "real")):
            first = seen.setdefault((*between, address), each.line)
            if first != each.line:
                yield _error(line, f"ERROR: duplicate of existing static: {word} {address} is in line {first}")
        for address in {each.mapped, each.real} & own.keys():
            yield _error(line, f"ERROR: {address} is the address of interface {own[address].name}")
        if each.real_interface == each.mapped_interface:
            yield _error(line, "ERROR: a static translates between two interfaces")


def _interfaces(parsed: Parsed) -> Iterator[Diagnostic]:
    """Networks that overlap; a named interface that has no Linux device."""
    networks = sorted((each.address.network, each.line) for each in parsed.config.interfaces if each.address)
    names = {each.line: each.name for each in parsed.config.interfaces}
    for (network, line), (following, other) in itertools.pairwise(networks):
        if network.overlaps(following):
            later, earlier = max(line, other), min(line, other)
            message = f"ERROR: the network of interface {names[later]} overlaps with interface {names[earlier]}"
            yield _error(parsed.lines[later], message)
    for each in parsed.config.interfaces:
        if each.nameif is not None and each.hardware is None:
            message = f'WARNING: interface {each.name} ("{each.nameif}") has no hardware: nothing passes through it'
            yield _found(Severity.WARNING, parsed.lines[each.line], message)


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


def _error(line: Line, message: str, column: int = 0) -> Diagnostic:
    return _found(Severity.ERROR, line, message, column)


def _found(severity: Severity, line: Line, message: str, column: int = 0) -> Diagnostic:
    return Diagnostic(severity, Place(line.number, column or line.words[0].column), message, line.text)
