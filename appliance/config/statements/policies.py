"""Class maps, policy maps and where they are applied, while they are being read (asa.md §6.1-6.2).

``fixup protocol smtp`` is what PIX 6 had in their place; it is turned into them, as PIX 7 does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

from appliance.config.arguments import CLASS_TIMEOUTS, LIMITS
from appliance.config.config import Config, ServicePolicy
from appliance.config.diagnostics import INVALID
from appliance.config.names import clock_text, description, ports_text
from appliance.config.statements.accepted import INSPECTIONS
from appliance.config.statements.inspect_maps import POLICY_MAPS, InspectMaps
from appliance.config.syntax import ACCEPTED, NO_DESCRIPTION, Mode, Statement, both
from appliance.policy.acl import Ports
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import (
    CLASS_DEFAULT,
    ClassMap,
    ClassMatch,
    ExemptEsmtp,
    InspectEsmtp,
    MatchAccessList,
    MatchAny,
    MatchDefaultInspectionTraffic,
    MatchOther,
    MatchPort,
    PolicyClass,
    PolicyMap,
    SetConnection,
)

#: Class maps, and classes in a policy map (asa.md §6.1).
CLASS_MAPS, CLASSES = 255, 63
#: What ``fixup protocol smtp`` is turned into (asa.md §1.1).
FIXUP_POLICY, FIXUP_CLASS = "global_policy", "inspection_default"
SMTP = 25

_SECOND_MATCH = (
    "ERROR: Multiple match commands are not supported except for the "
    "'match tunnel-group or default-inspect-traffic' command."
)


class Policies(InspectMaps):
    """The maps by name, the service policies by interface, and what the modes are in."""

    def __init__(self) -> None:
        super().__init__()
        self.class_maps: dict[str, ClassMap] = {}
        self.services: dict[str | None, ServicePolicy] = {}
        self._policies: dict[str, dict[str, PolicyClass]] = {}  # by policy map, by class
        self._policy_descriptions: dict[str, str] = {}
        self._policy_lines: dict[str, int] = {}
        self._class_map = ""
        self._policy_map = ""
        self._class = ""

    def policy_maps(self) -> tuple[PolicyMap, ...]:
        """The policy maps."""
        return tuple(self._policy(name) for name in self._policies)

    def _policy(self, name: str) -> PolicyMap:
        # class-default comes last whenever it was written (asa.md §6.2); sorting keeps the others' order.
        classes = sorted(self._policies[name].values(), key=lambda each: each.name == CLASS_DEFAULT.name)
        return PolicyMap(name, tuple(classes), self._policy_descriptions.get(name, ""), self._policy_lines.get(name, 0))

    # -- class maps

    def class_map(self, name: str) -> None:
        if name == CLASS_DEFAULT.name:
            raise self.rejected("name", f"ERROR: % class-map {name} is reserved")
        self._room(name, self.class_maps, CLASS_MAPS, "class maps")
        self._class_map = name
        self.class_maps.setdefault(name, ClassMap(name, None, line=self._line.number))

    def no_class_map(self, name: str) -> None:
        if any(name in classes for classes in self._policies.values()):
            raise self.rejected("name", f"ERROR: class-map {name} is being used")
        self.class_maps.pop(name, None)
        self.unsaid("match", name)

    def class_map_description(self, text: str) -> None:
        self._change_class_map(description=text)

    def no_class_map_description(self) -> None:
        self._change_class_map(description="")

    def _change_class_map(self, **fields: Any) -> None:
        self.class_maps[self._class_map] = replace(self.class_maps[self._class_map], **fields)

    def match_any(self) -> None:
        self._match_class(MatchAny())

    def match_access_list(self, acl: str) -> None:
        if isinstance(self.class_maps[self._class_map].match, MatchDefaultInspectionTraffic):
            self._match_class(MatchDefaultInspectionTraffic(acl))
        else:
            self._match_class(MatchAccessList(acl))

    def match_address(self, acl: str) -> None:
        """``match address``, the seed's spelling (row 18)."""
        column = self._line.words[1].column
        self.warnings.append((column, f"WARNING: match address is taken as match access-list {acl}"))
        self.match_access_list(acl)

    def match_port(self, protocol: str, ports: Ports) -> None:
        if ports.operator not in ("eq", "range"):
            raise self.rejected("ports", INVALID)
        self._match_class(MatchPort(protocol, ports))

    def match_default_inspection_traffic(self) -> None:
        known = self.class_maps[self._class_map].match
        listed = known.name if isinstance(known, MatchAccessList) else ""
        if listed:
            self._change_class_map(match=None)
        self._match_class(MatchDefaultInspectionTraffic(listed))

    def match_other(self) -> None:
        text = self.accepted_once("match", "WARNING: accepted, not acted on: the class matches nothing")
        known = self.class_maps[self._class_map].match
        texts = known.texts if isinstance(known, MatchOther) else ()
        if isinstance(known, MatchOther):
            self._change_class_map(match=None)
        self._match_class(MatchOther(tuple(dict.fromkeys((*texts, text)))))

    def _match_class(self, match: ClassMatch) -> None:
        known = self.class_maps[self._class_map].match
        plain = MatchDefaultInspectionTraffic()
        if known not in (None, match) and not (known == plain and isinstance(match, MatchDefaultInspectionTraffic)):
            raise self.rejected("", _SECOND_MATCH)
        self.said("match", self._class_map)
        self._change_class_map(match=match)

    def no_match(self, **fields: Any) -> None:
        """A class map has one match: it goes, whichever is named."""
        del fields
        self.unsaid("match", self._class_map)
        self.forgotten.add(self._line.number)
        self._change_class_map(match=None)

    # -- policy maps

    def policy_map(self, name: str) -> None:
        self._room(name, self._policies, POLICY_MAPS, "policy maps")
        self._policy_map = name
        self._policies.setdefault(name, {})
        self._policy_lines.setdefault(name, self._line.number)

    def no_policy_map(self, name: str) -> None:
        if any(each.policy_map == name for each in self.services.values()):
            raise self.rejected("name", f"ERROR: policy-map {name} is being used")
        for each in self._policies.pop(name, {}):
            self._unsay_class(name, each)
        self._policy_descriptions.pop(name, None)

    def _unsay_class(self, policy: str, name: str) -> None:
        self.unsaid("class", policy, name)
        self.unsaid("inspect", policy, name)

    def policy_map_description(self, text: str) -> None:
        self._policy_descriptions[self._policy_map] = text

    def no_policy_map_description(self) -> None:
        self._policy_descriptions.pop(self._policy_map, None)

    def policy_class(self, name: str) -> None:
        self._room(name, self._policies[self._policy_map], CLASSES, "classes in a policy map")
        self._class = name
        self._policies[self._policy_map].setdefault(name, PolicyClass(name))
        self.said("class", self._policy_map, name)

    def no_policy_class(self, name: str) -> None:
        self._policies[self._policy_map].pop(name, None)
        self._unsay_class(self._policy_map, name)
        self.forgotten.add(self._line.number)

    def inspect_esmtp(self, map: str | None = None, fail_open: str = "") -> None:
        named = None if map == DEFAULT_MAP.name else map
        self.said("inspect", self._policy_map, self._class)
        self._change_class(inspect=InspectEsmtp(named, bool(fail_open)))

    def no_inspect_esmtp(self, map: str | None = None, fail_open: str = "") -> None:
        """Takes ``inspect esmtp`` away; where there is none it exempts what the class matches (row 17)."""
        del map, fail_open
        self.unsaid("inspect", self._policy_map, self._class)
        self.forgotten.add(self._line.number)
        inspected = isinstance(self._known_class().inspect, InspectEsmtp)
        self._change_class(inspect=None if inspected else ExemptEsmtp())

    def set_connection(self, limits: Mapping[str, int]) -> None:
        self._change_connection(**{_field(name): value for name, value in limits.items()})

    def no_set_connection(self, limits: Mapping[str, int]) -> None:
        self._change_connection(**dict.fromkeys(map(_field, limits), 0))

    def set_connection_timeout(self, timeouts: Mapping[str, int]) -> None:
        fields: dict[str, int | bool] = {_field(name): value for name, value in timeouts.items()}
        if "reset" in fields:
            fields["reset"] = bool(fields["reset"])
        self._change_connection(**fields)

    def no_set_connection_timeout(self, timeouts: Mapping[str, int]) -> None:
        gone = {_field(name): None if name != "reset" else False for name in timeouts}
        self._change_connection(**gone)

    def _change_connection(self, **fields: Any) -> None:
        self._change_class(connection=replace(self._known_class().connection, **fields))

    def accept_action(self, head: str) -> None:
        text = self.accepted_once(head)
        kept = self._known_class().accepted
        self._change_class(accepted=tuple(dict.fromkeys((*kept, text))))

    def accept_no_action(self, head: str) -> None:
        named = self.accepted_once(head).split(" ", 1)[1]
        kept = self._known_class().accepted
        self._change_class(accepted=tuple(each for each in kept if not f"{each} ".startswith(f"{named} ")))

    def _known_class(self) -> PolicyClass:
        return self._policies[self._policy_map][self._class]

    def _change_class(self, **fields: Any) -> None:
        self._policies[self._policy_map][self._class] = replace(self._known_class(), **fields)

    # -- service policies

    def service_policy(self, policy: str, interface: str | None = None) -> None:
        known = self.services.get(interface)
        if known is not None and known.policy_map != policy:
            where = "globally" if interface is None else f"on interface {interface}"
            raise self.rejected("policy", f"ERROR: Policy map {known.policy_map} is already applied {where}")
        self.said("service", interface)
        self.services[interface] = ServicePolicy(policy, interface, self._line.number)

    def no_service_policy(self, policy: str, interface: str | None = None) -> None:
        known = self.services.get(interface)
        self.forgotten.add(self._line.number)
        if known is not None and known.policy_map == policy:
            del self.services[interface]
            self.unsaid("service", interface)

    # -- fixup

    def fixup(self, ports: Ports | None = None) -> None:
        """``fixup protocol smtp 25``"""
        if not self.version.pix6:
            told = "" if ports is None else f" {_span(ports)}"
            self.warn("", f"INFO: converting 'fixup protocol smtp{told}' to MPF commands")
        self.inspect_by_default()
        self.inspect_ports(ports, InspectEsmtp())

    def no_fixup(self, ports: Ports | None = None) -> None:
        """Of one port; without one all others go and 25 comes back (asa.md §1.1)."""
        self.inspect_by_default()
        if ports is not None and (ports.low, ports.high) == (SMTP, SMTP):
            self.inspect_ports(ports, None)
            return
        if ports is not None:
            name = f"class_smtp_{_span(ports)}"
            self._policies.get(self._global_policy(), {}).pop(name, None)
            self.class_maps.pop(name, None)
            return
        for name in [each for each in self._policies.get(self._global_policy(), {}) if each.startswith("class_smtp_")]:
            del self._policies[self._global_policy()][name], self.class_maps[name]
        self.inspect_ports(None, InspectEsmtp())

    def inspect_by_default(self) -> None:
        """Where the version has ``fixup protocol smtp 25`` and the file says nothing of the matter."""
        if self.version.pix6 and None not in self.services:
            self.inspect_ports(None, InspectEsmtp())

    def _global_policy(self) -> str:
        known = self.services.get(None)
        return known.policy_map if known is not None else FIXUP_POLICY

    def inspect_ports(self, ports: Ports | None, inspect: InspectEsmtp | None) -> None:
        name, match = FIXUP_CLASS, MatchDefaultInspectionTraffic()
        if ports is not None and (ports.low, ports.high) != (SMTP, SMTP):
            name, port = f"class_smtp_{_span(ports)}", MatchPort("tcp", ports)
            self.class_maps.setdefault(name, ClassMap(name, port, line=self._line.number))
        self.class_maps.setdefault(FIXUP_CLASS, ClassMap(FIXUP_CLASS, match, line=self._line.number))
        policy = self._global_policy()
        classes = self._policies.setdefault(policy, {})
        classes[name] = replace(classes.get(name, PolicyClass(name)), inspect=inspect)
        self.services.setdefault(None, ServicePolicy(policy, None, self._line.number))


