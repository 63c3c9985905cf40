"""Packets of one connection in, effects out: rows 14, 19-21 of the design, holding and its bounds, faults."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from appliance.datapath import kept, reader
from appliance.datapath.datapath import InjectedFault
from appliance.datapath.effects import Accept, Drop, Effect, Emit, Kill, Modify, Release, SendReset
from appliance.datapath.inspected import OVER
from appliance.flow import Side
from appliance.marks import CLASS
from appliance.policy.counters import Slot
from appliance.syslog import (
    EngineFault,
    EsmtpAction,
    EsmtpReceived,
    FlowTerminated,
    MaliciousPattern,
    StringReplaced,
    Termination,
    TlsStarted,
)
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG
from appliance.tcp.table import MAX_CONNECTIONS
from tests.datapath.double import Double
from tests.wire import CLIENT, MARK, MS, SECOND, SERVER, Wire, count, engine, packet, segment


@pytest.fixture
def wire() -> Wire:
    return Wire(engine(Double)).open()


def records(wire: Wire) -> list[object]:
    return [each.record for each in wire.effects if isinstance(each, Emit)]


def verdict(wire: Wire) -> object:
    """The last packet's."""
    return wire.verdicts.get(wire.handle)


def modified(wire: Wire) -> bytes:
    last = verdict(wire)
    assert isinstance(last, Modify)
    return last.packet


class TestBeginning:
    def test_a_syn_ack_begins_a_connection(self, wire: Wire) -> None:
        assert verdict(wire) == Accept(1)
        assert len(wire.datapath) == 1

    def test_a_plain_syn_passes_and_begins_nothing(self) -> None:
        wire = Wire(engine(Double))
        wire.give(packet(wire.client, wire.server, wire.client_isn, 0, SYN), CLIENT)
        assert verdict(wire) == Accept(1)
        assert len(wire.datapath) == 0

    @pytest.mark.parametrize("flags", [SYN, SYN | ACK])
    def test_a_syn_with_data_is_dropped(self, flags: int) -> None:
        wire = Wire(engine(Double))
        wire.give(packet(wire.server, wire.client, 1, 2, flags, b"EHLO"), SERVER)
        assert verdict(wire) == Drop(1)
        assert count(wire.datapath, "syn_data") == 1
        assert len(wire.datapath) == 0

    def test_multipath_and_fast_open_never_start(self) -> None:
        wire = Wire(engine(Double))
        options = b"\x02\x04\x05\xb4\x1e\x04\x00\x81\x22\x06cook\x01\x01"
        syn_ack = packet(wire.server, wire.client, wire.server_isn, wire.client_isn + 1, SYN | ACK, options=options)
        for _ in range(2):  # its retransmission too
            wire.give(syn_ack, SERVER)
            assert segment(modified(wire)).packet[40:] == b"\x02\x04\x05\xb4" + b"\x01" * 12
        assert count(wire.datapath, "options_cleared") == 2
        assert count(wire.datapath, "connections") == 1

    @pytest.mark.parametrize("number", [0, 2])
    def test_a_class_that_inspects_nothing_here_does_not_pass(self, number: int) -> None:
        wire = Wire(engine(Double))
        wire.give(packet(wire.server, wire.client, 1, 2, SYN | ACK), SERVER, CLASS.put(number))
        assert verdict(wire) == Drop(1)
        assert count(wire.datapath, "unknown_classes") == 1

    def test_a_retransmitted_syn_ack_changes_nothing(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"abc")
        wire.open()
        assert verdict(wire) == Accept(3)
        wire.send(CLIENT, 3, b"def")
        assert wire.got(CLIENT) == b"abcdef"

    def test_other_numbers_in_a_running_connection_are_refused(self, wire: Wire) -> None:
        """Not at once: its end may be told yet."""
        wire.send(SERVER, 0, b"220")
        for _ in range(2):
            wire.give(packet(wire.server, wire.client, 77, 78, SYN | ACK), SERVER)
        assert (wire.verdicts.get(3), verdict(wire)) == (None, Drop(4))
        assert wire.datapath.next_deadline == 200 * MS
        wire.tick(200 * MS - 1)
        assert wire.verdicts.get(3) is None
        wire.tick(200 * MS)
        assert wire.verdicts[3] == Drop(3)
        assert count(wire.datapath, "syn_elsewhere") == 2
        wire.send(CLIENT, 0, b"abc")
        assert wire.got(CLIENT) == b"abc"

    def test_they_begin_another_when_the_end_of_that_one_is_told(self, wire: Wire) -> None:
        wire.talk([(SERVER, b"220"), (CLIENT, b"quit")])
        key, wire.now = wire.make(CLIENT)[12:24], 60 * MS
        wire.client_isn, wire.server_isn = 70, 80
        wire.open()
        assert verdict(wire) is None
        wire.book(wire.datapath.ended(key, 50 * MS, True, 100 * MS))
        assert verdict(wire) == Accept(4)
        wire.acked = {CLIENT: 0, SERVER: 0}
        wire.send(CLIENT, 0, b"abS")
        assert segment(modified(wire)).payload == b"abX"
        assert (len(wire.datapath), count(wire.datapath, "connections")) == (1, 2)
        assert wire.tick(300 * MS) == []

    def test_a_fault_at_the_end_leaves_none_of_them_without_a_verdict(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"a")
        key = wire.make(CLIENT)[12:24]
        wire.client_isn = 70
        wire.open()
        wire.datapath._inspector = None  # type: ignore[assignment]  # it fails
        wire.book(wire.datapath.ended(key, SECOND, True, SECOND))
        assert (verdict(wire), count(wire.datapath, "exceptions")) == (Drop(3), 1)

    def test_other_numbers_before_anything_was_said_count(self, wire: Wire) -> None:
        wire.client_isn, wire.server_isn = 70, 80
        wire.open().send(CLIENT, 0, b"abc")
        assert wire.got(CLIENT) == b"abc"

    @pytest.mark.parametrize("flags", [SYN, SYN | ACK])
    def test_a_syn_from_the_wrong_side_is_refused(self, wire: Wire, flags: int) -> None:
        sender = (wire.server, wire.client) if flags == SYN else (wire.client, wire.server)
        wire.send(SERVER, 0, b"220")
        wire.give(packet(*sender, 5, 6, flags), SERVER)
        assert verdict(wire) == Drop(3)

    def test_the_refusal_of_a_syn_passes(self) -> None:
        wire = Wire(engine(Double))
        wire.give(packet(wire.server, wire.client, 0, 1_001, RST | ACK), SERVER)
        assert verdict(wire) == Accept(1)
        wire.give(packet(wire.server, wire.client, 0, 1_001, RST | ACK, b"SECRET"), SERVER)
        assert segment(modified(wire)).payload == bytes(6)

    def test_the_flow_is_named_by_its_interfaces(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"!")
        (kill,) = [each for each in wire.effects if isinstance(each, Kill)]
        assert (str(kill.flow.client), str(kill.flow.server)) == ("outside:203.0.113.10/40000", "inside:192.0.2.25/25")


