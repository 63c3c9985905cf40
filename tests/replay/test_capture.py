"""Capture files: every format and link type that is read, and files that are none."""

from __future__ import annotations

import stat
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import CookedLinux, Dot1Q, Ether, Loopback
from scapy.utils import wrpcap, wrpcapng

from appliance.replay.capture import CaptureError, Frame, Writer, frames, ipv4
from tests.wire import packet

PACKET = packet(("203.0.113.10", 40_000), ("192.0.2.25", 25), 1, 2, payload=b"NOOP\r\n")
ETHER = Ether(src="00:00:5e:00:53:01", dst="00:00:5e:00:53:02")  # named, or scapy would ask the network
ETHERNET, LOOPBACK, RAW, COOKED, COOKED_2 = 1, 0, 101, 113, 276


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (ETHERNET, bytes(12) + b"\x08\x00" + PACKET),
        (ETHERNET, bytes(12) + b"\x81\x00\x00\x07\x08\x00" + PACKET),
        (ETHERNET, bytes(12) + b"\x88\xa8\x00\x07\x81\x00\x00\x08\x08\x00" + PACKET),
        (LOOPBACK, b"\x02\0\0\0" + PACKET),
        (LOOPBACK, b"\0\0\0\x02" + PACKET),
        (RAW, PACKET),
        (12, PACKET),
        (228, PACKET),
        (COOKED, bytes(14) + b"\x08\x00" + PACKET),
        (COOKED_2, b"\x08\x00" + bytes(18) + PACKET),
    ],
)
def test_the_packet_in_a_frame(link: int, frame: bytes) -> None:
    assert ipv4(frame, link) == PACKET


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (ETHERNET, bytes(12) + b"\x86\xdd\x60" + PACKET),
        (ETHERNET, bytes(12) + b"\x08\x06" + bytes(28)),
        (ETHERNET, bytes(13)),
        (ETHERNET, b""),
        (ETHERNET, bytes(12) + b"\x08\x00"),
        (ETHERNET, bytes(12) + b"\x81\x00\x00\x07" * 9 + b"\x08\x00" + PACKET),
        (LOOPBACK, b"\x18\0\0\0" + PACKET),
        (RAW, b"\x60" + bytes(40)),
        (RAW, b""),
    ],
)
def test_other_frames_have_none(link: int, frame: bytes) -> None:
    assert ipv4(frame, link) is None


@pytest.mark.parametrize("write", [wrpcap, wrpcapng], ids=["pcap", "pcapng"])
@pytest.mark.parametrize("link", [ETHER, ETHER / Dot1Q(vlan=7), CookedLinux(), Loopback(), None])
def test_what_scapy_wrote_is_read(tmp_path: Path, write: object, link: object) -> None:
    inner = IP(PACKET)
    one = inner if link is None else link / inner
    one.time = 1_700_000_000.25
    write(str(tmp_path / "a"), [one, one])  # type: ignore[operator]  # one of two functions
    (first, second) = frames(tmp_path / "a")
    assert first.packet == second.packet == bytes(inner)
    assert first.time == pytest.approx(1_700_000_000_250_000_000, abs=1_000)
    assert TCP in inner


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("magic", "fraction", "time"), [(0xA1B2C3D4, 5, 3_000_005_000), (0xA1B23C4D, 5, 3_000_000_005)]
)
def test_both_byte_orders_and_resolutions(tmp_path: Path, order: str, magic: int, fraction: int, time: int) -> None:
    head = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65_535, RAW)
    record = struct.pack(order + "IIII", 3, 5, len(PACKET), len(PACKET)) + PACKET
    (tmp_path / "a").write_bytes(head + record)
    assert list(frames(tmp_path / "a")) == [Frame(time, PACKET)]


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int, resolution: int | None = None, order: str = "<") -> bytes:
    options = b"" if resolution is None else struct.pack(order + "HHB3x", 9, 1, resolution)
    return block(1, struct.pack(order + "HHI", link, 0, 0) + options, order)


