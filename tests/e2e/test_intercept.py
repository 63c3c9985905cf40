"""TCP Intercept: at the embryonic limit clients are answered by cookies, and served like any other."""

import contextlib
import os
import re
import select
import socket
import struct
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ipaddress import IPv4Address
from typing import Any

import pytest

from appliance.control.protocol import ClearConnections
from appliance.lab import burst
from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER
from appliance.lab.wire import Seen, Tap
from appliance.tcp.segment import ACK, RST, SYN
from tests.appliances import EXAMPLE
from tests.e2e.bpf_clock import put_forward
from tests.e2e.firewall import ALL, Firewall, firewall, under
from tests.e2e.flooding import flooding
from tests.e2e.postman import client, letter, postman
from tests.e2e.wall import Open, Wall, limited, untranslated
from tests.ground import PATIENCE, eventually

pytestmark = pytest.mark.root

LONG = bool(os.environ.get("FIXUP_LONG"))  # `make limits`
CONNECTIONS = 2_000 if LONG else 250
DELAY = 0.004  # s, of each SYN-ACK
QUEUE = 9
SYN_ACKS = ["-p", "tcp", "--sport", "25", "--tcp-flags", "SYN,ACK", "SYN,ACK"]


Walled = Callable[..., AbstractContextManager[Wall]]


@pytest.fixture
def wall(standing: Firewall) -> Walled:
    """The firewall under the example's rules with other limits."""
    return lambda *limits: under(standing, limited(*limits), Wall)


@pytest.fixture(scope="module")
def another() -> Iterator[Firewall]:
    """A firewall whose server is always called by its own address: for two minutes a client's port is one name's to
    connection tracking."""
    with firewall("fxu", untranslated("tcp 0 3"), Open) as made:
        yield made


@pytest.fixture(params=["static", "class"])
def either(standing: Firewall, another: Firewall, request: pytest.FixtureRequest) -> Walled:
    """The firewall under limits of the static, or of a class, the server being called by its own address."""
    if request.param == "static":
        return lambda limits: under(standing, limited(limits), Wall)
    return lambda limits: under(another, untranslated(limits), Open)


@contextmanager
def half_open(box: Wall, count: int, server: IPv4Address | None = None) -> Iterator[None]:
    """For a child outside: so many of the embryonic limit's places are taken."""
    callers = CLIENTS[len(CLIENTS) - count :]
    with burst.unanswered():
        burst.send(server or box.server, callers)
        assert eventually(lambda: box.in_use() >= count)
        try:
            yield
        finally:
            burst.give_up(server or box.server, callers)


def delayed() -> None:
    """For a child inside: every SYN-ACK leaves DELAY later."""
    from netfilterqueue import NetfilterQueue

    rule = ["OUTPUT", *SYN_ACKS, "-j", "NFQUEUE", "--queue-num", str(QUEUE)]
    waiting: deque[tuple[float, Any]] = deque()
    queue = NetfilterQueue()
    queue.bind(QUEUE, lambda packet: waiting.append((time.monotonic() + DELAY, packet)), 8192)
    subprocess.run(["iptables", "-A", *rule], check=True)
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        if select.select([queue.get_fd()], [], [], pause)[0]:
            queue.run(block=False)
        while waiting and waiting[0][0] <= time.monotonic():
            waiting.popleft()[1].accept()


def test_mail_through_intercepted_connections_is_masked_and_whole(either: Walled) -> None:
    with either("tcp 0 3") as box:
        box.serve(postman(5))

        def send() -> list[str]:
            with half_open(box, 3):
                return [
                    wrong
                    for size in (0, 100, 5000, 300_000, 5_000_000)
                    for wrong in client(1, letter(size), str(box.server))()
                ]

        assert box.outside(send).result(60) == []
        assert box.proxied() >= 10  # SYN and ACK of each
        assert eventually(lambda: box.in_use() == 0)
        assert eventually(lambda: len(re.findall("bytes [1-9][0-9]* TCP FINs", box.text())) == 5)
        assert "-6-201010: Embryonic connection limit exceeded 3/3 for input packet from 203.0.113.10/" in box.text()


def test_at_the_embryonic_limit_of_a_class_clients_are_served_by_cookies_too(wall: Walled) -> None:
    with wall("", "embryonic-conn-max 3", "timeout embryonic 0:00:20") as box:
        box.serve(postman(2))

        def send() -> list[str]:
            with half_open(box, 3):
                return client(2, letter(5000))()

        assert box.outside(send).result(60) == []
        assert box.proxied() >= 4
        assert eventually(lambda: box.in_use() == 0)
        assert "-6-201010: Embryonic connection limit exceeded 3/3 for input packet from 203.0.113.10/" in box.text()


