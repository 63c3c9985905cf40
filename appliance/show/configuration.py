"""``show running-config``: the configuration as it would be typed."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.config import render
from appliance.config.config import Config


@dataclass(frozen=True, slots=True)
class RunningConfigReport:
    """``show running-config [all]``: the configuration as it would be typed."""

    lines: tuple[str, ...]


def running_config(config: Config, everything: bool = False) -> RunningConfigReport:
    """The configuration in force; `everything` with what is at its default."""
    return RunningConfigReport(tuple(render.running_config(config, everything).splitlines()))
