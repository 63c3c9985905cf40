"""`packet-tracer`: which line decides, phase by phase, from the rules as they are rendered."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from appliance.config.config import Config
from appliance.config.load import load
from appliance.iptables.trace import TraceReport, trace
from appliance.iptables.walk import Packet, walk

EXAMPLE = Path(__file__).parents[2] / "examples" / "mail.cfg"
GOLDEN = Path(__file__).parents[1] / "golden" / "config"


def loaded(text: str) -> Config:
    config = load(text).config
    assert config is not None, load(text)
    return config


MAIL = loaded(EXAMPLE.read_text(encoding="utf-8"))


def tcp(source: str, destination: str, port: int, source_port: int = 40_000) -> Packet:
    return Packet("tcp", IPv4Address(source), source_port, IPv4Address(destination), port)


def steps(report: TraceReport) -> list[str]:
    return [f"{each.type} {each.subtype}".strip() + ("" if each.allowed else " DROP") for each in report.phases]


def test_mail_from_outside_is_let_in_translated_and_inspected() -> None:
    report = trace(MAIL, "outside", tcp("203.0.113.10", "203.0.113.125", 25))
    assert steps(report) == [
        "UN-NAT static",
        "ROUTE-LOOKUP Resolve Egress Interface",
        "ACCESS-LIST log",
        "CONN-SETTINGS",
        "INSPECT inspect-esmtp",
        "FLOW-CREATION",
    ]
    un_nat, route, access, settings, inspect, _ = report.phases
    assert un_nat.config[0].startswith("static (inside,outside) 203.0.113.125 192.0.2.25 netmask 255.255.255.255")
    assert un_nat.information == (
        "NAT divert to egress interface inside",
        "Untranslate 203.0.113.125/25 to 192.0.2.25/25",
    )
    assert route.information == ("found next-hop 192.0.2.25 using egress ifc  inside",)
    assert access.config == (
        "access-group outside_in in interface outside",
        "access-list outside_in extended permit tcp any host 203.0.113.125 eq smtp",
    )
    assert settings.information == ("conn-max 50 embryonic-conn-max 100",)
    assert inspect.config[-4:] == (
        "policy-map global_policy",
        " class inspection_default",
        "  inspect esmtp",
        "service-policy global_policy global",
    )
    assert (report.allowed, report.reason, report.output, report.inspection) == (True, "", "inside", 1)
    assert (report.destination, report.destination_port) == (IPv4Address("192.0.2.25"), 25)


def test_the_limits_of_its_class_are_told() -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace(
        " class inspection_default\n  inspect esmtp\n",
        " class inspection_default\n  inspect esmtp\n  set connection per-client-max 3\n",
    )
    report = trace(loaded(text), "outside", tcp("203.0.113.10", "203.0.113.125", 25))
    of_static, of_class = (each for each in report.phases if each.type == "CONN-SETTINGS")
    assert of_static.information == ("conn-max 50 embryonic-conn-max 100",)
    assert of_class.config == (
        "class-map inspection_default",
        " match default-inspection-traffic",
        "policy-map global_policy",
        " class inspection_default",
        "  set connection per-client-max 3",
        "service-policy global_policy global",
    )
    inspect = next(each for each in report.phases if each.type == "INSPECT")
    assert "  inspect esmtp" in inspect.config
    assert not any("set connection" in line for line in inspect.config)


def test_what_no_entry_permits_ends_at_the_implicit_rule() -> None:
    report = trace(MAIL, "outside", tcp("203.0.113.10", "203.0.113.125", 26))
    assert steps(report)[-1] == "ACCESS-LIST DROP"
    assert report.phases[-1].config == ("Implicit Rule",)
    assert (report.allowed, report.reason) == (False, "(acl-drop) Flow is denied by configured rule")


def test_an_entry_that_denies_is_told() -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace(
        "access-list outside_in remark mail from the world",
        "access-list outside_in extended deny tcp host 203.0.113.66 any",
    )
    report = trace(loaded(text), "outside", tcp("203.0.113.66", "203.0.113.125", 25))
    assert report.phases[-1].config[1] == "access-list outside_in extended deny tcp host 203.0.113.66 any"
    assert not report.allowed


def test_a_host_behind_a_static_is_not_reached_by_its_real_address() -> None:
    report = trace(MAIL, "outside", tcp("203.0.113.10", "192.0.2.25", 25))
    assert steps(report)[-1] == "NAT rpf-check DROP"


def test_a_host_is_reached_by_each_of_its_names() -> None:
    more = "access-list outside_in permit ip any any\nstatic (inside,outside) tcp 203.0.113.99 2525 192.0.2.25 25\n"
    config = loaded(EXAMPLE.read_text(encoding="utf-8") + more)
    for mapped, port in (("203.0.113.99", 2525), ("203.0.113.125", 25)):
        assert trace(config, "outside", tcp("203.0.113.10", mapped, port)).allowed
    assert not trace(config, "outside", tcp("203.0.113.10", "192.0.2.25", 25)).allowed


NETWORK = "object network lan\n subnet 192.0.2.0 255.255.255.0\n nat (inside,outside) dynamic interface\n"
PAIRED = "nat (inside) 1 192.0.2.0 255.255.255.0\nglobal (outside) 1 interface\n"
PEER = "access-list none permit ip 192.0.2.0 255.255.255.0 host 203.0.113.10\nnat (inside) 0 access-list none\n"


@pytest.mark.parametrize("text", [NETWORK, PAIRED])
def test_a_host_behind_dynamic_nat_is_not_reached_by_its_real_address(text: str) -> None:
    config = loaded(f"{EXAMPLE.read_text(encoding='utf-8')}{text}access-list outside_in permit ip any any\n")
    assert steps(trace(config, "outside", tcp("203.0.113.99", "192.0.2.77", 25)))[-1] == "NAT rpf-check DROP"
    assert trace(config, "outside", tcp("203.0.113.99", "203.0.113.125", 25)).allowed


def test_but_by_whom_it_is_not_translated_for() -> None:
    config = loaded(f"{EXAMPLE.read_text(encoding='utf-8')}{PEER}{PAIRED}access-list outside_in permit ip any any\n")
    assert trace(config, "outside", tcp("203.0.113.10", "192.0.2.77", 25)).allowed
    assert not trace(config, "outside", tcp("203.0.113.99", "192.0.2.77", 25)).allowed


def test_an_error_of_no_connection_is_told_as_one() -> None:
    config = loaded(f"{EXAMPLE.read_text(encoding='utf-8')}access-list outside_in permit icmp any any unreachable 4\n")
    unreachable = Packet("icmp", IPv4Address("203.0.113.10"), 3, IPv4Address("203.0.113.125"), 4)
    report = trace(config, "outside", unreachable)
    assert steps(report)[-1] == "INSPECT inspect-icmp-error DROP"
    assert report.reason == "(inspect-icmp-error-no-existing-conn) ICMP Error Inspect no existing conn"


def test_an_exempt_host_is_told_as_one() -> None:
    report = trace(MAIL, "outside", tcp("203.0.113.10", "203.0.113.126", 25))
    assert "INSPECT no inspect-esmtp" in steps(report)
    assert report.inspection == 0


def test_from_inside_the_source_is_translated_and_the_level_permits() -> None:
    report = trace(MAIL, "inside", tcp("192.0.2.26", "203.0.113.10", 25))
    assert report.source == IPv4Address("203.0.113.126")
    access = next(each for each in report.phases if each.type == "ACCESS-LIST")
    assert access.config == ("Implicit Rule",)
    translation = next(each for each in report.phases if each.type == "NAT")
    assert translation.information == ("Static translate 192.0.2.26/40000 to 203.0.113.126/40000",)


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        ("198.51.100.1", "(no-route) No route to host"),
        ("203.0.113.1", "(to-the-box) For the firewall itself: rules of your own decide"),
        ("192.0.2.99", "(acl-drop) Flow is denied by configured rule"),
        ("203.0.113.20", "(acl-drop) Flow is denied by configured rule"),
    ],
)
def test_other_ends(destination: str, reason: str) -> None:
    report = trace(MAIL, "outside", tcp("203.0.113.10", destination, 25))
    assert (report.allowed, report.reason) == (False, reason)


@pytest.mark.parametrize(
    ("destination", "output", "hop"),
    [
        ("203.0.113.9", "outside", "203.0.113.9"),
        ("198.51.100.200", "outside", "203.0.113.254"),
        ("198.51.100.7", "inside", "192.0.2.254"),
        ("192.0.2.200", "inside", "192.0.2.200"),
    ],
)
def test_the_longest_network_is_the_way_and_of_two_the_lower_metric(destination: str, output: str, hop: str) -> None:
    routes = (
        "route outside 0.0.0.0 0.0.0.0 203.0.113.254 1\n"
        "route inside 198.51.100.0 255.255.255.128 192.0.2.253 5\n"
        "route inside 198.51.100.0 255.255.255.128 192.0.2.254 2\n"
    )
    config = loaded(EXAMPLE.read_text(encoding="utf-8") + routes)
    report = trace(config, "inside", tcp("192.0.2.26", destination, 25))
    assert report.output == output
    assert report.phases[0].information == (f"found next-hop {hop} using egress ifc  {output}",)


def test_an_interface_that_is_shut_passes_nothing_and_an_unknown_one_is_an_error() -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace(" nameif outside\n", " nameif outside\n shutdown\n")
    report = trace(loaded(text), "outside", tcp("203.0.113.10", "203.0.113.125", 25))
    assert report.reason == "(interface-down) Interface is down"
    with pytest.raises(ValueError, match="interface <dmz> does not exist"):
        trace(MAIL, "dmz", tcp("203.0.113.10", "203.0.113.125", 25))


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.cfg")))
def test_every_rule_that_is_rendered_can_be_read(name: str) -> None:
    """Of every golden configuration: each interface, inwards and outwards, in each protocol that has rules."""
    config = loaded((GOLDEN / f"{name}.cfg").read_bytes().decode("utf-8", "surrogateescape"))
    ends = [IPv4Address("203.0.113.10"), IPv4Address("192.0.2.25"), *(each.mapped for each in config.statics)]
    for interface in config.interfaces:
        for destination in ends if interface.nameif else ():
            for protocol, first in (("tcp", 40_000), ("udp", 40_000), ("icmp", 8), ("icmp", 3)):
                packet = Packet(protocol, IPv4Address("203.0.113.77"), first, destination, 25)
                report = trace(config, str(interface.nameif), packet)
                assert report.allowed is (report.reason == "")


OF_A_PORT = """
static (inside,outside) tcp 203.0.113.128 2525 192.0.2.28 smtp netmask 255.255.255.255 tcp 0 3
access-list outside_in extended permit tcp any host 203.0.113.128 eq 2525
access-list mail extended permit tcp any host 203.0.113.128 eq 2525
class-map mail
 match access-list mail
