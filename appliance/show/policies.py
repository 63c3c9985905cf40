"""``show service-policy``: the policies where they are applied, their classes, and what each has counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.config.config import Config
from appliance.config.inspections import Inspection, inspections
from appliance.datapath.snapshot import Snapshot
from appliance.policy.counters import BLOCK, MATCHES_BASE, Slot
from appliance.policy.maps import Banner, InspectMap
from appliance.policy.matches import phrase


@dataclass(frozen=True, slots=True)
class MatchCount:
    """A match line of the inspect map: ``header line length gt 998``, ``drop-connection log``, and how often."""

    match: str
    action: str
    packet: int


@dataclass(frozen=True, slots=True)
class InspectionReport:
    """``inspect esmtp`` of one class. `parameters` are those ASA prints with a count, `counts` every named slot."""

    map: str
    packet: int
    drop: int
    reset_drop: int
    parameters: Mapping[str, int]
    matches: tuple[MatchCount, ...]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ClassReport:
    """A class of a service policy; without an inspection it exempts what it matches from ESMTP (row 17)."""

    name: str
    inspection: InspectionReport | None


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """A policy map where it is applied; `interface` None is global."""

    name: str
    interface: str | None
    classes: tuple[ClassReport, ...]


@dataclass(frozen=True, slots=True)
class ServicePolicyReport:
    """``show service-policy``: the global policy first."""

    policies: tuple[PolicyReport, ...]


def service_policy(config: Config, snapshot: Snapshot) -> ServicePolicyReport:
    """Every class that says anything of ESMTP, in the file's order, with its counters."""
    found = {(each.policy, each.interface, each.class_map.name): each for each in inspections(config)}
    policies = []
    for service in sorted(config.service_policies, key=lambda each: each.interface is not None):
        policy = config.policy_map(service.policy_map)
        places = [(service.policy_map, service.interface, each.name) for each in policy.classes] if policy else []
        classes = tuple(_class(found[place], snapshot) for place in places if place in found)
        policies.append(PolicyReport(service.policy_map, service.interface, classes))
    return ServicePolicyReport(tuple(policies))


def _class(inspection: Inspection, snapshot: Snapshot) -> ClassReport:
    inspect_map = inspection.inspect_map
    if inspect_map is None:
        return ClassReport(inspection.class_map.name, None)
    block = snapshot.inspections.get(inspection.number, (0,) * BLOCK)
    return ClassReport(
        inspection.class_map.name,
        InspectionReport(
            map=inspect_map.name,
            packet=block[Slot.PACKET],
            drop=block[Slot.DROP],
            reset_drop=block[Slot.RESET_DROP],
            parameters=_parameters(inspect_map, block),
            matches=tuple(
                MatchCount(phrase(match), str(match.reaction), block[MATCHES_BASE + index])
                for index, match in enumerate(inspect_map.matches)
            ),
            counts={slot.label: block[slot] for slot in Slot},
        ),
    )


def _parameters(inspect_map: InspectMap, block: tuple[int, ...]) -> dict[str, int]:
    """The parameters of the map that ASA prints with a count (asa.md §3.2)."""
    parameters = inspect_map.parameters
    shown = {}
    if parameters.banner is not Banner.OFF:
        shown["mask-banner"] = block[Slot.MASK_BANNER]
    if parameters.mail_relay is not None:
        shown["mail-relay"] = block[Slot.MAIL_RELAY]
    if parameters.special_character is not None:
        shown["special-character"] = block[Slot.SPECIAL_CHARACTER]
    if parameters.allow_tls:
        shown["allow-tls"] = block[Slot.ALLOW_TLS]
    return shown
