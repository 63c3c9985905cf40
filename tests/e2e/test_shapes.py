"""Packets of every shape: jumbo frames, IP options; and connections that hold packets up, which hold up nobody else.

Super-packets with the checksum not yet computed are the first wire of every end-to-end test (tests/e2e/conftest.py);
TCP options of every length are the adversary's.
"""

import random
import socket
from collections.abc import Iterator

import pytest

from appliance.lab.network import CLIENTS, MAPPED_SERVER
from appliance.lab.wire import Tap
from tests.appliances import EXAMPLE
from tests.e2e.box import Box, box, smtp
from tests.e2e.firewall import Firewall, under
from tests.e2e.postman import client, letter, postman
from tests.e2e.test_mail import as_stored, message
from tests.e2e.wall import limited
from tests.ground import eventually

pytestmark = pytest.mark.root

JUMBO = 9_000
LIBRARYS = 4_016  # octets of a packet that NetfilterQueue alone would copy


@pytest.fixture(scope="module")
def jumbo() -> Iterator[Box]:
    """Wires that carry them, and no smaller segments agreed on than those have room for."""
    with box("fxj", EXAMPLE + "sysopt connection tcpmss 0\n", mtu=JUMBO, offloads=False) as made:
        yield made


def test_jumbo_frames_are_inspected_whole(jumbo: Box) -> None:
    octets = message(random.Random(9_000), 500_000)
    before = jumbo.engine()
    tap = Tap(jumbo.lab.network.namespace("inside"))
    jumbo.submit({"jumbo@esmtp.inside.example": octets})
    assert eventually(lambda: jumbo.server.delivered("jumbo@esmtp.inside.example") == [as_stored(octets)])
    largest = max(len(each) for each in tap.packets())
    tap.close()
    assert LIBRARYS < largest <= JUMBO
    after = jumbo.engine()
    assert after["octets_inspected"] - before["octets_inspected"] > len(octets)
    assert after["truncated"] == before["truncated"]


@pytest.mark.parametrize("words", [1, 5, 10])
def test_ip_options_hide_nothing(jumbo: Box, words: int) -> None:
    """NOPs, and a route to be recorded as far as there is room."""

    def talk() -> tuple[bytes, int]:
        connection = socket.socket()
        room = 4 * words - 1
        options = bytes((7, room, 4)) + bytes(room - 3) + b"\x01" if words > 1 else b"\x01" * 4
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, options)
        connection.bind((str(CLIENTS[1]), 0))
        connection.connect((str(MAPPED_SERVER), 25))
        with smtp(MAPPED_SERVER) as session:
            session.sock.close()
            session.sock, session.file = connection, None
            session.getreply()
            session.ehlo()
            return session.ehlo_resp or b"", session.docmd("STARTTLS")[0]

    tap = Tap(jumbo.lab.network.namespace("inside"))
    reply, code = jumbo.outside(talk).result()
    headers = {(each[0] & 15) - 5 for each in tap.packets() if each[12:16] == CLIENTS[1].packed}
    tap.close()
    assert words in headers, "they did get through"
    assert (b"XXXXXXXA" in reply, b"STARTTLS" in reply, code) == (True, False, 500)


def test_a_connection_that_is_held_up_holds_up_nobody(standing: Firewall) -> None:
    """Of one a segment does not arrive, however it is sent again, and what follows waits."""
    mails, first, rest, port = 30, 700, 40, 51_999

    def stuck() -> bytes:
        with socket.create_connection((str(MAPPED_SERVER), 25), 60, (str(CLIENTS[0]), port)) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one.recv(1000)
            one.sendall(b"EHLO outside\r\n")
            heard = b""
            while heard.count(b"\n") < 3:
                heard += one.recv(1000)
            lines = b"NOOP " + b"x" * 330 + b"\r\n"
            one.sendall(lines * 2 + b"NOOP" + b" " * (first - 2 * len(lines) - 6) + b"\r\n")
            for _ in range(rest):
                one.sendall(b"NOOP\r\n")
            ready.come()
            replies = b""
            while replies.count(b"\n") < rest + 3:
                replies += one.recv(1000)
            return replies

    with under(standing, limited("tcp 0 0")) as held:
        ready = held.ground.moment()
        rule = ["OUTPUT", "-p", "tcp", "--sport", f"{port}", "-m", "length", "--length", f"{first}:", "-j", "DROP"]
        held.ground.run("outside", "iptables", "-A", *rule)
        held.serve(postman(mails + 1))
        slow = held.outside(stuck)
        ready.wait()
        assert held.outside(client(mails, letter(5_000))).result(60) == []
        assert not slow.done(), "it waits all the time"
        held.ground.run("outside", "iptables", "-D", *rule)
        assert slow.result(60) == b"250 ok\r\n" * (rest + 3)
