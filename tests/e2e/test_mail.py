"""Mail through the box: whole, octet by octet, whatever its size, whoever serves, and whatever the wire does to it."""

import random
import re
import socket
from ipaddress import IPv4Address

import pytest

from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_SERVER, SERVER
from appliance.lab.wire import Tap, dialogue, stream
from tests.e2e.box import Box, smtp
from tests.ground import eventually

pytestmark = pytest.mark.root

SIZES = [0, 1, 2, 3, 5, 997, 998, 999, 1000, 4016, 65_535, 5_000_000]
#: s in which what is sent again would have come.
SILENCE = 0.7
OCTETS = bytes(each for each in range(1, 256) if each not in b"\r\n")


def message(dice: random.Random, size: int) -> bytes:
    """`size` octets of a message with every octet a mail may have, dots where they hurt, lines of up to 998."""
    if size < 100:
        return b"." * size
    lines = [b"Subject: " + bytes(dice.choices(b"abc .-", k=40)), b"Content-Type: text/plain", b""]
    have = sum(len(line) + 1 for line in lines)
    while have < size:
        kind = dice.random()
        line = b"." * dice.choice([1, 2, 3]) if kind < 0.1 else b"From here" if kind < 0.15 else b""
        if kind > 0.2:
            length = dice.choice([1, 70, 76, 997, 998])
            line = bytes(dice.choices(OCTETS, k=76)) * 14 if length > 76 else bytes(dice.choices(OCTETS, k=length))
            line = line[:length]
        lines.append(line[: max(0, size - have - 1)])
        have += len(lines[-1]) + 1
    return b"\n".join(lines) + b"\n"


def mails(domain: str, count: int, seed: int) -> dict[str, bytes]:
    """Recipients and what each gets."""
    dice = random.Random(seed)
    sizes = (SIZES + [int(dice.lognormvariate(8, 1.5)) % 300_000 for _ in range(count)])[:count]
    return {f"box{number}@{domain}": message(dice, size) for number, size in enumerate(sizes)}


def as_stored(sent: bytes) -> bytes:
    """What Postfix makes of a message without headers: it begins with the empty line that ends them."""
    if sent.startswith(b"Subject:"):
        return sent
    return b"\n" + sent + b"\n" * bool(sent)


@pytest.mark.parametrize("domain", ["pix.inside.example", "esmtp.inside.example"])
def test_a_hundred_mails_arrive_octet_by_octet(mail: Box, domain: str) -> None:
    """Once as Postfix does it on seeing the masked banner, HELO and all, once with its workarounds for a PIX off."""
    before = mail.engine()
    sent = mails(domain, 100, seed=117801)
    mail.submit(sent)
    assert eventually(lambda: all(mail.server.delivered(recipient) for recipient in sent))
    for recipient, octets in sent.items():
        assert mail.server.delivered(recipient) == [as_stored(octets)], recipient
    assert eventually(lambda: mail.in_use() == 0)
    after = mail.engine()
    delta = {name: after[name] - before[name] for name in after}
    assert delta["octets_inspected"] == delta["octets_released"]
    assert delta["octets_inspected"] >= sum(map(len, sent.values()))
    assert [delta[name] for name in ("octets_refused", "killed", "exceptions", "bypassed", "unknown_flows")] == [0] * 5
    log = mail.client.log.read_text(encoding="utf-8", errors="replace")
    workarounds = re.findall(rf"enabling PIX workarounds: disable_esmtp.* for {MAPPED_SERVER}", log)
    assert bool(workarounds), "somebody else's code took us for a PIX"
    greeted = mail.server.log.read_text(encoding="utf-8", errors="replace")
    assert f"disconnect from unknown[203.0.113.10] {'helo' if domain.startswith('pix') else 'ehlo'}=" in greeted


def test_the_exempt_host_is_left_alone(mail: Box) -> None:
    """Its TLS works, and no counter of the inspection moves."""
    engine, inspected = mail.engine(), mail.inspected()
    sent = mails("exempt.inside.example", 5, seed=3)
    mail.submit(sent)
    assert eventually(lambda: all(mail.server.delivered(recipient) for recipient in sent))
    assert [mail.server.delivered(recipient) for recipient in sent] == [[as_stored(each)] for each in sent.values()]
    assert "TLS connection established from" in mail.server.log.read_text(encoding="utf-8", errors="replace")
    assert mail.engine() == engine
    assert mail.inspected() == inspected


