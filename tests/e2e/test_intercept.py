"""TCP Intercept: at the embryonic limit clients are answered by cookies, and served like any other."""

import asyncio
import contextlib
import hashlib
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from appliance.control.client import ask
from appliance.control.protocol import ShowConnections, ShowLogging
from appliance.kernel import queues
from appliance.lab import burst
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import CLIENTS, MAPPED_SERVER, OUTSIDE, SERVER, Network
from appliance.lab.wire import Seen, Tap
from appliance.tcp.segment import ACK, RST, SYN
from tests.e2e.box import PATIENCE, eventually, workspace
from tests.ground import Child, Ground

pytestmark = pytest.mark.root

LONG = bool(os.environ.get("FIXUP_LONG"))  # `make limits`
CONNECTIONS = 2_000 if LONG else 250
PARALLEL = 50
DELAY = 0.004  # s, of each SYN-ACK
QUEUE = 9
SYN_ACKS = ["-p", "tcp", "--sport", "25", "--tcp-flags", "SYN,ACK", "SYN,ACK"]


@dataclass
class Wall:
    """A running firewall, and work beside it."""

    lab: Lab
    ground: Ground

    def outside(self, work: Callable[[], Any]) -> Child:
        return self.ground.beside("outside", work)

    def serve(self, serve: Callable[[], Any]) -> Child:
        """A server inside that is listening when this returns."""
        server = self.ground.beside("inside", serve)
        assert eventually(lambda: f"{SERVER}:25 " in self.ground.run("inside", "ss", "-tln"))
        return server

    def in_use(self) -> int:
        return int(ask(self.lab.directory / "control.sock", ShowConnections(count_only=True)).in_use)

    def workers(self) -> set[int]:
        with self.ground.within("firewall"):
            return {each.worker_pid for each in queues.uses()}

    def log(self) -> str:
        return "\n".join(ask(self.lab.directory / "control.sock", ShowLogging()).lines)

    def proxied(self, target: str = "SYNPROXY") -> int:
        """How many packets SYNPROXY, or another target beside it, has had."""
        told = self.ground.run("firewall", "iptables", "-vxnL", "FIXUP_PROXY")
        return int(re.findall(rf"^ *(\d+) +\d+ {target}", told, re.MULTILINE)[0])


@contextmanager
def wall(limits: str, *of_class: str) -> Iterator[Wall]:
    """The example's firewall with these limits of the static, and what `set connection` says of all there is."""
    with workspace() as home:
        config = home / "wall.cfg"
        said = "".join(f"  set connection {each}\n" for each in of_class)
        more = f"class-map all\n match any\npolicy-map global_policy\n class all\n{said}" if said else ""
        config.write_text(EXAMPLE.read_text().replace("tcp 50 100", limits) + more)
        lab = Lab(Network(f"fxi{os.getpid()}"), home / "run")
        lab.up(config)
        ground = Ground(lab.network)
        try:
            yield Wall(lab, ground)
        finally:
            ground.end()
            lab.down()


@contextmanager
def half_open(count: int) -> Iterator[None]:
    """For a child outside: so many of the embryonic limit's places are taken."""
    with burst.unanswered():
        burst.send(MAPPED_SERVER, CLIENTS[-count:])
        time.sleep(0.3)
        try:
            yield
        finally:
            burst.give_up(MAPPED_SERVER, CLIENTS[-count:])


