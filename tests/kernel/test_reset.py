"""Resets in a peer's name reach the peer, through translation, and end its connection."""

import os
import select
import socket
import struct
from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from appliance.flow import Endpoint, Flow
from appliance.kernel import conntrack, links
from appliance.kernel.errors import KernelError
from appliance.kernel.found import Found
from appliance.kernel.reset import Resetter
from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER
from appliance.nat.connection import Expired, Key, Obstructed, Parties, Stranded
from appliance.nat.static import End, Static
from appliance.tcp.segment import RST
from tests.ground import ROUTER, Child, Ground, eventually, translating

pytestmark = pytest.mark.root

STATIC = Static("inside", "outside", MAPPED_SERVER, SERVER)
CONFIG = translating(ROUTER, STATIC)
NAT = f"""\
*nat
-A PREROUTING -i outside0 -d {MAPPED_SERVER} -j DNAT --to-destination {SERVER}
-A POSTROUTING -o outside0 -s {SERVER} -j SNAT --to-source {MAPPED_SERVER}
COMMIT
"""


class Talk:
    """A connection from outside to the static: the client in this process, the server in a child inside."""

    def __init__(self, ground: Ground) -> None:
        with ground.within("firewall"):
            links.apply(CONFIG, Found(ground.record))
        ground.run("firewall", "iptables-restore", "--noflush", text=NAT)
        self.ground = ground
        ready, announce = os.pipe()
        self.server: Child = ground.beside("inside", lambda: self._serve(announce))
        os.read(ready, 1)
        with ground.within("outside"), ground.capture("eth0") as seen:
            self.client = socket.create_connection((str(MAPPED_SERVER), 25), 5, (str(CLIENTS[0]), 0))
            assert self.client.recv(16) == b"220 \r\n"
            greeting = next(packet for packet in seen() if packet.endswith(b"220 \r\n"))
        # What the client's next expected octet is, and what it expects to have acknowledged.
        self.server_next = int.from_bytes(greeting[24:28], "big") + 6
        self.client_next = int.from_bytes(greeting[28:32], "big")
        port = self.client.getsockname()[1]
        self.flow = Flow(Endpoint("outside", CLIENTS[0], port), Endpoint("inside", SERVER, 25))

    @staticmethod
    def _serve(announce: int) -> str:
        with socket.create_server((str(SERVER), 25)) as listener:
            os.write(announce, b"!")
            connection, _ = listener.accept()
            connection.send(b"220 \r\n")
            connection.settimeout(10)
            try:
                return repr(connection.recv(16))
            except OSError as error:
                return type(error).__name__


def _resets(packets: list[bytes]) -> list[tuple[End, End]]:
    """From where to where the RSTs to a server among them go."""
    headers = (each for each in packets if each[9] == socket.IPPROTO_TCP and each[33] & RST)
    found = (struct.unpack("!12x4s4sHH", each[:24]) for each in headers)
    return [((IPv4Address(one), port), (IPv4Address(to), 25)) for one, to, port, to_port in found if to_port == 25]


@pytest.mark.parametrize("forgotten", [False, True], ids=["tracked", "forgotten by conntrack"])
def test_both_peers_are_reset(routed: Ground, forgotten: bool) -> None:
    talk = Talk(routed)
    with routed.within("firewall"):
        if forgotten:
            assert conntrack.delete([Key(MAPPED_SERVER, 25, CLIENTS[0], talk.flow.client.port)])
        resetter = Resetter(CONFIG)
        assert resetter.reset(talk.flow, True, talk.server_next, talk.client_next)
        assert resetter.reset(talk.flow, False, talk.client_next, talk.server_next)
        resetter.close()
    talk.client.settimeout(5)
    with pytest.raises(ConnectionResetError):
        talk.client.recv(16)
    assert talk.server.result() == "ConnectionResetError"


