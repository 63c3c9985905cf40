"""What threat detection says: 733104 and 733105 (asa.md §4.6)."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.syslog.record import Record


@dataclass(frozen=True, slots=True)
class AverageRateExceeded(Record):
    """SYNs to a server that TCP Intercept answered, a second, over the whole window."""

    id = 733104
    severity = 4

    mapped: IPv4Address
    real: IPv4Address
    port: int
    rate: int
    threshold: int

    def sentence(self) -> str:
        return f"{_attack(self)} Average rate of {_exceeded(self)}"


@dataclass(frozen=True, slots=True)
class BurstRateExceeded(Record):
    """SYNs to a server that TCP Intercept answered, a second, in the last sample."""

    id = 733105
    severity = 4

    mapped: IPv4Address
    real: IPv4Address
    port: int
    rate: int
    threshold: int

    def sentence(self) -> str:
        return f"{_attack(self)} Burst rate of {_exceeded(self)}"


def _attack(record: AverageRateExceeded | BurstRateExceeded) -> str:
    server = f"{record.mapped}/{record.port} ({record.real}/{record.port})"
    return f"TCP Intercept SYN flood attack detected to {server}."


def _exceeded(record: AverageRateExceeded | BurstRateExceeded) -> str:
    return f"{record.rate} SYNs/sec exceeded the threshold of {record.threshold}."
