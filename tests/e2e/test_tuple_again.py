"""A tuple that is used again the moment its last connection is over."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import pytest

from appliance.lab.network import MAPPED_SERVER, SERVER
from bench.loads import retransmitted
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, firewall

pytestmark = pytest.mark.root

PORT = 41_000
TIMES = 8


@pytest.fixture
def box() -> Iterator[Firewall]:
    with firewall("fxp", EXAMPLE) as made:
        yield made


def answer() -> None:
    """One line for one line, to one client after the other."""
    with socket.create_server((str(SERVER), 25)) as listener:
        while True:
            connection, _ = listener.accept()
            with connection, suppress(ConnectionResetError):
                connection.sendall(b"220 mail.inside.example\r\n")
                while connection.recv(100):
                    connection.sendall(b"250 Ok\r\n")


def talk() -> list[bytes]:
    """What is heard from one port, again and again; each connection ends by an RST, which leaves no TIME_WAIT."""
    heard = []
    for _ in range(TIMES):
        with socket.socket() as client:
            client.settimeout(10)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("", PORT))
            client.connect((str(MAPPED_SERVER), 25))
            client.recv(100)
            client.sendall(b"STARTTLS\r\n")
            heard.append(client.recv(100))
    return heard


def test_the_next_connection_begins_at_once(box: Firewall) -> None:
    """Its SYN-ACK comes before the worker hears of that end, and waits for it: the server need not say it again."""
    box.serve(answer)
    assert box.outside(talk).result(60) == [b"250 Ok\r\n"] * TIMES
    with box.ground.within("inside"):
        assert retransmitted() == 0
