"""A report that comes in parts, as one JSON document that is never held whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from appliance.plain import to_plain
from appliance.show import ConnectionsReport


def json_of_parts(parts: Iterable[ConnectionsReport]) -> Iterator[str]:
    """Lines of the JSON of all `parts` taken together; the numbers are the first part's."""
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
