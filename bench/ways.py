"""The ways mail can take: each a lab of its own, all up at the same time so that they can take turns.

direct    plain forwarding: no conntrack, no rules
ours      `examples/mail.cfg`, the inspected host
exempt    the same firewall, the host it leaves alone
accept    every packet through one NFQUEUE to a process that accepts it unread: what queueing alone costs
suricata  Suricata inline in place of that process, its SMTP and MIME parsers on, no rules; only where it is installed
far …     direct and ours behind a line of 50 ms that loses 1 %, doubles 1 % and reorders 5 % (tests/e2e/impairment.py)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from appliance.config.load import load
from appliance.kernel import links, namespaces, queues
from appliance.kernel.found import Found
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import EXEMPT, MAPPED_EXEMPT, MAPPED_SERVER, SERVER, Network
from tests.e2e.impairment import Impairment, line

_QUEUE = 0
_ACCEPT = """
from netfilterqueue import NetfilterQueue
queue = NetfilterQueue()
queue.bind(0, lambda packet: packet.accept(), max_len=8192, sock_len=16 << 20)
queue.run()
"""
_TELLS = "suricata-stats.log"
_SURICATA = f"""\
%YAML 1.1
---
stats: {{enabled: yes, interval: 1}}
outputs: [{{stats: {{enabled: yes, filename: {_TELLS}, append: no, totals: yes, threads: no}}}}]
stream: {{inline: yes, checksum-validation: no, reassembly: {{depth: 0}}}}
app-layer: {{protocols: {{smtp: {{enabled: yes, mime: {{decode-mime: yes, decode-base64: yes}}}}}}}}
nfq: {{mode: accept}}
"""


@dataclass(frozen=True, slots=True)
class Way:
    """A lab and the address its server is reached by; `tells` is where Suricata writes what it counts."""

    name: str
    lab: Lab
    server: IPv4Address
    tells: Path | None = None

    def sessions(self) -> int:
        """How many SMTP sessions Suricata has parsed: none, and its figures mean nothing. It counts once a second."""
        assert self.tells is not None, "a way without Suricata"
        _until(lambda: self._counted() > 0, "suricata parsed not one SMTP session")
        return self._counted()

    def _counted(self) -> int:
        text = self.tells.read_text(encoding="ascii", errors="replace") if self.tells and self.tells.exists() else ""
        _, found, line = text.rpartition("app_layer.flow.smtp ")
        return int(line.splitlines()[0].split("|")[-1]) if found else 0


@contextmanager
def near(place: Path) -> Iterator[list[Way]]:
    """The ways over good cables."""
    with ExitStack() as ending:
        up = _Builder(place, ending)
        ours = up.inspected("i", offloads=True)
        ways = [
            Way("direct", up.forwarding("d"), SERVER),
            Way("ours", ours, MAPPED_SERVER),
            Way("exempt", ours, MAPPED_EXEMPT),
            Way("accept", up.queued("q", [sys.executable, "-c", _ACCEPT]), SERVER),
        ]
        if suricata := shutil.which("suricata"):
            config = place / "suricata.yaml"
            config.write_text(_SURICATA, encoding="ascii")
            command = [suricata, "-q", str(_QUEUE), "--runmode", "workers", "-c", str(config), "-S", "/dev/null"]
            lab = up.queued("s", [*command, "-l", str(place)])
            ways.append(Way("suricata", lab, SERVER, place / _TELLS))
        time.sleep(0.5)  # smtp-sink does not say when it listens
        yield ways


@contextmanager
def far(place: Path) -> Iterator[list[Way]]:
    """Two ways with the bad line before them."""
    with ExitStack() as ending:
        up = _Builder(place, ending)
        ways = [
            Way("direct", up.forwarding("e", offloads=False, impaired=True), SERVER),
            Way("ours", up.inspected("j", offloads=False, impaired=True), MAPPED_SERVER),
        ]
        time.sleep(0.5)
        yield ways


class _Builder:
    """Labs with sinks inside; `ending` takes them down."""

    def __init__(self, place: Path, ending: ExitStack) -> None:
        self._place, self._ending = place, ending

    def _network(self, letter: str, offloads: bool, impaired: bool) -> Lab:
        lab = Lab(Network(f"fx{letter}{os.getpid()}", offloads=offloads), self._place / letter)
        lab.network.build()
        self._ending.callback(lab.down)
        if impaired:
            self._ending.enter_context(line(lab.network, Impairment()))
            self._ending.callback(lab.down)
        return lab

    def _sinks(self, lab: Lab) -> Lab:
        for address in (SERVER, EXEMPT):
            command = ["smtp-sink", "-u", "postfix", "-h", "mail.inside.example", f"{address}:25", "200"]
            lab.spawn("inside", command, subprocess.DEVNULL)
        return lab

    def forwarding(self, letter: str, offloads: bool = True, impaired: bool = False) -> Lab:
        """A router."""
        lab = self._network(letter, offloads, impaired)
        config = load(EXAMPLE.read_bytes()).config
        assert config is not None, "the example is a good file"
        with namespaces.within(lab.network.namespace("firewall")):
            links.apply(config, Found(self._place / f"{letter}.found.json"))
        return self._sinks(lab)

    def inspected(self, letter: str, offloads: bool, impaired: bool = False) -> Lab:
        """The firewall."""
        lab = self._network(letter, offloads, impaired)
        lab.start(EXAMPLE)
        return self._sinks(lab)

    def queued(self, letter: str, command: list[str]) -> Lab:
        """A router that queues every TCP packet to `command`."""
        lab = self.forwarding(letter)
        rule = ["iptables", "-A", "FORWARD", "-p", "tcp", "-j", "NFQUEUE", "--queue-num", str(_QUEUE)]
        lab.spawn("firewall", rule, subprocess.DEVNULL).wait()
        lab.spawn("firewall", command, subprocess.DEVNULL)
        _until(lambda: _served(lab), f"nobody serves the queue of {command[0]}")
        return lab


def _served(lab: Lab) -> bool:
    with namespaces.within(lab.network.namespace("firewall")):
        return any(each.number == _QUEUE for each in queues.uses())


def _until(so: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + 30
    while not so():
        if time.monotonic() > deadline:
            raise TimeoutError(complaint)
        time.sleep(0.05)
