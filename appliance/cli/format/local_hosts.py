"""``show local-host`` as ASA prints it, translations as its 8.2 does (asa.md §3.6, §3.7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from appliance.cli.format.connections import connection, detail
from appliance.show import Behind, ConnectionReport, LocalHost, TranslationReport


def local_host(interfaces: Iterable[Behind]) -> Iterator[str]:
    """``show local-host``: with each host its translations and its connections."""
    return _listed(interfaces, lambda host: _owned(host, lambda each: iter((connection(each),))))


def local_host_detail(interfaces: Iterable[Behind]) -> Iterator[str]:
    """``show local-host detail``"""
    return _listed(interfaces, lambda host: _owned(host, detail))


def local_host_brief(interfaces: Iterable[Behind]) -> Iterator[str]:
    """``show local-host brief``"""
    return _listed(interfaces, lambda _: iter(()))


def _listed(interfaces: Iterable[Behind], owned: Callable[[LocalHost], Iterator[str]]) -> Iterator[str]:
    for each in interfaces:
        sums = each.interface
        yield (f"Interface {sums.interface}: {sums.active} active, {sums.maximum} maximum active, {sums.denied} denied")
        for host in each.hosts:
            yield from _limits(host)
            yield from owned(host)


def _limits(host: LocalHost) -> Iterator[str]:
    yield f"local host: <{host.address}>,"
    yield f"    TCP flow count/limit = {host.count}/{host.limit or 'unlimited'}"
    yield f"    TCP embryonic count to host = {host.embryonic}"
    yield f"    TCP intercept watermark = {host.watermark or 'unlimited'}"
    yield "    UDP flow count/limit = 0/unlimited"


def _owned(host: LocalHost, line: Callable[[ConnectionReport], Iterator[str]]) -> Iterator[str]:
    if host.translations:
        yield ""
        yield "  Xlate:"
    yield from (f"    {_translation(each)}" for each in host.translations)
    yield ""
    yield "  Conn:"
    for each in host.connections:
        yield from (f"    {text}" for text in line(each))


def _translation(report: TranslationReport) -> str:
    ports = report.ports
    if ports is None:
        return f"Global {report.mapped} Local {report.real}"
    return f"PAT Global {report.mapped}({ports.mapped}) Local {report.real}({ports.real})"
