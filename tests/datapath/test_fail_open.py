"""Row 19: with ``fail-open`` a connection that lost sight of octets is left alone to its end, and no other is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from appliance.datapath.datapath import SILENCE, SWEEP, Datapath
from appliance.datapath.effects import Accept, Drop, Emit, Kill, Modify, Release, SendReset
from appliance.flow import Side
from appliance.syslog import LeftAlone
from appliance.tcp.segment import ACK, FIN, RST
from tests.datapath.double import Double
from tests.wire import CLIENT, SERVER, Wire, count, engine


def opening(**options: Any) -> Datapath:
    """An engine whose class fails open."""
    datapath = engine(Double, **options)
    (number, inspection), *_ = datapath.inspections.items()
    datapath.inspections = {number: replace(inspection, fail_open=True)}
    return datapath


@pytest.fixture
def wire() -> Wire:
    return Wire(opening()).open()


def left_alone(wire: Wire) -> int:
    """How often the log says so; with each the kernel is told to let the flow pass."""
    logged = sum(isinstance(each, Emit) and isinstance(each.record, LeftAlone) for each in wire.effects)
    assert logged == sum(isinstance(each, Release) for each in wire.effects)
    assert logged == count(wire.datapath, "left_alone")
    return logged


class TestAfterItsWorker:
    """Its worker is gone; another does not know it."""

    @pytest.mark.parametrize("first", [CLIENT, SERVER])
    def test_it_passes_unread_both_ways(self, first: Side) -> None:
        wire = Wire(opening(), acked={CLIENT: 50, SERVER: 100})
        for side in (first, CLIENT, SERVER):
            wire.send(side, 500, b"S!")
            assert wire.verdicts[wire.handle] == Accept(wire.handle)
        assert left_alone(wire) == 1
        (release,) = (each for each in wire.effects if isinstance(each, Release))
        assert str(release.flow.client) == "outside:203.0.113.10/40000"

    def test_a_new_connection_on_its_tuple_is_inspected(self) -> None:
        wire = Wire(opening())
        wire.send(CLIENT, 500, b"S")
        wire.open().send(CLIENT, 0, b"S")
        assert isinstance(wire.verdicts[wire.handle], Modify)

    def test_without_fail_open_it_is_reset(self) -> None:
        wire = Wire(engine(Double))
        wire.send(CLIENT, 500, b"S")
        assert wire.verdicts[1] == Drop(1)
        assert any(isinstance(each, SendReset) for each in wire.effects)

    def test_nobody_becomes_such_a_stranger_by_waiting(self, wire: Wire) -> None:
        """Forgotten, it would come back as one that passes unread: it ends."""
        wire.tick(SILENCE + SWEEP)
        (kill,) = wire.effects
        assert isinstance(kill, Kill)
        assert kill.flow.client.port == wire.client[1]

    def test_nor_by_making_others_crowd_it_out(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(wire.datapath._table, "_limit", 1)
        other = Wire(wire.datapath, client=("203.0.113.66", 1), handle=100).open()
        (kill,) = other.effects
        assert isinstance(kill, Kill)
        assert kill.flow.client.port == wire.client[1]

    def test_one_that_begins_anew_is_not_ended_for_the_one_before(self, wire: Wire) -> None:
        wire.client_isn += 5
        wire.open()
        assert wire.effects == []


class TestPastTheQueue:
    """Octets found the queue full and passed it: the server has them, its worker never did."""

    def test_by_the_servers_word_it_is_left_alone(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.send(CLIENT, 9, b"late")
        wire.acked[CLIENT] = 9
        wire.send(SERVER, 0, b"250 ok")
        assert left_alone(wire) == 1
        assert wire.verdicts[3] == Drop(3), "what waited comes again"
        assert wire.datapath._kept.octets == 0, "nobody reads them again"
        wire.send(CLIENT, 9, b"SSSS")
        assert wire.verdicts[wire.handle] == Accept(wire.handle)

    def test_not_by_the_clients_word(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"a")
        wire.acked[SERVER] = 99
        wire.send(CLIENT, 1, b"S")
        assert left_alone(wire) == 0
        assert isinstance(wire.verdicts[wire.handle], Modify)

    def test_not_by_the_acknowledgment_of_a_fin_that_stayed_in_the_kernel(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.acked[CLIENT] = 3
        wire.send(SERVER, 0, b"S", ACK | FIN)
        assert left_alone(wire) == 0

    def test_nor_behind_an_end(self, wire: Wire) -> None:
        """What a server goes on to acknowledge behind an RST must not open the way for more."""
        wire.send(CLIENT, 0, b"ab")
        wire.send(CLIENT, 2, b"", RST)
        wire.acked[CLIENT] = 9
        wire.send(SERVER, 0, b"S")
        assert left_alone(wire) == 0

    def test_nor_without_fail_open(self) -> None:
        wire = Wire(engine(Double)).open()
        wire.acked[CLIENT] = 9
        wire.send(SERVER, 0, b"S")
        assert count(wire.datapath, "left_alone") == 0
        assert isinstance(wire.verdicts[wire.handle], Modify)
