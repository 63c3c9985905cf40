"""A client that does not keep to TCP: a connection made by hand, segment by segment, by scapy."""

from __future__ import annotations

import socket
import time
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.packet import Raw

from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER
from appliance.lab.wire import Tap
from appliance.tcp.segment import SYN

EHLO = b"EHLO client.outside.example\r\n"
_QUIET = 0.25  # s without a packet: nobody will say more
_PATIENCE = 5.0  # s for an answer that will come


class Adversary:
    """One connection from `port`, at offsets of its own stream; `next` is where it would go on."""

    def __init__(self, tap: Tap, port: int, isn: int = 1_000_000) -> None:
        self._tap, self.port = tap, port
        self._out = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
        self.first = isn + 1
        self._ack = 0
        self._echo = 0  # the server's last timestamp
        self.next = 0
        self.syn_ack = b""
        self.heard = b""

    # --- sending ------------------------------------------------------------------------------------------------

    def segment(
        self,
        at: int,
        octets: bytes = b"",
        flags: str = "PA",
        *,
        ttl: int = 64,
        options: tuple[Any, ...] = (),
        old: bool = False,
        urgent: int = 0,
        ack: int = 0,
    ) -> IP:
        """A segment at offset `at`; `old` has a timestamp the server drops it for (PAWS), `ack` is an offset more."""
        clock = 5_000_000 if old else 10_000_000 + int(time.monotonic() * 1000) % 1_000_000
        stamps = [("Timestamp", (clock, self._echo))]
        return (
            IP(src=str(CLIENTS[0]), dst=str(MAPPED_SERVER), ttl=ttl, id=self.port)
            / TCP(
                sport=self.port,
                dport=25,
                seq=(self.first + at) % 2**32,
                ack=(self._ack + ack) % 2**32 if "A" in flags else 0,
                flags=flags,
                urgptr=urgent,
                window=60_000,
                options=[*stamps, *options],
            )
            / Raw(octets)
        )

    def put(self, *packets: Any) -> None:
        """Onto the wire, in this order."""
        for packet in packets:
            self._out.sendto(bytes(packet), (str(MAPPED_SERVER), 0))

    def say(self, octets: bytes, **how: Any) -> None:
        """The stream goes on with `octets`."""
        self.put(self.segment(self.next, octets, **how))
        self.next += len(octets)

    def at(self, offset: int, octets: bytes, **how: Any) -> None:
        """`octets` at `offset` from where the stream would go on, which does not go on."""
        self.put(self.segment(self.next + offset, octets, **how))

    def reply(self, octets: bytes) -> None:
        """What the server would say next, from its real address, to ourselves by way of the firewall."""
        self.put(
            IP(src=str(SERVER), dst=str(CLIENTS[0]))
            / TCP(
                sport=25,
                dport=self.port,
                seq=self._ack,
                ack=(self.first + self.next) % 2**32,
                flags="PA",
                window=60_000,
            )
            / Raw(octets)
        )

    # --- hearing ------------------------------------------------------------------------------------------------

    def listen(self, reply: bool = True) -> bytes:
        """What the server says until it ends a line, acknowledged; without `reply` until all is quiet."""
        said, until = b"", time.monotonic() + (_PATIENCE if reply else _QUIET)
        while time.monotonic() < until:
            for each in self._tap.segments():
                if each.to_port != self.port:
                    continue
                if each.flags & SYN:
                    self.syn_ack, self._ack = b"seen", (each.seq + 1) % 2**32
                    return b""
                if (each.seq - self._ack) % 2**32 == 0 and each.payload:
                    said += each.payload
                    self._ack = (self._ack + len(each.payload)) % 2**32
                    self.put(self.segment(self.next, flags="A"))
                if not reply:
                    until = time.monotonic() + _QUIET
            if reply and said.endswith(b"\n"):
                break
            time.sleep(0.005)
        self.heard += said
        return said

    def open(self, **syn: Any) -> None:
        """A handshake, the greeting, and EHLO with its answer."""
        self.handshake(**syn)
        self.put(self.segment(0, flags="A"))
        self.greet()

    def handshake(self, octets: bytes = b"", options: tuple[Any, ...] = ()) -> None:
        """The SYN, and the SYN-ACK it is answered with; dropped, it comes again without data."""
        self.put(self.segment(-1, octets, "S", options=(("MSS", 1460), *options)))
        self.listen(reply=not octets)
        if not self.syn_ack:
            self.put(self.segment(-1, b"", "S", options=(("MSS", 1460), *options)))
            self.listen()

    def greet(self) -> None:
        """The greeting is heard, EHLO said and answered."""
        self.listen()
        self.say(EHLO)
        self.listen()

    def close(self) -> None:
        """Nothing is left on our side."""
        self.listen(reply=False)
        self.put(self.segment(self.next, flags="RA"))
        self._out.close()
