"""Mails to 150 recipients, pipelined in batches that the wire cuts anywhere: every RCPT arrives, the 101st trips."""

import re
import smtplib
from collections.abc import Iterator
from types import MappingProxyType

import pytest

from appliance.lab.network import MAPPED_SERVER
from appliance.lab.wire import Tap
from tests.e2e.box import PLAIN, SUBMISSION, Box, box
from tests.ground import eventually

pytestmark = pytest.mark.root

RECIPIENTS = 150
MAILS = 50  # on each wire, so a hundred in all
#: Postfix's own limit is 50; the firewall's is 100.
WITHIN, BEYOND = 100, RECIPIENTS
ROUTES = f"""\
inline:{{
 {{within.inside.example = within:[{MAPPED_SERVER}]}}
 {{beyond.inside.example = beyond:[{MAPPED_SERVER}]}} }}"""
IMPATIENT = "-o smtp_rcpt_timeout=2s -o smtp_mail_timeout=2s -o smtp_data_init_timeout=2s"

#: Match lines that count in any session with this server: its STARTTLS, CHUNKING and SMTPUTF8 are masked.
OF_EVERY_SESSION = {"ehlo-reply-parameter others"}


class Many(Box):
    """A box whose client sends to many at once, and whose server keeps none of it."""

    of_server = MappingProxyType(
        {
            "virtual_mailbox_domains": "within.inside.example beyond.inside.example",
            "virtual_transport": "discard:",
        }
    )
    of_client = MappingProxyType(
        {
            "transport_maps": ROUTES,
            "within_destination_recipient_limit": str(WITHIN),
            "beyond_destination_recipient_limit": str(BEYOND),
        }
    )
    services = "".join(f"{name} {PLAIN} {IMPATIENT}\n" for name in ("within", "beyond"))


@pytest.fixture(scope="module", params=[576, 1500], ids=lambda mtu: f"MTU {mtu}")
def many(request: pytest.FixtureRequest) -> Iterator[Many]:
    with box("fxr", kind=Many, mtu=request.param, offloads=False) as made:
        yield made


def submit(box: Box, mails: int, domain: str) -> None:
    """Give the client's Postfix mails with the same recipients."""

    def hand_over() -> None:
        with smtplib.SMTP("127.0.0.1", SUBMISSION, timeout=30) as postfix:
            to = [f"recipient-number-{number}@{domain}" for number in range(RECIPIENTS)]
            for number in range(mails):
                refused = postfix.sendmail("alice@outside.example", to, f"Subject: {number}\r\n\r\nhello\r\n")
                assert not refused

    box.outside(hand_over).result(60)


def said(box: Box, status: str, domain: str) -> set[tuple[str, str]]:
    """Of which mails, to whom, the client's Postfix says `status`: queue ids and recipients."""
    log = box.client.log.read_text(encoding="utf-8", errors="replace")
    return set(re.findall(rf" (\w+): to=<([^>]+@{domain})>.* status={status} ", log))


def test_every_rcpt_arrives_and_every_mail_is_delivered(many: Box) -> None:
    before = many.inspected()
    tap = Tap(many.lab.network.namespace("outside"))
    submit(many, MAILS, "within.inside.example")
    assert eventually(lambda: len(said(many, "sent", "within.inside.example")) == MAILS * RECIPIENTS)
    segments = [each for each in tap.segments() if each.to == MAPPED_SERVER and each.payload]
    tap.close()
    assert any(b"RCPT" in each.payload and not each.payload.endswith(b"\r\n") for each in segments)  # a batch was cut
    assert max(len(each.payload) for each in segments) <= many.lab.network.mtu - 40
    assert not said(many, "(?:deferred|bounced)", "within.inside.example")
    assert eventually(lambda: many.in_use() == 0)
    after = many.inspected()
    assert {name for name in after if after[name] != before[name]} <= {"packet", "mask-banner", *OF_EVERY_SESSION}
    # What the server counted of each session: no command it did not know, no RCPT it refused.
    sessions = re.findall(
        r"disconnect from .* (ehlo=.*)", many.server.log.read_text(encoding="utf-8", errors="replace")
    )
    assert sessions
    assert not [each for each in sessions if "unknown" in each or re.search(r"=\d+/", each)]
    assert sum(int(number) for each in sessions for number in re.findall(r"rcpt=(\d+)", each)) == MAILS * RECIPIENTS
    commands = sum(int(number) for each in sessions for number in re.findall(r"mail=(\d+)", each))
    assert commands == MAILS * -(-RECIPIENTS // WITHIN)


def test_the_101st_rcpt_of_a_batch_closes_the_connection(many: Box) -> None:
    before = many.inspected()["cmd RCPT count gt 100"]
    submit(many, 1, "beyond.inside.example")
    assert eventually(lambda: len(said(many, "deferred", "beyond.inside.example")) == RECIPIENTS)
    assert not said(many, "sent", "beyond.inside.example")
    assert many.inspected()["cmd RCPT count gt 100"] == before + 1
    assert any("matched Class 2: cmd RCPT count gt 100" in line for line in many.log())
