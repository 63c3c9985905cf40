"""Log destinations: levels, bounds, counts, and that none of them ever blocks or raises."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Address

import pytest

from appliance.config.config import Logging, LoggingHost
from appliance.daemon.sinks import Sinks
from appliance.datapath.snapshot import HostUse, LogUse
from appliance.flow import Endpoint
from appliance.syslog import ConnectionLimitExceeded, EventsLost, Record, TlsStarted

CLIENT = Endpoint("outside", IPv4Address("203.0.113.10"), 40000)
SERVER = Endpoint("inside", IPv4Address("192.0.2.25"), 25)
ERROR = ConnectionLimitExceeded(50, 50, CLIENT, SERVER)  # level 3
WARNING = EventsLost(1)  # level 4
INFORMATION = TlsStarted(CLIENT, SERVER)  # level 6
ALL = (ERROR, WARNING, INFORMATION)
LOOPBACK = IPv4Address("127.0.0.1")


def now() -> datetime:
    return datetime(2026, 11, 21, 3, 4, 28)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe for the console: (read, write)."""
    read, write = os.pipe()
    yield read, write
    os.close(read)
    os.close(write)


@pytest.fixture
def receiver() -> Iterator[socket.socket]:
    """A log host on loopback."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as host:
        host.bind((str(LOOPBACK), 0))
        host.settimeout(5)
        yield host


def written(logging: Logging, console: int, *records: Record) -> Sinks:
    """Sinks that were given `records`; closed, what they counted stays."""
    sinks = Sinks(logging, "fw", console, now)
    with closing(sinks):
        for each in records:
            sinks.write(each)
    return sinks


@pytest.mark.parametrize(("level", "taken"), [(2, 0), (3, 1), (4, 2), (5, 2), (6, 3), (7, 3), (None, 0)])
def test_a_destination_takes_what_is_as_severe_as_its_level(
    level: int | None, taken: int, pipe: tuple[int, int]
) -> None:
    sinks = written(Logging(enabled=True, buffered=level, console=level), pipe[1], *ALL)
    assert len(sinks.lines()) == taken
    assert [use.logged for use in sinks.uses()] == ([taken, taken] if level is not None else [])


def test_disabled_logging_takes_nothing(pipe: tuple[int, int]) -> None:
    sinks = written(Logging(enabled=False, buffered=7), pipe[1], *ALL)
    assert sinks.lines() == ()
    assert sinks.uses() == ()


def test_no_logging_message(pipe: tuple[int, int]) -> None:
    sinks = written(Logging(enabled=True, buffered=7, disabled=frozenset({201011, 108007})), pipe[1], *ALL)
    assert sinks.lines() == (f"%FIXUP-4-900003: {WARNING.text()}",)


def test_the_console_gets_lines_without_priority(pipe: tuple[int, int]) -> None:
    written(Logging(enabled=True, console=7, timestamp=True, device_id="hostname"), pipe[1], ERROR)
    assert os.read(pipe[0], 4096).decode() == f"Nov 21 2026 03:04:28: %ASA-3-201011: {ERROR.text()}\n"


def test_records_of_one_moment_go_to_the_console_in_few_writes_of_whole_lines() -> None:
    console, reader = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)  # a message is a write
    with (
        closing(console),
        closing(reader),
        closing(Sinks(Logging(enabled=True, console=7), "fw", console.fileno(), now)) as sinks,
    ):
        sinks.write(*[INFORMATION] * 100)
        reader.setblocking(False)
        pieces = [reader.recv(8192)]
        while sum(each.count(b"\n") for each in pieces) < 100:
            pieces.append(reader.recv(8192))
    assert b"".join(pieces) == f"%ASA-6-108007: {INFORMATION.text()}\n".encode() * 100
    assert all(each.endswith(b"\n") and len(each) <= 4096 for each in pieces)
    assert len(pieces) < 5
    assert sinks.uses()[0].logged == 100


def test_a_full_console_blocks_nobody_and_writes_whole_lines(pipe: tuple[int, int]) -> None:
    sinks = written(Logging(enabled=True, console=7), pipe[1], *[INFORMATION] * 2000)
    os.set_blocking(pipe[0], False)
    octets = b""
    while len(chunk := os.read(pipe[0], 65536)) == 65536:
        octets += chunk
    octets += chunk
    (use,) = sinks.uses()
    assert 0 < use.logged < 2000
    assert octets == f"%ASA-6-108007: {INFORMATION.text()}\n".encode() * use.logged


def test_a_console_that_is_gone_raises_nothing() -> None:
    read, write = os.pipe()
    os.close(read)
    sinks = written(Logging(enabled=True, console=7), write, ERROR)
    os.close(write)
    assert sinks.uses()[0].logged == 0
    assert written(Logging(enabled=True, console=7), write, ERROR).uses()[0].logged == 0


def test_the_buffer_holds_so_many_octets_and_lets_the_oldest_go(pipe: tuple[int, int]) -> None:
    line = f"%ASA-6-108007: {INFORMATION.text()}"
    size = 3 * (len(line) + 1)
    sinks = written(Logging(enabled=True, buffered=7, buffer_size=size), pipe[1], ERROR, *[INFORMATION] * 3)
    assert sinks.lines() == (line,) * 3
    sinks = written(Logging(enabled=True, buffered=7, buffer_size=size - 1), pipe[1], ERROR, *[INFORMATION] * 3)
    assert sinks.lines() == (line,) * 2
    assert sinks.uses() == (LogUse("buffered", 7, 4),)


def test_a_line_larger_than_the_buffer_is_counted_and_not_kept(pipe: tuple[int, int]) -> None:
    sinks = written(Logging(enabled=True, buffered=7, buffer_size=10), pipe[1], ERROR)
    assert sinks.lines() == ()
    assert sinks.uses() == (LogUse("buffered", 7, 1),)


def test_a_logging_host_gets_datagrams_with_priority_and_device(pipe: tuple[int, int], receiver: socket.socket) -> None:
    host = LoggingHost("inside", LOOPBACK, receiver.getsockname()[1])
    logging = Logging(enabled=True, trap=6, timestamp=True, device_id="hostname", hosts=(host,), facility=16)
    sinks = written(logging, pipe[1], ERROR)
    assert receiver.recv(4096).decode() == f"<131>Nov 21 2026 03:04:28 fw : %ASA-3-201011: {ERROR.text()}"
    assert sinks.uses() == (LogUse("trap", 6, 1, (HostUse("inside", LOOPBACK, 1, 0, 0),)),)


def test_a_device_id_may_be_any_string(pipe: tuple[int, int], receiver: socket.socket) -> None:
    host = LoggingHost("inside", LOOPBACK, receiver.getsockname()[1])
    written(Logging(enabled=True, trap=6, device_id="border", hosts=(host,)), pipe[1], ERROR)
    assert receiver.recv(4096).decode().startswith("<163>border : %ASA-3-201011: ")


def test_a_host_that_cannot_be_reached_counts_errors_and_the_next_still_gets_its_own(
    pipe: tuple[int, int], receiver: socket.socket
) -> None:
    unreachable = LoggingHost("outside", IPv4Address("255.255.255.255"))  # broadcast without permission: EACCES
    host = LoggingHost("inside", LOOPBACK, receiver.getsockname()[1])
    sinks = written(Logging(enabled=True, trap=6, hosts=(unreachable, host)), pipe[1], ERROR)
    assert [(use.sent, use.errors, use.dropped) for use in sinks.uses()[0].hosts] == [(0, 1, 0), (1, 0, 0)]
    assert receiver.recv(4096)


class Full:
    """A socket whose send buffer has no room."""

    def sendto(self, *_datagram: object) -> int:
        raise BlockingIOError

    def close(self) -> None:
        pass


def test_a_datagram_without_room_is_dropped(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    sinks = Sinks(Logging(enabled=True, trap=6, hosts=(LoggingHost("inside", LOOPBACK),)), "fw", pipe[1], now)
    sinks.close()
    monkeypatch.setattr(sinks, "_socket", Full())
    sinks.write(ERROR)
    assert [(use.sent, use.errors, use.dropped) for use in sinks.uses()[0].hosts] == [(0, 0, 1)]


def test_a_new_configuration_keeps_counts_and_lines(pipe: tuple[int, int], receiver: socket.socket) -> None:
    host = LoggingHost("inside", LOOPBACK, receiver.getsockname()[1])
    logging = Logging(enabled=True, buffered=7, trap=7, hosts=(host,))
    with closing(Sinks(logging, "fw", pipe[1], now)) as sinks:
        sinks.write(ERROR)
        sinks.configure(replace(logging, trap=2, timestamp=True), "fw")
        sinks.write(WARNING)
        assert sinks.lines() == (
            f"%ASA-3-201011: {ERROR.text()}",
            f"Nov 21 2026 03:04:28: %FIXUP-4-900003: {WARNING.text()}",
        )
        assert sinks.uses() == (
            LogUse("buffered", 7, 2),
            LogUse("trap", 2, 1, (HostUse("inside", LOOPBACK, 1, 0, 0),)),
        )
