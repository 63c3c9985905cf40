"""One direction: offsets, what waits, what is released."""

from __future__ import annotations

import pytest

from appliance.tcp.segment import ACK, FIN
from appliance.tcp.stream import BEYOND, NOWHERE, Parcel, Stream
from tests.wire import packet, segment

ENDS = ("203.0.113.10", 40_000), ("192.0.2.25", 25)


def parcel(start: int, octets: bytes = b"", flags: int = ACK, arrived: int = 0) -> Parcel:
    made = segment(packet(*ENDS, 100 + start, 1, flags, octets))
    return Parcel(start, made, start, start + len(octets), arrived)


@pytest.fixture
def stream() -> Stream:
    """Ten octets read and decided."""
    made = Stream(100)
    made.append(b"0123456789")
    made.decided = 10
    return made


class TestAcknowledging:
    @pytest.mark.parametrize(("ack", "gone"), [(100, 0), (104, 4), (110, 10), (99, 0)])
    def test_only_what_was_let_go(self, stream: Stream, ack: int, gone: int) -> None:
        assert stream.acknowledge(ack % 2**32) == gone
        assert (stream.edits.base, stream.acked) == (gone, ack)

    def test_an_older_packet_takes_nothing_back(self, stream: Stream) -> None:
        assert stream.acknowledge(106) == 6
        assert stream.give_up() == 4
        assert stream.acknowledge(102) == 0
        assert [stream.acked, stream.misses(5, 6), stream.misses(5, 7)] == [106, False, True]

    @pytest.mark.parametrize("ack", [112, 99 + 2**31])
    def test_a_number_beyond_says_nothing_but_that(self, stream: Stream, ack: int) -> None:
        assert stream.acknowledge(ack) == BEYOND
        assert (stream.edits.base, stream.acked, stream.overtaken(ack)) == (0, None, True)

    def test_the_number_behind_all_is_that_of_a_fin_nobody_saw(self, stream: Stream) -> None:
        assert (stream.acknowledge(111), stream.acked, stream.overtaken(111)) == (10, 111, False)
        stream.append(b"ab")
        stream.decided = 12
        assert (stream.acknowledge(112), stream.edits.base) == (2, 12), "if there was none, that says nothing wrong"

    @pytest.mark.parametrize("ack", [111, 112])
    def test_not_what_is_undecided(self, stream: Stream, ack: int) -> None:
        stream.append(b"ab")
        assert stream.acknowledge(ack) == BEYOND

    def test_the_fin_counts_one(self, stream: Stream) -> None:
        stream.fin = 10
        assert stream.acknowledge(112) == BEYOND
        assert stream.acknowledge(111) == 10


class TestStraight:
    def test_where_all_is_decided(self, stream: Stream) -> None:
        stream.straighten()
        assert stream.straight_at == 110

    def test_not_before_it_is_decided(self, stream: Stream) -> None:
        stream.straighten()
        stream.append(b"a")
        assert stream.straight_at == NOWHERE
        stream.straighten()
        assert stream.straight_at == NOWHERE

    def test_not_before_a_gap(self, stream: Stream) -> None:
        stream.hold(parcel(20, b"a"))
        stream.straighten()
        assert stream.straight_at == NOWHERE

    def test_not_behind_the_fin(self, stream: Stream) -> None:
        stream.fin = 10
        stream.straighten()
        assert stream.straight_at == NOWHERE

    def test_an_acknowledgment_of_all_lets_go_of_all(self, stream: Stream) -> None:
        stream.straighten()
        assert stream.acknowledge(110) == 10
        assert (stream.acked, stream.edits.base, len(stream.edits)) == (110, 10, 0)


class TestBehindTcpIntercept:
    """The receiver counts from a number of SYNPROXY's: its acknowledgments are off by a constant."""

    COOKIE = 3_000_000_000

    @pytest.fixture
    def stream(self) -> Stream:
        made = Stream(100, proxied=True)
        made.append(b"0123456789")
        made.decided = 10
        return made

    def ack(self, stream: Stream, offset: int) -> int:
        return stream.acknowledge((100 + self.COOKIE + offset) % 2**32)

    def test_from_nothing_received_all_is_exact(self, stream: Stream) -> None:
        assert [self.ack(stream, offset) for offset in (0, 4, 4, 10, 11, 12)] == [0, 4, 0, 6, 0, BEYOND]
        assert stream.expected_seq == (110 + self.COOKIE) % 2**32

    def test_the_senders_own_number_is_not_the_receivers(self, stream: Stream) -> None:
        self.ack(stream, 4)
        stream.straighten()
        assert stream.acknowledge(110) == BEYOND

    def test_what_was_received_before_is_kept_longer_never_shorter(self, stream: Stream) -> None:
        assert [self.ack(stream, offset) for offset in (4, 10)] == [0, 6]
        stream.append(b"abcd")
        stream.decided = 14
        assert self.ack(stream, 14) == 4
        assert stream.edits.read(10, 14) == b"abcd"

    @pytest.mark.parametrize("seen", [0, 4, 10])
    def test_a_reset_has_the_number_the_receiver_expects_once_it_acknowledged_all(
        self, stream: Stream, seen: int
    ) -> None:
        self.ack(stream, seen)
        self.ack(stream, 10)
        stream.append(b"abcd")
        stream.decided = 14
        assert stream.expected_seq == (114 + self.COOKIE) % 2**32

    def test_its_fin_counts_one(self, stream: Stream) -> None:
        self.ack(stream, 0)
        stream.fin = 10
        assert self.ack(stream, 11) == 10
        assert stream.expected_seq == (111 + self.COOKIE) % 2**32

    def test_the_constant_is_learned_once(self, stream: Stream) -> None:
        assert stream.acknowledge(104) == 4
        assert self.ack(stream, 10) == 0
        assert stream.acknowledge(110) == 6

    def test_other_streams_have_none(self) -> None:
        stream = Stream(100)
        stream.append(b"0123456789")
        stream.decided = 10
        assert [self.ack(stream, offset) for offset in (0, 10)] == [0, 0]


