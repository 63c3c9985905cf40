"""What workers ask of root: believed as far as the kernel's table bears it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any, cast

import pytest

from appliance.daemon.channel import encode
from appliance.daemon.errands import Errands
from appliance.datapath.effects import Kill, SendReset, SendSack
from appliance.flow import Endpoint, Flow, Side
from appliance.kernel import conntrack
from appliance.nat.connection import Key, Parties

FLOW = Flow(Endpoint("outside", IPv4Address("203.0.113.10"), 40_000), Endpoint("inside", IPv4Address("192.0.2.25"), 25))
TOLD = SendSack(FLOW, 7, 1_000, ((50, 60), (20, 30)))


SOME = Parties(Key(IPv4Address("203.0.113.130"), 2525, FLOW.client.address, 40_000), FLOW.server.address, real_port=25)


@dataclass
class Kernel:
    """Table, resetter and log in one: what the table knows, and what was sent."""

    acked: int | None = 10
    fins: dict[Side, int] = field(default_factory=dict)
    known: Parties | None = None
    queue: int = 3
    sent: list[tuple[Any, ...]] = field(default_factory=list)
    names: list[Parties | None] = field(default_factory=list)
    faults: list[object] = field(default_factory=list)

    def worker(self, _key: object) -> int:
        return self.queue

    def kill(self, _key: object) -> None:
        self.known = None

    def acknowledged(self, _key: object) -> int | None:
        return self.acked

    def behind_fin(self, _key: object, side: Side) -> int | None:
        return self.fins.get(side)

    def parties(self, _key: object) -> Parties | None:
        return self.known

    def reset(self, flow: Flow, to_client: bool, seq: int, ack: int, known: Parties | None) -> None:
        self.sent.append((flow, to_client, seq, ack))
        self.names.append(known)

    def acknowledge(
        self, flow: Flow, seq: int, ack: int, window: int, runs: Sequence[tuple[int, int]], known: Parties | None
    ) -> None:
        self.sent.append((flow, seq, ack, window, runs))
        self.names.append(known)

    def write(self, record: object) -> None:
        self.faults.append(record)

    def errands(self) -> Errands:
        return Errands((), cast(Any, self), cast(Any, self), cast(Any, self))


def test_a_client_is_told_by_what_the_server_acknowledged_last() -> None:
    """An older number would be too old for Linux to measure a rate by it."""
    kernel = Kernel()
    kernel.errands().run(3, encode(TOLD))
    assert kernel.sent == [(FLOW, 7, 10, 1_000, [(50, 60), (20, 30)])]


@pytest.mark.parametrize(("acked", "runs"), [(20, [(50, 60)]), (35, [(50, 60)]), (49, [(50, 60)])])
def test_not_of_what_it_acknowledged_meanwhile(acked: int, runs: list[tuple[int, int]]) -> None:
    kernel = Kernel(acked)
    kernel.errands().run(3, encode(TOLD))
    assert [each[-1] for each in kernel.sent] == [runs]


@pytest.mark.parametrize(("worker", "acked"), [(3, 50), (3, 99), (3, None), (4, 10)])
def test_nothing_is_said_of_what_is_over_nor_for_another_worker(worker: int, acked: int | None) -> None:
    kernel = Kernel(acked)
    kernel.errands().run(worker, encode(TOLD))
    assert kernel.sent == []


LAST = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("fins", "to_client", "numbers"),
    [
        ({}, True, (70, 50)),
        ({Side.SERVER: 71}, True, (71, 50)),
        ({Side.SERVER: 71}, False, (50, 71)),  # the other side's: what it acknowledges
        ({Side.CLIENT: 51}, True, (70, 51)),
        ({Side.SERVER: 70, Side.CLIENT: 50}, True, (70, 50)),  # the worker has seen them
        ({Side.SERVER: 99}, True, (70, 50)),
    ],
)
def test_a_reset_is_behind_a_fin_that_its_worker_did_not_see(
    fins: dict[Side, int], to_client: bool, numbers: tuple[int, int]
) -> None:
    """At the FIN's own number its receiver would answer with a challenge (RFC 5961 §3.2)."""
    kernel = Kernel(fins=fins)
    seq, ack = (70, 50) if to_client else (50, 70)
    kernel.errands().run(3, encode(SendReset(FLOW, to_client, seq, ack)))
    assert kernel.sent == [(FLOW, to_client, *numbers)]


def test_also_where_numbers_wrap() -> None:
    kernel = Kernel(fins={Side.SERVER: 0})
    kernel.errands().run(3, encode(SendReset(FLOW, True, LAST, 5)))
    assert kernel.sent == [(FLOW, True, 0, 5)]


def test_whoever_hears_of_it_hears_it_from_whom_he_knows() -> None:
    kernel = Kernel(known=SOME)
    errands = kernel.errands()
    errands.run(3, encode(TOLD))
    errands.run(3, encode(SendReset(FLOW, True, 70, 50)))
    assert kernel.names == [SOME, SOME]


def test_resets_go_on_after_the_server_has_let_go_of_what_was_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry is gone by then, and with it what the server was called and whose queue it was in."""
    forgotten: list[Key] = []
    monkeypatch.setattr(conntrack, "delete", forgotten.extend)
    kernel = Kernel(known=SOME)
    errands = kernel.errands()
    errands.run(3, encode(Kill(FLOW)))
    assert forgotten == [SOME.key]
    kernel.queue = 2
    errands.run(3, encode(SendReset(FLOW, True, 70, 50)))
    assert (kernel.names, kernel.faults) == ([SOME], [])
    errands.run(4, encode(SendReset(FLOW, True, 70, 50)))
    other = replace(FLOW, client=replace(FLOW.client, port=40_001))
    errands.run(3, encode(SendReset(other, True, 70, 50)))
    assert (len(kernel.names), kernel.faults) == (1, []), (
        "not by another worker, nor another connection: those are over"
    )
    kernel.known = SOME
    errands.run(4, encode(SendReset(FLOW, True, 70, 50)))
    assert (len(kernel.names), len(kernel.faults)) == (1, 1), (
        "another worker's that lives is asked for by mistake, or worse"
    )
