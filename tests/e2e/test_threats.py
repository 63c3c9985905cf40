"""A SYN flood that TCP Intercept answers is counted by server, told of, and shown."""

from collections.abc import Iterator

import pytest

from appliance.control.protocol import ShowAttacks
from appliance.lab import burst
from appliance.lab.network import CLIENTS, MAPPED_LIMITED, MAPPED_SERVER, SERVER
from appliance.show import AttacksReport
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, under
from tests.ground import eventually

pytestmark = pytest.mark.root
ASKED = "threat-detection statistics tcp-intercept rate-interval 1 burst-rate 25 average-rate 1000\n"


@pytest.fixture
def box(standing: Firewall) -> Iterator[Firewall]:
    with under(standing, EXAMPLE.replace("tcp 50 100", "tcp 0 5") + ASKED) as made:
        yield made


def test_a_flood_is_told_of_and_shown(box: Firewall) -> None:
    sent = 5 + 4 * len(CLIENTS)

    def flood() -> None:
        with burst.unanswered():
            burst.send(MAPPED_SERVER, CLIENTS[:5])
            for _ in range(4):
                burst.send(MAPPED_SERVER, CLIENTS)

    def report() -> AttacksReport:
        return box.answer(ShowAttacks())

    assert (report().window, report().sampling, report().servers) == (1, 2, ())
    box.outside(flood).result()
    assert eventually(lambda: report().servers and any(report().servers[0].history))
    (server,) = report().servers
    assert (server.rank, server.address, server.port, server.interface) == (1, SERVER, 25, "inside")
    assert 0 < server.total <= sent
    assert server.source in CLIENTS
    words = (
        f"%ASA-4-733105: TCP Intercept SYN flood attack detected to {MAPPED_SERVER}/25 ({SERVER}/25). Burst rate of "
    )
    lines = box.log()
    assert any(words in line and "exceeded the threshold of 25." in line for line in lines)
    assert not any("733104" in line or str(MAPPED_LIMITED) in line for line in lines if "-7331" in line)
