"""What the rules drop is logged in ASA's words, whoever sent it and however much."""

import os
import socket
from collections.abc import Iterator

import pytest

from appliance.control.client import ask
from appliance.control.protocol import ShowAccessLists, ShowLogging
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER, Network
from appliance.show import AccessListsReport
from tests.e2e.box import eventually, workspace
from tests.ground import Ground

pytestmark = pytest.mark.root
TELNET = 23


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with workspace() as home:
        config = home / "denials.cfg"
        config.write_text(EXAMPLE.read_text().replace("logging timestamp", "logging buffer-size 1048576"))
        made = Lab(Network(f"fxd{os.getpid()}"), home / "run")
        made.up(config)
        yield made
        made.down()


def log(lab: Lab) -> tuple[str, ...]:
    return ask(lab.directory / "control.sock", ShowLogging()).lines


def refused(lab: Lab, port: int, flags: int) -> None:
    """A TCP packet from outside that nobody answers."""

    def send() -> None:
        from scapy.layers.inet import IP, TCP

        packet = bytes(IP(src=str(CLIENTS[0]), dst=str(MAPPED_SERVER)) / TCP(sport=40000, dport=port, flags=flags))
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(packet, (str(MAPPED_SERVER), 0))

    Ground(lab.network).beside("outside", send).result()


def test_an_access_list_says_what_it_denies(lab: Lab) -> None:
    refused(lab, TELNET, 0x02)
    line = (
        f"%ASA-4-106023: Deny tcp src outside:{CLIENTS[0]}/40000 dst inside:{SERVER}/{TELNET} "
        'by access-group "outside_in" [0x0, 0x0]'
    )
    assert eventually(lambda: line in log(lab))


@pytest.mark.parametrize(("port", "flags", "words"), [(25, 0x11, "FIN ACK"), (25, 0x04, "RST"), (TELNET, 0x10, "ACK")])
def test_a_packet_of_no_connection_is_said_to_be_one(lab: Lab, port: int, flags: int, words: str) -> None:
    refused(lab, port, flags)
    line = (
        f"%ASA-6-106015: Deny TCP (no connection) from {CLIENTS[0]}/40000 to {MAPPED_SERVER}/{port} "
        f"flags {words}  on interface outside"
    )
    assert eventually(lambda: line in log(lab))


def test_what_an_access_list_let_in_is_counted(lab: Lab) -> None:
    def hits() -> list[int | None]:
        report = ask(lab.directory / "control.sock", ShowAccessLists("outside_in"))
        assert isinstance(report, AccessListsReport)
        return [each.hits for each in report.access_lists[0].entries]

    before = hits()
    refused(lab, 25, 0x02)
    assert eventually(lambda: hits() != before)
    assert before == [None, 0, 0, 0]
    assert hits() == [None, 1, 0, 0]


def test_a_flood_of_denials_is_told_in_part(lab: Lab) -> None:
    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((str(CLIENTS[1]), 40001))
            for _ in range(3000):
                sender.sendto(b"x", (str(MAPPED_SERVER), 53))

    Ground(lab.network).beside("outside", flood).result()
    line = (
        f"%ASA-4-106023: Deny udp src outside:{CLIENTS[1]}/40001 dst inside:{SERVER}/53 "
        'by access-group "outside_in" [0x0, 0x0]'
    )
    assert eventually(lambda: line in log(lab))
    assert log(lab).count(line) < 3000
