"""Half-open connections on purpose: SYNs from many of the lab's addresses whose answers are never answered."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address

from appliance.lab.wire import Seen
from appliance.tcp.segment import ACK, RST, SYN, bare

#: The clients' port, and their initial sequence number.
PORT = 50_000
_FIRST = 1_000_000
_WINDOW = 0xFFFF
_RULE = ["-p", "tcp", "--dport", str(PORT), "-j", "DROP"]


@contextlib.contextmanager
def unanswered() -> Iterator[None]:
    """This host does not answer what comes to `PORT`: else it would reset connections it knows nothing of."""
    subprocess.run(["iptables", "-A", "INPUT", *_RULE], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-D", "INPUT", *_RULE], check=True, capture_output=True)


def send(server: IPv4Address, clients: Sequence[IPv4Address], port: int = 25) -> list[IPv4Address]:
    """A SYN from each client, as fast as they go."""
    with _raw() as out:
        for client in clients:
            out.sendto(syn(client, server, PORT, port), (str(server), 0))
    return list(clients)


def give_up(server: IPv4Address, clients: Iterable[IPv4Address], port: int = 25) -> None:
    """An RST from each client: the places are free again."""
    with _raw() as out:
        for client in clients:
            out.sendto(bare(client, PORT, server, port, _FIRST + 1, 0, RST), (str(server), 0))


def syn(client: IPv4Address, server: IPv4Address, client_port: int, port: int = 25) -> bytes:
    """An IPv4 packet with a SYN, for who sends it himself."""
    return bare(client, client_port, server, port, _FIRST, 0, SYN, _WINDOW)


def acknowledge(server: IPv4Address, client: IPv4Address, ack: int, port: int = 25) -> None:
    """The ACK with which a client would finish its handshake."""
    with _raw() as out:
        out.sendto(bare(client, PORT, server, port, _FIRST + 1, ack & 0xFFFFFFFF, ACK, _WINDOW), (str(server), 0))


def answers(seen: Iterable[Seen], server: IPv4Address) -> set[IPv4Address]:
    """The clients that got a SYN-ACK."""
    return {
        each.to
        for each in seen
        if each.source == server and each.to_port == PORT and each.flags & (SYN | ACK) == SYN | ACK
    }


def _raw() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
