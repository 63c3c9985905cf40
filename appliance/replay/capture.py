"""Capture files as IPv4 packets, and back: pcap and pcapng in, pcap out.

A capture is somebody else's file: every length in it is checked before it is believed, and what does not fit is a
`CaptureError` that says where. Only what can be read without guessing is: Ethernet (with VLAN tags), raw IP, BSD
loopback, Linux cooked.
Sources: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng; link types of www.tcpdump.org/linktypes.html.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: The largest packet or block that is read: octets. A packet is at most 65,535 and its link header.
MAX_BLOCK = 1 << 20

_SECOND = 1_000_000_000  # ns
_IPV4 = 0x0800
_VLAN = frozenset({0x8100, 0x88A8, 0x9100})
_MAX_TAGS = 4

_ETHERNET, _LOOPBACK, _COOKED, _COOKED_2 = 1, 0, 113, 276
_RAW = frozenset({12, 14, 101, 228})
_LINK_TYPES = _RAW | {_ETHERNET, _LOOPBACK, _COOKED, _COOKED_2}

_PCAP = {b"\xa1\xb2\xc3\xd4": 1_000, b"\xa1\xb2\x3c\x4d": 1}  # ns per unit of the fraction
_SECTION, _INTERFACE, _SIMPLE, _ENHANCED = 0x0A0D0D0A, 1, 3, 6
_BYTE_ORDER = b"\x1a\x2b\x3c\x4d"
_TSRESOL = 9


class Frame(NamedTuple):
    """One packet of a file: when (ns since 1970; 0 if not told), its IPv4 packet, None if it has another."""

    time: int
    packet: bytes | None


class CaptureError(Exception):
    """The file is no capture, or stops being one at `offset`."""

    def __init__(self, path: Path, offset: int, reason: str) -> None:
        super().__init__(f"{path}: octet {offset}: {reason}")
        self.path = path
        self.offset = offset
        self.reason = reason


def frames(path: Path) -> Iterator[Frame]:
    """The packets of a file in its order. CaptureError where it can't be read."""
    try:
        with path.open("rb") as file:
            yield from _Reader(path, file).frames()
    except OSError as error:
        raise CaptureError(path, 0, error.strerror or "cannot be read") from error


class _Reader:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._at = 0

    def frames(self) -> Iterator[Frame]:
        magic = self._take(4)
        if magic == _SECTION.to_bytes(4, "big"):
            yield from self._pcapng()
        elif magic in _PCAP:
            yield from self._pcap(">", _PCAP[magic])
        elif magic[::-1] in _PCAP:
            yield from self._pcap("<", _PCAP[magic[::-1]])
        else:
            raise self._error("neither pcap nor pcapng")

    def _pcap(self, order: str, unit: int) -> Iterator[Frame]:
        link = struct.unpack(order + "16xI", self._take(20))[0] & 0xFFFF
        self._check_link(link)
        while head := self._take(16, optional=True):
            seconds, fraction, length, _ = struct.unpack(order + "IIII", head)
            if length > MAX_BLOCK:
                raise self._error(f"a packet of {length} octets")
            yield Frame(seconds * _SECOND + fraction * unit, ipv4(self._take(length), link))

    def _pcapng(self) -> Iterator[Frame]:
        order = ""
        interfaces: list[tuple[int, int]] = []  # link type, units per second
        kind: int = _SECTION
        while True:
            length_octets = self._take(4)
            if kind == _SECTION:
                magic = self._take(4)
                order = {_BYTE_ORDER: ">", _BYTE_ORDER[::-1]: "<"}.get(magic, "")
                if not order:
                    raise self._error("no byte order")
                interfaces = []
            length = struct.unpack(order + "I", length_octets)[0]
            read = 12 if kind == _SECTION else 8
            if length % 4 or not read + 4 <= length <= MAX_BLOCK:
                raise self._error(f"a block of {length} octets")
            body = self._take(length - read)[:-4]
            if kind == _INTERFACE:
                interfaces.append(self._interface(order, body))
            elif kind in (_ENHANCED, _SIMPLE):
                yield self._packet(order, body, kind, interfaces)
            head = self._take(4, optional=True)
            if not head:
                return
            kind = struct.unpack(order + "I", head)[0]

    def _interface(self, order: str, body: bytes) -> tuple[int, int]:
        if len(body) < 8:
            raise self._error("an interface block cut off")
        link = struct.unpack_from(order + "H", body)[0]
        self._check_link(link)
        at, units = 8, 1_000_000
        while at + 4 <= len(body):
            code, length = struct.unpack_from(order + "HH", body, at)
            if code == _TSRESOL and length == 1 and at + 5 <= len(body):
                units = (2 if body[at + 4] & 0x80 else 10) ** (body[at + 4] & 0x7F)
            at += 4 + (length + 3) // 4 * 4
        return link, units

    def _packet(self, order: str, body: bytes, kind: int, interfaces: list[tuple[int, int]]) -> Frame:
        head = 20 if kind == _ENHANCED else 4
        if len(body) < head:
            raise self._error("a packet block cut off")
        number, high, low, length = struct.unpack_from(order + "IIII", body) if kind == _ENHANCED else (0, 0, 0, 0)
        if kind == _SIMPLE:
            length = min(struct.unpack_from(order + "I", body)[0], len(body) - head)
        if number >= len(interfaces) or head + length > len(body):
            raise self._error("a packet of no interface, or longer than its block")
        link, units = interfaces[number]
        return Frame((high << 32 | low) * _SECOND // units, ipv4(body[head : head + length], link))

    def _check_link(self, link: int) -> None:
        if link not in _LINK_TYPES:
            raise self._error(f"link type {link} is not read")

    def _take(self, length: int, optional: bool = False) -> bytes:
        octets = self._file.read(length)
        if len(octets) < length and not (optional and not octets):
            raise self._error(f"cut off: {length} octets wanted, {len(octets)} there")
        self._at += len(octets)
        return octets

    def _error(self, reason: str) -> CaptureError:
        return CaptureError(self._path, self._at, reason)


def ipv4(frame: bytes, link: int) -> bytes | None:
    """The IPv4 packet in a frame of link type `link`, None if it holds anything else."""
    at = 0
    if link == _ETHERNET:
        at, kind = 14, frame[12:14]
        for _ in range(_MAX_TAGS):
            if int.from_bytes(kind, "big") in _VLAN:
                at, kind = at + 4, frame[at + 2 : at + 4]
    elif link == _COOKED:
        at, kind = 16, frame[14:16]
    elif link == _COOKED_2:
        at, kind = 20, frame[0:2]
    elif link == _LOOPBACK:
        family = frame[:4]
        at, kind = 4, _IPV4.to_bytes(2, "big") if 2 in (family[:1] + family[3:4]) else b""
    else:
        kind = _IPV4.to_bytes(2, "big")
    if int.from_bytes(kind, "big") != _IPV4 or frame[at : at + 1][:1] < b"\x40" or frame[at : at + 1] > b"\x4f":
        return None
    return frame[at:]


class Writer:
    """A pcap file of raw IPv4 packets, times in ns. It is made anew and readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb")
        os.fchmod(self._file.fileno(), 0o600)  # of a file that was there, too
        self._file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, 101))

    def write(self, time: int, packet: bytes) -> None:
        """One packet, at `time` (ns)."""
        head = struct.pack("<IIII", time // _SECOND & 0xFFFFFFFF, time % _SECOND, len(packet), len(packet))
        self._file.write(head + packet)

    def close(self) -> None:
        """All is written."""
        self._file.close()
