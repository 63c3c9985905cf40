"""Inspection wherever a class sends a connection to it, not at port 25 alone."""

import os
import socket
from collections.abc import Iterator

import pytest

from appliance.lab.network import MAPPED_SERVER, SERVER
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, under

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
def box(standing: Firewall) -> Iterator[Firewall]:
    text = EXAMPLE.replace(PERMITTED, PERMITTED + OTHER_PORTS).replace("policy-map global_policy\n", CLASSES)
    with under(standing, text) as made:
        made.serve(serve, len(PORTS))
        yield made


@pytest.mark.parametrize("port", PORTS)
def test_a_class_decides_what_is_inspected(box: Firewall, port: int) -> None:
    def talk() -> tuple[bytes, bytes, bytes]:
        with socket.create_connection((str(MAPPED_SERVER), port), 10) as client:
            greeting = client.recv(1000)
            client.sendall(b"EHLO outside\r\n")
            reply = b""
            while reply.count(b"\n") < 3:
                reply += client.recv(1000)
            client.sendall(b"STARTTLS\r\n")
            return greeting, reply, client.recv(1000)

    greeting, reply, told = box.outside(talk).result()
    inspected = port != PORTS[-1]
    assert (b"mail.inside.example" in greeting, greeting.startswith(b"220 ****")) == (not inspected, inspected)
    assert (b"STARTTLS" in reply, b"250-XXXXXXXA" in reply) == (not inspected, inspected)
    assert told == b"500 " + (b"XXXXXXXX" if inspected else b"STARTTLS") + b"\r\n"
