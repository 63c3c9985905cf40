"""A connection is forgotten by its tuple, and forgetting one that is not there is quiet."""

import os
import socket
from ipaddress import IPv4Address

import pytest

from appliance.kernel import conntrack
from appliance.kernel.errors import KernelError
from appliance.lab.network import CLIENTS, SERVER
from appliance.nat.connection import Key
from tests.ground import Ground

pytestmark = pytest.mark.root
TRACKING = "*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n"
ABSENT = Key(IPv4Address("203.0.113.125"), 25, IPv4Address("203.0.113.10"), 1)


def test_a_connection_is_forgotten_once(routed: Ground) -> None:
    routed.run("firewall", "iptables-restore", "--noflush", text=TRACKING)
    ready, announce = os.pipe()

    def serve() -> bytes:
        with socket.create_server((str(SERVER), 2525)) as listener:
            os.write(announce, b"!")
            return listener.accept()[0].recv(1)

    routed.beside("inside", serve)
    os.read(ready, 1)
    with routed.within("outside"):
        client = socket.create_connection((str(SERVER), 2525), 5, (str(CLIENTS[0]), 0))
    port = client.getsockname()[1]
    with routed.within("firewall"):
        nobody = [Key(SERVER, 2525, each, port) for each in CLIENTS[1:]]  # more than fit in one datagram
        assert conntrack.delete([*nobody, Key(SERVER, 2525, CLIENTS[0], port), *nobody]) == 1
        assert conntrack.delete([Key(SERVER, 2525, CLIENTS[0], port)]) == 0
    client.close()


def test_an_absent_one_is_no_error(routed: Ground) -> None:
    with routed.within("firewall"):
        assert conntrack.delete([ABSENT]) == 0
        assert conntrack.delete([]) == 0


def test_without_privilege_one_line_says_so(routed: Ground) -> None:
    def unprivileged() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(KernelError) as refused:
            conntrack.delete([ABSENT])
        return str(refused.value)

    assert "sudo" in routed.beside("firewall", unprivileged).result()


def test_what_connections_carry_is_found_by_its_mark(routed: Ground) -> None:
    mark = "-A FORWARD -p tcp --syn -j CONNMARK --set-xmark 0x14000025/0xffffffff"
    routed.run("firewall", "iptables-restore", "--noflush", text=f"*mangle\n{mark}\nCOMMIT\n")
    with routed.within("firewall"):
        assert not conntrack.carried(0, 0)
    with routed.within("inside"):
        listener = socket.create_server((str(SERVER), 2526))
    with routed.within("outside"):
        client = socket.create_connection((str(SERVER), 2526), 5)
    with routed.within("firewall"):
        assert conntrack.carried(5 << 26, 63 << 26)
        assert conntrack.carried(0x25, 0xFF)
        assert not conntrack.carried(4 << 26, 63 << 26)
        assert not conntrack.carried(0x24, 0xFF)
        conntrack.delete_carrying(4 << 26, 63 << 26)
        assert conntrack.carried(5 << 26, 63 << 26)
        conntrack.delete_carrying(5 << 26, 63 << 26)
        assert not conntrack.carried(5 << 26, 63 << 26)
    client.close()
    listener.close()
