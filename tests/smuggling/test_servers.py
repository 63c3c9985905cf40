"""The servers themselves, asked again: so that the table of their readings can't lie."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.ground import Ground
from tests.smuggling.sequences import FIRST, LEADING, matrix, unspell
from tests.smuggling.servers import END, REFUSED, SERVERS, Asker, Server, ask, servers

pytestmark = pytest.mark.root

TABLE = json.loads(Path(__file__).with_name("readings.json").read_text(encoding="ascii"))
#: Every so manyeth row of the matrix, so that places and neighbours mix: seven is prime to all its dimensions.
EVERY = 7
AT_ONCE = 8


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with servers(f"fxs{os.getpid()}") as up:
        yield up


@pytest.mark.parametrize("server", SERVERS, ids=lambda each: each.name)
def test_a_sample_of_the_table(ground: Ground, server: Server) -> None:
    rows = list(zip(matrix(), TABLE["matrix"], strict=True))[::EVERY]
    ends = [(unspell(each), reading) for each, reading in TABLE["ends"][server.name].items()][::EVERY]

    def inside() -> tuple[list[str], list[str]]:
        asker = Asker(server)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return (
                list(pool.map(lambda row: ask(server, *row[0]), rows)),
                list(pool.map(lambda end: asker.reading(LEADING[FIRST], end[0]), ends)),
            )

    readings, again = ground.beside("inside", inside).result(120)
    assert readings == [row[server.name] for _, row in rows]
    assert END in readings
    assert again == [REFUSED if reading == REFUSED else END for _, reading in ends]
