"""Real mail servers, asked how they read an octet sequence in a message: as its body, as its end, or not at all.

They run in a network namespace of the caller's own and are spoken to from inside it; no firewall is between. A
server is asked with a message that goes on behind the sequence:

    sequence  QUIT CRLF  CRLF . CRLF  RSET CRLF  QUIT CRLF

Where the sequence is body, the server answers the message, RSET and the second QUIT: 250 250 221. Whatever else it
answers, it has left the message somewhere in the sequence, or refused it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from appliance.lab.lab import Lab
from appliance.lab.network import EXEMPT, LIMITED, SERVER, Network
from appliance.lab.postfix import Postfix
from tests.e2e.exim import Exim
from tests.ground import Ground, eventually, workspace
from tests.smuggling.sequences import LEADING, OUTSIDE

AFTER = b"QUIT\r\n" + b"\r\n.\r\n" + b"RSET\r\n" + b"QUIT\r\n"
BODY, END, REFUSED = "body", "end", "refused"
#: s of silence after which a server is taken to wait for the next octet.
SILENCE = 0.4

_STRICT = "-o smtpd_forbid_bare_newline={} -o smtpd_forbid_bare_newline_exclusions="


@dataclass(frozen=True)
class Server:
    """A server as configured; `settings` is what of it matters here."""

    name: str
    settings: str
    address: str
    port: int
    recipient: str


SERVERS = (
    Server("postfix", "as Debian ships it: smtpd_forbid_bare_newline = no", str(SERVER), 25, "a@inside.example"),
    Server("postfix-normalize", _STRICT.format("normalize"), str(SERVER), 2526, "a@inside.example"),
    Server("postfix-reject", _STRICT.format("reject"), str(SERVER), 2527, "a@inside.example"),
    Server("exim", "as Debian ships it", str(LIMITED), 25, "a@exim.inside.example"),
    Server("aiosmtpd", "as it comes", str(EXEMPT), 25, "a@inside.example"),
)
NAMES = tuple(each.name for each in SERVERS)


class Asker:
    """What speaks to the servers, in a process that is in their namespace."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def reading(self, leading: bytes, sequence: bytes) -> str:
        """BODY, END or REFUSED of `sequence` behind `leading` in a message."""
        with self._in_message() as wire:
            wire.sendall(leading + sequence + AFTER)
            codes = _codes(wire)
        if codes == ["250", "250", "221"]:
            return BODY
        return END if codes[:1] == ["250"] else REFUSED

    def waits(self, leading: bytes, sequence: bytes) -> bool:
        """Whether it waits for one octet more than `sequence`, which it takes as the end, before it answers."""
        with self._in_message() as wire:
            wire.sendall(leading + sequence)
            wire.settimeout(SILENCE)
            try:
                return not wire.recv(1)
            except TimeoutError:
                return True

    def replies(self, sequence: bytes) -> str:
        """The codes it answers `sequence` and the two QUIT behind it with, out of DATA, up to its closing."""
        with self._greeted() as wire:
            wire.sendall(sequence + b"QUIT\r\nQUIT\r\n")
            return " ".join(_codes(wire))

    @contextmanager
    def _greeted(self) -> Iterator[socket.socket]:
        with socket.create_connection((self._server.address, self._server.port), 10) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _expect(wire, "220")
            wire.sendall(b"EHLO asker.inside.example\r\n")
            _expect(wire, "250")
            yield wire

    @contextmanager
    def _in_message(self) -> Iterator[socket.socket]:
        with self._greeted() as wire:
            for command, code in (
                (b"MAIL FROM:<asker@inside.example>", "250"),
                (b"RCPT TO:<" + self._server.recipient.encode() + b">", "250"),
                (b"DATA", "354"),
            ):
                wire.sendall(command + b"\r\n")
                _expect(wire, code)
            yield wire


def _expect(wire: socket.socket, code: str) -> None:
    reply = b""
    while not reply.endswith(b"\r\n") or reply.splitlines()[-1][3:4] == b"-":
        piece = wire.recv(4096)
        assert piece, reply
        reply += piece
    assert reply.startswith(code.encode()), reply


def _codes(wire: socket.socket) -> list[str]:
    """The codes of all replies up to the end of the connection."""
    replies = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := wire.recv(4096):
            replies += piece
    return [line[:3].decode() for line in replies.split(b"\r\n") if line[3:4] == b" "]


@contextmanager
def servers(prefix: str) -> Iterator[Ground]:
    """All servers, up, in the host `inside` of namespaces called PREFIX-…"""
    with workspace() as home:
        lab = Lab(Network(prefix), home / "run")
        lab.network.build()
        ground = Ground(lab.network)
        try:
            _start(lab, home)
            yield ground
        finally:
            ground.end()
            lab.down()


def _start(lab: Lab, home: Path) -> None:
    strict = [each for each in SERVERS if each.port != 25]
    postfix = Postfix(
        lab,
        "inside",
        home / "postfix",
        "smtp",
        {"inet_interfaces": str(SERVER), "virtual_transport": "discard:", "smtpd_soft_error_limit": "1000"},
        services="".join(f"{each.port} inet n - n - - smtpd {each.settings}\n" for each in strict),
    )
    postfix.start()
    Exim(lab, home / "exim", LIMITED).start()
    command = [sys.executable, "-m", "aiosmtpd", "-n", "-l", f"{EXEMPT}:25", "-c", "aiosmtpd.handlers.Sink"]
    lab.spawn("inside", command, os.open(home / "aiosmtpd.out", os.O_WRONLY | os.O_CREAT))
    ready = Ground(lab.network).beside("inside", lambda: eventually(lambda: all(map(_listens, SERVERS)), 20))
    assert ready.result(), "not every server listens"


def _listens(server: Server) -> bool:
    try:
        with socket.create_connection((server.address, server.port), 1):
            return True
    except OSError:
        time.sleep(0.1)
        return False


def ask(server: Server, place: str, sequence: bytes) -> str:
    """What the table says of a server for one row of the matrix; to be called inside."""
    asker = Asker(server)
    if place == OUTSIDE:
        return asker.replies(sequence)
    return asker.reading(LEADING[place], sequence)
