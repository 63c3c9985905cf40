"""A client that lies to TCP against a real Linux server: it reads nothing that inspection did not release."""

from collections.abc import Iterator

import pytest

from tests.e2e.adversary import EHLO
from tests.e2e.arena import Arena, arena
from tests.e2e.attacks import ATTACKS, FORBIDDEN
from tests.e2e.box import eventually

pytestmark = pytest.mark.root

MULTIPATH, FAST_OPEN = 30, 34


@pytest.fixture(scope="module")
def ring() -> Iterator[Arena]:
    """One firewall for all attacks."""
    with arena("fxa") as made:
        yield made


@pytest.mark.parametrize("name", ATTACKS)
def test_the_server_reads_only_what_was_released(ring: Arena, name: str) -> None:
    allowed, packets = ring.run(name)
    syn_acks = [each for each in packets if each[20:22] == b"\0\x19" and each[33] & 0x3F == 0x12]
    assert syn_acks, "it did happen"
    assert not [each for each in syn_acks if _kinds(each) & {MULTIPATH, FAST_OPEN}], "agreed on"
    assert eventually(lambda: ring.received(name) in allowed, 5), ring.received(name)
    assert ring.received(name).startswith(EHLO)
    assert not [each for each in FORBIDDEN if each in ring.received(name)]


def _kinds(packet: bytes) -> set[int]:
    """The kinds of the TCP options."""
    options, at, kinds = packet[40 : 20 + (packet[32] >> 4) * 4], 0, set()
    while at < len(options):
        kinds.add(options[at])
        at += 1 if options[at] < 2 else options[at + 1]
    return kinds
