"""What operators end is over: no packet of it passes, its place is free, and other connections go on."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from appliance.control.protocol import (
    ClearConnections,
    ClearTranslations,
    Request,
    ShowConnections,
    ShowLocalHosts,
    ShowNat,
    ShowTranslations,
)
from appliance.lab.network import CLIENTS, MAPPED_SERVER, SERVER
from appliance.show import AddressRange, PortRange, Progress, TranslationsWanted, Wanted
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, firewall
from tests.ground import eventually

pytestmark = pytest.mark.root


class Talk(Firewall):
    """Connections through it, both ends of which this process holds."""

    listener: socket.socket

    def listen(self) -> None:
        with self.ground.within("inside"):
            self.listener = socket.create_server((str(SERVER), 25))
        self.listener.settimeout(10)

    def open(self, client: int) -> tuple[socket.socket, socket.socket]:
        """A connection from client number so-and-so, greeted: both its ends."""
        with self.ground.within("outside"):
            near = socket.create_connection((str(MAPPED_SERVER), 25), 10, (str(CLIENTS[client]), 0))
        far, _ = self.listener.accept()
        far.settimeout(10)
        far.sendall(b"220 mail\r\n")
        assert near.recv(99) == b"220 ****\r\n"
        return near, far

    def flags(self, **wanted: Any) -> list[str]:
        """The flags of the connections that are wanted, by client."""
        parts = self.parts(ShowConnections(wanted=Wanted(**wanted)))
        found = [each for part in parts for each in part.connections]
        return [each.flags for each in sorted(found, key=lambda each: each.initiator.address)]


BUFFER = "logging buffered debugging\nlogging buffer-size 1048576"


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    with firewall("fxc", EXAMPLE.replace("logging buffered informational", BUFFER), Talk) as made:
        made.listen()
        yield made
        made.listener.close()


def says(near: socket.socket, far: socket.socket) -> None:
    near.sendall(b"NOOP\r\n")
    assert far.recv(99) == b"NOOP\r\n"
    far.sendall(b"250 ok\r\n")
    assert near.recv(99) == b"250 ok\r\n"


def silent(near: socket.socket, far: socket.socket) -> None:
    """What either end sends does not come: it is sent, and sent again, and nobody has it."""
    near.sendall(b"NOOP\r\n")
    far.sendall(b"250 ok\r\n")
    for end in (near, far):
        end.settimeout(0.5)
        with pytest.raises(TimeoutError):
            end.recv(99)


CLEARINGS: dict[str, Callable[[int], Request]] = {
    "clear conn": lambda port: ClearConnections(
        Wanted((AddressRange(CLIENTS[0], CLIENTS[0]),), (PortRange(25, 25), PortRange(port, port)))
    ),
    "clear local-host": lambda _: ClearConnections(Wanted((AddressRange(CLIENTS[0], CLIENTS[0]),))),
    "clear xlate": lambda _: ClearTranslations(TranslationsWanted(mapped=AddressRange(MAPPED_SERVER, MAPPED_SERVER))),
}


@pytest.mark.parametrize("what", CLEARINGS)
def test_both_peers_find_it_gone(talk: Talk, what: str) -> None:
    ends, others = talk.open(0), talk.open(1)
    says(*ends)
    port = ends[0].getsockname()[1]
    cleared = talk.answer(CLEARINGS[what](port)).connections
    assert cleared == (2 if what == "clear xlate" else 1)
    silent(*ends)
    if what != "clear xlate":
        says(*others)
    assert f"outside:{CLIENTS[0]}/{port} to inside:{SERVER}/25 duration 0:00:0" in talk.text()
    assert " bytes 24 Xlate Clear" in talk.text()
    assert str(port) not in talk.ground.run("firewall", "cat", "/proc/net/nf_conntrack")
    again = talk.open(0)  # its place is free, and the host may come again
    says(*again)
    talk.answer(ClearConnections(Wanted()))
    assert eventually(lambda: talk.in_use() == 0)
    for end in (*ends, *others, *again):
        end.close()


def test_flags_follow_a_connection_to_its_end(talk: Talk) -> None:
    near, far = talk.open(0)
    assert talk.flags() == ["UOBM"]
    near.sendall(b"QUIT\r\n")
    far.recv(99)
    assert eventually(lambda: talk.flags() == ["UIOBM"])
    far.shutdown(socket.SHUT_WR)
    near.recv(99)
    assert eventually(lambda: talk.flags() == ["UfRIOBM"])
    assert talk.flags(states=(Progress.FIN_OUT,)) == ["UfRIOBM"]
    assert talk.flags(states=(Progress.FIN_IN,)) == []
    near.close()
    assert eventually(lambda: talk.flags() == [])
    far.close()
    assert "TCP FINs" in talk.text()


def test_what_inspection_closed_holds_its_place_in_sight(talk: Talk) -> None:
    near, far = talk.open(0)
    near.sendall(b"MAIL FROM:<|x@example.com>\r\n")
    assert eventually(lambda: talk.flags(states=(Progress.DEAD,)) != [])
    assert talk.flags() == []
    assert talk.in_use() == 0
    assert talk.answer(ShowLocalHosts()).uses[0].connections == 1
    assert talk.answer(ClearConnections(Wanted())).connections == 0
    assert talk.answer(ClearConnections(Wanted(states=(Progress.DEAD,)))).connections == 1
    assert talk.answer(ShowLocalHosts()).uses[0].connections == 0
    near.close()
    far.close()


def test_hosts_come_and_go(talk: Talk) -> None:
    before = {each.interface: each for each in talk.answer(ShowLocalHosts()).interfaces}
    assert before["outside"].active == before["inside"].active == 0
    pairs = [talk.open(number) for number in (3, 4)]
    now = {each.interface: each for each in talk.answer(ShowLocalHosts()).interfaces}
    assert (now["outside"].active, now["inside"].active) == (2, 1)
    assert f"609001: Built local-host outside:{CLIENTS[3]}" in talk.text()
    for end in (end for pair in pairs for end in pair):
        end.close()
    assert eventually(lambda: f"609002: Teardown local-host outside:{CLIENTS[3]} duration" in talk.text())


def test_translations_say_what_they_did(talk: Talk) -> None:
    before = talk.answer(ShowNat()).rules[0].untranslate_hits
    near, far = talk.open(0)
    assert talk.answer(ShowNat()).rules[0].untranslate_hits == before + 1
    assert talk.answer(ShowNat()).rules[0].translate_hits == 0
    report = talk.parts(ShowTranslations())[0]
    assert (report.in_use, report.most_used, report.translations[0].idle <= 1) == (3, 3, True)
    assert f"305009: Built static translation from inside:{SERVER} to outside:{MAPPED_SERVER}" in talk.text()
    near.close()
    far.close()
