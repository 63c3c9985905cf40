"""``show logging``: the destinations of log records, and the memory buffer."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.config.config import Config
from appliance.datapath.snapshot import LogUse, Snapshot


@dataclass(frozen=True, slots=True)
class LoggingReport:
    """``show logging``: the destinations that are on, and the memory buffer's lines, oldest first."""

    enabled: bool
    timestamp: bool
    facility: int
    device_id: str | None
    hostname: str
    destinations: tuple[LogUse, ...]
    lines: tuple[str, ...]


def logging(config: Config, snapshot: Snapshot) -> LoggingReport:
    """What is logged where."""
    return LoggingReport(
        config.logging.enabled,
        config.logging.timestamp,
        config.logging.facility,
        config.logging.device_id,
        config.hostname,
        snapshot.logs,
        snapshot.log_lines,
    )
