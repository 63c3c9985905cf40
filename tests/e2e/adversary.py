"""A client that does not keep to TCP: raw segments, made by scapy, that try to get octets past whoever watches.

Each attack opens a connection by hand, says EHLO, and then tries to make the server read a verb that inspection would
have X-ed: the firewall is to see one thing and the server another. What the server may have read of it is the
attack's own answer. Its packets, as they were on the wire outside, serve a second time as captures:

    sudo .venv/bin/python -m tests.e2e.adversary tests/datapath/adversary [ATTACK ...]
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, TCP, IPOption_RR, fragment
from scapy.packet import Raw

from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER, Network
from appliance.lab.wire import Tap
from appliance.replay.capture import Writer
from appliance.tcp.segment import SYN, Segment, read
from tests.ground import Ground

EHLO = b"EHLO client.outside.example\r\n"
#: What the server must never read, however it comes.
FORBIDDEN = (b"STARTTLS", b"XEXCH50")
FIRST_PORT = 52_000
_QUIET = 0.25  # s without a packet: nobody will say more
_PATIENCE = 5.0  # s for an answer that will come

#: Options by their names in scapy.
MD5 = (19, b"\xab" * 16)  # a server without a key for us drops such a segment, whatever else it is
MP_CAPABLE = (30, b"\x01\x81" + b"\x11" * 8)
FAST_OPEN = (34, b"")


class Adversary:
    """One connection from `port`, at offsets of its own stream; `next` is where it would go on."""

    def __init__(self, tap: Tap, port: int, isn: int = 1_000_000) -> None:
        self._tap, self.port = tap, port
        self._out = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
        self._first = isn + 1
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
            IP(src=str(CLIENTS[0]), dst=str(MAPPED_SERVER), ttl=ttl)
            / TCP(
                sport=self.port,
                dport=25,
                seq=(self._first + at) % 2**32,
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


Attack = Callable[[Adversary], list[bytes]]
#: Every attack by its name. It answers with what the server may have read behind EHLO: one of these streams.
ATTACKS: dict[str, Attack] = {}


def _attack(function: Attack) -> Attack:
    ATTACKS[function.__name__] = function
    return function


def _smuggle(it: Adversary, verb: bytes, **ignored: Any) -> list[bytes]:
    """A harmless line that the server does not take, and the verb in its place."""
    harmless = b"NOOP " + b"x" * (len(verb) - 7) + b"\r\n"
    it.open()
    it.at(0, harmless, **ignored)
    it.listen(reply=False)
    it.at(0, verb)
    it.listen(reply=False)
    return [harmless]


@_attack
def a_retransmission_that_says_starttls(it: Adversary) -> list[bytes]:
    return _smuggle(it, b"STARTTLS\r\n", old=True)


@_attack
def a_retransmission_that_says_an_unsupported_verb(it: Adversary) -> list[bytes]:
    return _smuggle(it, b"XEXCH50 1 2\r\n", old=True)


@_attack
def a_retransmission_behind_one_with_an_md5_option(it: Adversary) -> list[bytes]:
    return _smuggle(it, b"STARTTLS\r\n", options=(MD5,))


@_attack
def a_retransmission_behind_one_that_acknowledges_the_future(it: Adversary) -> list[bytes]:
    return [*_smuggle(it, b"STARTTLS\r\n", ack=100_000), b"XXXXXXXX\r\n"]


@_attack
def a_retransmission_that_merges_and_goes_on(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"NOOP\r\n", old=True)
    it.listen(reply=False)
    it.at(0, b"EVIL\r\nSTARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP\r\nXXXXXXXX\r\n"]


@_attack
def low_ttl(it: Adversary) -> list[bytes]:
    """The harmless copy dies in the firewall, the next one at the server's door."""
    it.open()
    for ttl in (1, 2):
        it.at(0, b"NOOP xxx\r\n" if ttl == 1 else b"STARTTLS\r\n", ttl=ttl)
    it.listen(reply=False)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def wrong_checksum(it: Adversary) -> list[bytes]:
    it.open()
    for octets in (b"NOOP xxx\r\n", b"STARTTLS\r\n"):
        packet = it.segment(it.next, octets)
        packet[TCP].chksum = 0x1234
        it.put(packet)
    it.listen(reply=False)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def overlapping_segments_of_two_minds(it: Adversary) -> list[bytes]:
    it.open()
    it.at(5, b"xxx\r\n")  # waits
    it.at(4, b"TTLS\r\n")  # another mind, one octet earlier
    it.at(2, b"OP xxx\r\n")
    it.at(0, b"NO")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP xxx\r\n", b"XXXXXXXX\r\n", b"XXXX xxx\r\n", b"XXOP xxx\r\n"]


