"""Inspection wherever a class sends a connection to it, not at port 25 alone."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import MAPPED_SERVER, SERVER, Network
from tests.e2e.box import eventually, workspace
from tests.ground import Ground

pytestmark = pytest.mark.root

PORTS = (25, 587, 2525, 2526)  # the last of no class
PERMITTED = "access-list outside_in extended permit tcp any host 203.0.113.125 eq smtp\n"
OTHER_PORTS = "".join(PERMITTED.replace("eq smtp", f"eq {port}") for port in PORTS[1:])
CLASSES = """\
class-map submission
 match port tcp eq 587
class-map other
 match port tcp eq 2525
policy-map global_policy
 class submission
  inspect esmtp
 class other
  inspect esmtp
"""


def serve() -> None:
    """At every port, one client after the other: greets, answers EHLO, and repeats what it is told."""
    listeners = [socket.create_server((str(SERVER), port)) for port in PORTS]
    for listener in listeners:
        if os.fork():
            continue
        while True:
            connection, _ = listener.accept()
            connection.sendall(b"220 mail.inside.example ESMTP\r\n")
            connection.recv(1000)
            connection.sendall(b"250-mail.inside.example\r\n250-STARTTLS\r\n250 SIZE 1000\r\n")
            connection.sendall(b"500 " + connection.recv(1000))
            connection.close()
    os.wait()


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with workspace() as home:
        config = Path(home / "ports.cfg")
        text = EXAMPLE.read_text(encoding="ascii").replace(PERMITTED, PERMITTED + OTHER_PORTS)
        config.write_text(text.replace("policy-map global_policy\n", CLASSES), encoding="ascii")
        lab = Lab(Network(f"fxn{os.getpid()}"), home / "run")
        lab.up(config)
        made = Ground(lab.network)
        try:
            made.beside("inside", serve)
            assert eventually(lambda: made.run("inside", "ss", "-tlnH").count(f"{SERVER}:") == len(PORTS))
            yield made
        finally:
            made.end()
            lab.down()


@pytest.mark.parametrize("port", PORTS)
def test_a_class_decides_what_is_inspected(ground: Ground, port: int) -> None:
    def talk() -> tuple[bytes, bytes, bytes]:
        with socket.create_connection((str(MAPPED_SERVER), port), 10) as client:
            greeting = client.recv(1000)
            client.sendall(b"EHLO outside\r\n")
            reply = b""
            while reply.count(b"\n") < 3:
                reply += client.recv(1000)
            client.sendall(b"STARTTLS\r\n")
            return greeting, reply, client.recv(1000)

    greeting, reply, told = ground.beside("outside", talk).result()
    inspected = port != PORTS[-1]
    assert (b"mail.inside.example" in greeting, greeting.startswith(b"220 ****")) == (not inspected, inspected)
    assert (b"STARTTLS" in reply, b"250-XXXXXXXA" in reply) == (not inspected, inspected)
    assert told == b"500 " + (b"XXXXXXXX" if inspected else b"STARTTLS") + b"\r\n"
