"""What `packet-tracer` says is what the kernel does: hundreds of packets under two dozen policies, sent and awaited."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Packet as Scapy

from appliance.config.config import Config
from appliance.config.inspections import inspections
from appliance.config.load import load
from appliance.iptables import rules
from appliance.iptables.trace import TraceReport, trace
from appliance.iptables.walk import Packet
from appliance.kernel import links
from appliance.kernel.found import Found
from appliance.lab.network import CLIENTS, EXEMPT, LIMITED, MAPPED_EXEMPT, MAPPED_LIMITED, MAPPED_SERVER, SERVER
from appliance.marks import CLASS
from tests.ground import Ground, ground

pytestmark = pytest.mark.root

POLICIES, PACKETS = 30, 15
#: The hops a packet of ours may go: nobody else's have it.
TTL = 77
#: s to wait for what should arrive.
PATIENCE = 1.0
FAR = IPv4Address("198.51.100.7")
SERVERS = (SERVER, EXEMPT, LIMITED)
MAPPED = (MAPPED_SERVER, MAPPED_EXEMPT, MAPPED_LIMITED)

INTERFACES = """\
interface Ethernet0/0
 hardware outside0
 nameif outside
 security-level {outside}
 ip address 203.0.113.1 255.255.255.0
interface Ethernet0/1
 hardware inside0
 nameif inside
 security-level {inside}
 ip address 192.0.2.1 255.255.255.0