policy-map global_policy
 class mail
  no inspect esmtp
  set connection conn-max 7
"""


@pytest.mark.parametrize("version", ["", "pix-6.3", "asa-7.2", "asa-8.2"])
def test_up_to_8_2_lists_name_a_port_of_a_host_as_it_is_called_outside(version: str) -> None:
    """The interface's list and those of classes; all that decides of it speaks of the real address and port."""
    head = f"compatibility {version}\n" if version else ""
    report = trace(
        loaded(head + EXAMPLE.read_text(encoding="utf-8") + OF_A_PORT),
        "outside",
        tcp("203.0.113.10", "203.0.113.128", 2525),
    )
    assert report.allowed
    assert (str(report.destination), report.destination_port, report.inspection) == ("192.0.2.28", 25, 0)
    static, of_class = [each for each in report.phases if each.type == "CONN-SETTINGS"]
    assert static.information == ("conn-max 0 embryonic-conn-max 3",)
    assert "  set connection conn-max 7" in of_class.config
    assert "INSPECT no inspect-esmtp" in steps(report)


def test_from_8_3_on_they_name_it_as_it_is() -> None:
    text = EXAMPLE.read_text(encoding="utf-8") + OF_A_PORT
    report = trace(loaded(f"compatibility asa-8.4\n{text}"), "outside", tcp("203.0.113.10", "203.0.113.128", 2525))
    assert not report.allowed


