"""A server that only some may call by an address, as no static of one host says: its connections are in the table,
limited by their class, shown, inspected and reset as all else, by whichever of several workers."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest

from appliance.control.protocol import ClearConnections, ClearTranslations, ShowTranslations
from appliance.lab.network import CLIENTS, EXEMPT, LIMITED
from appliance.show import AddressRange, ClearedReport, ConnectionReport, TranslationsWanted, Wanted
from tests.appliances import EXAMPLE
from tests.e2e.firewall import ALL, Firewall, firewall
from tests.ground import eventually

pytestmark = pytest.mark.root

#: Connections at once, as many as the class lets be: by ten ports both workers get some.
CALLS = 10
BASE = "\n".join(line for line in EXAMPLE.splitlines() if not line.startswith("static "))
POLICY = f"""inspection-workers 2
logging buffer-size 65536
access-list outside_in extended permit tcp any any eq smtp
access-list mail extended permit tcp any any eq smtp
class-map mail
 match access-list mail
policy-map type inspect esmtp strict
 match cmd line length gt 100
  reset
policy-map global_policy
 class mail
  set connection conn-max {CALLS}
 class inspection_default
  no inspect esmtp
  inspect esmtp strict
"""


@dataclass(frozen=True)
class Way:
    """How `client`, a host `here`, calls a server `there`."""

    rules: str
    here: str
    there: str
    client: IPv4Address
    called: str
    server: IPv4Address
    port: int  # of its first client: none is used again, for connection tracking remembers them
    flags: str  # of the translation

    @property
    def configuration(self) -> str:
        return f"{BASE}\n{self.rules}{POLICY}"

    def seen(self, box: Firewall) -> list[ConnectionReport]:
        """What `show conn` lists of connections between those two, whom it names as they are known."""
        found = box.connections()
        names = {
            "inside": ((each.upper, each.upper_mapped, each.lower) for each in found),
            "outside": ((each.lower, each.lower_mapped, each.upper) for each in found),
        }
        for server, mapped, client in names[self.there]:
            assert (str(server), str(mapped)) == (f"{self.there}:{self.server}/25", f"{self.here}:{self.called}/25")
            assert (client.interface, client.address) == (self.here, self.client)
        return found


WAYS = {
    "policy NAT": Way(
        f"""static (inside,outside) 203.0.113.130 access-list some
access-list some extended permit ip host {LIMITED} host {CLIENTS[1]}
""",
        *("outside", "inside", CLIENTS[1], "203.0.113.130", LIMITED, 40_000, "s"),
    ),
    "a static of 1,024 hosts": Way(
        "static (inside,outside) 198.18.0.0 192.0.0.0 netmask 255.255.252.0\n",
        *("outside", "inside", CLIENTS[1], "198.18.2.27", LIMITED, 40_100, "s"),
    ),
    "destination static": Way(
        f"""object network called
 host 198.51.100.9
object network server
 host {CLIENTS[2]}
nat (inside,outside) source static any any destination static called server
""",
        *("inside", "outside", EXEMPT, "198.51.100.9", CLIENTS[2], 40_200, "sT"),
    ),
}


@pytest.fixture(scope="module")
def standing() -> Iterator[Firewall]:
    """One of two workers, which a reload does not change."""
    with firewall("fxc", WAYS["policy NAT"].configuration) as made:
        yield made


@pytest.fixture(params=WAYS, ids=list(WAYS))
def way(request: pytest.FixtureRequest, standing: Firewall) -> Way:
    found = WAYS[request.param]
    standing.forget()
    standing.put(found.configuration)
    return found


@pytest.fixture
def listener(standing: Firewall, way: Way) -> Iterator[socket.socket]:
    """The server."""
    with standing.ground.within(way.there):
        made = socket.create_server((str(way.server), 25))
    with made:
        yield made


def call(box: Firewall, way: Way, port: int, patience: float = 10) -> socket.socket:
    with box.ground.within(way.here):
        return socket.create_connection((way.called, 25), patience, (str(way.client), port))


def greeted(listener: socket.socket, client: socket.socket) -> socket.socket:
    """The server's end of a connection that is inspected."""
    server, _ = listener.accept()
    server.sendall(b"220 mail.example ESMTP\r\n")
    assert client.recv(100).startswith(b"220 ****")
    server.settimeout(10)
    return server


