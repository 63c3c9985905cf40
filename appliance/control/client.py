"""The control socket's client: one request, one answer, which may be in parts."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

from appliance.control.protocol import (
    MAX_ANSWER,
    Answer,
    Framing,
    ProtocolError,
    Refusal,
    Request,
    Told,
    Whole,
    answer_of,
    request_frame,
)

#: Seconds to wait for each piece of the answer.
TIMEOUT = 30.0


class ControlError(Exception):
    """No answer; one sentence for the operator, with what to do."""


def ask(path: Path, request: Request) -> Told:
    """The report that the daemon listening on `path` answers `request` with, of one in parts the first.

    ControlError without one.
    """
    return next(ask_for_parts(path, request))


def ask_for_parts(path: Path, request: Request) -> Iterator[Told]:
    """The parts of the answer as they come; ControlError where one is missing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT)
        _connect(connection, path)
        answers = _answers(connection, path, request)
        for answer in answers:
            match answer:
                case Refusal(message):
                    raise ControlError(message)
                case Whole():
                    return
                case report:
                    yield report


def _answers(connection: socket.socket, path: Path, request: Request) -> Iterator[Answer]:
    """What comes, in order; a ControlError if it ends before the answer does."""
    try:
        connection.sendall(request_frame(request))
        framing = Framing(MAX_ANSWER)
        while octets := connection.recv(65_536):
            yield from map(answer_of, framing.receive(octets))
        raise ProtocolError("it closed without an answer")
    except TimeoutError:
        raise ControlError(f"the firewall at {path} did not answer within {TIMEOUT:.0f} s") from None
    except OSError as error:
        raise ControlError(f"the firewall at {path} broke off: {error.strerror}") from error
    except ProtocolError as error:
        raise ControlError(f"what answers at {path} is another version of Fixup, or none: {error}") from error


def _connect(connection: socket.socket, path: Path) -> None:
    try:
        connection.connect(str(path))
    except PermissionError:
        raise ControlError(f"may not open {path}: be root, or a member of the group fixup") from None
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
        raise ControlError(
            f"no firewall runs in {path.parent}: start one with fixup run CONFIG, or name its --run-dir"
        ) from None
    except OSError as error:
        raise ControlError(f"cannot reach {path}: {error.strerror or error}") from error