@_attack
def one_octet_each_backwards(it: Adversary) -> list[bytes]:
    it.open()
    verb = b"STARTTLS\r\n"
    it.put(*(it.segment(it.next + at, verb[at : at + 1]) for at in reversed(range(len(verb)))))
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def an_octet_before_the_stream_goes_on(it: Adversary) -> list[bytes]:
    it.open()
    it.at(-3, b"X\r\nSTARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def urgent(it: Adversary) -> list[bytes]:
    """An urgent octet is taken out of the stream by most servers: STARTyTLS would be STARTTLS."""
    it.open()
    it.at(0, b"STARTyTLS\r\n", flags="PAU", urgent=6)
    it.listen(reply=False)
    return [b"XXXXXXXXX\r\n"]


@_attack
def an_urgent_pointer_alone(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"NOOP\r\n", flags="PAU", urgent=60_000)
    it.listen(reply=False)
    return [b"NOOP\r\n"]


def _fragments(it: Adversary, size: int) -> list[bytes]:
    it.open()
    it.put(*fragment(it.segment(it.next, b"STARTTLS\r\n"), fragsize=size))
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def tiny_fragments(it: Adversary) -> list[bytes]:
    return _fragments(it, 8)


@_attack
def fragments_behind_the_header(it: Adversary) -> list[bytes]:
    return _fragments(it, 32)


@_attack
def a_reset_out_of_the_window_and_more(it: Adversary) -> list[bytes]:
    it.open()
    for offset in (1, 1_000, 500_000, -1_000):
        it.at(offset, b"", flags="R")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def a_reset_the_server_ignores_and_more(it: Adversary) -> list[bytes]:
    """Exact, but with an option the server drops it for: whoever believes it stops looking."""
    it.open()
    it.at(0, b"", flags="RA", options=(MD5,))
    it.listen(reply=False)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def a_reset_with_payload(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"STARTTLS\r\n", flags="RA")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b""]


@_attack
def data_behind_the_fin(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"NOOP\r\n", flags="FPA")
    it.at(6, b"STARTTLS\r\n")
    it.at(7, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP\r\n"]


@_attack
def data_behind_a_fin_the_server_ignores(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"", flags="FA", old=True)
    it.listen(reply=False)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def a_handshake_split_in_two(it: Adversary) -> list[bytes]:
    """The client answers the SYN-ACK with one of its own, and speaks in it."""
    it.handshake()
    it.put(it.segment(-1, b"", "SA"), it.segment(-1, b"STARTTLS\r\n", "SPA"))
    it.put(it.segment(0, flags="A"))
    it.greet()
    return [b""]


@_attack
def a_syn_with_data(it: Adversary) -> list[bytes]:
    it.open(octets=b"STARTTLS\r\n")
    return [b""]


@_attack
def fast_open(it: Adversary) -> list[bytes]:
    it.open(octets=b"STARTTLS\r\n", options=(FAST_OPEN,))
    return [b""]


@_attack
def multipath(it: Adversary) -> list[bytes]:
    it.open(options=(MP_CAPABLE,))
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def around_the_end_of_the_numbers(it: Adversary) -> list[bytes]:
    it._first = 2**32 - len(EHLO) - 4
    it.open()
    it.at(6, b"STARTTLS\r\n")
    it.at(0, b"NOOP\r\n", old=True)
    it.at(0, b"EVIL\r\n")
    it.listen(reply=False)
    return [b"NOOP\r\nXXXXXXXX\r\n", b"NOOP\r\n"]


@_attack
def far_ahead(it: Adversary) -> list[bytes]:
    it.open()
    for ahead in (2**20, 2**30 + 1, 2**31 - 1, 2**31 + 1):
        it.at(ahead, b"STARTTLS\r\n")
    it.at(0, b"NOOP\r\n")
    it.listen(reply=False)
    return [b"NOOP\r\n"]


@_attack
def the_harmless_one_fills_the_gap(it: Adversary) -> list[bytes]:
    """The end of the verb waits; what fills the gap before it overlaps it and is of another mind."""
    it.open()
    it.at(4, b"TTLS\r\n")
    it.at(0, b"NOOP xxx\r\n")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP xxx\r\n", b"NOOPTTLS\r\n", b"NOOPXXXX\r\n", b"XXXXXXXX\r\n"]


@_attack
def the_verb_fills_the_gap(it: Adversary) -> list[bytes]:
    it.open()
    it.at(4, b" xxx\r\n")
    it.at(0, b"STARTTLS\r\n")
    it.at(0, b"NOOP xxx\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n", b"XXXX xxx\r\n", b"STAR xxx\r\n"]


@_attack
def the_same_gap_filled_in_two_ways_and_reset_from_the_side(it: Adversary) -> list[bytes]:
    """A wrong RST between the two, as one behind the scenes would send it."""
    it.open()
    it.at(4, b"TTLS\r\n")
    it.at(10, b"", flags="R")
    it.at(0, b"NOOP", old=True)
    it.at(0, b"STAR")
    it.listen(reply=False)
    return [b"NOOPTTLS\r\n", b"NOOPXXXX\r\n", b"XXXXXXXX\r\n", b""]


@_attack
def without_the_ack_flag(it: Adversary) -> list[bytes]:
    """The server drops what has none."""
    it.open()
    it.at(0, b"NOOP xxx\r\n", flags="P")
    it.at(0, b"NOOP xxx\r\n", flags="")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"NOOP xxx\r\n", b"XXXXXXXX\r\n"]


