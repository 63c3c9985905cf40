"""Reports: what the show commands say, as data."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from appliance import show
from appliance.config.config import Config
from appliance.datapath.snapshot import LogUse, Snapshot
from appliance.flow import Side
from appliance.nat.connection import State
from appliance.plain import from_plain, to_plain
from appliance.policy.counters import Slot
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Banner, Deed, MailRelay, Parameters, Reaction
from appliance.show import ClassReport, InspectionReport, ServicePolicyReport
from tests.appliances import EXAMPLE, NOW, PLAIN, SECOND, SEED, TWO, TWO_COUNTS, block, configured, connection, under

BOTH = frozenset(Side)
LOG = Reaction(Deed.LOG, log=True)


def inspection(report: ServicePolicyReport, policy: int = 0, place: int = 0) -> InspectionReport:
    found = report.policies[policy].classes[place].inspection
    assert found is not None
    return found


# --- service policy ---------------------------------------------------------------------------------------------


def test_the_header_counts_packets() -> None:
    snapshot = replace(SEED, inspections={1: block({Slot.PACKET: 9, Slot.DROP: 2, Slot.RESET_DROP: 1}, {})})
    report = inspection(show.service_policy(PLAIN, snapshot))
    assert (report.map, report.packet, report.drop, report.reset_drop) == ("_default_esmtp_map", 9, 2, 1)


@pytest.mark.parametrize("index", range(7), ids=[each.condition for each in DEFAULT_MAP.matches])
def test_each_match_line_has_its_own_count(index: int) -> None:
    report = inspection(show.service_policy(PLAIN, replace(SEED, inspections={1: block({}, {index: 5})})))
    assert [each.packet for each in report.matches] == [5 if place == index else 0 for place in range(7)]


def test_every_named_slot_is_in_the_report() -> None:
    counts = {slot: 100 + slot for slot in Slot}
    report = inspection(show.service_policy(PLAIN, replace(SEED, inspections={1: block(counts, {})})))
    assert report.counts == {slot.label: 100 + slot for slot in Slot}


def test_an_inspection_without_counters_has_counted_nothing() -> None:
    report = inspection(show.service_policy(PLAIN, Snapshot(now=NOW)))
    assert report.packet == 0
    assert {each.packet for each in report.matches} == {0}


def test_classes_come_in_the_files_order_and_exemptions_have_no_counters() -> None:
    (policy,) = show.service_policy(configured(EXAMPLE), SEED).policies
    assert [each.name for each in policy.classes] == ["inspection_default", "ironport_esa"]
    assert policy.classes[1] == ClassReport("ironport_esa", None)
    assert policy.classes[0].inspection is not None
    assert policy.classes[0].inspection.packet == 104468


def test_the_global_policy_comes_first_and_each_class_has_its_own_counters() -> None:
    report = show.service_policy(TWO, TWO_COUNTS)
    assert [(each.name, each.interface) for each in report.policies] == [
        ("global_policy", None),
        ("outside_policy", "outside"),
    ]
    assert inspection(report).packet == 7
    assert inspection(report, 1).packet == 9
    assert [(each.match, each.action, each.packet) for each in inspection(report, 1).matches] == [
        ("cmd line length gt 100", "reset log", 3),
        ("not ehlo-reply-parameter size", "mask", 5),
    ]


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        (Parameters(), {"mask-banner": 3}),
        (Parameters(banner=Banner.ALL), {"mask-banner": 3}),
        (Parameters(banner=Banner.OFF), {}),
        (Parameters(allow_tls=True), {"mask-banner": 3, "allow-tls": 4}),
        (
            Parameters(mail_relay=MailRelay("example.com", LOG), special_character=LOG, allow_tls=True),
            {"mask-banner": 3, "mail-relay": 5, "special-character": 6, "allow-tls": 4},
        ),
    ],
)
def test_a_parameter_is_shown_where_it_is_in_force(parameters: Parameters, shown: dict[str, int]) -> None:
    assert inspection(show.service_policy(under(parameters), TWO_COUNTS), 1).parameters == shown


# --- connections ------------------------------------------------------------------------------------------------


def connections(*states: State) -> show.ConnectionsReport:
    entries = tuple(connection(state, port) for port, state in enumerate(states, 40000))
    return show.connections(PLAIN, replace(SEED, connections=entries))


def test_a_connection_is_shown_on_real_addresses_with_the_mapped_one_beside() -> None:
    (shown,) = connections(State.ESTABLISHED).connections
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
    snapshot = replace(SEED, connections=(connection(State.ESTABLISHED),))
    (shown,) = show.connections(replace(PLAIN, interfaces=turned), snapshot).connections
    assert [str(end) for end in (shown.lower, shown.lower_mapped, shown.upper, shown.upper_mapped)] == [
        "inside:192.0.2.25/25",
        "outside:203.0.113.125/25",
        "outside:203.0.113.10/40000",
        "outside:203.0.113.10/40000",
    ]
    assert (shown.initiator, shown.responder, shown.flags) == (shown.upper, shown.lower, "U")


def test_what_is_no_connection_any_more_or_not_yet_is_not_shown() -> None:
    report = connections(*State)
    assert [each.state for each in report.connections] == ["syn", "syn-ack", "established", "half-closed", "closing"]
    assert report.in_use == 5


def test_the_oldest_connection_is_first() -> None:
    entries = (connection(State.SYN, 1, uptime=5), connection(State.SYN, 2, uptime=9))
    report = show.connections(PLAIN, replace(SEED, connections=entries))
    assert [each.uptime for each in report.connections] == [9, 5]


def test_the_most_used_is_never_less_than_the_used() -> None:
    assert connections(*[State.SYN] * 3).most_used == 60
    assert show.connections(PLAIN, replace(SEED, connections=(connection(State.SYN),), most_used=0)).most_used == 1


def test_count_only_lists_none() -> None:
    snapshot = replace(SEED, connections=(connection(State.SYN),))
    assert show.connections(PLAIN, snapshot, count_only=True) == show.ConnectionsReport(1, 60, ())


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
    assert connections(state).connections[0].timeout == seconds


def test_a_clock_read_before_the_packet_gives_no_negative_time() -> None:
    early = replace(SEED, now=NOW - 100 * SECOND, connections=(connection(State.SYN),))
    (shown,) = show.connections(PLAIN, early).connections
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
    entry = connection(state, sent=sent, fin=fin)
    assert show.flags(entry, inbound=True) == inbound
    assert show.flags(entry, inbound=False) == outbound


# --- the rest ---------------------------------------------------------------------------------------------------


def test_logging() -> None:
    use = LogUse("buffered", 6, 1)
    report = show.logging(PLAIN, replace(SEED, logs=(use,), log_lines=("%ASA-…",)))
    assert (report.enabled, report.timestamp, report.hostname) == (True, True, "fixup")
    assert (report.destinations, report.lines) == ((use,), ("%ASA-…",))


def test_running_config_is_the_rendered_configuration_line_by_line() -> None:
    short, full = show.running_config(PLAIN), show.running_config(PLAIN, everything=True)
    assert "hostname fixup" in short.lines
    assert " inspect esmtp" in {line[1:] for line in short.lines}
    assert "policy-map type inspect esmtp _default_esmtp_map" not in short.lines
    assert "policy-map type inspect esmtp _default_esmtp_map" in full.lines
    assert configured("\n".join(short.lines)) is not None


def test_every_report_survives_json() -> None:
    snapshot = replace(TWO_COUNTS, connections=(connection(State.SYN),), logs=(LogUse("trap", 6, 0),), log_lines=("…",))
    reports = [
        show.service_policy(TWO, snapshot),
        show.connections(TWO, snapshot),
        show.logging(TWO, snapshot),
        show.running_config(TWO),
    ]
    for report in reports:
        assert from_plain(type(report), to_plain(report)) == report


def test_nothing_configured_shows_nothing() -> None:
    for config, closed in product([Config()], [Snapshot(now=0)]):
        assert show.service_policy(config, closed) == ServicePolicyReport(())
        assert show.connections(config, closed) == show.ConnectionsReport(0, 0, ())
