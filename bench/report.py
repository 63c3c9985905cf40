"""What was measured, as a table, as JSON and as a picture: medians with their spread, never a single figure."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_BAR, _LEFT, _WIDTH = 16, 260, 400  # of the picture, px


@dataclass(frozen=True, slots=True)
class Row:
    """One load over one way: its rounds' figures, their ratios to direct in the same round, segments sent again."""

    load: str
    way: str
    unit: str
    figures: tuple[float, ...]
    ratios: tuple[float, ...]
    again: tuple[int, ...]

    def line(self) -> str:
        """The row of the table."""
        spread = f"{statistics.median(self.ratios):.2f} [{min(self.ratios):.2f}-{max(self.ratios):.2f}]"
        figure = f"{statistics.median(self.figures):.1f} {self.unit}"
        return f"{self.load:30}{self.way:10}{figure:>16}   {spread:20}{statistics.median(self.again):8.0f}"


HEAD = f"{'load':30}{'way':10}{'median':>16}   {'of direct':20}{'sent again':>8}"


def machine() -> str:
    """What it was measured on: its congestion control (bulk over a bad line hangs on that) and interpreter too."""
    processors = [
        line.partition(": ")[2]
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        if line.startswith("model name")
    ]
    model = processors[0] if processors else platform.machine()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    python = f"{sys.executable} {platform.python_version()}"
    control = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text(encoding="ascii").strip()
    return f"{os.cpu_count()} x {model}, Linux {platform.release()} ({control}), {python}, load {load}"


def write(directory: Path, where: str, missing: Sequence[str], parsed: int, rows: Sequence[Row]) -> None:
    """`bench.json` and `bench.svg` into `directory`; `parsed` is how many SMTP sessions Suricata says it parsed."""
    directory.mkdir(parents=True, exist_ok=True)
    found = {
        "machine": where,
        "not installed": list(missing),
        "suricata parsed": parsed,
        "rows": [asdict(each) for each in rows],
    }
    (directory / "bench.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (directory / "bench.svg").write_text(picture(where, rows), encoding="utf-8")


def picture(where: str, rows: Sequence[Row]) -> str:
    """A bar for each row's median ratio to direct, a line for its spread; the bar of direct is the dashed one."""
    top = max([1.0, *(max(each.ratios) for each in rows)])
    scale = _WIDTH / top
    height = (len(rows) + 2) * (_BAR + 6)
    parts = [f'<text x="4" y="14" font-size="10">of direct forwarding; {_escaped(where)}</text>']
    for number, row in enumerate(rows):
        y = (number + 1) * (_BAR + 6)
        median = statistics.median(row.ratios)
        middle, low, high = (_LEFT + scale * each for each in (median, min(row.ratios), max(row.ratios)))
        colour = "#2a6" if row.way == "ours" else "#9ab"
        parts += [
            f'<text x="4" y="{y + 12}" font-size="12">{_escaped(row.load)}: {row.way}</text>',
            f'<rect x="{_LEFT}" y="{y}" width="{middle - _LEFT:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<path d="M{low:.1f} {y + _BAR / 2}H{high:.1f}" stroke="#333"/>',
            f'<text x="{max(high, middle) + 4:.1f}" y="{y + 12}" font-size="11">{median:.2f}</text>',
        ]
    one = _LEFT + scale
    parts.append(f'<path d="M{one:.1f} 20V{height}" stroke="#c33" stroke-dasharray="4 3"/>')
    size = f'width="{_LEFT + _WIDTH + 60}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif">{"".join(parts)}</svg>\n'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
