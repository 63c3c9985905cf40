"""Connections that say nothing for longer than they may, with real sockets and the table's clock put forward.

``timeout conn`` ends one in silence, ``set connection timeout idle … reset`` tells both its ends (asa.md §5.3, §5.5).
"""

import socket
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address

import pytest

from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_SERVER, SERVER
from tests.appliances import EXAMPLE
from tests.e2e.bpf_clock import put_forward
from tests.e2e.firewall import Firewall, under
from tests.e2e.wall import untranslated
from tests.ground import Child, eventually

pytestmark = pytest.mark.root

IDLE = 300  # s, the least there is
DEAF = 2500  # a port where the server's host drops what comes


class Idle(Firewall):
    """A firewall with its servers."""

    def __post_init__(self) -> None:
        self.servers = {
            each: self.serve(partial(_fate, each), ports) for ports, each in enumerate((SERVER, EXEMPT), start=1)
        }

    def connect(self, server: IPv4Address, port: int = 25) -> socket.socket:
        with self.ground.within("outside"):
            return socket.create_connection((str(server), port), 10)

    def said(self, *words: str) -> bool:
        """Whether a line of the log has them all."""
        return any(all(word in line for word in words) for line in self.log())

    def grows_old(self, server: IPv4Address) -> bool:
        """Time passes until the connection to `server` is over; an acknowledgment may still be under way at first."""

        def over() -> bool:
            put_forward(self.pid, IDLE + 1)
            return self.said("302014", f"inside:{server}/25", "Conn-timeout")

        return eventually(over)

    def are_reset(self, client: socket.socket, server: Child) -> None:
        """The one end, and the other."""
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert server.result() == "ConnectionResetError"


def _fate(address: IPv4Address) -> str:
    """How the one connection that a server takes ends."""
    with socket.create_server((str(address), 25)) as listener:
        connection, _ = listener.accept()
        connection.sendall(b"220 mail.inside.example\r\n")
        try:
            while connection.recv(1000):
                connection.sendall(b"250 ok\r\n")
        except OSError as error:
            return type(error).__name__
        return "closed"


@pytest.fixture
def idle(standing: Firewall) -> Iterator[Idle]:
    """What goes to the mail server is reset, the exempt host's connections are not."""
    text = EXAMPLE.replace("eq smtp\naccess-group", f"eq smtp\n{_DEAF}access-group")
    text = text.replace("class-map ironport_esa", "class-map mail\n match access-list mail\nclass-map ironport_esa")
    text = text.replace("policy-map global_policy\n", _CLASS).replace("tcp 50 100", "tcp 0 1")
    with under(standing, f"{text}timeout conn 0:05:00\nlogging buffer-size 65536\n", Idle) as made:
        yield made


_DEAF = f"""access-list outside_in extended permit tcp any host {MAPPED_SERVER} eq {DEAF}
access-list mail extended permit tcp any host {MAPPED_SERVER}
"""
_CLASS = """policy-map global_policy
 class mail
  set connection timeout idle 0:05:00 reset
"""


def test_both_ends_are_reset(idle: Idle) -> None:
    client = idle.connect(MAPPED_SERVER)
    assert len(client.recv(1000)) == len(b"220 mail.inside.example\r\n")
    client.sendall(b"NOOP\r\n")
    assert client.recv(1000) == b"250 ok\r\n"
    assert idle.grows_old(SERVER)
    idle.are_reset(client, idle.servers[SERVER])


def test_both_ends_of_an_intercepted_one_are_reset(idle: Idle) -> None:
    both_are_reset_behind_a_cookie(idle, MAPPED_SERVER)


def both_are_reset_behind_a_cookie(idle: Idle, server: IPv4Address) -> None:
    idle.ground.run("inside", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", str(DEAF), "-j", "DROP")
    with idle.ground.within("outside"):
        half_open = socket.socket()
    half_open.setblocking(False)
    half_open.connect_ex((str(server), DEAF))
    assert eventually(lambda: idle.said("302013", f"inside:{SERVER}/{DEAF}"))
    client = idle.connect(server)
    assert client.recv(1000)
    assert eventually(lambda: idle.said("201010", "1/1"))
    assert idle.grows_old(SERVER)
    idle.are_reset(client, idle.servers[SERVER])
    half_open.close()


def test_both_ends_are_reset_of_one_that_was_intercepted_by_its_servers_own_address(standing: Firewall) -> None:
    """Connection tracking knows it by the very addresses that the resets have."""
    deaf = f"access-list outside_in extended permit tcp any host {SERVER} eq {DEAF}\n"
    more = f"  set connection timeout idle 0:05:00 reset\n{deaf}logging buffer-size 65536\n"
    with under(standing, untranslated("tcp 0 1") + more, Idle) as box:
        both_are_reset_behind_a_cookie(box, SERVER)


def test_without_a_word_of_it_neither_end_is_told(idle: Idle) -> None:
    client = idle.connect(MAPPED_EXEMPT)
    assert client.recv(1000) == b"220 mail.inside.example\r\n"
    assert idle.grows_old(EXEMPT)
    client.sendall(b"NOOP\r\n")
    assert eventually(lambda: idle.said("106015", f"/{client.getsockname()[1]} to {MAPPED_EXEMPT}/25"))
    assert not idle.servers[EXEMPT].done()
    client.close()
