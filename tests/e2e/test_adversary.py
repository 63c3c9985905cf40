"""A client that lies to TCP against a real Linux server: it reads nothing that inspection did not release."""

from collections.abc import Iterator

import pytest

from appliance.control.protocol import ShowAsp
from tests.appliances import EXAMPLE
from tests.e2e.adversary import EHLO
from tests.e2e.arena import Arena
from tests.e2e.attacks import ATTACKS, FORBIDDEN, OF_INTERFACES
from tests.e2e.firewall import Firewall, under
from tests.ground import eventually

pytestmark = pytest.mark.root

MULTIPATH, FAST_OPEN = 30, 34
AT_ONCE = 6  # attacks are silence for the most part, and each other's noise


@pytest.fixture(scope="module")
def ring(standing: Firewall) -> Iterator[Arena]:
    """One firewall for all attacks."""
    with under(standing, EXAMPLE, Arena) as made:
        made.start()
        yield made


@pytest.mark.parametrize("name", ATTACKS)
def test_the_server_reads_only_what_was_released(ring: Arena, name: str) -> None:
    allowed, packets = ring.run(name, beside=AT_ONCE)
    syn_acks = [each for each in packets if each[20:22] == b"\0\x19" and each[33] & 0x3F == 0x12]
    assert syn_acks, "it did happen"
    assert not [each for each in syn_acks if _kinds(each) & {MULTIPATH, FAST_OPEN}], "agreed on"
    assert eventually(lambda: ring.received(name) in allowed, 5), ring.received(name)
    assert ring.received(name).startswith(EHLO)
    assert not [each for each in FORBIDDEN if each in ring.received(name)]


@pytest.mark.parametrize("name", sorted(OF_INTERFACES))
@pytest.mark.parametrize("alone", ["the reverse path", "the worker"])
def test_either_defence_alone_keeps_a_forged_reply_out(ring: Arena, name: str, alone: str) -> None:
    rule = ("FIXUP_FROM_outside0", "-m", "rpfilter", "--invert", "-j", "DROP")
    attempt = 1 + (alone == "the worker")
    dropped, before = reverse_path(ring), seen_elsewhere(ring)
    if alone == "the worker":
        ring.ground.run("firewall", "iptables", "-t", "raw", "-D", *rule)
    try:
        allowed, _ = ring.run(name, attempt)
        seen = seen_elsewhere(ring) - before
        if alone == "the worker":
            assert seen == 1, "it came that far"
        else:
            assert (seen, reverse_path(ring) - dropped) == (0, 1), "the worker did not see it"
    finally:
        if alone == "the worker":
            ring.ground.run("firewall", "iptables", "-t", "raw", "-I", *rule)
    assert eventually(lambda: ring.received(name, attempt) in allowed, 5), ring.received(name, attempt)


def reverse_path(ring: Arena) -> int:
    """Packets that are not routed back by where they came in, dropped outside."""
    listed = ring.ground.run("firewall", "iptables", "-t", "raw", "-vxnL", "FIXUP_FROM_outside0")
    return sum(int(line.split()[0]) for line in listed.splitlines() if "rpfilter" in line)


def seen_elsewhere(ring: Arena) -> int:
    """Packets that the worker dropped because of where they came in."""
    return sum(each.count for each in ring.answer(ShowAsp()).frames if each.reason == "tcp-wrong-interface")


def _kinds(packet: bytes) -> set[int]:
    """The kinds of the TCP options."""
    options, at, kinds = packet[40 : 20 + (packet[32] >> 4) * 4], 0, set()
    while at < len(options):
        kinds.add(options[at])
        at += 1 if options[at] < 2 else options[at + 1]
    return kinds