def test_a_client_gets_so_many_connections_as_its_class_says(wall: Walled) -> None:
    def serve() -> None:
        with socket.create_server((str(SERVER), 25)) as listener:
            held = [listener.accept()[0] for _ in range(3)]
            for each in held:
                each.recv(1)

    def call(source: IPv4Address, patience: float = 10.0) -> socket.socket:
        return socket.create_connection((str(MAPPED_SERVER), 25), patience, (str(source), 0))

    def clients() -> int:
        one, other = CLIENTS[:2]
        with call(one), call(one):
            with pytest.raises(TimeoutError):
                call(one, 0.5)
            call(other).close()
            return 1

    with wall("", "per-client-max 2") as box:
        server = box.serve(serve)
        assert box.outside(clients).result(30) == 1
        server.result(30)
        refused = "-3-201013: Per-client connection limit exceeded 2/2 for input packet from 203.0.113.10/"
        assert eventually(lambda: refused in box.text())
        assert eventually(lambda: box.in_use() == 0)


def test_a_connection_from_inside_is_outbound_from_its_first_record_to_its_last(wall: Walled) -> None:
    def listen() -> bytes:
        with socket.create_server((str(CLIENTS[0]), 2525)) as listener, listener.accept()[0] as peer:
            return peer.recv(100)

    def call() -> None:
        with socket.create_connection((str(CLIENTS[0]), 2525), 10) as caller:
            caller.sendall(b"from inside")

    with wall("") as box:
        listening = box.outside(listen)
        assert eventually(lambda: ":2525 " in box.ground.run("outside", "ss", "-tln"))
        box.ground.beside("inside", call).result(30)
        assert listening.result(30) == b"from inside"
        ends = r"outside:203\.0\.113\.10/2525 .*to inside:192\.0\.2\.25/\d+ "
        assert eventually(lambda: re.search(rf"302013: Built outbound TCP connection \d+ for {ends}", box.text()))
        assert eventually(lambda: re.search(rf"302014: Teardown TCP .* for {ends}duration .* TCP FINs", box.text()))
        assert eventually(lambda: box.in_use() == 0)


def dialogue(box: Wall, *lines: bytes) -> Callable[[], bytes]:
    """In a connection that is intercepted: what is heard, and what ends it."""

    def talk() -> bytes:
        with half_open(box, 3), socket.create_connection((str(box.server), 25), 5) as connection:
            heard = b""
            try:
                for line in (b"", *lines):
                    connection.sendall(line)
                    heard += connection.recv(1000)
                while piece := connection.recv(1000):
                    heard += piece
            except ConnectionResetError:
                heard += b"RESET"
            except TimeoutError:
                heard += b"SILENCE"
            return heard

    return talk


def polite() -> None:
    """A server of one connection, at a port that is not SMTP's: it greets, hears one line, and answers."""
    with socket.create_server((str(SERVER), 2525)) as listener:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 polite\r\n")
            assert connection.recv(100) == b"EHLO a\r\n"
            connection.sendall(b"221 bye\r\n")


def test_a_port_of_a_host_has_an_embryonic_limit_of_its_own(standing: Firewall) -> None:
    """The access list names it as it is called outside; the cookie is answered for that port alone."""
    whole = f"static (inside,outside) {MAPPED_SERVER} {SERVER} netmask 255.255.255.255 tcp 50 100"
    of_a_port = f"static (inside,outside) tcp {MAPPED_SERVER} smtp {SERVER} 2525 netmask 255.255.255.255 tcp 0 3"
    assert whole in EXAMPLE
    with under(standing, EXAMPLE.replace(whole, of_a_port), Wall) as box:
        server = box.serve(polite)
        assert box.outside(dialogue(box, b"EHLO a\r\n")).result(30) == b"220 polite\r\n221 bye\r\n"
        server.result(30)
        assert box.proxied() >= 2  # SYN and ACK
        assert eventually(lambda: box.in_use() == 0)
        assert "-6-201010: Embryonic connection limit exceeded 3/3 for input packet from 203.0.113.10/" in box.text()