route outside 198.51.100.0 255.255.255.0 203.0.113.10
"""
VERSIONS = ("", "ASA Version 8.2(5)\n", "ASA Version 9.4(1)\n")
LEVELS = ((0, 100),) * 4 + ((50, 50), (100, 0))
TRANSLATIONS = (
    "",
    f"static (inside,outside) {MAPPED_SERVER} {SERVER} netmask 255.255.255.255 tcp 50 100\n",
    f"static (inside,outside) {MAPPED_SERVER} {SERVER} netmask 255.255.255.255\n"
    f"static (inside,outside) {MAPPED_EXEMPT} {EXEMPT} netmask 255.255.255.255\n",
    f"static (inside,outside) tcp {MAPPED_SERVER} smtp {SERVER} 2525 netmask 255.255.255.255\n",
    "nat (inside) 1 192.0.2.0 255.255.255.0\nglobal (outside) 1 203.0.113.200\n",
    f"static (inside,outside) {MAPPED_LIMITED} {LIMITED} netmask 255.255.255.255\n"
    "nat (inside) 1 192.0.2.24 255.255.255.254\nglobal (outside) 1 interface\n",
    f"object network server\n host {SERVER}\n nat (inside,outside) static {MAPPED_SERVER}\n",
    "access-list mail extended permit tcp 192.0.2.24 255.255.255.252 any eq smtp\n"
    "nat (inside) 1 access-list mail\nglobal (outside) 1 203.0.113.200\n",
    f"access-list near extended permit ip host {SERVER} 203.0.113.0 255.255.255.0\n"
    f"static (inside,outside) {MAPPED_SERVER} access-list near\n",
    "object service mail\n service tcp destination eq smtp\n"
    f"object network server\n host {SERVER}\nobject network known\n host {MAPPED_SERVER}\n"
    "nat (inside,outside) source static server known service mail mail\n",
)
PROTOCOLS = ("ip", "tcp", "tcp", "tcp", "udp", "icmp")
PORTS = ("", " eq smtp", " range 20 30", " neq 25", " lt 26", " gt 586", " eq 587", " eq 2525")
CLASSES = (
    "match port tcp eq smtp",
    "match port tcp range 500 3000",
    "match default-inspection-traffic",
    "match access-list chosen",
    "match any",
)


def address(rng: random.Random) -> str:
    """An end of an entry of an access list."""
    host = rng.choice((*SERVERS, *MAPPED, *CLIENTS[:3], FAR))
    return rng.choice(
        ("any", "any", f"host {host}", f"host {host}", "192.0.2.24 255.255.255.252", "203.0.113.0 255.255.255.128")
    )


def entry(rng: random.Random) -> str:
    protocol = rng.choice(PROTOCOLS)
    ports = rng.choice(PORTS) if protocol in ("tcp", "udp") else ""
    if protocol == "udp":
        ports = ports.replace("smtp", "25")
    kind = rng.choice(("", " echo")) if protocol == "icmp" else ""
    action = rng.choice(("permit", "permit", "deny"))
    return f"extended {action} {protocol} {address(rng)} {address(rng)}{ports}{kind}"


def policy(number: int) -> str:
    """A rule file; the same number is the same file."""
    rng = random.Random(number)
    outside, inside = rng.choice(LEVELS)
    text = rng.choice(VERSIONS) + INTERFACES.format(outside=outside, inside=inside)
    if outside == inside:
        text += rng.choice(("", "same-security-traffic permit inter-interface\n"))
    text += rng.choice(TRANSLATIONS)
    for name, where in (
        ("outside_in", "in interface outside"),
        ("inside_in", "in interface inside"),
        ("inside_out", "out interface inside"),
        ("everywhere", "global"),
    ):
        if rng.random() < {"outside_in": 0.8, "inside_in": 0.3}.get(name, 0.15):
            text += "".join(f"access-list {name} {entry(rng)}\n" for _ in range(rng.randint(1, 6)))
            text += f"access-list {name} extended permit ip any any\n" if rng.random() < 0.6 else ""
            text += f"access-group {name} {where}\n"
    text += "".join(f"access-list chosen {entry(rng)}\n" for _ in range(3))
    chosen = rng.sample(CLASSES, k=rng.choice((0, 1, 2, 2, 3)))
    text += "".join(f"class-map class{number}\n {match}\n" for number, match in enumerate(chosen))
    text += "policy-map mail\n" if chosen else ""
    for number in range(len(chosen)):
        text += f" class class{number}\n  {rng.choice(('inspect esmtp', 'inspect esmtp', 'no inspect esmtp'))}\n"
    if chosen:
        text += f"service-policy mail {rng.choice(('global', 'global', 'interface outside'))}\n"
    return text


def packets(number: int) -> Iterator[tuple[str, Packet]]:
    """Packets for a policy, each with the interface it comes in by; no two have a port in common."""
    rng = random.Random(number + 1_000)
    for index in range(PACKETS):
        port = 20_000 + number * PACKETS + index
        inbound = rng.random() < 0.7
        source = rng.choice((*CLIENTS[:3], FAR) if inbound else SERVERS)
        destination = rng.choice((*SERVERS, *MAPPED, *MAPPED) if inbound else (*CLIENTS[:3], FAR))
        protocol = rng.choice(("tcp", "tcp", "tcp", "tcp", "udp", "icmp"))
        ends = (port, rng.choice((24, 25, 25, 25, 587, 2525, 53))) if protocol != "icmp" else (rng.choice((8, 3)), 0)
        yield "outside" if inbound else "inside", Packet(protocol, source, ends[0], destination, ends[1])


def on_the_wire(packet: Packet, number: int) -> bytes:
    head = IP(src=str(packet.source), dst=str(packet.destination), ttl=TTL, id=number)
    body: Scapy = ICMP(type=packet.source_port, code=packet.destination_port, id=number)
    if packet.protocol == "tcp":
        body = TCP(sport=packet.source_port, dport=packet.destination_port, flags="S", seq=number)
    elif packet.protocol == "udp":
        body = UDP(sport=packet.source_port, dport=packet.destination_port)
    return bytes(head / body)


@dataclass(frozen=True)
class Arrived:
    """A packet of ours, where it got to, and the class it was given on the way."""

    host: str
    source: IPv4Address
    destination: IPv4Address
    destination_port: int
    inspection: int


@dataclass
class Box:
    """A router under one configuration after another: the rules as they are rendered, but who is queued passes."""

    here: Ground
    record: Path
    seen: dict[int, Arrived] = field(default_factory=dict)
    doors: dict[str, bytes] = field(default_factory=dict)  # the firewall's address on each host's wire

    def introduce(self) -> None:
        """Everybody knows everybody's address on the wire: a packet that waited for one would meet the next policy."""
        for host, device, there in (("outside", "outside0", MAPPED), ("inside", "inside0", ())):
            own = self._hardware("firewall", device)
            self.doors[host] = bytes.fromhex(own.replace(":", ""))
            for known in (*there, IPv4Address("203.0.113.1" if host == "outside" else "192.0.2.1")):
                self._know(host, "eth0", known, own)
            theirs = self._hardware(host, "eth0")
            for known in (*CLIENTS[:3],) if host == "outside" else SERVERS:
                self._know("firewall", device, known, theirs)

    def _hardware(self, host: str, device: str) -> str:
        return json.loads(self.here.run(host, "ip", "-j", "link", "show", device))[0]["address"]

    def _know(self, host: str, device: str, known: IPv4Address, hardware: str) -> None:
        neighbour = [str(known), "lladdr", hardware, "dev", device, "nud", "permanent"]
        self.here.run(host, "ip", "neigh", "replace", *neighbour)

    def configure(self, config: Config) -> None:
        with self.here.within("firewall"):
            found = Found(self.record)
            links.retire(config, found)
            links.apply(config, found)
        saved = self.here.run("firewall", "iptables-save", "-c")
        text = rules(config, generation=1, workers=1, queue_base=2500, saved=saved)
        text = "\n".join(
            line.split(" -j NFQUEUE")[0] + " -j ACCEPT" if " -j NFQUEUE" in line else line for line in text.splitlines()
        )
        self.here.run("firewall", "iptables-restore", "--noflush", "--counters", text=f"{text}\n{CLASSES_SHOWN}")

    def send(self, host: str, octets: bytes) -> None:
        """To the firewall, whatever addresses the packet has."""
        with self.here.within(host), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM) as out:
            out.sendto(octets, ("eth0", 0x0800, 0, 0, self.doors[host]))


