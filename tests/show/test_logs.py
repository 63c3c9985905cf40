"""The report of `show logging`."""

from __future__ import annotations

from dataclasses import replace

from appliance import show
from appliance.datapath.snapshot import LogUse
from appliance.plain import from_plain, to_plain
from tests.appliances import PLAIN, SEED


def test_logging() -> None:
    use = LogUse("buffered", 6, 1)
    report = show.logging(PLAIN, replace(SEED, logs=(use,), log_lines=("%ASA-…",)))
    assert (report.enabled, report.timestamp, report.hostname) == (True, True, "fixup")
    assert (report.destinations, report.lines) == ((use,), ("%ASA-…",))


def test_it_survives_json() -> None:
    report = show.logging(PLAIN, replace(SEED, logs=(LogUse("trap", 6, 0),), log_lines=("…",)))
    assert from_plain(type(report), to_plain(report)) == report
