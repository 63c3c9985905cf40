"""Captured packets through the firewall's own datapath, offline: what it would have done with them.

Packets go in file order, their timestamps are the clock (one earlier than the last counts as the last). There is no
NAT and no kernel: a plain SYN, a pure ACK, which the kernel would keep, are seen and change nothing; fragments are
not put together, so of an inspected connection they are dropped.

`replay` is the whole interface; its result is `report.Report`.
Source: design §4.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableSequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import assert_never

from appliance.config.config import Config
from appliance.config.inspections import Inspection
from appliance.datapath.counters import ENGINE, LEFT_ALONE, UNKNOWN_FLOWS
from appliance.datapath.datapath import Datapath
from appliance.datapath.effects import Accept, Drop, Effect, Emit, Kill, Modify, Release, SendReset
from appliance.marks import CLASS
from appliance.policy.counters import BLOCK
from appliance.policy.maps import InspectMap
from appliance.replay.capture import CaptureError, Frame, Writer, frames
from appliance.replay.classes import SMTP, Classes
from appliance.replay.report import ConversationReport, Report
from appliance.replay.transcript import Transcript
from appliance.syslog import render
from appliance.tcp.connection import MAX_WAIT, reverse
from appliance.tcp.segment import ACK, SYN, Segment, read, with_ip_checksum

_TCP = b"\x06"

#: Log records that are kept; those beyond are not.
MAX_RECORDS = 100_000


def replay(
    paths: Iterable[Path],
    config: Config | None = None,
    port: int = SMTP,
    verify_checksums: bool = False,
    out: Path | None = None,
) -> Report:
    """Replay the captures `paths`, in their order, as one.

    Without `config` connections to `port` are under the default inspect map; with it its classes decide. What would
    have gone on is written to `out` as raw IPv4, readable by its owner alone. A file that is no capture, or ceases to
    be one, ends there and is told in `Report.faults`. OSError if `out` can't be written.
    """
    writer = Writer(out) if out is not None else None
    try:
        run = _Run(Classes(config, port), verify_checksums, writer)
        for path in paths:
            try:
                for frame in frames(path):
                    run.frame(frame)
            except CaptureError as error:
                run.faults.append(str(error))
        return run.report()
    finally:
        if writer is not None:
            writer.close()


class _Conversation:
    """A connection in the making of its report."""

    def __init__(self, key: bytes, started: int, inspection: str | None, why: str = "") -> None:
        self.key = key
        self.started = started
        self.inspection = inspection
        self.why = why
        self.packets = 0
        self.transcript: Transcript | None = None

    def report(self) -> ConversationReport:
        notes = self.transcript
        return ConversationReport(
            client=_end(self.key[0:4], self.key[8:10]),
            server=_end(self.key[4:8], self.key[10:12]),
            started=self.started,
            inspection=self.inspection,
            why=self.why,
            packets=self.packets,
            entries=tuple(notes.entries) if notes else (),
            omitted=notes.omitted if notes else 0,
            masked=notes.masked if notes else 0,
            messages=tuple(notes.messages) if notes else (),
        )


class _Run:
    """One replay: the state between two frames."""

    def __init__(self, classes: Classes, verify_checksums: bool, writer: Writer | None) -> None:
        self._classes = classes
        self._verify = verify_checksums
        self._writer = writer
        self._engine = [0] * len(ENGINE)
        numbered = classes.by_number
        blocks = {number: [0] * BLOCK for number in numbered}
        self._datapath = Datapath(numbered, classes.interfaces, blocks, self._engine, 0, inspector=self._transcribe)
        self._now = 0
        self._all: list[_Conversation] = []
        self._latest: dict[bytes, _Conversation] = {}  # by the client's key
        self._inspected: dict[bytes, Inspection | None] = {}  # by the client's key
        self._pairs: set[bytes] = set()  # addresses between which something is inspected
        self._key = b""  # of the packet in hand
        self._packets = self._passed = self._modified = self._dropped = self._ignored = self._wrong = 0
        self._records: list[str] = []
        self.faults: list[str] = []

    def frame(self, frame: Frame) -> None:
        """One frame of a capture."""
        self._packets += 1
        self._elapse(max(frame.time, self._now))
        packet = frame.packet
        if packet is None:
            self._ignored += 1
            return
        segment = read(packet)
        if isinstance(segment, Segment):
            self._segment(segment)
        elif packet[12:20] in self._pairs and packet[9:10] == _TCP:
            self._perform(self._datapath.packet(None, packet, 0, 0, 0, self._now))  # it says why it drops it
        else:
            self._pass(packet)

    def report(self) -> Report:
        """All frames were read: what waits is dropped, as it would have been."""
        self._elapse(self._now + 2 * MAX_WAIT)
        return Report(
            packets=self._packets,
            passed=self._passed,
            modified=self._modified,
            dropped=self._dropped,
            ignored=self._ignored,
            wrong_checksums=self._wrong,
            conversations=tuple(each.report() for each in self._all),
            records=tuple(self._records),
            engine={name: value for name, value in zip(ENGINE, self._engine, strict=True) if value},
            faults=tuple(self.faults),
            written=self._passed if self._writer else None,
        )

    def _elapse(self, now: int) -> None:
        """The clock goes on to `now`, stopping where something that waits is due."""
        while self._datapath.waiting and self._datapath.next_deadline <= now:
            self._now = max(self._now, self._datapath.next_deadline)
            self._perform(self._datapath.tick(self._now))
        self._now = now
        if self._datapath.next_deadline <= now:
            self._perform(self._datapath.tick(now))

    def _segment(self, segment: Segment) -> None:
        key = self._key = self._client_key(segment)
        inspection = self._inspection(key)
        if inspection is None or not inspection.number:
            if inspection is not None and segment.flags & SYN and key not in self._latest:
                self._begin(None, f"exempt by class {inspection.class_map.name}")
            self._pass(segment.packet)
            return
        if not segment.intact():
            self._wrong += 1
            if self._verify:
                self._dropped += 1
                return
        client, server = IPv4Address(key[0:4]), IPv4Address(key[4:8])
        devices = self._classes.device(client, False), self._classes.device(server, True)
        indev, outdev = devices if segment.key == key else devices[::-1]
        mark = CLASS.put(inspection.number)
        strangers = self._strangers()
        effects = self._datapath.packet(segment, segment.packet, mark, indev, outdev, self._now)
        if key not in self._latest and self._strangers() > strangers:
            self._begin(None, "its beginning is not in the capture")
        if key in self._latest:
            self._latest[key].packets += 1
        self._perform(effects)

    def _strangers(self) -> int:
        return self._engine[UNKNOWN_FLOWS] + self._engine[LEFT_ALONE]

    def _client_key(self, segment: Segment) -> bytes:
        """The tuple as the client writes it: a SYN says who that is, else what is known, else the higher port."""
        key = segment.key
        back = reverse(key)
        if segment.flags & SYN:
            return back if segment.flags & ACK and key not in self._latest else key  # a client's is none
        if key in self._latest or back in self._latest:
            return key if key in self._latest else back
        return key if key[8:10] >= key[10:12] else back

    def _inspection(self, key: bytes) -> Inspection | None:
        if key not in self._inspected:
            ports = int.from_bytes(key[8:10], "big"), int.from_bytes(key[10:12], "big")
            found = self._classes.of(IPv4Address(key[0:4]), ports[0], IPv4Address(key[4:8]), ports[1])
            self._inspected[key] = found
            if found is not None and found.number:
                self._pairs |= {key[0:8], key[4:8] + key[0:4]}
        return self._inspected[key]

    def _begin(self, inspection: str | None, why: str = "") -> _Conversation:
        conversation = _Conversation(self._key, self._now, inspection, why)
        self._latest[self._key] = conversation
        self._all.append(conversation)
        return conversation

    def _transcribe(self, inspect_map: InspectMap, counters: MutableSequence[int]) -> Transcript:
        """A connection is adopted: the inspector it gets."""
        inspection = self._inspected[self._key]
        conversation = self._begin(inspection.class_map.name if inspection else None)
        conversation.transcript = Transcript(inspect_map, counters)
        return conversation.transcript

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Accept(segment):
                    self._pass(with_ip_checksum(segment.finished(), segment.tcp))
                case Modify(segment, packet):
                    self._modified += 1
                    self._pass(with_ip_checksum(packet, segment.tcp))
                case Drop():
                    self._dropped += 1
                case Emit(record):
                    if len(self._records) < MAX_RECORDS:
                        self._records.append(render(record))
                case Kill() | Release() | SendReset():
                    pass  # there is no kernel
                case _:
                    assert_never(effect)

    def _pass(self, packet: bytes) -> None:
        self._passed += 1
        if self._writer is not None:
            self._writer.write(self._now, packet)


def _end(address: bytes, port: bytes) -> str:
    return f"{IPv4Address(address)}/{int.from_bytes(port, 'big')}"
