"""106100: a flow's first hit at once, then how many in each interval, then nothing."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.config.elements import Elements
from appliance.config.load import load
from appliance.daemon import clock, flows
from appliance.daemon.flows import LoggedFlows
from appliance.flow import Endpoint
from appliance.iptables.match import tag

LIST = """interface E0
 nameif outside
access-list outside_in extended permit tcp any host 192.0.2.25 eq smtp log notifications interval 10
access-list outside_in extended deny udp any any log disable
access-list outside_in extended deny ip any any log
access-group outside_in in interface outside
"""
CLIENT, SERVER = (
    Endpoint("outside", IPv4Address("203.0.113.10"), 40000),
    Endpoint("inside", IPv4Address("192.0.2.25"), 25),
)
SECOND = clock.SECOND


@pytest.fixture
def tags() -> list[str]:
    config = load(LIST).config
    assert config is not None
    (access_list,) = config.access_lists
    return [tag(access_list, ace, each) for ace in access_list.aces for each in Elements(config).of(ace)]


@pytest.fixture
def known() -> LoggedFlows:
    config = load(LIST).config
    assert config is not None
    return LoggedFlows(config)


def test_a_flow_is_told_at_once_and_then_by_intervals(known: LoggedFlows, tags: list[str]) -> None:
    first = known.hit(tags[0], "tcp", CLIENT, SERVER, 0)
    assert first is not None
    assert first.text() == (
        "access-list outside_in permitted tcp outside/203.0.113.10(40000) -> inside/192.0.2.25(25) "
        f"hit-cnt 1 first hit [{tags[0]}, 0x0]"
    )
    assert first.logged_at == 5
    assert [known.hit(tags[0], "tcp", CLIENT, SERVER, SECOND) for _ in range(3)] == [None] * 3
    assert list(known.due(9 * SECOND)) == []
    (told,) = known.due(10 * SECOND)
    assert told.text().endswith(f"hit-cnt 3 10-second interval [{tags[0]}, 0x0]")
    assert list(known.due(20 * SECOND)) == [], "and it is forgotten"
    assert known.hit(tags[0], "tcp", CLIENT, SERVER, 21 * SECOND) == first


def test_an_entry_says_its_severity_and_whether_it_is_told(known: LoggedFlows, tags: list[str]) -> None:
    denied = known.hit(tags[2], "tcp", CLIENT, SERVER, 0)
    assert denied is not None
    assert (denied.permitted, denied.logged_at) == (False, 6)
    assert list(known.due(299 * SECOND)) == []
    assert known.hit(tags[1], "udp", CLIENT, SERVER, 0) is None
    assert known.hit("0xdeadbeef", "tcp", CLIENT, SERVER, 0) is None


def test_flows_beyond_what_is_kept_are_told_hit_by_hit(
    known: LoggedFlows, tags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows, "FLOWS", 1)
    other = Endpoint("outside", IPv4Address("203.0.113.11"), 40000)
    assert known.hit(tags[0], "tcp", CLIENT, SERVER, 0) is not None
    assert known.hit(tags[0], "tcp", CLIENT, SERVER, 0) is None
    assert None not in [known.hit(tags[0], "tcp", other, SERVER, 0) for _ in range(2)]
