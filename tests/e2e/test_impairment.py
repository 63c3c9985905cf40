"""Mail over a bad line: lost, doubled, late and shuffled packets change nothing of what arrives."""

import os
from collections.abc import Iterator

import pytest

from appliance.lab.network import MAPPED_SERVER
from tests.appliances import EXAMPLE
from tests.e2e.box import Box, smtp
from tests.e2e.firewall import hosts, started
from tests.e2e.impairment import Impairment, line
from tests.e2e.test_mail import as_stored, mails
from tests.ground import eventually

pytestmark = pytest.mark.root

MAILS = 200 if os.environ.get("FIXUP_LONG") else 40  # `make soak`


@pytest.fixture(scope="module")
def far() -> Iterator[Box]:
    """A box whose clients are 50 ms away, behind a line that loses 1 %, doubles 1 % and reorders 5 %."""
    with hosts("fxw", offloads=False) as lab, line(lab.network, Impairment()), started(lab, EXAMPLE, Box) as made:
        made.start()
        yield made


@pytest.mark.parametrize("domain", ["pix.inside.example", "esmtp.inside.example"])
def test_every_mail_arrives_octet_by_octet(far: Box, domain: str) -> None:
    """Of all sizes at once: the largest has 5 MB."""
    sent = mails(domain, MAILS, seed=11)
    before = far.engine()
    far.submit(sent)
    assert eventually(lambda: all(far.server.delivered(recipient) for recipient in sent), 300)
    for recipient, octets in sent.items():
        assert far.server.delivered(recipient) == [as_stored(octets)]
    after = far.engine()
    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert grown["early"] > 0, "packets did wait behind gaps"
    assert grown["retransmitted"] > 0
    assert sum(grown[name] for name in grown if name.startswith("verdicts_")) == grown["packets"]
    assert (grown["exceptions"], grown["killed"], grown["expired"]) == (0, 0, 0)


def test_masks_are_whole(far: Box) -> None:
    def talk() -> list[tuple[bytes, bytes, bytes]]:
        heard = []
        for _ in range(8):
            with smtp(MAPPED_SERVER, timeout=60) as client:
                client.ehlo()
                heard.append((client.ehlo_resp or b"", client.docmd("STARTTLS")[1], client.docmd("NOOP")[1]))
        return heard

    for reply, refused, taken in far.outside(talk).result(240):
        assert b"STARTTLS" not in reply
        masked = [each for each in reply.split(b"\n") if each.startswith(b"X")]
        assert [each.strip(b"X") for each in masked] == [b"A", b"B", b"C"]
        assert refused.startswith(b"5.5.")
        assert taken.startswith(b"2.0.0")