def fixup_lines(config: Config) -> list[str]:
    """The ``fixup protocol smtp`` statements that say what the maps of `config` say; none where they say more."""
    policy = config.policy_map(FIXUP_POLICY)
    draft, lines = Policies(), []
    for each in policy.classes if policy else ():
        class_map = config.class_map(each.name)
        match = class_map.match if class_map is not None else None
        ports = match.ports if isinstance(match, MatchPort) else Ports("eq", SMTP, SMTP)
        inspect = each.inspect if isinstance(each.inspect, InspectEsmtp) else None
        draft.inspect_ports(ports, inspect)
        lines.append(f"{'' if inspect else 'no '}fixup protocol smtp {_span(ports)}")
    said = tuple(draft.class_maps.values()), draft.policy_maps(), tuple(draft.services.values())
    return lines if said == (config.class_maps, config.policy_maps, config.service_policies) else []


def _field(name: str) -> str:
    """The field of `SetConnection` that a word of ``set connection`` sets."""
    return name.replace("-", "_")


def _span(ports: Ports) -> str:
    return str(ports.low) if ports.low == ports.high else f"{ports.low}-{ports.high}"


def class_map_lines(class_map: ClassMap) -> Iterator[str]:
    """``class-map …`` and what it matches."""
    yield f"class-map {class_map.name}"
    yield from description(class_map.description)
    match class_map.match:
        case MatchAny():
            yield " match any"
        case MatchAccessList(name=name):
            yield f" match access-list {name}"
        case MatchPort(protocol=protocol, ports=ports):
            yield f" match port {protocol} {ports_text(protocol, ports)}"
        case MatchDefaultInspectionTraffic(access_list=name):
            yield " match default-inspection-traffic"
            if name:
                yield f" match access-list {name}"
        case MatchOther(texts=texts):
            yield from (f" {each}" for each in texts)
        case None:
            pass
        case other:
            assert_never(other)
    yield "!"


