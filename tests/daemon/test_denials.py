"""What the rules dropped, as records: which one the prefix says, the rest the packet."""

from __future__ import annotations

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet, Raw

from appliance import show
from appliance.config.config import Config
from appliance.config.load import load
from appliance.daemon.denials import Denials
from appliance.daemon.flows import LoggedFlows
from appliance.iptables import hits
from appliance.iptables.hits import Counters
from appliance.iptables.match import denier
from appliance.kernel.nflog import Copy
from tests.appliances import EXAMPLE, PLAIN, configured

DENIALS = Denials(PLAIN, {1: "outside", 2: "inside"}, LoggedFlows())
CLIENT, SERVER, MAPPED = "203.0.113.10", "192.0.2.25", "203.0.113.125"


def told(prefix: str, packet: Packet | bytes, came_in: int = 1, goes_out: int = 2) -> str | None:
    record = DENIALS.record(Copy(prefix, came_in, goes_out, bytes(packet)[:96]))
    return None if record is None else f"{record.id} {record.text()}"


@pytest.mark.parametrize(
    ("prefix", "packet", "words"),
    [
        (
            "106023",
            IP(src=CLIENT, dst=SERVER) / TCP(sport=40000, dport=26, flags="S"),
            '106023 Deny tcp src outside:203.0.113.10/40000 dst inside:192.0.2.25/26 by access-group "outside_in" '
            "[0x0, 0x0]",
        ),
        (
            "106023",
            IP(src=CLIENT, dst=MAPPED) / TCP(sport=40000, dport=26, flags="S"),  # before it is translated
            '106023 Deny tcp src outside:203.0.113.10/40000 dst inside:192.0.2.25/26 by access-group "outside_in" '
            "[0x0, 0x0]",
        ),
        (
            "106023",
            IP(src=CLIENT, dst=SERVER) / UDP(sport=53, dport=53),
            '106023 Deny udp src outside:203.0.113.10/53 dst inside:192.0.2.25/53 by access-group "outside_in" '
            "[0x0, 0x0]",
        ),
        (
            "106023",
            IP(src=CLIENT, dst=SERVER) / ICMP(type=8, code=3),
            "106023 Deny icmp src outside:203.0.113.10 dst inside:192.0.2.25 (type 8, code 3) "
            'by access-group "outside_in" [0x0, 0x0]',
        ),
        (
            "305013",
            IP(src=CLIENT, dst=SERVER) / TCP(sport=40000, dport=25, flags="S"),
            "305013 Asymmetric NAT rules matched for forward and reverse flows; Connection for tcp src "
            "outside:203.0.113.10/40000 dst inside:192.0.2.25/25 denied due to NAT reverse path failure",
        ),
        (
            "305013",
            IP(src=CLIENT, dst=SERVER) / ICMP(type=8, code=3),
            "305013 Asymmetric NAT rules matched for forward and reverse flows; Connection for icmp src "
            "outside:203.0.113.10 dst inside:192.0.2.25 (type 8, code 3) denied due to NAT reverse path failure",
        ),
        (
            "106023",
            IP(src=CLIENT, dst=SERVER, proto=47) / Raw(b"12345678"),
            '106023 Deny protocol 47 src outside:203.0.113.10 dst inside:192.0.2.25 by access-group "outside_in" '
            "[0x0, 0x0]",
        ),
        (
            "106015",
            IP(src=CLIENT, dst=SERVER, options=b"\x01" * 4) / TCP(sport=40000, dport=25, flags="FPA"),
            "106015 Deny TCP (no connection) from 203.0.113.10/40000 to 192.0.2.25/25 "
            "flags FIN PSH ACK  on interface outside",
        ),
        (
            "106001",
            IP(src=CLIENT, dst=SERVER) / TCP(sport=40000, dport=25, flags="S"),
            "106001 Inbound TCP connection denied from 203.0.113.10/40000 to 192.0.2.25/25 "
            "flags SYN  on interface outside",
        ),
        (
            "106023",
            IP(src=CLIENT, dst=SERVER, frag=5, proto=6) / Raw(b"\xff" * 40),
            '106023 Deny tcp src outside:203.0.113.10/0 dst inside:192.0.2.25/0 by access-group "outside_in" '
            "[0x0, 0x0]",
        ),
    ],
)
def test_records(prefix: str, packet: Packet, words: str) -> None:
    assert told(prefix, packet) == words


