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

from appliance.control.protocol import ShowLocalHosts, ShowServicePolicy
from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_SERVER, SERVER
from tests.appliances import EXAMPLE
from tests.bpf.storm import serve, storm
from tests.e2e.bpf_clock import put_forward
from tests.e2e.firewall import ALL, Firewall, firewall
from tests.ground import eventually

pytestmark = pytest.mark.root

DEATHS = 12 if os.environ.get("FIXUP_LONG") else 2
#: Connections in the table when the daemon is killed, at least.
AMONG = 20
CLASS = """policy-map global_policy
 class mail
  set connection conn-max 80 per-client-max 70
"""


@pytest.fixture
def box() -> Iterator[Firewall]:
    """Its server has room for 60 connections, of which 15 half-open; one host beside it is exempt and unlimited."""
    text = EXAMPLE.replace("class-map ironport_esa", "class-map mail\n match any\nclass-map ironport_esa")
    text = text.replace("policy-map global_policy\n", CLASS).replace("tcp 50 100", "tcp 60 15")
    with firewall("fxq", text.replace("logging console informational", "")) as made:
        yield made


def recount(box: Firewall) -> tuple[int, Counter[IPv4Address], int]:
    """How many connections the table holds, how many to each server, and how many of them half-open."""
    found = box.connections(ALL)
    return len(found), Counter(each.responder.address for each in found), sum(each.state[:3] == "syn" for each in found)


def counted(box: Firewall) -> tuple[int, Counter[IPv4Address], int]:
    """What the limits count: the class's connections, those of each static, the class's half-open ones."""
    [limits] = [each.limits for each in box.answer(ShowServicePolicy()).policies[0].classes if each.limits]
    uses = box.answer(ShowLocalHosts()).uses
    of_statics = Counter({each.address: each.connections for each in uses if each.connections})
    return limits.connections, of_statics, limits.embryonic


def agree(box: Firewall) -> bool:
    """Packets may still come: then another look has to agree."""
    return recount(box) == counted(box)


def test_places_outlive_the_daemon_and_come_back(box: Firewall) -> None:
    over = box.ground.moment()
    servers = [box.ground.beside("inside", partial(serve, 1, address)) for address in (SERVER, EXEMPT)]
    clients = [
        box.outside(partial(storm, seed, lambda _: over.has_come(), address, 0.02))
        for seed, address in enumerate((MAPPED_SERVER, MAPPED_SERVER, MAPPED_EXEMPT))
    ]
    with box.ground.within("outside"):
        held = socket.create_connection((str(MAPPED_EXEMPT), 25), 10)
    for _ in range(DEATHS):
        assert eventually(lambda: counted(box)[0] >= AMONG)
        os.kill(box.pid, signal.SIGKILL)
        os.waitpid(box.pid, 0)
        box.pid = box.lab.start(box.file)
        assert held.getsockname()[1] in {each.initiator.port for each in box.connections(ALL)}
    over.come()
    assert min(each.result(60) for each in clients) > AMONG
    held.close()
    for each in servers:
        each.kill()
    assert eventually(lambda: agree(box))
    for seconds in (31, 601, 3601):
        put_forward(box.pid, seconds)
        assert eventually(lambda: agree(box))
    assert eventually(lambda: counted(box) == (0, Counter(), 0)), recount(box)
