"""``show service-policy`` as ASA prints it (asa.md §3.1, §3.2).

``Global policy: `` keeps ASA's trailing space; the header of an inspection is 7.x's, without ``lock fail``, as the
seed shows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from appliance.show import ClassReport, InspectionReport, ServicePolicyReport


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
