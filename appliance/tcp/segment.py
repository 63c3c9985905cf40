"""An IPv4 packet with a TCP segment in it, viewed by `struct` over its octets.

`read` looks at the two headers and judges nothing but their form; what is no segment comes back as the reason. Where
the payload ends is what the IP header's total length says, never the packet's (a capture's padding is not payload).
Of an ordinary packet the numbers are all there is to know (`header`); a `Segment` is made where more is asked.
A segment is never changed: every `with_…` and `without_…` makes another, of the same length, that knows it differs
from what arrived; only such a one is ever rebuilt, with its full TCP checksum, because a packet of a virtual link
comes with the sum not computed yet and one given back modified is taken as complete (design §2).
Sources: RFC 791 §3.1, RFC 9293 §3.1, RFC 8684 §3 (Multipath TCP), RFC 7413 §4.1.1 and RFC 6994 (Fast Open),
RFC 7323 §3 (timestamps), RFC 2018 §2 (selective acknowledgments).
"""

from __future__ import annotations

import enum
import re
import struct
from ipaddress import IPv4Address

FIN = 0x01
SYN = 0x02
RST = 0x04
ACK = 0x10
URG = 0x20

_IP_HEADER = 20  # octets, without options
_IPV4_WITHOUT_OPTIONS = 0x45  # version and header length
_TCP_HEADER = 20
_TCP = 6  # the protocol's number
_FRAGMENT = 0x3FFF  # More Fragments and the fragment offset; Don't Fragment is none of ours

#: version and length, total length, flags and fragment offset, protocol
_IP = struct.Struct("!BxH2xHxB")
#: sequence number, acknowledgment number, data offset, flags
_PORTS_TO_FLAGS = struct.Struct("!4xIIBBH")
#: both headers where the first has no options: addresses and ports in one piece
_BOTH = struct.Struct("!BxH2xHxB2x12sIIBBH").unpack_from
_SHORTEST = _IP_HEADER + _TCP_HEADER

#: a whole header each: of IP without options, and of TCP but for them
_IP_OF_OURS = struct.Struct("!BBHHHBBH")
_TCP_OF_OURS = struct.Struct("!HHIIBBHHH")
_DONT_FRAGMENT = 0x4000
_TTL = 64  # RFC 1700

_CHECKSUM = 16  # where the TCP header keeps it
_URGENT = 18

_END_OF_OPTIONS = 0
_NOP = 1
_SACK_PERMITTED = 4
_TIMESTAMPS = 8
_TIMESTAMPS_ALONE = b"\x01\x01\x08\x0a"  # as RFC 7323 §A has them, and nearly every packet
_MPTCP = 30
_FAST_OPEN = 34
_EXPERIMENTS = frozenset({253, 254})
_FAST_OPEN_EXPERIMENT = b"\xf9\x89"
#: What nearly every SYN-ACK has, each whole: NOP, maximum segment size, window scale, SACK permitted, timestamps.
_USUAL_OPTIONS = re.compile(rb"(?:\x01|\x02\x04..|\x03\x03.|\x04\x02|\x08\x0a.{8})*", re.DOTALL)


class Malformed(enum.Enum):
    """Why a packet is no segment that can be inspected."""

    SHORT = "shorter than an IPv4 header"
    NOT_IPV4 = "not IPv4"
    IP_HEADER = "IPv4 header length or total length impossible"
    TRUNCATED = "the copy ends before the packet does"
    FRAGMENT = "a fragment"
    NOT_TCP = "not TCP"
    TCP_HEADER = "TCP header cut off or its length impossible"


#: Of a whole segment: addresses and ports as the sender writes them, where the TCP header begins, where the payload
#: begins, where it ends (the IP header's total length), sequence and acknowledgment number, flags, window.
Header = tuple[bytes, int, int, int, int, int, int, int]


