"""``show version``, ``show interface`` and ``show clock`` as ASA prints them (NTC in docs/sources.md), of what this
machine has of it.

What an ASA prints and a Linux device does not count (pauses, L2 decode drops, queues of blocks, rates) has no line; nor
have serial numbers, licences and activation keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from appliance.datapath.snapshot import DeviceUse
from appliance.show import ClockReport, InterfaceReport, InterfacesReport, VersionReport


def clock(report: ClockReport) -> Iterator[str]:
    """``show clock``: ``18:56:48.410 UTC Wed Apr 5 2017``"""
    yield _moment(report)


def version(report: VersionReport) -> Iterator[str]:
    """``show version``"""
    machine = report.machine
    yield f"Fixup Version {report.release}"
    if report.goes_by:
        yield f"Goes by {report.goes_by}"
    yield ""
    yield f'Config file at boot was "{report.file}"'
    yield ""
    yield f"{report.hostname} up {_duration(report.uptime)}"
    yield ""
    processors = _many(machine.processors, "CPU")
    yield f"Hardware:   {machine.architecture}, {machine.memory} MB RAM, CPU {machine.processor}, {processors}"
    yield f"Linux {machine.kernel}"
    yield f"{_many(report.workers, 'worker')} inspecting"
    yield ""
    for number, each in enumerate(report.interfaces):
        if each.device is not None:
            yield f"{number:>2}: {each.name:<20}: address is {_mac(each.device.address)}, device {each.device.name}"
        else:
            yield f"{number:>2}: {each.name:<20}: {_missing(each)}"
    yield ""
    if report.modified is None:
        yield "Configuration has not been modified since last system restart."
    else:
        yield f"Configuration last modified by enable_15 at {_moment(report.modified)}"


def interface(report: InterfacesReport) -> Iterator[str]:
    """``show interface``"""
    for each in report.interfaces:
        state, protocol = _state(each)
        yield f'Interface {each.name} "{each.nameif or ""}", is {state}, line protocol is {protocol}'
        if each.device is None:
            yield f"  Hardware is not there: {_missing(each)}"
        else:
            yield from _settings(each.device)
        if each.description:
            yield f"\tDescription: {each.description}"
        if each.nameif is None:
            yield "\tAvailable but not configured via nameif"
        if each.device is not None:
            yield f"\tMAC address {_mac(each.device.address)}, MTU {each.device.mtu}"
        yield (
            "\tIP address unassigned"
            if each.address is None
            else (f"\tIP address {each.address}, subnet mask {each.mask}")
        )
        if each.device is not None:
            yield from _counters(each.device)


def interface_brief(report: InterfacesReport) -> Iterator[str]:
    """``show interface ip brief``"""
    yield f"{'Interface':<27}{'IP-Address':<16}OK? Method {'Status':<22}Protocol"
    for each in report.interfaces:
        state, protocol = _state(each)
        address, method = ("unassigned", "unset") if each.address is None else (str(each.address), "CONFIG")
        yield f"{each.name:<27}{address:<16}YES {method:<7}{state:<22}{protocol}"


def _state(report: InterfaceReport) -> tuple[str, str]:
    """What is said of the interface, and of its line."""
    device = report.device
    up, carrier = device is not None and device.up, device is not None and device.carrier
    state = "administratively down" if report.shutdown else "up" if up else "down"
    return state, "up" if carrier else "down"


def _missing(report: InterfaceReport) -> str:
    return "no hardware line" if report.hardware is None else f"no device {report.hardware}"


def _settings(device: DeviceUse) -> Iterator[str]:
    speed = "" if device.speed is None else f", BW {device.speed} Mbps"
    yield f"  Hardware is {device.kind}{speed}, device {device.name}"
    if device.speed is not None and device.duplex is not None:
        yield f"\tAuto-Duplex({device.duplex.capitalize()}-duplex), Auto-Speed({device.speed} Mbps)"


def _counters(device: DeviceUse) -> Iterator[str]:
    yield f"\t{device.packets_in} packets input, {device.octets_in} bytes, {device.missed} no buffer"
    yield f"\tReceived {device.multicast_in} multicasts, {device.bad_length} runts and giants"
    bad = f"{device.bad_checksum} CRC, {device.bad_frame} frame, {device.overrun} overrun"
    yield f"\t{device.errors_in} input errors, {bad}"
    yield f"\t{device.packets_out} packets output, {device.octets_out} bytes, {device.underrun} underruns"
    yield f"\t{device.errors_out} output errors, {device.collisions} collisions"
    yield f"\t{device.dropped_in} input drops, {device.dropped_out} output drops"


def _mac(address: str) -> str:
    """``5254.000d.da4c``"""
    digits = address.replace(":", "")
    return ".".join(digits[at : at + 4] for at in range(0, len(digits), 4)) or "none"


def _moment(report: ClockReport) -> str:
    moment = datetime.fromisoformat(report.time)
    time = f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}"
    return f"{time} {report.zone} {_DAYS[moment.weekday()]} {_MONTHS[moment.month - 1]} {moment.day} {moment.year}"


#: Whatever the locale says.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: Units of time, in seconds, the largest first.
_UNITS = ((365 * 86_400, "year"), (86_400, "day"), (3600, "hour"), (60, "min"), (1, "sec"))


def _duration(seconds: int) -> str:
    """In the two largest units: ``41 days 19 hours``, ``1 min 5 secs``."""
    for (larger, name), (smaller, next_name) in pairwise(_UNITS):
        if seconds >= larger:
            return f"{_many(seconds // larger, name)} {_many(seconds % larger // smaller, next_name)}"
    return _many(seconds, "sec")


def _many(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