def test_a_server_is_called_as_the_connection_table_has_it(routed: Ground) -> None:
    """What only some may call a server by, or a client beyond a pool, no static says."""
    talk = Talk(routed)
    client = talk.flow.client
    with routed.within("firewall"):
        assert conntrack.delete([Key(MAPPED_SERVER, 25, client.address, client.port)])  # which would translate it
        resetter = Resetter(ROUTER)
        known = Parties(Key(MAPPED_SERVER, 25, client.address, client.port), SERVER)
        assert resetter.reset(talk.flow, True, talk.server_next, talk.client_next, known)
        beyond = replace(talk.flow, client=Endpoint("outside", IPv4Address("192.0.2.77"), 7))
        known = replace(known, beyond=(client.address, client.port))
        assert resetter.reset(beyond, False, talk.client_next, talk.server_next, known)
        resetter.close()
    talk.client.settimeout(5)
    with pytest.raises(ConnectionResetError):
        talk.client.recv(16)
    assert talk.server.result() == "ConnectionResetError"


def test_a_client_turned_away_is_reset(routed: Ground) -> None:
    talk = Talk(routed)
    with routed.within("firewall"):
        resetter = Resetter(CONFIG)
        key = Key(MAPPED_SERVER, 25, CLIENTS[0], talk.flow.client.port)
        assert resetter.turn_away(Stranded(key, SERVER, talk.server_next, talk.client_next, 0))
        resetter.close()
    talk.client.settimeout(5)
    with pytest.raises(ConnectionResetError):
        talk.client.recv(16)
    talk.server.kill()


def test_both_ends_of_what_was_idle_for_too_long_are_reset(routed: Ground) -> None:
    talk = Talk(routed)
    with routed.within("firewall"):
        resetter = Resetter(CONFIG)
        key = Key(MAPPED_SERVER, 25, CLIENTS[0], talk.flow.client.port)
        resetter.end(Expired(key, SERVER, talk.server_next, talk.client_next, 0))
        resetter.close()
    talk.client.settimeout(5)
    with pytest.raises(ConnectionResetError):
        talk.client.recv(16)
    assert talk.server.result() == "ConnectionResetError"


@pytest.mark.parametrize("own", [False, True], ids=["called by a static", "called by its own address"])
def test_a_server_is_reset_by_the_client_that_it_knows(routed: Ground, own: bool) -> None:
    """A static may be the client's, and calls it otherwise where its server is."""
    called = CLIENTS[0] if own else IPv4Address("192.0.2.100")
    config = replace(CONFIG, statics=(STATIC, Static("outside", "inside", called, CLIENTS[0])))
    key = Key(called, 25, SERVER, 40000)
    with routed.within("outside"), routed.capture("eth0") as seen:
        with routed.within("firewall"):
            resetter = Resetter(config)
            resetter.end(Expired(key, CLIENTS[0], 300, 900, 0))
            assert resetter.clear_the_way(Obstructed(key, CLIENTS[0], 901, 300, 0))
            resetter.close()
        assert eventually(lambda: len(_resets(seen())) == 2)
        assert _resets(seen()) == [((MAPPED_SERVER, 40000), (CLIENTS[0], 25))] * 2


def test_a_reset_with_another_number_ends_nothing(routed: Ground) -> None:
    """The numbers are what makes it the peer's: the receiver ignores one that is not the next (RFC 5961)."""
    talk = Talk(routed)
    with routed.within("firewall"):
        resetter = Resetter(CONFIG)
        assert resetter.reset(talk.flow, True, talk.server_next - 1, talk.client_next)
        resetter.close()
    assert not select.select([talk.client], [], [], 0.2)[0]


def test_a_peer_without_a_route_is_no_exception(routed: Ground) -> None:
    nowhere = Flow(Endpoint("outside", STATIC.mapped, 1), Endpoint("inside", STATIC.real, 25))
    nowhere = replace(nowhere, client=replace(nowhere.client, address=IPv4Address("198.51.100.1")))
    with routed.within("firewall"):
        resetter = Resetter(CONFIG)
        assert not resetter.reset(nowhere, True, 1, 1)


def test_without_privilege_one_line_says_so(routed: Ground) -> None:
    def unprivileged() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(KernelError) as refused:
            Resetter(ROUTER)
        return str(refused.value)

    assert "sudo" in routed.beside("firewall", unprivileged).result()
