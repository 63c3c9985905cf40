"""The demonstration: what an ASA does to mail, shown with real servers and clients in the lab, every claim checked.

Each scene does something from outside, looks at both wires or asks the firewall, and says what is to be seen. It needs
nobody's help and leaves nothing behind, also when it fails or is interrupted.
"""

from __future__ import annotations

import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from pathlib import Path

from appliance.kernel import namespaces
from appliance.kernel.errors import KernelError
from appliance.lab import burst
from appliance.lab.lab import Lab
from appliance.lab.narrator import Narrator
from appliance.lab.network import CLIENTS, MAPPED_EXEMPT, MAPPED_LIMITED, MAPPED_SERVER
from appliance.lab.postfix import Postfix
from appliance.lab.wire import Piece, Tap, dialogue, stream
from appliance.tcp.segment import ACK, SYN

PICTURE = """\
   outside                      firewall (fixup)                    inside
   clients                 outside0        inside0                  Postfix
   203.0.113.10-99  -----  203.0.113.1     192.0.2.1  -----  192.0.2.25, .26, .27

   203.0.113.125 -> 192.0.2.25   the mail server:  inspected, tcp 50 100
   203.0.113.126 -> 192.0.2.26   the exempt host:  no inspect esmtp
   203.0.113.127 -> 192.0.2.27   one more:         inspected, tcp 0 20
"""
MAX_CONNS, MAX_EMBRYONIC = 50, 20  # of the two statics shown
IN_FLIGHT = 8  # SYNs that may have passed the look at the embryonic limit before one of them is counted
_FIXUP = str(Path(sys.executable).with_name("fixup"))
_PATIENCE = 10.0  # s for something to happen that will


def demo(lab: Lab, config: Path, out: Narrator | None = None) -> int:
    """Show it in a lab of its own, which is taken down at the end; 0 if every claim held."""
    narrator = out or Narrator()
    _require()
    with _interruptible(), ExitStack() as ending:
        narrator.title("Fixup: what a Cisco ASA does to mail")
        narrator.show(PICTURE)
        home = Path(tempfile.mkdtemp(prefix="fixup-demo-"))
        ending.callback(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)  # Postfix's own user has to get in
        lab.up(config)
        ending.callback(lab.down)
        Demo(lab, home, narrator).run()
    narrator.say("")
    narrator.claim("everything shown was so; the lab is gone", narrator.wrong == 0)
    return 1 if narrator.wrong else 0