def postman(mails: int, backlog: int = 512) -> Callable[[], None]:
    """A mail server for so many connections; it answers a message with its digest."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 postman.inside.example ESMTP Post\r\n")
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                verb = line[:4].upper().rstrip()
                if verb == b"DATA":
                    writer.write(b"354 go ahead\r\n")
                    message = await reader.readuntil(b"\r\n.\r\n")
                    writer.write(b"250 " + hashlib.sha256(message).hexdigest().encode() + b"\r\n")
                elif verb == b"EHLO":
                    writer.write(b"250-postman\r\n250-STARTTLS\r\n250 SIZE 10000000\r\n")
                else:
                    writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                if verb == b"QUIT":
                    break
            writer.close()

    async def serve() -> None:
        over, done = 0, asyncio.Event()

        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal over
            await talk(reader, writer)
            over += 1
            if over >= mails:
                done.set()

        server = await asyncio.start_server(count, str(SERVER), 25, backlog=backlog, limit=LIMIT)
        async with server:
            await done.wait()

    return lambda: asyncio.run(serve())


LIMIT = 8 << 20


def client(count: int, message: bytes, to: str = str(MAPPED_SERVER)) -> Callable[[], list[str]]:
    """So many sessions, PARALLEL at once, each with a message; what went wrong."""

    async def one(number: int) -> str:
        replies: list[bytes] = []
        try:
            async with asyncio.timeout(20):
                reader, writer = await asyncio.open_connection(to, 25)
                replies.append(await reader.readline())
                for line, many in ((b"EHLO outside", 3), (b"MAIL FROM:<a@b>", 1), (b"RCPT TO:<c@d>", 1), (b"DATA", 1)):
                    writer.write(line + b"\r\n")
                    replies += [await reader.readline() for _ in range(many)]
                writer.write(message)
                replies.append(await reader.readline())
                writer.write(b"QUIT\r\n")
                replies.append(await reader.readline())
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError) as error:
            return f"{number}: {error!r} behind {replies}"
        masked = replies[0].startswith(b"220 ****") and replies[2] == b"250-XXXXXXXA\r\n"
        whole = replies[-2] == b"250 " + hashlib.sha256(message).hexdigest().encode() + b"\r\n"
        return "" if masked and whole and replies[-1] == b"221 bye\r\n" else f"{number}: {replies}"

    async def all_of_them() -> list[str]:
        gate = asyncio.Semaphore(PARALLEL)

        async def gated(number: int) -> str:
            async with gate:
                return await one(number)

        return [wrong for wrong in await asyncio.gather(*map(gated, range(count))) if wrong]

    return lambda: asyncio.run(all_of_them())


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


def letter(size: int) -> bytes:
    dice = random.Random(size)
    lines = [bytes(dice.choices(b"abcdefghij ", k=70)) for _ in range(size // 72)]
    return b"\r\n".join([b"Subject: letter", b"", *lines]) + b"\r\n.\r\n"


def test_mail_through_intercepted_connections_is_masked_and_whole() -> None:
    with wall("tcp 0 3") as box:
        box.serve(postman(5))

        def send() -> list[str]:
            with half_open(3):
                return [wrong for size in (0, 100, 5000, 300_000, 5_000_000) for wrong in client(1, letter(size))()]

        assert box.outside(send).result(60) == []
        assert box.proxied() >= 10  # SYN and ACK of each
        assert eventually(lambda: box.in_use() == 0)
        assert eventually(lambda: len(re.findall("bytes [1-9][0-9]* TCP FINs", box.log())) == 5)
        assert "-6-201010: Embryonic connection limit exceeded 3/3 for input packet from 203.0.113.10/" in box.log()


def test_at_the_embryonic_limit_of_a_class_clients_are_served_by_cookies_too() -> None:
    with wall("", "embryonic-conn-max 3", "timeout embryonic 0:00:20") as box:
        box.serve(postman(2))

        def send() -> list[str]:
            with half_open(3):
                return client(2, letter(5000))()

        assert box.outside(send).result(60) == []
        assert box.proxied() >= 4
        assert eventually(lambda: box.in_use() == 0)
        assert "-6-201010: Embryonic connection limit exceeded 3/3 for input packet from 203.0.113.10/" in box.log()


def test_a_client_gets_so_many_connections_as_its_class_says() -> None:
    def serve() -> None:
        with socket.create_server((str(SERVER), 25)) as listener:
            held = [listener.accept()[0] for _ in range(3)]
            for each in held:
                each.recv(1)

    def call(source: IPv4Address) -> socket.socket:
        return socket.create_connection((str(MAPPED_SERVER), 25), 0.8, (str(source), 0))

    def clients() -> int:
        one, other = CLIENTS[:2]
        with call(one), call(one):
            with pytest.raises(TimeoutError):
                call(one)
            call(other).close()
            return 1

    with wall("", "per-client-max 2") as box:
        server = box.serve(serve)
        assert box.outside(clients).result(30) == 1
        server.result(30)
        refused = "-3-201013: Per-client connection limit exceeded 2/2 for input packet from 203.0.113.10/"
        assert eventually(lambda: refused in box.log())
        assert eventually(lambda: box.in_use() == 0)


def test_a_connection_from_inside_is_outbound_from_its_first_record_to_its_last() -> None:
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
        assert eventually(lambda: re.search(rf"302013: Built outbound TCP connection \d+ for {ends}", box.log()))
        assert eventually(lambda: re.search(rf"302014: Teardown TCP .* for {ends}duration .* TCP FINs", box.log()))
        assert eventually(lambda: box.in_use() == 0)


def dialogue(*lines: bytes) -> Callable[[], bytes]:
    """In a connection that is intercepted: what is heard, and what ends it."""

    def talk() -> bytes:
        with half_open(3), socket.create_connection((str(MAPPED_SERVER), 25), 5) as connection:
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


def abrupt() -> None:
    """A server that greets, hears one line, and resets."""
    with socket.create_server((str(SERVER), 25)) as listener:
        connection, _ = listener.accept()
        connection.sendall(b"220 abrupt\r\n")
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def test_the_servers_own_reset_reaches_an_intercepted_client() -> None:
    with wall("tcp 0 3") as box:
        box.serve(abrupt)
        assert box.outside(dialogue(b"EHLO a\r\n")).result().endswith(b"RESET")
        assert box.proxied() > 0
        assert eventually(lambda: box.in_use() == 0)
        assert eventually(lambda: "TCP Reset-I" in box.log())


def test_our_reset_reaches_both_sides_of_an_intercepted_connection() -> None:
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
        with half_open(3), socket.create_connection((str(MAPPED_SERVER), 25), 5) as connection:
            connection.recv(100)
            ready.touch()
            while ready.exists():
                time.sleep(0.05)
            connection.settimeout(PATIENCE)
            connection.sendall(b"EHLO a\r\n")
            try:
                return connection.recv(100)
            except ConnectionResetError:
                return b"RESET"

    with wall("tcp 0 3") as box:
        ready = box.lab.directory.parent / "ready"
        server, talker = box.serve(hold), box.outside(talk)
        assert eventually(ready.exists)
        killed = box.workers()
        for each in killed:
            os.kill(each, signal.SIGKILL)
        assert eventually(lambda: len(box.workers()) == len(killed) and not killed & box.workers())
        ready.unlink()
        assert talker.result(60) == b"RESET"
        assert server.result(60) == "RESET"
        assert box.proxied() > 0
        assert eventually(lambda: box.in_use() == 0)


def cookie_of(tap: Tap) -> Seen:
    """What SYNPROXY answers CLIENTS[0]'s SYN."""
    burst.send(MAPPED_SERVER, CLIENTS[:1])
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


