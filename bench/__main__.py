"""How fast mail goes through: every way in turns, in one run.

All ways are on the machine at the same time and take turns within each round, so that what else the machine does hits
all of them; the order changes from round to round. A figure is the median of the rounds; a ratio is the median of the
rounds' own ratios to direct forwarding. Nothing here passes or fails.

    sudo .venv/bin/python -m bench [--rounds N] [--only WORD] [--out DIRECTORY]
    .venv/bin/python -m bench engine
    sudo .venv/bin/python -m bench limits
    sudo .venv/bin/python -m bench flood [--rounds N] [--only WORD] [--out DIRECTORY]

`engine` is another measurement: what a packet costs in Python alone, without kernel, root or network. So is `limits`:
what counting connections costs in the kernel; and `flood`: what mail goes through while SYNs flood the server.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance.kernel.errors import KernelError
from bench import engine, flood, limits, report, ways
from bench.loads import FAR, NEAR, Load, Measured
from bench.report import Row
from bench.ways import Way

ROUNDS = 7
OPTIONAL = ("suricata",)


def main() -> int:
    """Run it, print the table, write JSON and picture."""
    arguments = argparse.ArgumentParser(prog="bench", description=__doc__.splitlines()[0])
    arguments.add_argument(
        "what",
        nargs="?",
        choices=["engine", "limits", "flood"],
        help="only what the engine costs, counting, or mail during a flood",
    )
    arguments.add_argument(
        "--rounds", type=int, default=0, help=f"rounds of each load (default {ROUNDS}; of `flood` {flood.ROUNDS})"
    )
    arguments.add_argument("--only", default="", help="only loads whose name has this word")
    arguments.add_argument("--out", type=Path, default=Path("build/bench"), help="where JSON and picture go")
    given = arguments.parse_args()
    if given.what == "engine":
        return engine.main()
    if given.what == "limits":
        return limits.main()
    if given.what == "flood":
        return flood.main(given.rounds or flood.ROUNDS, given.only, given.out)
    if os.geteuid() != 0:
        print("bench needs root for its network namespaces: sudo make bench", file=sys.stderr)
        return 2
    where, rows, missing, parsed = report.machine(), list[Row](), list[str](), 0
    rounds = given.rounds or ROUNDS
    print(f"{where}\nmedian of {rounds} rounds in turns [least-most]\n\n{report.HEAD}")
    try:
        with tempfile.TemporaryDirectory() as place:
            for loads, opened in ((NEAR, ways.near), (FAR, ways.far)):
                wanted = [each for each in loads if given.only in each.name]
                if not wanted:
                    continue
                with opened(Path(place)) as found:
                    if loads is NEAR:
                        missing = [each for each in OPTIONAL if each not in {way.name for way in found}]
                    for load in wanted:
                        for row in measured(load, found, rounds):
                            rows.append(row)
                            print(row.line(), flush=True)
                        for name in missing if loads is NEAR else ():
                            print(f"{load.name:30}{name:10}{'not installed':>16}")
                    for way in found:
                        if way.tells:
                            parsed = way.sessions()
                            print(f"{way.name} parsed {parsed} SMTP sessions")
    except (KernelError, TimeoutError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    report.write(given.out, where, missing, parsed, rows)
    print(f"\n{given.out}/bench.json, {given.out}/bench.svg")
    return 0


def measured(load: Load, found: Sequence[Way], rounds: int) -> Iterator[Row]:
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


if __name__ == "__main__":
    sys.exit(main())
