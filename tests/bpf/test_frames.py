"""What the program makes of frames: the mark's bits, what it can't parse, fragments, other interfaces, the worker."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

from appliance import marks
from appliance.flow import Side
from appliance.kernel.bpf import EVENTS
from appliance.kernel.bpf_program import Run
from appliance.nat.classes import Limits
from appliance.nat.connection import Key, Obstructed, State
from appliance.tcp.segment import ACK, FIN, RST, SYN
from tests.admission import CLIENT, MAPPED, REAL, bring, client, key, limit, only, proxied_syn, server, static, syn

pytestmark = pytest.mark.root

PASS, DROP = -1, 2
FOREIGN = 0xFF  # mark bits that are other people's
SKIP = marks.DISPOSITION.put(marks.Disposition.SKIP)
C, M, R = str(CLIENT), str(MAPPED), str(REAL)
ELSE = "198.51.100.7"


def arrives(box: Any, frame: Any, mark: int = 0) -> Run:
    return box.run("ingress", frame, box.outside, box.outside, mark)


def tcp(**fields: Any) -> TCP:
    return TCP(**{"sport": 1000, "dport": 25, "flags": "S", "seq": 100, **fields})


# The mark


def test_our_bits_are_cleared_and_foreign_ones_kept(box: Any) -> None:
    for frame in (IP(src=C, dst=M) / UDP(), IP(src=C, dst=M) / ICMP(), IP(src=C, dst=ELSE) / tcp(flags="A")):
        assert arrives(box, frame, 0xFFFFFFFF) == Run(PASS, FOREIGN, pytest.approx(0, abs=10**9))


def test_skip_is_written_beside_foreign_bits(box: Any) -> None:
    assert arrives(box, IP(src=C, dst=M) / tcp(), 0xFFFFFFFF).mark == FOREIGN | SKIP
    assert arrives(box, IP(src=C, dst=M) / tcp(), 0).mark == SKIP


def test_a_mark_from_outside_is_no_permission(box: Any) -> None:
    bring(box, State.ESTABLISHED)
    data = IP(src=C, dst=M) / tcp(flags="A", seq=101, ack=501) / b"data"
    assert arrives(box, data, SKIP).mark == 0


def test_egress_leaves_the_mark_alone(box: Any) -> None:
    assert box.run("egress", IP(src=C, dst=R) / tcp(), box.inside, box.outside, 0xFFFFFFFF).mark == 0xFFFFFFFF


def test_a_syn_to_be_intercepted_that_was_not_goes_no_further(box: Any) -> None:
    intercept = marks.DISPOSITION.put(marks.Disposition.INTERCEPT)
    assert box.run("egress", IP(src=C, dst=R) / tcp(), box.inside, box.outside, intercept).value == DROP
    assert box.states() == {}
    assert box.run("egress", IP(src=C, dst=R) / tcp(), box.inside, box.outside, SKIP).value == PASS


# What is not ours to judge


@pytest.mark.parametrize(
    "frame",
    [
        IP(src=C, dst=M, ihl=4) / tcp(),
        IP(src=C, dst=M, len=30) / tcp(),
        IP(src=C, dst=M, len=1000) / tcp(),
        IP(src=C, dst=M) / tcp(dataofs=4),
        IP(src=C, dst=M) / tcp(dataofs=15),
        IP(src=C, dst=M, version=5) / tcp(),
        IP(src=C, dst=M, proto=6),
    ],
    ids=[
        "ihl 4",
        "shorter than TCP",
        "longer than the frame",
        "doff 4",
        "doff beyond",
        "version 5",
        "no TCP",
    ],
)
def test_what_cannot_be_parsed_passes_unmarked(box: Any, frame: Any) -> None:
    run = arrives(box, frame, 0xFFFFFFFF)
    assert (run.value, run.mark) == (PASS, FOREIGN)


def test_other_protocols_pass(box: Any) -> None:
    for frame in (IPv6() / tcp(), Dot1Q(vlan=5) / IP(src=C, dst=M) / tcp()):
        octets = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / frame)
        run = box.table.programs["ingress"].run(octets, ifindex=box.outside, ingress_ifindex=box.outside)
        assert (run.value, run.mark) == (PASS, 0)


def test_options_and_padding_are_parsed_over(box: Any) -> None:
    options = IP(src=C, dst=M, options=[IPOption_NOP()] * 4) / tcp(options=[("MSS", 1460), ("NOP", None)] * 3)
    assert arrives(box, options).mark == SKIP
    bring(box, State.ESTABLISHED)
    padded = IP(src=C, dst=M, len=40) / tcp(flags="A", seq=101, ack=501) / bytes(6)
    assert arrives(box, padded).mark == SKIP  # six octets of Ethernet padding are no payload


# Fragments (row 21)


@pytest.mark.parametrize(
    ("fragment", "value"),
    [
        (IP(flags="MF", proto=6) / bytes(8), DROP),
        (IP(flags="MF", proto=6) / bytes(16), DROP),
        (IP(flags="MF") / tcp(flags="A", options=[("NOP", None)] * 4), DROP),
        (IP(flags="MF") / tcp(flags="A", dataofs=8) / bytes(4), DROP),
        (IP(flags="MF") / tcp(flags="S") / bytes(8), DROP),
        (IP(flags="MF") / tcp(flags="FA") / bytes(8), DROP),
        (IP(flags="MF") / tcp(flags="R") / bytes(8), DROP),
        (IP(flags="MF") / tcp(flags="A") / bytes(8), PASS),
        (IP(frag=1, proto=6) / bytes(16), DROP),
        (IP(frag=1, flags="MF", proto=6) / bytes(16), DROP),
        (IP(frag=2, proto=6) / bytes(16), PASS),
        (IP(frag=100, flags="MF", proto=6) / bytes(16), PASS),
        (IP(frag=1, proto=17) / bytes(16), PASS),
        (IP(flags="MF", proto=17) / bytes(8), PASS),
    ],
    ids=str,
)
def test_fragments_that_hide_the_header_or_a_flag_are_dropped(box: Any, fragment: Any, value: int) -> None:
    bring(box, State.ESTABLISHED)
    fragment.src, fragment.dst = C, M
    run = arrives(box, fragment)
    assert (run.value, marks.DISPOSITION.get(run.mark)) == (value, 0)
    fragment.dst = R
    assert box.run("egress", fragment, box.inside, box.outside).value == value


def test_no_fragment_is_skipped_even_of_a_released_connection(box: Any) -> None:
    bring(box, State.ESTABLISHED)
    box.release(key())
    first = IP(src=C, dst=M, flags="MF") / tcp(flags="A", seq=101, ack=501) / bytes(8)
    assert marks.DISPOSITION.get(arrives(box, first).mark) == 0


# The worker


def test_both_directions_of_a_connection_have_one_worker(box: Any) -> None:
    box.table.set_workers(32)
    bring(box, State.ESTABLISHED)
    seen = set()
    for port in range(2000, 2200):
        there = arrives(box, IP(src=C, dst=M) / tcp(sport=port))
        back = box.run("ingress", IP(src=R, dst=C) / tcp(sport=25, dport=port, flags="SA"), box.inside, box.inside)
        assert marks.WORKER.get(there.mark) == marks.WORKER.get(back.mark)
        seen.add(marks.WORKER.get(there.mark))
    assert seen == set(range(32))


def test_connections_of_no_static_are_spread_too(box: Any) -> None:
    box.table.set_workers(4)
    seen = set()
    for port in range(2000, 2050):
        there = arrives(box, IP(src=C, dst=ELSE) / tcp(sport=port, flags="A"))
        back = box.run("ingress", IP(src=ELSE, dst=C) / tcp(sport=25, dport=port, flags="A"), box.inside, box.inside)
        assert there.mark == back.mark
        assert there.mark & ~marks.WORKER.mask == 0
        seen.add(marks.WORKER.get(there.mark))
    assert seen == set(range(4))


def test_workers_get_about_equal_shares(box: Any) -> None:
    box.table.set_workers(4)
    shares = [0] * 4
    for port in range(10000, 10400):
        shares[marks.WORKER.get(arrives(box, IP(src=C, dst=M) / tcp(sport=port)).mark)] += 1
    assert all(70 <= share <= 130 for share in shares)


# Interfaces


def test_only_the_mapped_interface_leads_to_the_static(box: Any) -> None:
    """The real address reached from a third interface, and by the firewall itself, is not the static's business."""
    limit(box, 1)
    crossing = IP(src=C, dst=R) / tcp()
    for came_in in (box.elsewhere, 0):
        assert box.run("egress", crossing, box.inside, came_in).value == PASS
    assert (box.states(), box.use()) == ({}, (0, 0))  # an interface without a nameif: not ours
    box.table.set_limits(Limits((static(1),)), {**box.interfaces, "elsewhere": box.elsewhere})
    assert box.run("egress", crossing, box.inside, box.elsewhere).value == PASS
    assert (box.states(), box.use()) == ({Key(REAL, 25, CLIENT, 1000): State.SYN}, (0, 0))
    box.clear(Key(REAL, 25, CLIENT, 1000))
    assert box.run("egress", crossing, box.inside, box.outside).value == PASS
    assert box.use() == (1, 1)


