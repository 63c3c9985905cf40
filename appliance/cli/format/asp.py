"""``show asp drop`` as ASA prints it (asa.md §3.12), and ``show asp queue``, which is ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from appliance.show import AspDrop, AspReport

_WIDTH = 78  # octets of a line of ``show asp drop``


def asp_drop(report: AspReport) -> Iterator[str]:
    """``show asp drop``: the reasons that were met."""
    yield "Frame drop:"
    yield from _drops(report.frames)
    yield ""
    yield "Last clearing: Never"
    yield ""
    yield "Flow drop:"
    yield from _drops(report.flows)
    yield ""
    yield "Last clearing: Never"


def asp_queue(report: AspReport) -> Iterator[str]:
    """``show asp queue``: how full the queues are, what waits in them, how long a packet takes."""
    yield "Queue    Worker   Length  Dropped, full  Dropped, buffer"
    for each in report.queues:
        yield f"{each.number:<5}{each.worker_pid:>10}{each.length:>9}{each.dropped:>15}{each.user_dropped:>17}"
    yield f"Receive buffer overflows: {report.overflows}"
    yield f"Given up: unacknowledged octets {report.given_up} times, {report.unsent} requests and records"
    waited = report.waited
    yield (
        f"Packets held: {report.waiting} now, {waited['early']} since the start behind a gap, "
        f"{waited['undecided']} for a decision"
    )
    yield "Packets by the time a worker had them:"
    for name, count in report.verdicts.items():
        yield f"  {_time(name):<20}{count:>12}"


def _drops(drops: Iterable[AspDrop]) -> Iterator[str]:
    for each in drops:
        words = f"  {each.sentence} ({each.reason})"
        yield f"{words}{each.count:>{_WIDTH - len(words)}}"


def _time(name: str) -> str:
    """``16us`` → ``up to 16 us``."""
    digits = name.rstrip("mus")
    return f"up to {digits} {name.removeprefix(digits)}" if digits.isdecimal() else "slower"
