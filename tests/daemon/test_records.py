"""The kernel's events as ASA's records: numbers, sides, reasons, durations."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface

import pytest

from appliance.config.config import Config, Interface
from appliance.daemon import records
from appliance.daemon.records import ConnectionRecords
from appliance.nat.connection import Built, Connection, Ending, Key, Limit, Refused, State, TornDown
from appliance.nat.static import Static
from appliance.syslog import ConnectionBuilt, ConnectionTornDown, LocalHostTornDown

OUTSIDE = Interface("Ethernet0/0", nameif="outside", security_level=0)
INSIDE = Interface("Ethernet0/1", nameif="inside", security_level=100)
REAL = IPv4Address("192.0.2.25")
MAPPED = IPv4Address("203.0.113.125")
STATIC = Static("inside", "outside", MAPPED, REAL, 50, 100)
CONFIG = Config(interfaces=(OUTSIDE, INSIDE), statics=(STATIC,))
#: The static turned round: the client is on the more secure side.
OUTBOUND = Config(interfaces=(OUTSIDE, INSIDE), statics=(Static("outside", "inside", MAPPED, REAL),))
SECOND = 1_000_000_000


def key(port: int = 40000) -> Key:
    return Key(MAPPED, 25, IPv4Address("203.0.113.10"), port)


def built(port: int = 40000) -> Built:
    return Built(key(port), REAL, SECOND)


def torn_down(ending: Ending = Ending.FINS, port: int = 40000, seconds: float = 30, octets: int = 1774) -> TornDown:
    return TornDown(key(port), REAL, ending, SECOND, int((1 + seconds) * SECOND), octets)


def texts(config: Config, *events: Built | TornDown | Refused) -> list[str]:
    log = ConnectionRecords(config)
    return [f"{each.id} {each.text()}" for event in events for each in log.records(event) if each.severity < 7]


def test_an_inbound_connection_from_its_first_record_to_its_last() -> None:
    assert texts(CONFIG, built(), torn_down()) == [
        "302013 Built inbound TCP connection 1 for outside:203.0.113.10/40000 (203.0.113.10/40000) "
        "to inside:192.0.2.25/25 (203.0.113.125/25)",
        "302014 Teardown TCP connection 1 for outside:203.0.113.10/40000 to inside:192.0.2.25/25 "
        "duration 0:00:30 bytes 1774 TCP FINs",
    ]


def test_an_outbound_connection_has_the_less_secure_side_first_too() -> None:
    assert texts(OUTBOUND, built(), torn_down()) == [
        "302013 Built outbound TCP connection 1 for outside:192.0.2.25/25 (203.0.113.125/25) "
        "to inside:203.0.113.10/40000 (203.0.113.10/40000)",
        "302014 Teardown TCP connection 1 for outside:192.0.2.25/25 to inside:203.0.113.10/40000 "
        "duration 0:00:30 bytes 1774 TCP FINs",
    ]


def test_as_whom_only_some_call_a_server_is_there_before_its_first_connection_and_gone_after_its_last() -> None:
    networks = IPv4Interface("203.0.113.1/24"), IPv4Interface("192.0.2.1/24")
    both = zip((OUTSIDE, INSIDE), networks, strict=True)
    config = Config(interfaces=tuple(replace(each, address=address) for each, address in both))
    told = texts(config, built(1), built(2), torn_down(port=1), torn_down(port=2))
    assert [each[:6] for each in told] == ["305009", "302013", "302013", "302014", "302014", "305010"]
    assert told[0] == "305009 Built static translation from inside:192.0.2.25 to outside:203.0.113.125"


@pytest.mark.parametrize(
    ("config", "ending", "words"),
    [
        (CONFIG, Ending.FINS, "TCP FINs"),
        (CONFIG, Ending.RESET_BY_CLIENT, "TCP Reset-O"),
        (CONFIG, Ending.RESET_BY_SERVER, "TCP Reset-I"),
        (OUTBOUND, Ending.RESET_BY_CLIENT, "TCP Reset-I"),
        (OUTBOUND, Ending.RESET_BY_SERVER, "TCP Reset-O"),
        (CONFIG, Ending.SYN_TIMEOUT, "SYN Timeout"),
        (CONFIG, Ending.FIN_TIMEOUT, "FIN Timeout"),
        (CONFIG, Ending.IDLE_TIMEOUT, "Conn-timeout"),
        (CONFIG, Ending.INSPECTION, "Flow closed by inspection"),
        (CONFIG, Ending.CLEARED, "Xlate Clear"),
        (CONFIG, Ending.REPLACED, "TCP FINs"),
    ],
)
def test_reasons(config: Config, ending: Ending, words: str) -> None:
    (text,) = texts(config, torn_down(ending, octets=0))
    assert text.endswith(f"duration 0:00:30 bytes 0 {words}")


@pytest.mark.parametrize("ending", Ending)
def test_every_ending_has_a_reason(ending: Ending) -> None:
    assert texts(CONFIG, torn_down(ending))


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00:00"), (0.9, "0:00:00"), (59, "0:00:59"), (3600, "1:00:00"), (-1, "0:00:00")]
)
def test_durations(seconds: float, words: str) -> None:
    (text,) = texts(CONFIG, torn_down(seconds=seconds))
    assert f"duration {words} bytes" in text


def test_refusals_name_the_real_address_and_the_interface_of_the_syn() -> None:
    assert texts(
        CONFIG,
        Refused(key(), REAL, Limit.MAX_CONNS, 50, 50, SECOND),
        Refused(key(), REAL, Limit.EMBRYONIC, 20, 20, SECOND),
    ) == [
        "201011 Connection limit exceeded 50/50 for input packet from 203.0.113.10/40000 to 192.0.2.25/25 "
        "on interface outside",
        "201010 Embryonic connection limit exceeded 20/20 for input packet from 203.0.113.10/40000 to 192.0.2.25/25 "
        "on interface outside",
    ]


def numbers(log: ConnectionRecords, *events: Built | TornDown) -> list[int]:
    records = (record for each in events for record in log.records(each))
    return [each.number for each in records if isinstance(each, ConnectionBuilt | ConnectionTornDown)]


def test_numbers_belong_to_connections() -> None:
    log = ConnectionRecords(CONFIG)
    events = (built(1), built(2), torn_down(port=1), built(1), torn_down(port=2), torn_down(port=1))
    assert numbers(log, *events) == [1, 2, 1, 3, 2, 3]


def test_a_connection_whose_beginning_was_lost_still_gets_a_number() -> None:
    log = ConnectionRecords(CONFIG)
    assert numbers(log, torn_down(port=1), built(1), torn_down(port=1)) == [1, 2, 2]


def test_lost_ends_do_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "REMEMBERED", 2)
    log = ConnectionRecords(CONFIG)
    assert numbers(log, built(1), built(2), built(3), torn_down(port=3), torn_down(port=1)) == [1, 2, 3, 3, 4]


def test_a_tuple_used_again_is_as_young_as_its_last_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "REMEMBERED", 3)
    log = ConnectionRecords(CONFIG)
    events = (built(1), built(2), built(1), built(3), built(4), torn_down(port=1))
    assert numbers(log, *events) == [1, 2, 3, 4, 5, 3]


def test_a_living_connection_keeps_its_number_and_its_places_over_a_reload() -> None:
    log = ConnectionRecords(CONFIG)
    list(log.records(built()))
    log.configure(Config(interfaces=(OUTSIDE, INSIDE)))
    last, *hosts = log.records(torn_down())
    assert last.text().startswith("Teardown TCP connection 1 for outside:203.0.113.10/40000 to inside:192.0.2.25/25")
    assert [each.id for each in hosts] == [LocalHostTornDown.id] * 2
    last, *_ = log.records(torn_down())  # of which nothing is known any more
    assert last.text().startswith("Teardown TCP connection 2 for unknown:203.0.113.10/40000 to unknown:192.0.2.25/25")


def test_a_host_is_there_before_its_first_connection_and_gone_after_its_last() -> None:
    log = ConnectionRecords(CONFIG)
    events = (built(1), built(2), torn_down(port=1, seconds=9), torn_down(port=2))
    told = [[f"{each.id} {each.text()}" for each in log.records(event)] for event in events]
    assert [[line[:6] for line in lines] for lines in told] == [
        ["609001", "609001", "302013"],
        ["302013"],
        ["302014"],
        ["302014", "609002", "609002"],
    ]
    assert [line for lines in told for line in lines if line.startswith("609")] == [
        "609001 Built local-host outside:203.0.113.10",
        "609001 Built local-host inside:192.0.2.25",
        "609002 Teardown local-host outside:203.0.113.10 duration 0:00:30",
        "609002 Teardown local-host inside:192.0.2.25 duration 0:00:30",
    ]


def test_a_count_by_the_table_says_nothing_and_sets_right_what_is_said_next() -> None:
    log = ConnectionRecords(CONFIG)
    list(log.records(built(1)))
    there = Connection(key(2), REAL, State.ESTABLISHED, 5 * SECOND, 5 * SECOND, 0)
    log.recount([there])  # the end of the first was lost, and the beginning of this one
    assert log.hosts.counts() == {"outside": (1, 1), "inside": (1, 1)}
    assert [each.id for each in log.records(torn_down(port=2))] == [302014, 609002, 609002]
    assert log.hosts.counts() == {"outside": (0, 1), "inside": (0, 1)}


@pytest.mark.parametrize(
    ("which", "number"),
    [
        (Limit.MAX_CONNS, 201011),
        (Limit.EMBRYONIC, 201010),
        (Limit.CLIENT_MAX, 201013),
        (Limit.CLIENT_EMBRYONIC, 201012),
    ],
)
def test_each_limit_has_its_record(which: Limit, number: int) -> None:
    [text] = texts(CONFIG, Refused(key(), REAL, which, 5, 5, SECOND))
    assert text.startswith(f"{number} ")
    assert text.endswith("5/5 for input packet from 203.0.113.10/40000 to 192.0.2.25/25 on interface outside")


@pytest.mark.parametrize(("version", "server"), [("", REAL), ("asa-8.2", MAPPED), ("asa-8.4", REAL)])
@pytest.mark.parametrize("limit", Limit)
def test_a_limit_names_the_server_as_the_version_knows_it(limit: Limit, version: str, server: IPv4Address) -> None:
    text = texts(replace(CONFIG, compatibility=version), Refused(key(), REAL, limit, 50, 50, 0))[0]
    assert f" to {server}/25 on interface outside" in text
