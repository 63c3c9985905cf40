"""`inspect esmtp fail-open`, live: what its worker did not see the end of goes on, unread; what begins is inspected."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control.client import ask
from appliance.control.protocol import ShowAsp, ShowLogging
from appliance.kernel import namespaces, queues
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import MAPPED_SERVER, SERVER, Network
from tests.e2e.box import eventually, workspace
from tests.ground import Ground

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
def lab() -> Iterator[Lab]:
    with workspace() as home:
        config = Path(home / "open.cfg")
        text = EXAMPLE.read_text(encoding="ascii").replace("  inspect esmtp\n", "  inspect esmtp fail-open\n")
        config.write_text(text, encoding="ascii")
        made = Lab(Network(f"fxo{os.getpid()}"), home / "run")
        made.up(config)
        try:
            yield made
        finally:
            made.down()


def workers(lab: Lab) -> set[int]:
    with namespaces.within(lab.network.namespace("firewall")):
        return {each.worker_pid for each in queues.uses()}


def test_a_worker_killed_lets_its_connections_go_on(lab: Lab) -> None:
    ground = Ground(lab.network)
    ground.beside("inside", serve)
    assert eventually(lambda: f"{SERVER}:25" in ground.run("inside", "ss", "-tlnH"))
    with namespaces.within(lab.network.namespace("outside")):
        client = socket.create_connection((str(MAPPED_SERVER), 25), 10)

    def said(octets: bytes) -> bytes:
        client.sendall(octets)
        return client.recv(1000)

    try:
        assert b"mail" not in client.recv(1000)
        assert said(b"STARTTLS\r\n") == b"500 XXXXXXXX\r\n"
        before = workers(lab)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not workers(lab) & before)
        assert said(b"STARTTLS\r\n") == b"500 STARTTLS\r\n", "whether there is a new worker yet or not"
        assert eventually(lambda: bool(workers(lab)))
        assert said(b"NOOP\r\n") == b"500 NOOP\r\n"
        assert eventually(lambda: said(b"NOOP\r\n") and any("900006" in line for line in log(lab)))
        with namespaces.within(lab.network.namespace("outside")):
            another = socket.create_connection((str(MAPPED_SERVER), 25), 10)
        assert b"mail" not in another.recv(1000), "a new connection is inspected"
        another.close()
        assert sum("900006" in line for line in log(lab)) == 1
        path = ask(lab.directory / "control.sock", ShowAsp())
        assert {each.worker_pid for each in path.queues} == workers(lab)
        assert sum(path.verdicts.values()) > 0
    finally:
        client.close()
        ground.end()


def log(lab: Lab) -> tuple[str, ...]:
    return ask(lab.directory / "control.sock", ShowLogging()).lines
