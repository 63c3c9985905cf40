"""What waits for the end of the connection before it: bounded, each once, none for long."""

from __future__ import annotations

from appliance.datapath.successors import LIMIT, PATIENCE, Arrival, Successors
from tests.datapath.test_bounds import wire
from tests.wire import SYN, engine, packet, segment

SYN_ACK = segment(packet(("192.0.2.25", 25), ("203.0.113.10", 1_024), flags=SYN))


def arrival(handle: int) -> Arrival:
    return handle, SYN_ACK, 0, 3, 2


def test_so_many_wait_and_each_is_taken_once() -> None:
    datapath, successors = engine(), Successors()
    for number in range(LIMIT + 1):
        wire(datapath, number)
    *connections, late = datapath._table
    assert successors.due is None
    assert all(successors.hold(each, arrival(at), at) for at, each in enumerate(connections))
    assert not successors.hold(late, arrival(-1), 0), "there is no room"
    assert successors.take(connections[0]) == arrival(0)
    assert successors.take(connections[0]) is None
    assert not successors.hold(connections[1], arrival(-1), 0), "one of a connection"
    assert successors.due == 1 + PATIENCE
    assert successors.take_late(PATIENCE) is None
    assert [successors.take_late(2 + PATIENCE) for _ in range(3)] == [arrival(1), arrival(2), None]