# --- the walk itself --------------------------------------------------------------------------------------------


ONE = tcp("203.0.113.10", "192.0.2.25", 25)


@pytest.mark.parametrize(
    ("chains", "target"),
    [
        ({"A": [["-j", "B"], ["-j", "DROP"]], "B": [["-j", "RETURN"]]}, "DROP"),
        ({"A": [["-j", "B"], ["-j", "DROP"]], "B": [["-p", "udp", "-j", "ACCEPT"]]}, "DROP"),
        ({"A": [["-g", "B"], ["-j", "DROP"]], "B": [["-j", "RETURN"]]}, "RETURN"),
        ({"A": [["-j", "B"], ["-j", "DROP"]], "B": [["-g", "C"], ["-j", "ACCEPT"]], "C": []}, "DROP"),
        ({"A": [["!", "-s", "203.0.113.0/24", "-j", "DROP"], ["-j", "ACCEPT"]]}, "ACCEPT"),
        ({"A": [["-p", "tcp", "!", "--dport", "25", "-j", "DROP"]]}, ""),
        ({"A": [["-p", "tcp", "--dport", "20:30", "-j", "DROP"]]}, "DROP"),
        ({"A": [["-m", "mark", "--mark", "0x0/0xff", "-j", "MARK", "--set-xmark", "0x1/0xff"], *[["-j", "A1"]]],
          "A1": [["-m", "mark", "--mark", "0x1/0xf", "-j", "DROP"]]}, "DROP"),
        ({"A": [["-j", "RETURN"], ["-j", "DROP"]]}, "RETURN"),
    ],
)  # fmt: skip
def test_chains_are_walked_as_the_kernel_walks_them(chains: dict[str, list[list[str]]], target: str) -> None:
    assert walk(chains, "A", ONE).target == target


