"""Mail while SYNs flood a weak server: what each way of standing before it delivers, refuses and answers.

The server has a backlog of 64, no cookies of its own, and no memory of who was there before. A round is a lab of its
own: mails without a flood, then mails with one, which comes from one CPU as fast as that sends, while everything else
has the others. So a rate is compared with what the same way does on the same processors. Figures are medians.

    sudo .venv/bin/python -m bench flood [--rounds N] [--only WORD]
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path

from appliance.kernel.errors import KernelError
from appliance.lab.lab import Lab
from appliance.lab.network import MAPPED_SERVER, SERVER
from appliance.lab.postfix import Postfix
from appliance.marks import DISPOSITION, Disposition
from bench import report
from bench.instructions import Instructions
from bench.loads import retransmitted
from tests.e2e.box import SUBMISSION
from tests.e2e.flooding import Flood, flooding
from tests.e2e.postman import client, letter, postman
from tests.e2e.wall import wall
from tests.ground import Ground, eventually, router, workspace

ROUNDS = 3
BACKLOG = 64
EMBRYONIC = 100
MAILS = 500  # without the flood, and as many with it
OCTETS = 500  # of a mail
PARALLEL = 10
SECONDS, MOST = 40.0, 20_000_000  # what a flood is bounded by
AT_LEAST = 2.0  # s a flood is looked at
CALM = 60.0  # s all mails without it have

#: Sends MAILS, which have so many s.
Send = Callable[[float], "Batch"]


@dataclass(frozen=True, slots=True)
class Way:
    """How the server is stood before; `drops`: what is beyond a limit ends there; `astray`: the flood is for nobody."""

    name: str
    open: Callable[[], AbstractContextManager[Ground]]
    server: IPv4Address = MAPPED_SERVER
    inspected: bool = True
    drops: bool = False
    postfix: bool = False
    astray: bool = False
    patience: float = 30.0  # s for all mails of a flooded round; a server forgets what fills its backlog after 7


@dataclass(frozen=True, slots=True)
class Batch:
    """MAILS sent: how many arrived, the first after so many s, then so many a second; segments sent again."""

    delivered: int
    first: float
    rate: float
    again: int

    @classmethod
    def of(cls, began: float, moments: Sequence[float], again: int) -> Batch:
        """One whose mails arrived at those moments."""
        if len(moments) < 2:
            return cls(len(moments), time.monotonic() - began, 0.0, again)
        return cls(len(moments), moments[0] - began, (len(moments) - 1) / (moments[-1] - moments[0]), again)


@dataclass(frozen=True, slots=True)
class Round:
    """Mails without the flood and with it; SYNs a second, those that were not answered, instructions for each."""

    calm: Batch
    flooded: Batch
    syns: float
    unanswered: float
    cost: float


@dataclass(frozen=True, slots=True)
class Row:
    """A way's rounds. `cost` is what a SYN costs the firewall and those behind it, instructions: without sending it."""

    way: str
    drops: bool
    cost: float
    rounds: tuple[Round, ...]

    @property
    def ratio(self) -> float:
        """Of medians: mails a second with the flood, once the first has arrived, of mails without."""
        return self.median(lambda each: each.flooded.rate) / self.median(lambda each: each.calm.rate)

    def median(self, of: Callable[[Round], float]) -> float:
        """Of the rounds' figures."""
        return statistics.median(map(of, self.rounds))

    def line(self) -> str:
        """The row of the table."""
        fewest = min(each.flooded.delivered for each in self.rounds)
        calm, flooded = self.median(lambda each: each.calm.rate), self.median(lambda each: each.flooded.rate)
        mails = f"{calm:8.0f}{'-':>10}{'-':>7}{'-':>8}"
        if flooded:
            mails = f"{calm:8.0f}{flooded:10.0f}{self.ratio:7.2f}{self.median(lambda each: each.flooded.first):8.1f}"
        syns, unanswered = self.median(lambda each: each.syns), self.median(lambda each: each.unanswered)
        again = self.median(lambda each: each.flooded.again)
        return (
            f"{self.way:32}{f'{fewest}/{MAILS}':>10}{mails}{syns:10.0f}{self.cost:9.0f}{unanswered:12.0f}{again:7.0f}"
        )


HEAD = (
    f"{'before the server':32}{'delivered':>10}{'calm/s':>8}{'flooded/s':>10}{'ratio':>7}{'first s':>8}"
    f"{'SYN/s':>10}{'cost':>9}{'unanswered':>12}{'again':>7}"
)