def _require() -> None:
    for program, package in (("postfix", "postfix"), ("swaks", "swaks"), ("openssl", "openssl")):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            raise KernelError(f"the demonstration needs {program}: make setup (or apt install {package})")


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end it as ^C does: by way of the cleaning up."""

    def end(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Demo:
    """The scenes, in order, in a lab that is up."""

    def __init__(self, lab: Lab, home: Path, narrator: Narrator) -> None:
        self._lab, self._home, self._tell = lab, home, narrator
        self._server = Postfix(lab, "inside", home / "server", "smtp", {})

    def run(self) -> None:
        """All scenes."""
        self._server.start()
        self.masked()
        self.mail()
        self.exempt()
        self.connections()
        self.half_open()
        self.counters()

    def masked(self) -> None:
        """A dialogue on both wires."""
        self._tell.scene("What a client may see and say")
        self._tell.say(
            """A client outside greets the server and asks for TLS. Left is the wire outside, right the wire inside:
            the firewall stars out who the server is, X-es extensions an ASA does not know, STARTTLS among them, and
            X-es the command of a client that tries it all the same. The server finds a word it never heard and
            says 500. No octet is added or removed, so TCP notices nothing."""
        )
        outside, inside = self._watched(MAPPED_SERVER, [b"EHLO client.outside.example", b"STARTTLS", b"QUIT"])
        self._side_by_side(outside, inside)
        got, sent = stream(outside, False), stream(inside, False)
        self._tell.claim(
            "the greeting is stars but for its 2s and 0s", got.startswith(b"220 ***") and b"Postfix" not in got
        )
        self._tell.claim(
            "STARTTLS is not offered outside, though the server offers it",
            b"STARTTLS" in sent and b"STARTTLS" not in got,
        )
        self._tell.claim("the server got XXXXXXXX for STARTTLS", b"\r\nXXXXXXXX\r\n" in stream(inside, True))
        self._tell.claim("and refused it", b"\r\n50" in got)
        self._tell.claim("both wires carried as many octets", len(got) == len(sent))

    def mail(self) -> None:
        """A message, compared octet by octet."""
        self._tell.scene("A mail goes through")
        self._tell.say("swaks sends a letter with an attachment of 2 MB; Postfix inside stores it.")
        message = self._home / "letter.eml"
        letter = _letter()
        message.write_bytes(letter.removesuffix(b"\n"))  # swaks ends the last line itself
        done = self._swaks(MAPPED_SERVER, "bob@inside.example", "--data", f"@{message}")
        self._tell.claim("swaks: 250 queued", "250 2.0.0 Ok: queued" in done)
        stored = self._arrived("bob@inside.example")
        self._tell.claim(
            f"{len(letter):,} octets were sent and the stored message is the same, octet by octet",
            stored == letter,
        )

    def exempt(self) -> None:
        """The host the firewall leaves alone."""
        self._tell.scene("The exempt host")
        self._tell.say(
            """`no inspect esmtp` in a class leaves what it matches alone, as is advised for a Cisco ESA, which is
            a mail firewall itself. The same dialogue with 203.0.113.126:"""
        )
        outside, inside = self._watched(MAPPED_EXEMPT, [b"EHLO client.outside.example", b"QUIT"])
        self._side_by_side(outside, inside)
        self._tell.claim("both wires carried the same octets", _same(outside, inside))
        done = self._swaks(MAPPED_EXEMPT, "carol@inside.example", "--tls", "--body", "in private")
        cipher = next((line for line in done.splitlines() if "TLS started" in line), "no TLS")
        self._tell.claim(f"swaks with TLS: {cipher.removeprefix('=== ')}", "TLS started" in cipher)
        self._tell.claim("and its mail is there", b"in private" in self._arrived("carol@inside.example"))

    def connections(self) -> None:
        """max_conns."""
        self._tell.scene(f"60 connections where {MAX_CONNS} are allowed")
        self._tell.say(
            "`static (inside,outside) 203.0.113.125 192.0.2.25 ... tcp 50 100`: 60 clients connect at the same time."
        )
        with namespaces.within(self._lab.network.namespace("outside")):
            clients = [_connecting(CLIENTS[each], MAPPED_SERVER) for each in range(60)]
        admitted = _settled(clients, MAX_CONNS)
        told = self._fixup("show", "conn", "count").strip()
        for client in clients:
            client.close()
        self._tell.show(f"fixup# show conn count\n{told}")
        refusal = next((line for line in self._fixup("show", "logging").splitlines() if "-201011:" in line), "")
        self._tell.show(refusal.partition(": ")[2])
        self._tell.claim(f"{admitted} of 60 were admitted, the others heard nothing", admitted == MAX_CONNS)
        self._until(lambda: self._in_use() == 0)
        self._tell.claim("they closed, and every place is free again", self._in_use() == 0)

    def half_open(self) -> None:
        """SYNs that nobody follows up."""
        self._tell.scene("A burst of SYNs that nobody follows up")
        self._tell.say(
            """A SYN from each of 90 addresses, whose SYN-ACKs are never answered. A half-open connection is a
            connection, so in `tcp 50 100` the 50 bites first and the 100 can never be reached."""
        )
        answered, reached = self._burst(MAPPED_SERVER)
        self._tell.claim(
            f"203.0.113.125 (tcp 50 100): {reached} of 90 reached the server, {answered} were answered",
            reached == answered == MAX_CONNS,
        )
        self._tell.say(
            """`tcp 0 20` allows any number of connections, but only 20 of them half open. Whoever comes then is
            answered by the firewall, with a cookie, and the server hears of it only when the cookie comes back:"""
        )
        answered, reached = self._burst(MAPPED_LIMITED)
        self._tell.claim(
            f"203.0.113.127 (tcp 0 20): {reached} of 90 reached the server, {answered} were answered",
            answered == 90 and MAX_EMBRYONIC <= reached < MAX_EMBRYONIC + IN_FLIGHT,
        )
        refusal = next((line for line in self._fixup("show", "logging").splitlines() if "-201010:" in line), "")
        self._tell.show(refusal.partition(": ")[2])

    def counters(self) -> None:
        """What the firewall counted."""
        self._tell.scene("What the firewall counted")
        told = self._fixup("show", "service-policy", "inspect", "esmtp")
        self._tell.show("fixup# show service-policy inspect esmtp\n" + told)
        self._tell.claim("it masked banners and EHLO replies", "mask-banner, count 0" not in told)

    # --- how ------------------------------------------------------------------------------------------------------

    def _watched(self, server: IPv4Address, lines: list[bytes]) -> tuple[list[Piece], list[Piece]]:
        """Say `lines` to a server, each behind the reply to the one before; the dialogue outside and inside."""
        taps = [Tap(self._lab.network.namespace(host)) for host in ("outside", "inside")]
        with namespaces.within(self._lab.network.namespace("outside")):
            client = socket.create_connection((str(server), 25), _PATIENCE)
        port = client.getsockname()[1]
        _reply(client)
        for line in lines:
            client.sendall(line + b"\r\n")
            _reply(client)
        client.close()
        pieces = [dialogue(list(tap.segments()), port) for tap in taps]
        for tap in taps:
            tap.close()
        return pieces[0], pieces[1]

    def _side_by_side(self, outside: list[Piece], inside: list[Piece]) -> None:
        self._tell.compare("outside, as the client has it", "inside, as the server has it")
        at = {True: 0, False: 0}
        for piece in outside:
            there = stream(inside, piece.from_client)
            for line in piece.octets.splitlines(keepends=True):
                other = there[at[piece.from_client] : at[piece.from_client] + len(line)]
                at[piece.from_client] += len(line)
                self._tell.compare(_printable(line), _printable(other), "-->" if piece.from_client else "<--")

    def _swaks(self, server: IPv4Address, to: str, *options: str) -> str:
        command = ["swaks", "--server", str(server), "--ehlo", "client.outside.example"]
        command += ["--from", "alice@outside.example", "--to", to, *options]
        with namespaces.within(self._lab.network.namespace("outside")):
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=30, check=False)
        return done.stdout

    def _arrived(self, recipient: str) -> bytes:
        self._until(lambda: bool(self._server.delivered(recipient)))
        return (self._server.delivered(recipient) or [b""])[-1]

    def _fixup(self, *words: str) -> str:
        command = [_FIXUP, "--run-dir", str(self._lab.directory), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    def _in_use(self) -> int:
        return int(self._fixup("show", "conn", "count").split()[0])

    def _burst(self, server: IPv4Address) -> tuple[int, int]:
        """A SYN from each client: how many got an answer, and how many the server heard of."""
        outside, inside = (Tap(self._lab.network.namespace(host)) for host in ("outside", "inside"))
        with namespaces.within(self._lab.network.namespace("outside")), burst.unanswered():
            syns = burst.send(server, CLIENTS)
            self._until(lambda: False, 1.0)  # time for every answer, and for a retransmission of some
            answers = burst.answers(outside.segments(), server)
            burst.give_up(server, syns)
        reached = {each.source for each in inside.segments() if each.flags & (SYN | ACK) == SYN}
        for tap in (outside, inside):
            tap.close()
        return len(answers), len(reached)

    def _until(self, so: Callable[[], bool], patience: float = _PATIENCE) -> None:
        deadline = time.monotonic() + patience
        while not so() and time.monotonic() < deadline:
            time.sleep(0.1)


def _connecting(source: IPv4Address, server: IPv4Address) -> socket.socket:
    client = socket.socket()
    client.bind((str(source), 0))
    client.setblocking(False)
    client.connect_ex((str(server), 25))
    return client


def _settled(clients: list[socket.socket], expected: int) -> int:
    """How many are connected: once as many as expected are, and nothing more happened for half a second."""
    deadline = time.monotonic() + _PATIENCE
    connected = 0
    while time.monotonic() < deadline:
        _, writable, _ = select.select([], clients, [], 0)
        ready = sum(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 for client in writable)
        if ready >= expected and ready == connected:
            break
        connected = ready
        time.sleep(0.5)
    return connected


def _reply(client: socket.socket) -> bytes:
    """One SMTP reply, all its lines."""
    reply = b""
    while not (reply.endswith(b"\n") and reply.splitlines()[-1][3:4] == b" "):
        piece = client.recv(4096)
        if not piece:
            break
        reply += piece
    return reply


def _letter() -> bytes:
    """A message of some 2 MB, the same every time, lines ending in LF."""
    dice = random.Random(117801)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    lines = ["".join(dice.choices(alphabet, k=76)) for _ in range(200)]
    headers = ["From: alice@outside.example", "To: bob@inside.example", "Subject: the plans", "MIME-Version: 1.0"]
    headers += ["Content-Type: application/octet-stream", "Content-Transfer-Encoding: base64", ""]
    body = [dice.choice(lines) for _ in range(26_000)]
    return "\n".join([*headers, *body, ".", "..", "that is all", ""]).encode("ascii")


def _printable(line: bytes) -> str:
    return "".join(chr(octet) if 32 <= octet < 127 else f"\\{octet:03o}" for octet in line.rstrip(b"\r\n"))


def _same(outside: list[Piece], inside: list[Piece]) -> bool:
    return all(stream(outside, side) == stream(inside, side) for side in (True, False))