def enhanced(number: int, time: int, octets: bytes, order: str = "<") -> bytes:
    head = struct.pack(order + "IIIII", number, time >> 32, time & 0xFFFFFFFF, len(octets), len(octets))
    return block(6, head + octets, order)


class TestPcapng:
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_interfaces_have_link_types_and_resolutions(self, tmp_path: Path, order: str) -> None:
        (tmp_path / "a").write_bytes(
            section(order)
            + interface(RAW, order=order)
            + interface(ETHERNET, 9, order)
            + block(5, bytes(12), order)  # statistics
            + enhanced(0, 3_000_005, PACKET, order)
            + enhanced(1, 7, bytes(12) + b"\x08\x00" + PACKET, order)
        )
        assert list(frames(tmp_path / "a")) == [Frame(3_000_005_000, PACKET), Frame(7, PACKET)]

    def test_simple_packets_and_a_second_section(self, tmp_path: Path) -> None:
        simple = block(3, struct.pack("<I", len(PACKET)) + PACKET)
        (tmp_path / "a").write_bytes((section() + interface(RAW) + simple) * 2)
        assert list(frames(tmp_path / "a")) == [Frame(0, PACKET)] * 2

    @pytest.mark.parametrize(
        ("octets", "reason"),
        [
            (section()[:8] + b"abcd" + section()[12:], "byte order"),
            (section() + enhanced(0, 1, PACKET), "no interface"),
            (section() + interface(147), "link type 147"),
            (section() + struct.pack("<II", 5, 11), "block of 11 octets"),
            (section() + struct.pack("<II", 5, 1 << 30), "block of"),
            (section() + interface(RAW) + block(6, bytes(8)), "cut off"),
            (section() + block(1, b"\x01\0\0\0"), "cut off"),
            (section() + interface(RAW) + block(6, struct.pack("<IIIII", 0, 0, 0, 999, 999)), "longer than its block"),
        ],
    )
    def test_what_does_not_fit_says_where(self, tmp_path: Path, octets: bytes, reason: str) -> None:
        (tmp_path / "a").write_bytes(octets)
        with pytest.raises(CaptureError, match=reason) as told:
            list(frames(tmp_path / "a"))
        assert 0 < told.value.offset <= len(octets)


PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, RAW)
RECORD = struct.pack("<IIII", 3, 0, len(PACKET), len(PACKET)) + PACKET


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "cut off"),
        (b"%PDF-1.4", "neither pcap nor pcapng"),
        (PCAP[:20], "cut off"),
        (PCAP[:20] + b"\x93\0\0\0", "link type 147"),
        (PCAP + RECORD[:15], "cut off"),
        (PCAP + RECORD[:-1], "cut off"),
        (PCAP + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0), "a packet of 4294967295 octets"),
    ],
)
def test_what_is_no_pcap_says_where(tmp_path: Path, octets: bytes, reason: str) -> None:
    (tmp_path / "a").write_bytes(octets)
    with pytest.raises(CaptureError, match=reason):
        list(frames(tmp_path / "a"))


def test_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(CaptureError, match=str(path)):
            list(frames(path))


WHOLE = [PCAP + RECORD * 2, section() + interface(RAW, 6) + enhanced(0, 5, PACKET)]


@pytest.mark.parametrize("whole", WHOLE, ids=["pcap", "pcapng"])
@given(at=st.integers(0, 200), octets=st.binary(max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_octets_changed_are_frames_or_an_error(tmp_path: Path, whole: bytes, at: int, octets: bytes) -> None:
    (tmp_path / "a").write_bytes(whole[:at] + octets + whole[at + len(octets) :])
    read = 0
    with suppress(CaptureError):
        for _ in frames(tmp_path / "a"):
            read += 1
    assert read <= 4


def test_what_is_written_is_read_again_and_private(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.touch(0o644)
    writer = Writer(path)
    writer.write(3_000_000_005, PACKET)
    writer.close()
    assert list(frames(path)) == [Frame(3_000_000_005, PACKET)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_link_is_not_followed_when_writing(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="link"):
        Writer(tmp_path / "link")
    assert not (tmp_path / "target").exists()
