"""``show conn`` as ASA prints it (asa.md §3.4, §3.5), of reports that come in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from appliance.flow import Endpoint
from appliance.show import ClearedReport, ConnectionReport, ConnectionsReport
from appliance.syslog import clock

#: The letters `show.flags` uses, in ASA's words and layout.
_LEGEND = (
    "Flags: A - awaiting inside ACK to SYN, a - awaiting outside ACK to SYN,",
    "       B - initial SYN from outside, F - outside FIN, f - inside FIN,",
    "       I - inbound data, M - SMTP data, O - outbound data,",
    "       R - outside acknowledged FIN, r - inside acknowledged FIN,",
    "       S - awaiting inside SYN, s - awaiting outside SYN, U - up",
)


def conn(parts: Iterable[ConnectionsReport]) -> Iterator[str]:
    """``show conn``"""
    for number, part in enumerate(parts):
        if number == 0:
            yield _heading(part)
        yield from map(connection, part.connections)


def connection(report: ConnectionReport) -> str:
    """The line of one."""
    return (
        f"TCP {_spaced(report.lower)} {_spaced(report.upper)}, "
        f"idle {clock(report.idle)}, bytes {report.octets}, flags {report.flags}"
    )


def conn_detail(parts: Iterable[ConnectionsReport]) -> Iterator[str]:
    """``show conn detail``: mapped addresses in parentheses, and who opened it."""
    for number, part in enumerate(parts):
        if number == 0:
            yield _heading(part)
            yield from _LEGEND
        for each in part.connections:
            yield from detail(each)


def conn_count(report: ConnectionsReport) -> Iterator[str]:
    """``show conn count``"""
    yield _heading(report)


def _heading(report: ConnectionsReport) -> str:
    return f"{report.in_use} in use, {report.most_used} most used"


def detail(report: ConnectionReport) -> Iterator[str]:
    """The lines of one."""
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


def cleared(report: ClearedReport) -> Iterator[str]:
    """``clear conn`` and the like"""
    yield f"{report.connections} connection(s) deleted."
