"""``show access-list`` as ASA prints it (asa.md §3.9); its entries end with a space."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.show import AccessListReport, AccessListsReport


def access_lists(report: AccessListsReport) -> Iterator[str]:
    """``show access-list``"""
    flows = f"total {report.flows}, denied {report.denied_flows} (deny-flow-max {report.deny_flow_max})"
    yield f"access-list cached ACL log flows: {flows}"
    yield f"            alert-interval {report.alert_interval}"
    yield from access_list(report)


def access_list(report: AccessListsReport) -> Iterator[str]:
    """``show access-list NAME``"""
    for each in report.access_lists:
        yield from _lines(each)


def _lines(report: AccessListReport) -> Iterator[str]:
    yield f"access-list {report.name}; {report.elements} elements; name hash: {report.hash}"
    for each in report.entries:
        line = f"access-list {report.name} line {each.line}"
        if each.hits is None:
            yield f"{line} {each.text}"
            continue
        inactive = " (inactive)" if each.inactive else ""
        yield f"{line} {each.text} (hitcnt={each.hits}){inactive} {each.hash} "
        for element in each.elements:
            yield f"  {line} {element.text} (hitcnt={element.hits}) {element.hash} "