def test_with_every_place_taken_a_returning_cookie_is_reset_at_once() -> None:
    """It is handed out while there are places, and comes back when there are none."""

    def late() -> tuple[int, int]:
        with half_open(3), contextlib.closing(Tap(outside)) as tap:
            cookie = cookie_of(tap)
            with contextlib.ExitStack() as taken:
                for _ in range(3):
                    taken.enter_context(socket.create_connection((str(MAPPED_SERVER), 25), 5)).recv(100)
                burst.acknowledge(MAPPED_SERVER, CLIENTS[0], cookie.seq + 1)
                return answer_to(tap, RST).seq, cookie.seq + 1

    with wall("tcp 6 3") as box:
        outside = box.lab.network.namespace("outside")
        box.serve(postman(9))
        told, expected = box.outside(late).result()
        assert told == expected
        assert box.proxied("REJECT") == 1
        assert eventually(lambda: box.in_use() == 0)


def test_no_spoofed_acknowledgment_takes_a_place() -> None:
    def spoof() -> None:
        with half_open(3), contextlib.closing(Tap(outside)) as tap:
            cookie = cookie_of(tap)
            for wrong in (0x100, 0x1000, 0x7FFFFFFF):  # its lowest bits are the MSS's
                burst.acknowledge(MAPPED_SERVER, CLIENTS[0], cookie.seq + 1 + wrong)
                burst.acknowledge(MAPPED_SERVER, CLIENTS[1], cookie.seq + 1)  # another's cookie
            time.sleep(0.3)
            spoofed.touch()
            while spoofed.exists():
                time.sleep(0.05)

    with wall("tcp 6 3") as box:
        outside, spoofed = box.lab.network.namespace("outside"), box.lab.directory.parent / "spoofed"
        box.serve(postman(1))
        child = box.outside(spoof)
        assert eventually(spoofed.exists)
        assert box.proxied() > 3
        assert box.in_use() == 3
        spoofed.unlink()
        child.result()
        assert box.log().count("Built inbound") == 3


