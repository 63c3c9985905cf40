"""What is fuzzed, as functions of octets: each raises if one of the engine's promises is broken.

* `session`: turns of both sides, separated by FF. The first octet of the input picks the inspect map, the first of a
  turn says who speaks: ``S`` the server, ``C`` the client in command lines, ``.`` a clock's tick for a line that is
  held; any other letter is the client with octets that are no command lines.
* `message`: the octets are a message, header section, MIME structure and all, dot-stuffed and ended, under the default
  map or under one that asks for everything there is.

The promises (design §2): no exception; the length of both streams is kept and no released octet changes
(`tests.playbook.Wire` sees to both); however the input is cut into segments, the released streams, what is said and
what is counted are the same; and where inspection closes the connection, they are prefixes of one stream.
"""

from __future__ import annotations

import random
import re
import zlib
from dataclasses import replace

from appliance.esmtp.commands import LONG, SHORT
from appliance.flow import Side
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Banner, InspectMap, Parameters
from tests.playbook import IN_MESSAGE, Cut, Outcome, Sent, Wire, client, payload, play, server, whole
from tests.policy.test_segmentation import CLOSING, EVERYTHING

SEPARATOR = b"\xff"
SPEAKERS = {b"S": server, b"C": client}
TICK = b"."
#: Octets.
LONG_TURN = 256

MAPS = (
    DEFAULT_MAP,
    replace(DEFAULT_MAP, parameters=Parameters(banner=Banner.ALL, allow_tls=True, allow_tls_log=True)),
    replace(DEFAULT_MAP, parameters=Parameters(banner=Banner.OFF, smuggling_guard=False)),
    InspectMap("bare"),
    EVERYTHING,
    CLOSING,
)


def session(data: bytes) -> None:
    """Both sides, in any order, cut anyhow."""
    inspect_map = MAPS[data[0] % len(MAPS)] if data else DEFAULT_MAP
    turns = data[1:].split(SEPARATOR)
    _tick(turns, inspect_map)
    script = [_said(turn) for turn in turns if len(turn) > 1 and turn[:1] != TICK]
    _same(script, data, inspect_map)


def message(data: bytes) -> None:
    """One message, cut anyhow."""
    text = (b"\r\n" + data).replace(b"\r\n.", b"\r\n..")[2:] + b"\r\n.\r\n"
    _same([*IN_MESSAGE, payload(text)], data, EVERYTHING if zlib.crc32(data) % 2 else DEFAULT_MAP)


def _said(turn: bytes) -> Sent:
    return SPEAKERS.get(turn[:1], payload)(turn[1:])


def _tick(turns: list[bytes], inspect_map: InspectMap) -> None:
    """As it comes, the clock's ticks where they are, and both ends at last."""
    wire = Wire(inspect_map)
    for turn in turns:
        if turn[:1] == TICK and not wire.ended:
            wire.apply(Side.SERVER, wire.inspector.stalled())
        elif len(turn) > 1:
            said = _said(turn)
            wire.send(said.side, said.octets)
    for side in Side:
        if not wire.ended:
            wire.apply(side, wire.inspector.finish(side))


def _same(script: list[Sent], data: bytes, inspect_map: InspectMap) -> None:
    """Whole, octet by octet and cut anyhow it comes to the same."""
    if not script:
        return
    head = LONG + 1 if inspect_map.parameters.allow_tls else SHORT + 1
    cut = [[(each.side, piece) for piece in _pieces(each, head)] for each in script]
    finest = play([piece for pieces in cut for piece in pieces], inspect_map)
    dice = random.Random(zlib.crc32(data))
    for way in (whole(*script), [piece for pieces in cut for piece in _joined(pieces, dice)]):
        _compare(play(way, inspect_map), finest)


def _pieces(sent: Sent, head: int) -> list[bytes]:
    """Octet by octet, but for what may be the beginnings of command lines: up to where a verb is whole (row 4).

    A turn longer than any test of a cut needs is cut more coarsely: it would take the fuzzer's time.
    """
    step = 1 if len(sent.octets) <= LONG_TURN else head
    if sent.side is Side.SERVER:
        return [sent.octets[at : at + step] for at in range(0, len(sent.octets), step)]
    found: list[bytes] = []
    for line in re.findall(rb"[^\n]*\n|[^\n]+", sent.octets):
        if len(line) < SHORT and not line.endswith(b"\n") and found:
            found[-1] += line  # alone it would be typed by hand
            continue
        found.append(line[:head])
        found.extend(line[at : at + step] for at in range(head, len(line), step))
    return found


def _joined(pieces: Cut, dice: random.Random) -> Cut:
    """Some of the pieces of one turn put together again."""
    cut: Cut = []
    apart = True
    for side, piece in pieces:
        if apart:
            cut.append((side, piece))
        else:
            cut[-1] = (side, cut[-1][1] + piece)
        apart = dice.random() < 0.3
    return cut


def _compare(outcome: Outcome, finest: Outcome) -> None:
    if not finest.ended:
        assert outcome == finest, (outcome, finest)
        return
    assert outcome.ended == finest.ended
    if finest.ended.startswith("bypass"):
        assert (outcome.client, outcome.server) == (finest.client, finest.server)
    assert finest.client.startswith(outcome.client), (outcome.client, finest.client)
    assert finest.server.startswith(outcome.server), (outcome.server, finest.server)


TARGETS = {"session": session, "message": message}
