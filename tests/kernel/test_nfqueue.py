"""The queue, live: whole packets, verdicts late and in any order, work between packets, and what it says of itself."""

import hashlib
import os
import select
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from appliance.kernel import nfqueue, queues
from appliance.kernel.errors import KernelError
from appliance.kernel.nfqueue import Packet, Queue
from appliance.lab.network import SERVER
from appliance.tcp.segment import checksum
from tests.ground import Child, Ground

pytestmark = pytest.mark.root

NUMBER = 3
FLIPPED = bytes(octet ^ 0x20 for octet in range(256))
RULES = f"*filter\n-A FORWARD -p tcp -j NFQUEUE --queue-num {NUMBER}\nCOMMIT\n"


def rewritten(packet: bytes) -> bytes:
    """The packet with its payload's octets changed and the TCP checksum put right."""
    ihl = (packet[0] & 15) * 4
    header = ihl + (packet[ihl + 12] >> 4) * 4
    tcp = packet[ihl : ihl + 16] + b"\0\0" + packet[ihl + 18 : header] + packet[header:].translate(FLIPPED)
    summed = checksum(packet[12:20] + struct.pack("!HH", 6, len(tcp)) + tcp)
    return packet[:ihl] + tcp[:16] + struct.pack("!H", summed) + tcp[18:]


def queue(ground: Ground, serve: Callable[[], Any]) -> Child:
    """`serve` in the firewall, where every TCP packet goes to the queue. Returns when the queue is bound."""
    ground.run("firewall", "iptables-restore", "--noflush", text=RULES)
    child = ground.beside("firewall", serve)
    with ground.within("firewall"):
        while not queues.uses() and not child.done(0.01):
            pass
    return child


def transfer(ground: Ground, size: int) -> bool:
    """Send `size` octets through the firewall; whether they arrived flipped and whole."""
    data = os.urandom(size)
    ready, announce = os.pipe()

    def receive() -> bytes:
        with socket.create_server((str(SERVER), 2525)) as listener:
            os.write(announce, b"!")
            connection, _ = listener.accept()
            digest = hashlib.sha256()
            while piece := connection.recv(1 << 16):
                digest.update(piece)
            return digest.digest()

    server = ground.beside("inside", receive)
    os.read(ready, 1)

    def send() -> None:
        with socket.create_connection((str(SERVER), 2525), timeout=20) as connection:
            connection.sendall(data)

    ground.beside("outside", send).result()
    return bool(server.result() == hashlib.sha256(data.translate(FLIPPED)).digest())


def test_super_packets_are_rewritten_intact_and_verdicts_may_come_late_and_out_of_order(routed: Ground) -> None:
    """20 MB, every packet rewritten, every fourth held beyond its callback and let go last come, first served."""

    def serve() -> tuple[int, int]:
        held: list[Packet] = []
        largest = seen = 0

        def packet(each: Packet) -> None:
            nonlocal largest, seen
            octets = each.get_payload()
            largest, seen = max(largest, len(octets)), seen + 1
            each.set_payload(rewritten(octets))
            if seen % 4:
                each.accept()
            else:
                held.append(each)

        def tick() -> float:
            while held:
                held.pop().accept()
            if seen > 10 and not queues.uses()[0].length and largest and done():
                served.stop()
            return 10

        def done() -> bool:
            return bool(select.select([finished], [], [], 0)[0])

        served = Queue(NUMBER, packet, tick)
        served.run()
        assert served.lost == 0
        return largest, seen

    finished, finish = os.pipe()
    worker = queue(routed, serve)
    assert transfer(routed, 20_000_000)
    os.write(finish, b"!")
    largest, seen = worker.result()
    assert largest > 30_000  # super-packets came whole
    assert seen < 20_000_000 / 1448


def test_packets_say_where_they_come_from_and_what_mark_they_carry(routed: Ground) -> None:
    marking = "*mangle\n-A FORWARD -j MARK --set-xmark 0x12300/0xffff00\nCOMMIT\n"
    routed.run("firewall", "iptables-restore", "--noflush", text=marking)

    def serve() -> tuple[int, int, int, bytes]:
        seen: list[tuple[int, int, int, bytes]] = []

        def packet(each: Packet) -> None:
            seen.append((each.indev, each.outdev, each.mark, each.get_payload()))
            each.drop()
            served.stop()

        served = Queue(NUMBER, packet, lambda: None)
        served.run()
        return seen[0]

    worker = queue(routed, serve)
    with routed.within("outside"), socket.socket() as client:
        client.setblocking(False)
        client.connect_ex((str(SERVER), 25))
        indev, outdev, mark, octets = worker.result()
    listed = routed.run("firewall", "ip", "-o", "link").splitlines()
    index = {line.split(": ")[1].split("@")[0]: int(line.split(":")[0]) for line in listed}
    assert (indev, outdev, mark) == (index["outside0"], index["inside0"], 0x12300)
    assert octets[16:20] == SERVER.packed


