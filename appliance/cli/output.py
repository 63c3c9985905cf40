"""Reports on stdout: as text, or as JSON where that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from appliance.cli.call import Call
from appliance.plain import to_plain
from appliance.show import ConnectionsReport

T = TypeVar("T")


def printed(call: Call, report: T, text: Callable[[T], Iterator[str]]) -> None:
    """A report, in full."""
    if "json" in call.options:
        print(json.dumps(to_plain(report), indent=2))
    else:
        for line in text(report):
            print(line)


def printed_parts(
    call: Call, parts: Iterator[ConnectionsReport], text: Callable[[Iterable[ConnectionsReport]], Iterator[str]]
) -> None:
    """A report that comes in parts: what has come is printed, and nothing is kept."""
    for line in json_of_parts(parts) if "json" in call.options else text(parts):
        print(line)


def json_of_parts(parts: Iterable[ConnectionsReport]) -> Iterator[str]:
    """Lines of the one JSON document of all `parts`; the numbers are the first part's."""
    opened = listed = False
    for part in parts:
        if not opened:
            yield f'{{\n  "in_use": {part.in_use},\n  "most_used": {part.most_used},\n  "connections": ['
            opened = True
        for each in part.connections:
            comma = "," if listed else ""
            yield f"    {comma}{json.dumps(to_plain(each))}"
            listed = True
    yield "  ]\n}"
