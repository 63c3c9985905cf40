"""Captures that others made, through the same datapath: told line by line, and message by message as tshark has them.

What is expected is in NAME.json; `record.py` wrote it, and says with which command of tshark's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.captures.summary import CAPTURES, summary

each_capture = pytest.mark.parametrize("path", CAPTURES, ids=[each.stem for each in CAPTURES])


def golden(path: Path) -> dict:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


@each_capture
def test_what_is_told(path: Path) -> None:
    assert summary(path) == golden(path)["fixup"]


@each_capture
def test_messages_are_those_that_tshark_puts_together(path: Path) -> None:
    """All of them, up to where inspection closed the connection."""
    expected = golden(path)["tshark"]["connections"]
    told = summary(path)["connections"]
    assert sorted(told) == sorted(expected)
    for client, connection in told.items():
        lines = connection["told"]
        messages = [
            [int(found[1]), found[2]]
            for line in lines
            if (found := re.fullmatch(r"message: (\d+) octets, SHA-256 (\w+)", line))
        ]
        theirs = expected[client]["messages"]
        closed = any(line.startswith("closed: ") for line in lines)
        assert messages == (theirs[: len(messages)] if closed else theirs)


def test_there_are_messages_to_compare() -> None:
    assert sum(line.startswith("message: ") for path in CAPTURES for line in _lines(path)) >= 5


def _lines(path: Path) -> list[str]:
    return [line for each in golden(path)["fixup"]["connections"].values() for line in each["told"]]
