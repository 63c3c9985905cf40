"""The view of a packet, against scapy and against packets nobody should send."""

import random
import struct
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.packet import Raw
from scapy.utils import checksum as scapy_checksum

from appliance.tcp.segment import (
    _USUAL_OPTIONS,
    ACK,
    FIN,
    RST,
    SYN,
    URG,
    Malformed,
    Segment,
    _harmless,
    bare,
    checksum,
    read,
    with_ip_checksum,
)
from tests.wire import packet, segment

CLIENT, SERVER = ("203.0.113.10", 40_000), ("192.0.2.25", 25)
MSS = b"\x02\x04\x05\xb4"
#: Options that a SYN-ACK has, may have, and must not have.
PIECES = (
    MSS,
    b"\x01",
    b"\x03\x03\x07",
    b"\x04\x02",
    b"\x08\x0a\x1e\x22\x1e\x04\0\0\0\0",
    b"\x1e\x04\0\x81",
    b"\x22\x02",
    b"\x05",
    b"\0",
)


def made(payload: bytes = b"NOOP\r\n", **more: object) -> bytes:
    return packet(CLIENT, SERVER, 7, 9, payload=payload, **more)  # type: ignore[arg-type]  # keywords of `packet`


class TestRead:
    def test_a_plain_segment(self) -> None:
        found = segment(made())
        assert (found.seq, found.ack, found.flags, found.payload) == (7, 9, ACK, b"NOOP\r\n")
        assert (found.tcp, found.start, found.end, found.changed) == (20, 40, 46, False)
        assert found.key == bytes((203, 0, 113, 10, 192, 0, 2, 25)) + struct.pack("!HH", 40_000, 25)

    @pytest.mark.parametrize("ip_words", range(11))
    @pytest.mark.parametrize("tcp_words", range(11))
    def test_options_of_every_length(self, ip_words: int, tcp_words: int) -> None:
        found = segment(made(options=b"\x01" * 4 * tcp_words, ip_options=b"\x01" * 4 * ip_words))
        assert found.payload == b"NOOP\r\n"
        assert found.intact()

    def test_padding_behind_the_total_length_is_no_payload(self) -> None:
        assert segment(made(b"a") + b"\0" * 5).payload == b"a"

    def test_a_super_packet(self) -> None:
        assert len(segment(made(b"x" * 65_495)).payload) == 65_495

    @pytest.mark.parametrize(
        ("octets", "why"),
        [
            (b"", Malformed.SHORT),
            (made()[:19], Malformed.SHORT),
            (b"\x60" + made()[1:], Malformed.NOT_IPV4),
            (b"\x44" + made()[1:], Malformed.IP_HEADER),
            (made()[:2] + b"\0\x13" + made()[4:], Malformed.IP_HEADER),
            (made()[:2] + b"\0\0" + made()[4:], Malformed.IP_HEADER),
            (made()[:-1], Malformed.TRUNCATED),
            (made(fragment=0x2000), Malformed.FRAGMENT),
            (made(fragment=0x0001), Malformed.FRAGMENT),
            (made()[:9] + b"\x11" + made()[10:], Malformed.NOT_TCP),
            (made()[:2] + b"\0\x27" + made()[4:], Malformed.TCP_HEADER),
            (made()[:32] + b"\x40" + made()[33:], Malformed.TCP_HEADER),
            (made()[:32] + b"\xf0" + made()[33:], Malformed.TCP_HEADER),
        ],
    )
    def test_what_is_no_segment_says_why(self, octets: bytes, why: Malformed) -> None:
        assert read(octets) is why

    @given(st.binary(max_size=100))
    def test_any_octets_are_a_segment_or_a_reason(self, octets: bytes) -> None:
        found = read(octets)
        assert isinstance(found, Malformed) or found.end <= len(octets)

    @given(st.integers(0, 79), st.integers(0, 255))
    def test_any_octet_changed(self, at: int, octet: int) -> None:
        octets = bytearray(made(b"x" * 30, options=MSS + b"\x01" * 4, ip_options=b"\x01" * 4))
        octets[at] = octet
        found = read(bytes(octets))
        assert isinstance(found, Malformed) or found.payload == bytes(octets)[found.start : found.end]