def policy_map_lines(policy_map: PolicyMap) -> Iterator[str]:
    """``policy-map …``, its classes and what is done with them."""
    yield f"policy-map {policy_map.name}"
    yield from description(policy_map.description)
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
        yield from _connection_lines(each.connection)
        yield from (f"  {text}" for text in each.accepted)


def _connection_lines(connection: SetConnection) -> Iterator[str]:
    """``set connection …``, everything said of it in one line, as 9.x prints it (asa.md §5.3)."""
    limits = {name: getattr(connection, _field(name)) for name in LIMITS}
    if any(limits.values()):
        yield " ".join(["  set connection", *(f"{name} {value}" for name, value in limits.items() if value)])
    times = {name: getattr(connection, _field(name)) for name in CLASS_TIMEOUTS}
    words = [f"{name} {clock_text(seconds)}" for name, seconds in times.items() if seconds is not None]
    if words:
        yield " ".join(["  set connection timeout", *words, *(["reset"] if connection.reset else [])])


#: What a class may do that is not done.
_ACTIONS = (
    f"inspect <_={'|'.join(INSPECTIONS)}>",
    *("csc", "cxsc", "flow-export event-type", "ips", "police", "priority", "queue-limit", "random-detect"),
    *("sfr", "shape", "user-statistics"),
    *("set connection advanced-options", "set connection decrement-ttl", "set connection random-sequence-number"),
    "set connection timeout dcd",
)


