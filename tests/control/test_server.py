"""The control server in a selector loop: many clients, slow ones, wrong ones."""

from __future__ import annotations

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control.protocol import (
    Answer,
    Framing,
    Refusal,
    ShowConnections,
    ShowRunningConfig,
    ShowServicePolicy,
    Whole,
    answer_of,
    request_frame,
)
from appliance.control.server import CLIENTS, PATIENCE, READING
from appliance.show import ConnectionsReport
from tests.control.daemon import LARGE, Daemon

SHORT = ShowServicePolicy()


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


def test_who_does_not_read_for_ten_minutes_is_closed(daemon: Daemon) -> None:
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowRunningConfig()))
        daemon.turn()
        daemon.now = READING - 1
        daemon.server.expire()
        assert daemon.server.deadline is not None
        daemon.now = READING
        daemon.server.expire()
        assert daemon.server.deadline is None


def test_who_reads_slowly_but_does_read_is_waited_for(daemon: Daemon) -> None:
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowRunningConfig()))
        daemon.turn()
        octets = b""
        while daemon.server.deadline is not None:
            daemon.now += READING - 1
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


def endless(steps: list[int]) -> Iterator[Answer | None]:
    """The way through a table of which nothing is wanted."""
    while True:
        steps.append(len(steps))
        assert len(steps) < 1_000, "nobody waits for this answer any more"
        yield None


def test_between_two_steps_of_a_long_answer_others_have_their_turn(tmp_path: Path) -> None:
    steps: list[int] = []
    daemon = Daemon(tmp_path / "control.sock", lambda asked: Whole() if asked == SHORT else endless(steps))
    with daemon.connect() as patient, daemon.connect() as other:
        patient.sendall(request_frame(ShowConnections()))
        other.sendall(request_frame(SHORT))
        while daemon.server.deadline is None or len(steps) < 4:
            for key, mask in daemon.selector.select(0):
                key.data(mask)
        assert answered(other) == Whole()
    daemon.close()


def test_who_hangs_up_ends_his_answer_also_where_it_has_nothing_for_him(tmp_path: Path) -> None:
    steps: list[int] = []
    daemon = Daemon(tmp_path / "control.sock", lambda _: endless(steps))
    with daemon.connect() as connection:
        connection.sendall(request_frame(ShowConnections()))
        while not steps:
            for key, mask in daemon.selector.select(0):
                key.data(mask)
    daemon.turn()
    assert daemon.server.deadline is None
    daemon.close()


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