def abrupt() -> None:
    """A server that greets, hears one line, and resets."""
    with socket.create_server((str(SERVER), 25)) as listener:
        connection, _ = listener.accept()
        connection.sendall(b"220 abrupt\r\n")
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def test_the_servers_own_reset_reaches_an_intercepted_client(either: Walled) -> None:
    with either("tcp 0 3") as box:
        box.serve(abrupt)
        assert box.outside(dialogue(box, b"EHLO a\r\n")).result().endswith(b"RESET")
        assert box.proxied() > 0
        assert eventually(lambda: box.in_use() == 0)
        assert eventually(lambda: "TCP Reset-I" in box.text())


def test_our_reset_reaches_both_sides_of_an_intercepted_connection(either: Walled) -> None:
    """Here of a connection whose stream a new worker doesn't know (row 20)."""

    def hold() -> str:
        with socket.create_server((str(SERVER), 25)) as listener:
            connection, _ = listener.accept()
            connection.sendall(b"220 hold\r\n")
            connection.settimeout(PATIENCE)
            try:
                while connection.recv(100):
                    pass
            except ConnectionResetError:
                return "RESET"
            return "FIN"

    def talk() -> bytes:
        with half_open(box, 3), socket.create_connection((str(box.server), 25), 5) as connection:
            connection.recv(100)
            greeted.come()
            replaced.wait()
            connection.settimeout(PATIENCE)
            connection.sendall(b"EHLO a\r\n")
            try:
                return connection.recv(100)
            except ConnectionResetError:
                return b"RESET"

    with either("tcp 0 3") as box:
        greeted, replaced = box.ground.moment(), box.ground.moment()
        server, talker = box.serve(hold), box.outside(talk)
        greeted.wait()
        box.kill_workers()
        replaced.come()
        assert talker.result(60) == b"RESET"
        assert server.result(60) == "RESET"
        assert box.proxied() > 0
        assert eventually(lambda: box.in_use() == 0)


def cookie_of(tap: Tap, server: IPv4Address) -> Seen:
    """What SYNPROXY answers CLIENTS[0]'s SYN to the server."""
    burst.send(server, CLIENTS[:1])
    return answer_to(tap, SYN | ACK)


def answer_to(tap: Tap, flags: int) -> Seen:
    """The first packet with these flags to CLIENTS[0]'s port of `burst`."""
    found: list[Seen] = []

    def heard() -> bool:
        found.extend(
            each
            for each in tap.segments()
            if each.to == CLIENTS[0] and each.to_port == burst.PORT and each.flags & flags == flags
        )
        return bool(found)

    assert eventually(heard, 5)
    return found[0]


def test_one_tuple_serves_again_and_again(either: Walled) -> None:
    """Connection tracking remembers the connection before, whose numbers it has put right, for two minutes."""

    def serve() -> None:
        with socket.create_server((str(SERVER), 25)) as listener:
            for _ in range(3):
                with listener.accept()[0] as connection:
                    connection.sendall(b"220 brief\r\n")
                    connection.recv(100)
                    connection.sendall(b"221 bye\r\n")

    def call() -> bytes:
        """All that is heard by one port; nothing while its last connection waits for its last acknowledgment."""
        try:
            connection = socket.create_connection((str(box.server), 25), 10, (str(CLIENTS[0]), 41_000))
        except OSError:
            return b""
        with connection:
            heard = connection.recv(100)
            connection.sendall(b"QUIT\r\n")
            while piece := connection.recv(100):
                heard += piece
            return heard

    def talk() -> list[bytes]:
        with half_open(box, 3):
            heard: list[bytes] = []
            assert eventually(lambda: heard.extend(filter(None, [call()])) or len(heard) == 3)
            return heard

    with either("tcp 0 3") as box:
        server = box.serve(serve)
        assert [len(each) for each in box.outside(talk).result(60)] == [len(b"220 brief\r\n221 bye\r\n")] * 3
        server.result(30)
        assert box.proxied() >= 6  # SYN and ACK of each
        assert eventually(lambda: box.in_use() == 0)


