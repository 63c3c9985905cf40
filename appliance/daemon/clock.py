"""The one place that reads clocks; everything below the edge is told the time."""

from __future__ import annotations

import functools
import time
from datetime import datetime

SECOND = 1_000_000_000  # ns

#: ns of CLOCK_MONOTONIC, the clock that BPF programs read.
monotonic = time.monotonic_ns


def wall() -> datetime:
    """Local time of day to the second, for the headers of log lines."""
    return _local(int(time.time()))


def moment() -> datetime:
    """Local time of day, as exactly as there is."""
    return datetime.now().astimezone()


@functools.lru_cache(maxsize=1)
def _local(second: int) -> datetime:
    return datetime.fromtimestamp(second).astimezone()