def test_who_was_intercepted_for_a_server_that_does_not_answer_is_reset_in_the_end() -> None:
    """It waits for a greeting and would wait for ever: SYNPROXY sends its SYN to the server once."""

    def wait() -> str:
        with half_open(3), socket.create_connection((str(MAPPED_SERVER), 25), 5) as connection:
            connection.settimeout(PATIENCE)
            try:
                return repr(connection.recv(100))
            except ConnectionResetError:
                return "RESET"

    with wall("tcp 0 3\ntimeout embryonic 0:0:5") as box:
        box.ground.run("inside", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "25", "-j", "DROP")
        assert box.outside(wait).result(60) == "RESET"
        assert eventually(lambda: box.in_use() == 0)


def test_a_port_that_the_access_list_denies_is_not_answered_with_a_cookie() -> None:
    def knock() -> list[str]:
        with half_open(3):
            told = []
            for port in (25, 26):
                with socket.socket() as door:
                    door.settimeout(1.5)
                    told.append(os.strerror(door.connect_ex((str(MAPPED_SERVER), port))))
            return told

    with wall("tcp 0 3") as box:
        box.serve(postman(9))
        assert box.outside(knock).result() == ["Success", "Resource temporarily unavailable"]


@pytest.mark.parametrize("limits", ["tcp 0 1", "tcp 0 5", "tcp 0 20"])
def test_all_are_served_while_the_embryonic_limit_is_crossed(limits: str) -> None:
    with wall(limits) as box:
        box.serve(postman(CONNECTIONS))
        box.ground.beside("inside", delayed)
        assert eventually(lambda: "NFQUEUE" in box.ground.run("inside", "iptables", "-S", "OUTPUT"))
        assert box.outside(client(CONNECTIONS, letter(500))).result(180) == []
        assert box.proxied() > 0
        assert eventually(lambda: box.in_use() == 0)


def flood(seconds: float, rate: int) -> Callable[[], int]:
    """SYNs of 198.51.100.0/24 from a child outside, for so long and at most so many a second; how many there were."""

    def send() -> int:
        dice, sent, started = random.Random(5), 0, time.monotonic()
        hardware = gateway()
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as out:
            while (elapsed := time.monotonic() - started) < seconds:
                while sent < rate * elapsed:
                    source = IPv4Address("198.51.100.0") + dice.randrange(256)
                    packet = burst.syn(source, MAPPED_SERVER, dice.randrange(1024, 65536))
                    with contextlib.suppress(BlockingIOError):
                        out.sendto(packet, ("eth0", 0x0800, 0, 0, hardware))
                    sent += 1
                time.sleep(0.001)
        return sent

    return send


def gateway() -> bytes:
    """The firewall's hardware address, as outside knows it."""
    with contextlib.suppress(OSError):
        socket.create_connection((str(OUTSIDE.ip), 9), 1)
    told = subprocess.run(["ip", "neigh", "show", str(OUTSIDE.ip)], capture_output=True, text=True, check=True).stdout
    return bytes.fromhex(told.split("lladdr ")[1].split()[0].replace(":", ""))


def test_mail_is_delivered_during_a_flood() -> None:
    """The server is a weak one: no cookies of its own, a backlog little above the embryonic limit."""
    seconds, rate, mails = (10, 200_000, 1000) if LONG else (4, 10_000, 100)
    with wall("tcp 1000 100") as box:
        with box.ground.within("inside"):
            Path("/proc/sys/net/ipv4/tcp_syncookies").write_text("0")
            Path("/proc/sys/net/ipv4/tcp_max_syn_backlog").write_text("512")
        box.ground.run("outside", "ip", "route", "add", "blackhole", "198.51.100.0/24")
        box.serve(postman(mails, backlog=256))
        flooding = box.outside(flood(seconds, rate))
        assert eventually(lambda: box.proxied() > 1000)
        assert box.outside(client(mails, letter(500))).result(120) == []
        sent = flooding.result(60)
        assert box.proxied() > sent / 2
        assert 1 <= box.log().count("-201010:") <= seconds + 5
        print(sent, box.proxied())
