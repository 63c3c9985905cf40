"""Addresses, routes, proxy ARP and sysctls: there while we run, and as they were when we stop."""

import os
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

import pytest

from appliance.config.config import Interface, Route, Timeouts
from appliance.kernel import links
from appliance.kernel.errors import KernelError
from appliance.kernel.found import Found
from appliance.lab.network import INSIDE, MAPPED_SERVER, SERVER
from appliance.nat.static import Static
from tests.ground import ROUTER, Ground, translating

pytestmark = pytest.mark.root

MAIL = replace(
    translating(ROUTER, Static("inside", "outside", MAPPED_SERVER, SERVER, 50, 100)),
    routes=(Route("outside", IPv4Network("198.51.100.0/24"), IPv4Address("203.0.113.9")),),
)
SETTINGS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/outside0/forwarding",
    "net/ipv4/conf/inside0/forwarding",
    "net/ipv4/neigh/outside0/proxy_delay",
    "net/netfilter/nf_conntrack_tcp_loose",
    "net/netfilter/nf_conntrack_tcp_timeout_syn_sent",
    "net/netfilter/nf_conntrack_tcp_timeout_syn_recv",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "net/netfilter/nf_conntrack_tcp_timeout_fin_wait",
    "net/netfilter/nf_conntrack_tcp_timeout_close_wait",
    "net/netfilter/nf_conntrack_udp_timeout",
    "net/netfilter/nf_conntrack_udp_timeout_stream",
    "net/netfilter/nf_conntrack_icmp_timeout",
)
#: What the last three of them are unless `timeout` says otherwise.
BRIEF = ("120", "120", "2")


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that anyone may write to."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        yield Path(place)


def state(host: Ground) -> dict[str, str]:
    """All that `links` may touch."""
    with host.within("firewall"):
        told = {path: (Path("/proc/sys") / path).read_text().strip() for path in SETTINGS}
    links_listed = host.run("firewall", "ip", "-o", "link").splitlines()
    told["up"] = " ".join(
        line.split(": ")[1] for line in links_listed if "UP" in line.split("<")[1].split(">")[0].split(",")
    )
    for what in ("-o -4 addr show", "route show table all", "neigh show proxy"):
        told[what] = host.run("firewall", "ip", *what.split())
    return told


def apply(host: Ground, record: Path) -> None:
    with host.within("firewall"):
        links.apply(MAIL, Found(record))


def restore(host: Ground, record: Path) -> None:
    with host.within("firewall"):
        links.restore(Found(record))


def test_what_the_configuration_says_is_there(bare: Ground, tmp_path: Path) -> None:
    apply(bare, tmp_path / "found.json")
    told = state(bare)
    assert "outside0    inet 203.0.113.1/24 brd 203.0.113.255 scope global outside0" in told["-o -4 addr show"]
    assert "203.0.113.125 dev inside0" in told["route show table all"]
    assert "198.51.100.0/24 via 203.0.113.9 dev outside0" in told["route show table all"]
    assert told["neigh show proxy"].split() == ["203.0.113.125", "dev", "outside0", "proxy"]
    assert [told[path] for path in SETTINGS] == ["0", "1", "1", "0", "0", "24", "24", "3600", "600", "600", *BRIEF]


def test_a_stop_puts_back_exactly_what_was_found(bare: Ground, tmp_path: Path) -> None:
    before = state(bare)
    apply(bare, tmp_path / "found.json")
    assert state(bare) != before
    restore(bare, tmp_path / "found.json")
    assert state(bare) == before
    assert not (tmp_path / "found.json").exists()


def test_another_configuration_leaves_nothing_of_the_first(bare: Ground, tmp_path: Path) -> None:
    before = state(bare)
    outside, inside = ROUTER.interfaces
    moved = replace(outside, address=IPv4Interface("203.0.113.2/24"))
    other = replace(
        ROUTER,
        interfaces=(moved, replace(inside, shutdown=True)),
        routes=(Route("outside", IPv4Network("198.51.100.0/24"), IPv4Address("203.0.113.8")),),
        timeouts=Timeouts(conn=600),
    )
    record = tmp_path / "found.json"
    for config in (MAIL, other):
        with bare.within("firewall"):
            links.retire(config, Found(record))
            links.apply(config, Found(record))
    told = state(bare)
    assert "203.0.113.1/" not in told["-o -4 addr show"]
    assert "203.0.113.2/24" in told["-o -4 addr show"]
    assert "via 203.0.113.8" in told["route show table all"]
    assert "via 203.0.113.9" not in told["route show table all"]
    assert MAPPED_SERVER.compressed not in told["route show table all"] + told["neigh show proxy"]
    assert [told[path] for path in SETTINGS] == ["0", "1", "0", "0", "0", "24", "24", "600", "600", "600", *BRIEF]
    restore(bare, record)
    assert state(bare) == before


def test_what_was_there_already_stays(bare: Ground, tmp_path: Path) -> None:
    bare.run("firewall", "ip", "addr", "add", "203.0.113.1/24", "dev", "outside0")
    bare.run("firewall", "ip", "link", "set", "outside0", "up")
    bare.run("firewall", "ip", "addr", "add", "192.0.2.1/24", "dev", "inside0")
    bare.run("firewall", "ip", "link", "set", "inside0", "up")
    bare.run("firewall", "ip", "route", "add", "203.0.113.125/32", "dev", "inside0")
    bare.run("firewall", "ip", "neigh", "add", "proxy", "203.0.113.125", "dev", "outside0")
    bare.run("firewall", "sysctl", "-q", "net.ipv4.conf.outside0.forwarding=1")
    before = state(bare)
    apply(bare, tmp_path / "found.json")
    restore(bare, tmp_path / "found.json")
    assert state(bare) == before