def closed_without_a_word(connection: socket.socket) -> bool:
    """A connection closed by `drop-connection`: silence, not a FIN and not an RST."""
    connection.settimeout(SILENCE)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    return False


def attempt(server: IPv4Address, message: bytes, patience: float = 30.0) -> str:
    """Send a message as it is; the reply's code, or ``silence`` of so many s."""
    client = smtp(server)
    client.ehlo()
    client.mail("alice@outside.example")
    client.rcpt("limits@esmtp.inside.example")
    client.putcmd("data")
    client.getreply()
    assert client.sock is not None
    client.sock.settimeout(patience)
    with client.sock as connection:
        try:
            connection.sendall(message.replace(b"\n", b"\r\n") + b".\r\n")
            return connection.recv(100)[:3].decode()
        except TimeoutError:
            return "silence"


def test_a_header_line_of_999_octets_closes_the_connection(mail: Box) -> None:
    before = mail.inspected()
    header = b"X-Long: " + b"x" * 991
    message = b"Subject: a\n" + header + b"\n\nbody\n"
    assert mail.outside(lambda: attempt(MAPPED_SERVER, message, SILENCE)).result() == "silence"
    after = mail.inspected()
    assert after["header line length gt 998"] == before["header line length gt 998"] + 1
    assert after["drop"] > before["drop"]
    (line,) = [each for each in mail.log() if "-108004:" in each and "header line length" in each][-1:]
    assert "matched Class 4: header line length gt 998" in line


def test_one_of_998_does_not(mail: Box) -> None:
    before = mail.inspected()["header line length gt 998"]
    header = b"X-Long: " + b"x" * 990
    assert mail.outside(lambda: attempt(MAPPED_SERVER, b"Subject: a\n" + header + b"\n\nbody\n")).result() == "250"
    assert mail.inspected()["header line length gt 998"] == before


def test_a_body_line_of_999_octets_at_the_end_of_5_mb_is_logged(mail: Box) -> None:
    before = mail.inspected()
    body = (b"y" * 76 + b"\n") * 65_000 + b"z" * 999 + b"\n"
    assert mail.outside(lambda: attempt(MAPPED_SERVER, b"Subject: a\n\n" + body)).result(60) == "250"
    after = mail.inspected()
    assert after["body line length gt 998"] == before["body line length gt 998"] + 1
    assert after["drop"] == before["drop"]


def test_a_command_line_of_513_octets_closes_the_connection(mail: Box) -> None:
    def long_command() -> bool:
        client = smtp(MAPPED_SERVER)
        client.sock.sendall(b"NOOP " + b"x" * 508 + b"\r\n")
        silent = closed_without_a_word(client.sock)
        client.sock.close()
        return silent

    before = mail.inspected()["cmd line length gt 512"]
    assert mail.outside(long_command).result()
    assert mail.inspected()["cmd line length gt 512"] == before + 1


def test_the_101st_recipient_closes_the_connection(mail: Box) -> None:
    def many_recipients() -> tuple[set[int], bool]:
        client = smtp(MAPPED_SERVER)
        client.ehlo()
        client.mail("alice@outside.example")
        codes = {client.rcpt(f"to{number}@esmtp.inside.example")[0] for number in range(100)}
        client.putcmd("rcpt TO:<to100@esmtp.inside.example>")
        silent = closed_without_a_word(client.sock)
        client.sock.close()
        return codes, silent

    before = mail.inspected()["cmd RCPT count gt 100"]
    assert mail.outside(many_recipients).result() == ({250}, True)
    assert mail.inspected()["cmd RCPT count gt 100"] == before + 1


@pytest.mark.parametrize(("server", "real"), [(MAPPED_SERVER, SERVER), (MAPPED_EXEMPT, EXEMPT)])
def test_starttls_is_hidden_and_refused_where_it_is_inspected(
    mail: Box, server: IPv4Address, real: IPv4Address
) -> None:
    tap = Tap(mail.lab.network.namespace("inside"))

    def dial() -> tuple[int, bool, int]:
        client = smtp(server)
        port = client.sock.getsockname()[1]
        client.ehlo()
        code = client.docmd("STARTTLS")[0]
        client.sock.close()
        return port, client.has_extn("starttls"), code

    port, offered, code = mail.outside(dial).result()
    commands = stream(dialogue([each for each in tap.segments() if real in (each.source, each.to)], port), True)
    tap.close()
    inspected = server == MAPPED_SERVER
    assert (offered, code) == ((False, 500) if inspected else (True, 220))
    assert (b"XXXXXXXX\r\n" if inspected else b"STARTTLS\r\n") in commands
