"""A firewall whose rule file may be exchanged while connections live, and servers that say what reaches them."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from appliance.control.protocol import ShowServicePolicy
from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_SERVER, SERVER
from tests.e2e.firewall import Firewall, under
from tests.ground import Ground

CONFIGURATION = f"""\
interface Ethernet0/0
 hardware outside0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface Ethernet0/1
 hardware inside0
 nameif inside
 ip address 192.0.2.1 255.255.255.0
access-list outside_in extended permit tcp any host {MAPPED_SERVER} eq smtp
access-list outside_in extended permit tcp any host {MAPPED_SERVER} eq 587
access-list outside_in extended permit tcp any host {MAPPED_EXEMPT} eq smtp
access-list exempt extended permit ip any host {MAPPED_EXEMPT}
access-group outside_in in interface outside
static (inside,outside) {MAPPED_SERVER} {SERVER}
static (inside,outside) {MAPPED_EXEMPT} {EXEMPT}
logging enable
logging buffered informational
class-map relay
 match port tcp eq smtp
class-map submission
 match port tcp eq 587
class-map exempt
 match access-list exempt
policy-map type inspect esmtp no-noop
 match cmd verb NOOP
  mask
policy-map type inspect esmtp no-vrfy
 match cmd verb VRFY
  mask
policy-map global_policy
 class relay
  inspect esmtp no-noop
 class submission
  inspect esmtp no-vrfy
 class exempt
  no inspect esmtp
service-policy global_policy global
"""
SWAPPED = CONFIGURATION.replace("no-noop\n class sub", "no-vrfy\n class sub").replace(
    "inspect esmtp no-vrfy\n class exempt", "inspect esmtp no-noop\n class exempt"
)


def echo() -> None:
    """A server on each address and port that says back what it was told, until it is killed."""

    def converse(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.inside.example ESMTP\r\n")
        with contextlib.suppress(OSError):
            while line := connection.recv(1000):
                connection.sendall(b"250 " + line)

    def serve(address: IPv4Address, port: int) -> None:
        with socket.create_server((str(address), port)) as listener:
            while True:
                threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True).start()

    for place in ((SERVER, 25), (SERVER, 587), (EXEMPT, 25)):
        threading.Thread(target=serve, args=place, daemon=True).start()
    signal.pause()


class Client:
    """A connection from outside."""

    def __init__(self, ground: Ground, server: IPv4Address, port: int = 25) -> None:
        with ground.within("outside"):
            self._socket = socket.create_connection((str(server), port), 10)
        self.port = self._socket.getsockname()[1]
        self.banner = self._socket.recv(1000)

    def arrives(self, line: bytes) -> bytes:
        """How a command line reaches the server."""
        self._socket.sendall(line + b"\r\n")
        return self._socket.recv(1000).removeprefix(b"250 ").removesuffix(b"\r\n")

    @property
    def masked(self) -> set[bytes]:
        """Which of two commands its inspect map masks."""
        return {each for each in (b"NOOP", b"VRFY") if self.arrives(each) == b"XXXX"}


class Exchanged(Firewall):
    """A firewall with a rule file that may be exchanged."""

    def reload(self, text: str) -> tuple[int, str]:
        """The exit code of `fixup reload` with another text in the file, and what it said on stderr."""
        self.file.write_text(text, encoding="utf-8")
        done = self.run("reload")
        return done.returncode, done.stderr

    def client(self, server: IPv4Address, port: int = 25) -> Client:
        return Client(self.ground, server, port)

    def packets(self) -> dict[tuple[str, str], int]:
        """By class and inspect map, the packets that were inspected."""
        return {
            (each.name, each.inspection.map): each.inspection.packet
            for policy in self.answer(ShowServicePolicy()).policies
            for each in policy.classes
            if each.inspection
        }


@contextmanager
def exchanged(standing: Firewall) -> Iterator[Exchanged]:
    """The firewall under that rule file, its servers listening, and nothing of them afterwards."""
    with under(standing, CONFIGURATION, Exchanged) as made:
        made.serve(echo, ports=3)
        yield made
