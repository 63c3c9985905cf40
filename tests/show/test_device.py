"""The reports of `show logging` and `show running-config`."""

from __future__ import annotations

from dataclasses import replace

from appliance import show
from appliance.datapath.snapshot import LogUse
from appliance.plain import from_plain, to_plain
from tests.appliances import PLAIN, SEED, configured


def test_logging() -> None:
    use = LogUse("buffered", 6, 1)
    report = show.logging(PLAIN, replace(SEED, logs=(use,), log_lines=("%ASA-…",)))
    assert (report.enabled, report.timestamp, report.hostname) == (True, True, "fixup")
    assert (report.destinations, report.lines) == ((use,), ("%ASA-…",))


def test_running_config_is_the_rendered_configuration_line_by_line() -> None:
    short, full = show.running_config(PLAIN), show.running_config(PLAIN, everything=True)
    assert "hostname fixup" in short.lines
    assert " inspect esmtp" in {line[1:] for line in short.lines}
    assert "policy-map type inspect esmtp _default_esmtp_map" not in short.lines
    assert "policy-map type inspect esmtp _default_esmtp_map" in full.lines
    assert configured("\n".join(short.lines)) is not None


def test_they_survive_json() -> None:
    snapshot = replace(SEED, logs=(LogUse("trap", 6, 0),), log_lines=("…",))
    for report in (show.logging(PLAIN, snapshot), show.running_config(PLAIN)):
        assert from_plain(type(report), to_plain(report)) == report
