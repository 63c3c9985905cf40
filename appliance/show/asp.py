"""``show asp``: what the packet path dropped and why, how full its queues are, and how long packets take in it.

`DROPS` is the one table of reasons: ASA's keyword and sentence where it has one for the case (asa.md §3.12), ours where
it has none. What inspection does to a connection is no frame's fault: its packets are in ``show service-policy``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from appliance.datapath.counters import VERDICT_TIMES, waiting
from appliance.datapath.snapshot import QueueUse, Snapshot

#: reason → ASA's (or our) sentence, and the engine's counters of packets dropped for it
DROPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "tcp-not-syn": ("First TCP packet not SYN", ("unknown_flows",)),
    "tcp-rstfin-ooo": ("TCP RST/FIN out of order", ("rst_elsewhere",)),
    "tcp-seq-syn-diff": ("TCP SEQ in SYN/SYNACK invalid", ("syn_elsewhere",)),
    "tcp-seq-past-win": ("TCP packet SEQ past window", ("beyond_window",)),
    "tcp-buffer-full": ("TCP Out-of-Order packet buffer full", ("no_room", "evicted")),
    "tcp-buffer-timeout": ("TCP Out-of-Order packet buffer timeout", ("expired",)),
    "tcp-data-past-fin": ("TCP data send after FIN", ("beyond_end",)),
    "tcp-data-past-reset": ("TCP data send after RST", ("behind_reset",)),
    "tcp-wrong-interface": ("TCP packet of a connection on another interface", ("wrong_interface",)),
    "tcp-syn-data": ("TCP SYN with data", ("syn_data",)),
    "tcp-hdr-length": ("Not a whole TCP segment", ("malformed", "truncated")),
    "tcp-unacked-full": ("Unacknowledged octets at their limit", ("full",)),
    "inspect-rate-limit": ("Command over its rate-limit", ("deferred",)),
    "inspect-table-full": ("Inspection table full", ("table_full",)),
    "inspect-unknown-class": ("Mark of no inspection", ("unknown_classes",)),
}
#: The same of SYNs beyond a limit of connections, of a static or of a class.
CONN_LIMIT = ("conn-limit", "Connection limit reached")
#: The same of what the kernel dropped before a worker had it.
QUEUE_FULL = ("inspect-queue-full", "Inspection queue full")
BUFFER_FULL = ("inspect-buffer-full", "Receive buffer of inspection full")


@dataclass(frozen=True, slots=True)
class AspDrop:
    """A reason and how often it was met."""

    reason: str
    sentence: str
    count: int


@dataclass(frozen=True, slots=True)
class AspReport:
    """``show asp drop`` and ``show asp queue``: what was dropped is only there if there is any.

    `given_up` says how often a connection let go of octets nobody said had arrived, `unsent` how many requests and
    records the root process did not read in time. `waiting` packets wait now; `waited` says how many began to, behind a
    gap (``early``) or for a decision (``undecided``). `verdicts` are packets by how long a worker had them.
    """

    frames: tuple[AspDrop, ...]
    flows: tuple[AspDrop, ...]
    queues: tuple[QueueUse, ...]
    overflows: int
    given_up: int
    unsent: int
    waiting: int
    waited: Mapping[str, int]
    verdicts: Mapping[str, int]


def asp(snapshot: Snapshot) -> AspReport:
    """The packet path at this moment."""
    engine = snapshot.engine
    counted = [
        AspDrop(reason, sentence, sum(engine.get(name, 0) for name in names))
        for reason, (sentence, names) in DROPS.items()
    ]
    counted += [
        AspDrop(*CONN_LIMIT, _over_limits(snapshot)),
        AspDrop(*QUEUE_FULL, sum(each.dropped for each in snapshot.queues)),
        AspDrop(*BUFFER_FULL, sum(each.user_dropped for each in snapshot.queues)),
    ]
    flows = (AspDrop("inspect-fail", "Inspection failure", engine.get("killed", 0)),)
    return AspReport(
        tuple(each for each in counted if each.count),
        tuple(each for each in flows if each.count),
        snapshot.queues,
        engine.get("queue_overflows", 0),
        engine.get("given_up", 0),
        engine.get("unsent", 0),
        waiting(engine),
        {name: engine.get(name, 0) for name in ("early", "undecided")},
        {name.removeprefix("verdicts_"): engine.get(name, 0) for name in VERDICT_TIMES},
    )


def _over_limits(snapshot: Snapshot) -> int:
    refused = (each.refused.items() for each in snapshot.classes)
    of_classes = sum(count for items in refused for limit, count in items if not limit.half_open)
    return of_classes + sum(each.refused_max for each in snapshot.statics)