def test_a_watched_descriptor_and_the_clock_are_served_while_no_packet_comes(routed: Ground) -> None:
    ours, theirs = socket.socketpair()

    def serve() -> tuple[bytes, int]:
        heard: list[bytes] = []
        ticks = 0

        def request() -> None:
            heard.append(theirs.recv(16))
            served.stop()

        def tick() -> float:
            nonlocal ticks
            ticks += 1
            if ticks == 3:
                ours.send(b"stop")
            return 1

        served = Queue(NUMBER, lambda packet: packet.accept(), tick, watch={theirs.fileno(): request})
        served.run()
        return heard[0], ticks

    assert queue(routed, serve).result() == (b"stop", 3)


def test_a_tick_comes_however_busy_the_queue_is(routed: Ground) -> None:
    """Also while packets never stop: the clock of what is held must go on."""

    def serve() -> int:
        since = longest = 0

        def packet(each: Packet) -> None:
            nonlocal since, longest
            since += 1
            longest = max(longest, since)
            each.set_payload(rewritten(each.get_payload()))
            each.accept()

        def tick() -> float:
            nonlocal since
            since = 0
            if select.select([finished], [], [], 0)[0]:
                served.stop()
            return 10

        served = Queue(NUMBER, packet, tick)
        served.run()
        return longest

    finished, finish = os.pipe()
    worker = queue(routed, serve)
    assert transfer(routed, 5_000_000)
    os.write(finish, b"!")
    assert worker.result() <= 64


def test_the_queue_in_use_names_who_has_it(routed: Ground) -> None:
    worker = queue(routed, lambda: Queue(NUMBER, lambda packet: packet.accept(), lambda: None).run())
    with routed.within("firewall"), pytest.raises(KernelError, match=f"NFQUEUE 3 is served by process {worker.pid}"):
        Queue(NUMBER, lambda packet: packet.accept(), lambda: None)


def test_without_privilege_one_line_says_so(routed: Ground) -> None:
    def unprivileged() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(KernelError) as refused:
            Queue(NUMBER, lambda packet: packet.accept(), lambda: None)
        return str(refused.value)

    assert "CAP_NET_ADMIN" in routed.beside("firewall", unprivileged).result()


def test_a_kernel_without_nfqueue_is_named(routed: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "available", lambda: False)

    def refused(*_: object, **__: object) -> None:
        raise OSError("Failed to create queue 3.")

    monkeypatch.setattr(nfqueue, "NetfilterQueue", refused)
    with pytest.raises(KernelError, match="modprobe nfnetlink_queue"):
        Queue(NUMBER, lambda packet: packet.accept(), lambda: None)


def test_lost_packets_are_counted_and_do_not_end_the_worker(routed: Ground) -> None:
    """Two ends of one queue's socket too small for a flood of SYNs: ENOBUFS, and on it goes."""

    def serve() -> tuple[int, int]:
        seen = 0

        def packet(each: Packet) -> None:
            nonlocal seen
            seen += 1
            each.drop()

        def tick() -> float:
            if seen and select.select([finished], [], [], 0)[0]:
                served.stop()
            return 10

        served = Queue(NUMBER, packet, tick)
        served._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        os.read(flooded, 1)
        served.run()
        return served.lost, seen

    finished, finish = os.pipe()
    flooded, flood = os.pipe()
    worker = queue(routed, serve)
    with routed.within("outside"):
        clients = [socket.socket() for _ in range(200)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex((str(SERVER), 25))
    with routed.within("firewall"):
        assert queues.uses()[0].user_dropped > 0
    os.write(flood, b"!")
    os.write(finish, b"!")
    lost, seen = worker.result()
    for client in clients:
        client.close()
    assert lost >= 1
    assert seen >= 1


def test_the_statistics_are_the_namespaces_own(routed: Ground) -> None:
    worker = queue(routed, lambda: Queue(NUMBER, lambda packet: packet.accept(), lambda: None).run())
    with routed.within("firewall"):
        (use,) = queues.uses()
    assert (use.number, use.worker_pid, use.length, use.dropped, use.user_dropped) == (NUMBER, worker.pid, 0, 0, 0)
    with routed.within("outside"):
        assert queues.uses() == ()
