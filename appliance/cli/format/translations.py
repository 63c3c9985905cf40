"""``show xlate``, of reports that come in parts, and ``show nat`` as ASA 8.3 prints them (asa.md §3.6, §3.8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from appliance.show import NatReport, PortsReport, TranslationReport, TranslationsReport
from appliance.syslog import clock

_LEGEND = (
    "Flags: D - DNS, i - dynamic, r - portmap, s - static, I - identity, T - twice",
    "       e - extended",
)


def xlate(parts: Iterable[TranslationsReport]) -> Iterator[str]:
    """``show xlate``"""
    for number, part in enumerate(parts):
        if number == 0:
            yield from xlate_count(part)
            yield from _LEGEND
        for each in part.translations:
            yield from _translation(each)


def _translation(report: TranslationReport) -> Iterator[str]:
    """Two lines of a static, one of what a connection was given."""
    real, mapped = f"{report.real_interface}:{report.real}", f"{report.mapped_interface}:{report.mapped}"
    rest = f"flags {report.flags} idle {clock(report.idle)} timeout {clock(report.timeout)}"
    match report.ports:
        case None:
            yield f"NAT from {real} to {mapped}"
            yield f"    {rest}"
        case PortsReport(protocol, here, there) if "s" in report.flags:
            yield f"{protocol.upper()} PAT from {real} {here}-{here} to {mapped} {there}-{there}"
            yield f"    {rest}"
        case PortsReport(protocol, here, there):
            yield f"{protocol.upper()} PAT from {real}/{here} to {mapped}/{there} {rest}"


def xlate_count(report: TranslationsReport) -> Iterator[str]:
    """``show xlate count``"""
    yield f"{report.in_use} in use, {report.most_used} most used"


_SECTIONS = {
    1: "Manual NAT Policies (Section 1)",
    2: "Auto NAT Policies (Section 2)",
    3: "Manual NAT Policies (Section 3)",
}


def nat(report: NatReport, detailed: bool = False) -> Iterator[str]:
    """``show nat``; `detailed` with the addresses of each rule."""
    for number, (section, rules) in enumerate(groupby(report.rules, key=lambda each: each.section)):
        if number:
            yield ""
        yield _SECTIONS[section]
        for each in rules:
            way = f"({each.real_interface}) to ({each.mapped_interface})"
            yield f"{each.number} {way} source {each.source}" + (f"   {each.more}" if each.more else "")
            yield f"    translate_hits = {each.translate_hits}, untranslate_hits = {each.untranslate_hits}"
            if detailed:
                yield _addresses("Source", each.origin, each.translated)
                if each.far_origin:
                    yield _addresses("Destination", each.far_origin, each.far_translated)


def _addresses(end: str, origin: Sequence[str], translated: Sequence[str]) -> str:
    return f"    {end} - Origin: {', '.join(origin)}, Translated: {', '.join(translated)}"