def test_addresses_count_at_their_own_interface_only(box: Any) -> None:
    limit(box, 1)
    bring(box, State.ESTABLISHED)
    assert arrives(box, IP(src=C, dst=R) / tcp(sport=2)).value == PASS
    for number, target in enumerate((M, R)):
        run = box.run("ingress", IP(src=C, dst=target, id=number) / tcp(sport=2), box.inside, box.inside)
        assert (run.value, run.mark) == (PASS, SKIP)


@pytest.mark.parametrize("flags", ["R", "RA", "FA"])
def test_nobody_outside_gives_back_the_servers_dead_place(box: Any, flags: str) -> None:
    bring(box, State.DEAD)
    forged = IP(src=R, dst=C) / tcp(sport=25, dport=1000, flags=flags)
    assert arrives(box, forged).value == DROP
    assert (box.states(), box.use()) == ({key(): State.DEAD}, (1, 0))
    assert box.run("ingress", forged, box.inside, box.inside).value == DROP
    assert (box.states(), box.use()) == ({}, (0, 0))


def test_nobody_outside_has_us_reset_a_connection_of_the_servers(box: Any) -> None:
    box.leaves(proxied_syn())
    box.events()
    forged = IP(src=R, dst=C) / tcp(sport=25, dport=1000, flags="A", ack=300)
    assert arrives(box, forged).value == DROP
    assert box.events() == []
    assert box.run("ingress", forged, box.inside, box.inside).value == DROP
    assert isinstance(only(box.events()), Obstructed)


