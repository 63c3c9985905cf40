"""What is translated by its port, or as it connects: in the table, limited, inspected, shown and logged as all else."""

import socket
from collections.abc import Iterator

import pytest

from appliance.control.protocol import ClearConnections, ClearTranslations, ShowTranslations
from appliance.flow import Endpoint
from appliance.lab.network import CLIENTS, EXEMPT, LIMITED, OUTSIDE, SERVER
from appliance.show import AddressRange, ClearedReport, PortsReport, TranslationReport, TranslationsWanted, Wanted
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, under
from tests.ground import eventually

pytestmark = pytest.mark.root

OTHER = "203.0.113.128"
PORT = 40000
CALLED = CLIENTS[1]
DEAF = 2500  # a port where its host drops what comes
STATEMENTS = f"""static (inside,outside) tcp {OTHER} 2525 {SERVER} smtp netmask 255.255.255.255 tcp 1 0
nat (inside) 1 192.0.2.0 255.255.255.0
global (outside) 1 interface
static (outside,inside) {CALLED} {CALLED} netmask 255.255.255.255 tcp 0 1
access-list outside_in extended permit tcp any host {SERVER} eq smtp
logging buffer-size 65536
"""


@pytest.fixture(scope="module")
def box(standing: Firewall) -> Iterator[Firewall]:
    lines = [line for line in EXAMPLE.splitlines() if not line.startswith("static ")]
    with under(standing, "\n".join([*lines, STATEMENTS])) as made:
        yield made


def greeted(listener: socket.socket, client: socket.socket) -> tuple[socket.socket, bytes]:
    """The server's end, and the greeting as its client gets it."""
    server, _ = listener.accept()
    server.sendall(b"220 mail.example ESMTP\r\n")
    client.settimeout(10)
    return server, client.recv(100)


def test_a_pools_connections_are_told_apart_shown_and_cleared(box: Firewall) -> None:
    with box.ground.within("outside"):
        listener = socket.create_server((str(CLIENTS[0]), 25))
    with box.ground.within("inside"):
        clients = [socket.create_connection((str(CLIENTS[0]), 25), 10, (str(each), PORT)) for each in (EXEMPT, LIMITED)]
    servers = []
    for client in clients:
        server, greeting = greeted(listener, client)
        assert greeting.startswith(b"220 ****")
        servers.append(server)
    known = [server.getpeername() for server in servers]
    assert {address for address, _ in known} == {str(OUTSIDE.ip)}
    assert len(set(known)) == 2
    assert eventually(lambda: {each.flags for each in box.connections()} == {"UIM"})
    found = {each.upper: each.upper_mapped for each in box.connections()}
    assert set(found) == {Endpoint("inside", each, PORT) for each in (EXEMPT, LIMITED)}
    assert {(str(each.address), each.port) for each in found.values()} == set(known)
    mapped = next(each for each in found.values() if each.port == known[0][1])
    built = f"Built dynamic TCP translation from inside:{EXEMPT}/{PORT} to outside:{OUTSIDE.ip}/{mapped.port}"
    assert eventually(lambda: f"%ASA-6-305011: {built}" in box.text())
    assert f"to inside:{EXEMPT}/{PORT} ({OUTSIDE.ip}/{mapped.port})" in box.text()

    clients[0].sendall(b"EHLO inside\r\n")
    servers[0].settimeout(10)
    assert servers[0].recv(100) == b"EHLO inside\r\n"
    clients[0].close()
    servers[0].close()
    assert eventually(lambda: len(box.connections()) == 1)
    assert eventually(lambda: f"Teardown dynamic TCP translation from inside:{EXEMPT}/{PORT}" in box.text())
    assert box.answer(ClearConnections(Wanted())) == ClearedReport(1)
    clients[1].sendall(b"EHLO inside\r\n")
    servers[1].settimeout(0.5)
    with pytest.raises(TimeoutError):
        servers[1].recv(100)
    assert box.connections() == []
    for each in (*clients, *servers, listener):
        each.close()


def translations(box: Firewall, wanted: TranslationsWanted) -> list[TranslationReport]:
    """What `show xlate` lists."""
    return [each for part in box.parts(ShowTranslations(wanted=wanted)) for each in part.translations]


