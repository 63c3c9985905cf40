"""A firewall's configuration and what it knows, as the tests of show, metrics and the command line share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from appliance.config.config import Config
from appliance.config.load import load
from appliance.datapath.snapshot import DeviceUse, Snapshot
from appliance.flow import Side
from appliance.nat.connection import Connection, Key, State
from appliance.policy.counters import BLOCK, MATCHES_BASE, Slot
from appliance.policy.maps import Parameters

SECOND = 1_000_000_000
NOW = 10_000 * SECOND
REAL = IPv4Address("192.0.2.25")
MAPPED = IPv4Address("203.0.113.125")

#: The lab's network with the seed's policy but for the exemption.
EXAMPLE = (Path(__file__).parents[1] / "examples" / "mail.cfg").read_text(encoding="ascii")


def configured(text: str) -> Config:
    """The configuration of a good rule file."""
    config = load(text).config
    assert config is not None
    return config


PLAIN = configured(EXAMPLE.replace(" class ironport_esa\n  no inspect esmtp\n", ""))


def block(slots: Mapping[Slot, int], matches: Mapping[int, int]) -> tuple[int, ...]:
    """A counter block; `matches` by place in the map, from 0."""
    counts = [0] * BLOCK
    for slot, count in slots.items():
        counts[slot] = count
    for index, count in matches.items():
        counts[MATCHES_BASE + index] = count
    return tuple(counts)


#: The numbers of the seed's listing.
SEED = Snapshot(
    now=NOW, inspections={1: block({Slot.PACKET: 104468, Slot.MASK_BANNER: 639}, {3: 41, 6: 2555})}, most_used=60
)

#: The lab's example with a second class on an interface of its own, under a map of its own.
TWO = configured(
    EXAMPLE
    + """
policy-map type inspect esmtp strict
 parameters
  no mask-banner
 match cmd line length gt 100
  reset log
 match not ehlo-reply-parameter size
  mask
class-map submission
 match port tcp eq 587
policy-map outside_policy
 class submission
  inspect esmtp strict
service-policy outside_policy interface outside
"""
)
TWO_COUNTS = replace(
    SEED,
    inspections={
        1: block({Slot.PACKET: 7, Slot.DROP: 2, Slot.RESET_DROP: 1}, {}),
        2: block(
            {Slot.PACKET: 9, Slot.MASK_BANNER: 3, Slot.ALLOW_TLS: 4, Slot.MAIL_RELAY: 5, Slot.SPECIAL_CHARACTER: 6},
            {0: 3, 1: 5},
        ),
    },
)


#: Three interfaces, of which the first has a device.
HARDWARE = configured(
    """ASA Version 8.2(5)
hostname edge
interface GigabitEthernet0/0
 description to the world
 hardware eth0
 nameif outside
 ip address 203.0.113.1 255.255.255.0
interface GigabitEthernet0/1
 hardware eth1
 nameif inside
interface GigabitEthernet0/2
 shutdown
"""
)

#: A device of which every number is another.
ETH0 = DeviceUse(
    name="eth0",
    kind="virtio_net",
    address="52:54:00:0d:da:4c",
    mtu=1500,
    up=True,
    carrier=True,
    speed=10000,
    duplex="full",
    packets_in=107,
    octets_in=35506,
    multicast_in=12,
    errors_in=9,
    bad_length=2,
    bad_checksum=3,
    bad_frame=4,
    overrun=5,
    missed=1,
    dropped_in=13,
    packets_out=6,
    octets_out=612,
    errors_out=8,
    underrun=7,
    dropped_out=14,
    collisions=10,
)


def under(parameters: Parameters) -> Config:
    """`TWO` with other parameters in the second class's map."""
    (strict,) = TWO.inspect_maps
    return replace(TWO, inspect_maps=(replace(strict, parameters=parameters),))


def connection(
    state: State,
    port: int = 40000,
    client: str = "203.0.113.10",
    uptime: int = 7,
    idle: int = 3,
    octets: int = 0,
    sent: frozenset[Side] = frozenset(),
    fin: frozenset[Side] = frozenset(),
    inspected: bool = False,
) -> Connection:
    """An entry of the kernel's table, `uptime` and `idle` in seconds."""
    return Connection(
        Key(MAPPED, 25, IPv4Address(client), port),
        REAL,
        state,
        NOW - uptime * SECOND,
        NOW - idle * SECOND,
        octets,
        Side.CLIENT in sent,
        Side.SERVER in sent,
        fin,
        inspected=inspected,
    )
