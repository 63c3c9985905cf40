"""What a replay says, as plain data: the command formats it, ``--json`` prints it.

Text of the wire is printable (row 23); a line of credentials is never told (row 12).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Kind(enum.Enum):
    """What an entry of a conversation is."""

    COMMAND = "command"  # a client's line
    REPLY = "reply"  # a server's line
    MESSAGE = "message"  # a mail: `octets` of it, CRLF . CRLF included
    CLOSED = "closed"  # inspection closed the connection: `sent` says why
    LOGGED = "logged"  # a rule only spoke: `sent` says what
    TLS = "tls"  # inspection ended with TLS


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened, in order. `got` is what the peer got where that is not what was sent."""

    kind: Kind
    sent: str = ""
    got: str | None = None
    octets: int = 0
    sha256: str = ""  # of a message's octets, so that it can be compared with what another tool reassembles


@dataclass(frozen=True, slots=True)
class ConversationReport:
    """One connection. `inspection` names the class it was in; None: it was not inspected, `why` says why."""

    client: str  # 203.0.113.10/40000
    server: str
    started: int  # ns since 1970
    inspection: str | None
    why: str = ""
    packets: int = 0
    entries: tuple[Entry, ...] = ()
    omitted: int = 0  # entries beyond the first ones
    masked: int = 0  # octets that became others
    messages: tuple[int, ...] = ()  # octets of each


@dataclass(frozen=True, slots=True)
class Report:
    """One replay. `faults` are the files that could not be read to their end, each with its place."""

    packets: int  # read
    passed: int
    modified: int  # of those that passed
    dropped: int
    ignored: int  # of no IPv4
    wrong_checksums: int  # with `verify_checksums` dropped, else read all the same
    conversations: tuple[ConversationReport, ...]
    records: tuple[str, ...]  # the log, rendered
    engine: Mapping[str, int]  # the engine's counters that are not 0
    faults: tuple[str, ...] = ()
    written: int | None = None  # packets in the file that was asked for