class TestUnknown:
    CLIENTS, SERVERS = 1_001 + 50, 9_001 + 100  # the numbers either end has got to

    @pytest.fixture
    def stranger(self) -> Wire:
        return Wire(engine(Double), acked={CLIENT: 50, SERVER: 100})

    def resets(self, wire: Wire) -> list[tuple[bool, int, int]]:
        return [(each.to_client, each.seq, each.ack) for each in wire.effects if isinstance(each, SendReset)]

    def test_a_connection_whose_beginning_was_not_seen_is_reset(self, stranger: Wire) -> None:
        stranger.send(CLIENT, 50, b"NOOP\r\n")
        assert verdict(stranger) == Drop(1)
        to_server = [(False, seq, self.SERVERS) for seq in (self.CLIENTS, self.CLIENTS + 6)]  # lacking it or having it
        assert self.resets(stranger) == [(True, self.SERVERS, self.CLIENTS + 6), *to_server]
        kill = stranger.effects[0]
        assert isinstance(kill, Kill), "before the resets: the kernel's table would take them for the peers' own"
        assert (kill.flow.client.port, kill.flow.client.interface) == (40_000, "outside")
        assert [type(each) for each in records(stranger)] == [FlowTerminated]
        assert count(stranger.datapath, "unknown_flows") == 1

    def test_by_its_server_when_it_is_known_where_the_client_stands(self, stranger: Wire) -> None:
        for at in (106, 106, 100, 106, 100):  # what was before it was lost
            stranger.send(SERVER, at, b"250 Ok")
            assert verdict(stranger) == Drop(stranger.handle)
            assert stranger.effects == []
        stranger.send(SERVER, 100, b"250 Ok")
        to_client = [(True, seq, self.CLIENTS) for seq in (self.SERVERS, self.SERVERS + 6)]
        assert self.resets(stranger) == [(False, self.CLIENTS, self.SERVERS + 6), *to_client]
        assert count(stranger.datapath, "unknown_flows") == 6

    def test_as_soon_as_both_ends_were_heard(self, stranger: Wire) -> None:
        stranger.send(SERVER, 120, b"250 Ok")
        stranger.send(CLIENT, 60, b"NOOP\r\n")
        assert {each[:2] for each in self.resets(stranger)} >= {(True, self.SERVERS), (False, self.CLIENTS)}

    def test_a_pure_ack_of_it_passes(self) -> None:
        wire = Wire(engine(Double))
        wire.send(CLIENT, 7)
        assert (verdict(wire), wire.effects) == (Accept(1), [])
        wire.close(CLIENT, 7)
        assert verdict(wire) == Drop(2)

    def test_what_is_no_segment_is_dropped_and_counted(self) -> None:
        wire = Wire(engine(Double))
        whole = wire.make(CLIENT, 0, b"NOOP\r\n")
        for octets in (b"", whole[:9] + b"\x11" + whole[10:], whole[:-1]):
            wire.give(octets, CLIENT)
            assert verdict(wire) == Drop(wire.handle)
        assert count(wire.datapath, "malformed") == 2
        assert count(wire.datapath, "truncated") == 1


class TestPassing:
    def test_what_is_not_changed_is_accepted_as_it_is(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"abc")
        assert verdict(wire) == Accept(2)

    def test_a_mask_changes_the_packet(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"aSc")
        assert segment(modified(wire)).payload == b"aXc"

    def test_a_retransmission_is_what_was_released(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"aSc")
        for again in (b"aSc", b"STARTTLS"[:3], b"aXc"):
            wire.send(CLIENT, 0, again)
            assert segment(wire.went(wire.handle) or b"").payload == b"aXc"
        assert verdict(wire) == Accept(wire.handle)
        assert count(wire.datapath, "retransmitted") == 3

    def test_a_retransmission_may_merge_and_split_and_go_on(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"aS")
        wire.send(CLIENT, 2, b"Sb")
        wire.send(CLIENT, 1, b"zzzSS")
        assert segment(modified(wire)).payload == b"XXbXX"
        assert Double.made[-1].seen[CLIENT] == b"aSSbSS"

    def test_below_the_acknowledged_offset_are_nuls(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"abcdef")
        wire.acked[CLIENT] = 4
        wire.send(SERVER, 0, b"220")
        wire.send(CLIENT, 2, b"cdef")
        assert segment(modified(wire)).payload == b"\0\0ef"

    def test_a_keep_alive_passes_as_a_nul(self, wire: Wire) -> None:
        wire.send(CLIENT, -1, b"S")
        assert segment(modified(wire)).payload == b"\0"

    def test_an_acknowledgment_of_what_was_not_released_says_nothing(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"abcdef")
        wire.acked[CLIENT] = 8
        wire.send(SERVER, 0, b"220")
        wire.send(CLIENT, 0, b"abcdef")
        assert verdict(wire) == Accept(wire.handle)

    def test_a_pure_ack_passes(self, wire: Wire) -> None:
        wire.send(CLIENT, 500)
        assert verdict(wire) == Accept(2)

    def test_nothing_is_urgent(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"abS", ACK | URG, urgent=2)
        went = segment(modified(wire))
        assert (went.flags, went.packet[38:40], went.payload) == (ACK, b"\0\0", b"abX")
        assert count(wire.datapath, "urgent_cleared") == 1

    def test_a_super_packet(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"S" * 65_495)
        assert segment(modified(wire)).payload == b"X" * 65_495

    def test_sequence_numbers_wrap_inside_a_packet(self) -> None:
        wire = Wire(engine(Double), client_isn=2**32 - 4).open()
        wire.send(CLIENT, 4, b"ef")
        wire.send(CLIENT, 0, b"abSd")
        assert wire.got(CLIENT) == b"abXdef"


