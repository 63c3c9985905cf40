"""TLS where the map allows it: real servers use it, and nothing is smuggled in beside it (row 11)."""

import socket
from collections.abc import Iterator

import pytest

from appliance.lab.network import LIMITED, MAPPED_LIMITED
from tests.appliances import EXAMPLE
from tests.e2e.box import Box, box
from tests.e2e.conftest import WIRES
from tests.e2e.test_mail import mails
from tests.ground import Moment, eventually

pytestmark = pytest.mark.root

CONFIGURATION = EXAMPLE.replace(
    """\
policy-map global_policy
 class inspection_default
  inspect esmtp
""",
    """\
policy-map type inspect esmtp with_tls
 parameters
  allow-tls action log
policy-map global_policy
 class inspection_default
  inspect esmtp with_tls
""",
)
GREETING, EHLO = b"220 mx\r\n", b"EHLO a.example\r\n"
OFFER = b"250-mx\r\n250 STARTTLS\r\n"
RECORD = b"\x16\x03\x01\x00\x05hello"
#: s of silence behind which nothing more comes, once a conversation is over.
SILENCE = 0.3


@pytest.fixture(scope="module", params=WIRES, ids=list(WIRES))
def tls(request: pytest.FixtureRequest) -> Iterator[Box]:
    """A box whose map allows TLS, on each kind of wire."""
    assert "with_tls" in CONFIGURATION
    with box("fxt", CONFIGURATION, **WIRES[request.param]) as made:
        yield made


def hear(wire: socket.socket, over: Moment, until: bytes = b"") -> bytes:
    """What comes, up to and with `until`, or up to the end; once it is over, up to silence."""
    wire.settimeout(SILENCE)
    heard = b""
    while not (until and heard.endswith(until)):
        try:
            piece = wire.recv(4096)
        except TimeoutError:
            if over.has_come():
                return heard
            continue
        except ConnectionResetError:
            return heard
        if not piece:
            return heard
        heard += piece
    return heard


def converse(mail: Box, turns: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """A client outside sends the first of each turn, a server inside answers with the second when that has come.

    Returns what the server heard behind EHLO, and what the client heard behind the reply to it. EHLO is before that.
    It is over when both have said all and closed, or when the firewall says that it closed the connection.
    """
    over = mail.ground.moment()

    def serve() -> bytes:
        with socket.create_server((str(LIMITED), 25)) as door:
            door.settimeout(10)
            wire, _ = door.accept()
            with wire:
                wire.sendall(GREETING)
                hear(wire, over, EHLO)
                wire.sendall(OFFER)
                heard = b""
                for says, answer in turns:
                    heard += hear(wire, over, says[-2:])
                    if answer:
                        wire.sendall(answer)
                return heard + hear(wire, over)

    def call() -> bytes:
        with socket.create_connection((str(MAPPED_LIMITED), 25), 10) as wire:
            hear(wire, over, b"\r\n")
            wire.sendall(EHLO)
            hear(wire, over, OFFER)
            heard = b""
            for says, answer in turns:
                wire.sendall(says)
                heard += hear(wire, over, answer[-2:]) if answer else b""
            wire.shutdown(socket.SHUT_WR)
            return heard + hear(wire, over)

    mail.forget()
    server = mail.ground.beside("inside", serve)
    assert eventually(lambda: _listens(mail))
    client = mail.outside(call)
    assert eventually(lambda: client.done() or "-108004:" in mail.text())
    over.come()
    return server.result(), client.result()


def _listens(mail: Box) -> bool:
    return f"{LIMITED}:25" in mail.ground.run("inside", "ss", "-Hltn")


def closed(mail: Box, words: str) -> bool:
    """Whether the last connection was closed for this."""
    return words in [each for each in mail.log() if "-108004:" in each][-1]


def test_mail_goes_by_tls_and_nobody_reads_it(tls: Box) -> None:
    before = tls.engine()["bypassed"]
    sent = mails("esmtp.inside.example", 5, seed=11)
    tls.submit(sent)
    assert eventually(lambda: all(tls.server.delivered(recipient) for recipient in sent))
    assert "TLS connection established from" in tls.server.log.read_text(encoding="utf-8", errors="replace")
    assert tls.engine()["bypassed"] > before
    assert any("-108007:" in line for line in tls.log())


def test_a_command_behind_starttls_in_its_segment_reaches_nobody(tls: Box) -> None:
    heard, told = converse(tls, [(b"STARTTLS\r\nNOOP injected\r\n", b"220 go\r\n")])
    assert b"injected" not in heard
    assert b"STARTTLS" not in heard  # nothing of that packet
    assert told == b""
    assert closed(tls, "early-data: STARTTLS")


def test_a_reply_behind_the_220_reaches_nobody(tls: Box) -> None:
    heard, told = converse(tls, [(b"STARTTLS\r\n", b"220 go\r\n250 injected\r\n")])
    assert heard == b"STARTTLS\r\n"
    assert told == b""
    assert closed(tls, "allow-tls")


def test_refused_the_session_goes_on_inspected(tls: Box) -> None:
    turns = [(b"STARTTLS\r\n", b"454 not now\r\n"), (b"TURN\r\n", b"500 what\r\n")]
    assert converse(tls, turns) == (b"STARTTLS\r\nXXXX\r\n", b"454 not now\r\n500 what\r\n")


def test_plain_text_behind_the_220_closes(tls: Box) -> None:
    heard, _ = converse(tls, [(b"STARTTLS\r\n", b"220 go\r\n"), (b"MAIL FROM:<a@b.example>\r\n", b"")])
    assert heard == b"STARTTLS\r\n"
    assert closed(tls, "allow-tls")


def test_both_sides_begin_and_the_rest_is_theirs(tls: Box) -> None:
    turns = [(b"STARTTLS\r\n", b"220 go\r\n"), (RECORD, RECORD), (b"TURN\r\n", b"anything\r\n")]
    assert converse(tls, turns) == (b"STARTTLS\r\n" + RECORD + b"TURN\r\n", b"220 go\r\n" + RECORD + b"anything\r\n")
