"""The control server in a selector loop: many clients, slow ones, wrong ones; and the client's sentences."""

from __future__ import annotations

import selectors
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control import client as control_client
from appliance.control.client import ControlError, ask
from appliance.control.protocol import (
    Answer,
    Framing,
    Refusal,
    Request,
    ShowConnections,
    ShowLogging,
    ShowRunningConfig,
    ShowServicePolicy,
    answer_of,
    request_frame,
)
from appliance.control.server import CLIENTS, PATIENCE, ControlServer
from appliance.show import ConnectionsReport, RunningConfigReport

LARGE = RunningConfigReport(tuple(f"{number:08d}" for number in range(200_000)))


class Daemon:
    """A selector loop with a control server in it, and a clock that the test turns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0
        self.faults: list[Exception] = []
        self.selector = selectors.DefaultSelector()
        self.server = ControlServer(
            self.selector, path, path.parent.stat().st_gid, self.answer, self.faults.append, lambda: self.now
        )

    def answer(self, request: Request) -> Answer:
        match request:
            case ShowConnections(count_only):
                return ConnectionsReport(int(count_only), 50, ())
            case ShowRunningConfig():
                return LARGE
            case ShowLogging():
                return Refusal("logging is out")
            case _:
                raise ZeroDivisionError("our bug")

    def turn(self) -> None:
        """Serve until nothing is ready."""
        while ready := self.selector.select(0):
            for key, mask in ready:
                key.data(mask)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(5)
        connection.connect(str(self.path))
        return connection


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    made = Daemon(tmp_path / "control.sock")
    yield made
    made.server.close()
    made.selector.close()


def received(connection: socket.socket) -> bytes:
    """Everything up to the end."""
    octets = b""
    while chunk := connection.recv(65_536):
        octets += chunk
    return octets


def answered(connection: socket.socket) -> Answer:
    (octets,) = Framing(1 << 26).receive(received(connection))
    return answer_of(octets)


def closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False


def test_the_socket_is_for_its_group_alone(daemon: Daemon) -> None:
    assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o660


def test_a_request_is_answered_and_the_client_closed(daemon: Daemon) -> None:
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowConnections(count_only=True)))
        daemon.turn()
        assert answered(connection) == ConnectionsReport(1, 50, ())
    assert daemon.server.deadline is None


def test_a_request_may_come_octet_by_octet(daemon: Daemon) -> None:
    with daemon.connect() as connection:
        for octet in request_frame(ShowConnections()):
            connection.send(bytes([octet]))
            daemon.turn()
        assert answered(connection) == ConnectionsReport(0, 50, ())


def test_a_large_answer_to_a_slow_reader_holds_nobody_up(daemon: Daemon) -> None:
    with daemon.connect() as slow, daemon.connect() as quick:
        slow.sendall(request_frame(ShowRunningConfig()))
        daemon.turn()
        quick.sendall(request_frame(ShowConnections()))
        daemon.turn()
        assert answered(quick) == ConnectionsReport(0, 50, ())
        octets = b""
        while True:
            daemon.turn()
            chunk = slow.recv(65_536)
            if not chunk:
                break
            octets += chunk
        (frame,) = Framing(1 << 26).receive(octets)
        assert answer_of(frame) == LARGE


@pytest.mark.parametrize("octets", [b"\xff\xff\xff\xff", b"\0\0\0\2{}", b"GET / HTTP/1.0\r\n\r\n"])
def test_nonsense_is_refused_in_one_sentence(daemon: Daemon, octets: bytes) -> None:
    with daemon.connect() as connection:
        connection.sendall(octets)
        daemon.turn()
        assert isinstance(answered(connection), Refusal)


def test_our_own_bug_is_told_and_survived(daemon: Daemon) -> None:
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowServicePolicy()))
        daemon.turn()
        assert answered(connection) == Refusal("internal error: ZeroDivisionError; the log has it")
    assert [type(each) for each in daemon.faults] == [ZeroDivisionError]
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowConnections()))
        daemon.turn()
        assert answered(connection) == ConnectionsReport(0, 50, ())


def test_who_sends_nothing_for_five_seconds_is_closed(daemon: Daemon) -> None:
    with daemon.connect() as silent, daemon.connect() as later:
        daemon.turn()
        daemon.now = PATIENCE // 2
        with daemon.connect() as young:
            daemon.turn()
            assert daemon.server.deadline == PATIENCE
            later.send(b"\0")  # a piece of a request buys no time
            daemon.turn()
            daemon.now = PATIENCE
            daemon.server.expire()
            assert closed(silent)
            assert closed(later)
            assert not closed(young)


def test_who_does_not_read_for_five_seconds_is_closed(daemon: Daemon) -> None:
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowRunningConfig()))
        daemon.turn()
        daemon.now = PATIENCE - 1
        daemon.server.expire()
        assert daemon.server.deadline is not None
        daemon.now = PATIENCE
        daemon.server.expire()
        assert daemon.server.deadline is None


def test_who_reads_slowly_but_does_read_is_waited_for(daemon: Daemon) -> None:
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowRunningConfig()))
        daemon.turn()
        octets = b""
        while daemon.server.deadline is not None:
            daemon.now += PATIENCE - 1
            octets += connection.recv(1 << 20)
            daemon.turn()
            daemon.server.expire()
        octets += received(connection)
        (frame,) = Framing(1 << 26).receive(octets)
        assert answer_of(frame) == LARGE


def test_who_hangs_up_costs_nothing(daemon: Daemon) -> None:
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowRunningConfig()))
    daemon.turn()
    with daemon.connect():
        daemon.turn()
    daemon.turn()
    assert daemon.server.deadline is None


def test_the_thirty_third_client_waits_for_a_place(daemon: Daemon) -> None:
    idle = [daemon.connect() for _ in range(CLIENTS)]
    daemon.turn()
    with daemon.connect() as waiting:
        waiting.sendall(request_frame(ShowConnections()))
        daemon.turn()
        waiting.setblocking(False)
        with pytest.raises(BlockingIOError):
            waiting.recv(1)
        idle.pop().close()
        daemon.turn()
        waiting.settimeout(5)
        assert answered(waiting) == ConnectionsReport(0, 50, ())
    for each in idle:
        each.close()


def test_closing_removes_the_socket_and_drops_clients_also_when_full(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "control.sock")
    clients = [daemon.connect() for _ in range(CLIENTS)]
    daemon.turn()
    daemon.server.close()
    assert not daemon.path.exists()
    assert all(closed(each) for each in clients)
    assert not daemon.selector.get_map()
    for each in clients:
        each.close()


def test_a_socket_left_by_a_killed_daemon_is_replaced(tmp_path: Path) -> None:
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "control.sock"))
    left.close()
    daemon = Daemon(tmp_path / "control.sock")
    with daemon.connect():
        daemon.turn()
    daemon.server.close()


# --- the client -------------------------------------------------------------------------------------------------


@pytest.fixture
def running(daemon: Daemon) -> Iterator[Daemon]:
    """The same, served by a thread."""
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            for key, mask in daemon.selector.select(0.05):
                key.data(mask)

    thread = threading.Thread(target=serve)
    thread.start()
    yield daemon
    stop.set()
    thread.join()


def test_ask_returns_the_report(running: Daemon) -> None:
    assert ask(running.path, ShowConnections(count_only=True)) == ConnectionsReport(1, 50, ())
    assert ask(running.path, ShowRunningConfig()) == LARGE


def test_ask_raises_the_refusal_sentence(running: Daemon) -> None:
    with pytest.raises(ControlError, match=r"^logging is out$"):
        ask(running.path, ShowLogging())


def test_no_daemon(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=f"no firewall runs in {tmp_path}: start one with fixup run CONFIG"):
        ask(tmp_path / "control.sock", ShowLogging())


def test_a_killed_daemon(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "control.sock"))
    with pytest.raises(ControlError, match="no firewall runs in"):
        ask(tmp_path / "control.sock", ShowLogging())


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ControlError, match="member of the group fixup"):
        ask(tmp_path / "control.sock", ShowLogging())


@pytest.mark.parametrize(
    ("octets", "words"),
    [(b"", "another version of Fixup, or none: it closed"), (b"\0\0\0\2{}", "another version of Fixup, or none: not")],
)
def test_something_else_answers(tmp_path: Path, octets: bytes, words: str) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(octets)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ControlError, match=words):
            ask(path, ShowLogging())
        thread.join()


def test_a_daemon_that_hangs(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_client, "TIMEOUT", 0.05)
    with pytest.raises(ControlError, match="did not answer"):
        ask(daemon.path, ShowLogging())
