"""Another maker's server behind the firewall: Exim."""

import socket

import pytest

from appliance.lab.network import LIMITED, MAPPED_LIMITED
from tests.e2e.box import Box
from tests.e2e.exim import Exim
from tests.e2e.test_mail import mails
from tests.ground import eventually

pytestmark = pytest.mark.root


@pytest.fixture
def exim(mail: Box) -> Exim:
    """Exim on 192.0.2.27; it ends with its host."""
    made = Exim(mail.lab, mail.home / "exim", LIMITED)
    made.start()
    return made


def test_exim_gets_its_mail_and_its_banner_and_extensions_are_masked(mail: Box, exim: Exim) -> None:
    def dial() -> tuple[bytes, bytes]:
        with socket.create_connection((str(MAPPED_LIMITED), 25), 10) as client:
            banner = client.recv(1000)
            client.sendall(b"EHLO client.outside.example\r\n")
            return banner, client.recv(1000)

    banner, extensions = mail.outside(dial).result()
    assert banner.startswith(b"220 ")
    assert set(banner[4:-2]) <= set(b"*20")
    assert b"250-PIPELINING\r\n" in extensions
    assert b"CHUNKING" not in extensions
    assert extensions.endswith(b"250 HELP\r\n") or b"250 X" in extensions

    before = mail.engine()
    sent = {to: octets for to, octets in mails("exim.inside.example", 30, seed=4).items() if octets.startswith(b"Sub")}
    mail.submit(sent)
    assert eventually(lambda: all(exim.delivered(recipient) for recipient in sent))
    for recipient, octets in sent.items():
        assert exim.delivered(recipient) == [octets], recipient
    assert eventually(lambda: mail.in_use() == 0)
    after = mail.engine()
    assert (
        after["octets_inspected"] - before["octets_inspected"] == after["octets_released"] - before["octets_released"]
    )
    assert after["octets_inspected"] > before["octets_inspected"]
