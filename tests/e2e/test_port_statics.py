"""A server behind a static of one port: what is said to its peers in its name has the address that they know."""

import os
import socket
from collections.abc import Iterator

import pytest

from appliance.lab.network import CLIENTS, EXEMPT, MAPPED_SERVER, SERVER
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, under
from tests.ground import eventually

pytestmark = pytest.mark.root

PORT = 2525
WHOLE = f"static (inside,outside) {MAPPED_SERVER} {SERVER} netmask 255.255.255.255 tcp 50 100\n"
OF_A_PORT = f"static (inside,outside) tcp {MAPPED_SERVER} smtp {SERVER} {PORT} netmask 255.255.255.255\n"
CLASSES = "class-map inspection_default\n match default-inspection-traffic\n"
INSPECTED = "policy-map global_policy\n class inspection_default\n  inspect esmtp\n"
OWN = f"""\
class-map inspection_default
 match port tcp eq {PORT}
policy-map type inspect esmtp own
 match cmd verb VRFY
  reset log
 match cmd verb HELP
  drop-connection log
{INSPECTED} own
"""


def text() -> str:
    assert WHOLE in EXAMPLE
    assert CLASSES in EXAMPLE
    assert INSPECTED in EXAMPLE
    own = OWN.replace("inspect esmtp\n own", "inspect esmtp own")
    return EXAMPLE.replace(WHOLE, OF_A_PORT).replace(CLASSES, "").replace(INSPECTED, own)


def serve() -> None:
    """Greets, and says whether what came next was an end, a reset, or words."""
    listener = socket.create_server((str(SERVER), PORT))
    while True:
        connection, _ = listener.accept()
        if os.fork():
            connection.close()
            continue
        connection.sendall(b"220 mail.inside.example ESMTP\r\n")
        try:
            connection.recv(1000)
            word = b"words"
        except ConnectionResetError:
            word = b"reset"
        with socket.create_connection((str(EXEMPT), 9)) as told:
            told.sendall(word)
        os._exit(0)


@pytest.fixture(scope="module")
def box(standing: Firewall) -> Iterator[Firewall]:
    with under(standing, text()) as made:
        made.serve(serve)
        yield made


def test_the_peer_of_a_port_static_is_reset(box: Firewall) -> None:
    def heard() -> bytes:
        with socket.create_server((str(EXEMPT), 9)) as listener:
            listener.settimeout(20)
            connection, _ = listener.accept()
            return connection.recv(10)

    def talk() -> str:
        with socket.create_connection((str(MAPPED_SERVER), 25), 10, (str(CLIENTS[0]), 0)) as client:
            client.settimeout(5)
            greeting = client.recv(1000)
            assert greeting.startswith(b"220 ***"), greeting
            client.sendall(b"VRFY postmaster\r\n")
            try:
                return f"{client.recv(1000)!r}"
            except ConnectionResetError:
                return "reset"

    server = box.ground.beside("inside", heard)
    assert eventually(lambda: ":9 " in box.ground.run("inside", "ss", "-tlnH"))
    assert box.outside(talk).result(30) == "reset"
    assert server.result(30) == b"reset"
    assert any("Reset connection for ESMTP Request" in line for line in box.log())
