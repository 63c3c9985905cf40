"""Our rules beside other people's: there in one go, gone without a trace, and one line for what the machine lacks."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.config.config import AccessGroup, Config, ServicePolicy
from appliance.kernel import netfilter
from appliance.kernel.errors import KernelError
from appliance.kernel.found import Found, NoTable
from appliance.lab.network import MAPPED_SERVER, SERVER
from appliance.nat.static import Static
from appliance.policy.acl import ANY, AccessList, Ace
from appliance.policy.maps import ClassMap, InspectEsmtp, MatchDefaultInspectionTraffic, PolicyClass, PolicyMap
from tests.ground import ROUTER, Ground, translating

pytestmark = pytest.mark.root

MAIL = replace(
    translating(ROUTER, Static("inside", "outside", MAPPED_SERVER, SERVER, 50, 100)),
    access_lists=(AccessList("OUTSIDE", (Ace(True, "tcp", ANY, None, ANY, None, 1),)),),
    access_groups=(AccessGroup("OUTSIDE", "outside"),),
    class_maps=(ClassMap("inspection_default", MatchDefaultInspectionTraffic()),),
    policy_maps=(PolicyMap("global_policy", (PolicyClass("inspection_default", InspectEsmtp()),)),),
    service_policies=(ServicePolicy("global_policy"),),
)
#: What a container engine keeps, and a comment made to look like a jump of ours.
NEIGHBOURS = """\
*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-USER -m comment --comment "not ours -j FIXUP_FORWARD" -j RETURN
COMMIT
"""


def saved(host: Ground) -> list[str]:
    """All rules of both families, without the comments that tell the time."""
    text = host.run("firewall", "iptables-save") + host.run("firewall", "ip6tables-save")
    return [line for line in text.splitlines() if not line.startswith("#")]


def apply(host: Ground, record: Path, config: Config = MAIL) -> None:
    with host.within("firewall"):
        netfilter.apply(config, Found(record), generation=1, workers=2, queue_base=40)


def remove(host: Ground, record: Path) -> None:
    with host.within("firewall"):
        netfilter.remove(Found(record))


@pytest.mark.parametrize("neighbours", ["", NEIGHBOURS], ids=["alone", "beside others"])
def test_removal_leaves_nothing_behind(bare: Ground, tmp_path: Path, neighbours: str) -> None:
    bare.run("firewall", "iptables-restore", "--noflush", text=neighbours)
    before = saved(bare)
    apply(bare, tmp_path / "found.json")
    during = saved(bare)
    assert any("NFQUEUE --queue-num 41" in line for line in during)
    assert [line for line in before if line not in during] == []
    remove(bare, tmp_path / "found.json")
    assert saved(bare) == before
    assert not (tmp_path / "found.json").exists()


def test_our_door_stands_first_and_others_keep_their_order(bare: Ground, tmp_path: Path) -> None:
    bare.run("firewall", "iptables-restore", "--noflush", text=NEIGHBOURS)
    apply(bare, tmp_path / "found.json")
    forward = [
        line for line in bare.run("firewall", "iptables-save", "-t", "filter").splitlines() if "-A FORWARD" in line
    ]
    assert forward[0] == "-A FORWARD -j FIXUP_FORWARD"
    assert forward[1:] == [line for line in NEIGHBOURS.splitlines() if "-A FORWARD" in line]


def test_applying_twice_is_applying_once(bare: Ground, tmp_path: Path) -> None:
    """Also after kill -9, when the rules of the killed run are still there."""
    apply(bare, tmp_path / "found.json")
    once = saved(bare)
    apply(bare, tmp_path / "found.json")
    assert saved(bare) == once
    remove(bare, tmp_path / "found.json")
    assert saved(bare) == []


def test_a_new_configuration_takes_the_old_ones_place(bare: Ground, tmp_path: Path) -> None:
    apply(bare, tmp_path / "found.json")
    apply(bare, tmp_path / "found.json", replace(MAIL, access_groups=(), access_lists=()))
    assert not any("FIXUP_IN_outside0" in line for line in saved(bare))
    remove(bare, tmp_path / "found.json")
    assert saved(bare) == []


def test_a_table_in_which_others_settled_meanwhile_stays(bare: Ground, tmp_path: Path) -> None:
    apply(bare, tmp_path / "found.json")
    bare.run("firewall", "iptables", "-t", "mangle", "-A", "OUTPUT", "-j", "ACCEPT")
    remove(bare, tmp_path / "found.json")
    assert [line for line in saved(bare) if line.startswith(("*", "-A"))] == ["*mangle", "-A OUTPUT -j ACCEPT"]


def test_removal_twice_or_of_nothing_is_no_error(bare: Ground, tmp_path: Path) -> None:
    remove(bare, tmp_path / "found.json")
    apply(bare, tmp_path / "found.json")
    remove(bare, tmp_path / "found.json")
    remove(bare, tmp_path / "found.json")
    assert saved(bare) == []


def test_the_record_names_only_tables_that_were_not_there(bare: Ground, tmp_path: Path) -> None:
    bare.run("firewall", "iptables-restore", "--noflush", text=NEIGHBOURS)
    apply(bare, tmp_path / "found.json")
    with bare.within("firewall"):
        noted = Found(tmp_path / "found.json").changes
    assert set(noted) == {NoTable("ip", "mangle"), NoTable("ip", "raw"), NoTable("ip6", "filter")}


def test_forwarded_ipv6_is_dropped(bare: Ground, tmp_path: Path) -> None:
    apply(bare, tmp_path / "found.json")
    assert "-A FIXUP_BETWEEN -j DROP" in bare.run("firewall", "ip6tables-save")


def refusal(host: Ground, record: Path, environment: str) -> str:
    """What a run says where the programs are those of the directory `environment`."""

    def run() -> str:
        netfilter.PROGRAMS_PATH = environment
        with pytest.raises(KernelError) as refused:
            netfilter.apply(MAIL, Found(record), generation=1, workers=1, queue_base=0)
        return str(refused.value)

    told = host.beside("firewall", run).result()
    assert isinstance(told, str)
    assert "\n" not in told
    return told


def programs(directory: Path, stderr: str) -> str:
    """iptables programs that refuse with `stderr`, as they do on a machine that lacks something."""
    for name in ("iptables-save", "iptables-restore", "ip6tables-save", "ip6tables-restore"):
        (directory / name).write_text(f"#!/bin/sh\ncat >/dev/null\ncat >&2 <<'END'\n{stderr}\nEND\nexit 4\n")
        (directory / name).chmod(0o755)
    return str(directory)


@pytest.mark.parametrize(
    ("stderr", "remedy"),
    [
        (
            "Warning: Extension NFQUEUE revision 0 not supported, missing kernel module?\n"
            "iptables-restore v1.8.9 (nf_tables): \n"
            "line 40: RULE_APPEND failed (No such file or directory): rule in chain X",
            "modprobe xt_NFQUEUE",
        ),
        (
            "Warning: Extension SYNPROXY revision 0 not supported, missing kernel module?\n"
            "iptables-restore v1.8.9 (nf_tables): \n"
            "line 77: RULE_APPEND failed (No such file or directory): rule in chain FIXUP_PROXY",
            "modprobe ipt_SYNPROXY, or 0 in its place",
        ),
        (
            "iptables-restore v1.8.9 (nf_tables): Could not fetch rule set generation id: "
            "Permission denied (you must be root)",
            "run it with sudo",
        ),
        (
            "iptables-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Invalid argument",
            "nf_tables",
        ),
        ("iptables-restore v1.8.9 (nf_tables): host/network `x' not found", "refused the rules: host/network `x'"),
        ("", "refused the rules: it gave no reason"),
    ],
)
def test_what_is_missing_is_one_line(bare: Ground, tmp_path: Path, stderr: str, remedy: str) -> None:
    assert remedy in refusal(bare, tmp_path / "found.json", programs(tmp_path, stderr))


def test_without_iptables_the_package_is_named(bare: Ground, tmp_path: Path) -> None:
    assert "apt install iptables" in refusal(bare, tmp_path / "found.json", str(tmp_path))


def test_without_root_nothing_changes(bare: Ground, tmp_path: Path) -> None:
    def unprivileged() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(KernelError) as refused:
            netfilter.apply(MAIL, Found(Path("/nonexistent/found.json")), generation=1, workers=1, queue_base=0)
        return str(refused.value)

    assert "sudo" in bare.beside("firewall", unprivileged).result()
    assert saved(bare) == []
