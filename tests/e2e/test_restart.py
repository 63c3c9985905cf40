"""An orderly restart: nothing of the run before goes on where nothing counts it (row 20)."""

import os
import signal
import socket
from functools import partial

import pytest

from appliance.lab.network import MAPPED_SERVER
from tests.appliances import EXAMPLE
from tests.bpf.storm import serve
from tests.e2e.firewall import ALL, Firewall, firewall
from tests.ground import eventually

pytestmark = pytest.mark.root

ENDED = "%FIXUP-4-900008"
#: Nothing is inspected, and the server has room for one.
TEXT = EXAMPLE.replace("service-policy global_policy global\n", "").replace("tcp 50 100", "tcp 1 0")


def restart(box: Firewall) -> None:
    os.kill(box.pid, signal.SIGTERM)
    os.waitpid(box.pid, 0)
    box.pid = box.lab.start(box.file)


def test_no_connection_outlives_its_table() -> None:
    def call() -> socket.socket:
        return socket.create_connection((str(MAPPED_SERVER), 25), 10)

    with firewall("fxr", TEXT) as box:
        box.serve(partial(serve, 1))
        assert ENDED not in box.text()
        with box.ground.within("outside"):
            held = call()
        assert [each.initiator.port for each in box.connections(ALL)] == [held.getsockname()[1]]
        restart(box)
        assert ENDED in box.text()
        held.sendall(b"once more")
        assert eventually(lambda: "106015" in box.text())
        held.setblocking(False)
        with pytest.raises(BlockingIOError):
            held.recv(100)
        with box.ground.within("outside"), call() as new:
            assert [each.initiator.port for each in box.connections(ALL)] == [new.getsockname()[1]]
        restart(box)
        held.close()


def test_nor_does_it_where_the_start_that_should_have_ended_it_was_killed() -> None:
    """Such a start leaves maps, in which nothing is counted, and beside them what says so."""
    with firewall("fxr", TEXT) as box:
        box.serve(partial(serve, 1))
        with box.ground.within("outside"), socket.create_connection((str(MAPPED_SERVER), 25), 10):
            for uncounted in (False, True):
                os.kill(box.pid, signal.SIGKILL)
                os.waitpid(box.pid, 0)
                mark = box.lab.directory / "bpf" / "uncounted"
                assert not mark.exists()
                if uncounted:
                    mark.mkdir()
                box.pid = box.lab.start(box.file)
                assert (ENDED in box.text()) is uncounted
                assert bool(box.connections(ALL)) is not uncounted
                assert not mark.exists()