def test_what_is_not_known_is_an_error() -> None:
    with pytest.raises(ValueError, match="no such condition: --ttl"):
        walk({"A": [["-m", "ttl", "--ttl", "3", "-j", "DROP"]]}, "A", ONE)
    with pytest.raises(ValueError, match="no such target"):
        walk({"A": [["-j", "TARPIT"]]}, "A", ONE)


def test_a_network_is_translated_address_by_address() -> None:
    walked = walk({"A": [["-d", "203.0.113.0/24", "-j", "NETMAP", "--to", "192.0.2.0/24"]]}, "A",
                  tcp("198.51.100.1", "203.0.113.77", 25), "destination")  # fmt: skip
    assert walked.packet.destination == IPv4Address("192.0.2.77")
    assert walked.packet.first.destination == IPv4Address("203.0.113.77")


@pytest.mark.parametrize(
    "source", ["127.0.0.1", "0.0.0.7", "224.0.0.5", "255.255.255.255", "203.0.113.1", "192.0.2.1", "192.0.2.255"]
)
def test_a_source_that_nobody_has_goes_no_further(source: str) -> None:
    report = trace(MAIL, "outside", tcp(source, "203.0.113.125", 25))
    assert steps(report) == ["UN-NAT static", "ROUTE-LOOKUP Resolve Egress Interface DROP"]
    assert report.reason == "(sp-security-failed) Slowpath security checks failed"


