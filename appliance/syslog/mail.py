"""What inspection says of mail: 108002-108007, and 507003 of the flow it ended (asa.md §4.2, §4.6)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from appliance.flow import Endpoint, Side
from appliance.syslog.record import SHOWN, Record, printable


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
class SizeViolation(Record):
    """A message was bigger than its MAIL had said (RFC 1870): only said, nothing is done about it."""

    id = 108006
    severity = 7

    source: Endpoint
    destination: Endpoint
    declared: int
    actual: int

    def sentence(self) -> str:
        return (
            f"Detected ESMTP size violation from {self.source} to {self.destination}; "
            f"declared size is: {self.declared}, actual size is {self.actual}"
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
