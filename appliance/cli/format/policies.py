"""``show service-policy`` as ASA prints it (asa.md §3.1-3.3).

``Global policy: `` keeps ASA's trailing space; the header of an inspection is that of the configuration's version, and
without one 7.x's, without ``lock fail``, as the seed shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from appliance.config.versions import named
from appliance.show import ClassReport, InspectionReport, ServicePolicyReport
from appliance.syslog import clock


def service_policy(report: ServicePolicyReport) -> Iterator[str]:
    """``show service-policy``: a line per inspection, and what is said of connections."""
    return _service_policy(report, lambda each: chain(_inspects(each, report.version), _connections(each)))


def service_policy_esmtp(report: ServicePolicyReport) -> Iterator[str]:
    """``show service-policy inspect esmtp``: every parameter and match line with its count."""
    return _service_policy(report, lambda each: _inspects(each, report.version, detailed=True))


def service_policy_connections(report: ServicePolicyReport, detailed: bool = False) -> Iterator[str]:
    """``show service-policy set connection``; `detailed` with what each client has, where clients are limited."""
    return _service_policy(report, lambda each: _connections(each, detailed))


def _service_policy(report: ServicePolicyReport, said: Callable[[ClassReport], Iterator[str]]) -> Iterator[str]:
    """The classes of which anything is said."""
    for policy in report.policies:
        if policy.interface is None:
            yield "Global policy: "
        else:
            yield ""
            yield f"Interface {policy.interface}:"
        yield f"  Service-policy: {policy.name}"
        for each in policy.classes:
            lines = list(said(each))
            if lines:
                yield f"    Class-map: {each.name}"
                yield from lines


def _inspects(report: ClassReport, version: str, detailed: bool = False) -> Iterator[str]:
    inspection = report.inspection
    if report.exempts:
        yield "      No inspect: esmtp"
    if inspection is None:
        return
    counts = {"packet": inspection.packet, "drop": inspection.drop, "reset_drop": inspection.reset_drop}
    yield f"      Inspect: esmtp {inspection.map}, {named(version).inspect_line.format(**counts)}"
    if detailed:
        yield from _inspection(inspection)


def _connections(report: ClassReport, detailed: bool = False) -> Iterator[str]:
    limits = report.limits
    if limits is None:
        return
    if limits.limits:
        yield f"      Set connection policy: {_words(limits.limits)}"
        yield (
            f"        current embryonic conns {limits.embryonic}, current conns {limits.connections}, "
            f"drop {limits.drop}"
        )
    if detailed and limits.clients:
        yield "        Per client     Embryonic   Total"
        for each in limits.clients:
            yield f"        {each.address!s:<15}{each.embryonic:<12}{each.connections}"
    if limits.timeouts:
        yield "      Set connection timeout policy:"
        timeouts = {name: clock(seconds) for name, seconds in limits.timeouts.items()}
        yield f"        {_words(timeouts)}{'reset ' if limits.resets else ''}"
        yield "        DCD: disabled, retry-interval 0:00:15, max-retries 5"
        yield "        DCD: client-probe 0, server-probe 0, conn-expiration 0"


def _words(values: Mapping[str, object]) -> str:
    """``conn-max 50 embryonic-conn-max 100 ``: ASA leaves the last space there."""
    return "".join(f"{name} {value} " for name, value in values.items())


def _inspection(report: InspectionReport) -> Iterator[str]:
    for parameter, count in report.parameters.items():
        yield f"        {parameter}, count {count}"
    for each in report.matches:
        yield f"        match {each.match}"
        yield f"          {each.action}, packet {each.packet}"
