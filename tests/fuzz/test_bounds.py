"""The work for an octet is bounded, whatever the octets: counted, never timed.

Two things are counted. Calls, Python's and the interpreter's own, over every segment: a loop that grows with what came
before would show in them. And the octets that methods of `bytes` look at or copy, counted by octets that count
themselves: a search begun again and again over the same text would show there, though it is one call each time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from appliance.flow import Side
from appliance.policy.counters import BLOCK
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.inspector import Inspector
from appliance.policy.maps import Deed, Expression, InspectMap, Match, Reaction
from tests.playbook import HELLO, IN_MESSAGE, Sent

MEGABYTE = 1 << 20
DIALOGUE, FINE, FINER = 1 << 15, 1 << 14, 1 << 13
PACKET, SUPER_PACKET = 1_448, 65_160

NO_LIMITS = InspectMap("no limits")
#: Every part is put to a line.
FILE_TYPES = InspectMap(
    "file types",
    matches=(Match("mime-filetype", Reaction(Deed.LOG, log=True), expression=Expression("exe", patterns=("exe",))),),
)
HEAD = b"Subject: x\r\n\r\n"
MULTIPART = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def repeated(octets: bytes, length: int = MEGABYTE) -> bytes:
    return (octets * (length // len(octets) + 1))[:length]


def nested() -> bytes:
    """Multiparts in multiparts, each with a boundary of its own."""
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth) for depth in range(20_000)
    )[:MEGABYTE]


#: What a client sends in a message: no loop of ours runs for a line of it, nor for an octet.
BULK = {
    "no line end": repeated(b"x"),
    "no line end in a body": HEAD + repeated(b"x"),
    "all dots": repeated(b"."),
    "all dots in lines": HEAD + repeated(b"..\r\n"),
    "all headers": repeated(b"a: b\r\n"),
    "one folded header": b"Subject: x\r\n" + repeated(b" x\r\n"),
    "empty lines": HEAD + repeated(b"\r\n"),
    "all CR": repeated(b"\r"),
    "all LF": repeated(b"\n"),
    "CR and LF the wrong way": repeated(b"\n\r"),
    "all NUL": repeated(b"\0"),
    "ordinary": HEAD + repeated(b"y" * 76 + b"\r\n"),
}
#: The same, and each header section that matters and each boundary is looked at.
STRUCTURE = {
    "all headers that matter": repeated(b"Content-Type: text/plain; name=a\r\n"),
    "nested multiparts": nested(),
    "messages in messages": repeated(b"Content-Type: message/rfc822\r\n\r\n"),
    "parts": MULTIPART + repeated(b"--b\r\nContent-Type: a/b; name=n\r\n\r\n"),
    "10,000 boundaries": MULTIPART + b"--b\r\n\r\nx\r\n" * 10_000,
    "boundaries alone": MULTIPART + repeated(b"--b\r\n"),
    "nearly boundaries": MULTIPART + repeated(b"--c\r\n"),
}
#: What a client sends among its commands, every octet of which is looked at.
COMMANDS = {
    "no line end": repeated(b"x"),
    "an address": b"MAIL FROM:<" + repeated(b"a<b>", DIALOGUE),
    "a quoted address": b'MAIL FROM:<"' + repeated(b"\\", DIALOGUE),
    "control octets": b"NOOP " + repeated(b"\1", DIALOGUE),
    "short commands": repeated(b"X\r\n", 2_400),
}
#: What a server sends.
REPLIES = {
    "a banner without an end": b"220 " + repeated(b"x"),
    "a banner of CRs": b"220 " + repeated(b"\r"),
    "a banner of many lines": b"220-" + repeated(b"x\r\n220-", DIALOGUE),
    "a reply without an end": b"220 mx\r\n500 " + repeated(b"x"),
    "replies": b"220 mx\r\n" + repeated(b"250 ok\r\n", DIALOGUE),
}
#: Octet by octet, of these.
FINEST = {
    "no line end": repeated(b"x", FINER),
    "all dots in lines": HEAD + repeated(b"..\r\n", FINER),
    "all LF": repeated(b"\n", FINER),
    "all NUL": repeated(b"\0", FINER),
    "nested multiparts": nested()[:FINE],
}
#: Calls for a segment.
PER_SEGMENT = 150
#: Octets of bulk for a call more: lines are measured in hops of a limit, 998 octets.
A_HOP = 100
#: Calls for an octet beyond them, where something is looked at that is not bulk.
OF_STRUCTURE, OF_A_LINE = 4, 18
#: Octets looked at or copied for an octet that came; and for one that came alone.
LOOKED_AT, LOOKED_AT_ALONE = 40, 150


class Calls:
    """`with Calls() as calls`: how many were made."""

    count = 0

    def __enter__(self) -> Calls:
        self._before = sys.getprofile()
        sys.setprofile(self._profile)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(self._before)

    def _profile(self, _frame: Any, event: str, _argument: Any) -> None:
        if event in ("call", "c_call"):
            self.count += 1


class Counted(bytes):
    """Octets that count how many of them are looked at or copied; what is made of them counts too."""

    looked_at = 0

    @classmethod
    def look(cls, octets: int) -> None:
        cls.looked_at += octets

    def _range(self, start: int | None, end: int | None) -> tuple[int, int]:
        first, last, _ = slice(start, end).indices(len(self))
        return first, max(first, last)

    def find(self, sought: Any, start: int | None = None, end: int | None = None) -> int:
        at = bytes.find(self, sought, start, end)
        first, last = self._range(start, end)
        self.look((at + 1 if at >= 0 else last) - first)
        return at

    def rfind(self, sought: Any, start: int | None = None, end: int | None = None) -> int:
        at = bytes.rfind(self, sought, start, end)
        first, last = self._range(start, end)
        self.look(last - (at if at >= 0 else first))
        return at

    def count(self, sought: Any, start: int | None = None, end: int | None = None) -> int:
        first, last = self._range(start, end)
        self.look(last - first)
        return bytes.count(self, sought, start, end)

    def __getitem__(self, key: Any) -> Any:
        found = bytes.__getitem__(self, key)
        if isinstance(found, int):
            return found
        self.look(len(found))
        return Counted(found)

    def __add__(self, other: Any) -> Counted:
        self.look(len(self) + len(other))
        return Counted(bytes.__add__(self, other))

    def __radd__(self, other: Any) -> Any:
        if isinstance(other, bytearray):  # appended in place
            self.look(len(self))
            return other + bytes(self)
        self.look(len(self) + len(other))
        return Counted(other + bytes(self))

    def __contains__(self, sought: Any) -> bool:
        if isinstance(sought, int):
            return bytes.__contains__(self, sought)
        return self.find(sought) >= 0

    def __iter__(self) -> Iterator[int]:
        self.look(len(self))
        return bytes.__iter__(self)


def _whole(name: str) -> Any:
    method = getattr(bytes, name)

    def counting(self: Counted, *arguments: Any) -> Any:
        self.look(len(self))
        made = method(self, *arguments)
        return Counted(made) if isinstance(made, bytes) else made

    return counting


for _name in ("translate", "replace", "upper", "lower", "strip", "lstrip", "rstrip", "decode", "split", "partition"):
    setattr(Counted, _name, _whole(_name))


def inspected(before: tuple[Sent, ...], side: Side, pieces: list[bytes], inspect_map: InspectMap) -> None:
    """`pieces`, one segment each, behind what came `before`."""
    inspector = Inspector(inspect_map, [0] * BLOCK)
    offsets = dict.fromkeys(Side, 0)
    for each in (*((sent.side, sent.octets) for sent in before), *((side, piece) for piece in pieces)):
        inspector.inspect(each[0], offsets[each[0]], each[1], 0)
        offsets[each[0]] += len(each[1])


def work(
    before: tuple[Sent, ...], side: Side, octets: bytes, size: int, inspect_map: InspectMap = DEFAULT_MAP
) -> tuple[int, int]:
    """Calls that were made, and octets that were looked at, for `octets` in segments of `size`."""
    pieces = [octets[at : at + size] for at in range(0, len(octets), size)]
    with Calls() as calls:
        inspected(before, side, pieces, inspect_map)
    Counted.looked_at = 0
    inspected(before, side, [Counted(piece) for piece in pieces], inspect_map)
    return calls.count, Counted.looked_at


def test_both_counts_count() -> None:
    with Calls() as calls:
        len(b"")
    assert calls.count >= 1
    Counted.looked_at = 0
    assert (b"ab" + Counted(b"cd"))[1:].find(b"c") == 1
    assert Counted.looked_at == 4 + 3 + 2


@pytest.mark.parametrize("name", BULK)
@pytest.mark.parametrize("size", [PACKET, SUPER_PACKET])
def test_bulk(name: str, size: int) -> None:
    octets = BULK[name]
    calls, looked_at = work(IN_MESSAGE, Side.CLIENT, octets, size)
    assert calls <= PER_SEGMENT * (segments(octets, size) + len(IN_MESSAGE)) + len(octets) // A_HOP
    assert looked_at <= LOOKED_AT * len(octets)


@pytest.mark.parametrize("name", STRUCTURE)
@pytest.mark.parametrize("inspect_map", [DEFAULT_MAP, FILE_TYPES], ids=["default", "file types"])
def test_structure(name: str, inspect_map: InspectMap) -> None:
    octets = STRUCTURE[name]
    calls, looked_at = work(IN_MESSAGE, Side.CLIENT, octets, PACKET, inspect_map)
    assert calls <= PER_SEGMENT * segments(octets, PACKET) + OF_STRUCTURE * len(octets)
    assert looked_at <= LOOKED_AT * len(octets)


@pytest.mark.parametrize(
    ("before", "side", "octets"),
    [
        *((HELLO, Side.CLIENT, octets) for octets in COMMANDS.values()),
        *(((), Side.SERVER, octets) for octets in REPLIES.values()),
    ],
    ids=[*COMMANDS, *REPLIES],
)
@pytest.mark.parametrize("size", [PACKET, SUPER_PACKET])
def test_dialogue(before: tuple[Sent, ...], side: Side, octets: bytes, size: int) -> None:
    calls, looked_at = work(before, side, octets, size, NO_LIMITS)
    assert calls <= PER_SEGMENT * (segments(octets, size) + len(HELLO)) + OF_A_LINE * len(octets)
    assert looked_at <= LOOKED_AT * len(octets)


@pytest.mark.parametrize("name", FINEST)
def test_segments_of_one_octet(name: str) -> None:
    octets = FINEST[name]
    calls, looked_at = work(IN_MESSAGE, Side.CLIENT, octets, 1)
    assert calls <= PER_SEGMENT * (len(octets) + len(IN_MESSAGE))
    assert looked_at <= LOOKED_AT_ALONE * len(octets)


def segments(octets: bytes, size: int) -> int:
    return -(-len(octets) // size)
