"""The engine's own counters: names and, by their place in `ENGINE`, slots of the worker's block.

They count facts and only grow. Octets inspected are octets released plus octets refused once nothing waits: the
invariant of design §2 as three numbers.
"""

from __future__ import annotations

from collections.abc import Mapping

ENGINE = (
    "packets",  # that the queue gave
    "modified",  # that went on changed
    "dropped",  # that did not go on, for whatever reason
    "octets_inspected",  # of payload, each offset once
    "octets_released",
    "octets_refused",  # inspected, and then the connection was closed
    "retransmitted",  # packets without an octet that was not seen before
    "early",  # packets that waited behind a gap
    "undecided",  # packets that waited for a decision
    "waited",  # packets of both kinds that wait no more, whatever became of them
    "expired",  # packets that waited too long
    "evicted",  # packets that made room for others
    "no_room",  # packets that found no room to wait
    "full",  # packets with new data at the cap of unacknowledged octets
    "given_up",  # times a connection let go, at the cap, of octets nobody said had arrived
    "deferred",  # packets dropped because a command in them is over its rate
    "stalled",  # held lines decided by the clock
    "malformed",  # packets that are no TCP segment
    "truncated",  # copies shorter than the packet
    "syn_data",
    "syn_elsewhere",
    "rst_elsewhere",
    "beyond_end",
    "behind_reset",
    "wrong_interface",  # packets that came in where the other side of their connection is, or neither
    "beyond_window",
    "urgent_cleared",
    "options_cleared",  # SYN-ACKs that offered Multipath TCP or Fast Open
    "connections",  # adopted
    "table_full",  # SYN-ACKs that found no room in the flow table
    "unknown_flows",  # packets of connections whose beginning was not seen, dropped
    "left_alone",  # connections that go on unread because octets of theirs passed unseen (fail-open)
    "unknown_classes",  # packets whose mark names no inspection
    "killed",  # connections closed by inspection
    "bypassed",  # connections that went over to TLS
    "idled",  # connections forgotten because nothing came
    "exceptions",  # faults of the engine, each closing its connection
    "queue_overflows",  # times the kernel said it had dropped packets for want of buffer (ENOBUFS)
    "unsent",  # requests and records given up because the root process did not read
    "verdicts_16us",  # packets done with within so long of the worker's having them, be it with a verdict or held
    "verdicts_33us",
    "verdicts_66us",
    "verdicts_131us",
    "verdicts_262us",
    "verdicts_524us",
    "verdicts_1ms",
    "verdicts_2ms",
    "verdicts_slower",
)

(
    PACKETS,
    MODIFIED,
    DROPPED,
    OCTETS_INSPECTED,
    OCTETS_RELEASED,
    OCTETS_REFUSED,
    RETRANSMITTED,
    EARLY,
    UNDECIDED,
    WAITED,
    EXPIRED,
    EVICTED,
    NO_ROOM,
    FULL,
    GIVEN_UP,
    DEFERRED,
    STALLED,
    MALFORMED,
    TRUNCATED,
    SYN_DATA,
    SYN_ELSEWHERE,
    RST_ELSEWHERE,
    BEYOND_END,
    BEHIND_RESET,
    WRONG_INTERFACE,
    BEYOND_WINDOW,
    URGENT_CLEARED,
    OPTIONS_CLEARED,
    CONNECTIONS,
    TABLE_FULL,
    UNKNOWN_FLOWS,
    LEFT_ALONE,
    UNKNOWN_CLASSES,
    KILLED,
    BYPASSED,
    IDLED,
    EXCEPTIONS,
    QUEUE_OVERFLOWS,
    UNSENT,
    VERDICTS,  # the first of those that say how long it took
    *_,
    _SLOWEST,
) = range(len(ENGINE))


#: The names of those that say how long packets took.
VERDICT_TIMES = ENGINE[VERDICTS:]


def waiting(engine: Mapping[str, int]) -> int:
    """How many packets wait now, by the counters' names."""
    return engine.get("early", 0) + engine.get("undecided", 0) - engine.get("waited", 0)


def verdict_slot(took: int) -> int:
    """The slot of a packet that took so many ns: each but the last goes twice as far as the one before."""
    slot = VERDICTS + (took >> 14).bit_length()
    return slot if slot < _SLOWEST else _SLOWEST
