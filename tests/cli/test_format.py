"""Reports as text, to the octet: the golden files hold what asa.md §3 shows of real devices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance import show
from appliance.cli import format
from appliance.config.config import Config
from appliance.config.translations import translations
from appliance.datapath.snapshot import HostUse, LogUse, Machine, QueueUse, Snapshot, StaticUse
from appliance.flow import Side
from appliance.nat.connection import Connection, State
from appliance.policy.maps import Banner, Deed, MailRelay, Parameters, Reaction
from tests.appliances import ETH0, HARDWARE, NOW, PLAIN, SECOND, SEED, TWO_COUNTS, connection, under

GOLDEN = Path(__file__).parents[1] / "golden" / "show"


def golden(name: str) -> str:
    return (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def printed(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_service_policy_inspect_esmtp_is_the_seeds_listing() -> None:
    report = show.service_policy(PLAIN, SEED)
    assert printed(format.service_policy_esmtp(report)) == golden("service-policy-inspect-esmtp")


def test_service_policy() -> None:
    assert printed(format.service_policy(show.service_policy(PLAIN, SEED))) == golden("service-policy")


def test_an_interface_policy_follows_the_global_one_and_an_exempt_class_says_so() -> None:
    log = Reaction(Deed.LOG, log=True)
    parameters = Parameters(Banner.OFF, allow_tls=True, mail_relay=MailRelay("a.example", log), special_character=log)
    report = show.service_policy(under(parameters), TWO_COUNTS)
    assert printed(format.service_policy_esmtp(report)) == golden("service-policy-two")


def limited(**more: object) -> show.ServicePolicyReport:
    client = show.ClientReport(IPv4Address("203.0.113.10"), 1, 4)
    limits = show.LimitsReport(
        {"conn-max": 50, "embryonic-conn-max": 100}, 0, 12, 0, {"idle": 3600}, resets=False, clients=(client,)
    )
    report = show.service_policy(PLAIN, SEED)
    (policy,) = report.policies
    classes = (*policy.classes, show.ClassReport("CONNS", limits=replace(limits, **more)))
    return replace(report, policies=(replace(policy, classes=classes),))


def test_what_classes_say_of_connections() -> None:
    assert printed(format.service_policy_connections(limited())) == golden("service-policy-set-connection")
    details = printed(format.service_policy_connections(limited(), detailed=True))
    assert details == golden("service-policy-set-connection-details")
    assert "    Class-map: CONNS\n      Set connection policy: conn-max 50 " in printed(
        format.service_policy(limited())
    )
    assert "CONNS" not in printed(format.service_policy_esmtp(limited()))
    only = printed(format.service_policy_connections(limited(limits={}, resets=True)))
    assert "Set connection policy" not in only
    assert "        idle 1:00:00 reset \n" in only


BOTH = frozenset(Side)
CLIENT = frozenset({Side.CLIENT})


def listing(*entries: Connection) -> list[show.ConnectionsReport]:
    """A listing in parts: the numbers, then one connection a part."""
    found = [each for _, each in show.Reporter(PLAIN).wanted(entries, show.Wanted(), NOW)]
    parts = [(), *((each,) for each in found)]
    return [show.ConnectionsReport(len(found), 60, part) for part in parts]


def test_connections_through_their_life() -> None:
    life = (
        connection(State.SYN, 40000),
        connection(State.SYN_ACK, 40001),
        connection(State.ESTABLISHED, 40002),
        connection(State.ESTABLISHED, 40003, octets=39, sent=frozenset({Side.SERVER})),
        connection(State.ESTABLISHED, 40004, octets=1774, sent=BOTH),
        connection(State.HALF_CLOSED, 40005, octets=1774, sent=BOTH, fin=CLIENT),
        connection(State.CLOSING, 40006, octets=1774, sent=BOTH, fin=BOTH),
        connection(State.DEAD, 40007),
    )
    assert printed(format.conn(listing(*life))) == golden("conn")


def test_connections_in_detail() -> None:
    entries = (
        connection(State.ESTABLISHED, idle=0, octets=1774, sent=BOTH),
        connection(State.SYN, client="203.0.113.11", uptime=1, idle=1),
    )
    assert printed(format.conn_detail(listing(*entries))) == golden("conn-detail")
    assert printed(format.conn_long(listing(*entries))) == golden("conn-long")


def test_every_flag_is_in_the_legend() -> None:
    legend = printed(format.conn_detail(listing()))
    for state in (State.SYN, State.SYN_ACK, State.CLOSING):
        for inbound in (True, False):
            entry = replace(connection(state, sent=BOTH, fin=BOTH, inspected=True), acknowledged=BOTH)
            for letter in show.flags(entry, inbound):
                assert f" {letter} - " in legend


def test_the_count_of_connections() -> None:
    assert printed(format.conn_count(show.ConnectionsReport(101, 5589, ()))) == golden("conn-count")


HOSTS = replace(
    SEED, hosts={"inside": (1, 1)}, statics=(StaticUse(PLAIN.statics[0], 12, 0), StaticUse(PLAIN.statics[1], 0, 0))
)


def behind() -> list[show.Behind]:
    entry = connection(State.ESTABLISHED, 40213, octets=1774, sent=BOTH)
    report = show.local_hosts(PLAIN, HOSTS)
    server, client = PLAIN.statics[0].real, IPv4Address("203.0.113.10")
    translations = (
        show.TranslationReport("inside", server, "outside", PLAIN.statics[0].mapped, "s", 97, 0),
        show.TranslationReport(
            "outside", client, "inside", IPv4Address("192.0.2.1"), "ri", 3, 30, show.PortsReport("tcp", 40213, 1025)
        ),
    )
    connections = [show.Reporter(PLAIN).report(entry, NOW)]
    return list(show.behind(report, connections, translations, show.HostsWanted()))


def test_local_hosts() -> None:
    assert printed(format.local_host(behind())) == golden("local-host")
    assert printed(format.local_host_brief(behind())) == golden("local-host-brief")
    detailed = printed(format.local_host_detail(behind()))
    assert "    TCP outside:203.0.113.10/40213 inside:192.0.2.25/25,\n        flags UIOB, idle 3s, " in detailed


def test_translations() -> None:
    last_uses = {each.name: NOW - 97 * SECOND for each in PLAIN.statics}
    used = replace(SEED, last_uses=last_uses, translations=5, most_translations=7)
    statics = show.translations(PLAIN, used, show.TranslationsWanted())
    given = replace(connection(State.ESTABLISHED), beyond=(IPv4Address("192.0.2.1"), 1025))
    others = [
        show.TranslationsReport(5, 7, (each,))
        for each in show.Chosen(PLAIN).wanted([given, given], show.TranslationsWanted(), NOW)
    ]
    assert printed(format.xlate([statics, *others])) == golden("xlate")
    assert printed(format.xlate_count(statics)) == "5 in use, 7 most used\n"


def test_a_translation_of_one_port() -> None:
    ends = IPv4Address("192.0.2.25"), "outside", IPv4Address("203.0.113.125")
    entry = show.TranslationReport("inside", *ends, "sr", 97, 0, show.PortsReport("tcp", 25, 2525))
    assert printed(format.xlate([show.TranslationsReport(1, 1, (entry,))])).splitlines()[3:] == [
        "TCP PAT from inside:192.0.2.25 25-25 to outside:203.0.113.125 2525-2525",
        "    flags sr idle 0:01:37 timeout 0:00:00",
    ]


def test_nat() -> None:
    one, two, three = translations(PLAIN)
    report = show.nat(PLAIN, [(one, 694, 246), (two, 0, 0), (three, 680, 7)])
    assert printed(format.nat(report)) == golden("nat")
    detail = "    Source - Origin: 192.0.2.25/32, Translated: 203.0.113.125/32"
    assert printed(format.nat(report, detailed=True)).splitlines()[3] == detail


def test_nat_by_sections() -> None:
    words = "any", "outside", "static a b", "destination static c d"
    rule = show.NatRuleReport(1, 1, *words, ("A",), ("B",), ("C", "E"), ("D",), 373, 811)
    after = replace(rule, section=3, source="dynamic a interface", more="")
    assert printed(format.nat(show.NatReport((rule, after)))) == golden("nat-sections")
    assert printed(format.nat(show.NatReport((rule,)), detailed=True)).splitlines()[3:] == [
        "    Source - Origin: A, Translated: B",
        "    Destination - Origin: C, E, Translated: D",
    ]


def test_access_lists() -> None:
    first = (
        show.EntryReport(1, "remark mail from the world", None, ""),
        show.EntryReport(2, "extended permit tcp any host 203.0.113.125 eq smtp", 41, "0x98b8f664"),
        show.EntryReport(
            3,
            "extended permit object-group mail any host 203.0.113.126",
            0,
            "0xffc8818e",
            elements=(
                show.ElementReport("extended permit tcp any host 203.0.113.126 eq smtp", 0, "0xc366785c"),
                show.ElementReport("extended permit tcp any host 203.0.113.126 eq 587", 0, "0x99b12d03"),
            ),
        ),
        show.EntryReport(4, "extended deny ip any any inactive", 0, "0x20db5032", inactive=True),
    )
    report = show.AccessListsReport((show.AccessListReport("outside_in", 4, "0xcb4257a3", first),), 7, 3, 4096, 300)
    assert printed(format.access_lists(report)) == golden("access-list")
    assert printed(format.access_list(report)).splitlines() == golden("access-list").splitlines()[2:]


def test_attacks() -> None:
    address, other = IPv4Address("192.0.2.25"), IPv4Address("203.0.113.10")
    samples = (9500, *range(1, 30))
    servers = (
        show.AttackReport(1, address, 25, "inside", 1249, 9503, 2249245, other, True, 0, samples),
        show.AttackReport(2, address, 587, "inside", 10, 10, 6080, other, False, 200, samples),
    )
    report = show.AttacksReport(30, 60, False, servers)
    assert printed(format.attacks(report)) == golden("tcp-intercept")
    detailed = printed(format.attacks(replace(report, everything=True, servers=servers[:1]), detailed=True))
    assert detailed == golden("tcp-intercept-all-detail")


def test_what_was_cleared() -> None:
    assert printed(format.cleared(show.ClearedReport(3))) == "3 connection(s) deleted.\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (59, "59s"),
        (60, "1m0s"),
        (120, "2m0s"),
        (3599, "59m59s"),
        (3600, "1h0m"),
        (9540, "2h39m"),
        (86399, "23h59m"),
        (86400, "1D0h"),
        (390 * 86400, "1Y25D"),
    ],
)
def test_spans_of_time(seconds: int, text: str) -> None:
    assert format.span(seconds) == text


LINE = (
    "Nov 21 2026 03:04:28: %ASA-3-201011: Connection limit exceeded 50/50 for input packet from "
    "203.0.113.10/40000 to 192.0.2.25/25 on interface outside"
)


def test_logging() -> None:
    host = HostUse("inside", IPv4Address("192.0.2.88"), 323, 0, 1)
    logs = (LogUse("buffered", 4, 10003), LogUse("trap", 6, 454554, (host,)))
    config = replace(PLAIN, logging=replace(PLAIN.logging, device_id="hostname"))
    report = show.logging(config, replace(SEED, logs=logs, log_lines=(LINE,)))
    assert printed(format.logging(report)) == golden("logging")


def test_logging_that_is_off() -> None:
    assert printed(format.logging(show.logging(Config(), Snapshot(now=0)))) == golden("logging-off")


@pytest.mark.parametrize(
    ("device", "text"), [(None, "disabled"), ("hostname", 'hostname "fixup"'), ("border", 'string "border"')]
)
def test_device_id(device: str | None, text: str) -> None:
    config = replace(PLAIN, logging=replace(PLAIN.logging, device_id=device))
    assert f"    Device ID: {text}\n" in printed(format.logging(show.logging(config, SEED)))


def test_running_config() -> None:
    assert printed(format.running_config(show.RunningConfigReport(("!", "hostname fw")))) == "!\nhostname fw\n"


def asp() -> show.AspReport:
    engine = {"no_room": 12, "unknown_flows": 2077, "killed": 67870, "early": 9, "undecided": 4, "waited": 10}
    engine |= {"verdicts_16us": 1200, "verdicts_1ms": 3, "verdicts_slower": 1, "queue_overflows": 2}
    engine |= {"given_up": 6, "unsent": 7}
    queues = (QueueUse(2500, 4711, 3, 5, 0), QueueUse(2501, 1234567, 8192, 1, 7))
    return show.asp(replace(SEED, engine=engine, queues=queues))


def test_asp_drop() -> None:
    assert printed(format.asp_drop(asp())) == golden("asp-drop")


def test_asp_queue() -> None:
    assert printed(format.asp_queue(asp())) == golden("asp-queue")


INTERFACES = show.interfaces(HARDWARE, {"eth0": ETH0})


def test_interfaces() -> None:
    assert printed(format.interface(INTERFACES)) == golden("interface")
    assert printed(format.interface_brief(INTERFACES)) == golden("interface-ip-brief")


def test_a_device_that_tells_no_speed_has_none() -> None:
    quiet = replace(ETH0, speed=None, duplex=None, address="")
    lines = list(format.interface(show.interfaces(HARDWARE, {"eth0": quiet}, "outside")))
    assert lines[1:3] == ["  Hardware is virtio_net, device eth0", "\tDescription: to the world"]
    assert "\tMAC address none, MTU 1500" in lines


VERSION = show.VersionReport(
    "0.1.0",
    "ASA Version 8.2(5)",
    "/etc/fixup/fixup.cfg",
    "edge",
    (41 * 24 + 19) * 3600,
    Machine("x86_64", "6.1.0-18-amd64", "Pentium II 1800 MHz", 2, 2048),
    1,
    INTERFACES.interfaces,
    show.ClockReport("2017-04-05T18:56:48.410+00:00", "UTC"),
)


def test_the_version() -> None:
    assert printed(format.version(VERSION)) == golden("version")
    lines = list(format.version(replace(VERSION, goes_by="", modified=None)))
    assert lines[:2] == ["Fixup Version 0.1.0", ""]
    assert lines[-1] == "Configuration has not been modified since last system restart."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 secs"),
        (1, "1 sec"),
        (61, "1 min 1 sec"),
        (7200, "2 hours 0 mins"),
        (90_000, "1 day 1 hour"),
        (400 * 86_400, "1 year 35 days"),
    ],
)
def test_how_long_it_is_up(seconds: int, text: str) -> None:
    assert f"edge up {text}" in list(format.version(replace(VERSION, uptime=seconds)))


def test_the_clock() -> None:
    report = show.ClockReport("2026-11-02T03:04:05.006-05:00", "EST")
    assert list(format.clock(report)) == ["03:04:05.006 EST Mon Nov 2 2026"]
