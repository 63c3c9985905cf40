"""What is said over the control socket: a frame holds one JSON message, a client sends one request and gets one answer.

An answer that may be large is one of parts: each is a report in a frame of its own, and `Whole` follows the last.

A frame is four octets of length, big-endian, and that many octets of JSON. Requests are a closed vocabulary; an
answer is a report, or a refusal with its sentence. Whatever else arrives is a `ProtocolError`. Framing is pure:
octets in, messages out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, TypeVar

from appliance.config.diagnostics import Diagnostic
from appliance.iptables.trace import TraceReport
from appliance.plain import PlainError, from_plain, to_plain
from appliance.show import (
    AccessListsReport,
    AspReport,
    AttacksReport,
    ClearedReport,
    ConnectionsReport,
    InterfacesReport,
    LocalHostsReport,
    LoggingReport,
    NatReport,
    Report,
    RunningConfigReport,
    ServicePolicyReport,
    TranslationsReport,
    TranslationsWanted,
    VersionReport,
    Wanted,
)

#: Octets of a request at most: a configuration may be typed that is as long as a file, and JSON escapes some of it.
MAX_REQUEST = 4 * 1024 * 1024
#: Octets of an answer, or of a part of one, at most.
MAX_ANSWER = 64 * 1024 * 1024

_HEAD = 4  # octets of length

T = TypeVar("T")


class ProtocolError(Exception):
    """The other side does not speak this protocol; the text says how one can tell."""


@dataclass(frozen=True, slots=True)
class ShowServicePolicy:
    """Ask for a `ServicePolicyReport`."""


@dataclass(frozen=True, slots=True)
class ShowConnections:
    """Ask for a `ConnectionsReport`, in parts; `count_only` for one without the connections themselves."""

    count_only: bool = False
    wanted: Wanted = field(default_factory=Wanted)


@dataclass(frozen=True, slots=True)
class ShowRunningConfig:
    """Ask for a `RunningConfigReport`; `everything` includes what is at its default."""

    everything: bool = False


@dataclass(frozen=True, slots=True)
class ShowLogging:
    """Ask for a `LoggingReport`."""


@dataclass(frozen=True, slots=True)
class ShowLocalHosts:
    """Ask for a `LocalHostsReport`; the connections are asked for beside it."""


@dataclass(frozen=True, slots=True)
class ShowTranslations:
    """Ask for a `TranslationsReport`, in parts; `count_only` for one without the translations themselves."""

    count_only: bool = False
    wanted: TranslationsWanted = field(default_factory=TranslationsWanted)


@dataclass(frozen=True, slots=True)
class ShowNat:
    """Ask for a `NatReport`."""


@dataclass(frozen=True, slots=True)
class ShowAccessLists:
    """Ask for an `AccessListsReport`, of all lists or the one called `name`."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class ShowAttacks:
    """Ask for an `AttacksReport`, of the top ten or of `everything`; refused where the statistics are off."""

    everything: bool = False


@dataclass(frozen=True, slots=True)
class ShowAsp:
    """Ask for an `AspReport`."""


@dataclass(frozen=True, slots=True)
class ShowVersion:
    """Ask for a `VersionReport`."""


@dataclass(frozen=True, slots=True)
class ShowInterfaces:
    """Ask for an `InterfacesReport`, of all or of the one called `name`, by either of its names."""

    name: str | None = None


@dataclass(frozen=True, slots=True)
class ClearConnections:
    """End connections; a `ClearedReport`, in one part."""

    wanted: Wanted


@dataclass(frozen=True, slots=True)
class ClearTranslations:
    """End the connections that go through translations; likewise."""

    wanted: TranslationsWanted


@dataclass(frozen=True, slots=True)
class TracePacket:
    """Ask what becomes of the first packet of a connection; a `TraceReport`. Of ICMP the ports are type and code."""

    interface: str
    protocol: str
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int


@dataclass(frozen=True, slots=True)
class Reload:
    """Ask that the startup configuration be put in force; `Applied` says whether it is."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Ask that the configuration in force be changed by these lines, all of them or none; `Applied` says whether."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriteMemory:
    """Ask that the configuration in force become the startup configuration; answered with `Written`."""


@dataclass(frozen=True, slots=True)
class ShowStartupConfig:
    """Ask for a `StartupConfigReport`."""


Request = (
    ShowServicePolicy
    | ShowConnections
    | ShowRunningConfig
    | ShowLogging
    | ShowLocalHosts
    | ShowTranslations
    | ShowNat
    | ShowAccessLists
    | ShowAttacks
    | ShowAsp
    | ShowVersion
    | ShowInterfaces
    | ClearConnections
    | ClearTranslations
    | TracePacket
    | Reload
    | Configure
    | WriteMemory
    | ShowStartupConfig
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The request was understood and could not be met; one sentence."""

    message: str