def _accepted() -> Iterator[Statement]:
    for head in _ACTIONS:
        kind: dict[str, Any] = {"head": head.split(" <")[0]}
        yield from both(
            f"{head} [<_:rest>]",
            partial(Policies.accept_action, **kind),
            partial(Policies.accept_no_action, **kind),
            says=ACCEPTED,
        )


STATEMENTS = {
    Mode.CONFIGURE: (
        *both(
            "class-map <name:map-name>", Policies.class_map, Policies.no_class_map, Mode.CLASS_MAP, says="which traffic"
        ),
        *both(
            "policy-map <name:map-name>",
            Policies.policy_map,
            Policies.no_policy_map,
            Mode.POLICY_MAP,
            says="what is done with it",
        ),
        *both(
            "service-policy <policy:policy-map> global [<_=fail-close>]",
            Policies.service_policy,
            Policies.no_service_policy,
            says="on every interface",
        ),
        *both(
            "service-policy <policy:policy-map> interface <interface:nameif> [<_=fail-close>]",
            Policies.service_policy,
            Policies.no_service_policy,
            says="on one, before the global policy",
        ),
        *both(
            "fixup protocol smtp [<ports:port-span>]",
            Policies.fixup,
            Policies.no_fixup,
            says="PIX 6's inspect esmtp: becomes a class of the global policy",
        ),
    ),
    Mode.CLASS_MAP: (
        *both(
            "description <text:text>",
            Policies.class_map_description,
            Policies.no_class_map_description,
            short=NO_DESCRIPTION,
        ),
        *both("match any", Policies.match_any, Policies.no_match, says="everything"),
        *both(
            "match access-list <acl:access-list>",
            Policies.match_access_list,
            Policies.no_match,
            says="what it permits; a deny ends the class, not the search",
        ),
        Statement("match address <acl:access-list>", Policies.match_address, says="the same (row 18)"),
        *both(
            "match port <protocol=tcp> <ports:tcp-operator>", Policies.match_port, Policies.no_match, says="eq or range"
        ),
        *both(
            "match port <protocol=udp> <ports:udp-operator>", Policies.match_port, Policies.no_match, says="eq or range"
        ),
        *both(
            "match default-inspection-traffic",
            Policies.match_default_inspection_traffic,
            Policies.no_match,
            says="TCP port 25; with an access list of those addresses alone",
        ),
        *both(
            "match <_=dscp|flow|precedence|qos-group|rtp|tunnel-group|vlan> <_:rest>",
            Policies.match_other,
            Policies.no_match,
            says="accepted; the class matches nothing",
        ),
    ),
    Mode.POLICY_MAP: (
        *both(
            "description <text:text>",
            Policies.policy_map_description,
            Policies.no_policy_map_description,
            short=NO_DESCRIPTION,
        ),
        *both("class <name:class-map>", Policies.policy_class, Policies.no_policy_class, Mode.CLASS, says="a class"),
    ),
    Mode.CLASS: (
        *both(
            "inspect esmtp [<map:inspect-map>] [<fail_open=fail-open>]",
            Policies.inspect_esmtp,
            Policies.no_inspect_esmtp,
            says="inspects by the map, or by the default one; fail-open (ours): passes where no worker listens",
        ),
        *both(
            "set connection <limits:connection-limits>",
            Policies.set_connection,
            Policies.no_set_connection,
            says="at most so many, to each server or of each client; 0 is no limit",
        ),
        *both(
            "set connection timeout <timeouts:class-timeouts>",
            Policies.set_connection_timeout,
            Policies.no_set_connection_timeout,
            says="how long one lives: embryonic, half-closed, idle (tcp); idle … reset resets both ends",
        ),
        *_accepted(),
    ),
}
