"""``show threat-detection statistics top tcp-intercept`` as ASA prints it."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.show import TOP, AttackReport, AttacksReport

_HEAD = "<Rank> <Server IP:Port> <Interface> <Ave Rate> <Cur Rate> <Total> <Source IP (Last Attack Time)>"
_RULE = "-" * 82
#: Samples in a line of the history, and the columns of each.
_IN_A_LINE, _COLUMNS = 6, 11


def attacks(report: AttacksReport, detailed: bool = False) -> Iterator[str]:
    """The servers; `detailed` with their samples, the latest first."""
    which = "All" if report.everything else f"Top {TOP}"
    yield f"{which} protected servers under attack (sorted by average rate)"
    yield f"Monitoring window size: {report.window} mins    Sampling interval: {report.sampling} secs"
    yield _HEAD
    yield _RULE
    for each in report.servers:
        yield _line(each)
        if detailed:
            yield from _history(each.history)


def _line(report: AttackReport) -> str:
    source = f"<various> Last: {report.source}" if report.various else str(report.source)
    return (
        f"{report.rank:<5}{report.address}:{report.port} {report.interface} {report.average} {report.current} "
        f"{report.total} {source} ({report.ago} secs ago)"
    )


def _history(samples: tuple[int, ...]) -> Iterator[str]:
    yield f"     Sampling History ({len(samples)} Samplings):"
    for start in range(0, len(samples), _IN_A_LINE):
        yield "     " + "".join(f"{each:>{_COLUMNS}}" for each in samples[start : start + _IN_A_LINE])
