"""A capture's golden summary: by connection, every line, message and verdict of `fixup replay`, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from appliance.replay.replay import replay
from appliance.replay.report import Entry, Kind

CAPTURES = sorted(Path(__file__).parent.glob("*.pcap"))

_SIGNS = {Kind.COMMAND: "C: ", Kind.REPLY: "S: ", Kind.CLOSED: "closed: ", Kind.LOGGED: "logged: ", Kind.TLS: "TLS"}


def summary(path: Path) -> dict[str, Any]:
    """What the firewall makes of a capture."""
    report = replay([path])
    return {
        "connections": {
            each.client: {"told": [line for entry in each.entries for line in _told(entry)], "masked": each.masked}
            for each in report.conversations
        },
        "packets": [report.packets, report.passed, report.modified, report.dropped],
        "log": list(report.records),
    }


def _told(entry: Entry) -> list[str]:
    if entry.kind is Kind.MESSAGE:
        return [f"message: {entry.octets} octets, SHA-256 {entry.sha256}"]
    return [_SIGNS[entry.kind] + entry.sent, *(["-> " + entry.got] if entry.got is not None else [])]
