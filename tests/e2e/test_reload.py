"""Another configuration under living connections: new ones go by it, old ones by their own, and a bad one by nobody."""

import os
import signal
import socket
from collections.abc import Iterator

import pytest

from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_SERVER
from tests.e2e.exchange import CONFIGURATION, SWAPPED, Client, Exchanged, exchanged
from tests.e2e.firewall import Firewall, hosts
from tests.e2e.test_life import state
from tests.ground import Ground, eventually

pytestmark = pytest.mark.root

BAD = CONFIGURATION + "servce-policy global_policy inside\n"
#: Fine as a text; the gateway is in no network of the firewall's.
REFUSED = SWAPPED + "route outside 198.51.100.0 255.255.255.0 192.0.2.77\n"


@pytest.fixture(scope="module")
def firewall(standing: Firewall) -> Iterator[Exchanged]:
    with exchanged(standing) as made:
        yield made


@pytest.fixture(autouse=True)
def _as_at_first(firewall: Exchanged) -> None:
    firewall.put(CONFIGURATION)


def test_each_connection_is_under_its_own_map_also_when_a_reload_swaps_them(firewall: Exchanged) -> None:
    def connect() -> tuple[Client, Client, Client]:
        return firewall.client(MAPPED_SERVER), firewall.client(MAPPED_SERVER, 587), firewall.client(MAPPED_EXEMPT)

    def masked(clients: tuple[Client, Client, Client]) -> list[set[bytes]]:
        return [each.masked for each in clients]

    before = [{b"NOOP"}, {b"VRFY"}, set()]
    after = [{b"VRFY"}, {b"NOOP"}, set()]
    old = connect()
    assert masked(old) == before
    assert firewall.reload(SWAPPED)[0] == 0
    new = connect()
    assert (masked(old), masked(new)) == (before, after)
    assert firewall.reload(CONFIGURATION)[0] == 0
    newest = connect()
    assert (masked(old), masked(new), masked(newest)) == (before, after, before)
    assert b"inside" in old[2].banner, "the exempt host's is untouched"
    assert b"inside" not in old[0].banner


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (BAD, 2, "ERROR: % Invalid input detected at '^' marker."),
        (CONFIGURATION.replace("hardware inside0", "hardware nosuch0"), 2, "ERROR: no such device: nosuch0"),
        (CONFIGURATION.replace(" hardware inside0\n", ""), 2, 'interface Ethernet0/1 ("inside") has no hardware'),
        (REFUSED, 1, "no way to the gateway 192.0.2.77"),
        (CONFIGURATION + "metrics listen 198.51.100.1:9137\n", 1, "cannot listen on 198.51.100.1:9137 for metrics"),
        (
            CONFIGURATION + "inspection-workers 7\n",
            1,
            f"line {CONFIGURATION.count(chr(10)) + 1}: 7 workers instead of 1 take a restart of fixup",
        ),
    ],
    ids=["syntax", "no device", "no hardware", "no gateway", "no port", "workers"],
)
def test_a_refused_configuration_changes_nothing(firewall: Exchanged, text: str, code: int, said: str) -> None:
    living = firewall.client(MAPPED_SERVER)
    before = state(firewall.lab)
    done, told = firewall.reload(text)
    assert (done, said in told) == (code, True), told
    assert state(firewall.lab) == before
    assert living.masked == {b"NOOP"}
    assert firewall.client(MAPPED_SERVER).masked == {b"NOOP"}
    assert firewall.client(MAPPED_SERVER, 587).masked == {b"VRFY"}


def test_an_error_is_said_with_its_place(firewall: Exchanged) -> None:
    line = BAD.count("\n")
    assert f"{firewall.file}:{line}:1: ERROR: % Invalid input" in firewall.reload(BAD)[1]


def test_a_signal_reloads_too(firewall: Exchanged) -> None:
    said = firewall.lab.log.stat().st_size
    firewall.file.write_text(SWAPPED, encoding="utf-8")
    os.kill(firewall.pid, signal.SIGHUP)
    assert eventually(lambda: firewall.client(MAPPED_SERVER).masked == {b"VRFY"})
    firewall.file.write_text(BAD, encoding="utf-8")
    os.kill(firewall.pid, signal.SIGHUP)
    assert eventually(lambda: f"fixup: {firewall.file} is refused" in firewall.lab.log.read_text()[said:])
    assert firewall.client(MAPPED_SERVER).masked == {b"VRFY"}


