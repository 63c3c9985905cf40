"""What workers ask of root: believed as far as the kernel's table bears it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, cast

import pytest

from appliance.daemon.channel import encode
from appliance.daemon.errands import Errands
from appliance.datapath.effects import SendSack
from appliance.flow import Endpoint, Flow

FLOW = Flow(Endpoint("outside", IPv4Address("203.0.113.10"), 40_000), Endpoint("inside", IPv4Address("192.0.2.25"), 25))
TOLD = SendSack(FLOW, 7, 1_000, ((50, 60), (20, 30)))


@dataclass
class Kernel:
    """Table and resetter in one: what the server acknowledged last, and what was sent."""

    acked: int | None = 10
    sent: list[tuple[Any, ...]] = field(default_factory=list)

    def worker(self, _key: object) -> int:
        return 3

    def acknowledged(self, _key: object) -> int | None:
        return self.acked

    def acknowledge(self, flow: Flow, seq: int, ack: int, window: int, runs: Sequence[tuple[int, int]]) -> None:
        self.sent.append((flow, seq, ack, window, runs))

    def errands(self) -> Errands:
        return Errands((), cast(Any, self), cast(Any, None), cast(Any, self))


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
