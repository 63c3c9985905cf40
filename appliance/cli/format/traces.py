"""``packet-tracer``: a packet's phases and what they come to, as an ASA prints them (K: its command reference)."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.iptables.trace import Phase, TraceReport


def trace(report: TraceReport, detailed: bool = False) -> Iterator[str]:
    """The phases, numbered; `detailed` with the rules that decided."""
    for number, phase in enumerate(report.phases, 1):
        yield ""
        yield f"Phase: {number}"
        yield from _phase(phase, detailed)
    yield ""
    yield "Result:"
    for side, nameif in (("input", report.input), ("output", report.output)):
        if nameif:
            yield f"{side}-interface: {nameif}"
            yield f"{side}-status: up"
            yield f"{side}-line-status: up"
    yield f"Action: {'allow' if report.allowed else 'drop'}"
    if report.reason:
        yield f"Drop-reason: {report.reason}"
    yield ""


def _phase(phase: Phase, detailed: bool) -> Iterator[str]:
    yield f"Type: {phase.type}"
    yield f"Subtype: {phase.subtype}".rstrip()
    yield f"Result: {'ALLOW' if phase.allowed else 'DROP'}"
    yield "Config:"
    yield from phase.config
    yield "Additional Information:"
    yield from phase.information
    if detailed:
        yield from (f" rule {each}" for each in phase.rules)