def limited(box: Firewall) -> tuple[int, int]:
    """How many connections the class has, and how many it had no place for."""
    told = box.run("show", "service-policy", "set", "connection").stdout
    found = re.search(r"current conns (\d+), drop (\d+)", told)
    assert found, told
    return int(found[1]), int(found[2])


def test_it_is_shown_limited_and_reset_at_both_ends(standing: Firewall, way: Way, listener: socket.socket) -> None:
    talks = []
    for port in range(way.port, way.port + CALLS):
        client = call(standing, way, port)
        talks.append((client, greeted(listener, client)))
    refused = limited(standing)[1]
    with pytest.raises(TimeoutError):
        call(standing, way, way.port + CALLS, 0.5)
    count, dropped = limited(standing)
    assert (count, dropped > refused) == (CALLS, True)
    assert len(way.seen(standing)) == CALLS
    assert "M" in way.seen(standing)[0].flags

    for client, server in talks:
        client.sendall(b"NOOP " + b"x" * 200 + b"\r\n")
        for each in (client, server):
            with pytest.raises(ConnectionResetError):
                each.recv(100)
    assert eventually(lambda: standing.in_use() == 0)
    assert standing.text().count("Flow closed by inspection") == CALLS
    again = call(standing, way, way.port + CALLS + 1)  # there is room
    assert standing.answer(ClearConnections(Wanted())) == ClearedReport(1)
    assert standing.in_use() == 0
    assert "%FIXUP-3-900001" not in standing.text()
    for each in (*(each for talk in talks for each in talk), again):
        each.close()


def test_what_is_dropped_holds_its_place_until_the_server_lets_go(
    standing: Firewall, way: Way, listener: socket.socket
) -> None:
    client = call(standing, way, way.port + CALLS + 2)
    server = greeted(listener, client)
    client.sendall(b"MAIL FROM:<a|b@example>\r\n")
    assert eventually(lambda: "Flow closed by inspection" in standing.text())
    assert (standing.connections(), len(standing.connections(ALL))) == ([], 1)
    server.close()
    assert eventually(lambda: standing.connections(ALL) == [])
    assert "%FIXUP-3-900001" not in standing.text()
    client.close()


def test_as_whom_it_is_called_is_a_translation_while_anyone_calls_it_so(
    standing: Firewall, way: Way, listener: socket.socket
) -> None:
    count = ShowTranslations(count_only=True)
    before = standing.answer(count).in_use
    clients = [call(standing, way, way.port + CALLS + each) for each in (3, 4)]
    servers = [greeted(listener, each) for each in clients]
    real, mapped = f"{way.there}:{way.server}", f"{way.here}:{way.called}"
    told = f"translation from {real} to {mapped}"
    assert eventually(lambda: standing.text().count(f"%ASA-6-305009: Built static {told}") == 1)
    assert standing.answer(count).in_use == before + 1

    listed = standing.run("show", "xlate", "global", way.called).stdout.splitlines()[3:]
    assert listed[0] == f"NAT from {real} to {mapped}"
    assert re.fullmatch(rf"    flags {way.flags} idle 0:00:\d\d timeout 0:00:00", listed[1])
    assert len(listed) == 2
    host = standing.run("show", "local-host", str(way.server)).stdout
    assert f"  Xlate:\n    Global {way.called} Local {way.server}\n" in host

    servers[0].close()
    clients[0].close()
    assert eventually(lambda: standing.in_use() == 1)
    assert standing.answer(count).in_use == before + 1
    called = IPv4Address(way.called)
    wanted = TranslationsWanted(mapped=AddressRange(called, called))
    assert standing.answer(ClearTranslations(wanted)) == ClearedReport(1)
    assert standing.answer(count).in_use == before
    assert eventually(lambda: f"%ASA-6-305010: Teardown static {told} duration 0:00:" in standing.text())
    assert standing.run("show", "xlate", "global", way.called).stdout.splitlines()[3:] == []
    for each in (clients[1], servers[1]):
        each.close()
