"""Segments in a peer's name: the RSTs by which peers learn that inspection closed their connection, the
acknowledgment that tells a sender of the gap that packets wait behind, and what SYNPROXY leaves undone: the SYN that it
sends once, and the RST for a server to whom that SYN is one of a connection it has.

A segment goes out of a raw socket as the other peer would have sent it, addresses included, so the one that gets it
sees what it knows: the mapped address where a static translates. Connection tracking finds no entry for such a tuple
where NAT is between, calls the segment INVALID and leaves its addresses alone (tried live); where there is no NAT it
is the connection's own. An RST's sequence number must be the next one the receiver expects (RFC 5961 §3.2); where TCP
Intercept was between, the kernel's program puts it right on the way out.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.config.topology import Topology
from appliance.flow import Flow
from appliance.kernel.errors import KernelError
from appliance.nat.connection import Expired, Obstructed, Parties, Stranded, Unanswered
from appliance.nat.static import End, Names
from appliance.tcp.segment import ACK, RST, SYN, bare

_WINDOW = 8192  # octets, until the client's first own segment says what it has


class Resetter:
    """Sends them for flows given on real addresses. Who is known by which address where the connection table says,
    and `config` of what is not in it."""

    def __init__(self, config: Config) -> None:
        self.configure(config)
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_RAW)
        except PermissionError as error:
            raise KernelError("sending resets needs a raw socket: run fixup with sudo") from error

    def configure(self, config: Config) -> None:
        """From now on `config` says who is where, and known by what there."""
        self._names = Names(config.all_statics)
        self._topology = Topology(config)

    def reset(self, flow: Flow, to_client: bool, seq: int, ack: int, known: Parties | None = None) -> bool:
        """Send one side an RST with these numbers, as that side counts; False if the kernel would not send it.

        `known` is what the table has of the connection.
        """
        receiver = flow.client if to_client else flow.server
        source = self._as_server(flow, known) if to_client else self._as_client(flow, known)
        return self._reset(*source, receiver.address, receiver.port, seq, ack)

    def turn_away(self, client: Stranded) -> bool:
        """Reset a client to whom only SYNPROXY has spoken."""
        key = client.key
        return self._reset(key.mapped, key.port, key.client, key.client_port, client.seq, client.ack)

    def end(self, connection: Expired) -> None:
        """Reset both ends of a connection that its table has forgotten; as each knows the other."""
        key = connection.key
        self._reset(key.mapped, key.port, key.client, key.client_port, connection.seq, connection.ack)
        self._reset(*self._beyond(connection), *connection.server, connection.ack, connection.seq)

    def clear_the_way(self, obstructed: Obstructed) -> bool:
        """Reset at its server the connection that is in another one's way."""
        return self._reset(*self._beyond(obstructed), *obstructed.server, obstructed.seq, obstructed.ack)

    def acknowledge(
        self, flow: Flow, seq: int, ack: int, window: int, runs: Sequence[tuple[int, int]], known: Parties | None = None
    ) -> bool:
        """Tell the client, in the server's name, that `ack` is missing and each of `runs` has come (RFC 2018)."""
        client, source = flow.client, self._as_server(flow, known)
        sack = struct.pack("!BBBB", 1, 1, 5, 2 + 8 * len(runs))  # two NOPs, then the option
        sack += b"".join(struct.pack("!II", *run) for run in runs)
        packet = bare(*source, client.address, client.port, seq, ack, ACK, window, sack)
        return self._send(packet, client.address)

    def ask_again(self, waiting: Unanswered) -> bool:
        """Send the server once more the SYN that SYNPROXY sent it for a client, the client's cookie in it.

        It has no options: SYNPROXY kept none of the client's. The MSS is then the least (RFC 9293 §3.7.1).
        """
        key = waiting.key
        seq, cookie = (waiting.ack - 1) % 2**32, (waiting.seq - 1) % 2**32
        packet = bare(key.client, key.client_port, key.mapped, key.port, seq, cookie, SYN, _WINDOW)
        return self._send(packet, key.mapped)

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def _as_server(self, flow: Flow, known: Parties | None) -> End:
        """The server as its client knows it."""
        if known:
            return known.key.mapped, known.key.port
        return self._names.mapped(flow.client.interface, flow.server.address, flow.server.port)

    def _as_client(self, flow: Flow, known: Parties | None) -> End:
        """The client as its server knows it."""
        if known:
            return self._beyond(known)
        return self._names.mapped(flow.server.interface, flow.client.address, flow.client.port)

    def _beyond(self, parties: Parties) -> End:
        """The same of a connection that the table has."""
        client = self._topology.ends(parties).beyond
        return client.address, client.port

    def _reset(self, source: IPv4Address, port: int, to: IPv4Address, to_port: int, seq: int, ack: int) -> bool:
        return self._send(bare(source, port, to, to_port, seq, ack, RST | ACK), to)

    def _send(self, packet: bytes, to: IPv4Address) -> bool:
        try:
            self._socket.sendto(packet, (str(to), 0))
        except OSError:
            return False  # no route or no buffer: the peer's own timeout has to do
        return True
