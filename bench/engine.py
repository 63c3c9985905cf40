"""What the engine costs without a kernel: the packets of whole sessions through a Datapath, again and again.

CPU time, the least of several runs, is what a busy machine disturbs least. Bytecodes are exact: they depend on the
code and the packets alone, so two versions can be compared anywhere; one is some 65 machine instructions.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import appliance
from appliance.datapath.datapath import Datapath
from appliance.policy.actions import Action
from appliance.tcp.segment import ACK, FIN, SYN, read
from bench.instructions import Instructions
from tests.wire import CLIENT, MARK, SERVER, Wire, engine, packet

SESSIONS = 500
TRACED = 20  # of them, for the bytecodes
IDLE = 10_000
RUNS = 5

_BODY = (b"x" * 76 + b"\r\n") * 52
#: One mail of 4 kB as Postfix sends it, a packet a line: with SYN-ACK and both FINs 17 are queued.
DIALOGUE = (
    (SERVER, b"220 mail.inside.example ESMTP\r\n"),
    (CLIENT, b"EHLO client.outside.example\r\n"),
    (
        SERVER,
        b"250-mail.inside.example\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n250 DSN\r\n",
    ),
    (CLIENT, b"MAIL FROM:<a@outside.example>\r\n"),
    (SERVER, b"250 2.1.0 Ok\r\n"),
    (CLIENT, b"RCPT TO:<b@inside.example>\r\n"),
    (SERVER, b"250 2.1.5 Ok\r\n"),
    (CLIENT, b"DATA\r\n"),
    (SERVER, b"354 End data with <CR><LF>.<CR><LF>\r\n"),
    (CLIENT, b"Subject: x\r\nFrom: <a@outside.example>\r\n\r\n" + _BODY),
    (CLIENT, b".\r\n"),
    (SERVER, b"250 2.0.0 Ok\r\n"),
    (CLIENT, b"QUIT\r\n"),
    (SERVER, b"221 Bye\r\n"),
)
_GREETED = 3  # lines of it, and the connection idles

#: What the queue gives: octets, and the indices of the interfaces it came and goes by.
Queued = tuple[bytes, int, int]


class _Silent:
    """In the inspector's place: all octets pass."""

    def __init__(self, *_: object) -> None:
        pass

    def inspect(self, *_: object) -> Sequence[Action]:
        return ()

    def finish(self, *_: object) -> Sequence[Action]:
        return ()

    def stalled(self) -> Sequence[Action]:
        return ()


def main() -> int:
    """Measure and print."""
    sessions = [list(session(number)) for number in range(SESSIONS)]
    packets = [each for every in sessions for each in every]
    print(
        f"{SESSIONS} sessions of a 4 kB mail, {len(packets) / SESSIONS:.0f} queued packets each; least of {RUNS} runs"
    )
    print(f"\n{'stage':34}{'µs a packet':>14}{'µs a mail':>12}")
    stages: dict[str, Callable[[], object]] = {
        "headers read": lambda: [read(octets) for octets, _, _ in packets],
        "and TCP, nothing inspected": lambda: _run(engine(_Silent), packets),
        "and ESMTP inspected": lambda: _run(engine(), packets),
    }
    for name, stage in stages.items():
        took = min(_cpu_time(stage) for _ in range(RUNS)) / 1000
        print(f"{name:34}{took / len(packets):14.1f}{took / SESSIONS:12.0f}")
    executed, calls = bytecodes(sessions[:TRACED])
    traced = sum(len(each) for each in sessions[:TRACED])
    print(f"\n{'bytecodes a packet':34}{sum(executed.values()) / traced:14.0f}")
    print(f"{'calls a packet':34}{calls / traced:14.1f}")
    for name, number in executed.most_common(20):
        print(f"  {name:32}{number / traced:14.0f}")
    print(f"\n{'packet':34}{'instructions':>14}")
    for name, number in zip(_names(), instructions(sessions), strict=True):
        print(f"  {name:32}{number:14,.0f}")
    print(f"\nan idle connection, of {IDLE}: {idle_octets(IDLE):.0f} octets")
    return 0