def test_our_own_reset_passes_a_dead_connection_and_frees_its_place(box: Any) -> None:
    bring(box, State.DEAD)
    to_client = IP(src=M, dst=C) / tcp(sport=25, dport=1000, flags="R", seq=501)
    to_server = IP(src=C, dst=R) / tcp(flags="R", seq=101)
    assert box.run("egress", to_client, box.outside, 0).value == PASS
    assert box.states() == {key(): State.DEAD}
    assert box.run("egress", to_server, box.inside, 0).value == PASS
    assert (box.states(), box.use()) == ({}, (0, 0))


# What is told of entries


def test_an_entry_as_the_table_tells_it(box: Any) -> None:
    bring(box, State.ESTABLISHED)
    box.later(5)
    for packet in (client(ACK, payload=10), server(ACK, payload=20), client(ACK | FIN, 111, 521)):
        box.arrives(packet)
        box.leaves(packet)
    box.release(key())
    [entry] = box.table.connections()
    assert entry.key == Key(MAPPED, 25, CLIENT, 1000)
    assert (entry.real, entry.state, entry.octets) == (REAL, State.HALF_CLOSED, 30)
    assert (entry.from_client, entry.from_server, entry.fin, entry.bypass) == (True, True, {Side.CLIENT}, True)
    assert abs(entry.last - entry.started - 5 * 10**9) < 10**8
    assert abs(entry.last - box.now) < 10**9


