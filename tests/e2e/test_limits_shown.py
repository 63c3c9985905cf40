"""What a class limits is shown as it is: limits, who has how many, how many were refused."""

import os
import socket
from collections.abc import Iterator

import pytest

from appliance.control.client import ask
from appliance.control.protocol import ShowLocalHosts, ShowServicePolicy
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER, Network
from appliance.show import LimitsReport, LocalHostsReport, ServicePolicyReport
from tests.e2e.box import eventually, workspace
from tests.ground import Ground

pytestmark = pytest.mark.root
CLASS = """policy-map global_policy
 class smtp_limits
  set connection conn-max 3 per-client-max 2
  set connection timeout idle 2:00:00 reset
"""


@pytest.fixture
def lab() -> Iterator[Lab]:
    mail = "class-map smtp_limits\n match port tcp eq smtp\nclass-map ironport_esa"
    text = EXAMPLE.read_text().replace("class-map ironport_esa", mail)
    with workspace() as home:
        config = home / "limits.cfg"
        config.write_text(text.replace("policy-map global_policy\n", CLASS).replace("tcp 50 100", "tcp 0 0"))
        made = Lab(Network(f"fxs{os.getpid()}"), home / "run")
        made.up(config)
        yield made
        made.down()


def test_limits_of_a_class(lab: Lab) -> None:
    ground = Ground(lab.network)

    def limits() -> LimitsReport:
        report = ask(lab.directory / "control.sock", ShowServicePolicy())
        assert isinstance(report, ServicePolicyReport)
        (found,) = [each.limits for each in report.policies[0].classes if each.name == "smtp_limits"]
        assert found is not None
        return found

    assert (limits().limits, limits().timeouts, limits().resets) == (
        {"conn-max": 3, "per-client-max": 2},
        {"idle": 7200},
        True,
    )
    with ground.within("inside"):
        listener = socket.create_server((str(SERVER), 25))
    with ground.within("outside"):
        held = [socket.create_connection((str(MAPPED_SERVER), 25), 10, (str(CLIENTS[each]), 0)) for each in (0, 0, 1)]
        for one_more in (0, 2):  # the first has two, the server three
            with pytest.raises(TimeoutError):
                socket.create_connection((str(MAPPED_SERVER), 25), 0.5, (str(CLIENTS[one_more]), 0))
    assert eventually(lambda: limits().embryonic == 0)
    assert (limits().connections, limits().drop >= 2) == (3, True)
    assert {each.address: each.connections for each in limits().clients} == {CLIENTS[0]: 2, CLIENTS[1]: 1}
    hosts = ask(lab.directory / "control.sock", ShowLocalHosts())
    assert isinstance(hosts, LocalHostsReport)
    assert (hosts.uses[0].connections, hosts.uses[0].limit) == (3, 3)
    for each in (*held, listener):
        each.close()
