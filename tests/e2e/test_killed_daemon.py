"""The whole firewall killed and started again in a storm of connections: no place in its limits is lost or left over.

The kernel's program and its maps go on without it, and the next run takes them over (row 20). Whatever the storm, the
deaths and the packets that nobody inspected meanwhile have left, counts are what a recount of the table says, and
return to zero when everything's time is over.
"""

import os
import signal
import socket
from collections import Counter
from collections.abc import Iterator
from functools import partial
from ipaddress import IPv4Address

import pytest

from appliance.control.client import ask, ask_for_parts
from appliance.control.protocol import ShowConnections, ShowLocalHosts, ShowServicePolicy
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_SERVER, SERVER, Network
from appliance.show import ConnectionReport, ConnectionsReport, LocalHostsReport, Progress, ServicePolicyReport, Wanted
from tests.bpf.storm import serve, storm
from tests.e2e.box import eventually, workspace
from tests.e2e.bpf_clock import put_forward
from tests.ground import Ground

pytestmark = pytest.mark.root

DEATHS = 12 if os.environ.get("FIXUP_LONG") else 3
#: Connections in the table when the daemon is killed, at least.
AMONG = 20
CLASS = """policy-map global_policy
 class mail
  set connection conn-max 80 per-client-max 70
"""
#: Every entry that holds a place: any of these is in one of these states.
ALL = Wanted(states=(Progress.UP, Progress.EMBRYONIC, Progress.DEAD))


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Its server has room for 60 connections, of which 15 half-open; one host beside it is exempt and unlimited."""
    text = EXAMPLE.read_text().replace("class-map ironport_esa", "class-map mail\n match any\nclass-map ironport_esa")
    text = text.replace("policy-map global_policy\n", CLASS).replace("tcp 50 100", "tcp 60 15")
    with workspace() as home:
        config = home / "storm.cfg"
        config.write_text(text.replace("logging console informational", ""))
        made = Lab(Network(f"fxq{os.getpid()}"), home / "run")
        made.network.build()
        try:
            yield made
        finally:
            made.down()


def connections(lab: Lab) -> list[ConnectionReport]:
    """What the table holds."""
    parts = ask_for_parts(lab.directory / "control.sock", ShowConnections(wanted=ALL))
    return [each for part in parts if isinstance(part, ConnectionsReport) for each in part.connections]


def recount(lab: Lab) -> tuple[int, Counter[IPv4Address], int]:
    """How many those are, how many to each server, and how many of them half-open."""
    found = connections(lab)
    return len(found), Counter(each.responder.address for each in found), sum(each.state[:3] == "syn" for each in found)


def counted(lab: Lab) -> tuple[int, Counter[IPv4Address], int]:
    """What the limits count: the class's connections, those of each static, the class's half-open ones."""
    policies, hosts = (ask(lab.directory / "control.sock", each) for each in (ShowServicePolicy(), ShowLocalHosts()))
    assert isinstance(policies, ServicePolicyReport)
    assert isinstance(hosts, LocalHostsReport)
    [limits] = [each.limits for each in policies.policies[0].classes if each.limits]
    of_statics = Counter({each.address: each.connections for each in hosts.uses if each.connections})
    return limits.connections, of_statics, limits.embryonic


def agree(lab: Lab) -> bool:
    """Packets may still come: then another look has to agree."""
    return recount(lab) == counted(lab)


def test_places_outlive_the_daemon_and_come_back(lab: Lab) -> None:
    ground, config = Ground(lab.network), lab.directory.parent / "storm.cfg"
    over = lab.directory.parent / "over"
    pid = lab.start(config)
    servers = [ground.beside("inside", partial(serve, 1, address)) for address in (SERVER, EXEMPT)]
    clients = [
        ground.beside("outside", partial(storm, seed, lambda _: over.exists(), address, 0.02))
        for seed, address in enumerate((MAPPED_SERVER, MAPPED_SERVER, MAPPED_EXEMPT))
    ]
    with ground.within("outside"):
        held = socket.create_connection((str(MAPPED_EXEMPT), 25), 10)
    for _ in range(DEATHS):
        assert eventually(lambda: counted(lab)[0] >= AMONG)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        pid = lab.start(config)
        assert held.getsockname()[1] in {each.initiator.port for each in connections(lab)}
    over.touch()
    assert min(each.result(60) for each in clients) > AMONG
    held.close()
    for each in servers:
        each.kill()
    assert eventually(lambda: agree(lab))
    for seconds in (31, 601, 3601):
        put_forward(pid, seconds)
        assert eventually(lambda: agree(lab))
    assert eventually(lambda: counted(lab) == (0, Counter(), 0)), recount(lab)
    ground.end()
