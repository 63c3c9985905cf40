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

import enum
import hashlib
import traceback
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any, ClassVar

from appliance.flow import Endpoint, Side
from appliance.plain import PlainError, from_plain, to_plain

#: Octets of a peer that a record shows at most (row 23).
SHOWN = 128
#: What stands for the rest.
ELLIPSIS = "…"

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

#: Places an engine fault names, innermost first: enough to find it, and the line stays short.
_PLACES = 8

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # strftime's are local


def printable(octets: bytes) -> str:
    """Octets of the wire as a record shows them: printable ASCII, others ``\\ooo``, at most 128 and then ``…``."""
    shown = "".join(chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03o}" for octet in octets[:SHOWN])
    return shown + ELLIPSIS if len(octets) > SHOWN else shown


def one_line(text: str) -> str:
    """`text` with every character that is not printable ASCII (nor our own ``…``) as the ``\\ooo`` of its UTF-8."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each if each == ELLIPSIS or (each.isascii() and each.isprintable()) else _octal(each) for each in text
    )


def _octal(character: str) -> str:
    return "".join(f"\\{octet:03o}" for octet in character.encode("utf-8", "surrogatepass"))


class Record(ABC):
    """One log message. `id` and `severity` (0-7) are its class's; `product` says whose message it is."""

    __slots__ = ()
    id: ClassVar[int]
    severity: ClassVar[int]
    product: ClassVar[str] = "ASA"

    @abstractmethod
    def sentence(self) -> str:
        """The message's words."""

    def text(self) -> str:
        """The message without any header: always one printable line."""
        return one_line(self.sentence())


# --- 108xxx: mail -----------------------------------------------------------------------------------------------


class ActionClass(enum.Enum):
    """Which part of the inspect map acted: a `match` line or a parameter (rules of our own count as one)."""

    CLASSIFICATION = "ESMTP Classification"
    PARAMETER = "ESMTP Parameter"


class ActionTaken(enum.Enum):
    """What 108004 says was done."""

    DROPPED = "Dropped"
    DROPPED_CONNECTION = "Dropped connection for"
    RESET_CONNECTION = "Reset connection for"
    MASKED = "Masked header flags for"


class Message(enum.Enum):
    """What it was done to: something the client sent, or the server."""

    REQUEST = "Request"
    RESPONSE = "Response"

    @classmethod
    def of(cls, sender: Side) -> Message:
        """The message `sender` sends: the client's are requests."""
        return cls.REQUEST if sender is Side.CLIENT else cls.RESPONSE


@dataclass(frozen=True, slots=True)
class StringReplaced(Record):
    """Octets of a mail address were replaced by spaces; `data` is the command line as it was sent."""

    id = 108002
    severity = 2

    source: Endpoint
    destination: Endpoint
    data: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", self.data[: SHOWN + 1])

    def sentence(self) -> str:
        return (
            f"SMTP replaced string: out {self.source.address} in {self.destination.address} data: "
            f"{printable(self.data)}"
        )


@dataclass(frozen=True, slots=True)
class MaliciousPattern(Record):
    """A pipe in a mail address: the connection was closed; `address` as it was sent."""

    id = 108003
    severity = 2

    source: Endpoint
    destination: Endpoint
    address: bytes

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", self.address[: SHOWN + 1])

    def sentence(self) -> str:
        return (
            "Terminating ESMTP connection; malicious pattern detected in the mail address from "
            f"{self.source} to {self.destination}. Mail Address:{printable(self.address)}"
        )


@dataclass(frozen=True, slots=True)
class EsmtpAction(Record):
    """A rule changed or closed something; `further_info` is ``matched Class 4: header line length gt 998``."""

    id = 108004
    severity = 4

    action_class: ActionClass
    action: ActionTaken
    message: Message
    source: Endpoint
    destination: Endpoint
    further_info: str

    def sentence(self) -> str:
        return (
            f"{self.action_class.value}: {self.action.value} ESMTP {self.message.value} "
            f"from {self.source} to {self.destination}; {self.further_info}"
        )


