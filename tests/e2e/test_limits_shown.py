"""What a class limits is shown as it is: limits, who has how many, how many were refused."""

import socket
from collections.abc import Iterator

import pytest

from appliance.control.protocol import ShowLocalHosts, ShowServicePolicy
from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER
from appliance.show import LimitsReport
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, under
from tests.ground import eventually

pytestmark = pytest.mark.root
CLASS = """policy-map global_policy
 class smtp_limits
  set connection conn-max 3 per-client-max 2
  set connection timeout idle 2:00:00 reset
"""


@pytest.fixture
def box(standing: Firewall) -> Iterator[Firewall]:
    mail = "class-map smtp_limits\n match port tcp eq smtp\nclass-map ironport_esa"
    text = EXAMPLE.replace("class-map ironport_esa", mail).replace("policy-map global_policy\n", CLASS)
    with under(standing, text.replace("tcp 50 100", "tcp 0 0")) as made:
        yield made


def test_limits_of_a_class(box: Firewall) -> None:
    def limits() -> LimitsReport:
        report = box.answer(ShowServicePolicy())
        (found,) = [each.limits for each in report.policies[0].classes if each.name == "smtp_limits"]
        assert found is not None
        return found

    assert (limits().limits, limits().timeouts, limits().resets) == (
        {"conn-max": 3, "per-client-max": 2},
        {"idle": 7200},
        True,
    )
    with box.ground.within("inside"):
        listener = socket.create_server((str(SERVER), 25))
    with box.ground.within("outside"):
        held = [socket.create_connection((str(MAPPED_SERVER), 25), 10, (str(CLIENTS[each]), 0)) for each in (0, 0, 1)]
        for one_more in (0, 2):  # the first has two, the server three
            with pytest.raises(TimeoutError):
                socket.create_connection((str(MAPPED_SERVER), 25), 0.5, (str(CLIENTS[one_more]), 0))
    assert eventually(lambda: limits().embryonic == 0)
    assert (limits().connections, limits().drop >= 2) == (3, True)
    assert {each.address: each.connections for each in limits().clients} == {CLIENTS[0]: 2, CLIENTS[1]: 1}
    hosts = box.answer(ShowLocalHosts())
    assert (hosts.uses[0].connections, hosts.uses[0].limit) == (3, 3)
    for each in (*held, listener):
        each.close()


def test_the_machine_and_its_devices_are_shown(box: Firewall) -> None:
    version = box.run("show", "version")
    assert version.stdout.startswith("Fixup Version ")
    assert f'Config file at boot was "{box.file}"' in version.stdout
    assert "address is" in version.stdout
    assert "Configuration last modified by enable_15 at " in version.stdout, "it was put in force after the start"
    outside = box.run("show", "interface", "outside").stdout.splitlines()
    assert outside[0] == 'Interface Ethernet0/0 "outside", is up, line protocol is up'
    assert "\tIP address 203.0.113.1, subnet mask 255.255.255.0" in outside
    assert not any(line.startswith("\t0 packets output, 0 bytes") for line in outside)
    unknown = box.run("show", "interface", "dmz")
    assert (unknown.returncode, unknown.stderr) == (1, "fixup: there is no interface dmz\n")