SYN = bytes(IP(src=CLIENT, dst=SERVER) / TCP(sport=40000, dport=26, flags="S"))


@pytest.mark.parametrize(
    "packet", [b"", SYN[:19], b"\x60" + SYN[1:], *(SYN[:size] for size in range(20, 40)), b"\x4f" + SYN[1:]]
)
def test_no_packet_is_too_short(packet: bytes) -> None:
    """It is a record of what there is, or none."""
    words = told("106015", packet)
    assert words is None or words.startswith("106015 Deny TCP (no connection) from 203.0.113.10/")


def test_what_is_not_ours_is_no_record() -> None:
    assert told("somebody's", SYN) is None
    assert told("", SYN) is None


def test_an_interface_that_is_not_known_is_said_to_be_unknown() -> None:
    words = told("106023", SYN, came_in=7, goes_out=0)
    assert words is not None
    assert 'src unknown:203.0.113.10/40000 dst unknown:192.0.2.25/26 by access-group "unknown"' in words


def test_the_table_of_flags_is_complete() -> None:
    packet = bytearray(SYN)
    packet[33] = 0xFF
    assert "flags FIN SYN RST PSH ACK URG  on" in (told("106015", bytes(packet)) or "")


OLD = load(
    """ASA Version 8.2(5)
interface Ethernet0/0
 nameif outside
interface Ethernet0/1
 nameif inside
static (inside,outside) 203.0.113.125 192.0.2.25
static (inside,outside) tcp 203.0.113.126 smtp 192.0.2.26 2525
"""
).config


@pytest.mark.parametrize(
    ("sent_to", "port", "words"),
    [
        (SERVER, 26, "203.0.113.125/26"),
        (MAPPED, 26, "203.0.113.125/26"),
        ("192.0.2.26", 2525, "203.0.113.126/25"),
        ("192.0.2.26", 26, "192.0.2.26/26"),
    ],
)
def test_up_to_8_2_the_receiver_is_the_address_that_the_packet_had(sent_to: str, port: int, words: str) -> None:
    assert OLD is not None
    denials = Denials(OLD, {1: "outside", 2: "inside"}, LoggedFlows())
    packet = bytes(IP(src=CLIENT, dst=sent_to) / TCP(sport=40000, dport=port, flags="S"))
    for prefix in ("106001", "106023"):
        record = denials.record(Copy(prefix, 1, 2, packet))
        assert record is not None
        assert words in record.text()


DENYING = """object-group network bad
 network-object host 198.51.100.7
 network-object host 198.51.100.8
access-list outside_in extended deny tcp host 198.51.100.6 any
access-list outside_in extended deny ip object-group bad any
access-group outside_in in interface outside
"""


def shown(config: Config) -> list[show.EntryReport]:
    """What `show access-list` says of the entries that deny."""
    elements = {each.name: hits.entries(config, each, Counters()) for each in config.access_lists}
    [outside_in, *_] = show.access_lists(config, elements).access_lists
    return [each for each in outside_in.entries if "deny" in each.text]


def test_the_hashes_are_those_that_show_access_list_has() -> None:
    config = configured(EXAMPLE + DENYING)
    denials = Denials(config, {1: "outside", 2: "inside"}, LoggedFlows())
    host, group = shown(config)
    syn = bytes(IP(src=CLIENT, dst=SERVER) / TCP(sport=40000, dport=26, flags="S"))

    def hashes(mark: int) -> str:
        record = denials.record(Copy("106023", 1, 2, syn, mark))
        assert record is not None
        return record.text().partition(" [")[2].rstrip("]")

    assert hashes(denier(host.hash) | 0x25) == f"{int(host.hash, 16):#x}, 0x0"  # the low bits are other people's
    assert [hashes(denier(each.hash)) for each in group.elements] == [
        f"{int(group.hash, 16):#x}, {int(each.hash, 16):#x}" for each in group.elements
    ]
    assert hashes(0x04000100) == "0x0, 0x0"
