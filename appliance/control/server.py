"""The control socket's server: a part of the daemon's selector loop, never waiting for anybody.

Every descriptor is registered with a callable as its data, which the loop calls with the event mask; `expire` closes
who took too long. With `CLIENTS` connected the next ones wait in the listen queue. A client sends one request and is
closed behind its answer. Of an answer in parts one step is made a turn, and only when the one before has been sent: the
loop's other work goes on meanwhile, and nothing more is made for who hangs up.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from appliance.control.protocol import (
    MAX_REQUEST,
    Answer,
    Framing,
    ProtocolError,
    Refusal,
    Request,
    Whole,
    answer_frame,
    request_of,
)

#: Clients served at once (design §4).
CLIENTS = 32
#: How long a request may take to come: 5 s (design §4), in ns.
PATIENCE = 5_000_000_000
#: How long whoever is answered may read nothing: 10 minutes, in ns. A listing is read in a pager.
READING = 600_000_000_000

_CHUNK = 65_536  # octets a read asks for, and a write offers

#: An answer, or its parts one by one; None is a step on the way to one that gives none yet.
Answers = Answer | Iterator[Answer | None]


class ControlServer:
    """Listens on a socket of the run directory and answers requests.

    `answer` makes the answer of a request; what it raises is our bug, told to `fault` and to the client in one
    sentence, and ends nothing.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        path: Path,
        group: int,
        answer: Callable[[Request], Answers],
        fault: Callable[[Exception], None],
        now: Callable[[], int],
    ) -> None:
        """Listen on `path`, 0660 root:`group`, in place of whatever a killed daemon left there. OSError if it can't.

        `now` is the monotonic clock in ns. The caller holds the run directory's lock.
        """
        self._selector = selector
        self._path = path
        self._answer = answer
        self._fault = fault
        self._now = now
        self._clients: set[_Client] = set()
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            mask = os.umask(0o777)  # nobody connects between bind and chmod
            try:
                self._listener.bind(str(path))
            finally:
                os.umask(mask)
            os.chown(path, -1, group)
            path.chmod(0o660)
            self._listener.listen(CLIENTS)
        except OSError:
            self._listener.close()
            raise
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """Close every client and the socket, and remove its file."""
        for client in tuple(self._clients):
            self._drop(client)
        with contextlib.suppress(KeyError):  # not registered while all places are taken
            self._selector.unregister(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    @property
    def deadline(self) -> int | None:
        """When `expire` has something to do, in ns of the clock; None without clients."""
        return min((client.deadline for client in self._clients), default=None)

    def expire(self) -> None:
        """Close the clients that took too long."""
        now = self._now()
        for client in [each for each in self._clients if each.deadline <= now]:
            self._drop(client)

    def _accept(self, _mask: int) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # gone again, or no descriptor left: the next event tries again
        connection.setblocking(False)
        client = _Client(connection, self._now() + PATIENCE)
        self._clients.add(client)
        self._selector.register(connection, selectors.EVENT_READ, lambda _: self._serve(client, self._read))
        if len(self._clients) >= CLIENTS:
            self._selector.unregister(self._listener)

    def _serve(self, client: _Client, step: Callable[[_Client], None]) -> None:
        try:
            step(client)
        except BlockingIOError:
            return
        except OSError:
            self._drop(client)

    def _read(self, client: _Client) -> None:
        octets = client.connection.recv(_CHUNK)
        if not octets:
            self._drop(client)
            return
        try:
            frames = client.framing.receive(octets)
            if not frames:
                return
            answer = self._answered(request_of(frames[0]))
        except ProtocolError as error:
            answer = Refusal(str(error))
        client.parts = iter((answer,)) if isinstance(answer, Answer) else self._in_parts(answer)
        client.deadline = self._now() + READING
        self._selector.modify(client.connection, selectors.EVENT_WRITE, lambda _: self._serve(client, self._write))

    def _answered(self, request: Request) -> Answers:
        try:
            return self._answer(request)
        except Exception as error:  # ours, and no reason to stop the mail
            return self._refused(error)

    def _in_parts(self, parts: Iterator[Answer | None]) -> Iterator[Answer | None]:
        try:
            yield from parts
        except Exception as error:  # as above
            yield self._refused(error)
        yield Whole()

    def _refused(self, error: Exception) -> Refusal:
        self._fault(error)
        return Refusal(f"internal error: {type(error).__name__}; the log has it")

    def _write(self, client: _Client) -> None:
        if not client.unsent:
            try:
                part = next(client.parts)
            except StopIteration:
                self._drop(client)
                return
            client.unsent = memoryview(b"" if part is None else answer_frame(part))
        sent = client.connection.send(client.unsent[:_CHUNK])
        client.unsent = client.unsent[sent:]
        client.deadline = self._now() + READING

    def _drop(self, client: _Client) -> None:
        full = len(self._clients) >= CLIENTS
        self._clients.discard(client)
        self._selector.unregister(client.connection)
        client.connection.close()
        if full:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)


class _Client:
    """One connected client."""

    def __init__(self, connection: socket.socket, deadline: int) -> None:
        self.connection = connection
        self.deadline = deadline
        self.framing = Framing(MAX_REQUEST)
        self.unsent = memoryview(b"")
        self.parts: Iterator[Answer | None] = iter(())
