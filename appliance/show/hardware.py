"""``show version``, ``show interface``, ``show clock``: the machine, its devices, and what the file says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address

from appliance.config.config import Config, Interface
from appliance.datapath.snapshot import DeviceUse, Machine


@dataclass(frozen=True, slots=True)
class InterfaceReport:
    """An interface of the file, and its Linux device if this machine has it."""

    name: str
    nameif: str | None
    description: str
    shutdown: bool
    address: IPv4Address | None
    mask: IPv4Address | None
    hardware: str | None  # what the file calls the device
    device: DeviceUse | None


@dataclass(frozen=True, slots=True)
class InterfacesReport:
    """``show interface``: the interfaces in the file's order."""

    interfaces: tuple[InterfaceReport, ...]


@dataclass(frozen=True, slots=True)
class ClockReport:
    """A moment of the machine's clock: ISO 8601 with milliseconds and offset, and what the zone is called."""

    time: str
    zone: str


@dataclass(frozen=True, slots=True)
class VersionReport:
    """``show version``; `modified` is when the configuration in force was changed last, None if not since the start."""

    release: str  # Fixup's
    goes_by: str  # the head of the file, or its `compatibility`: ``ASA Version 8.2(5)``; nothing without either
    file: str
    hostname: str
    uptime: int  # seconds since the start
    machine: Machine
    workers: int
    interfaces: tuple[InterfaceReport, ...]
    modified: ClockReport | None


def interfaces(config: Config, devices: Mapping[str, DeviceUse], name: str | None = None) -> InterfacesReport:
    """All of them, or the one called `name` in either way; `devices` by name."""
    return InterfacesReport(
        tuple(
            _interface(each, devices)
            for each in config.interfaces
            if name is None or name == each.nameif or name.lower() == each.name.lower()
        )
    )


def _interface(interface: Interface, devices: Mapping[str, DeviceUse]) -> InterfaceReport:
    address = interface.address
    return InterfaceReport(
        interface.name,
        interface.nameif,
        interface.description,
        interface.shutdown,
        None if address is None else address.ip,
        None if address is None else address.netmask,
        interface.hardware,
        devices.get(interface.hardware or ""),
    )


def goes_by(config: Config) -> str:
    """What says what is so where the file says nothing."""
    return f"compatibility {config.compatibility}" if config.compatibility else config.head


def clock(moment: datetime) -> ClockReport:
    """`moment`, which knows its zone."""
    return ClockReport(moment.isoformat(timespec="milliseconds"), moment.tzname() or "")