def test_an_intercepted_connection_outlives_the_limit_and_is_cleared_like_any_other(either: Walled) -> None:
    with either("tcp 0 3") as box:
        box.serve(postman(1))
        intercepted, free, said, cleared = (box.ground.moment() for _ in range(4))

        def talk() -> list[bytes]:
            with half_open(box, 3):
                connection = socket.create_connection((str(box.server), 25), 10)
                heard = [connection.recv(100)]
                intercepted.come()
                free.wait()
            with connection:
                connection.sendall(b"NOOP\r\n")
                heard.append(connection.recv(100))
                said.come()
                cleared.wait()
                return heard

        talking = box.outside(talk)
        intercepted.wait()
        assert box.proxied() >= 2
        box.put(box.file.read_text().replace("tcp 0 3", "").replace("embryonic-conn-max 3", "conn-max 900"))
        free.come()
        said.wait()
        assert eventually(lambda: box.in_use() == 1)
        assert box.answer(ClearConnections(ALL)).connections == 1
        assert box.in_use() == 0
        cleared.come()
        greeting, answer = talking.result(30)
        assert (len(greeting), answer) == (len(b"220 postman.inside.example ESMTP Post\r\n"), b"250 ok\r\n")
        assert eventually(lambda: "Xlate Clear" in box.text())


def test_a_server_that_has_no_room_at_first_is_asked_again(either: Walled) -> None:
    """SYNPROXY sends it one SYN; its backlog may be full of what the limit let through."""
    deaf = ["INPUT", "-p", "tcp", "--dport", "25", "--syn", "-j", "DROP"]
    with either("tcp 0 3") as box:
        box.serve(postman(2))
        box.ground.run("inside", "iptables", "-A", *deaf)

        def send() -> list[str]:
            with half_open(box, 3):
                return client(2, letter(5000), str(box.server))()

        def unheard() -> int:
            return int(box.ground.run("inside", "iptables", "-vxnL", "INPUT").splitlines()[2].split()[0])

        sending = box.outside(send)
        assert eventually(lambda: unheard() >= 3 + 2)
        box.ground.run("inside", "iptables", "-D", *deaf)
        assert sending.result(60) == []
        put_forward(box.pid, 31)  # what was half-open has been heard by nobody
        assert eventually(lambda: box.in_use() == 0)


@pytest.mark.parametrize("crowd", [3, 0], ids=["intercepted", "not intercepted"])
@pytest.mark.parametrize(
    ("text", "called", "port"),  # for two minutes a port is one address's to connection tracking
    [
        (limited("tcp 0 3"), MAPPED_SERVER, burst.PORT + 1),
        (untranslated("tcp 0 3"), SERVER, burst.PORT + 2),
        (limited("tcp 0 3").replace(str(MAPPED_SERVER), str(SERVER)), SERVER, burst.PORT + 3),
    ],
    ids=["translated", "without a static", "by its own address"],
)
def test_a_server_learns_that_the_connection_before_on_the_tuple_is_over(
    standing: Firewall, text: str, called: IPv4Address, port: int, crowd: int
) -> None:
    """Its client went without a word: SYNPROXY's SYN is answered by an ACK with the old one's number (RFC 5961 §4)."""
    silenced = ["OUTPUT", "-p", "tcp", "--sport", str(port), "-j", "DROP"]

    def greeted() -> bytes:
        with contextlib.closing(socket.socket()) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.bind((str(CLIENTS[0]), port))
            caller.settimeout(10)
            caller.connect((str(called), 25))
            heard = caller.recv(100)
            subprocess.run(["iptables", "-A", *silenced], check=True)
        subprocess.run(["iptables", "-D", *silenced], check=True)
        return heard

    def again() -> bytes:
        with half_open(box, crowd, called):
            return greeted()

    with under(standing, text, Wall) as box:
        box.serve(postman(9))
        assert box.outside(greeted).result().startswith(b"220 ***")
        box.answer(ClearConnections(ALL))
        assert box.outside(again).result().startswith(b"220 ***")
        assert bool(box.proxied()) is bool(crowd)


def test_with_every_place_taken_a_returning_cookie_is_reset_at_once(either: Walled) -> None:
    """It is handed out while there are places, and comes back when there are none."""

    def late() -> tuple[int, int]:
        with half_open(box, 3), contextlib.closing(Tap(outside)) as tap:
            cookie = cookie_of(tap, box.server)
            with contextlib.ExitStack() as taken:
                for _ in range(3):
                    taken.enter_context(socket.create_connection((str(box.server), 25), 5)).recv(100)
                burst.acknowledge(box.server, CLIENTS[0], cookie.seq + 1)
                return answer_to(tap, RST).seq, cookie.seq + 1

    with either("tcp 6 3") as box:
        outside = box.lab.network.namespace("outside")
        box.serve(postman(9))
        told, expected = box.outside(late).result()
        assert told == expected
        assert box.proxied("REJECT") == 1
        assert eventually(lambda: box.in_use() == 0)