class TestTheEnd:
    @pytest.mark.parametrize(
        ("end", "fin", "beyond"),
        [
            (10, False, False),
            (10, True, False),
            (11, False, True),
            (9, True, True),
            (9, False, False),
            (11, True, True),
        ],
    )
    def test_behind_a_fin_is_nothing(self, stream: Stream, end: int, fin: bool, beyond: bool) -> None:
        stream.fin = 10
        assert stream.beyond_end(end, fin) is beyond

    def test_a_fin_is_behind_what_was_read(self, stream: Stream) -> None:
        assert stream.beyond_end(9, True)
        assert not stream.beyond_end(10, True)
        assert not stream.beyond_end(99, False)

    def test_an_rst_is_at_the_next_octet(self, stream: Stream) -> None:
        assert [at for at in range(8, 14) if stream.expects(at)] == [10]
        stream.append(b"ab")
        assert [at for at in range(8, 14) if stream.expects(at)] == [10, 12]

    def test_behind_a_fin_an_rst_is_one_further(self, stream: Stream) -> None:
        stream.fin = 10
        assert stream.expects(11)
        assert stream.expected_seq == 111


class TestEarlyPackets:
    def test_they_come_by_offset_then_by_arrival(self, stream: Stream) -> None:
        for start, octets in ((30, b"a"), (20, b"bc"), (25, b"d"), (20, b"bcd")):
            assert stream.hold(parcel(start, octets))
        stream.next = 99
        taken = [stream.take_ready() for _ in range(5)]
        assert [each and (each.start, each.octets) for each in taken] == [(20, 2), (20, 3), (25, 1), (30, 1), None]

    def test_not_before_the_gap_is_filled(self, stream: Stream) -> None:
        stream.hold(parcel(12, b"a"))
        assert stream.take_ready() is None
        stream.next = 12
        assert stream.take_ready() is not None

    def test_nothing_new_does_not_wait(self, stream: Stream) -> None:
        stream.hold(parcel(20, b"abcd"))
        stream.hold(parcel(24, b"efgh"))
        assert not stream.hold(parcel(22, b"cdef"))
        assert stream.hold(parcel(22, b"cdefghi"))

    def test_a_fin_is_something_new_once(self, stream: Stream) -> None:
        stream.hold(parcel(20, b"abcd"))
        assert stream.hold(parcel(24, flags=ACK | FIN))
        assert not stream.hold(parcel(24, flags=ACK | FIN))
        assert not stream.hold(parcel(20, b"abcd", ACK | FIN))

    def test_octets_before_a_fin_that_waits_are_new(self, stream: Stream) -> None:
        stream.hold(parcel(24, flags=ACK | FIN))
        assert stream.hold(parcel(20, b"abcd", ACK | FIN))
        assert not stream.hold(parcel(20, b"abcd", ACK | FIN))

    def test_what_left_may_come_again(self, stream: Stream) -> None:
        stream.hold(parcel(20, b"abcd", arrived=1))
        stream.hold(parcel(30, b"abcd", arrived=2))
        stream.take(stream.early[0])
        assert stream.hold(parcel(20, b"abcd"))
        assert not stream.hold(parcel(30, b"abcd"))

    def test_one_or_all_may_leave(self, stream: Stream) -> None:
        stream.hold(parcel(30, b"a"))
        stream.hold(parcel(20, b"a"))
        stream.undecided = [parcel(9, b"9"), parcel(8, b"8")]
        stream.take(stream.undecided[0])
        assert [each.start for each in stream.take_all()] == [8, 20, 30]
        assert stream.take_all() == []
        assert stream.hold(parcel(30, b"a"))


class TestReleasing:
    def test_a_mask_is_in_every_later_packet(self, stream: Stream) -> None:
        stream.append(b"STARTTLS\r\n")
        stream.mask(10, b"XXXXXXXX")
        assert stream.released(segment(packet(*ENDS, 108, 1, ACK, b"abSTxx")), 8, 14).payload == b"89XXXX"

    def test_what_is_decided_is_never_masked(self, stream: Stream) -> None:
        with pytest.raises(ValueError, match="decided"):
            stream.mask(9, b"X")

    def test_undecided_packets_go_when_all_of_them_is_decided(self, stream: Stream) -> None:
        stream.undecided = [parcel(10, b"abc"), parcel(13, b"de"), parcel(10, b"a")]
        stream.decided = 12
        assert stream.take_decided().end == 11  # type: ignore[union-attr]  # it is there
        assert stream.take_decided() is None
        stream.decided = 15
        assert [stream.take_decided().start for _ in range(2)] == [10, 13]  # type: ignore[union-attr]