@_attack
def every_flag_at_once(it: Adversary) -> list[bytes]:
    it.open()
    for flags in ("FSRPAU", "SFA", "SRA", "FRA", "FPU"):
        it.at(0, b"STARTTLS\r\n", flags=flags, urgent=4)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def a_syn_within_the_window(it: Adversary) -> list[bytes]:
    it.open()
    it.at(0, b"STARTTLS\r\n", flags="S")
    it.at(5, b"", flags="S")
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"", b"XXXXXXXX\r\n"]


@_attack
def an_acknowledgment_of_long_ago(it: Adversary) -> list[bytes]:
    """The server drops what acknowledges less than it ever had under way (RFC 5961 section 5)."""
    it.open()
    it.at(0, b"NOOP xxx\r\n", ack=-200_000_000)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP xxx\r\n", b"XXXXXXXX\r\n"]


@_attack
def probes_of_a_closed_window_and_keep_alives(it: Adversary) -> list[bytes]:
    """Octets where nobody looks: the one before the next, and those of a probe."""
    it.open()
    verb = b"STARTTLS\r\n"
    for at in range(len(verb)):
        it.at(at, verb[at : at + 1])
        it.at(at, b"#")
        it.at(at - 1, b"#")
        it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


@_attack
def options_of_every_length(it: Adversary) -> list[bytes]:
    """Beside the timestamps there are 28 octets more, NOPs here: the payload begins elsewhere each time."""
    it.open()
    for words in range(9):
        it.say(b"NOOP\r\n", options=(("NOP", None),) * (4 * words - 2 if words else 2))
        it.listen()
    it.at(0, b"STARTTLS\r\n", options=(("NOP", None),) * 30)
    it.listen(reply=False)
    return [b"NOOP\r\n" * 9 + b"XXXXXXXX\r\n"]


@_attack
def options_longer_than_the_header(it: Adversary) -> list[bytes]:
    """The option says 40 octets; the header ends before. Servers drop it, read it, or read a part of it."""
    it.open()
    it.at(0, b"NOOP xxx\r\n", options=((254, b"\0" * 4),))
    packet = it.segment(it.next, b"STARTTLS\r\n", options=((254, b"\0" * 2),))
    octets = bytearray(bytes(packet))
    at = octets.index(b"\xfe\x04\0\0")
    octets[at + 1] = 40
    again = IP(bytes(octets))
    del again[TCP].chksum
    it.put(again)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"NOOP xxx\r\n"]


@_attack
def fragments_of_two_minds(it: Adversary) -> list[bytes]:
    """The second fragment comes twice, the harmless one first; whoever puts it together takes one of them."""
    return _two_minds(it, b"xxxxx\r\n", b"RTTLS\r\n")


@_attack
def fragments_of_two_minds_the_other_way(it: Adversary) -> list[bytes]:
    return _two_minds(it, b"RTTLS\r\n", b"xxxxx\r\n")


def _two_minds(it: Adversary, *ends: bytes) -> list[bytes]:
    """One segment `STA...` in fragments cut at a multiple of eight: the last one comes in two versions, both summed."""
    it.open()
    head = b"NOOP xxxx\r\nSTA"
    packets = [IP(bytes(it.segment(it.next, head + end))) for end in ends]
    for each in packets:
        each.id = 4_711
        each.flags = 0
        del each.chksum
    cut = 32 + len(head) - (32 + len(head)) % 8
    one, two = (fragment(each, fragsize=cut) for each in packets)
    it.put(one[1], two[1], one[0])
    it.listen(reply=False)
    it.put(one[0], one[1])
    it.listen(reply=False)
    harmless, verb = b"NOOP xxxx\r\nSTAxxxxx\r\n", b"NOOP xxxx\r\nXXXXXXXX\r\n"
    return [b"", b"NOOP xxxx\r\nXXXXXXXX\r\n", harmless, verb]