def test_what_a_pool_gave_is_a_translation_until_its_connection_ends(box: Firewall) -> None:
    standing = box.answer(ShowTranslations(count_only=True)).in_use
    with box.ground.within("outside"):
        listener = socket.create_server((str(CLIENTS[0]), 25))
    with box.ground.within("inside"):
        ends = [(str(each), PORT + 2) for each in (EXEMPT, LIMITED)]
        clients = [socket.create_connection((str(CLIENTS[0]), 25), 10, each) for each in ends]
    servers = [greeted(listener, client)[0] for client in clients]
    assert eventually(lambda: box.answer(ShowTranslations(count_only=True)).in_use == standing + 2)
    assert box.answer(ShowTranslations(count_only=True)).most_used >= standing + 2
    assert len(translations(box, TranslationsWanted())) == standing + 2

    [found] = translations(box, TranslationsWanted(real=AddressRange(EXEMPT, EXEMPT)))
    _, port = servers[0].getpeername()
    assert (found.mapped, found.flags, found.ports) == (OUTSIDE.ip, "ri", PortsReport("tcp", PORT + 2, port))
    line = f"TCP PAT from inside:{EXEMPT}/{PORT + 2} to outside:{OUTSIDE.ip}/{port} flags ri idle 0:00:0"
    told = box.run("show", "xlate", "local", str(EXEMPT)).stdout.splitlines()
    assert [each[: len(line)] for each in told[3:]] == [line]
    host = box.run("show", "local-host", str(EXEMPT)).stdout
    assert f"  Xlate:\n    PAT Global {OUTSIDE.ip}({port}) Local {EXEMPT}({PORT + 2})\n" in host

    gone = TranslationsWanted(mapped=AddressRange(OUTSIDE.ip, OUTSIDE.ip), interfaces=("outside",))
    assert box.answer(ClearTranslations(gone)) == ClearedReport(2)
    assert translations(box, gone) == []
    assert box.answer(ShowTranslations(count_only=True)).in_use == standing
    for each in (*clients, *servers, listener):
        each.close()


def test_what_inspection_closes_is_closed_beyond_a_pool(box: Firewall) -> None:
    with box.ground.within("outside"):
        listener = socket.create_server((str(CLIENTS[0]), 25))
    with box.ground.within("inside"):
        client = socket.create_connection((str(CLIENTS[0]), 25), 10, (str(LIMITED), PORT + 1))
    server, _ = greeted(listener, client)
    client.sendall(b"MAIL FROM:<a|b@example>\r\n")
    assert eventually(lambda: "Flow closed by inspection" in box.text() and box.connections() == [])
    assert translations(box, TranslationsWanted(real=AddressRange(LIMITED, LIMITED))) == []
    for each in (client, server, listener):
        each.close()


def test_a_static_of_a_port_is_limited(box: Firewall) -> None:
    with box.ground.within("inside"):
        listener = socket.create_server((str(SERVER), 25))
    with box.ground.within("outside"):
        client = socket.create_connection((OTHER, 2525), 10, (str(CLIENTS[0]), PORT))
        server, greeting = greeted(listener, client)
        assert greeting.startswith(b"220 ****")
        with pytest.raises(TimeoutError):
            socket.create_connection((OTHER, 2525), 0.5)
    assert eventually(lambda: {each.flags for each in box.connections()} == {"UOBM"})
    [found] = box.connections()
    assert (str(found.upper), str(found.upper_mapped)) == (f"inside:{SERVER}/25", f"outside:{OTHER}/2525")
    assert eventually(lambda: "%ASA-3-201011: Connection limit exceeded 1/1" in box.text())
    assert f"Built static TCP translation from inside:{SERVER}/25 to outside:{OTHER}/2525" in box.text()
    client.sendall(b"MAIL FROM:<a|b@example>\r\n")
    assert eventually(lambda: box.connections() == [])
    server.close()  # which gives the place back
    with box.ground.within("outside"):
        again = socket.create_connection((OTHER, 2525), 10)
    for each in (client, again, listener):
        each.close()


def test_who_has_pat_is_not_intercepted(box: Firewall) -> None:
    """SYNPROXY would open the connection in the client's own name."""
    box.ground.run("outside", "iptables", "-A", "INPUT", "-p", "tcp", "--dport", str(DEAF), "-j", "DROP")
    with box.ground.within("outside"):
        listener = socket.create_server((str(CALLED), 25))
    with box.ground.within("inside"):
        half_open = socket.socket()
        half_open.setblocking(False)
        half_open.connect_ex((str(CALLED), DEAF))
        assert eventually(lambda: "saA" in {each.flags for each in box.connections()})
        client = socket.create_connection((str(CALLED), 25), 10, (str(EXEMPT), PORT + 7))
    server, greeting = greeted(listener, client)
    assert greeting.startswith(b"220 ****")
    assert server.getpeername()[0] == str(OUTSIDE.ip)
    for each in (client, server, half_open, listener):
        each.close()
