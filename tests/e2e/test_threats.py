"""A SYN flood that TCP Intercept answers is counted by server, told of, and shown."""

import os
from collections.abc import Iterator

import pytest

from appliance.control.client import ask
from appliance.control.protocol import ShowAttacks, ShowLogging
from appliance.lab import burst
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import CLIENTS, MAPPED_LIMITED, MAPPED_SERVER, SERVER, Network
from appliance.show import AttacksReport
from tests.e2e.box import eventually, workspace
from tests.ground import Ground

pytestmark = pytest.mark.root
ASKED = "threat-detection statistics tcp-intercept rate-interval 1 burst-rate 25 average-rate 1000\n"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with workspace() as home:
        config = home / "threats.cfg"
        config.write_text(EXAMPLE.read_text().replace("tcp 50 100", "tcp 0 5") + ASKED)
        made = Lab(Network(f"fxt{os.getpid()}"), home / "run")
        made.up(config)
        yield made
        made.down()


def test_a_flood_is_told_of_and_shown(lab: Lab) -> None:
    sent = 5 + 4 * len(CLIENTS)

    def flood() -> None:
        with burst.unanswered():
            burst.send(MAPPED_SERVER, CLIENTS[:5])
            for _ in range(4):
                burst.send(MAPPED_SERVER, CLIENTS)

    def report() -> AttacksReport:
        told = ask(lab.directory / "control.sock", ShowAttacks())
        assert isinstance(told, AttacksReport)
        return told

    assert (report().window, report().sampling, report().servers) == (1, 2, ())
    Ground(lab.network).beside("outside", flood).result()
    assert eventually(lambda: report().servers and any(report().servers[0].history))
    (server,) = report().servers
    assert (server.rank, server.address, server.port, server.interface) == (1, SERVER, 25, "inside")
    assert 0 < server.total <= sent
    assert server.source in CLIENTS
    words = (
        f"%ASA-4-733105: TCP Intercept SYN flood attack detected to {MAPPED_SERVER}/25 ({SERVER}/25). Burst rate of "
    )
    lines = ask(lab.directory / "control.sock", ShowLogging()).lines
    assert any(words in line and "exceeded the threshold of 25." in line for line in lines)
    assert not any("733104" in line or str(MAPPED_LIMITED) in line for line in lines if "-7331" in line)
