"""Configurations: ``show running-config``, ``show startup-config``, ``write memory``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from appliance.config.diagnostics import escaped
from appliance.control.protocol import Applied, StartupConfigReport, Written
from appliance.show import RunningConfigReport


def running_config(report: RunningConfigReport) -> Iterator[str]:
    """``show running-config``: its lines."""
    return iter(report.lines)


def section(lines: Iterable[str], words: Sequence[str], whole: bool = False) -> Iterator[str]:
    """The statements that begin with `words`, each with what is set in below it; all lines if there are no words.

    The first word may be the beginning of one: ``show running-config access`` has lists and groups; not if it is
    `whole`. An object's
    translation is of ``nat``, not of ``object``, which has its definition (asa.md §3.13).
    """
    if not words:
        yield from lines
        return
    wanted = [each.lower() for each in words]
    for block in _blocks(lines):
        heard = block[0].lower().split()
        if heard[:1] == ["object"] and any(line.startswith(" nat ") for line in block):
            heard = ["nat", *heard[1:]]
        fits = heard[:1] == wanted[:1] or (not whole and heard and heard[0].startswith(wanted[0]))
        if fits and heard[1 : len(wanted)] == wanted[1:]:
            yield from block


def _blocks(lines: Iterable[str]) -> Iterator[list[str]]:
    """Each statement with what is set in below it."""
    block: list[str] = []
    for line in lines:
        if block and not line.startswith(" "):
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def startup_config(report: StartupConfigReport) -> Iterator[str]:
    """``show startup-config``: the file, but nothing that could write to the terminal."""
    yield from (line if line.isprintable() else escaped(line) for line in report.lines)


def applied(report: Applied) -> Iterator[str]:
    """What a reload that was carried out says."""
    yield f"{report.file} is in force: new connections go by it, living ones keep what they began with"
    yield from ended(report)


def ended(report: Applied) -> Iterator[str]:
    """The connections that a change ended, if there were any."""
    if report.ended:
        many = "1 connection has" if report.ended == 1 else f"{report.ended} connections have"
        yield f"{many} ended: what their clients called leads elsewhere now"


def written(report: Written) -> Iterator[str]:
    """``write memory``, as an ASA says it (asa.md §6.8)."""
    yield "Building configuration..."
    yield f"Cryptochecksum: {' '.join(report.checksum[at : at + 8] for at in range(0, 32, 8))}"
    yield ""
    yield f"{report.octets} bytes copied to {escaped(report.file)}"
    if report.comments_lost:
        yield f"INFO: {report.comments_lost} comment lines have no place in it; the file of before is beside it, .old"
    yield "[OK]"
