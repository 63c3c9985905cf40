"""A SYN flood that TCP Intercept answers is counted by server, told of, and shown."""

from collections.abc import Iterator

import pytest

from appliance.control.protocol import ShowAttacks
from appliance.lab import burst
from appliance.lab.network import CLIENTS, MAPPED_LIMITED, SERVER
from appliance.show import AttacksReport
from tests.e2e.firewall import Firewall, under
from tests.e2e.wall import Open, Wall, limited, untranslated
from tests.ground import eventually

pytestmark = pytest.mark.root
ASKED = "threat-detection statistics tcp-intercept rate-interval 1 burst-rate 25 average-rate {}\n"


@pytest.fixture(params=["static", "class"])
def box(standing: Firewall, request: pytest.FixtureRequest) -> Iterator[Wall]:
    text, kind, average = (limited, Wall, 1000) if request.param == "static" else (untranslated, Open, 1001)
    with under(standing, text("tcp 0 5") + ASKED.format(average), kind) as made:  # other rates begin anew
        yield made


def test_a_flood_is_told_of_and_shown(box: Wall) -> None:
    sent = 5 + 4 * len(CLIENTS)

    def flood() -> None:
        with burst.unanswered():
            burst.send(box.server, CLIENTS[:5])
            for _ in range(4):
                burst.send(box.server, CLIENTS)

    def report() -> AttacksReport:
        return box.answer(ShowAttacks())

    assert (report().window, report().sampling, report().servers) == (1, 2, ())
    box.outside(flood).result()
    assert eventually(lambda: report().servers and any(report().servers[0].history))
    (server,) = report().servers
    assert (server.rank, server.address, server.port, server.interface) == (1, SERVER, 25, "inside")
    assert 0 < server.total <= sent
    assert server.source in CLIENTS
    words = f"%ASA-4-733105: TCP Intercept SYN flood attack detected to {box.server}/25 ({SERVER}/25). Burst rate of "
    lines = box.log()
    assert any(words in line and "exceeded the threshold of 25." in line for line in lines)
    assert not any("733104" in line or str(MAPPED_LIMITED) in line for line in lines if "-7331" in line)
