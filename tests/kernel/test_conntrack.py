"""A connection is forgotten by its tuple, and forgetting one that is not there is quiet."""

import os
import socket
from ipaddress import IPv4Address

import pytest

from appliance.kernel import conntrack
from appliance.kernel.errors import KernelError
from appliance.lab.network import CLIENTS, SERVER
from tests.ground import Ground

pytestmark = pytest.mark.root
TRACKING = "*filter\n-A FORWARD -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n"


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
        assert conntrack.delete(CLIENTS[0], port, SERVER, 2525)
        assert not conntrack.delete(CLIENTS[0], port, SERVER, 2525)
    client.close()


def test_an_absent_one_is_no_error(routed: Ground) -> None:
    with routed.within("firewall"):
        assert not conntrack.delete(IPv4Address("203.0.113.10"), 1, IPv4Address("203.0.113.125"), 25)


def test_without_privilege_one_line_says_so(routed: Ground) -> None:
    def unprivileged() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(KernelError) as refused:
            conntrack.delete(IPv4Address("203.0.113.10"), 1, IPv4Address("203.0.113.125"), 25)
        return str(refused.value)

    assert "sudo" in routed.beside("firewall", unprivileged).result()
