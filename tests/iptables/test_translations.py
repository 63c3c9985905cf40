"""What each form of translation does to a connection: asked in network namespaces, by who is seen to have connected."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from appliance.config.load import load
from appliance.iptables import rules
from tests.iptables.test_rules import Run, answers, listening, three_namespaces

INTERFACES = """interface E0
 hardware outside0
 nameif outside
 security-level 0
 ip address 203.0.113.1 255.255.255.0
interface E1
 hardware inside0
 nameif inside
 security-level 100
 ip address 192.0.2.1 255.255.255.0
"""
HOST = "static (inside,outside) 203.0.113.125 192.0.2.25\n"
OPEN = "access-list in extended permit ip any any\naccess-group in in interface outside\n"
SERVERS = ("192.0.2.25:25", "192.0.2.26:25", "192.0.2.26:80")
PREFIX = f"xl{os.getpid() % 10000}"


@pytest.fixture(scope="module")
def firewall() -> Iterator[Run]:
    with (
        three_namespaces(PREFIX) as run,
        listening(f"{PREFIX}-i", *SERVERS),
        listening(f"{PREFIX}-o", "203.0.113.10:80", "203.0.113.10:81"),
    ):
        ip("-n", f"{PREFIX}-o", "route", "add", "203.0.113.77/32", "via", "203.0.113.1")
        yield run


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True, timeout=20).stdout


def ruled(firewall: Run, text: str) -> None:
    """Put the rules of a rule file into the firewall; it answers for no mapped address, those are routed to it."""
    config = load(INTERFACES + text).config
    assert config is not None, load(INTERFACES + text).diagnostics
    saved = ip("netns", "exec", f"{PREFIX}-f", "iptables-save", "--counters")
    firewall(
        "iptables-restore",
        "--noflush",
        "--counters",
        text=rules(config, generation=1, workers=1, queue_base=0, saved=saved),
    )


def inward(*targets: str) -> list[str]:
    return answers(f"{PREFIX}-o", *targets)


def outward(*targets: str) -> list[str]:
    return answers(f"{PREFIX}-i", *targets)


@pytest.mark.root
@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("", "192.0.2.25"),
        ("nat (inside) 1 0 0\nglobal (outside) 1 interface\n", "203.0.113.1"),
        ("nat (inside) 1 192.0.2.0 255.255.255.0\nglobal (outside) 1 203.0.113.77\n", "203.0.113.77"),
        ("nat (inside) 1 198.51.100.0 255.255.255.0\nglobal (outside) 1 interface\n", "192.0.2.25"),
        (
            "access-list none permit ip host 192.0.2.25 host 203.0.113.10\nnat (inside) 0 access-list none\n"
            "nat (inside) 1 0 0\nglobal (outside) 1 interface\n",
            "192.0.2.25",
        ),
        ("nat (inside) 0 192.0.2.0 255.255.255.0\nnat (inside) 1 0 0\nglobal (outside) 1 interface\n", "192.0.2.25"),
        (
            "static (inside,outside) 203.0.113.125 192.0.2.25\nnat (inside) 1 0 0\nglobal (outside) 1 interface\n",
            "203.0.113.125",
        ),
        ("object network n\n subnet 192.0.2.0 255.255.255.0\n nat (inside,outside) dynamic interface\n", "203.0.113.1"),
        ("object network n\n host 192.0.2.25\n nat (any,outside) static 203.0.113.125\n", "203.0.113.125"),
        (
            "object network p\n host 203.0.113.77\nobject network n\n subnet 192.0.2.0 255.255.255.0\n"
            " nat (inside,outside) dynamic pat-pool p round-robin\n",
            "203.0.113.77",
        ),
        (
            "object network n\n host 192.0.2.25\nobject network m\n host 203.0.113.77\nobject network far\n"
            " host 203.0.113.10\nobject network e\n subnet 192.0.2.0 255.255.255.0\n"
            " nat (inside,outside) dynamic interface\n"
            "nat (inside,outside) source static n m destination static far far\n",
            "203.0.113.77",
        ),
    ],
)
def test_how_a_host_appears_outside(firewall: Run, text: str, seen: str) -> None:
    ruled(firewall, text)
    assert outward("203.0.113.10:80") == [seen]


@pytest.mark.root
@pytest.mark.parametrize(
    ("text", "asked", "answered"),
    [
        (
            "static (inside,outside) 203.0.113.125 192.0.2.25\n",
            ["203.0.113.125:25", "192.0.2.25:25"],
            ["203.0.113.10", "-"],
        ),
        (
            "static (inside,outside) tcp 203.0.113.125 2525 192.0.2.25 25\n",
            ["203.0.113.125:2525", "203.0.113.125:25", "192.0.2.25:25", "192.0.2.26:80"],
            ["203.0.113.10", "-", "-", "203.0.113.10"],
        ),
        (
            "static (inside,outside) tcp interface 8025 192.0.2.25 smtp\n"
            "static (inside,outside) tcp interface www 192.0.2.26 www\n",
            ["203.0.113.1:8025", "203.0.113.1:80", "203.0.113.1:81"],
            ["203.0.113.10", "203.0.113.10", "-"],
        ),
        (
            "object network n\n host 192.0.2.26\n nat (inside,outside) static 203.0.113.126 service tcp www 8080\n",
            ["203.0.113.126:8080", "203.0.113.126:80"],
            ["203.0.113.10", "-"],
        ),
        (
            "static (inside,outside) tcp 203.0.113.126 2525 192.0.2.25 25\n" + HOST,
            ["203.0.113.126:2525", "203.0.113.125:25", "192.0.2.25:25"],
            ["203.0.113.10", "203.0.113.10", "-"],
        ),
        (
            "access-list peers permit ip host 192.0.2.25 host 203.0.113.10\n"
            "static (inside,outside) 203.0.113.126 access-list peers\n" + HOST,
            ["203.0.113.126:25", "203.0.113.125:25", "192.0.2.25:25"],
            ["203.0.113.10", "203.0.113.10", "-"],
        ),
        (
            "static (inside,outside) 203.0.113.124 192.0.2.24 netmask 255.255.255.252\n",
            ["203.0.113.125:25", "203.0.113.126:80"],
            ["203.0.113.10", "203.0.113.10"],
        ),
    ],
)
def test_where_a_mapped_address_leads(firewall: Run, text: str, asked: list[str], answered: list[str]) -> None:
    ruled(firewall, OPEN + text)
    assert inward(*asked) == answered


PAT = "nat (inside) 1 192.0.2.0 255.255.255.0\nglobal (outside) 1 interface\n"
LAN = "object network lan\n subnet 192.0.2.0 255.255.255.0\n nat (inside,outside) dynamic interface\n"
NOT_FOR = "access-list none permit ip host 192.0.2.26 host 203.0.113.10\nnat (inside) 0 access-list none\n"


@pytest.mark.root
@pytest.mark.parametrize(
    ("text", "asked", "answered"),
    [
        (PAT, ["192.0.2.25:25", "192.0.2.26:80"], ["-", "-"]),
        (LAN, ["192.0.2.25:25", "192.0.2.26:80"], ["-", "-"]),
        (f"{NOT_FOR}{PAT}", ["192.0.2.25:25", "192.0.2.26:80"], ["-", "203.0.113.10"]),
        (f"{HOST}{PAT}", ["192.0.2.25:25", "203.0.113.125:25"], ["-", "203.0.113.10"]),
        (
            "nat (inside) 1 198.51.100.0 255.255.255.0\nglobal (outside) 1 interface\n",
            ["192.0.2.25:25"],
            ["203.0.113.10"],
        ),
    ],
)
def test_who_is_hidden_by_dynamic_translation_is_not_reached_by_his_real_address(
    firewall: Run, text: str, asked: list[str], answered: list[str]
) -> None:
    ruled(firewall, OPEN + text)
    assert inward(*asked) == answered
    assert outward("203.0.113.10:80") != ["-"]


TO_WEB = "access-list web permit tcp host 192.0.2.25 host 203.0.113.10 eq www\n"
SERVICES = (
    "object service mail\n service tcp source eq smtp\nobject service other\n service tcp source eq 2525\n"
    "object service web\n service tcp destination eq www\n"
    "object network server\n host 192.0.2.25\nobject network known\n host 203.0.113.77\n"
)


@pytest.mark.root
@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (f"{TO_WEB}nat (inside) 1 access-list web\nglobal (outside) 1 203.0.113.77\n", ["203.0.113.77", "192.0.2.25"]),
        (
            f"{TO_WEB}nat (inside) 2 0 0\nglobal (outside) 2 interface\n"
            "nat (inside) 1 access-list web\nglobal (outside) 1 203.0.113.77\n",
            ["203.0.113.77", "203.0.113.1"],
        ),
        (f"{TO_WEB}static (inside,outside) 203.0.113.77 access-list web\n", ["203.0.113.77", "192.0.2.25"]),
        (
            f"{SERVICES}nat (inside,outside) source dynamic server known service web web\n",
            ["203.0.113.77", "192.0.2.25"],
        ),
        (
            f"{SERVICES}nat (inside,outside) source static server known service web web\n",
            ["203.0.113.77", "192.0.2.25"],
        ),
        ("static (inside,outside) 198.18.2.0 192.0.2.0 netmask 255.255.254.0\n", ["198.18.2.25"] * 2),
    ],
)
def test_a_policy_translates_for_some_alone(firewall: Run, text: str, seen: list[str]) -> None:
    ip("-n", f"{PREFIX}-o", "route", "replace", "198.18.2.0/23", "via", "203.0.113.1")
    ruled(firewall, text)
    assert outward("203.0.113.10:80", "203.0.113.10:81") == seen


@pytest.mark.root
@pytest.mark.parametrize(
    ("text", "asked", "answered"),
    [
        (
            "access-list peers permit ip host 192.0.2.25 host 203.0.113.10\n"
            "static (inside,outside) 203.0.113.125 access-list peers\n",
            ["203.0.113.125:25"],
            ["203.0.113.10"],
        ),
        (
            "access-list peers permit ip host 192.0.2.25 host 203.0.113.11\n"
            "static (inside,outside) 203.0.113.125 access-list peers\n",
            ["203.0.113.125:25"],
            ["-"],
        ),
        (
            "access-list peers permit tcp host 192.0.2.26 eq 80 host 203.0.113.10\n"
            "access-list peers permit tcp host 192.0.2.26 eq 25 any\n"
            "static (inside,outside) tcp 203.0.113.125 2525 access-list peers\n",
            ["203.0.113.125:2525", "203.0.113.125:25"],
            ["203.0.113.10", "-"],
        ),
        (
            "access-list peers permit tcp host 192.0.2.26 eq 80 host 203.0.113.11\n"
            "static (inside,outside) tcp 203.0.113.125 2525 access-list peers\n",
            ["203.0.113.125:2525"],
            ["-"],
        ),
        (
            "access-list peers permit tcp host 192.0.2.26 eq 80 203.0.113.0 255.255.255.0\n"
            "static (inside,outside) tcp interface 2525 access-list peers\n",
            ["203.0.113.1:2525"],
            ["203.0.113.10"],
        ),
        (
            f"{SERVICES}nat (inside,outside) source static server known service mail other\n",
            ["203.0.113.77:2525", "203.0.113.77:25"],
            ["203.0.113.10", "-"],
        ),
        (
            "static (inside,outside) 198.18.2.0 192.0.2.0 netmask 255.255.254.0\n",
            ["198.18.2.25:25", "198.18.2.26:80"],
            ["203.0.113.10"] * 2,
        ),
    ],
)
def test_where_a_policy_leads(firewall: Run, text: str, asked: list[str], answered: list[str]) -> None:
    ip("-n", f"{PREFIX}-o", "route", "replace", "198.18.2.0/23", "via", "203.0.113.1")
    ruled(firewall, OPEN + text)
    assert inward(*asked) == answered


@pytest.mark.root
def test_nat_control_lets_out_only_what_is_translated(firewall: Run) -> None:
    ruled(firewall, "nat-control\n")
    assert outward("203.0.113.10:80") == ["-"]
    ruled(firewall, "nat-control\nnat (inside) 1 0 0\nglobal (outside) 1 interface\n")
    assert outward("203.0.113.10:80") == ["203.0.113.1"]


@pytest.mark.root
def test_lists_know_mapped_addresses_up_to_82_and_real_ones_from_83(firewall: Run) -> None:
    static = "static (inside,outside) 203.0.113.125 192.0.2.25\naccess-group in in interface outside\n"
    known = {"203.0.113.125": ["asa-8.2", ""], "192.0.2.25": ["asa-8.4", ""]}
    for version in ("", "asa-8.2", "asa-8.4"):
        head = f"compatibility {version}\n" if version else ""
        for address, versions in known.items():
            ruled(firewall, f"{head}{static}access-list in permit tcp any host {address} eq smtp\n")
            assert inward("203.0.113.125:25") == (["203.0.113.10"] if version in versions else ["-"]), (
                version,
                address,
            )


@pytest.mark.root
@pytest.mark.parametrize("head", ["", "compatibility asa-8.2\n"])
@pytest.mark.parametrize(("named", "let_in"), [("203.0.113.125 eq 2525", True), ("203.0.113.125 eq 25", False)])
def test_up_to_82_a_list_may_name_what_a_port_is_called_outside(
    firewall: Run, head: str, named: str, let_in: bool
) -> None:
    static = (
        f"{head}static (inside,outside) tcp 203.0.113.125 2525 192.0.2.25 25\naccess-group in in interface outside\n"
    )
    ruled(firewall, f"{static}access-list in permit tcp any host {named}\n")
    assert inward("203.0.113.125:2525") == (["203.0.113.10"] if let_in else ["-"])
    ruled(firewall, f"{static}access-list in deny tcp any host {named}\naccess-list in permit ip any any\n")
    assert inward("203.0.113.125:2525") == (["-"] if let_in else ["203.0.113.10"])


@pytest.mark.root
def test_lists_going_out_and_global_ones(firewall: Run) -> None:
    ruled(
        firewall,
        "access-list out permit tcp any any eq 80\naccess-group out out interface outside\n",
    )
    assert outward("203.0.113.10:80", "203.0.113.10:81") == ["192.0.2.25", "-"]
    ruled(firewall, "access-list every permit tcp any host 192.0.2.26 eq www\naccess-group every global\n")
    assert inward("192.0.2.26:80", "192.0.2.25:25") == ["203.0.113.10", "-"]


@pytest.mark.root
def test_levels(firewall: Run) -> None:
    same = "interface E1\n security-level 0\n"
    ruled(firewall, same)
    assert outward("203.0.113.10:80") == ["-"]
    ruled(firewall, f"{same}same-security-traffic permit inter-interface\n")
    assert outward("203.0.113.10:80") == ["192.0.2.25"]
    assert inward("192.0.2.26:80") == ["203.0.113.10"]


@pytest.mark.root
def test_groups_and_objects_decide_as_what_they_hold(firewall: Run) -> None:
    groups = (
        "object network web\n host 192.0.2.26\nobject-group network servers\n network-object object web\n"
        " network-object host 192.0.2.25\nobject-group service mail tcp\n port-object eq smtp\n"
        "access-list in deny tcp any object web object-group mail\n"
        "access-list in permit tcp any object-group servers object-group mail\n"
        "access-list in permit tcp any object web eq www inactive\naccess-group in in interface outside\n"
    )
    ruled(firewall, groups)
    assert inward("192.0.2.25:25", "192.0.2.26:25", "192.0.2.26:80") == ["203.0.113.10", "-", "-"]


@pytest.mark.root
def test_hits_are_kept_where_the_entry_stays(firewall: Run) -> None:
    entry = "access-list in permit tcp any host 192.0.2.26 eq www\naccess-group in in interface outside\n"
    ruled(firewall, entry)
    assert inward("192.0.2.26:80") == ["203.0.113.10"]
    ruled(firewall, f"access-list in deny udp any any\n{entry}")
    saved = ip("netns", "exec", f"{PREFIX}-f", "iptables-save", "--counters")
    entries = re.findall(r"^\[(\d+):\d+\] -A FIXUP_IN_outside0", saved, re.MULTILINE)
    assert entries == ["0", "1", "0"]
