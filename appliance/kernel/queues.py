"""How full the queues are: /proc/net/netfilter/nfnetlink_queue of this network namespace.

A line is: queue number, netlink port of who serves it, packets waiting, copy mode, copy range, dropped because the
queue was full, dropped because the server's receive buffer was full, last packet id, 1.
"""

from __future__ import annotations

from pathlib import Path

from appliance.datapath.snapshot import QueueUse

# /proc/net is the namespace of the process's first thread, whatever thread asks.
_FILE = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")


def available() -> bool:
    """The kernel has NFQUEUE."""
    return _FILE.exists()


def uses() -> tuple[QueueUse, ...]:
    """Every bound queue. The netlink port is the server's pid unless it had a netlink socket before that one."""
    if not available():
        return ()
    rows = ([int(word) for word in line.split()] for line in _FILE.read_text(encoding="ascii").splitlines())
    return tuple(QueueUse(row[0], row[1], row[2], row[5], row[6]) for row in rows)
