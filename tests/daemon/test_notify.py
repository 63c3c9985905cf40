"""The service manager hears what it asked for, and nothing is said where nobody listens."""

import os
import socket
from pathlib import Path

import pytest

from appliance.daemon.notify import Notifier


def test_fields_arrive_as_lines(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")}).send(READY=1, STATUS="1 worker")
        assert manager.recv(100) == b"READY=1\nSTATUS=1 worker"


def test_nobody_listens(tmp_path: Path) -> None:
    Notifier({}).send(READY=1)
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).send(READY=1)


@pytest.mark.parametrize(
    ("environment", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 15_000_000_000),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15_000_000_000),
        ({"WATCHDOG_USEC": "x"}, None),
    ],
)
def test_the_watchdog_is_fed_twice_in_its_time(environment: dict[str, str], interval: int | None) -> None:
    assert Notifier(environment).watchdog_interval == interval
