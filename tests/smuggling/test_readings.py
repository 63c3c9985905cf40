"""No octets exist that a server takes as the end of a message while we still take them as its body.

readings.json holds what real servers said, `test_servers.py` asks them again. Here our side is held against it: first
the recorded sequences themselves, then, through machines that the records prove, sequences of any length. Where a
server might see an end that we do not, the connection must have been closed before the octet that decides.
"""

from __future__ import annotations

import json
import re
from collections import deque
from pathlib import Path

import pytest

from appliance.esmtp.events import Breach, MessageEnded
from appliance.esmtp.session import Session, Settings
from appliance.flow import Side
from tests.playbook import IN_MESSAGE, payload
from tests.smuggling.ours import CLOSED, in_message, ours
from tests.smuggling.readers import READERS, State
from tests.smuggling.sequences import LEADING, LONGEST, OCTETS, OUTSIDE, matrix, spell, unspell
from tests.smuggling.servers import BODY, END, NAMES, REFUSED

TABLE = json.loads(Path(__file__).with_name("readings.json").read_text(encoding="ascii"))
ROWS = [(row["place"], unspell(row["sequence"]), row) for row in TABLE["matrix"]]


def test_the_table_has_the_whole_matrix_and_every_server() -> None:
    assert [(place, sequence) for place, sequence, _ in ROWS] == list(matrix())
    assert tuple(TABLE["servers"]) == tuple(TABLE["ends"]) == NAMES == tuple(READERS)
    assert {row[name] for place, _, row in ROWS for name in NAMES if place != OUTSIDE} == {BODY, END, REFUSED}


@pytest.mark.parametrize("place", LEADING)
def test_our_reading_is_the_recorded_one_however_it_is_cut(place: str) -> None:
    for where, sequence, row in ROWS:
        if where == place:
            assert ours(where, sequence) == row["ours"], row


@pytest.mark.parametrize("name", NAMES)
def test_in_a_message_no_end_of_theirs_is_body_of_ours(name: str) -> None:
    for place, _, row in ROWS:
        if place == OUTSIDE:
            continue
        if row[name] == END:
            assert row["ours"] in (END, CLOSED), row
        elif row["ours"] == END:
            assert row[name] == END, row


@pytest.mark.parametrize("name", NAMES)
def test_out_of_data_every_line_of_theirs_is_one_of_ours(name: str) -> None:
    for place, _, row in ROWS:
        if place == OUTSIDE and row["ours"] != CLOSED:
            assert len(row[name].split()) <= int(row["ours"]), row
            assert not {"250", "354"} & set(row[name].split()), row


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_end_is_one_or_is_closed_before_the_octet_that_decides(name: str) -> None:
    for spelt, reading in TABLE["ends"][name].items():
        if reading == REFUSED:
            continue
        sequence = unspell(spelt)
        mine = in_message(b"", sequence)
        decides = len(sequence) - (reading == "last")
        if mine.word == CLOSED:
            assert mine.released <= decides, spelt
        else:
            assert mine.word == END, spelt


def test_the_one_residue() -> None:
    """Behind ``CRLF . CR`` only the next octet tells, so that much is released: no server here ends at it."""
    residue = unspell("CR LF . CR")
    assert in_message(b"", residue + b"x").released == len(residue)
    for name in NAMES:
        assert not any(residue.endswith(unspell(each)) for each in TABLE["ends"][name])
    assert not any("next" in ends.values() for ends in TABLE["ends"].values())


@pytest.mark.parametrize("name", NAMES)
def test_the_machines_are_the_servers(name: str) -> None:
    """Every sequence of up to five octets that was tried ends where the machine says, and nowhere else."""
    recorded = TABLE["ends"][name]
    going_on = {b"": State()}
    tried = 0
    for _ in range(LONGEST):
        longer = {}
        for sequence, state in going_on.items():
            for octet in OCTETS:
                reading = recorded.get(spell(sequence + octet))
                after = READERS[name](state, octet)
                tried += 1
                if reading == REFUSED:
                    continue
                assert (after is None) is (reading == "last"), spell(sequence + octet)
                if after is not None:
                    longer[sequence + octet] = after
        going_on = longer
    assert tried > 500


#: What a session keeps of a message: its last octets (`Message`), and its last octets when a run of NULs counts as one
#: (`NulLookAlikes`). Whoever agrees in both, agrees in what follows.
KEPT = 4


def kept(path: bytes) -> tuple[bytes, bytes]:
    return path[-KEPT - 1 :], re.sub(rb"\0+", b"\0", path)[-KEPT - 1 :]


def test_no_octets_of_any_length_end_a_message_for_a_server_and_not_for_us() -> None:
    """All of them, as walks through all machines at once and our own: from no reachable place does one part from us."""
    start = tuple(State() for _ in NAMES)
    seen = {(kept(b""), start)}
    walks = deque([(b"", start)])
    while walks:
        path, states = walks.popleft()
        for octet in OCTETS:
            after = [READERS[name](state, octet) for name, state in zip(NAMES, states, strict=True)]
            ended, closed = last_of(path + octet)
            if closed:
                continue  # nobody gets the octet
            assert ended == (None in after), spell(path + octet)
            if ended:
                assert after == [None] * len(NAMES), spell(path + octet)
                continue
            place = (kept(path + octet), tuple(after))
            if place not in seen:
                seen.add(place)
                walks.append((path + octet, place[1]))
    assert len(seen) > 500


def last_of(path: bytes) -> tuple[bool, bool]:
    """Whether a message that goes `path` ends, or is closed, at its last octet."""
    session = Session(Settings())
    offsets = dict.fromkeys(Side, 0)
    for sent in (*IN_MESSAGE, payload(path[:-1]), payload(path[-1:])):
        facts = session.feed(sent.side, offsets[sent.side], sent.octets)
        offsets[sent.side] += len(sent.octets)
    return any(isinstance(each, MessageEnded) for each in facts), any(isinstance(each, Breach) for each in facts)