def test_a_class_left_as_it_was_counts_on(firewall: Exchanged) -> None:
    firewall.client(MAPPED_SERVER).arrives(b"NOOP")
    firewall.client(MAPPED_SERVER, 587).arrives(b"NOOP")
    before = firewall.packets()
    assert min(before.values()) > 0
    assert (
        firewall.reload(CONFIGURATION.replace("class submission\n  inspect esmtp no-vrfy", "class submission"))[0] == 0
    )
    assert firewall.packets() == {("relay", "no-noop"): before["relay", "no-noop"]}
    living = firewall.client(MAPPED_SERVER)
    more = firewall.packets()["relay", "no-noop"]
    assert more > before["relay", "no-noop"]
    assert firewall.reload(CONFIGURATION)[0] == 0
    living.arrives(b"NOOP")
    assert firewall.packets()["relay", "no-noop"] > more


def test_a_connection_that_is_inspected_says_so_whatever_is_in_force(firewall: Exchanged) -> None:
    def flags(client: Client) -> str:
        [shown] = [each for each in firewall.connections() if each.initiator.port == client.port]
        return shown.flags

    old = firewall.client(MAPPED_SERVER), firewall.client(MAPPED_EXEMPT)
    assert [flags(each) for each in old] == ["UOBM", "UOB"]
    turned = CONFIGURATION.replace("relay\n  inspect esmtp no-noop", "relay").replace("\n  no inspect esmtp", "")
    turned = turned.replace(" class exempt", " class exempt\n  inspect esmtp no-noop")
    assert firewall.reload(turned)[0] == 0
    new = firewall.client(MAPPED_SERVER), firewall.client(MAPPED_EXEMPT)
    assert [flags(each) for each in (*old, *new)] == ["UOBM", "UOB", "UOB", "UOBM"]


def test_addresses_statics_and_access_lists_follow(firewall: Exchanged) -> None:
    living = firewall.client(MAPPED_SERVER)
    without = CONFIGURATION.replace(f"permit tcp any host {MAPPED_SERVER} eq smtp", "deny tcp any any eq smtp")
    without = without.replace(f"static (inside,outside) {MAPPED_EXEMPT} {EXEMPT}\n", "")
    at_first = state(firewall.lab)
    assert (
        firewall.reload(without + "timeout conn 0:10:00\nroute inside 198.51.100.0 255.255.255.0 192.0.2.77\n")[0] == 0
    )
    now = state(firewall.lab)
    assert str(MAPPED_EXEMPT) in at_first["proxies"]
    assert str(MAPPED_EXEMPT) not in now["proxies"] + now["routes"]
    assert str(EXEMPT) not in now["iptables-save"]
    assert "198.51.100.0/24 via 192.0.2.77" in now["routes"]
    assert "nf_conntrack_tcp_timeout_established = 600" in now["settings"]
    assert living.arrives(b"HELP") == b"HELP", "it was let in and stays"
    with firewall.ground.within("outside"), pytest.raises(TimeoutError):
        socket.create_connection((str(MAPPED_SERVER), 25), 1)
    assert firewall.reload(CONFIGURATION)[0] == 0
    assert state(firewall.lab) == at_first
    assert firewall.client(MAPPED_EXEMPT).banner


def test_a_stop_after_reloads_puts_back_what_was_found(firewall: Exchanged) -> None:
    with hosts("fxs") as lab:
        before = state(lab)
        pid = lab.start(firewall.file)
        other = Exchanged(lab, Ground(lab.network), firewall.file, pid)
        assert other.reload(CONFIGURATION + "route inside 198.51.100.0 255.255.255.0 192.0.2.77\n")[0] == 0
        assert other.reload(CONFIGURATION.replace("203.0.113.1 ", "203.0.113.2 "))[0] == 0
        os.kill(pid, signal.SIGTERM)
        assert eventually(lambda: not (lab.directory / "control.sock").exists())
        assert eventually(lambda: state(lab) == before)
