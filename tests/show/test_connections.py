"""The reports of `show conn`: ends, flags, times, and which connections are wanted."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from ipaddress import IPv4Address

import pytest

from appliance.config.config import Config
from appliance.flow import Side
from appliance.nat.connection import Connection, State
from appliance.plain import from_plain, to_plain
from appliance.show import (
    AddressRange,
    ConnectionReport,
    ConnectionsReport,
    PortRange,
    Progress,
    Reporter,
    Wanted,
    flags,
)
from tests import appliances
from tests.appliances import MAPPED, NOW, PLAIN, REAL, SECOND

ANY = Wanted()
connection = partial(appliances.connection, inspected=True)
BOTH = frozenset(Side)


def reports(*entries: Connection, wanted: Wanted = ANY, config: Config = PLAIN) -> list[ConnectionReport]:
    return [report for _, report in Reporter(config).wanted(entries, wanted, NOW)]


def states(*states: State, wanted: Wanted = ANY) -> list[ConnectionReport]:
    return reports(*(connection(state, port) for port, state in enumerate(states, 40000)), wanted=wanted)


def test_a_connection_is_shown_on_real_addresses_with_the_mapped_one_beside() -> None:
    (shown,) = states(State.ESTABLISHED)
    assert [str(end) for end in (shown.lower, shown.lower_mapped, shown.upper, shown.upper_mapped)] == [
        "outside:203.0.113.10/40000",
        "outside:203.0.113.10/40000",
        "inside:192.0.2.25/25",
        "outside:203.0.113.125/25",
    ]
    assert (shown.initiator, shown.responder) == (shown.lower, shown.upper)
    assert (shown.idle, shown.uptime, shown.state) == (3, 7, "established")


def test_the_less_secure_side_is_first_also_of_an_outbound_connection() -> None:
    turned = tuple(replace(each, security_level=100 - (each.security_level or 0)) for each in PLAIN.interfaces)
    (shown,) = reports(connection(State.ESTABLISHED), config=replace(PLAIN, interfaces=turned))
    assert [str(end) for end in (shown.lower, shown.lower_mapped, shown.upper, shown.upper_mapped)] == [
        "inside:192.0.2.25/25",
        "outside:203.0.113.125/25",
        "outside:203.0.113.10/40000",
        "outside:203.0.113.10/40000",
    ]
    assert (shown.initiator, shown.responder, shown.flags) == (shown.upper, shown.lower, "UM")


def test_what_is_no_connection_any_more_or_not_yet_is_not_shown() -> None:
    assert [each.state for each in states(*State)] == ["syn", "syn-ack", "established", "half-closed", "closing"]


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (State.SYN, 30),
        (State.SYN_ACK, 30),
        (State.ESTABLISHED, 3600),
        (State.HALF_CLOSED, 600),
        (State.CLOSING, 600),
    ],
)
def test_timeouts(state: State, seconds: int) -> None:
    assert states(state)[0].timeout == seconds


def test_a_class_has_its_own_timeout() -> None:
    (shown,) = reports(replace(connection(State.ESTABLISHED), lifetime=7200))
    assert shown.timeout == 7200


def test_a_clock_read_before_the_packet_gives_no_negative_time() -> None:
    shown = Reporter(PLAIN).report(connection(State.SYN), NOW - 100 * SECOND)
    assert (shown.idle, shown.uptime) == (0, 0)


NOBODY: frozenset[Side] = frozenset()
CLIENT, SERVER = frozenset({Side.CLIENT}), frozenset({Side.SERVER})


@pytest.mark.parametrize(
    ("state", "sent", "fin", "inbound", "outbound"),
    [
        (State.SYN, NOBODY, NOBODY, "SaAB", "saA"),
        (State.SYN_ACK, NOBODY, NOBODY, "aB", "A"),
        (State.ESTABLISHED, NOBODY, NOBODY, "UB", "U"),
        (State.ESTABLISHED, SERVER, NOBODY, "UOB", "UI"),
        (State.ESTABLISHED, CLIENT, NOBODY, "UIB", "UO"),
        (State.ESTABLISHED, BOTH, NOBODY, "UIOB", "UIO"),
        (State.HALF_CLOSED, BOTH, CLIENT, "UFIOB", "UfIO"),
        (State.HALF_CLOSED, BOTH, SERVER, "UfIOB", "UFIO"),
        (State.CLOSING, BOTH, BOTH, "UfFIOB", "UfFIO"),
    ],
)
def test_flags(state: State, sent: frozenset[Side], fin: frozenset[Side], inbound: str, outbound: str) -> None:
    entry = appliances.connection(state, sent=sent, fin=fin)
    assert flags(entry, inbound=True) == inbound
    assert flags(entry, inbound=False) == outbound


@pytest.mark.parametrize(
    ("acknowledged", "inbound", "outbound"),
    [(NOBODY, "UfFIOB", "UfFIO"), (CLIENT, "UfFRIOB", "UfFrIO"), (SERVER, "UfFrIOB", "UfFRIO")],
)
def test_who_acknowledged_the_others_fin(acknowledged: frozenset[Side], inbound: str, outbound: str) -> None:
    entry = replace(appliances.connection(State.CLOSING, sent=BOTH, fin=BOTH), acknowledged=acknowledged)
    assert flags(entry, inbound=True) == inbound
    assert flags(entry, inbound=False) == outbound


def test_mail_that_is_inspected_has_its_letter_until_it_is_let_go() -> None:
    entry = connection(State.ESTABLISHED, sent=BOTH)
    other = replace(entry, inspected=False)
    shown = reports(entry, replace(entry, bypass=True), other, connection(State.SYN))
    assert [each.flags for each in shown] == ["UIOBM", "UIOB", "UIOB", "SaAB"]


def test_what_inspection_has_closed_was_inspected() -> None:
    entry = appliances.connection(State.DEAD, sent=BOTH)
    assert Reporter(PLAIN).report(entry, NOW).flags == "UIOBM"


# --- which are wanted


HERE, THERE = IPv4Address("203.0.113.10"), IPv4Address("203.0.113.11")


@pytest.mark.parametrize(
    ("wanted", "ports"),
    [
        (ANY, [1, 2, 3]),
        (Wanted(addresses=(AddressRange(HERE, HERE),)), [1, 3]),
        (Wanted(addresses=(AddressRange(HERE, THERE),)), [1, 2, 3]),
        (Wanted(addresses=(AddressRange(REAL, REAL),)), [1, 2, 3]),
        (Wanted(addresses=(AddressRange(MAPPED, MAPPED),)), [1, 2, 3]),
        (Wanted(addresses=(AddressRange(THERE, THERE), AddressRange(REAL, REAL))), [2]),
        (Wanted(addresses=(AddressRange(HERE, HERE), AddressRange(THERE, THERE))), []),
        (Wanted(ports=(PortRange(2, 3),)), [2, 3]),
        (Wanted(ports=(PortRange(25, 25), PortRange(3, 9))), [3]),
        (Wanted(ports=(PortRange(4, 24),)), []),
        (Wanted(tcp=False), []),
    ],
)
def test_wanted_ends(wanted: Wanted, ports: list[int]) -> None:
    entries = (
        connection(State.SYN, 1),
        connection(State.SYN, 2, client=str(THERE)),
        connection(State.ESTABLISHED, 3),
    )
    assert [each.initiator.port for each in reports(*entries, wanted=wanted)] == ports


@pytest.mark.parametrize(
    ("progress", "shown"),
    [
        ((Progress.UP,), ["UBM", "UIBM", "UOBM", "UFIBM", "UfOBM"]),
        ((Progress.EMBRYONIC,), ["SaAB", "aB"]),
        ((Progress.DATA_IN,), ["UIBM", "UFIBM"]),
        ((Progress.DATA_OUT,), ["UOBM", "UfOBM"]),
        ((Progress.FIN_IN,), ["UFIBM"]),
        ((Progress.FIN_OUT,), ["UfOBM"]),
        ((Progress.FIN_IN, Progress.FIN_OUT), ["UFIBM", "UfOBM"]),
        ((Progress.INBOUND,), ["SaAB", "aB", "UBM", "UIBM", "UOBM", "UFIBM", "UfOBM"]),
        ((Progress.SMTP_DATA,), ["UBM", "UIBM", "UOBM", "UFIBM", "UfOBM"]),
        ((Progress.DEAD,), ["UBM"]),
        ((Progress.DEAD, Progress.EMBRYONIC), ["SaAB", "aB", "UBM"]),
    ],
    ids=lambda each: ",".join(map(str, each)),
)
def test_wanted_states(progress: tuple[Progress, ...], shown: list[str]) -> None:
    entries = (
        connection(State.SYN),
        connection(State.SYN_ACK),
        connection(State.ESTABLISHED),
        connection(State.ESTABLISHED, sent=CLIENT),
        connection(State.ESTABLISHED, sent=SERVER),
        connection(State.HALF_CLOSED, sent=CLIENT, fin=CLIENT),
        connection(State.HALF_CLOSED, sent=SERVER, fin=SERVER),
        connection(State.DEAD),
        connection(State.WAITING),
    )
    found = [each.flags for each in reports(*entries, wanted=Wanted(states=progress))]
    assert found == shown


def test_what_is_wanted_and_what_is_found_survive_json() -> None:
    wanted = Wanted((AddressRange(HERE, THERE),), (PortRange(1, 2),), (Progress.UP, Progress.DEAD), tcp=False)
    assert from_plain(Wanted, to_plain(wanted)) == wanted
    report = ConnectionsReport(1, 60, tuple(states(State.ESTABLISHED)))
    assert from_plain(ConnectionsReport, to_plain(report)) == report
