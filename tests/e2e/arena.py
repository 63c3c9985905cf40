"""Where the attacks happen: the example's firewall, an adversary outside, a server inside that records what it read.

The packets of an attack, as they were on the wire outside, serve a second time as captures:

    sudo .venv/bin/python -m tests.e2e.arena tests/datapath/adversary [ATTACK ...]
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from appliance.lab.network import SERVER
from appliance.lab.wire import Tap
from appliance.replay.capture import Writer
from appliance.tcp.segment import Segment, read
from tests.appliances import EXAMPLE
from tests.e2e.adversary import EHLO, Adversary
from tests.e2e.attacks import ATTACKS
from tests.e2e.firewall import Firewall, firewall
from tests.ground import Child

FIRST_PORT = 52_000


class Arena(Firewall):
    """A firewall between the adversary and a server that writes down what it read."""

    def __post_init__(self) -> None:
        self._begun: dict[int, Child] = {}  # by port

    def start(self) -> None:
        """Nobody outside but the adversary answers the server; the server listens, and writes where `home` is."""
        ports = f"{FIRST_PORT}:{FIRST_PORT + 999}"
        self.ground.run("outside", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", ports, "-j", "DROP")
        self.ground.run("inside", "sysctl", "-qw", "net.ipv4.tcp_fastopen=1027")  # server side, cookies not needed
        self.serve(lambda: serve(self.home))

    def run(self, name: str, attempt: int = 0, beside: int = 0) -> tuple[list[bytes], list[bytes]]:
        """One attack: what the server may have read, and the packets as they were outside.

        So many that come behind it in the table are begun beside it.
        """
        names = list(ATTACKS)
        first = names.index(name)
        for each in names[first : first + 1 + beside]:
            port = _port(each, attempt)
            if port not in self._begun:
                self._begun[port] = self._begin(each, port)
        allowed, packets = self._begun[_port(name, attempt)].result(60)
        return allowed, packets

    def _begin(self, name: str, port: int) -> Child:
        def work() -> tuple[list[bytes], list[bytes]]:
            host = self.lab.network.namespace("outside")
            tap, record = Tap(host), Tap(host)
            it = Adversary(tap, port)
            allowed = [EHLO + each for each in ATTACKS[name](it)]
            it.close()
            time.sleep(0.05)
            return allowed, [_summed(each, port) for each in record.packets() if _is_of(each, port)]

        return self.outside(work)

    def received(self, name: str, attempt: int = 0) -> bytes:
        """What the server read in that attack."""
        path = self.home / str(_port(name, attempt))
        return path.read_bytes() if path.exists() else b""


def _port(name: str, attempt: int) -> int:
    """The client's, of an attack's first attempt and of later ones."""
    return FIRST_PORT + list(ATTACKS).index(name) + 100 * attempt


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
    """One with the example's rule file; nothing is left of it."""
    with firewall(prefix, EXAMPLE, Arena) as made:
        made.start()
        yield made


def serve(home: Path) -> None:
    """A server that would do whatever it is told, and writes down, by the client's port, what it read."""
    reply = {b"EHLO": b"250-mail.inside.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n", b"STAR": b"220 go ahead\r\n"}
    listener = _listener()
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


def main() -> None:
    """Run every attack, or those named, and keep its packets."""
    directory, *names = sys.argv[1:]
    with arena("fxr") as made:
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
