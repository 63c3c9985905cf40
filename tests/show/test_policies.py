"""The report of `show service-policy`: classes in order, each with its own counters."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from appliance import show
from appliance.config.config import Config
from appliance.datapath.snapshot import AddressUse, ClassUse, Snapshot
from appliance.nat.classes import LimitedClass
from appliance.nat.connection import Limit, State
from appliance.plain import from_plain, to_plain
from appliance.policy.counters import Slot
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Banner, Deed, MailRelay, Parameters, Reaction
from appliance.show import ClassReport, InspectionReport, LimitsReport, ServicePolicyReport
from tests.appliances import EXAMPLE, MAPPED, NOW, PLAIN, REAL, SEED, TWO, TWO_COUNTS, block, configured, under

LOG = Reaction(Deed.LOG, log=True)


def inspection(report: ServicePolicyReport, policy: int = 0, place: int = 0) -> InspectionReport:
    found = report.policies[policy].classes[place].inspection
    assert found is not None
    return found


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
    assert policy.classes[1] == ClassReport("ironport_esa", exempts=True)
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


LIMITED = LimitedClass(
    "outside_policy", "outside", "submission", 50, 100, 5, 2, {State.ESTABLISHED: 7200, State.SYN: 20}, resets=True
)
USE = ClassUse(
    LIMITED,
    servers=(AddressUse(REAL, 9, 1), AddressUse(MAPPED, 3, 0)),
    clients=(AddressUse(IPv4Address("203.0.113.10"), 4, 1),),
    refused={Limit.MAX_CONNS: 7, Limit.CLIENT_MAX: 2, Limit.EMBRYONIC: 100, Limit.CLIENT_EMBRYONIC: 100},
)


def limits(use: ClassUse) -> LimitsReport:
    (submission,) = show.service_policy(TWO, replace(TWO_COUNTS, classes=(use,))).policies[1].classes
    assert submission.inspection is not None
    assert submission.limits is not None
    return submission.limits


def test_what_a_class_says_of_connections_stands_beside_its_inspection() -> None:
    found = limits(USE)
    assert found.limits == {
        "conn-max": 50,
        "embryonic-conn-max": 100,
        "per-client-max": 5,
        "per-client-embryonic-max": 2,
    }
    assert (found.embryonic, found.connections, found.drop) == (1, 12, 9)  # what is intercepted is not dropped
    assert (found.timeouts, found.resets) == ({"embryonic": 20, "idle": 7200}, True)
    assert [(str(each.address), each.embryonic, each.connections) for each in found.clients] == [("203.0.113.10", 1, 4)]


def test_what_is_not_set_is_not_said() -> None:
    plain = replace(LIMITED, max_embryonic=0, client_max=0, client_embryonic=0, lifetimes={}, resets=False)
    found = limits(replace(USE, limited=plain))
    assert (found.limits, found.timeouts) == ({"conn-max": 50}, {})


def test_a_class_that_only_limits_is_there_too() -> None:
    elsewhere = replace(LIMITED, policy="global_policy", interface=None, name="ironport_esa")
    snapshot = replace(TWO_COUNTS, classes=(replace(USE, limited=elsewhere),))
    classes = show.service_policy(TWO, snapshot).policies[0].classes
    assert [(each.name, each.exempts, each.limits is not None) for each in classes] == [
        ("inspection_default", False, False),
        ("ironport_esa", True, True),
    ]


def test_it_survives_json() -> None:
    report = show.service_policy(TWO, replace(TWO_COUNTS, classes=(USE,)))
    assert from_plain(ServicePolicyReport, to_plain(report)) == report


def test_nothing_configured_shows_nothing() -> None:
    assert show.service_policy(Config(), Snapshot(now=0)) == ServicePolicyReport(())
