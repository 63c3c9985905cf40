"""What a mail costs in machine instructions, by way and process: counts, which a busy machine hardly disturbs.

`perf stat` counts those of user space and of the kernel. What the kernel does for a packet is counted with whomever it
interrupts: of the kernel's share the sum over a way's processes means most.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from appliance.kernel import namespaces
from bench import ways
from bench.loads import Part
from bench.ways import Way

MAILS = 1000
_PLACES = ("outside", "firewall", "inside")
_SOURCE = 0  # in the place of a pid: the one that sends
_EVENTS = "instructions:u,instructions:k,context-switches"
_HEAD = f"{'way':10}{'process':16}{'user':>9}{'kernel':>9}   thousand a mail; switches a mail"


def main() -> int:
    """Measure and print."""
    if os.geteuid() != 0:
        print("counting needs root for its network namespaces", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place, ways.near(Path(place)) as found:
        print(_HEAD)
        for way in found:
            _mails(way, MAILS // 5).wait()
            total = 0.0
            for name, user, kernel, switches in counted(way, Path(place)):
                total += user + kernel
                print(f"{way.name:10}{name:16}{user:9.0f}{kernel:9.0f}{switches:9.2f}")
            print(f"{way.name:10}{'all':16}{total:18.0f}", flush=True)
    return 0


def counted(way: Way, place: Path) -> Iterator[tuple[str, float, float, float]]:
    """Of each process of a way its name, and what `MAILS` mails cost it, per mail."""
    names = processes(way)
    files = {pid: place / f"{way.name}.{pid}" for pid in (*names, _SOURCE)}
    counters = [subprocess.Popen([*_perf(files[pid]), "-p", str(pid)]) for pid in names]
    time.sleep(0.5)  # perf does not say when it counts
    if _mails(way, MAILS, _perf(files[_SOURCE])).wait():
        raise ChildProcessError(f"mail over {way.name} failed")
    for each in counters:
        each.send_signal(signal.SIGINT)
        each.wait()
    for pid, file in files.items():
        lines = (line for line in file.read_text().splitlines() if line[:1].isdigit())
        match [float(line.split(";")[0]) / MAILS for line in lines]:
            case [user, kernel, switches] if user + kernel > 1000:  # else it has nothing to do with them
                yield names.get(pid, "smtp-source"), user / 1000, kernel / 1000, switches


def processes(way: Way) -> dict[int, str]:
    """Who runs in a way's namespaces: root's fixup, its workers, the sinks, who serves the queue."""
    inside = {Path("/run/netns", way.lab.network.namespace(each)).stat().st_ino for each in _PLACES}
    found = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit() and _space(each) in inside]
    parents = {pid: int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in found}
    names = {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in found}
    return {pid: f"{names[pid]} worker" if parents[pid] in names else names[pid] for pid in found}


def _space(process: Path) -> int:
    try:
        return (process / "ns/net").stat().st_ino
    except OSError:  # it has ended
        return 0


def _mails(way: Way, count: int, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    with namespaces.within(way.lab.network.namespace("outside")):
        return subprocess.Popen([*before, *Part(4096, count, 10).command(way.server)])


def _perf(file: Path) -> tuple[str, ...]:
    return ("perf", "stat", "-x", ";", "-e", _EVENTS, "-o", str(file))
