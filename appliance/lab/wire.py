"""What crossed a wire: packets seen by a host's own device, and the two streams of a connection put together again.

A tap is a packet socket opened in the host's namespace; it needs no thread, the kernel keeps what it saw until it is
asked. Enough for a dialogue or a burst; it is no capture tool.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.kernel import namespaces
from appliance.tcp.segment import SYN

_ETH_P_IP = 0x0800
_SO_RCVBUFFORCE = 33  # asm-generic/socket.h
_BUFFER = 32 << 20  # octets the kernel may keep for us


@dataclass(frozen=True, slots=True)
class Seen:
    """A TCP segment as it passed."""

    source: IPv4Address
    port: int
    to: IPv4Address
    to_port: int
    seq: int
    ack: int
    flags: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """Some octets of a dialogue, by who said them."""

    from_client: bool
    octets: bytes


class Tap:
    """Listens on a device of a namespace from now on."""

    def __init__(self, namespace: str, device: str = "eth0") -> None:
        with namespaces.within(namespace):
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, socket.htons(0x0003)
            )
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            self._socket.bind((device, 0x0003))  # ETH_P_ALL: what is sent is seen too
        self._socket.setblocking(False)

    def packets(self) -> Iterator[bytes]:
        """The IPv4 packets since the last call, fragments as they are."""
        with contextlib.suppress(BlockingIOError):
            while True:
                packet, (_, protocol, *_) = self._socket.recvfrom(1 << 17)
                if protocol == _ETH_P_IP:
                    yield packet

    def segments(self) -> Iterator[Seen]:
        """The TCP segments since the last call; what came in fragments is not put together."""
        for packet in self.packets():
            if packet[9] == socket.IPPROTO_TCP and not is_fragment(packet):
                yield _segment(packet)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def is_fragment(packet: bytes) -> bool:
    """The packet is one of several."""
    return bool(int.from_bytes(packet[6:8], "big") & 0x3FFF)


def _segment(packet: bytes) -> Seen:
    ihl, length = (packet[0] & 15) * 4, int.from_bytes(packet[2:4], "big") or len(packet)
    port, to_port, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", packet, ihl)
    payload = packet[ihl + (offset >> 4) * 4 : length]
    return Seen(IPv4Address(packet[12:16]), port, IPv4Address(packet[16:20]), to_port, seq, ack, flags, payload)


def dialogue(segments: list[Seen], client_port: int, server_port: int = 25) -> list[Piece]:
    """The octets of one connection in the order they passed, each octet once."""
    expected: dict[bool, int] = {}
    pieces: list[Piece] = []
    for each in segments:
        if {each.port, each.to_port} != {client_port, server_port}:
            continue
        from_client = each.port == client_port
        if each.flags & SYN:
            expected[from_client] = (each.seq + 1) & 0xFFFFFFFF
            continue
        skip = (expected.get(from_client, each.seq) - each.seq) & 0xFFFFFFFF
        fresh = each.payload[skip:] if skip < len(each.payload) else b""
        if fresh:
            expected[from_client] = (each.seq + len(each.payload)) & 0xFFFFFFFF
            pieces.append(Piece(from_client, fresh))
    return pieces


def stream(pieces: list[Piece], from_client: bool) -> bytes:
    """All octets of one side."""
    return b"".join(piece.octets for piece in pieces if piece.from_client is from_client)
