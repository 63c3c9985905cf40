"""Reports as ASA prints them (asa.md §3.2, §3.4, §3.5, §3.10), and replays. Data in, lines out; nothing is looked up.

``Global policy: `` keeps ASA's trailing space; the header of an inspection is 7.x's, without ``lock fail``, as the
seed shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from appliance.datapath.snapshot import LogUse
from appliance.flow import Endpoint
from appliance.replay import report as replayed
from appliance.replay.report import Kind
from appliance.show import (
    ClassReport,
    ConnectionReport,
    ConnectionsReport,
    InspectionReport,
    LoggingReport,
    RunningConfigReport,
    ServicePolicyReport,
)
from appliance.syslog import LEVELS, clock

# --- show service-policy ----------------------------------------------------------------------------------------


def service_policy(report: ServicePolicyReport) -> Iterator[str]:
    """``show service-policy``: a line per inspection."""
    return _service_policy(report, detailed=False)


def service_policy_esmtp(report: ServicePolicyReport) -> Iterator[str]:
    """``show service-policy inspect esmtp``: every parameter and match line with its count."""
    return _service_policy(report, detailed=True)


def _service_policy(report: ServicePolicyReport, detailed: bool) -> Iterator[str]:
    for policy in report.policies:
        if policy.interface is None:
            yield "Global policy: "
        else:
            yield ""
            yield f"Interface {policy.interface}:"
        yield f"  Service-policy: {policy.name}"
        for each in policy.classes:
            yield from _class(each, detailed)


def _class(report: ClassReport, detailed: bool) -> Iterator[str]:
    yield f"    Class-map: {report.name}"
    inspection = report.inspection
    if inspection is None:
        yield "      No inspect: esmtp"
        return
    yield (
        f"      Inspect: esmtp {inspection.map}, packet {inspection.packet}, "
        f"drop {inspection.drop}, reset-drop {inspection.reset_drop}"
    )
    if detailed:
        yield from _inspection(inspection)


def _inspection(report: InspectionReport) -> Iterator[str]:
    for parameter, count in report.parameters.items():
        yield f"        {parameter}, count {count}"
    for each in report.matches:
        yield f"        match {each.match}"
        yield f"          {each.action}, packet {each.packet}"


# --- show conn --------------------------------------------------------------------------------------------------

#: The letters `show.flags` uses, in ASA's words and layout.
_LEGEND = (
    "Flags: A - awaiting inside ACK to SYN, a - awaiting outside ACK to SYN,",
    "       B - initial SYN from outside, F - outside FIN, f - inside FIN,",
    "       I - inbound data, O - outbound data,",
    "       S - awaiting inside SYN, s - awaiting outside SYN, U - up",
)


def connections(report: ConnectionsReport) -> Iterator[str]:
    """``show conn``; of a report without connections it is ``show conn count``."""
    yield f"{report.in_use} in use, {report.most_used} most used"
    for each in report.connections:
        yield (
            f"TCP {_spaced(each.lower)} {_spaced(each.upper)}, "
            f"idle {clock(each.idle)}, bytes {each.octets}, flags {each.flags}"
        )


def connections_detail(report: ConnectionsReport) -> Iterator[str]:
    """``show conn detail``: mapped addresses in parentheses, and who opened it."""
    yield f"{report.in_use} in use, {report.most_used} most used"
    yield from _LEGEND
    for each in report.connections:
        yield from _detail(each)


def _detail(report: ConnectionReport) -> Iterator[str]:
    yield (
        f"TCP {_both(report.lower, report.lower_mapped)} {_both(report.upper, report.upper_mapped)}, "
        f"flags {report.flags} , idle {span(report.idle)}, uptime {span(report.uptime)}, "
        f"timeout {span(report.timeout)}, bytes {report.octets}"
    )
    yield f"  Initiator: {report.initiator.address}, Responder: {report.responder.address}"


def _spaced(end: Endpoint) -> str:
    return f"{end.interface} {end.address}:{end.port}"


def _both(real: Endpoint, mapped: Endpoint) -> str:
    return f"{real.interface}: {real.address}/{real.port} ({mapped.address}/{mapped.port})"


#: ASA's units of time, in seconds, the largest first.
_UNITS = ((365 * 86_400, "Y"), (86_400, "D"), (3600, "h"), (60, "m"), (1, "s"))


def span(seconds: int) -> str:
    """Seconds in ASA's two largest units: ``8s``, ``2m0s``, ``2h39m``, ``3D4h``, ``1Y25D`` (asa.md §3.5)."""
    for (larger, letter), (smaller, next_letter) in pairwise(_UNITS):
        if seconds >= larger:
            return f"{seconds // larger}{letter}{seconds % larger // smaller}{next_letter}"
    return f"{seconds}s"


