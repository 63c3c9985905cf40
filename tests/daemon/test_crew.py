"""The crew: workers are forked, missed, replaced, and keep their counters."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.daemon.crew import PATIENCE, Crew, Loss
from appliance.daemon.pages import Page, block_totals, engine_totals
from appliance.datapath.counters import ENGINE, PACKETS
from appliance.policy.counters import BLOCK, Slot


def count_and_wait(number: int, channel: socket.socket, page: Page) -> None:
    page.engine[PACKETS] += 1
    page.blocks[0][Slot.PACKET] += 10
    channel.send(b"here")
    signal.pause()


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew([Page(1), Page(1)], count_and_wait)
    yield made
    made.stop()


def heard(crew: Crew, number: int) -> bytes:
    channel = crew.hands[number].requests
    assert channel is not None
    channel.setblocking(True)
    channel.settimeout(10)
    return channel.recv(100)


def lost(crew: Crew) -> list[Loss]:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if found := crew.losses():
            return found
        time.sleep(0.01)
    return []


def test_a_worker_that_ends_is_missed_once_and_replaced(crew: Crew) -> None:
    for hand in crew.hands:
        crew.start(hand)
    assert (heard(crew, 0), heard(crew, 1)) == (b"here", b"here")
    os.kill(crew.hands[1].pid, signal.SIGKILL)
    assert lost(crew) == [Loss(1, "signal 9")]
    assert crew.losses() == []
    hand = crew.hands[1]
    assert heard(crew, 1) == b"", "the channel says that it hung up"
    hand.hang_up()
    assert crew.missing(hand.born + PATIENCE) == [hand]
    crew.start(hand)
    assert heard(crew, 1) == b"here"


def test_one_that_dies_young_is_not_replaced_at_once(crew: Crew) -> None:
    hand = crew.hands[0]
    crew.start(hand)
    os.kill(hand.pid, signal.SIGKILL)
    assert lost(crew) == [Loss(0, "signal 9")]
    assert hand not in crew.missing(hand.born + PATIENCE), "what it said last has not been read"
    hand.hang_up()
    assert hand not in crew.missing(hand.born + PATIENCE - 1)
    assert hand in crew.missing(hand.born + PATIENCE)


def test_counters_go_on_where_the_last_worker_stopped(crew: Crew) -> None:
    for _ in range(2):
        for hand in crew.hands:
            crew.start(hand)
            heard(crew, hand.number)
        crew.stop()
    pages = [hand.page for hand in crew.hands]
    assert engine_totals(pages) == dict.fromkeys(ENGINE, 0) | {"packets": 4}
    totals = block_totals(pages, 1)
    assert (len(totals), totals[Slot.PACKET], sum(totals)) == (BLOCK, 40, 40)


def test_a_worker_has_no_descriptor_of_ours_but_its_channel() -> None:
    def tell(number: int, channel: socket.socket, page: Page) -> None:
        channel.send(" ".join(str(each) for each in range(3, 1024) if Path(f"/proc/self/fd/{each}").exists()).encode())
        signal.pause()

    crew = Crew([Page(0)], tell)
    with Path("/dev/null").open() as ours:
        crew.start(crew.hands[0])
        descriptors = heard(crew, 0).split()
        assert len(descriptors) == 1, f"{descriptors} with ours {ours.fileno()}"
    crew.stop()