def main(rounds: int, only: str, out: Path) -> int:
    """Run it, print the table, write JSON."""
    if os.geteuid() != 0:
        print("bench flood needs root for its network namespaces", file=sys.stderr)
        return 2
    where, rows = report.machine(), list[Row]()
    print(f"{where}\n{rounds} rounds; the fewest delivered, else medians\n\n{HEAD}")
    processors = os.sched_getaffinity(0)
    flooder = max(processors)
    os.sched_setaffinity(0, processors - {flooder} or processors)
    try:
        alone = statistics.median(_alone(flooder) for _ in range(rounds))
        print(f"{'sending a SYN to nobody':32}{alone:62.0f}", flush=True)
        for way in WAYS:
            if only in way.name:
                found = tuple(_round(way, flooder) for _ in range(rounds))
                cost = statistics.median(each.cost for each in found) - alone
                rows.append(Row(way.name, way.drops, cost, found))
                print(rows[-1].line(), flush=True)
    except (KernelError, TimeoutError, AssertionError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        os.sched_setaffinity(0, processors)
    _compare(rows)
    out.mkdir(parents=True, exist_ok=True)
    told = {"machine": where, "sending": alone, "rows": [{**asdict(each), "ratio": each.ratio} for each in rows]}
    (out / "flood.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(f"\n{out}/flood.json")
    return 0


def _compare(rows: Sequence[Row]) -> None:
    """How fast each way that drops SYNs drops them, of xt_connlimit."""
    dropping = {each.way: each for each in rows if each.drops}
    if other := dropping.pop(CONNLIMIT, None):
        for row in dropping.values():
            taken = row.median(lambda each: each.unanswered) / other.median(lambda each: each.unanswered)
            alone = other.cost / max(row.cost, 1)
            print(f"{row.way}: SYNs dropped {taken:.1f} x as fast as {CONNLIMIT}, without sending them {alone:.1f} x")


def _alone(flooder: int) -> float:
    """Instructions to send a SYN that nobody does anything with."""
    with _router() as ground:
        _weaken(ground)
        with flooding(ground, seconds=AT_LEAST, most=MOST, cpu=flooder, astray=True) as flood:
            cost = _counting(flood)
            eventually(lambda: flood.sent()[1] > 0.95 * AT_LEAST, 2 * AT_LEAST)
            return cost()


def _round(way: Way, flooder: int) -> Round:
    with way.open() as ground, ExitStack() as undo:
        _weaken(ground)
        ground.serve(postman(4 * MAILS, backlog=BACKLOG))
        send = _queue(ground, undo) if way.postfix else _clients(ground, way)
        calm = send(CALM)
        if calm.delivered < MAILS:
            raise AssertionError(f"{way.name}: not even without a flood: {calm.delivered} of {MAILS} mails arrived")
        ground.run("inside", "ip", "tcp_metrics", "flush")
        with flooding(ground, seconds=SECONDS, most=MOST, server=way.server, cpu=flooder, astray=way.astray) as flood:
            eventually(lambda: flood.sent()[0] > 10_000, 10)
            cost = _counting(flood)
            flooded = send(way.patience)
            eventually(lambda: flood.sent()[1] >= AT_LEAST, AT_LEAST)
            sent, took = flood.sent()
            answered = flood.answered()
            return Round(calm, flooded, sent / took, max(0, sent - answered) / took, cost())


def _counting(flood: Flood) -> Callable[[], float]:
    """Instructions for each SYN from now on: of what sends it, and of all that is done with it."""
    counter, before = Instructions(flood.pid), flood.sent()[0]

    def each() -> float:
        found = counter.so_far() / max(1, flood.sent()[0] - before)
        counter.close()
        return found

    return each


def _weaken(ground: Ground) -> None:
    """The server's host; and what the flood costs is done by the CPU that sends it."""
    with ground.within("inside"):
        for name, value in (("tcp_syncookies", 0), ("tcp_max_syn_backlog", BACKLOG)):
            Path(f"/proc/sys/net/ipv4/{name}").write_text(str(value), encoding="ascii")
    ground.unspread()


def _clients(ground: Ground, way: Way) -> Send:
    """Mails by clients of our own, PARALLEL at once."""

    def send(within: float) -> tuple[float, list[float]]:
        began, moments = time.monotonic(), list[float]()
        client(
            MAILS,
            letter(OCTETS),
            str(way.server),
            inspected=way.inspected,
            parallel=PARALLEL,
            within=within,
            delivered=lambda: moments.append(time.monotonic()),
        )()
        return began, moments

    def batch(within: float) -> Batch:
        before = _again(ground)
        began, moments = ground.beside("outside", lambda: send(within)).result(120)
        return Batch.of(began, moments, _again(ground) - before)

    return batch


def _queue(ground: Ground, undo: ExitStack) -> Send:
    """Mails by a Postfix outside, which has what is given to it and tries again."""
    home = undo.enter_context(workspace())
    postfix = Postfix(Lab(ground.network), "outside", home / "client", f"127.0.0.1:{SUBMISSION}", _QUEUE)
    postfix.start()
    source = ["smtp-source", "-s", "5", "-m", str(MAILS), "-l", str(OCTETS), "-f", "a@outside.example"]
    source += ["-t", "b@inside.example", f"127.0.0.1:{SUBMISSION}"]

    def batch(within: float) -> Batch:
        again, gone, began, moments = _again(ground), _gone(postfix), time.monotonic(), list[float]()

        def all_gone() -> bool:
            there = _gone(postfix) - gone
            moments.extend([time.monotonic()] * (there - len(moments)))
            return there >= MAILS

        ground.beside("outside", lambda: subprocess.run(source, check=True))
        eventually(all_gone, within)
        return Batch.of(began, moments, _again(ground) - again)

    return batch


_QUEUE = {
    "virtual_mailbox_domains": "",
    "relayhost": f"[{MAPPED_SERVER}]",
    "smtp_destination_concurrency_limit": str(PARALLEL),
    "default_destination_concurrency_failed_cohort_limit": "0",
    "smtp_connection_cache_on_demand": "no",  # or the first mails take connections from before the flood
    **dict.fromkeys(("queue_run_delay", "minimal_backoff_time", "maximal_backoff_time"), "2s"),
}


def _gone(postfix: Postfix) -> int:
    """How many messages the Postfix has handed over."""
    told = postfix.log.read_text(encoding="utf-8", errors="replace")
    return len(set(re.findall(r": ([0-9A-Za-z]+): to=.* status=sent ", told)))


def _again(ground: Ground) -> int:
    """The segments that clients and server have sent again."""
    total = 0
    for host in ("outside", "inside"):
        with ground.within(host):
            total += retransmitted()
    return total


# -- the ways


@contextmanager
def _firewall(limits: str, *rule: str) -> Iterator[Ground]:
    """Ours, and perhaps a rule before its own."""
    with wall(limits) as ours:
        if rule:
            ours.ground.run("firewall", "iptables", *rule)
        yield ours.ground


@contextmanager
def _router(*rules: str, **settings: int) -> Iterator[Ground]:
    """Forwarding, and rules."""
    with workspace() as home, router(f"fxr{os.getpid()}", home / "found") as ground:
        for rule in rules:
            ground.run("firewall", "iptables", *rule.split())
        with ground.within("firewall"):
            for name, value in settings.items():
                Path(f"/proc/sys/net/netfilter/{name}").write_text(str(value), encoding="ascii")
        yield ground


CONNLIMIT = f"xt_connlimit {EMBRYONIC}"
_ABOVE = f"-A FORWARD -p tcp --syn -m connlimit --connlimit-above {EMBRYONIC} --connlimit-daddr -j DROP"
_INTERCEPT = f"-t raw -I PREROUTING -m mark --mark {DISPOSITION.match(Disposition.INTERCEPT)} -j DROP"
_ALWAYS = (
    f"-t raw -A PREROUTING -p tcp --syn -d {SERVER} -j CT --notrack",
    f"-A FORWARD -d {SERVER} -p tcp -m conntrack --ctstate INVALID,UNTRACKED -j SYNPROXY --mss 1460",
    "-A FORWARD -m conntrack --ctstate INVALID -j DROP",
)
OURS = f"tcp 1000 {EMBRYONIC}"
WAYS = (
    Way(OURS, lambda: _firewall(OURS)),
    Way(f"{OURS}, a Postfix's queue", lambda: _firewall(OURS), postfix=True, patience=30),
    Way(f"{OURS}, the flood to nobody", lambda: _firewall(OURS), astray=True),
    Way("nothing", _router, SERVER, inspected=False, patience=5),
    Way(CONNLIMIT, lambda: _router(_ABOVE), SERVER, inspected=False, drops=True, patience=5),
    Way("drop at the embryonic limit", lambda: _firewall(OURS, *_INTERCEPT.split()), drops=True, patience=5),
    Way("tcp 50 100, the seed's", lambda: _firewall("tcp 50 100"), drops=True, patience=5),
    Way("SYNPROXY always", lambda: _router(*_ALWAYS, nf_conntrack_tcp_loose=0), SERVER, inspected=False),
)
