"""The control socket's client: one request, one answer."""

from __future__ import annotations

import socket
from pathlib import Path

from appliance.control.protocol import (
    MAX_ANSWER,
    Framing,
    ProtocolError,
    Refusal,
    Request,
    answer_of,
    request_frame,
)
from appliance.show import Report

#: Seconds to wait for each piece of the answer.
TIMEOUT = 30.0


class ControlError(Exception):
    """No answer; one sentence for the operator, with what to do."""


def ask(path: Path, request: Request) -> Report:
    """The report that the daemon listening on `path` answers `request` with; ControlError without one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(TIMEOUT)
        _connect(connection, path)
        try:
            connection.sendall(request_frame(request))
            answer = answer_of(_frame(connection))
        except TimeoutError:
            raise ControlError(f"the firewall at {path} did not answer within {TIMEOUT:.0f} s") from None
        except OSError as error:
            raise ControlError(f"the firewall at {path} broke off: {error.strerror}") from error
        except ProtocolError as error:
            raise ControlError(f"what answers at {path} is another version of Fixup, or none: {error}") from error
    if isinstance(answer, Refusal):
        raise ControlError(answer.message)
    return answer


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


def _frame(connection: socket.socket) -> bytes:
    """The octets of the answer's frame."""
    framing = Framing(MAX_ANSWER)
    while octets := connection.recv(65_536):
        frames = framing.receive(octets)
        if frames:
            return frames[0]
    raise ProtocolError("it closed without an answer")
