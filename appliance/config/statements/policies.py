"""Policy maps and where they are applied, while they are being read (asa.md §5.3, §6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, assert_never

from appliance.config.config import ServicePolicy
from appliance.config.connection_settings import CLASS_TIMEOUTS, LIMITS
from appliance.config.names import clock_text, description
from appliance.config.statements.accepted import INSPECTIONS
from appliance.config.statements.class_maps import ClassMaps
from appliance.config.statements.inspect_maps import POLICY_MAPS, InspectMaps
from appliance.config.syntax import ACCEPTED, NO_DESCRIPTION, UNDOES, Mode, Statement, both
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import (
    CLASS_DEFAULT,
    ExemptEsmtp,
    InspectEsmtp,
    PolicyClass,
    PolicyMap,
    SetConnection,
)

#: Classes in a policy map (asa.md §6.1).
CLASSES = 63


class Policies(ClassMaps, InspectMaps):
    """The maps by name, the service policies by interface, and what the modes are in."""

    def __init__(self) -> None:
        super().__init__()
        self.services: dict[str | None, ServicePolicy] = {}
        self._policies: dict[str, dict[str, PolicyClass]] = {}  # by policy map, by class
        self._policy_descriptions: dict[str, str] = {}
        self._policy_lines: dict[str, int] = {}
        self._policy_map = ""
        self._class = ""

    def policy_maps(self) -> tuple[PolicyMap, ...]:
        """The policy maps."""
        return tuple(self._policy(name) for name in self._policies)

    def _policy(self, name: str) -> PolicyMap:
        # class-default comes last whenever it was written (asa.md §6.2); sorting keeps the others' order.
        classes = sorted(self._policies[name].values(), key=lambda each: each.name == CLASS_DEFAULT.name)
        return PolicyMap(name, tuple(classes), self._policy_descriptions.get(name, ""), self._policy_lines.get(name, 0))

    # -- policy maps

    def no_class_map(self, name: str) -> None:
        if any(name in classes for classes in self._policies.values()):
            raise self.rejected("name", f"ERROR: class-map {name} is being used")
        self.class_maps.pop(name, None)
        self.unsaid("match", name)

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
        del fail_open
        self.forgotten.add(self._line.number)
        known = self._known_class().inspect
        if isinstance(known, InspectEsmtp):
            self.stands("map", map, known.map or DEFAULT_MAP.name)
        self.unsaid("inspect", self._policy_map, self._class)
        self._change_class(inspect=None if isinstance(known, InspectEsmtp) else ExemptEsmtp())

    def set_connection(self, limits: Mapping[str, int | str]) -> None:
        self._change_connection(**{_field(name): value for name, value in limits.items() if name in LIMITS})
        for name, value in limits.items():
            if name not in LIMITS:
                self._keep_setting(f"set connection {name}", str(value))

    def no_set_connection(self, limits: Mapping[str, int | str]) -> None:
        known = self._known_class().connection
        for name in limits.keys() & set(LIMITS):
            self.stands("limits", limits[name], getattr(known, _field(name)) or None)
        self._change_connection(**{_field(name): 0 for name in limits if name in LIMITS})
        for name in limits.keys() - set(LIMITS):
            self._drop_setting(f"set connection {name}")

    def set_connection_timeout(self, timeouts: Mapping[str, int | str]) -> None:
        if "dcd" in timeouts:
            self._keep_setting("set connection timeout dcd", str(timeouts["dcd"]))
        fields: dict[str, Any] = {_field(name): value for name, value in timeouts.items() if name != "dcd"}
        if "reset" in fields:
            fields["reset"] = bool(fields["reset"])
        self._change_connection(**fields)

    def no_set_connection_timeout(self, timeouts: Mapping[str, int | str]) -> None:
        known = self._known_class().connection
        for name in timeouts.keys() & set(CLASS_TIMEOUTS):
            self.stands("timeouts", timeouts[name], getattr(known, _field(name)))
        if "dcd" in timeouts:
            self._drop_setting("set connection timeout dcd")
        gone = {_field(name): None if name != "reset" else False for name in timeouts if name != "dcd"}
        self._change_connection(**gone)

    def _keep_setting(self, name: str, value: str) -> None:
        """A setting that is not acted on: kept beside the others, in a line of its own."""
        self.accepted_once(name)
        self._drop_setting(name)
        self._change_class(accepted=(*self._known_class().accepted, f"{name} {value}".rstrip()))

    def _drop_setting(self, name: str) -> None:
        kept = (each for each in self._known_class().accepted if not f"{each} ".startswith(f"{name} "))
        self._change_class(accepted=tuple(kept))

    def _change_connection(self, **fields: Any) -> None:
        self._change_class(connection=replace(self._known_class().connection, **fields))

    def accept_action(self, head: str) -> None:
        text = self.accepted_once(head)
        kept = self._known_class().accepted
        self._change_class(accepted=tuple(dict.fromkeys((*kept, text))))

    def accept_no_action(self, head: str) -> None:
        self._drop_setting(self.accepted_once(head).split(" ", 1)[1])

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


def _field(name: str) -> str:
    """The field of `SetConnection` that a word of ``set connection`` sets."""
    return name.replace("-", "_")


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
    *("set connection advanced-options", "set connection decrement-ttl"),
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
        Statement("no class-map <name:map-name>", Policies.no_class_map, says=UNDOES),
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
            says="at most so many, to each server or of each client; 0 is no limit; sequence numbers are left alone",
        ),
        *both(
            "set connection timeout <timeouts:class-timeouts>",
            Policies.set_connection_timeout,
            Policies.no_set_connection_timeout,
            says="how long one lives: embryonic, half-closed, idle (tcp); 0 is for ever; idle … reset resets both ends",
        ),
        *_accepted(),
    ),
}
