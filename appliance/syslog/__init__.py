"""The catalogue of log records: one frozen class per message, a sentence each, and the line it becomes.

A record is a value until the last moment: whoever notices something builds one, sinks render it. Ids, severities
and sentences are ASA's (asa.md §4, real lines before the manual's where they differ); what only Fixup can say has
ids from 900001 up and is marked ``%FIXUP-`` instead of ``%ASA-``, so that no parser of ASA's messages mistakes it.

Rules:

* One fact, one record, one line. Octets of a peer are `bytes` fields, of which a record keeps no more than shows
  that there were more, and pass through `printable`; `Record.text` makes the whole sentence printable once more, so
  that no field at all can begin a line of its own (row 23).
* No credential is ever a field (row 12).
* Every record can be told as JSON and back (`to_message`, `from_message`): unprivileged workers hand theirs to the
  root process, which believes nothing but this vocabulary.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appliance.plain import PlainError, from_plain, to_plain
from appliance.syslog.connections import (
    ClientEmbryonicLimitExceeded,
    ClientLimitExceeded,
    ConnectionBuilt,
    ConnectionLimitExceeded,
    ConnectionTornDown,
    Direction,
    EmbryonicLimitExceeded,
    Reason,
    clock,
)
from appliance.syslog.denied import (
    AccessDenied,
    DenyFlowsFull,
    EntryHit,
    InboundDenied,
    NatMismatch,
    NoConnection,
    SpoofedSource,
)
from appliance.syslog.mail import (
    ActionClass,
    ActionTaken,
    EsmtpAction,
    EsmtpReceived,
    FlowTerminated,
    MaliciousPattern,
    Message,
    SizeViolation,
    StringReplaced,
    Termination,
    TlsStarted,
)
from appliance.syslog.management import CommandExecuted
from appliance.syslog.ours import (
    ClassTableFull,
    ConfigurationRefused,
    ConnectionsForgotten,
    EngineFault,
    EventsLost,
    LeftAlone,
    TableFull,
    WorkerRestarted,
)
from appliance.syslog.record import (
    ELLIPSIS,
    SHOWN,
    Record,
    one_line,
    printable,
)
from appliance.syslog.threats import AverageRateExceeded, BurstRateExceeded
from appliance.syslog.translations import Kind as TranslationKind
from appliance.syslog.translations import (
    LocalHostBuilt,
    LocalHostTornDown,
    PortTranslationBuilt,
    PortTranslationTornDown,
    TranslationBuilt,
    TranslationTornDown,
)

__all__ = [
    "CATALOGUE",
    "ELLIPSIS",
    "LEVELS",
    "SHOWN",
    "AccessDenied",
    "ActionClass",
    "ActionTaken",
    "AverageRateExceeded",
    "BurstRateExceeded",
    "ClassTableFull",
    "ClientEmbryonicLimitExceeded",
    "ClientLimitExceeded",
    "CommandExecuted",
    "ConfigurationRefused",
    "ConnectionBuilt",
    "ConnectionLimitExceeded",
    "ConnectionTornDown",
    "ConnectionsForgotten",
    "DenyFlowsFull",
    "Direction",
    "EmbryonicLimitExceeded",
    "EngineFault",
    "EntryHit",
    "EsmtpAction",
    "EsmtpReceived",
    "EventsLost",
    "FlowTerminated",
    "InboundDenied",
    "LeftAlone",
    "LocalHostBuilt",
    "LocalHostTornDown",
    "MaliciousPattern",
    "Message",
    "MessageError",
    "NatMismatch",
    "NoConnection",
    "PortTranslationBuilt",
    "PortTranslationTornDown",
    "Reason",
    "Record",
    "SizeViolation",
    "SpoofedSource",
    "StringReplaced",
    "TableFull",
    "Termination",
    "TlsStarted",
    "TranslationBuilt",
    "TranslationKind",
    "TranslationTornDown",
    "WorkerRestarted",
    "clock",
    "from_message",
    "one_line",
    "printable",
    "render",
    "to_message",
]

LEVELS = (
    "emergencies",
    "alerts",
    "critical",
    "errors",
    "warnings",
    "notifications",
    "informational",
    "debugging",
)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # strftime's are local

#: Every record there is, by id.
CATALOGUE: Mapping[int, type[Record]] = {
    each.id: each
    for each in (
        StringReplaced,
        MaliciousPattern,
        EsmtpAction,
        EsmtpReceived,
        SizeViolation,
        TlsStarted,
        EmbryonicLimitExceeded,
        ConnectionLimitExceeded,
        ClientEmbryonicLimitExceeded,
        ClientLimitExceeded,
        ConnectionBuilt,
        ConnectionTornDown,
        TranslationBuilt,
        TranslationTornDown,
        PortTranslationBuilt,
        PortTranslationTornDown,
        NatMismatch,
        LocalHostBuilt,
        LocalHostTornDown,
        InboundDenied,
        NoConnection,
        AccessDenied,
        EntryHit,
        DenyFlowsFull,
        SpoofedSource,
        FlowTerminated,
        AverageRateExceeded,
        BurstRateExceeded,
        EngineFault,
        WorkerRestarted,
        LeftAlone,
        EventsLost,
        TableFull,
        ClassTableFull,
        ConnectionsForgotten,
        CommandExecuted,
        ConfigurationRefused,
    )
}


def render(
    record: Record, *, when: datetime | None = None, device_id: str | None = None, facility: int | None = None
) -> str:
    """The line a destination gets (asa.md §4.1): ``<166>Nov 21 2026 03:04:28 fw : %ASA-6-302013: Built …``.

    `when` None is without ``logging timestamp``, `device_id` None without ``logging device-id``; `facility` None
    leaves the ``<PRI>`` out, as the memory buffer and the console do.
    """
    head = "" if when is None else _date(when)
    if device_id is not None:
        head = f"{head} {one_line(device_id)} ".lstrip()
    priority = "" if facility is None else f"<{facility * 8 + record.logged_at}>"
    return f"{priority}{head}{': ' if head else ''}%{record.product}-{record.logged_at}-{record.id}: {record.text()}"


@functools.lru_cache(maxsize=1)
def _date(when: datetime) -> str:
    """As lines begin with it; those of a second have it in common."""
    return f"{_MONTHS[when.month - 1]} {when:%d %Y %H:%M:%S}"


# --- records as JSON --------------------------------------------------------------------------------------------


class MessageError(ValueError):
    """What was received is no record of ours."""


def to_message(record: Record) -> dict[str, Any]:
    """`record` as a JSON object: its id and its fields by name."""
    return {"id": record.id, **to_plain(record)}


def from_message(message: object) -> Record:
    """The record that `message` tells; MessageError if it is anything else than `to_message` makes."""
    if not isinstance(message, dict):
        raise MessageError("not an object")
    values = dict(message)
    number = values.pop("id", None)
    kind = CATALOGUE.get(number) if type(number) is int else None
    if kind is None:
        raise MessageError("no record has this id")
    try:
        return from_plain(kind, values)
    except PlainError as error:
        raise MessageError(str(error)) from error