class TestChecksum:
    @given(st.binary(max_size=200))
    def test_is_scapys(self, octets: bytes) -> None:
        if any(octets):  # of nothing but zeros it says 0 where scapy says 0xffff; no pseudo header is that
            assert checksum(octets) == scapy_checksum(octets)

    def test_may_be_zero(self) -> None:
        assert checksum(b"\xff\xfe\0\x01") == 0 == scapy_checksum(b"\xff\xfe\0\x01")

    def test_an_odd_length_ends_in_a_zero_octet(self) -> None:
        assert checksum(b"\x12\x34\x56") == checksum(b"\x12\x34\x56\0") == scapy_checksum(b"\x12\x34\x56")

    def test_of_random_segments_is_scapys(self) -> None:
        generator = random.Random(4)
        for length in [0, 1, 2, 3, 1_459, 1_460, *(generator.randrange(3_000) for _ in range(60))]:
            payload = generator.randbytes(length)
            theirs = IP(src=CLIENT[0], dst=SERVER[0]) / TCP(
                sport=generator.randrange(65_536), dport=25, seq=generator.randrange(2**32), flags="PA"
            )
            theirs = bytes(theirs / Raw(payload))
            broken = bytearray(theirs)
            broken[36:38] = generator.randbytes(2)
            found = segment(bytes(broken))
            assert found.finished() == theirs
            assert segment(theirs).intact()
            assert found.intact() == (bytes(broken) == theirs)

    def test_one_that_comes_out_as_zero(self) -> None:
        """A payload of two octets can make the sum anything: make it 0xffff."""
        zeroed = made(b"\0\0")
        wanted = int.from_bytes(zeroed[36:38], "big")
        found = segment(made(wanted.to_bytes(2, "big")))
        assert found.finished()[36:38] == b"\0\0"
        assert bytes(IP(src=CLIENT[0], dst=SERVER[0]) / TCP(bytes(found.packet[20:])))[36:38] == b"\0\0"
        assert found.intact()

    def test_the_ip_headers_is_put_right(self) -> None:
        right = made(ip_options=b"\x01" * 8)
        assert with_ip_checksum(right[:10] + b"\xab\xcd" + right[12:], 28) == right


class TestRewriting:
    def test_another_payload(self) -> None:
        changed = segment(made()).with_payload(b"XXXX\r\n")
        assert changed.changed
        assert changed.finished() == made(b"XXXX\r\n")

    def test_the_same_payload_changes_nothing(self) -> None:
        same = segment(made())
        assert same.with_payload(b"NOOP\r\n") is same

    @pytest.mark.parametrize("octets", [b"", b"NOOP\r", b"NOOP\r\n\n"])
    def test_an_edit_keeps_the_length(self, octets: bytes) -> None:
        with pytest.raises(ValueError, match="length"):
            segment(made()).with_payload(octets)

    def test_padding_stays(self) -> None:
        changed = segment(made() + b"pad").with_payload(b"XXXX\r\n")
        assert changed.finished() == made(b"XXXX\r\n") + b"pad"

    def test_nothing_is_urgent(self) -> None:
        calm = segment(made(flags=ACK | URG, urgent=3)).without_urgent()
        assert calm.flags == ACK
        assert calm.finished() == made()

    @pytest.mark.parametrize(
        ("options", "harmless"),
        [
            (MSS, MSS),
            (MSS + b"\x1e\x04\x00\x81", MSS + b"\x01" * 4),  # MP_CAPABLE of a SYN-ACK, cut
            (b"\x1e\x0c" + b"k" * 10 + MSS, b"\x01" * 12 + MSS),
            (b"\x22\x06cook\x01\x01", b"\x01" * 8),  # Fast Open cookie
            (b"\xfe\x06\xf9\x89ck\x01\x01", b"\x01" * 8),  # the experiment it was before
            (b"\xfd\x06\xf9\x89ck\x01\x01", b"\x01" * 8),
            (b"\xfe\x04\x12\x34", b"\xfe\x04\x12\x34"),  # another experiment
            (b"\x01\x01\x1e\x03\x00\x00\x22\x02", b"\x01" * 5 + b"\0\x22\x02"),  # behind the end nobody looks
            (MSS + b"\x05\x00\x1e\x04", MSS + b"\x01" * 4),  # an option of no length
            (MSS + b"\x05\x01\x1e\x04", MSS + b"\x01" * 4),
            (MSS + b"\x05\x09\x1e\x04", MSS + b"\x01" * 4),  # longer than the header
            (MSS + b"\x01\x01\x01\x1e", MSS + b"\x01" * 4),  # no length at all
        ],
    )
    def test_bypasses_become_nops(self, options: bytes, harmless: bytes) -> None:
        edited = segment(made(b"", flags=SYN | ACK, options=options)).without_bypasses()
        assert edited.changed == (options != harmless)
        assert edited.finished() == made(b"", flags=SYN | ACK, options=harmless)

    @given(st.lists(st.sampled_from(PIECES), max_size=10).map(b"".join))
    def test_usual_options_have_no_bypass(self, options: bytes) -> None:
        if _USUAL_OPTIONS.fullmatch(options):
            assert _harmless(options) == options

    def test_edits_add_up(self) -> None:
        both = segment(made(flags=ACK | FIN | URG, urgent=1)).without_urgent().with_payload(b"xxxxxx")
        assert both.finished() == made(b"xxxxxx", flags=ACK | FIN)
        assert isinstance(both, Segment)


