"""``show xlate`` and ``show nat`` as ASA 8.3 prints them (asa.md §3.6, §3.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from appliance.show import NatReport, TranslationsReport
from appliance.syslog import clock

_LEGEND = (
    "Flags: D - DNS, i - dynamic, r - portmap, s - static, I - identity, T - twice",
    "       e - extended",
)


def xlate(report: TranslationsReport) -> Iterator[str]:
    """``show xlate``"""
    yield from xlate_count(report)
    yield from _LEGEND
    for each in report.translations:
        kind, here, there = "NAT", "", ""
        if each.ports is not None:
            kind = f"{each.ports.protocol.upper()} PAT"
            here, there = f" {each.ports.real}-{each.ports.real}", f" {each.ports.mapped}-{each.ports.mapped}"
        yield f"{kind} from {each.real_interface}:{each.real}{here} to {each.mapped_interface}:{each.mapped}{there}"
        yield f"    flags {each.flags} idle {clock(each.idle)} timeout {clock(each.timeout)}"


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
