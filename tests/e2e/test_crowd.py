"""A crowd of clients that hold their inspected connections open, and mail that flows beside them all the same."""

import os
import resource
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from appliance.lab.network import MAPPED_SERVER
from tests.e2e.postman import client, letter, postman
from tests.e2e.wall import wall
from tests.ground import Moment, eventually

pytestmark = pytest.mark.root

LONG = bool(os.environ.get("FIXUP_LONG"))  # `make soak`
CROWD, MAILS = (10_000, 500) if LONG else (500, 50)
EACH = 6_000  # octets a connection may cost: 60 MB for ten thousand
SLACK = 4 << 20  # octets of the allocator's own


def may_open(files: int) -> None:
    """This process may have so many files open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, max(files, hard)))


def serve(connections: int) -> Callable[[], None]:
    """A mail server for so many at once."""

    def run() -> None:
        may_open(connections + 100)
        postman(connections, backlog=4096)()

    return run


def linger(count: int, here: Moment, over: Moment) -> Callable[[], int]:
    """So many clients that have said EHLO and heard the masked answer, from `here` until `over`; how many."""

    def run() -> int:
        may_open(count + 100)
        with ExitStack() as held:
            greeted = 0
            for _ in range(count):
                each = held.enter_context(socket.create_connection((str(MAPPED_SERVER), 25), 30))
                heard = each.recv(1000)
                each.sendall(b"EHLO crowd.outside.example\r\n")
                while heard.count(b"\n") < 4:
                    heard += each.recv(1000)
                greeted += heard.startswith(b"220 ****") and b"\r\n250-XXXXXXXA\r\n" in heard
            here.come()
            over.has_come(within=600)
            return greeted

    return run


def resident(pid: int) -> int:
    """Octets of memory a process has in use."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def test_mail_flows_while_a_crowd_holds_its_connections_open() -> None:
    with wall("tcp 0 0") as box:
        here, over = box.ground.moment(), box.ground.moment()
        box.serve(serve(CROWD + 2 * MAILS))
        (worker,) = box.workers()
        assert box.outside(client(MAILS, letter(4_000))).result(120) == []  # what a worker needs at all
        alone = resident(worker)
        crowd = box.outside(linger(CROWD, here, over))
        assert here.has_come(within=600)
        assert box.in_use() == CROWD
        crowded = resident(worker)
        assert box.outside(client(MAILS, letter(4_000))).result(120) == []
        over.come()
        assert crowd.result(60) == CROWD
        assert eventually(lambda: box.in_use() == 0)
        assert box.workers() == {worker}, "the same one all the time"
    mebibytes = ", ".join(f"{octets / (1 << 20):.1f} MiB" for octets in (alone, crowded))
    print(f"resident size of the worker before and with {CROWD} connections: {mebibytes}")
    assert crowded - alone <= CROWD * EACH + SLACK
