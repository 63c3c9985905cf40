"""Which connections are over: what the root process tells its workers, many to a message.

A FIN or RST right behind everything that went on is not queued, and of an end by the clock or by hand there is no
packet: the kernel's table knows, and its events say so.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from appliance.nat.connection import Ending, TornDown

MAX_MESSAGE = 16_384  # octets
_FINS = Ending.FINS  # asked for with every connection

#: The client's and the server's real address, their ports, when it was over (ns), whether by both FINs.
_ROW = struct.Struct("!4s4sHHQ?")


def encode(torn_down: Iterable[TornDown]) -> list[bytes]:
    """The messages that tell of these."""
    rows = [
        _ROW.pack(
            each.key.client.packed,
            each.real.packed,
            each.key.client_port,
            each.server[1],
            each.time,
            each.ending is _FINS,
        )
        for each in torn_down
    ]
    most = MAX_MESSAGE // _ROW.size
    return [b"".join(rows[at : at + most]) for at in range(0, len(rows), most)]


def decode(message: bytes) -> Iterator[tuple[bytes, int, bool]]:
    """Of each in a message: addresses and ports as its client writes them, when it was over, whether by FINs."""
    for client, server, client_port, port, when, by_fins in _ROW.iter_unpack(message):
        yield client + server + client_port.to_bytes(2, "big") + port.to_bytes(2, "big"), when, by_fins