@dataclass(frozen=True, slots=True)
class EsmtpReceived(Record):
    """A rule's ``log``: nothing was changed."""

    id = 108005
    severity = 6

    action_class: ActionClass
    message: Message
    source: Endpoint
    destination: Endpoint
    further_info: str

    def sentence(self) -> str:
        return (
            f"{self.action_class.value}: Received ESMTP {self.message.value} "
            f"from {self.source} to {self.destination}; {self.further_info}"
        )


@dataclass(frozen=True, slots=True)
class TlsStarted(Record):
    """The session went over to TLS: nothing of it is inspected from here on."""

    id = 108007
    severity = 6

    client: Endpoint
    server: Endpoint

    def sentence(self) -> str:
        return f"TLS started on ESMTP session between client {self.client} and server {self.server}"


# --- 201xxx: limits ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EmbryonicLimitExceeded(Record):
    """A SYN found `count` of `limit` half-open connections; the destination is the real address (asa.md §4.3)."""

    id = 201010
    severity = 6

    count: int
    limit: int
    source: Endpoint
    destination: Endpoint

    def sentence(self) -> str:
        return f"Embryonic connection limit exceeded {_refused(self)}"


@dataclass(frozen=True, slots=True)
class ConnectionLimitExceeded(Record):
    """A SYN found `count` of `limit` connections and was dropped; the destination is the real address."""

    id = 201011
    severity = 3

    count: int
    limit: int
    source: Endpoint
    destination: Endpoint

    def sentence(self) -> str:
        return f"Connection limit exceeded {_refused(self)}"


def _refused(record: EmbryonicLimitExceeded | ConnectionLimitExceeded) -> str:
    return (
        f"{record.count}/{record.limit} for input packet from {_bare(record.source)} to {_bare(record.destination)} "
        f"on interface {record.source.interface}"
    )


def _bare(end: Endpoint) -> str:
    return f"{end.address}/{end.port}"


# --- 302xxx: connections ----------------------------------------------------------------------------------------


class Direction(enum.Enum):
    """Who opened a connection: ``inbound`` is from the lower security level to the higher."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Reason(enum.Enum):
    """Why a connection was torn down, of ASA's list (asa.md §4.4). -I is the more secure side, -O the less secure."""

    FINS = "TCP FINs"
    RESET_I = "TCP Reset-I"
    RESET_O = "TCP Reset-O"
    SYN_TIMEOUT = "SYN Timeout"
    FIN_TIMEOUT = "FIN Timeout"
    CONN_TIMEOUT = "Conn-timeout"
    INSPECTION = "Flow closed by inspection"
    XLATE_CLEAR = "Xlate Clear"


@dataclass(frozen=True, slots=True)
class ConnectionBuilt(Record):
    """A connection was built. `lower` is the end of lower security whoever opened it; the mapped ends are shown
    by address and port alone."""

    id = 302013
    severity = 6

    direction: Direction
    number: int
    lower: Endpoint
    lower_mapped: Endpoint
    upper: Endpoint
    upper_mapped: Endpoint

    def sentence(self) -> str:
        return (
            f"Built {self.direction.value} TCP connection {self.number} "
            f"for {self.lower} ({_bare(self.lower_mapped)}) to {self.upper} ({_bare(self.upper_mapped)})"
        )


@dataclass(frozen=True, slots=True)
class ConnectionTornDown(Record):
    """A connection ended: `duration` in seconds, `octets` of payload in both directions."""

    id = 302014
    severity = 6

    number: int
    lower: Endpoint
    upper: Endpoint
    duration: int
    octets: int
    reason: Reason

    def sentence(self) -> str:
        return (
            f"Teardown TCP connection {self.number} for {self.lower} to {self.upper} "
            f"duration {clock(self.duration)} bytes {self.octets} {self.reason.value}"
        )


