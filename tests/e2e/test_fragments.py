"""What is cut so that a part escapes the eye: fragments that hide flags or payload do not get through."""

import socket
import struct
import time
from ipaddress import IPv4Address

import pytest

from appliance.lab.network import CLIENTS, MAPPED_SERVER
from appliance.lab.wire import Seen, Tap, is_fragment
from appliance.tcp.segment import ACK, SYN
from tests.e2e.box import Box
from tests.wire import packet

pytestmark = pytest.mark.root

PUSH = 0x08


def tcp(source: IPv4Address, port: int, seq: int, ack: int, flags: int, payload: bytes = b"") -> bytes:
    """A packet to the mail server whose TCP header has 24 octets: a multiple of 8, so that it can end a fragment."""
    ends = (str(source), port), (str(MAPPED_SERVER), 25)
    return packet(*ends, seq, ack, flags, payload, options=b"\x01\x01\x01\x01", fragment=0)


def fragments(whole: bytes, first: int, identity: int) -> list[bytes]:
    """The packet in two IP fragments, `first` octets of its segment in the first one."""
    head, segment = whole[:20], whole[20:]
    packets = []
    for start, end, more in ((0, first, 0x2000), (first, len(segment), 0)):
        part = segment[start:end]
        packets.append(head[:2] + struct.pack("!HHH", 20 + len(part), identity, more | start // 8) + head[8:] + part)
    return packets


def send(packets: list[bytes]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        for packet in packets:
            raw.sendto(packet, (str(MAPPED_SERVER), 0))


def seen_inside(tap: Tap, port: int) -> list[Seen]:
    """What reached the wire inside from a client's port."""
    return [each for each in tap.segments() if each.port == port]


@pytest.mark.parametrize("first", [8, 16], ids=["flags in the second fragment", "header cut behind the flags"])
def test_a_syn_in_fragments_does_not_get_through(mail: Box, first: int) -> None:
    inside, outside = (Tap(mail.lab.network.namespace(host)) for host in ("inside", "outside"))
    port = 51_000 + first
    syn = tcp(CLIENTS[5], port, 1000, 0, SYN)
    mail.outside(lambda: send(fragments(syn, first, port))).result()
    # A whole one behind it from the next port does: what we would have seen, we would have seen by now.
    mail.outside(lambda: send([tcp(CLIENTS[5], port + 1, 1000, 0, SYN)])).result()
    time.sleep(0.3)
    reached = [each for each in inside.packets() if each[12:16] == CLIENTS[5].packed]
    assert {(is_fragment(each), int.from_bytes(each[20:22], "big")) for each in reached} == {(False, port + 1)}
    assert [each for each in outside.segments() if each.to_port == port] == []
    inside.close()
    outside.close()


def test_payload_behind_a_fragment_that_is_only_a_header_is_inspected_or_dropped(mail: Box) -> None:
    """To the connection table the first fragment is a pure ACK; it must not be waved through with what follows."""
    inside, outside = (Tap(mail.lab.network.namespace(host)) for host in ("inside", "outside"))
    with mail.ground.within("outside"):
        client = socket.create_connection((str(MAPPED_SERVER), 25), 10, (str(CLIENTS[6]), 0))
    assert client.recv(1000).startswith(b"220 ")
    client.sendall(b"NOOP\r\n")
    assert client.recv(1000).startswith(b"250 ")
    port = client.getsockname()[1]
    last = [each for each in outside.segments() if each.port == port][-1]
    reply = b"".join(each.payload for each in inside.segments() if each.to_port == port)
    assert reply
    seq = last.seq + len(last.payload)
    evading = tcp(CLIENTS[6], port, seq, last.ack, ACK | PUSH, b"STARTTLS\r\n")
    mail.outside(lambda: send(fragments(evading, 24, 77))).result()
    time.sleep(0.3)
    reached = b"".join(each.payload for each in seen_inside(inside, port))
    assert b"STARTTLS" not in reached
    assert reached in (b"", b"XXXXXXXX\r\n")
    client.close()
    inside.close()
    outside.close()
