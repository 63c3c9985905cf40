"""A replay as text: what was said, what the peer got, what is logged."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.replay import report as replayed
from appliance.replay.report import Kind

#: The mark in front of what an entry tells.
_MARKS = {
    Kind.COMMAND: "C:",
    Kind.REPLY: "S:",
    Kind.MESSAGE: "C:",
    Kind.CLOSED: "!! closed:",
    Kind.LOGGED: "-- logged:",
    Kind.TLS: "-- TLS begins; from here on nothing is inspected",
}


def replay(report: replayed.Report) -> Iterator[str]:
    """A replay: each connection's dialogue, what the peer got where that is not what was sent, the log, the sums."""
    for each in report.conversations:
        yield from _conversation(each)
        yield ""
    if report.records:
        yield "Log:"
        yield from (f"  {record}" for record in report.records)
        yield ""
    yield (
        f"{_many(report.packets, 'packet')}: {report.passed} passed, {report.modified} of them modified, "
        f"{report.dropped} dropped; {report.ignored} not IPv4, {report.wrong_checksums} wrong checksums"
    )


def _conversation(report: replayed.ConversationReport) -> Iterator[str]:
    judged = f"inspected: {report.inspection}" if report.inspection else f"not inspected: {report.why}"
    yield f"{report.client} > {report.server}, {judged}, {_many(report.packets, 'packet')}"
    for each in report.entries:
        yield from _entry(each)
    if report.omitted:
        yield f"  … {report.omitted} more"
    if report.inspection:
        yield f"  {_many(report.masked, 'octet')} masked; messages: {', '.join(map(str, report.messages)) or 'none'}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _entry(entry: replayed.Entry) -> Iterator[str]:
    mark = _MARKS[entry.kind]
    match entry.kind:
        case Kind.MESSAGE:
            yield f"  {mark} (a message, {entry.octets} octets)"
        case Kind.TLS:
            yield f"  {mark}"
        case _:
            yield f"  {mark} {entry.sent}"
    if entry.got is not None:
        yield f"  {'->':>{len(mark)}} {entry.got}"