def test_no_spoofed_acknowledgment_takes_a_place(either: Walled) -> None:
    def spoof() -> None:
        with half_open(box, 3), contextlib.closing(Tap(outside)) as tap:
            cookie = cookie_of(tap, box.server)
            for wrong in (0x100, 0x1000, 0x7FFFFFFF):  # its lowest bits are the MSS's
                burst.acknowledge(box.server, CLIENTS[0], cookie.seq + 1 + wrong)
                burst.acknowledge(box.server, CLIENTS[1], cookie.seq + 1)  # another's cookie
            spoofed.come()
            seen.wait()

    with either("tcp 6 3") as box:
        outside = box.lab.network.namespace("outside")
        spoofed, seen = box.ground.moment(), box.ground.moment()
        box.serve(postman(1))
        child = box.outside(spoof)
        spoofed.wait()
        assert eventually(lambda: box.proxied() == 1 + 6)  # the SYN, and what is spoofed
        assert box.in_use() == 3
        seen.come()
        child.result()
        assert box.text().count("Built inbound") == 3


def test_who_was_intercepted_for_a_server_that_does_not_answer_is_reset_in_the_end(either: Walled) -> None:
    """It waits for a greeting and would wait for ever: SYNPROXY sends its SYN to the server once."""

    def wait() -> str:
        with half_open(box, 3), socket.create_connection((str(box.server), 25), 5) as connection:
            connection.settimeout(PATIENCE)
            try:
                return repr(connection.recv(100))
            except ConnectionResetError:
                return "RESET"

    with either("tcp 0 3") as box:
        box.ground.run("inside", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "25", "-j", "DROP")
        waiting = box.outside(wait)
        assert eventually(lambda: box.in_use() == 3 + 1)
        put_forward(box.pid, 31)
        assert waiting.result(60) == "RESET"
        assert eventually(lambda: box.in_use() == 0)


def test_a_port_that_the_access_list_denies_is_not_answered_with_a_cookie(either: Walled) -> None:
    def knock() -> list[str]:
        with half_open(box, 3):
            told = []
            for port, patience in ((25, 10.0), (26, 0.5)):
                with socket.socket() as door:
                    door.settimeout(patience)
                    told.append(os.strerror(door.connect_ex((str(box.server), port))))
            return told

    with either("tcp 0 3") as box:
        box.serve(postman(9))
        assert box.outside(knock).result() == ["Success", "Resource temporarily unavailable"]


@pytest.mark.parametrize("limits", ["tcp 0 1", "tcp 0 5", "tcp 0 20"])
def test_all_are_served_while_the_embryonic_limit_is_crossed(either: Walled, limits: str) -> None:
    with either(limits) as box:
        box.serve(postman(CONNECTIONS))
        box.ground.beside("inside", delayed)
        assert eventually(lambda: "NFQUEUE" in box.ground.run("inside", "iptables", "-S", "OUTPUT"))
        assert box.outside(client(CONNECTIONS, letter(500), str(box.server))).result(180) == []
        assert box.proxied() > 0
        assert eventually(lambda: box.in_use() == 0)


@contextmanager
def weak_server(box: Firewall) -> Iterator[None]:
    """Inside it has no cookies of its own, and a backlog little above the embryonic limit."""

    def settle(cookies: int, backlog: int) -> None:
        settings = (f"net.ipv4.tcp_syncookies={cookies}", f"net.ipv4.tcp_max_syn_backlog={backlog}")
        box.ground.run("inside", "sysctl", "-qw", *settings)

    settle(0, 512)
    try:
        yield
    finally:
        settle(1, 1024)


def test_mail_is_delivered_during_a_flood(either: Walled) -> None:
    seconds, rate, mails = (20, 200_000, 1000) if LONG else (10, 10_000, 100)
    with either("tcp 1000 100") as box, weak_server(box):
        box.serve(postman(mails, backlog=256))
        with flooding(box.ground, seconds=seconds, most=seconds * rate, rate=rate, server=box.server) as flood:
            assert eventually(lambda: box.proxied() > 1000)
            assert box.outside(client(mails, letter(500), str(box.server))).result(120) == []
            assert eventually(lambda: "-201010:" in box.text())  # which holds the last few records
            sent, took = flood.sent()
        assert box.proxied() > sent / 2
        assert box.text().count("-201010:") <= took + 5  # once a second
