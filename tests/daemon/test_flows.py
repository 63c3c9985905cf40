"""106100: a flow's first hit at once, then how many in each interval, then nothing."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from appliance.config.elements import Elements
from appliance.daemon import clock
from appliance.daemon.flows import LoggedFlows
from appliance.flow import Endpoint
from appliance.iptables.match import tag
from appliance.syslog import DenyFlowsFull, EntryHit
from tests.appliances import configured

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
    config = configured(LIST)
    (access_list,) = config.access_lists
    return [tag(access_list, ace, each) for ace in access_list.aces for each in Elements(config).of(ace)]


@pytest.fixture
def known() -> LoggedFlows:
    found = LoggedFlows()
    found.configure(configured(LIST))
    return found


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


OTHER = Endpoint("outside", IPv4Address("203.0.113.11"), 40000)


def test_of_denied_flows_beyond_what_is_kept_nothing_is_told_but_that_there_are(
    known: LoggedFlows, tags: list[str]
) -> None:
    known.configure(configured(f"{LIST}access-list deny-flow-max 1\naccess-list alert-interval 60\n"))
    assert known.hit(tags[2], "tcp", CLIENT, SERVER, 0) is not None
    assert known.hit(tags[2], "tcp", CLIENT, SERVER, 0) is None
    assert list(known.due(SECOND)) == []
    assert [known.hit(tags[2], "tcp", OTHER, SERVER, 0) for _ in range(2)] == [None, None]
    assert known.hit(tags[0], "tcp", OTHER, SERVER, 0) is not None, "a permitted one has room"
    assert known.hit(tags[0], "tcp", OTHER, SERVER, 0) is None
    assert known.counts == (2, 1)
    assert [each.text() for each in known.due(SECOND)] == [
        "Number of cached deny-flows for ACL log has reached limit (1)"
    ]
    known.hit(tags[2], "tcp", OTHER, SERVER, SECOND)
    assert DenyFlowsFull(1) not in list(known.due(60 * SECOND))
    assert list(known.due(61 * SECOND)) == [DenyFlowsFull(1)]


def test_a_flow_that_is_forgotten_makes_room(known: LoggedFlows, tags: list[str]) -> None:
    known.configure(configured(f"{LIST}access-list deny-flow-max 1\n"))
    known.hit(tags[2], "tcp", CLIENT, SERVER, 0)
    assert list(known.due(300 * SECOND)) == []
    assert known.counts == (0, 0)
    assert known.hit(tags[2], "tcp", OTHER, SERVER, 300 * SECOND) is not None
    assert known.hit(tags[2], "tcp", OTHER, SERVER, 300 * SECOND) is None


def test_a_reload_keeps_the_flows_of_entries_that_it_leaves_as_they_were(known: LoggedFlows, tags: list[str]) -> None:
    for at in (0, 2):
        known.hit(tags[at], "tcp", CLIENT, SERVER, 0)
        known.hit(tags[at], "tcp", CLIENT, SERVER, 0)
    known.configure(configured(LIST.replace("notifications interval 10", "notifications interval 20")))
    assert known.counts == (1, 1), "the other entry says something else now"
    assert known.hit(tags[2], "tcp", CLIENT, SERVER, SECOND) is None
    assert [each.count for each in known.due(300 * SECOND) if isinstance(each, EntryHit) and not each.permitted] == [2]
