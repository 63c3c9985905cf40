"""Whether the translations of a configuration make sense as a whole (asa.md §5.1, §5.2); a part of `verify`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from appliance.config import finding
from appliance.config.diagnostics import Diagnostic, Severity
from appliance.config.early_rules import of_a_port
from appliance.config.elements import MOST as ELEMENTS
from appliance.config.elements import Elements, TooMany
from appliance.config.lexer import Line
from appliance.config.nat import ManualNat, NatStatement, PolicyStaticStatement, StaticStatement
from appliance.config.object_rules import served
from appliance.config.parser import Parsed
from appliance.config.statics import STATICS
from appliance.config.translations import covering, translations
from appliance.nat.static import Static
from appliance.nat.translation import Kind as Does
from appliance.nat.translation import Pool, Translation
from appliance.policy.acl import Element


def translated(parsed: Parsed) -> Iterator[Diagnostic]:
    """Lists of translations that come to more elements than the rules may have."""
    try:
        translations(parsed.config)
    except TooMany:
        last = max(each.line for each in parsed.config.translations)
        yield finding.error(
            parsed.lines[last], f"ERROR: the lists of translations come to more than {ELEMENTS} elements"
        )


def carried_out(parsed: Parsed) -> Iterator[Diagnostic]:
    """What is said twice, or is not carried out."""
    yield from _statics(parsed)
    yield from _policies(parsed)
    yield from _services(parsed)


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
            if isinstance(each, PolicyStaticStatement) and each.protocol:
                what = _unfit_for_a_port(found, each.protocol)
            else:
                what = _unfit(found, exempts)
            if what:
                message = f"ERROR: {what} is not carried out in translation: access-list {named.name}"
                yield finding.error(parsed.lines[ace.line], message)
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


def _unfit_for_a_port(elements: list[Element], protocol: str) -> str:
    """Likewise of a static of one port, whose list says which it is."""
    fits = all(of_a_port(each, protocol) for each in elements)
    return "" if fits else f"an entry other than permit {protocol} host REAL eq PORT DESTINATION"


def _one_source(parsed: Parsed, static: PolicyStaticStatement, sources: set[IPv4Network]) -> Iterator[Diagnostic]:
    """The mapped address stands for one host, or for one network as large."""
    line = parsed.lines[static.line]
    if len(sources) > 1:
        yield finding.error(line, f"ERROR: access-list {static.access_list} has more than one source: a static has one")
    for source in sources if len(sources) == 1 else ():
        if static.mapped is not None and int(static.mapped) & int(source.hostmask):
            yield finding.error(
                line, f"ERROR: {static.mapped} is not the first address of its network, {source.netmask}"
            )


def _services(parsed: Parsed) -> Iterator[Diagnostic]:
    """``service``, where it is more than is carried out."""
    for rule in translations(parsed.config):
        if rule.ports is not None and rule.real.prefixlen < 32:
            line = parsed.lines[rule.line]
            yield finding.error(line, "ERROR: service translates a port of one host", _column(line, "service"))
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
            yield finding.error(line, message, _column(line, "service"))


def _statics(parsed: Parsed) -> Iterator[Diagnostic]:
    """No address twice between the same two interfaces (asa.md §5.1), none of the firewall's own; not too many."""
    own = {each.address.ip: each for each in parsed.config.interfaces if each.address is not None}
    rules = [each for each in translations(parsed.config) if each.kind is not Does.DYNAMIC and not each.far]
    whole = [each for each in rules if each.whole]
    for word in ("mapped", "real"):
        yield from _twice(parsed, rules, word)
    yield from _covered(parsed)
    yield from _intercepted_twice(parsed)
    yield from _not_intercepted(parsed)
    for each in whole:
        line = parsed.lines[each.line]
        for address in own:
            known = not isinstance(each.mapped, Pool) and address in each.mapped and each.proxy_arp
            if each.real.prefixlen == 32 and (known or address in each.real):
                yield finding.error(line, f"ERROR: {address} is the address of interface {own[address].name}")
        if each.real_interface is not None and each.real_interface == each.mapped_interface:
            yield finding.error(line, "ERROR: a static translates between two interfaces")
    if len(parsed.config.all_statics) > STATICS:
        line = parsed.lines[parsed.config.all_statics[STATICS].line]
        yield finding.error(line, f"ERROR: at most {STATICS} hosts are translated by statics")


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
                yield finding.error(parsed.lines[later], message)


def _covered(parsed: Parsed) -> Iterator[Diagnostic]:
    """Ports of addresses that a rule before translates whole: refused up to 8.2; from 8.3 the first rule wins."""
    statements = {each.line for each in parsed.config.translations if isinstance(each, StaticStatement)}
    for each, whole in covering(translations(parsed.config)).items():
        line = parsed.lines[each.line]
        address = "" if isinstance(each.mapped, Pool) else each.mapped.network_address
        if each.line in statements and whole.line in statements:
            message = f"ERROR: mapped-address conflict with existing static: {address} is in line {whole.line}"
            yield finding.error(line, message)
        else:
            message = f"WARNING: nothing comes to this port: line {whole.line} translates all of its address"
            yield finding.found(Severity.WARNING, line, message)


def _intercepted_twice(parsed: Parsed) -> Iterator[Diagnostic]:
    """Servers that two statics have embryonic limits for: of what TCP Intercept opens for a client nobody could say by
    which of them it came."""
    seen: dict[tuple[str, IPv4Address], list[Static]] = {}
    for each in sorted(parsed.config.all_statics, key=lambda static: static.line):
        if each.own or not each.max_embryonic:
            continue
        others = seen.setdefault((each.real_interface, each.real), [])
        first = next(filter(each.shares, others), None)
        others.append(each)
        if first is not None:
            message = f"ERROR: another static of {each.real} has an embryonic limit: it is in line {first.line}"
            yield finding.error(parsed.lines[each.line], message)


def _not_intercepted(parsed: Parsed) -> Iterator[Diagnostic]:
    """Embryonic limits of statics, where SYNPROXY's packets would not be translated as those of all its clients are."""
    statics = (*parsed.config.statics, *parsed.config.port_statics)
    limited = (each for each in statics if each.max_embryonic and each.own)
    chosen = {each.line: each for each in limited if each.mapped not in parsed.config.own_addresses}
    for line, each in chosen.items():
        message = (
            "WARNING: accepted, not acted on: TCP Intercept for a static that is called "
            f"from behind {each.mapped_interface} by way of a pool, PAT, policy NAT or an exemption"
        )
        yield finding.found(Severity.WARNING, parsed.lines[line], message)


def _column(line: Line, keyword: str) -> int:
    """Where a keyword stands that may be shortened; the line's first word if it doesn't."""
    return next((word.column for word in line.words if keyword.startswith(word.text.lower())), line.words[0].column)