@dataclass(frozen=True, slots=True)
class Whole:
    """Behind the last part of an answer: that was all of it."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What came of a `Reload` of `file` or of a `Configure`: done, or nothing changed because of an error found.

    `ended` are the living connections that it ended, to a static that leads elsewhere now.
    """

    file: str
    done: bool
    findings: tuple[Diagnostic, ...]
    ended: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """The startup configuration was written: its MD5, and how many of the old file's comment lines had no place."""

    file: str
    octets: int
    checksum: str
    comments_lost: int


@dataclass(frozen=True, slots=True)
class StartupConfigReport:
    """The rule file that the next start or reload reads, as it stands there."""

    file: str
    lines: tuple[str, ...]


#: What is told, if the request can be met.
Told = Report | TraceReport | Applied | Written | StartupConfigReport
Answer = Told | Refusal | Whole

_REQUESTS: Mapping[str, type[Request]] = {
    "show service-policy": ShowServicePolicy,
    "show conn": ShowConnections,
    "show running-config": ShowRunningConfig,
    "show logging": ShowLogging,
    "show local-host": ShowLocalHosts,
    "show xlate": ShowTranslations,
    "show nat": ShowNat,
    "show access-list": ShowAccessLists,
    "show threat-detection statistics top tcp-intercept": ShowAttacks,
    "show asp": ShowAsp,
    "show version": ShowVersion,
    "show interface": ShowInterfaces,
    "clear conn": ClearConnections,
    "clear xlate": ClearTranslations,
    "packet-tracer": TracePacket,
    "reload": Reload,
    "configure": Configure,
    "write memory": WriteMemory,
    "show startup-config": ShowStartupConfig,
}
_ANSWERS: Mapping[str, type[Answer]] = {
    "service-policy": ServicePolicyReport,
    "conn": ConnectionsReport,
    "running-config": RunningConfigReport,
    "logging": LoggingReport,
    "local-host": LocalHostsReport,
    "xlate": TranslationsReport,
    "nat": NatReport,
    "access-list": AccessListsReport,
    "tcp-intercept": AttacksReport,
    "asp": AspReport,
    "version": VersionReport,
    "interface": InterfacesReport,
    "cleared": ClearedReport,
    "packet-tracer": TraceReport,
    "applied": Applied,
    "written": Written,
    "startup-config": StartupConfigReport,
    "refusal": Refusal,
    "whole": Whole,
}


def request_frame(request: Request) -> bytes:
    """`request` as a frame."""
    return _frame("request", _REQUESTS, request)


def answer_frame(answer: Answer) -> bytes:
    """`answer` as a frame; a refusal in its place if it is too large."""
    frame = _frame("answer", _ANSWERS, answer)
    if len(frame) > _HEAD + MAX_ANSWER:
        return answer_frame(Refusal("the answer is too large"))
    return frame


def request_of(octets: bytes) -> Request:
    """The request in a frame's octets."""
    return _message("request", _REQUESTS, octets)


def answer_of(octets: bytes) -> Answer:
    """The answer in a frame's octets."""
    return _message("answer", _ANSWERS, octets)


class Framing:
    """Octets of a connection, in any pieces, to the octets of its frames."""

    def __init__(self, limit: int) -> None:
        """`limit`: octets of a frame at most."""
        self._limit = limit
        self._octets = bytearray()

    def receive(self, octets: bytes) -> list[bytes]:
        """The frames that are complete with `octets`; ProtocolError as soon as one announces more than the limit."""
        self._octets += octets
        frames = []
        while len(self._octets) >= _HEAD:
            length = int.from_bytes(self._octets[:_HEAD], "big")
            if length > self._limit:
                raise ProtocolError(f"a message of {length} octets; {self._limit} is the most")
            if len(self._octets) < _HEAD + length:
                break
            frames.append(bytes(self._octets[_HEAD : _HEAD + length]))
            del self._octets[: _HEAD + length]
        return frames


def _frame(what: str, names: Mapping[str, type], value: Any) -> bytes:
    name = next(name for name, kind in names.items() if kind is type(value))
    octets = json.dumps({what: name, "fields": to_plain(value)}, separators=(",", ":")).encode()
    return len(octets).to_bytes(_HEAD, "big") + octets


def _message(what: str, names: Mapping[str, type[T]], octets: bytes) -> T:
    try:
        message = json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("not JSON") from error
    match message:
        case {"fields": fields, **rest} if rest.keys() == {what}:
            name = rest[what]
        case _:
            raise ProtocolError(f"not a {what}")
    if not isinstance(name, str) or name not in names:
        raise ProtocolError(f"unknown {what}")
    try:
        return from_plain(names[name], fields)
    except PlainError as error:
        raise ProtocolError(str(error)) from error
