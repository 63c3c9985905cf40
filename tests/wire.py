"""Packets for tests, and a connection through a Datapath: what either side sends, and what its peer gets."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from appliance.config.inspections import Inspection
from appliance.datapath.counters import ENGINE
from appliance.datapath.datapath import Datapath
from appliance.datapath.effects import Accept, Drop, Effect, Modify, SendSack
from appliance.flow import Side
from appliance.marks import CLASS
from appliance.policy.counters import BLOCK
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import ClassMap, InspectMap, MatchAny
from appliance.tcp.segment import ACK, FIN, SYN, Segment, checksum, read

CLIENT, SERVER = Side.CLIENT, Side.SERVER
MARK = CLASS.put(1)
MS = 1_000_000
SECOND = 1_000 * MS
INTERFACES = {2: "outside", 3: "inside"}


def packet(
    source: tuple[str, int],
    target: tuple[str, int],
    seq: int = 0,
    ack: int = 0,
    flags: int = ACK,
    payload: bytes = b"",
    options: bytes = b"",
    ip_options: bytes = b"",
    urgent: int = 0,
    fragment: int = 0x4000,
    identification: int = 1,
) -> bytes:
    """An IPv4 packet with right checksums. Options must be padded to four octets."""
    pseudo = _address(source) + _address(target)
    tcp = struct.pack(
        "!HHIIBBHHH", source[1], target[1], seq % 2**32, ack % 2**32, (20 + len(options)) << 2, flags, 65_535, 0, urgent
    )
    tcp += options + payload
    summed = checksum(pseudo + b"\0\x06" + len(tcp).to_bytes(2, "big") + tcp)
    tcp = tcp[:16] + summed.to_bytes(2, "big") + tcp[18:]
    header = 20 + len(ip_options)
    ip = struct.pack("!BBHHHBBH", 0x40 | header >> 2, 0, header + len(tcp), identification, fragment, 64, 6, 0)
    ip += pseudo + ip_options
    return ip[:10] + checksum(ip).to_bytes(2, "big") + ip[12:] + tcp


def _address(end: tuple[str, int]) -> bytes:
    return bytes(int(part) for part in end[0].split("."))


def segment(octets: bytes) -> Segment:
    """The segment in a packet that has one."""
    found = read(octets)
    assert isinstance(found, Segment), found
    return found


def engine(inspector: Any = None, inspect_map: InspectMap = DEFAULT_MAP, **options: Any) -> Datapath:
    """A Datapath with one class and counters of its own."""
    inspection = Inspection(1, None, "global_policy", ClassMap("mail", MatchAny()), inspect_map)
    if inspector is not None:
        options["inspector"] = inspector
    return Datapath({1: inspection}, INTERFACES, {1: [0] * BLOCK}, [0] * len(ENGINE), 0, **options)


def count(datapath: Datapath, name: str) -> int:
    """One of the engine's counters."""
    return datapath._count[ENGINE.index(name)]


@dataclass
class Wire:
    """One connection through `datapath`. Offsets are of the stream; handles count up from `handle`."""

    datapath: Datapath
    client: tuple[str, int] = ("203.0.113.10", 40_000)
    server: tuple[str, int] = ("192.0.2.25", 25)
    client_isn: int = 1_000
    server_isn: int = 9_000
    cookie: int = 0  # what the client's acknowledgments are ahead: SYNPROXY numbered the server's stream for it
    handle: int = 0
    now: int = 0
    sent: dict[int, bytes] = field(default_factory=dict)  # by handle
    verdicts: dict[int, Effect] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)  # that are no verdicts
    told: list[SendSack] = field(default_factory=list)
    order: list[int] = field(default_factory=list)  # handles in the order they went on
    acked: dict[Side, int] = field(default_factory=lambda: {CLIENT: 0, SERVER: 0})  # of that side's stream

    def first(self, side: Side) -> int:
        return (self.client_isn if side is CLIENT else self.server_isn) + 1

    def make(self, side: Side, at: int = 0, payload: bytes = b"", flags: int = ACK, **more: Any) -> bytes:
        """What `side` sends of its stream at offset `at`."""
        ends = (self.client, self.server) if side is CLIENT else (self.server, self.client)
        ack = more.pop("ack", self.first(side.peer) + self.acked[side.peer] + (self.cookie if side is CLIENT else 0))
        return packet(*ends, self.first(side) + at, ack, flags, payload, **more)

    def give(self, octets: bytes, side: Side, mark: int = MARK) -> list[Effect]:
        """Hand a packet to the engine; the effects, verdicts booked."""
        self.handle += 1
        self.sent[self.handle] = octets
        indev, outdev = (2, 3) if side is CLIENT else (3, 2)
        return self.book(self.datapath.packet(self.handle, octets, mark, indev, outdev, self.now))

    def book(self, effects: list[Effect]) -> list[Effect]:
        for each in effects:
            if isinstance(each, Accept | Modify | Drop):
                assert each.handle not in self.verdicts, f"two verdicts for {each.handle}"
                self.verdicts[each.handle] = each
                if isinstance(each, Modify):
                    assert len(each.packet) == len(self.sent[each.handle])
                    assert segment(each.packet).intact()
                if not isinstance(each, Drop):
                    self.order.append(each.handle)
            else:
                self.effects.append(each)
        self.told += self.datapath.tell()
        return effects

    def send(self, side: Side, at: int = 0, payload: bytes = b"", flags: int = ACK, **more: Any) -> list[Effect]:
        return self.give(self.make(side, at, payload, flags, **more), side)

    def open(self, options: bytes = b"") -> Wire:
        """The handshake as a worker sees it: its SYN-ACK, with TCP options."""
        ends = (self.server, self.client)
        self.give(packet(*ends, self.server_isn, self.client_isn + 1, SYN | ACK, options=options), SERVER)
        return self

    def tick(self, now: int) -> list[Effect]:
        self.now = now
        return self.book(self.datapath.tick(now))

    def went(self, handle: int) -> bytes | None:
        """The packet as it went on, None if it did not (yet)."""
        verdict = self.verdicts.get(handle)
        if isinstance(verdict, Modify):
            return verdict.packet
        return self.sent[handle] if isinstance(verdict, Accept) else None

    def got(self, side: Side) -> bytes:
        """The stream of `side` as its peer put it together: octets of the first arrival, up to the first hole."""
        octets: dict[int, int] = {}
        source = (self.client if side is CLIENT else self.server)[1]
        for handle in self.order:
            each = segment(self.went(handle) or b"")
            if int.from_bytes(each.packet[each.tcp : each.tcp + 2], "big") != source or each.flags & SYN:
                continue
            at = (each.seq - self.first(side) + 2**31) % 2**32 - 2**31
            for offset, octet in enumerate(each.payload, at):
                octets.setdefault(offset, octet)
        end = 0
        while end in octets:
            end += 1
        return bytes(octets[offset] for offset in range(end))

    def talk(self, lines: Sequence[tuple[Side, bytes]]) -> Wire:
        """A conversation, each line one packet, acknowledged by the next of its peer."""
        at = {CLIENT: 0, SERVER: 0}
        for side, octets in lines:
            self.acked[side.peer] = at[side.peer]
            self.send(side, at[side], octets)
            at[side] += len(octets)
        return self

    def close(self, side: Side, at: int) -> list[Effect]:
        return self.send(side, at, flags=ACK | FIN)
