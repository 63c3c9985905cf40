"""A map of one's own before a real server: a rate that TCP itself keeps, relay refused, senders by expression."""

import smtplib
from collections.abc import Iterator

import pytest

from appliance.lab.network import MAPPED_SERVER
from tests.appliances import EXAMPLE
from tests.e2e.box import Box, box, smtp
from tests.e2e.test_mail import SILENCE

pytestmark = pytest.mark.root

CONFIGURATION = EXAMPLE.replace(
    """\
policy-map global_policy
 class inspection_default
  inspect esmtp
""",
    r"""
regex newsletter "^news@"
regex lottery "@lottery[0-9]*\.example"
class-map type regex match-any unwanted
 match regex newsletter
 match regex lottery
policy-map type inspect esmtp own
 parameters
  mail-relay esmtp.inside.example action drop-connection log
 match cmd verb NOOP
  rate-limit 5
 match cmd verb VRFY
  mask log
 match sender-address regex class unwanted
  reset log
policy-map global_policy
 class inspection_default
  inspect esmtp own
""",
)


@pytest.fixture(scope="module")
def own() -> Iterator[Box]:
    assert "inspect esmtp own" in CONFIGURATION
    with box("fxp", CONFIGURATION) as made:
        yield made


def test_over_the_rate_every_command_is_answered_and_none_twice(own: Box) -> None:
    commands = 12

    def call() -> list[int]:
        with smtp(MAPPED_SERVER, timeout=60) as server:
            server.ehlo()
            return [server.noop()[0] for _ in range(commands)]

    before = own.inspected()["cmd verb NOOP"]
    assert own.outside(call).result(90) == [250] * commands
    over = own.inspected()["cmd verb NOOP"] - before
    assert 0 < over < commands - 5 + 1
    assert own.engine()["deferred"] >= over
    assert own.engine()["octets_inspected"] == own.engine()["octets_released"]


def test_mail_for_elsewhere_from_outside_is_closed(own: Box) -> None:
    def call() -> list[int]:
        with smtp(MAPPED_SERVER) as server:
            server.ehlo()
            codes = [server.mail("a@example.com")[0], server.rcpt("bob@ESMTP.inside.example")[0]]
            server.sock.settimeout(SILENCE)
            with pytest.raises((smtplib.SMTPServerDisconnected, TimeoutError)):
                server.rcpt("bob@elsewhere.example")
            return codes

    assert own.outside(call).result(30) == [250, 250]
    assert any("; mail-relay: No Mail Relay allowed" in each for each in own.log())
    assert own.inspected()["mail-relay"] == 1


@pytest.mark.parametrize("sender", ["news@example.com", "win@lottery7.example"])
def test_an_unwanted_sender_is_reset(own: Box, sender: str) -> None:
    def call() -> None:
        with smtp(MAPPED_SERVER, timeout=10) as server:
            server.ehlo()
            with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionResetError)):
                server.mail(sender)

    own.outside(call).result(30)
    said = [each for each in own.log() if "-108004:" in each][-1]
    assert "Reset connection for ESMTP Request" in said
    assert said.endswith("; matched Class 3: sender-address regex class unwanted")


def test_a_masked_verb_is_answered_as_an_unknown_one(own: Box) -> None:
    def call() -> int:
        with smtp(MAPPED_SERVER) as server:
            server.ehlo()
            return int(server.docmd("VRFY", "postmaster")[0])

    assert own.outside(call).result(30) == 500
    said = [each for each in own.log() if "-108004:" in each][-1]
    assert "Masked header flags for ESMTP Request" in said