def test_refusals_are_counted_by_limit(box: Any) -> None:
    limit(box, 2, 1)
    before = box.table.counts()[0]
    box.arrives(syn(1)), box.leaves(syn(1))
    assert [box.arrives(syn(2)).name, box.arrives(syn(3)).name] == ["INTERCEPT", "INTERCEPT"]
    limit(box, 1)
    box.arrives(syn(4))
    after = box.table.counts()[0]
    assert after.refused_embryonic - before.refused_embryonic == 2
    assert after.refused_max - before.refused_max == 1


def test_a_flood_is_counted_and_told_of_once(box: Any) -> None:
    lost = box.table.lost_events()
    limit(box, 0, 1)
    box.arrives(syn(1)), box.leaves(syn(1))
    box.events()
    before = box.table.counts()[0]
    flood = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x800) / IP(src=ELSE, dst=M) / tcp()
    run = box.table.programs["ingress"].run(bytes(flood), ifindex=box.outside, repeat=10_000)
    assert marks.DISPOSITION.get(run.mark) == marks.Disposition.INTERCEPT
    assert box.table.counts()[0].refused_embryonic - before.refused_embryonic == 10_000
    assert len(box.events()) == 1
    assert box.table.lost_events() == lost


@pytest.mark.parametrize("local", [True, False], ids=["the firewall's own", "the server's"])
@pytest.mark.parametrize("cookie", [7000, 2**32 - 20, 100])
def test_a_reset_reaches_an_intercepted_client_with_the_number_it_expects(box: Any, cookie: int, local: bool) -> None:
    shift = (cookie - 500) % 2**32
    for packet in (
        client(SYN, 100, local=True),
        client(ACK, local=True),
        server(ACK, (501 + shift) % 2**32, payload=30),
    ):
        box.leaves(replace(packet, ack=cookie) if packet.opens else packet)
    number = 531 if local else (cookie + 1) % 2**32  # as the worker counts, and as conntrack leaves it
    given = IP(src=M, dst=C) / TCP(sport=25, dport=1000, flags="RA", seq=number, ack=101)
    run = box.run("egress", given, box.outside, 0 if local else box.inside)
    sent = Ether(run.frame)
    assert (run.value, sent[TCP].seq, sent[TCP].ack) == (PASS, (531 + shift) % 2**32, 101)
    whole = sent[TCP].chksum
    del sent[TCP].chksum
    assert Ether(bytes(sent))[TCP].chksum == whole
    assert box.states() == ({key(): State.ESTABLISHED} if local else {})


def test_a_server_that_refuses_an_intercepted_client_resets_it(box: Any) -> None:
    box.leaves(replace(client(SYN, 100, local=True), ack=7000))
    given = IP(src=M, dst=C) / TCP(sport=25, dport=1000, flags="RA", seq=7001, ack=101)
    assert Ether(box.run("egress", given, box.outside, box.inside).frame)[TCP].seq == 7001
    assert box.states() == {}


def test_nothing_else_is_rewritten(box: Any) -> None:
    bring(box, State.ESTABLISHED)
    for flags in ("A", "RA", "FA"):
        given = IP(src=M, dst=C) / TCP(sport=25, dport=1000, flags=flags, seq=7, ack=101)
        run = box.run("egress", given, box.outside, 0)
        assert run.frame.endswith(bytes(given))


def test_many_connections_are_told_and_swept(box: Any) -> None:
    lost = box.table.lost_events()
    for port in range(1, 1501):
        box.leaves(syn(port))
    assert len(box.states()) == 1500
    assert box.use() == (1500, 1500)
    box.later(31)
    assert box.sweep() == 1500
    assert (box.states(), box.use()) == ({}, (0, 0))
    assert [len(box.events()), len(box.events())] == [EVENTS, 3000 - EVENTS], "so many at once, and none lost"
    assert box.table.lost_events() == lost


def test_a_reset_flag_with_a_syn_opens_nothing(box: Any) -> None:
    for flags in (SYN | RST, SYN | RST | ACK, SYN | FIN | RST):
        box.leaves(client(flags, 100, 0))
    assert box.states() == {}