def test_a_route_that_goes_elsewhere_is_named(bare: Ground, tmp_path: Path) -> None:
    bare.run("firewall", "ip", "link", "set", "outside0", "up")
    bare.run("firewall", "ip", "addr", "add", "198.51.100.1/32", "dev", "outside0")
    bare.run("firewall", "ip", "route", "add", "203.0.113.125/32", "dev", "outside0")
    before = state(bare)
    with pytest.raises(KernelError, match=r"ip route del 203\.0\.113\.125/32"):
        apply(bare, tmp_path / "found.json")
    restore(bare, tmp_path / "found.json")
    assert state(bare) == before


def test_a_gateway_out_of_reach_is_named(bare: Ground, tmp_path: Path) -> None:
    astray = replace(MAIL, routes=(Route("outside", IPv4Network("0.0.0.0/0"), IPv4Address("198.51.100.1")),))
    with bare.within("firewall"), pytest.raises(KernelError, match=r"no way to the gateway 198\.51\.100\.1"):
        links.apply(astray, Found(tmp_path / "found.json"))


def test_a_second_run_after_a_crash_restores_what_the_first_found(bare: Ground, tmp_path: Path) -> None:
    before = state(bare)
    apply(bare, tmp_path / "found.json")
    apply(bare, tmp_path / "found.json")
    restore(bare, tmp_path / "found.json")
    assert state(bare) == before


def test_restoring_twice_or_without_devices_is_no_error(bare: Ground, tmp_path: Path) -> None:
    apply(bare, tmp_path / "found.json")
    bare.run("firewall", "ip", "link", "del", "outside0")
    restore(bare, tmp_path / "found.json")
    restore(bare, tmp_path / "found.json")
    assert not (tmp_path / "found.json").exists()


def test_a_missing_device_is_named_before_anything_changes(bare: Ground, tmp_path: Path) -> None:
    before = state(bare)
    absent = replace(MAIL, interfaces=(MAIL.interfaces[0], Interface("Ethernet0/1", "nosuch0", "inside", 100, INSIDE)))
    with bare.within("firewall"), pytest.raises(KernelError, match="no such device: nosuch0") as refused:
        links.apply(absent, Found(tmp_path / "found.json"))
    assert "\n" not in str(refused.value)
    assert state(bare) == before


def test_without_root_one_line_says_so(bare: Ground, shared: Path) -> None:
    def unprivileged() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        with pytest.raises(KernelError) as refused:
            links.apply(MAIL, Found(shared / "found.json"))
        return str(refused.value)

    told = bare.beside("firewall", unprivileged).result()
    assert "root" in told
    assert "\n" not in told


def test_indices_name_the_interfaces(bare: Ground) -> None:
    with bare.within("firewall"):
        by_index = links.indices(MAIL)
    listed = bare.run("firewall", "ip", "-o", "link").splitlines()
    kernels = {line.split(": ")[1].split("@")[0]: int(line.split(":")[0]) for line in listed}
    assert by_index == {kernels["outside0"]: "outside", kernels["inside0"]: "inside"}


def test_a_mapped_address_is_answered_for_and_routed_forward(bare: Ground, tmp_path: Path) -> None:
    """Outside, a neighbour appears for the mapped address; the firewall itself does not own it."""
    apply(bare, tmp_path / "found.json")
    with bare.within("outside"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        anything.sendto(b"", (str(MAPPED_SERVER), 9))
        while "INCOMPLETE" in bare.run("outside", "ip", "neigh", "show", str(MAPPED_SERVER)):
            time.sleep(0.01)  # until the answer is there or the kernel gives up
    assert "lladdr" in bare.run("outside", "ip", "neigh", "show", str(MAPPED_SERVER))
    assert "dev inside0" in bare.run("firewall", "ip", "route", "get", str(MAPPED_SERVER))


def test_handshakes_leave_conntrack_before_the_connection_table() -> None:
    for embryonic in (1, 2, 5, 30, 1193):
        assert 1 <= links.conntrack_handshake(embryonic) <= max(1, embryonic - 1)


def test_the_mtu_that_the_file_says_until_the_end(bare: Ground, tmp_path: Path) -> None:
    def mtu() -> str:
        return bare.run("firewall", "ip", "-o", "link", "show", "outside0").split(" mtu ")[1].split()[0]

    record = tmp_path / "found.json"
    before = mtu()
    small, smaller, huge = (
        replace(MAIL, interfaces=(replace(MAIL.interfaces[0], mtu=octets), *MAIL.interfaces[1:]))
        for octets in (1400, 1300, 65535 + 1)
    )
    with bare.within("firewall"):
        for config, octets in ((small, "1400"), (smaller, "1300")):
            links.apply(config, Found(record))
            assert mtu() == octets
        with pytest.raises(KernelError, match="outside0 takes no packets of 65536 octets"):
            links.apply(huge, Found(record))
        links.restore(Found(record))
    assert mtu() == before
    assert not record.exists()