class TestGaps:
    def test_a_packet_beyond_a_gap_waits_and_goes_when_it_fills(self, wire: Wire) -> None:
        wire.send(CLIENT, 6, b"gSi")
        wire.send(CLIENT, 3, b"def")
        assert wire.order == [1]
        wire.send(CLIENT, 0, b"abc")
        assert wire.order == [1, 4, 3, 2]
        assert wire.got(CLIENT) == b"abcdefgXi"

    def test_what_waits_twice_is_dropped_once(self, wire: Wire) -> None:
        wire.send(CLIENT, 3, b"def")
        wire.send(CLIENT, 4, b"e")
        assert verdict(wire) == Drop(3)

    def test_it_waits_five_seconds(self, wire: Wire) -> None:
        wire.send(CLIENT, 3, b"def")
        assert wire.datapath.next_deadline == 5 * SECOND
        wire.tick(5 * SECOND - 1)
        assert verdict(wire) is None
        wire.tick(5 * SECOND)
        assert verdict(wire) == Drop(2)
        assert count(wire.datapath, "expired") == 1
        wire.send(CLIENT, 0, b"abc")
        wire.send(CLIENT, 3, b"xyz")
        assert wire.got(CLIENT) == b"abcxyz"

    @pytest.mark.parametrize("side", [CLIENT, SERVER])
    def test_so_does_a_bare_fin(self, wire: Wire, side: Side) -> None:
        wire.close(side, 3)
        wire.send(side, 6, b"g")
        wire.tick(5 * SECOND)
        assert wire.verdicts == {1: Accept(1), 2: Drop(2), 3: Drop(3)}
        assert (wire.datapath.waiting, count(wire.datapath, "expired")) == (0, 2)

    def test_a_connection_may_have_3072_waiting(self, wire: Wire) -> None:
        for at in range(3_073):
            wire.send(CLIENT, 1 + at, b"a")
        assert [handle for handle in range(2, 3_075) if handle in wire.verdicts] == [3_074]
        assert count(wire.datapath, "no_room") == 1
        wire.send(CLIENT, 0, b"a")
        assert len(wire.got(CLIENT)) == 3_073

    def test_both_directions_count_together(self, wire: Wire) -> None:
        for at in range(1_536):
            wire.send(CLIENT, 1 + at, b"a")
            wire.send(SERVER, 1 + at, b"a")
        wire.send(SERVER, 2_000, b"a")
        assert verdict(wire) == Drop(wire.handle)

    def test_a_connection_may_have_four_mebibytes_waiting(self, wire: Wire) -> None:
        size = 1 << 15
        for at in range((4 << 20) // size):
            wire.send(CLIENT, 1 + at, b"a" * size)
        assert count(wire.datapath, "no_room") == 0
        wire.send(CLIENT, 1 + size, b"a" * size)
        assert verdict(wire) == Drop(wire.handle)

    def test_what_could_not_be_kept_does_not_wait(self, wire: Wire) -> None:
        wire.send(CLIENT, (4 << 20) - 5, b"a" * 5)
        wire.send(CLIENT, (4 << 20) - 4, b"a" * 5)
        assert wire.verdicts == {1: Accept(1), 3: Drop(3)}
        assert count(wire.datapath, "no_room") == 1

    def test_of_a_worker_who_holds_most_loses_his_last(self) -> None:
        datapath = engine(Double)
        attackers = [Wire(datapath, client=("203.0.113.66", 1_000 + at), handle=at * 10_000).open() for at in range(4)]
        for wire in attackers:
            for at in range(1_024):
                wire.send(CLIENT, 1 + at, b"a")
        assert count(datapath, "evicted") == 0
        honest = Wire(datapath).open()
        effects = datapath.packet("honest", honest.make(CLIENT, 3, b"def"), MARK, 2, 3, 0)
        assert effects == [Drop(1_025)], "the first attacker's last"
        assert count(datapath, "evicted") == 1

    def test_a_packet_further_ahead_than_any_window_is_dropped(self, wire: Wire) -> None:
        wire.send(CLIENT, (1 << 30) + 1, b"a")
        assert verdict(wire) == Drop(2)
        assert count(wire.datapath, "beyond_window") == 1


class TestDecisions:
    def test_an_unfinished_line_waits_for_its_end(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"ab\nh")
        wire.send(SERVER, 4, b"S")
        assert wire.order == [1]
        wire.send(SERVER, 5, b"i\n")
        assert wire.order == [1, 2, 3, 4]
        assert wire.got(SERVER) == b"ab\nhXi\n"

    def test_a_client_does_not_wait_for_it(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"h")
        wire.send(CLIENT, 0, b"h")
        assert wire.order == [1, 3]
        assert verdict(wire) == Accept(3)

    def test_stalled_it_goes_after_200_ms(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"h1")
        wire.now = 100 * MS
        wire.send(SERVER, 2, b"2")
        assert wire.datapath.next_deadline <= 300 * MS
        wire.tick(300 * MS - 1)
        assert wire.order == [1]
        wire.tick(300 * MS)
        assert wire.got(SERVER) == b"ZZZ"
        assert count(wire.datapath, "stalled") == 1
        assert wire.datapath.next_deadline > SECOND

    def test_a_retransmission_of_it_waits_too(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"hS")
        wire.send(SERVER, 0, b"hQ")
        assert wire.order == [1]
        wire.send(SERVER, 2, b"\n")
        assert [segment(wire.went(handle) or b"").payload for handle in wire.order[1:]] == [b"hX", b"hX", b"\n"]

    def test_a_fin_decides_it(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"h1")
        wire.close(SERVER, 2)
        assert wire.order == [1, 2, 3]
        assert wire.got(SERVER) == b"ZZ"

    def test_it_may_not_take_all_room(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"h")
        for _ in range(3_100):
            wire.send(SERVER, 0, b"h")
        assert count(wire.datapath, "undecided") == 3_072
        assert count(wire.datapath, "no_room") == 29

    def test_when_closed_nothing_of_it_goes(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"h1")
        wire.send(CLIENT, 0, b"!")
        assert wire.verdicts == {1: Accept(1), 2: Drop(2), 3: Drop(3)}


class TestTimestamps:
    """The receiver drops what is older than what it has (RFC 7323 §5)."""

    def stamped(self, wire: Wire, at: int, octets: bytes, value: int) -> None:
        wire.send(CLIENT, at, octets, options=b"\x01\x01\x08\x0a" + value.to_bytes(4, "big") + bytes(4))

    def stamps(self, wire: Wire) -> list[int | None]:
        return [segment(wire.went(handle) or b"").timestamp for handle in wire.order[1:]]

    def test_what_waited_goes_no_older_than_what_let_it_go(self, wire: Wire) -> None:
        self.stamped(wire, 4, b"ef", 11)
        self.stamped(wire, 2, b"cd", 10)
        self.stamped(wire, 0, b"ab", 500)
        assert self.stamps(wire) == [500] * 3
        assert wire.got(CLIENT) == b"abcdef"

    def test_nor_than_what_filled_the_gap_before(self, wire: Wire) -> None:
        """It is late, not sent again, and was sent before that was."""
        self.stamped(wire, 2, b"cd", 10)
        self.stamped(wire, 6, b"gh", 12)
        self.stamped(wire, 0, b"ab", 500)
        self.stamped(wire, 4, b"ef", 11)
        assert self.stamps(wire) == [500] * 4
        assert wire.got(CLIENT) == b"abcdefgh"


class TestTellingWhatWaits:
    """What waits here reaches nobody who could tell the client: so the firewall does, in the server's name."""

    SACK_PERMITTED = b"\x04\x02\x01\x01"

    @pytest.fixture
    def wire(self) -> Wire:
        return Wire(engine(Double), acked={CLIENT: 2, SERVER: 0}).open(self.SACK_PERMITTED)

    def test_the_client_hears_which_octets_came(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.send(SERVER, 0, b"220\n")
        for at in (6, 8, 20):
            wire.send(CLIENT, at, b"xy")
        assert [(each.seq, each.window, each.runs) for each in wire.told] == [
            (9_005, 65_535, ((1_007, 1_009),)),
            (9_005, 65_535, ((1_007, 1_011),)),
            (9_005, 65_535, ((1_021, 1_023), (1_007, 1_011))),
        ]
        assert str(wire.told[0].flow.client) == "outside:203.0.113.10/40000"

    def test_not_what_found_no_room_nor_what_has_no_octets(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.send(SERVER, 0, b"220\n")
        wire.send(CLIENT, 6, b"xy")
        wire.send(CLIENT, (4 << 20) - 3, b"xy")  # the server's reply is kept, too
        wire.send(CLIENT, 9, flags=ACK | FIN)
        assert len(wire.told) == 1

    def test_again_of_what_comes_again(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.send(SERVER, 0, b"220\n")
        wire.send(CLIENT, 6, b"xy")
        wire.send(CLIENT, 6, b"xy")
        assert [each.runs for each in wire.told] == [((1_007, 1_009),)] * 2
        assert (verdict(wire), count(wire.datapath, "retransmitted")) == (Drop(5), 1)

    def test_of_each_run_that_grew_since(self, wire: Wire) -> None:
        """Four at most in one acknowledgment; what came last is told last."""
        wire.send(CLIENT, 0, b"ab")
        wire.send(SERVER, 0, b"220\n")
        for at in (10, 20, 30, 40, 50, 11, 60):
            wire.datapath.packet(at, wire.make(CLIENT, at, b"xy"), MARK, 2, 3, 0)
        assert wire.datapath.untold
        one, two = (each.runs for each in wire.datapath.tell())
        assert [[run[0] - 1_001 for run in runs] for runs in (one, two)] == [[30, 20], [60, 10, 50, 40]]
        assert not wire.datapath.untold

    def test_not_of_what_waits_no_more(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.send(SERVER, 0, b"220\n")
        wire.datapath.packet("early", wire.make(CLIENT, 4, b"xy"), MARK, 2, 3, 0)
        wire.datapath.packet("gap", wire.make(CLIENT, 2, b"cd"), MARK, 2, 3, 0)
        assert not wire.datapath.untold
        wire.datapath.packet("again", wire.make(CLIENT, 9, b"xy"), MARK, 2, 3, 0)
        wire.datapath.packet("end", wire.make(CLIENT, 6, flags=RST | ACK), MARK, 2, 3, 0)
        assert not wire.datapath.untold

    def test_the_packet_that_fills_the_gap_goes_last(self, wire: Wire) -> None:
        """So that the server acknowledges at once all that its client was told of."""
        wire.send(CLIENT, 4, b"ef")
        wire.send(CLIENT, 2, b"cd")
        wire.send(CLIENT, 8, b"ij")
        wire.send(CLIENT, 0, b"ab")
        assert wire.order == [1, 3, 2, 5]
        wire.send(CLIENT, 6, b"gh")
        assert wire.order == [1, 3, 2, 5, 4, 6]
        assert wire.got(CLIENT) == b"abcdefghij"

    def test_nothing_goes_behind_what_closes_the_connection(self, wire: Wire) -> None:
        wire.send(CLIENT, 2, b"!")
        wire.send(CLIENT, 0, b"ab")
        assert wire.order == [1, 3]
        assert wire.verdicts[2] == Drop(2)

    def test_not_the_server_nor_a_client_that_does_not_know_them(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.send(SERVER, 0, b"220\n")
        wire.send(CLIENT, 6, b"xy")
        wire.send(SERVER, 9, b"late")
        assert len(wire.told) == 1
        other = Wire(engine(Double)).open()
        other.send(SERVER, 0, b"220\n")
        other.send(CLIENT, 6, b"xy")
        assert other.told == []

    def test_nor_before_the_server_acknowledged_anything(self) -> None:
        wire = Wire(engine(Double)).open(self.SACK_PERMITTED)
        wire.send(CLIENT, 6, b"xy")
        assert wire.told == []


class TestKept:
    @pytest.fixture
    def bounds(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        """Smaller ones."""

        def patch(**numbers: int) -> None:
            for name, number in numbers.items():
                monkeypatch.setattr(kept, name, number)
                if hasattr(reader, name):
                    monkeypatch.setattr(reader, name, number)

        return patch

    def test_beyond_the_cap_new_data_is_dropped_unread(self, wire: Wire, bounds: Callable[..., None]) -> None:
        bounds(SHARE=5, MAX_KEPT=10)
        wire.send(CLIENT, 0, b"a" * 10)
        wire.send(CLIENT, 10, b"b")
        assert verdict(wire) == Drop(3)
        assert count(wire.datapath, "full") == 1
        wire.send(CLIENT, 5, b"aaaaa")
        assert verdict(wire) == Accept(4), "what was released goes again"
        wire.acked[CLIENT] = 1
        wire.send(SERVER, 0)
        wire.send(CLIENT, 10, b"b")
        assert verdict(wire) == Accept(6)
        assert Double.made[-1].seen[CLIENT] == b"a" * 10 + b"b"

    def test_where_much_is_kept_in_all_each_has_its_share(self, bounds: Callable[..., None]) -> None:
        bounds(SHARE=5, MAX_KEPT=10, PLENTY=12)
        datapath = engine(Double)
        one, two = Wire(datapath).open(), Wire(datapath, client=("203.0.113.11", 1_025)).open()
        one.send(CLIENT, 0, b"a" * 8)
        two.send(CLIENT, 0, b"a" * 4)
        one.send(CLIENT, 8, b"a")
        two.send(CLIENT, 4, b"a")
        two.send(CLIENT, 5, b"a")
        assert (verdict(one), two.verdicts[3], two.verdicts[4]) == (Drop(3), Accept(3), Drop(4))
        one.send(CLIENT, 0, b"a" * 8)
        assert verdict(one) == Accept(4), "what was released goes again all the same"
        one.acked[CLIENT] = 8
        one.send(SERVER, 0)
        one.send(CLIENT, 8, b"a" * 5)
        two.send(CLIENT, 5, b"a")
        assert (verdict(one), verdict(two)) == (Accept(6), Accept(5))

    def test_what_waited_finds_the_room_there_was_when_it_came(self, bounds: Callable[..., None]) -> None:
        """Its sender was told of it."""
        bounds(SHARE=5, MAX_KEPT=10, PLENTY=12)
        datapath = engine(Double)
        one, two = Wire(datapath).open(), Wire(datapath, client=("203.0.113.11", 1_025)).open()
        one.send(CLIENT, 2, b"a" * 8)
        one.send(CLIENT, 10, b"a")
        assert (count(datapath, "early"), count(datapath, "no_room")) == (1, 1)
        two.send(CLIENT, 0, b"a" * 10)
        one.send(CLIENT, 0, b"a" * 2)
        assert (one.verdicts[2], one.verdicts[4]) == (Accept(2), Accept(4))
        two.send(CLIENT, 12, b"a")
        assert (count(datapath, "early"), count(datapath, "no_room")) == (1, 2)

    def test_the_bounds(self) -> None:
        assert (kept.SHARE, kept.MAX_KEPT) == (1_048_576, 4_194_304)
        assert (kept.PLENTY, kept.MAX_KEPT_IN_ALL) == (67_108_864, 268_435_456)
        assert 2 * kept.FEW * MAX_CONNECTIONS == kept.MAX_KEPT_IN_ALL, "few octets of everybody do not hold the cap"

    def test_all_connections_have_one_too(self, bounds: Callable[..., None]) -> None:
        bounds(MAX_KEPT_IN_ALL=10)
        datapath = engine(Double)
        one, two = Wire(datapath).open(), Wire(datapath, client=("203.0.113.11", 1_025)).open()
        one.send(CLIENT, 0, b"a" * 6)
        two.send(CLIENT, 0, b"a" * 5)
        assert verdict(two) == Drop(2)
        one.send(CLIENT, 6, b"!")
        two.send(CLIENT, 0, b"a" * 5)
        assert verdict(two) == Accept(3), "a closed connection keeps nothing"

    @pytest.mark.parametrize("end", ["reset", "fins"])
    def test_a_connection_that_is_over_does_not_stand_in_the_way(self, bounds: Callable[..., None], end: str) -> None:
        bounds(MAX_KEPT_IN_ALL=10)
        datapath = engine(Double)
        one, two = Wire(datapath).open(), Wire(datapath, client=("203.0.113.11", 1_025)).open()
        one.send(CLIENT, 0, b"a" * 6)
        if end == "reset":
            one.send(CLIENT, 6, b"", RST | ACK)
        else:
            one.close(CLIENT, 6)
            one.close(SERVER, 0)
        two.send(CLIENT, 0, b"a" * 5)
        assert verdict(two) == Accept(2)

    @pytest.fixture
    def quiet(self, bounds: Callable[..., None]) -> Wire:
        """One that gave up the six octets it kept for another's eleven."""
        bounds(MAX_KEPT_IN_ALL=16, FEW=0)
        datapath = engine(Double)
        made, busy = (Wire(datapath, client=("203.0.113.11", 1_025 + at)).open() for at in range(2))
        made.send(CLIENT, 0, b"a" * 3 + b"S" * 3)
        made.now = busy.now = 2 * SECOND
        busy.send(CLIENT, 0, b"b" * 11)
        assert (verdict(busy), datapath._kept.octets) == (Accept(2), 11)
        assert made.effects == busy.effects == []
        return made

    def test_of_those_that_keep_octets_a_quiet_one_gives_them_up(self, bounds: Callable[..., None]) -> None:
        """How many counts as much as for how long; who sent within a second keeps them as long as somebody did not."""
        bounds(MAX_KEPT_IN_ALL=20, FEW=0)
        datapath = engine(Double)
        less, more, busy, late = (Wire(datapath, client=("203.0.113.11", 1_025 + at)).open() for at in range(4))
        less.send(CLIENT, 0, b"a" * 3)
        more.send(CLIENT, 0, b"a" * 6)
        busy.now = late.now = 2 * SECOND
        busy.send(CLIENT, 0, b"a" * 11)
        late.send(CLIENT, 0, b"b" * 5)
        assert verdict(late) == Accept(2)
        assert [each.kept for each in datapath._table] == [3, 0, 11, 5]
        late.send(CLIENT, 5, b"b" * 4)
        assert verdict(late) == Accept(3)
        late.send(CLIENT, 9, b"b")
        assert verdict(late) == Accept(4), "nobody else is quiet"
        assert count(datapath, "given_up") == 3
        assert [each.kept for each in datapath._table] == [0, 0, 0, 10]

    @pytest.mark.parametrize("news", ["none", "an octet"])
    def test_who_sends_does_not_hold_the_cap(self, bounds: Callable[..., None], news: str) -> None:
        """Two send an octet again and again, or have one acknowledged; what they keep gives way all the same."""
        bounds(MAX_KEPT_IN_ALL=200, FEW=0)
        datapath = engine(Double)
        one, two, late = (Wire(datapath, client=("203.0.113.11", 1_025 + at)).open() for at in range(3))
        for each in (one, two):
            each.send(CLIENT, 0, b"a" * 100)
        for turn in range(1, 10):
            late.now = one.now = two.now = turn * SECOND
            for each in (one, two):
                if news == "none":
                    each.send(CLIENT, 99, b"a")
                else:
                    each.acked[CLIENT] = turn
                    each.send(SERVER, 0)
        late.send(CLIENT, 0, b"b" * 50)
        assert verdict(late) == Accept(2)

    def test_who_was_quiet_gives_way_first(self, bounds: Callable[..., None]) -> None:
        bounds(MAX_KEPT_IN_ALL=20, FEW=0)
        datapath = engine(Double)
        more, quiet, late = (Wire(datapath, client=("203.0.113.11", 1_025 + at)).open() for at in range(3))
        more.send(CLIENT, 0, b"a" * 10)
        quiet.send(CLIENT, 0, b"a" * 5)
        more.now = late.now = 2 * SECOND
        more.send(CLIENT, 9, b"a")
        late.send(CLIENT, 0, b"b" * 6)
        assert [each.kept for each in datapath._table] == [10, 0, 6]

    def test_who_was_acknowledged_of_late_keeps_its_octets(self, bounds: Callable[..., None]) -> None:
        bounds(MAX_KEPT_IN_ALL=20, FEW=0)
        datapath = engine(Double)
        old, heard, late = (Wire(datapath, client=("203.0.113.11", 1_025 + at)).open() for at in range(3))
        old.send(CLIENT, 0, b"a" * 8)
        heard.send(CLIENT, 0, b"a" * 10)
        old.now = heard.now = late.now = 2 * SECOND
        old.send(CLIENT, 7, b"a")
        heard.acked[CLIENT] = 1
        heard.send(SERVER, 0)
        late.now += 1
        late.send(CLIENT, 0, b"b" * 11)
        assert [each.kept for each in datapath._table] == [0, 9, 11]

    def test_a_few_octets_are_never_given_up(self, bounds: Callable[..., None]) -> None:
        """A reply that was lost behind the firewall comes again though its client's mail was given up."""
        bounds(MAX_KEPT_IN_ALL=20, FEW=4)
        datapath = engine(Double)
        one, two = (Wire(datapath, client=("203.0.113.11", 1_025 + at)).open() for at in range(2))
        one.send(CLIENT, 0, b"a" * 8)
        one.send(SERVER, 0, b"25S\n")
        two.now = one.now = 2 * SECOND
        two.send(CLIENT, 0, b"b" * 16)
        assert [each.kept for each in datapath._table] == [4, 16]
        one.send(SERVER, 0, b"25S\n")
        assert segment(modified(one)).payload == b"25X\n"
        two.send(CLIENT, 16, b"b")
        assert verdict(two) == Drop(3), "nobody else keeps more than a few"

    def test_it_goes_on_if_they_had_arrived(self, quiet: Wire) -> None:
        quiet.send(CLIENT, 6, b"c")
        quiet.acked[CLIENT] = 7
        quiet.send(SERVER, 0, b"250\n")
        assert [type(quiet.verdicts[handle]) for handle in (3, 4)] == [Accept, Accept]
        quiet.send(CLIENT, 5, b"S")  # a keep-alive
        assert segment(modified(quiet)).payload == b"\0"
        assert quiet.effects == []

    @pytest.mark.parametrize(("at", "octets"), [(0, b"aaaSSS"), (5, b"Sc"), (2, b"a")])
    def test_else_it_is_reset_when_one_comes_again(self, quiet: Wire, at: int, octets: bytes) -> None:
        """Nobody knows any more what went on there."""
        quiet.acked[CLIENT] = 2
        quiet.send(SERVER, 0)
        quiet.send(CLIENT, at, octets)
        assert verdict(quiet) == Drop(4)
        assert [type(each) for each in quiet.effects] == [Kill, SendReset, SendReset, Emit]
        (kill, *_), ended = quiet.effects, records(quiet)
        assert isinstance(kill, Kill)
        assert ended == [FlowTerminated(kill.flow.client, kill.flow.server, Termination.RESET)]

    def test_what_is_undecided_it_keeps(self, bounds: Callable[..., None]) -> None:
        bounds(MAX_KEPT_IN_ALL=11, FEW=0)
        datapath = engine(Double)
        one, two = Wire(datapath).open(), Wire(datapath, client=("203.0.113.11", 1_025)).open()
        one.send(SERVER, 0, b"ab\n")
        one.send(SERVER, 3, b"h1")
        two.now = 2 * SECOND  # and the clock has decided nothing yet
        two.send(CLIENT, 0, b"b" * 8)
        assert [each.kept for each in datapath._table] == [2, 8]
        one.send(SERVER, 5, b"\n")
        assert one.got(SERVER) == b"ab\nh1\n"

    def test_what_was_undecided_at_a_reset_was_refused(self) -> None:
        datapath = engine(Double)
        wire = Wire(datapath).open()
        wire.send(SERVER, 0, b"ab?")
        wire.send(CLIENT, 0, b"", RST | ACK)
        inspected, released, refused = (
            count(datapath, f"octets_{each}") for each in ("inspected", "released", "refused")
        )
        assert (inspected, released, refused) == (3, 0, 3)


class TestBehindTcpIntercept:
    """SYNPROXY answered the client with a number of its own; the worker sees the server's SYN-ACK first (row 16)."""

    @pytest.fixture
    def wire(self) -> Wire:
        return Wire(engine(Double), cookie=123_456_789).open()

    def test_acknowledged_octets_are_let_go(self, wire: Wire) -> None:
        wire.talk([(SERVER, b"220 mail\n"), (CLIENT, b"EHLO a"), (SERVER, b"250 ok\n"), (CLIENT, b"MAIL b")])
        found = wire.datapath._find(segment(wire.make(CLIENT)).key)
        assert found is not None
        connection = found[0]
        assert (len(connection.client.edits), len(connection.server.edits)) == (6, 9), "the banner stays behind"

    def test_what_the_client_may_lack_is_repeated_as_it_was(self, wire: Wire) -> None:
        wire.talk([(SERVER, b"220 Smail\n"), (CLIENT, b"EHLO a")])
        wire.send(SERVER, 0, b"220 Smail\n")
        assert segment(modified(wire)).payload == b"220 Xmail\n"

    def test_both_resets_have_the_numbers_their_receivers_expect(self, wire: Wire) -> None:
        wire.talk([(SERVER, b"220\n"), (CLIENT, b"ab"), (SERVER, b"250\n"), (CLIENT, b"c?")])
        resets = {each.to_client: (each.seq, each.ack) for each in wire.effects if isinstance(each, SendReset)}
        assert resets == {True: (9_009 + 123_456_789, 1_005), False: (1_003, 9_009)}


class TestActions:
    def test_drop_connection(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.send(CLIENT, 5, b"late")
        effects = wire.send(CLIENT, 2, b"cd!")
        assert [each for each in effects if isinstance(each, Drop)] == [Drop(4), Drop(3)]
        action, ended = records(wire)
        assert isinstance(action, EsmtpAction)
        assert action.text() == (
            "ESMTP Classification: Dropped connection for ESMTP Request from outside:203.0.113.10/40000 "
            "to inside:192.0.2.25/25; matched Class 4: header line length gt 998"
        )
        assert isinstance(ended, FlowTerminated)
        assert ended.termination is Termination.DISCONNECTED
        assert isinstance(wire.effects[0], Kill)
        block = wire.datapath._blocks[1]
        assert (block[Slot.PACKET], block[Slot.DROP], block[Slot.RESET_DROP]) == (2, 2, 0)
        assert [count(wire.datapath, f"octets_{name}") for name in ("inspected", "released", "refused")] == [5, 2, 3]

    def test_reset_connection(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"220\n")
        wire.send(CLIENT, 0, b"ab")
        wire.send(CLIENT, 2, b"c?")
        resets = {each.to_client: (each.seq, each.ack) for each in wire.effects if isinstance(each, SendReset)}
        assert resets == {True: (9_005, 1_005), False: (1_003, 9_005)}
        assert [type(each) for each in wire.effects] == [Kill, SendReset, SendReset, Emit, Emit]
        action, ended = records(wire)
        assert isinstance(action, EsmtpAction)
        assert action.text().startswith("ESMTP Parameter: Reset connection for ESMTP Request")
        assert action.text().endswith("; early-data: DATA")
        assert isinstance(ended, FlowTerminated)
        assert ended.termination is Termination.RESET
        assert wire.datapath._blocks[1][Slot.RESET_DROP] == 1

    def test_a_malicious_address(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"|")
        (record,) = records(wire)
        assert isinstance(record, MaliciousPattern)
        assert record.text().endswith("Mail Address:a|b")
        assert isinstance(wire.effects[0], Kill)
        assert verdict(wire) == Drop(2)

    def test_a_log_lets_it_go(self, wire: Wire) -> None:
        wire.send(SERVER, 0, b"=")
        (record,) = records(wire)
        assert isinstance(record, EsmtpReceived)
        assert "Received ESMTP Response from inside:192.0.2.25/25 to outside:203.0.113.10/40000" in record.text()
        assert verdict(wire) == Accept(2)

    def test_a_replaced_address_is_told(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"a,b")
        (record,) = records(wire)
        assert isinstance(record, StringReplaced)
        assert segment(modified(wire)).payload == b"a b"

    def test_bypass(self, wire: Wire) -> None:
        wire.send(SERVER, 9, b"late")
        wire.send(CLIENT, 0, b"~")
        assert verdict(wire) == Accept(3)
        assert wire.verdicts[2] == Drop(2)
        release = wire.effects[-1]
        assert isinstance(release, Release)
        assert [type(each) for each in records(wire)] == [TlsStarted]
        assert wire.datapath._kept.octets == 0, "nobody reads them again"
        wire.send(SERVER, 0, b"!SSS?")
        wire.send(CLIENT, 1, b"!SSS?", ACK | URG)
        assert verdict(wire) == Accept(wire.handle)

    def test_the_packet_that_brings_a_bypass_goes_as_it_was_released(self, wire: Wire) -> None:
        wire.send(CLIENT, 2, b"S~")
        wire.send(CLIENT, 0, b"ab")
        assert wire.got(CLIENT) == b"abX~"
        assert wire.datapath._kept.octets == 0

    def test_behind_a_bypass_a_new_connection_is_inspected(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"~")
        wire.client_isn = 5
        wire.open().send(CLIENT, 0, b"S")
        assert segment(modified(wire)).payload == b"X"


class TestInterfaces:
    @pytest.mark.parametrize("flags", [ACK, ACK | FIN, RST, SYN | ACK, ACK | URG])
    def test_who_says_what_is_decided_by_where_it_came_in(self, wire: Wire, flags: int) -> None:
        """A client on the outside writes what its server would say, addresses, numbers and all."""
        wire.send(CLIENT, 0, b"DATA")
        forged = wire.make(SERVER, 0, b"" if flags & SYN else b"354\n", flags, ack=wire.first(CLIENT) + 4)
        assert wire.datapath.packet("forged", forged, MARK, 2, 2, 0) == [Drop("forged")]
        assert count(wire.datapath, "wrong_interface") == 1
        assert Double.made[-1].seen[SERVER] == b""
        assert wire.datapath._kept.octets == 4, "its acknowledgment does not count either"
        wire.send(SERVER, 0, b"503\n")
        assert wire.got(SERVER) == b"503\n"

    def test_nor_can_the_servers_side_speak_for_the_client(self, wire: Wire) -> None:
        assert wire.datapath.packet("forged", wire.make(CLIENT, 0, b"QUIT"), MARK, 3, 3, 0) == [Drop("forged")]
        assert Double.made[-1].seen[CLIENT] == b""


class TestEnds:
    @pytest.mark.parametrize("side", [CLIENT, SERVER])
    def test_behind_an_rst_is_nothing_and_nobody_to_read_it(self, wire: Wire, side: Side) -> None:
        wire.send(CLIENT, 0, b"ab")
        wire.send(CLIENT, 2, flags=RST | ACK)
        (connection,) = wire.datapath._table
        assert connection.inspector is OVER, "the table remembers it for a minute, not what read it"
        wire.send(side, 2, b"S")
        assert verdict(wire) == Drop(4)
        assert count(wire.datapath, "behind_reset") == 1

    @pytest.mark.parametrize("end", ["rst", "told", "rst behind both fins"])
    @pytest.mark.parametrize(("at", "octets"), [(0, b"a"), (1, b"bc"), (0, b"abc"), (2, b"cd")])
    def test_what_went_on_before_an_rst_does_not_come_again(self, wire: Wire, end: str, at: int, octets: bytes) -> None:
        """It need not have arrived, and nobody has it any more: as NULs it would be other octets at its offset."""
        wire.send(CLIENT, 0, b"abc")
        if end == "told":
            wire.book(wire.datapath.ended(segment(wire.make(CLIENT)).key, SECOND, False, SECOND))
        elif end == "rst":
            wire.send(CLIENT, 3, flags=RST)
        else:
            wire.close(CLIENT, 3)
            wire.close(SERVER, 0)
            wire.send(CLIENT, 4, flags=RST)
        went = wire.order[:]
        wire.send(CLIENT, at, octets)
        wire.send(CLIENT, at, octets, RST | ACK)
        assert wire.order == went
        assert count(wire.datapath, "behind_reset") == 2
        wire.send(SERVER, 0)
        assert verdict(wire) == Accept(wire.handle), "what carries nothing goes on"

    def test_fins_that_the_kernel_saw_were_acknowledged(self, wire: Wire) -> None:
        """A retransmission behind them is one of octets that arrived: it has its acknowledgment coming."""
        wire.send(CLIENT, 0, b"abc")
        wire.book(wire.datapath.ended(segment(wire.make(CLIENT)).key, SECOND, True, SECOND))
        wire.send(CLIENT, 0, b"abc", ACK | FIN)
        assert segment(modified(wire)).payload == bytes(3)

    def test_a_fin_is_told_when_all_before_it_was_seen(self, wire: Wire) -> None:
        wire.close(CLIENT, 2)
        assert Double.made[-1].finished == []
        wire.send(CLIENT, 0, b"ab")
        assert Double.made[-1].finished == [CLIENT]
        assert wire.order == [1, 3, 2]

    def test_a_fin_may_come_again(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"aS", ACK | FIN)
        wire.send(CLIENT, 0, b"aS", ACK | FIN)
        wire.close(CLIENT, 2)
        assert verdict(wire) == Accept(4)
        assert segment(wire.went(3) or b"").payload == b"aX"
        assert Double.made[-1].finished == [CLIENT]

    @pytest.mark.parametrize(("at", "octets", "flags"), [(2, b"c", ACK), (1, b"bc", ACK), (3, b"", ACK | FIN)])
    def test_behind_a_fin_there_is_nothing(self, wire: Wire, at: int, octets: bytes, flags: int) -> None:
        wire.send(CLIENT, 0, b"ab", ACK | FIN)
        wire.send(CLIENT, at, octets, flags)
        assert verdict(wire) == Drop(3)
        assert count(wire.datapath, "beyond_end") == 1

    def test_a_fin_before_what_was_seen_is_dropped(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"abc")
        wire.close(CLIENT, 1)
        assert verdict(wire) == Drop(3)
        assert Double.made[-1].finished == []

    def test_what_waited_behind_a_fin_is_dropped(self, wire: Wire) -> None:
        wire.close(CLIENT, 2)
        wire.send(CLIENT, 2, b"cde")
        wire.send(CLIENT, 0, b"ab")
        assert wire.verdicts == {1: Accept(1), 4: Accept(4), 2: Accept(2), 3: Drop(3)}
        assert Double.made[-1].seen[CLIENT] == b"ab"
        assert (count(wire.datapath, "beyond_end"), count(wire.datapath, "exceptions")) == (1, 0)

    def test_the_acknowledgment_of_a_fin_counts(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"ab", ACK | FIN)
        wire.acked[CLIENT] = 3
        wire.send(SERVER, 0)
        assert wire.datapath._kept.octets == 0

    @pytest.mark.parametrize("side", [CLIENT, SERVER])
    def test_an_rst_closes_only_at_the_next_expected_octet(self, wire: Wire, side: Side) -> None:
        wire.send(side, 0, b"abc")
        for at in (2, 4, 1_000, -1):
            wire.send(side, at, b"", RST)
            assert verdict(wire) == Drop(wire.handle)
        assert count(wire.datapath, "rst_elsewhere") == 4
        wire.send(side, 3, b"secret", RST | ACK)
        assert segment(modified(wire)).payload == bytes(6)

    def test_an_rst_behind_a_fin(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"abc", ACK | FIN)
        wire.send(CLIENT, 4, b"", RST)
        assert verdict(wire) == Accept(3)

    @pytest.mark.parametrize("end", ["fins", "rst", "drop"])
    def test_a_tuple_may_be_used_again(self, wire: Wire, end: str) -> None:
        wire.send(SERVER, 0, b"220\n")
        if end == "fins":
            wire.close(CLIENT, 0)
            wire.close(SERVER, 4)
        else:
            wire.send(CLIENT, 0, b"" if end == "rst" else b"!", RST if end == "rst" else ACK)
        wire.give(packet(wire.client, wire.server, 77_000, 0, SYN), CLIENT)
        assert verdict(wire) == Accept(wire.handle)
        wire.client_isn, wire.server_isn = 77_000, 88_000
        wire.open().send(SERVER, 0, b"S")
        assert segment(modified(wire)).payload == b"X"
        assert len(wire.datapath) == 1

    def test_what_is_dead_stays_dead(self, wire: Wire) -> None:
        wire.send(CLIENT, 0, b"!")
        wire.open()
        assert verdict(wire) == Drop(3), "its own SYN-ACK"
        for flags in (RST, ACK, ACK | FIN):
            wire.send(SERVER, 0, b"", flags)
            assert verdict(wire) == Drop(wire.handle)

    @pytest.mark.parametrize(
        ("end", "seconds"),
        [("", 300), ("a", 7_200), ("~", 7_200), ("!", 600), ("fins", 60)],
        ids=["never heard", "open", "bypass", "dead", "closed"],
    )
    def test_an_idle_connection_is_forgotten(self, wire: Wire, end: str, seconds: int) -> None:
        if end == "fins":
            wire.close(CLIENT, 0)
            wire.close(SERVER, 0)
        elif end:
            wire.send(CLIENT, 0, end.encode())
        wire.tick(seconds * SECOND)
        assert len(wire.datapath) == 1
        wire.tick(seconds * SECOND + 10 * SECOND)
        assert len(wire.datapath) == 0
        assert wire.datapath._kept.octets == 0


class TestFaults:
    def test_a_fault_closes_its_connection_and_no_other(self, wire: Wire) -> None:
        other = Wire(wire.datapath, client=("203.0.113.11", 1_025), handle=100).open()
        wire.send(CLIENT, 3, b"late")
        effects = wire.send(CLIENT, 0, b"ab^")
        assert [each for each in effects if isinstance(each, Drop)] == [Drop(2), Drop(3)]
        assert isinstance(effects[1], Kill)
        (record,) = records(wire)
        assert isinstance(record, EngineFault)
        assert (record.error, count(wire.datapath, "exceptions")) == ("RuntimeError", 1)
        assert record.subject == "outside:203.0.113.10/40000 to inside:192.0.2.25/25"
        wire.send(CLIENT, 0, b"ab")
        assert verdict(wire) == Drop(4)
        other.send(CLIENT, 0, b"ab")
        assert verdict(other) == Accept(102)

    def test_a_fault_while_a_gap_fills_leaves_no_packet_without_a_verdict(self, wire: Wire) -> None:
        wire.send(CLIENT, 2, b"c^")
        wire.send(CLIENT, 6, b"late")
        wire.send(CLIENT, 0, b"ab")
        assert wire.verdicts == {1: Accept(1), 2: Drop(2), 3: Drop(3), 4: Accept(4)}

    def test_a_fault_when_the_clock_decides(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        wire.send(SERVER, 0, b"h")
        monkeypatch.setattr(Double, "stalled", lambda _: 1 // 0)
        wire.tick(SECOND)
        assert wire.verdicts[2] == Drop(2)
        assert [type(each) for each in records(wire)] == [EngineFault]

    def test_faults_can_be_injected(self, wire: Wire) -> None:
        wire.datapath.inject_fault(after=1)
        wire.send(CLIENT, 0, b"ab")
        assert verdict(wire) == Accept(2)
        wire.send(CLIENT, 2, b"cd")
        assert verdict(wire) == Drop(3)
        (record,) = records(wire)
        assert isinstance(record, EngineFault)
        assert record.error == InjectedFault.__name__
        other = Wire(wire.datapath, client=("203.0.113.11", 1_025)).open()
        assert verdict(other) == Accept(1)

    def test_an_injected_fault_at_a_syn_ack_lets_nothing_begin(self) -> None:
        wire = Wire(engine(Double))
        wire.datapath.inject_fault()
        wire.open()
        assert verdict(wire) == Drop(1)
        assert len(wire.datapath) == 0


class TestOverByTheKernelsTable:
    """Ends that nobody queued, or of which there is no packet."""

    @pytest.fixture
    def wire(self) -> Wire:
        return Wire(engine(Double), now=1_000).open().talk([(SERVER, b"220\n"), (CLIENT, b"ab")])

    def over(self, wire: Wire, when: int = 2_000, by_fins: bool = True) -> list[Effect]:
        return wire.book(wire.datapath.ended(wire.make(CLIENT)[12:24], when, by_fins, wire.now))

    def test_its_inspector_sees_the_fins(self, wire: Wire) -> None:
        wire.close(SERVER, 4)
        self.over(wire)
        assert Double.made[-1].finished == [SERVER, CLIENT]
        assert wire.datapath._kept.octets == 0

    def test_another_end_is_no_fin(self, wire: Wire) -> None:
        self.over(wire, by_fins=False)
        assert Double.made[-1].finished == []

    def test_another_connection_may_begin_on_the_tuple(self, wire: Wire) -> None:
        wire.client_isn += 77
        assert 4 not in wire.open().verdicts
        self.over(wire)
        assert isinstance(wire.verdicts[wire.handle], Accept)
        wire.client_isn += 77
        assert isinstance(wire.open().verdicts[wire.handle], Accept)

    def test_one_that_began_since_goes_on(self, wire: Wire) -> None:
        self.over(wire, when=1_000)
        wire.send(CLIENT, 2, b"c")
        assert wire.got(CLIENT) == b"abc"
        assert Double.made[-1].finished == []

    def test_what_waits_is_dropped(self, wire: Wire) -> None:
        wire.send(CLIENT, 9, b"z")
        self.over(wire, by_fins=False)
        assert isinstance(wire.verdicts[wire.handle], Drop)
        assert wire.datapath.waiting == 0

    def test_what_inspection_killed_stays_dead(self, wire: Wire) -> None:
        wire.send(CLIENT, 2, b"!")
        assert self.over(wire) == []
        wire.send(CLIENT, 2, b"c")
        assert isinstance(wire.verdicts[wire.handle], Drop)

    def test_what_is_found_at_its_end_is_told(self, wire: Wire) -> None:
        wire.send(SERVER, 4, b"h")
        self.over(wire)
        assert isinstance(wire.verdicts[wire.handle], Modify)

    def test_of_a_stranger_nothing_is_done(self, wire: Wire) -> None:
        assert wire.datapath.ended(wire.make(SERVER)[12:24], 2_000, True, wire.now) == []
        assert wire.datapath.ended(bytes(12), 2_000, True, wire.now) == []
        wire.send(CLIENT, 2, b"c")
        assert wire.got(CLIENT) == b"abc"

    def test_its_inspector_is_let_go(self, wire: Wire) -> None:
        connection = wire.datapath._find(wire.make(CLIENT)[12:24])
        assert connection is not None
        self.over(wire)
        assert connection[0].inspector is OVER
        wire.send(CLIENT, 2, b"c")
        assert isinstance(wire.verdicts[wire.handle], Drop)
        assert count(wire.datapath, "exceptions") == 0
