"""What is said of translations, 305009 to 305012, and of hosts, 609001 and 609002 (asa.md §4.4)."""

from __future__ import annotations

import enum
from ipaddress import IPv4Address

from appliance.flow import Endpoint
from appliance.syslog.connections import clock
from appliance.syslog.record import Record
from appliance.value import value


@value
class TranslationBuilt(Record):
    """A static came with the configuration, or, of policy NAT and the like, with the first connection that calls it so;
    `real` behind `real_interface` is `mapped` behind `mapped_interface`."""

    id = 305009
    severity = 6

    real_interface: str
    real: IPv4Address
    mapped_interface: str
    mapped: IPv4Address

    def sentence(self) -> str:
        return f"Built static translation from {_translation(self)}"


@value
class TranslationTornDown(Record):
    """A static went with the configuration, or with the last connection that called it so, after `duration` seconds."""

    id = 305010
    severity = 6

    real_interface: str
    real: IPv4Address
    mapped_interface: str
    mapped: IPv4Address
    duration: int

    def sentence(self) -> str:
        return f"Teardown static translation from {_translation(self)} duration {clock(self.duration)}"


class Kind(enum.Enum):
    """How a port is translated: always the same way, or as was chosen for a connection."""

    STATIC = "static"
    DYNAMIC = "dynamic"


@value
class PortTranslationBuilt(Record):
    """A static of a port came with the configuration or its first connection, or a connection was given an address and
    port (a pool, PAT)."""

    id = 305011
    severity = 6

    kind: Kind
    real: Endpoint
    mapped: Endpoint

    def sentence(self) -> str:
        return f"Built {self.kind.value} TCP translation from {self.real} to {self.mapped}"


@value
class PortTranslationTornDown(Record):
    """The translation of a port went with the configuration, or with its connection, after `duration` seconds."""

    id = 305012
    severity = 6

    kind: Kind
    real: Endpoint
    mapped: Endpoint
    duration: int

    def sentence(self) -> str:
        lasted = clock(self.duration)
        return f"Teardown {self.kind.value} TCP translation from {self.real} to {self.mapped} duration {lasted}"


def _translation(record: TranslationBuilt | TranslationTornDown) -> str:
    return f"{record.real_interface}:{record.real} to {record.mapped_interface}:{record.mapped}"


@value
class LocalHostBuilt(Record):
    """A host has its first connection."""

    id = 609001
    severity = 7

    interface: str
    address: IPv4Address

    def sentence(self) -> str:
        return f"Built local-host {self.interface}:{self.address}"


@value
class LocalHostTornDown(Record):
    """The last connection of a host ended; `duration` in seconds since its first."""

    id = 609002
    severity = 7

    interface: str
    address: IPv4Address
    duration: int

    def sentence(self) -> str:
        return f"Teardown local-host {self.interface}:{self.address} duration {clock(self.duration)}"
