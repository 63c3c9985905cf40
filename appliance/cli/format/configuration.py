"""``show running-config``: its lines."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.show import RunningConfigReport


def running_config(report: RunningConfigReport) -> Iterator[str]:
    """``show running-config``: its lines."""
    return iter(report.lines)
