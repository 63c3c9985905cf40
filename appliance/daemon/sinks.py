"""Where records go: the console (stderr), a buffer in memory, and ``logging host``s by UDP.

A sink never blocks and never raises: what finds no room is dropped and counted, because a log must not stop the
mail. Which destination takes a record is ASA's rule: severity at most the destination's level, ``no logging
message ID`` for none at all (asa.md §6.7).
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from appliance.config.config import Logging, LoggingHost
from appliance.datapath.snapshot import HostUse, LogUse
from appliance.syslog import Record, render

#: Octets one write to a pipe takes whole, or not at all when poll() says there is room (POSIX PIPE_BUF on Linux).
_WHOLE = 4096


@dataclass(slots=True)
class _Counts:
    sent: int = 0
    errors: int = 0
    dropped: int = 0


class Sinks:
    """Every log destination of one configuration."""

    def __init__(self, logging: Logging, hostname: str, console: int, now: Callable[[], datetime]) -> None:
        """`console` is the file descriptor of stderr, `now` the wall clock."""
        self._console = console
        self._room = select.poll()
        self._room.register(console, select.POLLOUT)
        self._now = now
        self._logged = {"console": 0, "buffered": 0, "trap": 0}
        self._lines: deque[bytes] = deque()  # each with its LF
        self._octets = 0  # of them
        self._hosts: dict[LoggingHost, _Counts] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self.configure(logging, hostname)

    def configure(self, logging: Logging, hostname: str) -> None:
        """From now on `logging` decides; counts and the buffer's lines stay."""
        self._logging = logging
        self._device_id = hostname if logging.device_id == "hostname" else logging.device_id
        self._hosts = {host: self._hosts.get(host, _Counts()) for host in logging.hosts if not host.tcp}
        self._trim()

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def write(self, *records: Record) -> None:
        """`records`, in their order, each to every destination that takes it."""
        logging = self._logging
        if not logging.enabled:
            return
        when = self._now() if logging.timestamp else None
        shown: list[bytes] = []
        for record in records:
            if record.id in logging.disabled:
                continue
            # The device id goes to hosts alone: the buffer and the console are the device's own.
            line, severity = f"{render(record, when=when)}\n".encode(), record.logged_at
            if _takes(logging.buffered, severity):
                self._buffer(line)
            if _takes(logging.console, severity):
                shown.append(line)
            if self._hosts and _takes(logging.trap, severity):
                self._send(render(record, when=when, device_id=self._device_id, facility=logging.facility))
        self._print(shown)

    def uses(self) -> tuple[LogUse, ...]:
        """How much each destination that is on has logged."""
        logging = self._logging
        levels = {"console": logging.console, "buffered": logging.buffered, "trap": logging.trap}
        hosts = tuple(
            HostUse(host.interface, host.address, counts.sent, counts.errors, counts.dropped)
            for host, counts in self._hosts.items()
        )
        return tuple(
            LogUse(name, level, self._logged[name], hosts if name == "trap" else ())
            for name, level in levels.items()
            if logging.enabled and level is not None
        )

    def lines(self) -> tuple[str, ...]:
        """The memory buffer, oldest first."""
        return tuple(line[:-1].decode() for line in self._lines)

    def _buffer(self, line: bytes) -> None:
        self._logged["buffered"] += 1
        self._lines.append(line)
        self._octets += len(line)
        self._trim()

    def _trim(self) -> None:
        while self._octets > self._logging.buffer_size:
            self._octets -= len(self._lines.popleft())

    def _print(self, lines: Iterable[bytes]) -> None:
        """To stderr what it has room for now. Its descriptor is not made non-blocking: others share the terminal."""
        try:
            for octets, number in _pieces(lines):
                if not any(events & select.POLLOUT for _, events in self._room.poll(0)):
                    return
                os.write(self._console, octets)
                self._logged["console"] += number
        except OSError:
            return  # stderr is gone or broken: there is nowhere to say so

    def _send(self, line: str) -> None:
        self._logged["trap"] += 1
        datagram = line.encode()
        for host, counts in self._hosts.items():
            try:
                self._socket.sendto(datagram, (str(host.address), host.port))
                counts.sent += 1
            except BlockingIOError:
                counts.dropped += 1
            except OSError:
                counts.errors += 1


def _takes(level: int | None, severity: int) -> bool:
    return level is not None and severity <= level


def _pieces(lines: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """The lines in pieces that one write takes whole, each with how many they are; of a longer one its beginning."""
    piece, number = b"", 0
    for line in lines:
        octets = line if len(line) <= _WHOLE else line[: _WHOLE - 1] + b"\n"
        if len(piece) + len(octets) > _WHOLE:
            yield piece, number
            piece, number = b"", 0
        piece += octets
        number += 1
    if number:
        yield piece, number
