"""Copies come as the kernel gave them, in order; a second listener is told that there is one."""

import os
import select
import socket

import pytest

from appliance.kernel.errors import KernelError
from appliance.kernel.nflog import Copy, Listener
from tests.ground import Ground

pytestmark = pytest.mark.root
GROUP = 2501
RULES = f"*filter\n-A FORWARD -p udp -j NFLOG --nflog-prefix said --nflog-group {GROUP}\nCOMMIT\n"
TARGET = ("192.0.2.25", 9)


def test_copies_of_what_a_rule_hands_out(routed: Ground) -> None:
    routed.run("firewall", "iptables-restore", "--noflush", text=RULES)
    with routed.within("firewall"):
        listener = Listener(GROUP)
        outside, inside = (socket.if_nametoindex(name) for name in ("outside0", "inside0"))
    assert list(listener.read()) == []

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("203.0.113.10", 4000))
            for number in range(3):
                sender.sendto(bytes([number]) * 200, TARGET)

    routed.beside("outside", send).result()
    copies: list[Copy] = []
    while len(copies) < 3:
        assert select.select([listener], [], [], 10)[0]
        copies += listener.read()
    assert {(each.prefix, each.came_in, each.goes_out, len(each.packet)) for each in copies} == {
        ("said", outside, inside, 96)
    }
    assert [each.packet[28] for each in copies] == [0, 1, 2]
    with (
        routed.within("firewall"),
        pytest.raises(KernelError, match=f"NFLOG group {GROUP} is refused: another instance has it"),
    ):
        Listener(GROUP)
    listener.close()


def test_a_flood_that_finds_no_room_is_counted(routed: Ground) -> None:
    routed.run("firewall", "iptables-restore", "--noflush", text=RULES)
    with routed.within("firewall"):
        listener = Listener(GROUP)

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(3000):
                sender.sendto(bytes(10), TARGET)

    routed.beside("outside", send).result()
    heard = 0
    while select.select([listener], [], [], 0.5)[0]:
        heard += len(list(listener.read()))
    assert 0 < heard <= 3000
    assert listener.lost > 0 or heard == 3000
    listener.close()


def test_without_privilege_one_line_says_so(routed: Ground) -> None:
    def unprivileged() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(KernelError) as refused:
            Listener(GROUP)
        return str(refused.value)

    assert "sudo" in routed.beside("firewall", unprivileged).result()
