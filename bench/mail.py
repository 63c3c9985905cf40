"""How fast mail goes through: every way in turns, in one run.

All ways are on the machine at the same time and take turns within each round, so that what else the machine does hits
all of them; the order changes from round to round. A figure is the median of the rounds; a ratio is the median of the
rounds' own ratios to direct forwarding.

    sudo .venv/bin/python -m bench [--rounds N] [--only WORD] [--out DIRECTORY]
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.kernel.errors import KernelError
from bench import report, ways
from bench.loads import FAR, NEAR, Load, Measured
from bench.report import Row
from bench.ways import Way

ROUNDS = 7
OPTIONAL = ("suricata",)


def main(rounds: int, only: str, out: Path) -> int:
    """Run the loads with `only` in their name, print the table, write JSON and picture."""
    if os.geteuid() != 0:
        print("bench needs root for its network namespaces: sudo make bench", file=sys.stderr)
        return 2
    where, rows, missing, parsed = report.machine(), list[Row](), list[str](), 0
    print(f"{where}\nmedian of {rounds} rounds in turns [least-most]\n\n{report.HEAD}")
    try:
        with tempfile.TemporaryDirectory() as place:
            for loads, opened in ((NEAR, ways.near), (FAR, ways.far)):
                wanted = [each for each in loads if only in each.name]
                if not wanted:
                    continue
                with opened(Path(place)) as found:
                    if loads is NEAR:
                        missing = [each for each in OPTIONAL if each not in {way.name for way in found}]
                    rows += _table(wanted, found, rounds, missing if loads is NEAR else ())
                    parsed = _parsed(found) or parsed
    except (KernelError, TimeoutError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    report.write(out, where, missing, parsed, rows)
    print(f"\n{out}/bench.json, {out}/bench.svg")
    return 0


def _table(loads: Sequence[Load], found: Sequence[Way], rounds: int, missing: Sequence[str]) -> list[Row]:
    """The rows of these loads, each printed as it is measured."""
    rows = []
    for load in loads:
        for row in _measured(load, found, rounds):
            rows.append(row)
            print(row.line(), flush=True)
        for name in missing:
            print(f"{load.name:30}{name:10}{'not installed':>16}")
    return rows


def _parsed(found: Sequence[Way]) -> int:
    """The SMTP sessions that a way says it parsed: that it looked at them."""
    parsed = 0
    for way in found:
        if way.tells:
            parsed = way.sessions()
            print(f"{way.name} parsed {parsed} SMTP sessions")
    return parsed


def _measured(load: Load, found: Sequence[Way], rounds: int) -> Iterator[Row]:
    """A row for each way; the first is direct."""
    for way in found:
        load.warm().measure(way)
    results: dict[str, list[Measured]] = {way.name: [] for way in found}
    for number in range(rounds):
        turn = number % len(found)
        for way in (*found[turn:], *found[:turn]):
            results[way.name].append(load.measure(way))
    direct = [each.figure for each in results[found[0].name]]
    for way in found:
        figures = tuple(each.figure for each in results[way.name])
        ratios = tuple(load.ratio(each, other) for each, other in zip(figures, direct, strict=True))
        yield Row(load.name, way.name, load.unit, figures, ratios, tuple(each.again for each in results[way.name]))