@_attack
def a_recorded_route_and_a_low_ttl(it: Adversary) -> list[bytes]:
    """IP options move the TCP header, and the harmless copy dies in the firewall."""
    it.open()
    for ttl, octets in ((1, b"NOOP xxx\r\n"), (64, b"STARTTLS\r\n")):
        packet = it.segment(it.next, octets, ttl=ttl)
        packet[IP].options = [IPOption_RR(routers=["0.0.0.0"] * 8)]
        it.put(packet)
    it.at(0, b"STARTTLS\r\n")
    it.listen(reply=False)
    return [b"XXXXXXXX\r\n"]


# --- the server, and where it all happens -----------------------------------------------------------------------------


def serve(home: Path) -> None:
    """A server that would do whatever it is told, and writes down, by the client's port, what it read."""
    reply = {b"EHLO": b"250-mail.inside.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"STAR": b"220 go ahead\r\n"}
    listener = _listener()
    (home / "listening").touch()
    while True:
        connection, (_, port) = listener.accept()
        if os.fork():
            connection.close()
            continue
        listener.close()
        connection.sendall(b"220 mail.inside.example ESMTP\r\n")
        line = b""
        with (home / str(port)).open("wb", buffering=0) as record:
            try:
                while octets := connection.recv(65_536):
                    record.write(octets)
                    *lines, line = (line + octets).split(b"\n")
                    for each in lines:
                        connection.sendall(reply.get(each[:4], b"250 Ok\r\n"))
            except OSError:
                pass
        os._exit(0)


def _listener() -> socket.socket:
    """With Multipath TCP and Fast Open, where the kernel has them."""
    try:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)  # IPPROTO_MPTCP
    except OSError:
        listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((str(SERVER), 25))
    with suppress(OSError):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    listener.listen(64)
    return listener


class Arena:
    """The lab, its firewall and the server."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab, self.home = lab, home
        self.ground = Ground(lab.network)

    def start(self) -> None:
        """Nobody outside but the adversary answers the server; the server listens."""
        ports = f"{FIRST_PORT}:{FIRST_PORT + 999}"
        self.ground.run("outside", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", ports, "-j", "DROP")
        self.ground.run("inside", "sysctl", "-qw", "net.ipv4.tcp_fastopen=1027")  # server side, cookies not needed
        self.ground.beside("inside", lambda: serve(self.home))
        while not (self.home / "listening").exists():
            time.sleep(0.01)

    def run(self, name: str) -> tuple[list[bytes], list[bytes]]:
        """One attack: what the server may have read, and the packets as they were outside."""
        port = FIRST_PORT + list(ATTACKS).index(name)

        def work() -> tuple[list[bytes], list[bytes]]:
            host = self.lab.network.namespace("outside")
            tap, record = Tap(host), Tap(host)
            it = Adversary(tap, port)
            allowed = [EHLO + each for each in ATTACKS[name](it)]
            it.close()
            time.sleep(0.05)
            return allowed, [_summed(each, port) for each in record.packets() if _is_of(each, port)]

        allowed, packets = self.ground.beside("outside", work).result(60)
        return allowed, packets

    def received(self, name: str) -> bytes:
        """What the server read in that attack."""
        path = self.home / str(FIRST_PORT + list(ATTACKS).index(name))
        return path.read_bytes() if path.exists() else b""


def _is_of(packet: bytes, port: int) -> bool:
    """Of the connection from `port`, or a later fragment, which has no ports."""
    if packet[9] != socket.IPPROTO_TCP:
        return False
    head = (packet[0] & 15) * 4
    later = int.from_bytes(packet[6:8], "big") & 0x1FFF
    return bool(later) or port in struct.unpack_from("!HH", packet, head)


def _summed(packet: bytes, port: int) -> bytes:
    """The server's packets leave a virtual link with their checksum not computed."""
    segment = read(packet)
    ours = not isinstance(segment, Segment) or int.from_bytes(segment.key[8:10], "big") == port
    return packet if ours else segment.finished()


@contextmanager
def arena(prefix: str) -> Iterator[Arena]:
    """A lab with the example's firewall; nothing is left of it."""
    with tempfile.TemporaryDirectory(prefix="fixup-adversary-") as place:
        lab = Lab(Network(prefix), Path(place) / "run")
        lab.up(EXAMPLE)
        try:
            made = Arena(lab, Path(place))
            made.start()
            yield made
            made.ground.end()
        finally:
            lab.down()


def main() -> None:
    """Run every attack, or those named, and keep its packets."""
    directory, *names = sys.argv[1:]
    with arena(f"fxr{os.getpid()}") as made:
        for name in names or ATTACKS:
            allowed, packets = made.run(name)
            got = made.received(name)
            print(f"{name}: {'as it should' if got in allowed else 'NOT'} {got!r}")
            writer = Writer(Path(directory) / f"{name}.pcap")
            for number, packet in enumerate(packets):
                writer.write(number * 1_000_000, packet)
            writer.close()


if __name__ == "__main__":
    main()
