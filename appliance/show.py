"""Reports: what the `show` commands say, as plain data made of a configuration and a snapshot.

A report holds no formatting: the client prints it as ASA does (`cli/format.py`) or as JSON. Everything it counts
comes from the snapshot, never from logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.config import render
from appliance.config.config import Config, Timeouts
from appliance.config.inspections import Inspection, inspections
from appliance.config.topology import Topology
from appliance.datapath.snapshot import LogUse, Snapshot
from appliance.flow import Endpoint, Side
from appliance.nat.connection import Connection, State
from appliance.policy.counters import BLOCK, MATCHES_BASE, Slot
from appliance.policy.maps import Banner, InspectMap
from appliance.policy.matches import phrase

_SECOND = 1_000_000_000  # ns


# --- show service-policy ----------------------------------------------------------------------------------------


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


# --- show conn --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """A connection, the end of lower security first; seconds since its last packet and its first, until it times
    out when idle, and octets of payload in both directions."""

    lower: Endpoint
    lower_mapped: Endpoint
    upper: Endpoint
    upper_mapped: Endpoint
    initiator: Endpoint
    responder: Endpoint
    state: str
    flags: str
    idle: int
    uptime: int
    timeout: int
    octets: int


@dataclass(frozen=True, slots=True)
class ConnectionsReport:
    """``show conn``: how many there are, how many there were at most, and which (none for ``count``)."""

    in_use: int
    most_used: int
    connections: tuple[ConnectionReport, ...]


#: States of entries that are no connection any more, or not yet (row 14; design §2).
_HIDDEN = frozenset({State.CLOSED, State.DEAD, State.WAITING})


def connections(config: Config, snapshot: Snapshot, count_only: bool = False) -> ConnectionsReport:
    """The connections to statics, oldest first."""
    shown = [each for each in snapshot.connections if each.state not in _HIDDEN]
    in_use = len(shown)
    topology = Topology(config)
    listed = [] if count_only else sorted(shown, key=lambda each: each.started)
    return ConnectionsReport(
        in_use,
        max(in_use, snapshot.most_used),
        tuple(_connection(each, topology, config.timeouts, snapshot.now) for each in listed),
    )


def _connection(connection: Connection, topology: Topology, timeouts: Timeouts, now: int) -> ConnectionReport:
    ends = topology.ends(connection.key, connection.real)
    return ConnectionReport(
        ends.lower,
        ends.lower_mapped,
        ends.upper,
        ends.upper_mapped,
        ends.client,
        ends.server,
        connection.state.name.lower().replace("_", "-"),
        flags(connection, ends.inbound),
        max(0, now - connection.last) // _SECOND,
        max(0, now - connection.started) // _SECOND,
        _timeout(connection, timeouts),
        connection.octets,
    )


def flags(connection: Connection, inbound: bool) -> str:
    """ASA's letters for a connection's progress: ``SaAB`` → ``aB`` → ``UB`` → ``UIOB`` (asa.md §3.5).

    Small letters are of the inside, capital ones of the outside, but for ``a``/``s``, which wait for the outside.
    """
    opened = "B" if inbound else ""
    match connection.state:
        case State.SYN:
            return ("SaA" if inbound else "saA") + opened
        case State.SYN_ACK:
            return ("a" if inbound else "A") + opened
    outside = Side.CLIENT if inbound else Side.SERVER
    data_in = connection.from_client if inbound else connection.from_server
    data_out = connection.from_server if inbound else connection.from_client
    letters = (
        ("U", True),
        ("f", outside.peer in connection.fin),
        ("F", outside in connection.fin),
        ("I", data_in),
        ("O", data_out),
        ("B", inbound),
    )
    return "".join(letter for letter, holds in letters if holds)


def _timeout(connection: Connection, timeouts: Timeouts) -> int:
    """Seconds of silence that end a connection in this state."""
    if connection.embryonic:
        return timeouts.embryonic
    return timeouts.conn if connection.state is State.ESTABLISHED else timeouts.half_closed


# --- show logging -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LoggingReport:
    """``show logging``: the destinations that are on, and the memory buffer's lines, oldest first."""

    enabled: bool
    timestamp: bool
    facility: int
    device_id: str | None
    hostname: str
    destinations: tuple[LogUse, ...]
    lines: tuple[str, ...]


def logging(config: Config, snapshot: Snapshot) -> LoggingReport:
    """What is logged where."""
    return LoggingReport(
        config.logging.enabled,
        config.logging.timestamp,
        config.logging.facility,
        config.logging.device_id,
        config.hostname,
        snapshot.logs,
        snapshot.log_lines,
    )


# --- show running-config ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunningConfigReport:
    """``show running-config [all]``: the configuration as it would be typed."""

    lines: tuple[str, ...]


def running_config(config: Config, everything: bool = False) -> RunningConfigReport:
    """The configuration in force; `everything` with what is at its default."""
    return RunningConfigReport(tuple(render.running_config(config, everything).splitlines()))


Report = ServicePolicyReport | ConnectionsReport | LoggingReport | RunningConfigReport
