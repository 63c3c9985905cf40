"""``show conn`` as ASA prints it (asa.md §3.4, §3.5), of reports that come in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from appliance.flow import Endpoint
from appliance.show import ClearedReport, ConnectionReport, ConnectionsReport
from appliance.syslog import clock

#: What ASA says of every letter, of those too that nothing here has (asa.md §3.5).
_LEGEND = (
    "Flags: A - awaiting inside ACK to SYN, a - awaiting outside ACK to SYN,",
    "       B - initial SYN from outside, b - TCP state-bypass or nailed,",
    "       C - CTIQBE media, c - cluster centralized,",
    "       D - DNS / Umbrella, d - dump, E - outside back connection, e - semi-distributed,",
    "       F - outside FIN, f - inside FIN,",
    "       G - group, g - MGCP, H - H.323, h - H.225.0, I - inbound data,",
    "       i - incomplete, J - GTP, j - GTP data, K - GTP t3-response",
    "       k - Skinny media, L - LISP triggered flow owner mobility",
    "       l - local director/backup stub flow",
    "       M - SMTP data, m - SIP media, n - GUP",
    "       N - inspected by Snort",
    "       O - outbound data, o - offloaded,",
    "       P - inside back connection",
    "       Q - Diameter, q - SQL*Net data,",
    "       R - outside acknowledged FIN,",
    "       R - UDP SUNRPC, r - inside acknowledged FIN, S - awaiting inside SYN,",
    "       s - awaiting outside SYN, T - SIP, t - SIP transient, U - up, u - STUN,",
    "       V - VPN orphan, v - M3UA W - WAAS,",
    "       w - secondary domain backup,",
    "       X - inspected by service module,",
    "       x - per session, Y - director stub flow, y - backup stub flow,",
    "       Z - Scansafe redirection, z - forwarding stub flow",
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
    """``show conn detail``: with uptime and timeout."""
    return _explained(parts, detail)


def conn_long(parts: Iterable[ConnectionsReport]) -> Iterator[str]:
    """``show conn long``: mapped addresses in parentheses too, and who opened it."""
    return _explained(parts, _long)


def _explained(parts: Iterable[ConnectionsReport], lines: Callable[[ConnectionReport], Iterator[str]]) -> Iterator[str]:
    for number, part in enumerate(parts):
        if number == 0:
            yield _heading(part)
            yield from _LEGEND
        for each in part.connections:
            yield from lines(each)


def conn_count(report: ConnectionsReport) -> Iterator[str]:
    """``show conn count``"""
    yield _heading(report)


def _heading(report: ConnectionsReport) -> str:
    return f"{report.in_use} in use, {report.most_used} most used"


def detail(report: ConnectionReport) -> Iterator[str]:
    """The lines of one in detail."""
    yield f"TCP {report.lower} {report.upper},"
    yield f"    flags {report.flags}, {_times(report)}"


def _long(report: ConnectionReport) -> Iterator[str]:
    yield (
        f"TCP {_both(report.lower, report.lower_mapped)} {_both(report.upper, report.upper_mapped)}, "
        f"flags {report.flags} , {_times(report)}"
    )
    yield f"  Initiator: {report.initiator.address}, Responder: {report.responder.address}"


def _times(report: ConnectionReport) -> str:
    return (
        f"idle {span(report.idle)}, uptime {span(report.uptime)}, timeout {span(report.timeout)}, bytes {report.octets}"
    )


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
