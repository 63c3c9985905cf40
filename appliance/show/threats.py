"""``show threat-detection statistics top tcp-intercept``: the servers whose SYNs TCP Intercept had to answer."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.config.topology import Topology
from appliance.datapath.snapshot import Snapshot
from appliance.nat.attacks import SAMPLES, Attack

#: Servers shown unless all are asked for.
TOP = 10

_SECOND = 1_000_000_000  # ns


@dataclass(frozen=True, slots=True)
class AttackReport:
    """A server under attack by its real address: SYNs a second on average and lately, SYNs in the window, who sent
    the latest that is known and how many seconds ago, whether others did too; the samples, the latest first."""

    rank: int
    address: IPv4Address
    port: int
    interface: str
    average: int
    current: int
    total: int
    source: IPv4Address
    various: bool
    ago: int
    history: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AttacksReport:
    """The window in minutes, a sample's length in seconds, and the servers, the highest average first.

    `everything`: all of them were asked for.
    """

    window: int
    sampling: int
    everything: bool
    servers: tuple[AttackReport, ...]


def attacks(config: Config, snapshot: Snapshot, everything: bool = False) -> AttacksReport | None:
    """The top ten, or `everything`; None where the statistics are off."""
    statistics = config.tcp_intercept
    if statistics is None:
        return None
    named, topology = {each.mapped: each.real_interface for each in config.statics}, Topology(config)
    shown = snapshot.attacks if everything else snapshot.attacks[:TOP]
    return AttacksReport(
        statistics.rate_interval,
        statistics.rate_interval * 60 // SAMPLES,
        everything,
        tuple(
            _attack(rank, each, named.get(each.server.mapped) or topology.interface(each.server.real), snapshot.now)
            for rank, each in enumerate(shown, 1)
        ),
    )


def _attack(rank: int, attack: Attack, interface: str, now: int) -> AttackReport:
    return AttackReport(
        rank,
        attack.server.real,
        attack.server.port,
        interface,
        attack.average,
        attack.current,
        attack.total,
        attack.source,
        attack.various,
        max(0, now - attack.last) // _SECOND,
        attack.history,
    )
