"""A configuration as iptables rules: text for iptables-restore, nothing executed.

Ours are chains called FIXUP_…, each table's hooked into the built-in chains by one jump that stands first; no rule of
anyone else is read, moved or removed. Only packets that come in *and* go out by one of our interfaces are ours, and
of those what we accept is accepted; all others return untouched. The tables, in the order they are applied (marks
before what relies on them, doors last):

* **mangle** decides the class of a connection on its first packet, on real addresses (DNAT lies behind), and keeps
  class, generation and worker in the connmark; later packets get them back. A generation is never 0: a mark without
  one is undecided.
* **filter** drops what conntrack can't place, asks the access lists or the security levels about a connection's first
  packet, and queues every TCP packet of an inspected connection to its worker unless the BPF marked it SKIP; of what
  it drops the daemon gets a copy by NFLOG, where the log takes a record of it.
* **raw** drops what comes in where its source is not routed to, whomever it is for: it would be taken for the other
  side of a connection, which is known by its addresses. ``ip verify reverse-path`` adds that it is told. A SYN that is
  marked INTERCEPT is kept from conntrack, and so is SYNPROXY's answer to it.
* **nat** translates.

TCP Intercept, where a static or a class has an embryonic limit: a SYN marked INTERCEPT and the ACK that brings its
cookie back reach filter FORWARD untracked and untranslated; whom the access list permits they reach SYNPROXY there,
which opens the connection to the server through nat OUTPUT. To a static they go by a chain of its own, which speaks of
its real address; to a host by its own address by what any first packet is asked. Such a connection's first packet in
FORWARD is the server's SYN-ACK: its class is decided by the same rules with the sides swapped.

Between two tables of one packet's way: mangle FORWARD runs before filter FORWARD. Chain names are shorter than the
kernel's 29 octets. Source: DESIGN §2, rows 15-21; asa.md §6; bpf-notes §4.
"""

from __future__ import annotations

from appliance.config.config import Config
from appliance.config.inspections import inspections
from appliance.iptables.filter import LOG_GROUP, LOGGED, filter_, queues
from appliance.iptables.mangle import mangle
from appliance.iptables.nat import nat
from appliance.iptables.raw import raw
from appliance.iptables.tables import DROP, PREFIX, Scene, Table, between, found, nothing, text
from appliance.marks import GENERATION, WORKER

__all__ = ["LOGGED", "LOG_GROUP", "PREFIX", "removal", "rules", "rules6"]


def rules(config: Config, *, generation: int, workers: int, queue_base: int, saved: str = "") -> str:
    """The text for ``iptables-restore --noflush`` that makes the rules those of a verified `config`.

    `generation` (1-63) is the policy generation new connections get; worker n of `workers` (1-32) listens on queue
    `queue_base` + n. `saved` is what iptables-save prints now: what it holds of ours is replaced, in the same
    transaction; if it has counters (``-c``), elements of access lists keep theirs (``iptables-restore --counters``).
    ValueError for a number out of range.
    """
    if not 1 <= generation <= GENERATION.top:
        raise ValueError(f"generation {generation} is not between 1 and {GENERATION.top}")
    if not 1 <= workers <= WORKER.top + 1 or not 0 <= queue_base <= 65536 - workers:
        raise ValueError(f"{workers} workers from queue {queue_base} on")
    scene, classes, there = Scene.of(config), inspections(config), found(saved)
    tables = (
        mangle(scene, classes, generation),
        filter_(scene, queues(classes, generation, workers, queue_base)),
        raw(scene),
        nat(scene),
    )
    return "".join(text(each, there.get(each.name, nothing())) for each in tables if each.chains or each.name in there)


def rules6(config: Config, *, saved: str = "") -> str:
    """The text for ``ip6tables-restore --noflush``: IPv6 between our interfaces is dropped (DESIGN §6)."""
    table = Table("filter", {"FORWARD": "FIXUP_FORWARD"}, {**between(Scene.of(config).ours), "FIXUP_BETWEEN": [DROP]})
    return text(table, found(saved).get(table.name, nothing()))


def removal(saved: str) -> str:
    """The text that removes everything of ours that `saved`, iptables-save's output, holds; empty if there is none."""
    there = found(saved)
    doors_first = sorted(there, key=("nat", "raw", "filter", "mangle").index)
    return "".join(text(Table(name, {}, {}), there[name]) for name in doors_first)
