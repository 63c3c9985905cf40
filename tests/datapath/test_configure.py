"""Another configuration: a connection is under the generation its mark names, for as long as it lives."""

from dataclasses import replace

from appliance.config.inspections import Inspection
from appliance.datapath.datapath import LIFETIMES
from appliance.flow import Side
from appliance.marks import CLASS, GENERATION
from appliance.policy.counters import BLOCK, Slot
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Banner, ClassMap, InspectMap, MatchAny
from appliance.tcp.segment import ACK, SYN
from tests.wire import INTERFACES, SERVER, Wire, count, engine, packet

UNMASKED = replace(DEFAULT_MAP, parameters=replace(DEFAULT_MAP.parameters, banner=Banner.OFF))
OLD, NEW = 1 << CLASS.width | 1, 2 << CLASS.width | 1  # class 1 of two generations
GREETING = b"220 mail\r\n"


def inspection(inspect_map: InspectMap) -> Inspection:
    return Inspection(1, None, "global_policy", ClassMap("mail", MatchAny()), inspect_map)


def begun(wire: Wire, generation: int) -> Wire:
    mark = CLASS.put(1) | GENERATION.put(generation)
    wire.give(packet(wire.server, wire.client, wire.server_isn, wire.client_isn + 1, SYN | ACK), SERVER, mark)
    return wire


def greeted(wire: Wire) -> bytes:
    wire.send(SERVER, 0, GREETING)
    return wire.got(Side.SERVER)


def test_new_connections_are_under_the_generation_of_their_mark_and_living_ones_under_their_own() -> None:
    datapath = engine()
    blocks = {OLD: [0] * BLOCK, NEW: [0] * BLOCK}
    datapath.configure({OLD: inspection(DEFAULT_MAP)}, INTERFACES, blocks, LIFETIMES)
    living = begun(Wire(datapath, ("203.0.113.10", 40_000)), 1)
    both = {OLD: inspection(DEFAULT_MAP), NEW: inspection(UNMASKED)}
    datapath.configure(both, INTERFACES, blocks, LIFETIMES)
    late = begun(Wire(datapath, ("203.0.113.10", 40_001)), 1)  # its SYN went before the reload, its SYN-ACK after
    new = begun(Wire(datapath, ("203.0.113.10", 40_002)), 2)
    assert [greeted(each) for each in (late, new)] == [b"220 ****\r\n", GREETING]
    datapath.configure({NEW: inspection(UNMASKED)}, INTERFACES, {NEW: blocks[NEW]}, LIFETIMES)
    assert greeted(living) == b"220 ****\r\n"
    assert (blocks[OLD][Slot.PACKET], blocks[NEW][Slot.PACKET]) == (2, 1)


def test_a_generation_that_is_gone_begins_nothing() -> None:
    datapath = engine()
    datapath.configure({NEW: inspection(UNMASKED)}, INTERFACES, {NEW: [0] * BLOCK}, LIFETIMES)
    begun(Wire(datapath), 1)
    assert count(datapath, "unknown_classes") == 1
    assert len(datapath) == 0
