"""Hits over configurations: what stays keeps its count, what goes loses it."""

from __future__ import annotations

from appliance.daemon.hits import Hits
from appliance.iptables.hits import Counters
from tests.appliances import EXAMPLE, configured

ONE = configured(EXAMPLE)
LESS = configured(
    EXAMPLE.replace("access-list outside_in extended permit tcp any host 203.0.113.125 eq smtp\n", "").replace(
        "tcp 50 100", "tcp 7 7"
    )
)


class Kernel:
    """Counters that begin anew when rules are put in place."""

    def __init__(self) -> None:
        self.counters: dict[str, Counters] = {}

    def read(self, table: str) -> Counters:
        return self.counters.get(table, {})

    def count(self, entries: tuple[int, ...], inbound: tuple[int, ...]) -> None:
        self.counters = {
            "filter": {"FIXUP_IN_outside0": (*entries, 9)},
            "nat": {"FIXUP_PREROUTING": inbound, "FIXUP_POSTROUTING": (0, 0, 1), "FIXUP_OUTPUT": (0, 0, 0)},
        }


def test_counts_go_on_over_a_reload() -> None:
    kernel = Kernel()
    made = Hits(kernel.read)
    assert (made.translations(), made.entries()) == ([], {})
    made.settle(ONE)
    kernel.count((1, 2, 3), (5, 6, 7))
    assert made.entries()["outside_in"] == [1, 2, 3]
    assert made.translations() == [(0, 5), (0, 6), (1, 7)]
    made.settle(ONE)
    kernel.count((10, 0, 0), (0, 0, 0))
    assert made.entries()["outside_in"] == [11, 2, 3]
    assert made.translations() == [(0, 5), (0, 6), (2, 7)]


def test_an_entry_is_itself_wherever_it_stands_and_a_static_whatever_its_limits() -> None:
    kernel = Kernel()
    made = Hits(kernel.read)
    made.settle(ONE)
    kernel.count((1, 2, 3), (5, 6, 7))
    made.settle(LESS)
    kernel.counters = {}
    assert made.entries()["outside_in"] == [2, 3]
    assert made.translations() == [(0, 5), (0, 6), (1, 7)]
    made.settle(ONE)
    assert made.entries()["outside_in"] == [0, 2, 3]
