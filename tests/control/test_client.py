"""The control client: a report, or one sentence that says what to do."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control import client as control_client
from appliance.control.client import ControlError, ask, ask_for_parts
from appliance.control.protocol import ShowConnections, ShowLogging, ShowRunningConfig
from appliance.show import ConnectionsReport, Progress, Wanted
from tests.control.daemon import LARGE, PARTS, Daemon


@pytest.fixture
def running(daemon: Daemon) -> Iterator[Daemon]:
    """The same, served by a thread."""
    with daemon.serving():
        yield daemon


def test_ask_returns_the_report(running: Daemon) -> None:
    assert ask(running.path, ShowConnections(count_only=True)) == ConnectionsReport(1, 50, ())
    assert ask(running.path, ShowRunningConfig()) == LARGE


def parts(state: Progress) -> ShowConnections:
    return ShowConnections(wanted=Wanted(states=(state,)))


def test_an_answer_in_parts_comes_part_by_part(running: Daemon) -> None:
    reports = list(ask_for_parts(running.path, parts(Progress.UP)))
    assert reports == [ConnectionsReport(number, 50, ()) for number in range(PARTS)]
    assert ask(running.path, parts(Progress.UP)) == ConnectionsReport(0, 50, ())


def test_an_answer_that_breaks_off_says_so(running: Daemon) -> None:
    answers = ask_for_parts(running.path, parts(Progress.DEAD))
    assert next(answers) == ConnectionsReport(0, 50, ())
    with pytest.raises(ControlError, match="internal error: ZeroDivisionError"):
        next(answers)
    assert [type(each) for each in running.faults] == [ZeroDivisionError]


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