class Segment:
    """A whole segment: its `header`'s fields, and what is asked of the packet beyond them."""

    __slots__ = ("ack", "changed", "end", "flags", "key", "packet", "seq", "start", "tcp", "window")

    packet: bytes
    key: bytes  # what a flow table looks up
    changed: bool  # `packet` differs from what arrived: its checksum is not right yet

    def __init__(self, packet: bytes, header: Header, changed: bool = False) -> None:
        self.packet = packet
        self.key, self.tcp, self.start, self.end, self.seq, self.ack, self.flags, self.window = header
        self.changed = changed

    @property
    def payload(self) -> bytes:
        """The octets of the stream that the segment carries."""
        return self.packet[self.start : self.end]

    def _with(self, at: int, octets: bytes, flags: int) -> Segment:
        packet = self.packet[:at] + octets + self.packet[at + len(octets) :]
        header = self.key, self.tcp, self.start, self.end, self.seq, self.ack, flags, self.window
        return Segment(packet, header, changed=True)

    def with_payload(self, octets: bytes) -> Segment:
        """Another payload of the same length; this very segment if it is the one it has."""
        if octets == self.packet[self.start : self.end]:
            return self
        if len(octets) != self.end - self.start:
            raise ValueError("an edit keeps the length")
        return self._with(self.start, octets, self.flags)

    def without_urgent(self) -> Segment:
        """URG and the urgent pointer cleared: every octet is read in its place."""
        flags = self.flags & ~URG
        at = self.tcp + 13
        head = bytes((flags,)) + self.packet[at + 1 : self.tcp + _URGENT] + b"\0\0"
        return self._with(at, head, flags)

    def without_bypasses(self) -> Segment:
        """Multipath TCP and Fast Open options made NOP; this very segment if it has none.

        Either would carry octets of the stream where nobody looks: over another path, or in a SYN.
        """
        at = self.tcp + _TCP_HEADER
        options = self.packet[at : self.start]
        if _USUAL_OPTIONS.fullmatch(options):
            return self
        harmless = _harmless(options)
        return self if harmless == options else self._with(at, harmless, self.flags)

    @property
    def timestamp(self) -> int | None:
        """What its timestamps option says of when it was sent."""
        at = self._timestamp()
        return None if at is None else int.from_bytes(self.packet[at : at + 4], "big")

    def not_older_than(self, stamp: int | None) -> Segment:
        """Its timestamp raised to `stamp`; this very segment if it need not be, or has none."""
        at = self._timestamp()
        if at is None or stamp is None:
            return self
        older = (stamp - int.from_bytes(self.packet[at : at + 4], "big")) % (1 << 32)
        return self._with(at, stamp.to_bytes(4, "big"), self.flags) if 0 < older < 1 << 31 else self

    def permits_sack(self) -> bool:
        """Whether a SYN or SYN-ACK agrees to selective acknowledgments."""
        return self._option(_SACK_PERMITTED, 2) is not None

    def _timestamp(self) -> int | None:
        at = self.tcp + _TCP_HEADER
        if self.packet[at : at + 4] == _TIMESTAMPS_ALONE and at + 12 <= self.start:
            return at + 4
        return self._option(_TIMESTAMPS, 10)

    def _option(self, wanted: int, length: int) -> int | None:
        """Where in the packet the value of an option of that kind and length is."""
        packet, at = self.packet, self.tcp + _TCP_HEADER
        while at + length <= self.start:
            kind = packet[at]
            if kind == wanted:
                return at + 2 if packet[at + 1] == length else None
            if kind == _END_OF_OPTIONS or (kind != _NOP and packet[at + 1] < 2):
                return None
            at += 1 if kind == _NOP else packet[at + 1]
        return None

    def finished(self) -> bytes:
        """The packet with its full TCP checksum; the IP header is never touched."""
        packet, tcp = self.packet, self.tcp
        before, behind = packet[tcp : tcp + _CHECKSUM], packet[tcp + _CHECKSUM + 2 : self.end]
        summed = checksum(_pseudo_header(packet, self.end - tcp) + before + b"\0\0" + behind)
        return packet[: tcp + _CHECKSUM] + summed.to_bytes(2, "big") + packet[tcp + _CHECKSUM + 2 :]

    def intact(self) -> bool:
        """Whether both checksums are right."""
        tcp = self.tcp
        segment = self.packet[tcp : self.end]
        return not checksum(self.packet[:tcp]) and not checksum(_pseudo_header(self.packet, len(segment)) + segment)


def read(packet: bytes) -> Segment | Malformed:
    """The segment in an IPv4 packet, or why there is none."""
    found = header(packet)
    return found if isinstance(found, Malformed) else Segment(packet, found)


