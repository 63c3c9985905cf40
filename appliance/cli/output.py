"""Reports on stdout: as text, or as JSON where that was asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from appliance.cli.call import Call
from appliance.plain import to_plain
from appliance.show import ConnectionsReport, TranslationsReport

T = TypeVar("T")
#: A report that comes in parts: numbers, which are the first part's, and then what is listed.
P = TypeVar("P", ConnectionsReport, TranslationsReport)


def printed(call: Call, report: T, text: Callable[[T], Iterator[str]]) -> None:
    """A report, in full."""
    if "json" in call.options:
        print(json.dumps(to_plain(report), indent=2))
    else:
        for line in text(report):
            print(line)


def printed_parts(call: Call, parts: Iterator[P], text: Callable[[Iterable[P]], Iterator[str]]) -> None:
    """A report that comes in parts: what has come is printed, and nothing is kept."""
    for line in json_of_parts(parts) if "json" in call.options else text(parts):
        print(line)


def json_of_parts(parts: Iterable[P]) -> Iterator[str]:
    """Lines of the one JSON document of all `parts`; the numbers are the first part's."""
    opened = listed = False
    for part in parts:
        *numbers, (name, entries) = to_plain(part).items()
        if not opened:
            yield "{"
            for number, value in numbers:
                yield f'  "{number}": {value},'
            yield f'  "{name}": ['
            opened = True
        for each in entries:
            comma = "," if listed else ""
            yield f"    {comma}{json.dumps(each)}"
            listed = True
    yield "  ]\n}"
