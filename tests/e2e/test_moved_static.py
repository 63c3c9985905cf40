"""A static that a reload has lead elsewhere: its connections end, and who calls next is where it leads now."""

import os
import signal
import socket
import threading
from ipaddress import IPv4Address

import pytest

from appliance.lab.network import CLIENTS, EXEMPT, MAPPED_SERVER, SERVER
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, under
from tests.ground import eventually

pytestmark = pytest.mark.root

WHOLE = f"static (inside,outside) {MAPPED_SERVER} {SERVER} netmask 255.255.255.255 tcp 50 100\n"
OF_A_PORT = f"static (inside,outside) tcp {MAPPED_SERVER} smtp {SERVER} 2525 netmask 255.255.255.255 tcp 50 0\n"
OPEN = EXAMPLE.replace("service-policy global_policy global\n", "")
PORTS = OPEN.replace(WHOLE, OF_A_PORT)


def swapped(text: str) -> str:
    """The same with the first two hosts in each other's place."""
    return text.replace(f" {SERVER} ", " here ").replace(f" {EXEMPT} ", f" {SERVER} ").replace(" here ", f" {EXEMPT} ")


def serve() -> None:
    """At every place that a static leads to: says which it is, and hears what comes."""

    def at(address: IPv4Address, port: int) -> None:
        with socket.create_server((str(address), port)) as listener:
            held = []
            while True:
                connection, _ = listener.accept()
                connection.sendall(f"220 {address} {port}\r\n".encode())
                held.append(connection)

    ends = [(SERVER, 25), (EXEMPT, 25), (SERVER, 2525), (SERVER, 2526)]
    threads = [threading.Thread(target=at, args=end) for end in ends]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


@pytest.mark.parametrize(
    ("before", "after", "first", "then"),
    [
        (OPEN, swapped(OPEN), f"{SERVER} 25", f"{EXEMPT} 25"),
        (PORTS, PORTS.replace(" 2525 ", " 2526 "), f"{SERVER} 2525", f"{SERVER} 2526"),
    ],
    ids=["host", "port"],
)
def test_its_connections_end_and_the_next_go_where_it_leads(
    standing: Firewall, before: str, after: str, first: str, then: str
) -> None:
    def call() -> socket.socket:
        return socket.create_connection((str(MAPPED_SERVER), 25), 10, (str(CLIENTS[0]), 0))

    def greeting(of: socket.socket) -> str:
        return of.recv(100).decode().removeprefix("220 ").strip()

    def talk() -> tuple[str, str, str]:
        with call() as old:
            heard = greeting(old)
            greeted.come()
            moved.wait()
            with call() as new:
                return heard, greeting(new), last(old)

    def last(of: socket.socket) -> str:
        """What becomes of one more line."""
        of.settimeout(0.5)
        of.sendall(b"NOOP\r\n")
        try:
            return repr(of.recv(100))
        except TimeoutError:
            return "SILENCE"
        except ConnectionResetError:
            return "RESET"

    assert before != after
    with under(standing, before) as box:
        greeted, moved = box.ground.moment(), box.ground.moment()
        box.serve(serve, ports=4)
        talking = box.outside(talk)
        greeted.wait()
        assert box.in_use() == 1
        box.file.write_text(after, encoding="utf-8")
        os.kill(box.pid, signal.SIGHUP)
        assert eventually(lambda: box.in_use() == 0)
        ended = f"inside:{SERVER}/{first.split()[1]} "
        assert any("302014" in line and "Xlate Clear" in line and ended in line for line in box.log())
        moved.come()
        assert talking.result(30) == (first, then, "SILENCE")