# --- show logging -----------------------------------------------------------------------------------------------


def logging(report: LoggingReport) -> Iterator[str]:
    """``show logging``: what is on, and the memory buffer."""
    uses = {each.destination: each for each in report.destinations}
    trap = uses.get("trap")
    yield f"Syslog logging: {_switch(report.enabled)}"
    yield f"    Facility: {report.facility}"
    yield f"    Timestamp logging: {_switch(report.timestamp)}"
    yield "    Hide Username logging: disabled"
    yield "    Standby logging: disabled"
    yield "    Debug-trace logging: disabled"
    yield f"    Console logging: {_use(uses.get('console'))}"
    yield "    Monitor logging: disabled"
    yield f"    Buffer logging: {_use(uses.get('buffered'))}"
    yield f"    Trap logging: {_use(trap, f'facility {report.facility}, ')}"
    for host in trap.hosts if trap else ():
        yield (
            f"        Logging to {host.interface} {host.address}, "
            f"UDP TX:{host.sent} errors: {host.errors}  dropped: {host.dropped}"
        )
    yield "    Permit-hostdown logging: disabled"
    yield "    History logging: disabled"
    yield f"    Device ID: {_device(report)}"
    yield "    Mail logging: disabled"
    yield "    ASDM logging: disabled"
    yield from report.lines


def _switch(on: bool) -> str:
    return "enabled" if on else "disabled"


def _use(use: LogUse | None, more: str = "") -> str:
    return f"level {LEVELS[use.level]}, {more}{use.logged} messages logged" if use else "disabled"


def _device(report: LoggingReport) -> str:
    match report.device_id:
        case None:
            return "disabled"
        case "hostname":
            return f'hostname "{report.hostname}"'
        case text:
            return f'string "{text}"'


# --- show running-config ----------------------------------------------------------------------------------------


def running_config(report: RunningConfigReport) -> Iterator[str]:
    """``show running-config``: its lines."""
    return iter(report.lines)


# --- replay -----------------------------------------------------------------------------------------------------

#: The mark in front of what an entry tells.
_MARKS = {
    Kind.COMMAND: "C:",
    Kind.REPLY: "S:",
    Kind.MESSAGE: "C:",
    Kind.CLOSED: "!! closed:",
    Kind.LOGGED: "-- logged:",
    Kind.TLS: "-- TLS begins; from here on nothing is inspected",
}


def replay(report: replayed.Report) -> Iterator[str]:
    """A replay: each connection's dialogue, what the peer got where that is not what was sent, the log, the sums."""
    for each in report.conversations:
        yield from _conversation(each)
        yield ""
    if report.records:
        yield "Log:"
        yield from (f"  {record}" for record in report.records)
        yield ""
    yield (
        f"{_many(report.packets, 'packet')}: {report.passed} passed, {report.modified} of them modified, "
        f"{report.dropped} dropped; {report.ignored} not IPv4, {report.wrong_checksums} wrong checksums"
    )


def _conversation(report: replayed.ConversationReport) -> Iterator[str]:
    judged = f"inspected: {report.inspection}" if report.inspection else f"not inspected: {report.why}"
    yield f"{report.client} > {report.server}, {judged}, {_many(report.packets, 'packet')}"
    for each in report.entries:
        yield from _entry(each)
    if report.omitted:
        yield f"  … {report.omitted} more"
    if report.inspection:
        yield f"  {_many(report.masked, 'octet')} masked; messages: {', '.join(map(str, report.messages)) or 'none'}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _entry(entry: replayed.Entry) -> Iterator[str]:
    mark = _MARKS[entry.kind]
    match entry.kind:
        case Kind.MESSAGE:
            yield f"  {mark} (a message, {entry.octets} octets)"
        case Kind.TLS:
            yield f"  {mark}"
        case _:
            yield f"  {mark} {entry.sent}"
    if entry.got is not None:
        yield f"  {'->':>{len(mark)}} {entry.got}"
