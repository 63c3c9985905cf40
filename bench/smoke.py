"""How many mails a second go through: plain forwarding and inspected, in turns, in one run.

Postfix's smtp-source outside sends over 10 connections at once, its smtp-sink inside throws away what it gets. Both
ways are on the machine at the same time, each in a lab of its own, and take turns, so that what else the machine does
hits both. A figure is the median of the rounds; a ratio is the median of the rounds' own ratios.

    sudo .venv/bin/python bench/smoke.py [--rounds N]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from appliance.config.load import load
from appliance.kernel import links, namespaces
from appliance.kernel.errors import KernelError
from appliance.kernel.found import Found
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import MAPPED_SERVER, SERVER, Network

PARALLEL = 10
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent in one round: `count` messages of `octets`. `aim` is the ratio hoped for on two cores."""

    name: str
    octets: int
    count: int
    aim: float


LOADS = (Load("4 kB", 4096, 600, 0.35), Load("1 MB", 1 << 20, 60, 0.7))


@dataclass(frozen=True, slots=True)
class Way:
    """A lab and the address its server is reached by."""

    lab: Lab
    server: IPv4Address

    def rate(self, load: Load) -> tuple[float, int]:
        """Messages a second of one round, and the segments the client sent again."""
        command = ["smtp-source", "-s", str(PARALLEL), "-m", str(load.count), "-l", str(load.octets)]
        command += ["-f", "a@outside.example", "-t", "b@inside.example", f"{self.server}:25"]
        with namespaces.within(self.lab.network.namespace("outside")):
            again = _retransmitted()
            began = time.monotonic()
            subprocess.run(command, check=True, timeout=300)
            return load.count / (time.monotonic() - began), _retransmitted() - again


def main() -> int:
    """Run it and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=ROUNDS, help=f"rounds of each kind (default {ROUNDS})")
    rounds = max(1, arguments.parse_args().rounds)
    if os.geteuid() != 0:
        print("bench/smoke.py needs root for its network namespaces: sudo make bench", file=sys.stderr)
        return 2
    try:
        with ways() as (direct, inspected):
            print(_machine())
            print(f"smtp-source -s {PARALLEL}, median of {rounds} rounds in turns [least-most]\n")
            print(f"{'message':8}{'direct/s':>12}{'inspected/s':>13}   {'ratio':22}{'aim':>5}   sent again")
            for load in LOADS:
                print(_row(load, direct, inspected, rounds), flush=True)
    except KernelError as error:
        print(f"bench/smoke.py: {error}", file=sys.stderr)
        return 1
    return 0


@contextmanager
def ways() -> Iterator[tuple[Way, Way]]:
    """Plain forwarding and `examples/mail.cfg`, each with a sink inside."""
    with tempfile.TemporaryDirectory() as place, ExitStack() as ending:
        plain = Lab(Network(f"fxd{os.getpid()}"), Path(place) / "direct")
        plain.network.build()
        ending.callback(plain.down)
        config = load(EXAMPLE.read_bytes()).config
        assert config is not None, "the example is a good file"
        with namespaces.within(plain.network.namespace("firewall")):
            links.apply(config, Found(Path(place) / "found.json"))
        box = Lab(Network(f"fxi{os.getpid()}"), Path(place) / "inspected")
        box.up(EXAMPLE)
        ending.callback(box.down)
        for lab in (plain, box):
            command = ["smtp-sink", "-u", "postfix", "-h", "mail.inside.example", f"{SERVER}:25", "200"]
            lab.spawn("inside", command, subprocess.DEVNULL)
        time.sleep(0.5)  # smtp-sink does not say when it listens
        yield Way(plain, SERVER), Way(box, MAPPED_SERVER)


def _row(load: Load, direct: Way, inspected: Way, rounds: int) -> str:
    for way in (direct, inspected):
        way.rate(Load(load.name, load.octets, PARALLEL, load.aim))  # caches warm, neighbours known
    pairs = [(direct.rate(load), inspected.rate(load)) for _ in range(rounds)]
    plain = [pair[0][0] for pair in pairs]
    looked = [pair[1][0] for pair in pairs]
    ratios = [each / other for each, other in zip(looked, plain, strict=True)]
    again = [statistics.median(pair[way][1] for pair in pairs) for way in (0, 1)]
    spread = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}-{max(ratios):.2f}]"
    figures = f"{load.name:8}{statistics.median(plain):12.1f}{statistics.median(looked):13.1f}   {spread:22}"
    return f"{figures}{load.aim:5.2f}   {again[0]:.0f} / {again[1]:.0f}"


def _retransmitted() -> int:
    """The segments this network namespace has sent again (RFC 4022's tcpRetransSegs)."""
    names, values = (
        line.split()
        for line in Path("/proc/thread-self/net/snmp").read_text(encoding="ascii").splitlines()
        if line.startswith("Tcp:")
    )
    return int(values[names.index("RetransSegs")])


def _machine() -> str:
    processors = [
        line.partition(": ")[2]
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        if line.startswith("model name")
    ]
    model = processors[0] if processors else platform.machine()
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    python = f"{sys.executable} {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, {python}, load {load}"


if __name__ == "__main__":
    sys.exit(main())