def header(packet: bytes) -> Header | Malformed:
    """What the headers of an IPv4 packet say if it is a whole segment, or why it is none."""
    if len(packet) >= _SHORTEST:
        version, end, fragment, protocol, key, seq, ack, length, flags, window = _BOTH(packet)
        start = _IP_HEADER + (length >> 4) * 4
        if (
            version == _IPV4_WITHOUT_OPTIONS
            and protocol == _TCP
            and not fragment & _FRAGMENT
            and _SHORTEST <= start <= end <= len(packet)
        ):
            return key, _IP_HEADER, start, end, seq, ack, flags, window
    return _unusual_header(packet)


def _unusual_header(packet: bytes) -> Header | Malformed:
    """The same of any packet, step by step."""
    size = len(packet)
    if size < _IP_HEADER:
        return Malformed.SHORT
    version, end, fragment, protocol = _IP.unpack_from(packet)
    if version >> 4 != 4:
        return Malformed.NOT_IPV4
    tcp = (version & 0xF) * 4
    if tcp < _IP_HEADER or end < tcp:
        return Malformed.IP_HEADER
    if size < end:
        return Malformed.TRUNCATED
    if fragment & _FRAGMENT:
        return Malformed.FRAGMENT
    if protocol != _TCP:
        return Malformed.NOT_TCP
    if end < tcp + _TCP_HEADER:
        return Malformed.TCP_HEADER
    seq, ack, length, flags, window = _PORTS_TO_FLAGS.unpack_from(packet, tcp)
    start = tcp + (length >> 4) * 4
    if start < tcp + _TCP_HEADER or start > end:
        return Malformed.TCP_HEADER
    return packet[12:20] + packet[tcp : tcp + 4], tcp, start, end, seq, ack, flags, window


def bare(
    source: IPv4Address,
    port: int,
    to: IPv4Address,
    to_port: int,
    seq: int,
    ack: int,
    flags: int,
    window: int = 0,
    options: bytes = b"",
) -> bytes:
    """A packet of our own: a segment without payload, both checksums right. `options` are padded to four octets."""
    length = _TCP_HEADER + len(options)
    tcp = _TCP_OF_OURS.pack(port, to_port, seq, ack, length << 2, flags, window, 0, 0) + options
    ip = _IP_OF_OURS.pack(_IPV4_WITHOUT_OPTIONS, 0, _IP_HEADER + length, 0, _DONT_FRAGMENT, _TTL, _TCP, 0)
    packet = ip + source.packed + to.packed + tcp
    found = checksum(_pseudo_header(packet, length) + tcp).to_bytes(2, "big")
    at = _IP_HEADER + _CHECKSUM
    return with_ip_checksum(packet[:at] + found + packet[at + 2 :], _IP_HEADER)


def checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071) at C speed: 2**16 is 1 modulo 0xffff, so a remainder is the folded sum.

    Octets that hold their own right checksum give 0. The sum of anything that is not all zeros is never +0: where
    the remainder is 0 the folded sum is 0xffff, whose complement is 0.
    """
    if len(octets) & 1:
        octets += b"\0"
    remainder = int.from_bytes(octets, "big") % 0xFFFF
    return 0xFFFF - remainder if remainder else 0


def with_ip_checksum(packet: bytes, header: int) -> bytes:
    """`packet` with the checksum of its IP header of `header` octets put right."""
    blank = packet[:10] + b"\0\0" + packet[12:header]
    return packet[:10] + checksum(blank).to_bytes(2, "big") + packet[12:]


def _pseudo_header(packet: bytes, length: int) -> bytes:
    return packet[12:20] + b"\0\x06" + length.to_bytes(2, "big")


def _harmless(options: bytes) -> bytes:
    """TCP options with those that would take octets past inspection made NOP, and all behind an impossible length."""
    edited = bytearray(options)
    at = 0
    while at < len(options) and options[at] != _END_OF_OPTIONS:
        if options[at] == _NOP:
            at += 1
            continue
        length = options[at + 1] if at + 1 < len(options) else 0
        if length < 2 or at + length > len(options):
            edited[at:] = bytes((_NOP,)) * (len(options) - at)  # nobody knows what a peer would make of it
            break
        if _bypasses(options[at : at + length]):
            edited[at : at + length] = bytes((_NOP,)) * length
        at += length
    return bytes(edited)


def _bypasses(option: bytes) -> bool:
    kind = option[0]
    return kind in (_MPTCP, _FAST_OPEN) or (kind in _EXPERIMENTS and option[2:4] == _FAST_OPEN_EXPERIMENT)
