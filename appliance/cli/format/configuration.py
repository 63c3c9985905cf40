"""Configurations: ``show running-config``, ``show startup-config``, ``write memory``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from appliance.config.diagnostics import escaped
from appliance.control.protocol import StartupConfigReport, Written
from appliance.show import RunningConfigReport


def running_config(report: RunningConfigReport) -> Iterator[str]:
    """``show running-config``: its lines."""
    return iter(report.lines)


def section(lines: Iterable[str], words: Sequence[str]) -> Iterator[str]:
    """The statements that begin with `words`, each with what is set in below it; all lines if there are no words.

    The first word may be the beginning of one: ``show running-config access`` has lists and groups.
    """
    inside = not words
    for line in lines:
        if words and not line.startswith(" "):
            heard = line.split()
            inside = bool(heard) and heard[0].startswith(words[0].lower()) and heard[1 : len(words)] == list(words[1:])
        if inside:
            yield line


def startup_config(report: StartupConfigReport) -> Iterator[str]:
    """``show startup-config``: the file, but nothing that could write to the terminal."""
    yield from (line if line.isprintable() else escaped(line) for line in report.lines)


def written(report: Written) -> Iterator[str]:
    """``write memory``, as an ASA says it (asa.md §6.8)."""
    yield "Building configuration..."
    yield f"Cryptochecksum: {' '.join(report.checksum[at : at + 8] for at in range(0, 32, 8))}"
    yield ""
    yield f"{report.octets} bytes copied to {escaped(report.file)}"
    if report.comments_lost:
        yield f"INFO: {report.comments_lost} comment lines have no place in it; the file of before is beside it, .old"
    yield "[OK]"