#: The class in the field that a router may write to: six bits that arrive.
CLASSES_SHOWN = "\n".join(
    [
        "*mangle",
        "-F POSTROUTING",
        *(f"-A POSTROUTING -m mark --mark {CLASS.match(each)} -j DSCP --set-dscp {each}" for each in range(1, 5)),
        "COMMIT\n",
    ]
)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    with ground(f"fxt{os.getpid()}") as here:
        made = Box(here, tmp_path / "found.json")
        made.introduce()
        yield made


def expected(report: TraceReport) -> Arrived | None:
    """What has to arrive, if anything has."""
    if not report.allowed:
        return None
    return Arrived(report.output, report.source, report.destination, report.destination_port, report.inspection)


def told(octets: bytes, host: str) -> tuple[int, Arrived] | None:
    packet = IP(octets)
    if packet.ttl != TTL - 1:
        return None
    port = packet[TCP].dport if TCP in packet else packet[UDP].dport if UDP in packet else packet[ICMP].code
    ends = IPv4Address(packet.src), IPv4Address(packet.dst)
    return packet.id, Arrived(host, *ends, port, packet.tos >> 2)


def test_what_it_says_is_what_the_kernel_does(box: Box) -> None:
    wanted: dict[int, tuple[str, Arrived | None]] = {}
    with (
        box.here.within("outside"),
        box.here.capture("eth0") as outside,
        box.here.within("inside"),
        box.here.capture("eth0") as inside,
    ):

        def look() -> None:
            for host, seen in (("outside", outside), ("inside", inside)):
                arrived = filter(None, (told(octets, host) for octets in seen()))
                box.seen.update(arrived)

        for number in range(POLICIES):
            text = policy(number)
            config = load(text).config
            assert config is not None, text
            assert len(inspections(config)) < 5
            box.configure(config)
            for index, (nameif, packet) in enumerate(packets(number)):
                key = 1 + number * PACKETS + index
                report = trace(config, nameif, packet)
                wanted[key] = (f"policy {number}, {nameif} {packet}: {report}", expected(report))
                box.send(nameif, on_the_wire(packet, key))
            here = [key for key, (_, arrival) in wanted.items() if arrival and key > number * PACKETS]
            deadline = time.monotonic() + PATIENCE
            look()
            while not box.seen.keys() >= set(here) and time.monotonic() < deadline:
                time.sleep(0.01)
                look()
    wrong = [
        f"{why}\n  and it was {box.seen.get(key)}"
        for key, (why, arrival) in wanted.items()
        if not same(arrival, box.seen.get(key), why)
    ]
    assert wrong == []
    outcomes = [arrival for _, arrival in wanted.values()]
    assert len(outcomes) >= 300
    assert 60 < sum(each is None for each in outcomes) < len(outcomes) - 60, (
        "both happen often enough to mean something"
    )
    assert sum(each is not None and each.inspection > 0 for each in outcomes) > 20


#: Sources that nobody can have, and destinations that are not forwarded; each under a policy that permits all.
STRANGE = (
    *(
        (IPv4Address(source), MAPPED_SERVER)
        for source in (
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.7",
            "224.0.0.5",
            "239.255.255.250",
            "255.255.255.255",
            "203.0.113.1",
            "192.0.2.1",
            "203.0.113.255",
            "192.0.2.255",
        )
    ),
    *(
        (CLIENTS[0], IPv4Address(destination))
        for destination in (
            "127.0.0.1",
            "0.0.0.7",
            "224.0.0.5",
            "255.255.255.255",
            "203.0.113.255",
            "192.0.2.255",
            "192.0.2.1",
        )
    ),
)
#: And such as look strange and are not: the kernel forwards them, for whoever has a route.
PLAIN = ((IPv4Address("240.0.0.9"), MAPPED_SERVER), (IPv4Address("203.0.113.254"), MAPPED_SERVER))


def test_nobodys_addresses_pass_neither_trace_nor_kernel(box: Box) -> None:
    permit = "access-list all extended permit ip any any\naccess-group all in interface outside\n"
    far = "route inside 0.0.0.0 0.0.0.0 192.0.2.27\nroute outside 240.0.0.0 255.255.255.0 203.0.113.10\n"
    config = load(INTERFACES.format(outside=0, inside=100) + TRANSLATIONS[2] + permit + far).config
    assert config is not None
    box.configure(config)
    passed: set[int] = set()
    with box.here.within("inside"), box.here.capture("eth0") as seen:
        for number, (source, destination) in enumerate((*STRANGE, *PLAIN), 1):
            packet = Packet("tcp", source, 20_000 + number, destination, 25)
            if trace(config, "outside", packet).allowed:
                passed.add(number)
            box.send("outside", on_the_wire(packet, number))
        deadline = time.monotonic() + PATIENCE
        arrived: set[int] = set()
        while len(arrived) < len(PLAIN) and time.monotonic() < deadline:
            time.sleep(0.01)
            arrived = {each[0] for each in (told(octets, "inside") for octets in seen()) if each}
    assert arrived == passed == {len(STRANGE) + 1, len(STRANGE) + 2}


def same(wanted: Arrived | None, seen: Arrived | None, why: str) -> bool:
    if wanted is None or seen is None:
        return wanted is seen
    if "Dynamic translate" in why:
        return seen.source != wanted.source or seen == wanted
    return wanted == seen