def session(number: int, lines: int = len(DIALOGUE)) -> Iterator[Queued]:
    """The packets of one session that are queued; of a whole one with its end."""
    ends = (("203.0.113.10", 1024 + number % 60_000), (f"192.0.2.{25 + number // 60_000}", 25))
    wire = Wire(engine(_Silent), *ends, client_isn=number * 7919, server_isn=number * 104729)
    yield packet(ends[1], ends[0], wire.server_isn, wire.client_isn + 1, SYN | ACK), 3, 2
    sent = {CLIENT: 0, SERVER: 0}
    for side, octets in DIALOGUE[:lines]:
        wire.acked[side.peer] = sent[side.peer]
        yield wire.make(side, sent[side], octets), *((2, 3) if side is CLIENT else (3, 2))
        sent[side] += len(octets)
    if lines == len(DIALOGUE):
        wire.acked |= sent
        yield wire.make(CLIENT, sent[CLIENT], b"", ACK | FIN), 2, 3
        yield wire.make(SERVER, sent[SERVER], b"", ACK | FIN), 3, 2


def bytecodes(sessions: Sequence[Sequence[Queued]]) -> tuple[Counter[str], int]:
    """By module of ours, how many bytecodes the packets take, and how many calls; once everything is warm."""
    executed: Counter[str] = Counter()
    calls = 0
    root = f"{Path(appliance.__file__).parent}/"

    def entered(frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any] | None:
        nonlocal calls
        name = frame.f_code.co_filename
        if not name.startswith(root) and name != "<string>":  # which is what dataclasses make
            return None
        calls += 1
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        module = name.removeprefix(root)

        def step(_frame: FrameType, event: str, _argument: Any) -> Any:
            executed[module] += event == "opcode"
            return step

        return step

    packets = [each for every in sessions for each in every]
    _run(engine(), packets)
    datapath = engine()
    sys.settrace(entered)
    try:
        _run(datapath, packets)
    finally:
        sys.settrace(None)
    return executed, calls


def instructions(sessions: Sequence[Sequence[Queued]]) -> Iterator[float]:
    """The machine instructions of each packet of a session, on average; 0 where the machine does not count them."""
    datapath, half = engine(), len(sessions) // 2
    for each in sessions[:half]:  # until everything is warm
        _run(datapath, each)
    counter = Instructions(0, own=True)
    for packets in zip(*sessions[half:], strict=True):
        before = counter.so_far()
        _run(datapath, packets)
        yield (counter.so_far() - before) / len(packets)
    counter.close()


def _names() -> list[str]:
    """What the packets of a session are."""
    lines = [f"{side.value}: {octets[:20].decode().splitlines()[0]}" for side, octets in DIALOGUE]
    return ["server: SYN-ACK", *lines, "client: FIN", "server: FIN"]


def idle_octets(connections: int) -> float:
    """What one more connection costs that has greeted and idles."""
    _run(engine(), list(session(0, _GREETED)))
    packets = [list(session(number, _GREETED)) for number in range(connections)]
    datapath = engine()
    tracemalloc.start()
    try:
        for each in packets:
            for octets, indev, outdev in each:
                datapath.packet(0, bytes(bytearray(octets)), MARK, indev, outdev, 0)  # a copy, as the queue gives one
        return tracemalloc.get_traced_memory()[0] / connections
    finally:
        tracemalloc.stop()


def _run(datapath: Datapath, packets: Sequence[Queued]) -> None:
    for handle, (octets, indev, outdev) in enumerate(packets):
        datapath.packet(handle, octets, MARK, indev, outdev, handle)


def _cpu_time(work: Callable[[], object]) -> int:
    began = time.process_time_ns()
    work()
    return time.process_time_ns() - began
