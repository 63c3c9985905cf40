"""What only Fixup can say: 900001 and up, marked ``%FIXUP-``."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass
from pathlib import PurePath

from appliance.flow import Endpoint
from appliance.syslog.record import Record

#: Places an engine fault names, innermost first: enough to find it, and the line stays short.
_PLACES = 8


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


@dataclass(frozen=True, slots=True)
class TableFull(Record):
    """The kernel's connection table had no room: that many SYNs were refused, whatever their limits."""

    id = 900004
    severity = 3
    product = "FIXUP"

    count: int

    def sentence(self) -> str:
        return f"Connection table full: {self.count} new connections refused"


@dataclass(frozen=True, slots=True)
class ClassTableFull(Record):
    """What classes count by server and by client had no room: that many SYNs were refused, whatever their limits."""

    id = 900007
    severity = 3
    product = "FIXUP"

    count: int

    def sentence(self) -> str:
        return f"Table of the servers and clients of classes full: {self.count} new connections refused"


@dataclass(frozen=True, slots=True)
class LeftAlone(Record):
    """Octets of a connection passed unseen, as ``fail-open`` allows: the rest of it is not inspected (row 19)."""

    id = 900006
    severity = 4
    product = "FIXUP"

    client: Endpoint
    server: Endpoint

    def sentence(self) -> str:
        return f"Inspection of {self.client} to {self.server} given up: octets passed unseen (fail-open)"


@dataclass(frozen=True, slots=True)
class ConnectionsForgotten(Record):
    """The connections of an earlier run have ended at the start: there was no table of them to go on with (row 20)."""

    id = 900008
    severity = 4
    product = "FIXUP"

    def sentence(self) -> str:
        return "Connections of an earlier run ended: their table is gone, and nothing counted them"


@dataclass(frozen=True, slots=True)
class ConfigurationRefused(Record):
    """A command that would have changed what is in force changed nothing: the file or the machine refused it."""

    id = 900005
    severity = 3
    product = "FIXUP"

    command: str
    reason: str

    def sentence(self) -> str:
        return f"Command '{self.command}' changed nothing: {self.reason}"
