"""`inspect esmtp fail-open`, live: what its worker did not see the end of goes on, unread; what begins is inspected."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from appliance.control.protocol import ShowAsp
from appliance.lab.network import MAPPED_SERVER, SERVER
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, firewall
from tests.ground import eventually

pytestmark = pytest.mark.root


def serve() -> None:
    """To every client: a greeting, then what it says."""
    listener = socket.create_server((str(SERVER), 25))
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            connection.sendall(b"220 mail.inside.example ESMTP\r\n")
            while octets := connection.recv(1000):
                connection.sendall(b"500 " + octets)
            os._exit(0)
        connection.close()


@pytest.fixture
def box() -> Iterator[Firewall]:
    with firewall("fxo", EXAMPLE.replace("  inspect esmtp\n", "  inspect esmtp fail-open\n")) as made:
        yield made


def test_a_worker_killed_lets_its_connections_go_on(box: Firewall) -> None:
    def connect() -> socket.socket:
        with box.ground.within("outside"):
            return socket.create_connection((str(MAPPED_SERVER), 25), 10)

    box.serve(serve)
    client = connect()

    def said(octets: bytes) -> bytes:
        client.sendall(octets)
        return client.recv(1000)

    assert b"mail" not in client.recv(1000)
    assert said(b"STARTTLS\r\n") == b"500 XXXXXXXX\r\n"
    before = box.workers()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not box.workers() & before)
    assert said(b"STARTTLS\r\n") == b"500 STARTTLS\r\n", "whether there is a new worker yet or not"
    assert eventually(lambda: bool(box.workers()))
    assert said(b"NOOP\r\n") == b"500 NOOP\r\n"
    assert eventually(lambda: said(b"NOOP\r\n") and "900006" in box.text())
    with connect() as another:
        assert b"mail" not in another.recv(1000), "a new connection is inspected"
    assert box.text().count("900006") == 1
    path = box.answer(ShowAsp())
    assert {each.worker_pid for each in path.queues} == box.workers()
    assert sum(path.verdicts.values()) > 0
    client.close()
