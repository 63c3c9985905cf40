"""What the rules drop is logged in ASA's words, whoever sent it and however much."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest

from appliance.control.protocol import ShowAccessLists
from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, under
from tests.ground import eventually

pytestmark = pytest.mark.root
TELNET, TIME, FINGER = 23, 37, 79
SPOOFING = "ip verify reverse-path interface outside"


@pytest.fixture(scope="module")
def box(standing: Firewall) -> Iterator[Firewall]:
    text = EXAMPLE.replace("logging timestamp", "logging buffer-size 1048576")
    text += f"access-list outside_in extended deny tcp any any eq {FINGER} log warnings\n{SPOOFING}\n"
    text += f"access-list outside_in extended deny tcp any any eq {TIME}\naccess-list deny-flow-max 1\n"
    with under(standing, text) as made:
        yield made


def refused(
    box: Firewall, port: int, flags: int, source: str = str(CLIENTS[0]), called: IPv4Address = MAPPED_SERVER
) -> None:
    """A TCP packet from outside that nobody answers."""

    def send() -> None:
        from scapy.layers.inet import IP, TCP

        packet = bytes(IP(src=source, dst=str(called)) / TCP(sport=40000, dport=port, flags=flags))
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            raw.sendto(packet, (str(called), 0))

    box.outside(send).result()


def test_an_access_list_says_what_it_denies(box: Firewall) -> None:
    refused(box, TELNET, 0x02)
    line = (
        f"%ASA-4-106023: Deny tcp src outside:{CLIENTS[0]}/40000 dst inside:{SERVER}/{TELNET} "
        'by access-group "outside_in" [0x0, 0x0]'
    )
    assert eventually(lambda: line in box.log())


def test_an_entry_is_known_by_its_hash(box: Firewall) -> None:
    refused(box, TIME, 0x02)
    report = box.answer(ShowAccessLists("outside_in"))
    known = int(report.access_lists[0].entries[-1].hash, 16)
    line = f'dst inside:{SERVER}/{TIME} by access-group "outside_in" [{known:#x}, 0x0]'
    assert eventually(lambda: any(each.endswith(line) for each in box.log()))


def test_an_entry_with_log_tells_of_the_flow(box: Firewall) -> None:
    for _ in range(3):
        refused(box, FINGER, 0x02)
    ends = f"outside/{CLIENTS[0]}(40000) -> inside/{SERVER}({FINGER})"
    words = f"access-list outside_in denied tcp {ends} hit-cnt 1 first hit"
    assert eventually(lambda: any(words in line for line in box.log()))
    about = [line for line in box.log() if f"{FINGER}" in line and "outside_in" in line]
    assert [line[:13] for line in about] == ["%ASA-4-106100"], "once, and no 106023"


def test_of_a_denied_flow_without_room_it_is_told_that_there_is_one(box: Firewall) -> None:
    refused(box, FINGER, 0x02)
    refused(box, FINGER, 0x02, source=str(CLIENTS[1]))
    assert eventually(
        lambda: "%ASA-1-106101: Number of cached deny-flows for ACL log has reached limit (1)" in box.log()
    )
    assert not [line for line in box.log() if f"outside/{CLIENTS[1]}(40000)" in line]
    report = box.answer(ShowAccessLists("outside_in"))
    assert (report.flows, report.denied_flows, report.deny_flow_max) == (1, 1, 1)


def test_a_source_that_is_routed_elsewhere_is_dropped_and_told(box: Firewall) -> None:
    refused(box, 25, 0x02, source=str(SERVER))
    line = f"%ASA-1-106021: Deny TCP reverse path check from {SERVER} to {MAPPED_SERVER} on interface outside"
    assert eventually(lambda: line in box.log())


def test_a_host_behind_a_static_that_is_called_by_its_real_address_is_told(box: Firewall) -> None:
    refused(box, 25, 0x02, called=SERVER)
    ends = f"src outside:{CLIENTS[0]}/40000 dst inside:{SERVER}/25"
    line = (
        "%ASA-5-305013: Asymmetric NAT rules matched for forward and reverse flows; "
        f"Connection for tcp {ends} denied due to NAT reverse path failure"
    )
    assert eventually(lambda: line in box.log())


@pytest.mark.parametrize(
    ("port", "flags", "words"), [(25, 0x11, "FIN ACK"), (25, 0x04, "RST"), (TELNET, 0x10, "ACK"), (25, 0x10, "ACK")]
)
def test_a_packet_of_no_connection_is_said_to_be_one(box: Firewall, port: int, flags: int, words: str) -> None:
    refused(box, port, flags)
    line = (
        f"%ASA-6-106015: Deny TCP (no connection) from {CLIENTS[0]}/40000 to {MAPPED_SERVER}/{port} "
        f"flags {words}  on interface outside"
    )
    assert eventually(lambda: line in box.log())


def test_what_an_access_list_let_in_is_counted(box: Firewall) -> None:
    def hits() -> list[int | None]:
        report = box.answer(ShowAccessLists("outside_in"))
        return [each.hits for each in report.access_lists[0].entries]

    before = hits()
    refused(box, 25, 0x02)
    assert eventually(lambda: hits() != before)
    remark, server, *others = before
    assert remark is None
    assert server is not None
    assert hits() == [remark, server + 1, *others]


def test_a_flood_of_denials_is_told_in_part(box: Firewall) -> None:
    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((str(CLIENTS[1]), 40001))
            for _ in range(3000):
                sender.sendto(b"x", (str(MAPPED_SERVER), 53))

    box.outside(flood).result()
    line = (
        f"%ASA-4-106023: Deny udp src outside:{CLIENTS[1]}/40001 dst inside:{SERVER}/53 "
        'by access-group "outside_in" [0x0, 0x0]'
    )
    assert eventually(lambda: line in box.log())
    assert box.log().count(line) < 3000