class TestTimestamps:
    """A segment that waited must not look older than the one that goes before it."""

    @staticmethod
    def stamped(value: int, before: bytes = b"\x01\x01", behind: bytes = b"") -> Segment:
        option = b"\x08\x0a" + value.to_bytes(4, "big") + b"\0\0\0\7"
        return segment(packet(CLIENT, SERVER, options=before + option + behind, payload=b"abc"))

    @pytest.mark.parametrize(("own", "other", "becomes"), [(5, 9, 9), (9, 5, 9), (5, 5, 5), (2**32 - 1, 1, 1)])
    def test_the_older_one_is_raised(self, own: int, other: int, becomes: int) -> None:
        raised = self.stamped(own).not_older_than(other)
        assert raised.changed == (own != becomes)
        assert raised.finished() == self.stamped(becomes).packet
        assert raised.timestamp == becomes

    def test_wherever_it_is_among_the_options(self) -> None:
        mss = b"\x02\x04\x05\xb4"
        raised = self.stamped(5, mss + b"\x01\x01").not_older_than(9)
        assert raised.finished() == self.stamped(9, mss + b"\x01\x01").packet

    @pytest.mark.parametrize(
        "options", [b"", b"\x00\x01\x08\x0a" + b"\1" * 8, b"\x05\x00" + b"\1" * 10, b"\x08\x04" + b"\1" * 10]
    )
    def test_without_one_nothing_happens(self, options: bytes) -> None:
        plain = segment(packet(CLIENT, SERVER, options=options, payload=b"abc"))
        assert (plain.timestamp, plain.not_older_than(9)) == (None, plain)
        assert self.stamped(9).not_older_than(None).changed is False


class TestSelectiveAcknowledgments:
    @pytest.mark.parametrize(
        ("options", "permits"),
        [(MSS + b"\x04\x02\x01\x01", True), (MSS, False), (b"", False), (b"\x00\x00\x04\x02", False)],
    )
    def test_a_syn_ack_agrees_or_not(self, options: bytes, permits: bool) -> None:
        assert segment(packet(SERVER, CLIENT, flags=SYN | ACK, options=options)).permits_sack() is permits

    def test_the_window_is_what_the_header_says(self) -> None:
        assert segment(packet(CLIENT, SERVER)).window == 65_535


class TestOurs:
    ENDS = IPv4Address(CLIENT[0]), CLIENT[1], IPv4Address(SERVER[0]), SERVER[1]

    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 63), st.integers(0, 10))
    def test_what_is_made_is_read(self, seq: int, ack: int, flags: int, words: int) -> None:
        found = segment(bare(*self.ENDS, seq, ack, flags, 500, b"\1" * 4 * words))
        assert (found.seq, found.ack, found.flags, found.window) == (seq, ack, flags, 500)
        assert found.key == bytes((203, 0, 113, 10, 192, 0, 2, 25)) + struct.pack("!HH", 40_000, 25)
        assert (found.payload, found.intact()) == (b"", True)

    def test_is_scapys(self) -> None:
        theirs = IP(src=CLIENT[0], dst=SERVER[0], id=0, flags="DF", ttl=64) / TCP(
            sport=CLIENT[1], dport=SERVER[1], seq=5, ack=7, flags="RA", window=0
        )
        assert bare(*self.ENDS, 5, 7, RST | ACK) == bytes(theirs)
