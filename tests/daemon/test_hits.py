"""Hits over configurations: a translation that stays keeps its count, one that goes loses it."""

from __future__ import annotations

from appliance.daemon.hits import Hits
from appliance.iptables.hits import Counters
from tests.appliances import EXAMPLE, configured

ONE = configured(EXAMPLE)
OTHER_LIMITS = configured(EXAMPLE.replace("tcp 50 100", "tcp 7 7"))
LESS = configured(EXAMPLE.replace("static (inside,outside) 203.0.113.125 192.0.2.25 netmask", "! "))


class Kernel:
    """Counters of the nat table that begin anew when rules are put in place."""

    def __init__(self) -> None:
        self.counters = Counters()

    def read(self, table: str) -> Counters:
        return self.counters if table == "nat" else Counters()

    def count(self, *inbound: int) -> None:
        out = [0] * (len(inbound) - 1)
        self.counters = Counters(
            {"FIXUP_PREROUTING": inbound, "FIXUP_POSTROUTING": (*out, 1), "FIXUP_OUTPUT": [0] * len(inbound)}
        )


def counts(made: Hits) -> list[tuple[int, int]]:
    return [(there, here) for _, there, here in made.translations()]


def test_counts_go_on_over_a_reload() -> None:
    kernel = Kernel()
    made = Hits(kernel.read)
    assert (counts(made), made.entries(None)) == ([], {})
    made.settle(ONE)
    kernel.count(5, 6, 7)
    assert counts(made) == [(0, 5), (0, 6), (1, 7)]
    made.settle(OTHER_LIMITS)
    kernel.count(0, 0, 0)
    assert counts(made) == [(0, 5), (0, 6), (2, 7)]


def test_one_that_goes_loses_its_count() -> None:
    kernel = Kernel()
    made = Hits(kernel.read)
    made.settle(ONE)
    kernel.count(5, 6, 7)
    made.settle(LESS)
    kernel.counters = Counters()
    assert counts(made) == [(0, 6), (1, 7)]
    made.settle(ONE)
    assert counts(made) == [(0, 0), (0, 6), (1, 7)]


def test_entries_are_those_of_the_list_that_is_asked_for() -> None:
    made = Hits(Kernel().read)
    made.settle(ONE)
    assert set(made.entries(None)) == {"outside_in", "ironport_esa_internal"}
    assert [len(each) for each in made.entries("outside_in")["outside_in"]] == [1, 1, 1]
