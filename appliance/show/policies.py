"""``show service-policy``: the policies where they are applied, their classes, and what each has counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.config.inspections import Inspection, inspections
from appliance.datapath.snapshot import ClassUse, Snapshot
from appliance.nat.connection import State
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
class ClientReport:
    """What a client has of a class whose clients are limited."""

    address: IPv4Address
    embryonic: int
    connections: int


@dataclass(frozen=True, slots=True)
class LimitsReport:
    """``set connection`` of one class: limits by ASA's words, those that are set; what there is now, and how many SYNs
    were refused. `timeouts` likewise, in seconds; `resets` is ``idle … reset``."""

    limits: Mapping[str, int]
    embryonic: int
    connections: int
    drop: int
    timeouts: Mapping[str, int]
    resets: bool
    clients: tuple[ClientReport, ...]


@dataclass(frozen=True, slots=True)
class ClassReport:
    """A class of a service policy: its inspection, or that it `exempts` what it matches from ESMTP (row 17), and what
    it says of connections."""

    name: str
    inspection: InspectionReport | None = None
    exempts: bool = False
    limits: LimitsReport | None = None


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
    version: str = ""  # by which the lines are worded (`config.versions`)


def service_policy(config: Config, snapshot: Snapshot) -> ServicePolicyReport:
    """Every class that says anything of ESMTP or of connections, in the file's order, with its counters."""
    found = {
        (each.policy, each.interface, each.class_map.name): each for each in inspections(config) if not each.implied
    }
    uses = {(each.limited.policy, each.limited.interface, each.limited.name): each for each in snapshot.classes}
    policies = []
    for service in sorted(config.service_policies, key=lambda each: each.interface is not None):
        policy = config.policy_map(service.policy_map)
        places = [(service.policy_map, service.interface, each.name) for each in policy.classes] if policy else []
        said = [place for place in places if place in found or place in uses]
        classes = tuple(_class(place[2], found.get(place), uses.get(place), snapshot) for place in said)
        policies.append(PolicyReport(service.policy_map, service.interface, classes))
    return ServicePolicyReport(tuple(policies), config.defaults.name)


def _class(name: str, inspection: Inspection | None, use: ClassUse | None, snapshot: Snapshot) -> ClassReport:
    inspect_map = inspection.inspect_map if inspection else None
    return ClassReport(
        name,
        _inspection(inspect_map, snapshot.inspections.get(inspection.number)) if inspection and inspect_map else None,
        inspection is not None and inspect_map is None,
        _limits(use) if use else None,
    )


def _inspection(inspect_map: InspectMap, counted: tuple[int, ...] | None) -> InspectionReport:
    block = counted or (0,) * BLOCK
    return InspectionReport(
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
    )


#: ASA's words for the states that a class may let live longer or shorter.
_TIMEOUTS = {State.SYN: "embryonic", State.HALF_CLOSED: "half-closed", State.ESTABLISHED: "idle"}


def _limits(use: ClassUse) -> LimitsReport:
    limited = use.limited
    limits = {
        "conn-max": limited.max_conns,
        "embryonic-conn-max": limited.max_embryonic,
        "per-client-max": limited.client_max,
        "per-client-embryonic-max": limited.client_embryonic,
    }
    return LimitsReport(
        {name: limit for name, limit in limits.items() if limit},
        use.embryonic,
        use.connections,
        sum(count for limit, count in use.refused.items() if not limit.half_open),
        {name: limited.lifetimes[state] for state, name in _TIMEOUTS.items() if state in limited.lifetimes},
        limited.resets,
        tuple(ClientReport(each.address, each.embryonic, each.connections) for each in use.clients),
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
