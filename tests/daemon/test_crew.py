"""The crew: workers are forked, missed, replaced, and keep their counters."""

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config.config import Timeouts
from appliance.daemon import policy
from appliance.daemon.crew import PATIENCE, UNREAD, Crew, Hand, Loss
from appliance.daemon.pages import Page, block_totals, engine_totals
from appliance.daemon.policy import Policy
from appliance.datapath.counters import ENGINE, PACKETS
from appliance.kernel.errors import KernelError
from appliance.policy.counters import BLOCK, Slot


def count_and_wait(number: int, channel: socket.socket, page: Page) -> None:
    page.engine[PACKETS] += 1
    page.block(0)[Slot.PACKET] += 10
    channel.send(b"here")
    signal.pause()


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew([Page(), Page()], count_and_wait)
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
    totals = block_totals(pages, 0)
    assert (len(totals), totals[Slot.PACKET], sum(totals)) == (BLOCK, 40, 40)


def test_a_worker_has_no_descriptor_of_ours_but_its_channel() -> None:
    def tell(number: int, channel: socket.socket, page: Page) -> None:
        channel.send(" ".join(str(each) for each in range(3, 1024) if Path(f"/proc/self/fd/{each}").exists()).encode())
        signal.pause()

    crew = Crew([Page()], tell)
    with Path("/dev/null").open() as ours:
        crew.start(crew.hands[0])
        descriptors = heard(crew, 0).split()
        assert len(descriptors) == 1, f"{descriptors} with ours {ours.fileno()}"
    crew.stop()


def policy_at(interfaces: dict[int, str]) -> Policy:
    return Policy({}, {}, interfaces, Timeouts())


def test_every_worker_goes_by_a_new_policy_when_telling_it_returns() -> None:
    def listen(number: int, channel: socket.socket, page: Page) -> None:
        channel.setblocking(True)
        while isinstance(told := policy.receive(channel), tuple):
            page.engine[PACKETS] = len(told[0].interfaces)
            policy.answer(told[1])
        os._exit(0)

    crew = Crew([Page(), Page()], listen)
    for hand in crew.hands:
        crew.start(hand)
    crew.tell(policy_at({1: "outside", 2: "inside"}))
    assert [hand.page.engine[PACKETS] for hand in crew.hands] == [2, 2]
    large = policy_at(dict.fromkeys(range(20000), "x" * 48))
    crew.tell(large)
    assert [hand.page.engine[PACKETS] for hand in crew.hands] == [20_000, 20_000], "longer than any message"
    crew.stop()


def test_a_worker_that_ends_instead_of_answering_holds_nobody_up() -> None:
    def end(number: int, channel: socket.socket, page: Page) -> None:
        channel.setblocking(True)
        policy.receive(channel)
        os._exit(0)

    brief = Crew([Page()], end)
    brief.start(brief.hands[0])
    brief.tell(policy_at({}))
    brief.tell(policy_at({}))  # it is gone by now, and its successor is born with the policy
    brief.stop()


def test_a_worker_that_does_not_answer_is_named(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "PATIENCE", 0.0)
    for hand in crew.hands:
        crew.start(hand)
    with pytest.raises(KernelError, match="worker 0 did not take the new policy"):
        crew.tell(policy_at({}))


def test_a_busy_worker_hears_later_what_it_was_told_meanwhile() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    hand = Hand(0, Page(), requests=ours)
    told = [bytes([number]) * 4_000 for number in range(1, 101)]
    hand.inform(told)
    assert hand.unread, "more than the channel holds"
    heard_so_far = []
    while hand.unread:
        heard_so_far.append(theirs.recv(5_000))
        hand.inform([])
    while len(heard_so_far) < len(told):
        heard_so_far.append(theirs.recv(5_000))
    assert heard_so_far == told
    theirs.close()
    hand.inform([b"to nobody"])
    hand.hang_up()
    assert not hand.unread


def test_what_a_worker_never_reads_is_bounded() -> None:
    hand = Hand(0, Page())
    hand.inform(bytes([number % 256]) for number in range(10_000))
    assert len(hand.unread) == UNREAD
