"""Which octet the receiver of a packet expects, of a connection whose beginning nobody saw."""

import pytest

from appliance.datapath import strangers
from appliance.datapath.strangers import Strangers
from appliance.tcp.segment import Segment
from tests.wire import packet, segment

SERVER = ("192.0.2.25", 25)


def server(seq: int, ack: int = 1, port: int = 40_000) -> Segment:
    return segment(packet(SERVER, ("203.0.113.10", port), seq, ack, payload=b"250 Ok\r\n"))


def client(seq: int) -> Segment:
    return segment(packet(("203.0.113.10", 40_000), SERVER, seq, 1, payload=b"NOOP\r\n"))


@pytest.mark.parametrize(
    ("numbers", "oldest"),
    [
        ([7, 7, 7], 7),
        ([7, 9, 7, 9, 9, 7], 7),
        ([9, 9, 7, 9, 7, 9, 7], 7),  # lost, its end came, its end was probed for, then its timer ran out
        ([2, 2, 2**32 - 3, 2, 2**32 - 3, 2**32 - 3], 2**32 - 3),
    ],
)
def test_a_client_expects_its_servers_oldest_at_the_third_sight(numbers: list[int], oldest: int) -> None:
    seen = Strangers()
    told = [seen.client_expects(server(number)) for number in numbers]
    assert told == [None] * (len(numbers) - 1) + [oldest]
    assert seen.client_expects(server(oldest)) is None, "it begins anew"


def test_a_server_expects_what_it_said_or_what_it_gets() -> None:
    seen = Strangers()
    for ack in (500, 507):
        assert seen.client_expects(server(7, ack)) is None
    assert [seen.server_expects(client(600)) for _ in range(2)] == [507, 600]


def test_every_connection_for_itself() -> None:
    seen = Strangers()
    assert {seen.client_expects(server(7, port=port)) for _ in range(2) for port in (1_025, 1_026)} == {None}
    assert [seen.client_expects(server(7, port=port)) for port in (1_025, 1_026)] == [7, 7]


def test_the_one_longest_unheard_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strangers, "LIMIT", 2)
    seen = Strangers()
    for port in (1, 2, 1, 3, 2, 1, 3):
        assert seen.client_expects(server(7, port=port)) is None
    assert len(seen._heard) == 2
