"""The report of `show running-config`."""

from __future__ import annotations

from appliance import show
from appliance.plain import from_plain, to_plain
from tests.appliances import PLAIN, configured


def test_running_config_is_the_rendered_configuration_line_by_line() -> None:
    short, full = show.running_config(PLAIN), show.running_config(PLAIN, everything=True)
    assert "hostname fixup" in short.lines
    assert " inspect esmtp" in {line[1:] for line in short.lines}
    assert "policy-map type inspect esmtp _default_esmtp_map" not in short.lines
    assert "policy-map type inspect esmtp _default_esmtp_map" in full.lines
    assert configured("\n".join(short.lines)) is not None


def test_it_survives_json() -> None:
    report = show.running_config(PLAIN)
    assert from_plain(type(report), to_plain(report)) == report
