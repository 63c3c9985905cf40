"""Which inspection a connection gets: the service policies flattened into numbered classes.

The number is what `mark CLASS` carries and what names a block of counters: 1 for the first inspecting class, in
the order `show service-policy` prints them (global first); 0 is a connection that is not inspected.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from appliance.config.config import Config
from appliance.policy.maps import CLASS_DEFAULT, ClassMap, ExemptEsmtp, InspectEsmtp, InspectMap, PolicyMap


@dataclass(frozen=True, slots=True)
class Inspection:
    """A class of a service policy that inspects ESMTP, or exempts from it (`number` 0, `inspect_map` None)."""

    number: int
    interface: str | None  # None: the global policy
    policy: str
    class_map: ClassMap
    inspect_map: InspectMap | None
    fail_open: bool = False
    levels: tuple[tuple[str, int], ...] = ()  # security levels by nameif
    implied: bool = False  # nothing of the file: what an interface's classes leave

    def rules(self, client: str, server: str) -> InspectMap | None:
        """The rules of a connection from interface `client` to `server`.

        ``mail-relay`` is for mail from outside (asa.md §2.5): from a higher level to a lower, or an equal one, or
        within an interface it is left out.
        """
        levels = dict(self.levels)
        if self.inspect_map is None or client not in levels or server not in levels:
            return self.inspect_map
        return self.inspect_map if levels[client] < levels[server] else _without_relay(self.inspect_map)


@functools.lru_cache(maxsize=64)
def _without_relay(inspect_map: InspectMap) -> InspectMap:
    return replace(inspect_map, parameters=replace(inspect_map.parameters, mail_relay=None))


def inspections(config: Config) -> tuple[Inspection, ...]:
    """Every class of a verified `config` that says anything of ESMTP, in order of evaluation.

    Exemptions come first whatever their place (row 17), then interface policies, then the global one: the first
    that matches a connection decides. An exempt class-default stays behind the other classes of its policies: it is
    what they leave. An interface policy that inspects ESMTP takes the place of the global one there (asa.md §6.2):
    what its classes leave is not inspected.
    """
    found: list[Inspection] = []
    ordered = sorted(config.service_policies, key=lambda each: each.interface is not None)
    for service in ordered:
        policy = config.policy_map(service.policy_map)
        if policy is not None:
            found.extend(_of_policy(config, policy, service.interface, 1 + sum(each.number > 0 for each in found)))
    return tuple(sorted(found, key=_precedence))


def _precedence(inspection: Inspection) -> tuple[bool, bool, bool, int]:
    rest = inspection.number == 0 and inspection.class_map == CLASS_DEFAULT
    return (inspection.number > 0 or rest, inspection.interface is None, rest, inspection.number)


def _of_policy(config: Config, policy: PolicyMap, interface: str | None, number: int) -> list[Inspection]:
    found, first = [], number
    levels = tuple((each.nameif, each.security_level or 0) for each in config.interfaces if each.nameif is not None)
    for each in policy.classes:
        class_map = CLASS_DEFAULT if each.name == CLASS_DEFAULT.name else config.class_map(each.name)
        if class_map is None:
            continue
        match each.inspect:
            case ExemptEsmtp():
                found.append(Inspection(0, interface, policy.name, class_map, None))
            case InspectEsmtp(map=name, fail_open=fail_open):
                inspect_map = config.defaults.default_map if name is None else config.inspect_map(name)
                found.append(Inspection(number, interface, policy.name, class_map, inspect_map, fail_open, levels))
                number += 1
            case None:
                pass
    if interface is not None and number > first and all(each.class_map != CLASS_DEFAULT for each in found):
        found.append(Inspection(0, interface, policy.name, CLASS_DEFAULT, None, implied=True))
    return found
