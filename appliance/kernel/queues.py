"""How full the queues are: /proc/net/netfilter/nfnetlink_queue of this network namespace.

A line is: queue number, netlink port of who serves it, packets waiting, copy mode, copy range, dropped because the
queue was full, dropped because the server's receive buffer was full, last packet id, 1.
"""

from __future__ import annotations

from pathlib import Path

from appliance.datapath.snapshot import QueueUse
from appliance.kernel import modules
from appliance.kernel.errors import KernelError

# /proc/net is the namespace of the process's first thread, whatever thread asks.
_FILE = Path("/proc/thread-self/net/netfilter/nfnetlink_queue")


def available() -> bool:
    """The kernel has NFQUEUE."""
    return _FILE.exists()


def require() -> None:
    """KernelError if the kernel has no NFQUEUE, not even as a module that could be loaded."""
    if not available():
        modules.load("nfnetlink_queue")
    if not available():
        raise KernelError("this kernel has no NFQUEUE: one with nfnetlink_queue is needed (modprobe nfnetlink_queue)")


def require_free(first: int, count: int) -> None:
    """KernelError if somebody serves one of `count` queues from `first` on: another firewall in this namespace."""
    taken = [each for each in uses() if first <= each.number < first + count]
    if taken:
        raise KernelError(
            f"NFQUEUE {taken[0].number} is served by process {taken[0].worker_pid}: another instance runs in this "
            "network namespace; stop it first"
        )


def uses() -> tuple[QueueUse, ...]:
    """Every bound queue. The netlink port is the server's pid unless it had a netlink socket before that one."""
    if not available():
        return ()
    rows = ([int(word) for word in line.split()] for line in _FILE.read_text(encoding="ascii").splitlines())
    return tuple(QueueUse(row[0], row[1], row[2], row[5], row[6]) for row in rows)
