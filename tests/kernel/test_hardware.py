"""The devices of a network namespace, as the kernel counts them, and the machine."""

import os
import socket

import pytest

from appliance.kernel import hardware
from appliance.lab.network import CLIENTS
from tests.ground import Ground

pytestmark = pytest.mark.root


def test_a_device_is_told_with_what_it_counted(routed: Ground) -> None:
    routed.run("firewall", "ip", "link", "set", "outside0", "mtu", "1400", "address", "02:00:00:00:00:aa")
    with routed.within("firewall"):
        before = hardware.devices(["outside0", "nosuch0"])
    assert list(before) == ["outside0"]
    with routed.within("firewall"):
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(bytes(1000), (str(CLIENTS[0]), 9))
        after = hardware.devices(["outside0"])["outside0"]
    assert (after.kind, after.address, after.mtu, after.up, after.carrier) == (
        "veth",
        "02:00:00:00:00:aa",
        1400,
        True,
        True,
    )
    assert after.packets_out >= before["outside0"].packets_out + 3
    assert after.octets_out >= before["outside0"].octets_out + 3000


def test_a_device_that_is_down_is_told_so(bare: Ground) -> None:
    with bare.within("firewall"):
        found = hardware.devices(["inside0"])["inside0"]
    assert (found.up, found.carrier) == (False, False)


def test_the_machine() -> None:
    found = hardware.machine()
    assert (found.architecture, found.kernel) == (os.uname().machine, os.uname().release)
    assert found.processors > 0
    assert found.memory > 100