def clock(seconds: int) -> str:
    """Seconds as ASA writes a duration: ``0:00:30``, ``92:24:20``."""
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


# --- 507xxx: the inspection engine ------------------------------------------------------------------------------


class Termination(enum.Enum):
    """How inspection ended a flow, in the words of real lines (asa.md §4.6)."""

    DISCONNECTED = "inspector disconnected, dropped packet"
    RESET = "inspector drop reset"


@dataclass(frozen=True, slots=True)
class FlowTerminated(Record):
    """Inspection ended the flow. The manual says severity 3, real boxes 4 (asa.md §4.6)."""

    id = 507003
    severity = 4

    source: Endpoint
    destination: Endpoint
    termination: Termination

    def sentence(self) -> str:
        return (
            f"tcp flow from {self.source} to {self.destination} terminated by inspection engine, "
            f"reason - {self.termination.value}."
        )


# --- 900xxx: ours -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EngineFault(Record):
    """Our own bug: an exception in the engine. It names the places, never the exception's message, which may hold
    octets of a peer. `digest` is the same for the same places: count by it."""

    id = 900001
    severity = 3
    product = "FIXUP"

    subject: str
    error: str
    trace: str
    digest: str

    @classmethod
    def of(cls, subject: str, error: BaseException) -> EngineFault:
        """The fault `error` was while working on `subject` (``outside:…/… to inside:…/…``)."""
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{PurePath(each.filename).name}:{each.lineno} {each.name}" for each in reversed(frames)]
        trace = " < ".join(places[:_PLACES])
        name = type(error).__name__
        return cls(subject, name, trace, hashlib.sha256(f"{name} {trace}".encode()).hexdigest()[:12])

    def sentence(self) -> str:
        return f"Inspection engine fault on {self.subject}: {self.error} at {self.trace}, digest {self.digest}"


@dataclass(frozen=True, slots=True)
class WorkerRestarted(Record):
    """A worker ended by itself and another took its queue; connections it knew are reset (rows 19, 20)."""

    id = 900002
    severity = 3
    product = "FIXUP"

    worker: int
    ended: str  # "exit 1", "signal 9"
    pid: int  # of the new one

    def sentence(self) -> str:
        return f"Inspection worker {self.worker} ended ({self.ended}), restarted as process {self.pid}"


@dataclass(frozen=True, slots=True)
class EventsLost(Record):
    """The kernel's event ring was full: records of that many connections' ends and beginnings are missing."""

    id = 900003
    severity = 4
    product = "FIXUP"

    count: int

    def sentence(self) -> str:
        return f"{self.count} connection events lost: the log lacks their records, the counts are right"


#: Every record there is, by id.
CATALOGUE: Mapping[int, type[Record]] = {
    each.id: each
    for each in (
        StringReplaced,
        MaliciousPattern,
        EsmtpAction,
        EsmtpReceived,
        TlsStarted,
        EmbryonicLimitExceeded,
        ConnectionLimitExceeded,
        ConnectionBuilt,
        ConnectionTornDown,
        FlowTerminated,
        EngineFault,
        WorkerRestarted,
        EventsLost,
    )
}


def render(
    record: Record, *, when: datetime | None = None, device_id: str | None = None, facility: int | None = None
) -> str:
    """The line a destination gets (asa.md §4.1): ``<166>Nov 21 2026 03:04:28 fw : %ASA-6-302013: Built …``.

    `when` None is without ``logging timestamp``, `device_id` None without ``logging device-id``; `facility` None
    leaves the ``<PRI>`` out, as the memory buffer and the console do.
    """
    head = "" if when is None else f"{_MONTHS[when.month - 1]} {when:%d %Y %H:%M:%S}"
    if device_id is not None:
        head = f"{head} {one_line(device_id)} ".lstrip()
    priority = "" if facility is None else f"<{facility * 8 + record.severity}>"
    return f"{priority}{head}{': ' if head else ''}%{record.product}-{record.severity}-{record.id}: {record.text()}"


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