@pytest.mark.parametrize(
    ("destination", "reason"),
    [
        ("127.0.0.1", "(no-route)"),
        ("0.0.0.7", "(no-route)"),
        ("224.0.0.5", "(no-route)"),
        ("255.255.255.255", "(to-the-box)"),
        ("203.0.113.255", "(to-the-box)"),
        ("192.0.2.255", "(to-the-box)"),
        ("192.0.2.1", "(to-the-box)"),
    ],
)
def test_what_is_not_forwarded_goes_no_further(destination: str, reason: str) -> None:
    report = trace(MAIL, "outside", tcp("203.0.113.10", destination, 25))
    assert not report.allowed
    assert report.reason.startswith(reason)


def test_a_source_that_is_routed_elsewhere_is_spoofed() -> None:
    config = loaded((GOLDEN / "reverse-path.cfg").read_text())
    spoofed = trace(config, "outside", tcp("192.0.2.9", "192.0.2.25", 25))
    assert steps(spoofed) == ["ROUTE-LOOKUP Reverse Path DROP"]
    assert spoofed.phases[0].config == ("ip verify reverse-path interface outside",)
    assert spoofed.reason == "(rpf-violated) Reverse-path verify failed"
    unsaid = loaded((GOLDEN / "reverse-path.cfg").read_text().replace("ip verify", "! ip verify"))
    silent = trace(unsaid, "outside", tcp("192.0.2.9", "192.0.2.25", 25))
    assert (steps(silent), silent.phases[0].config) == (["ROUTE-LOOKUP Reverse Path DROP"], ())
    assert steps(trace(config, "inside", tcp("198.51.100.9", "203.0.113.9", 25)))[0] == "ROUTE-LOOKUP Reverse Path DROP"
    assert steps(trace(config, "outside", tcp("198.51.100.9", "192.0.2.25", 25)))[0] == "ROUTE-LOOKUP Reverse Path"


def test_to_an_interface_it_does_not_forward_to_nothing_is_opened() -> None:
    config = loaded((GOLDEN / "interface-blocks.cfg").read_text() + "same-security-traffic permit inter-interface\n")
    lists = "access-list any_in extended permit ip any any\naccess-group any_in in interface dmz\n"
    permitted = loaded((GOLDEN / "interface-blocks.cfg").read_text() + lists)
    for each in (config, permitted):
        assert not trace(each, "dmz", tcp("198.51.100.9", "192.0.2.25", 25)).allowed
        assert trace(each, "dmz", tcp("198.51.100.9", "203.0.113.9", 25)).allowed
        assert trace(each, "inside", tcp("192.0.2.25", "198.51.100.9", 25)).allowed


def test_an_interface_policy_that_inspects_stands_in_the_place_of_the_global_one() -> None:
    config = loaded((GOLDEN / "interface-policy.cfg").read_text())
    ports = {port: trace(config, "inside", tcp("192.0.2.25", "203.0.113.9", port)) for port in (25, 2525)}
    assert [(port, report.inspection) for port, report in ports.items()] == [(25, 0), (2525, 2)]
    inspect = next(each for each in ports[25].phases if each.type == "INSPECT")
    assert inspect.information == (
        "no class of policy-map outside_policy matches, which inspects on interface outside",
    )


@pytest.mark.parametrize(
    ("version", "order"), [("8.2(5)", ["INSPECT inspect-esmtp", "NAT"]), ("9.1(2)", ["NAT", "INSPECT inspect-esmtp"])]
)
def test_from_8_3_on_translation_is_told_before_what_classes_do(version: str, order: list[str]) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace(" match access-list ironport_esa_internal\n", "")
    report = trace(loaded(f"ASA Version {version}\n{text}"), "inside", tcp("192.0.2.26", "203.0.113.10", 25))
    found = [each.removesuffix(" static") for each in steps(report)]
    assert [each for each in found if each in order] == order
