"""``show logging`` as ASA prints it (asa.md §3.10)."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.datapath.snapshot import LogUse
from appliance.show import LoggingReport
from appliance.syslog import LEVELS


def logging(report: LoggingReport) -> Iterator[str]:
    """``show logging``: what is on, and the memory buffer."""
    uses = {each.destination: each for each in report.destinations}
    trap = uses.get("trap")
    yield f"Syslog logging: {_switch(report.enabled)}"
    yield f"    Facility: {report.facility}"
    yield f"    Timestamp logging: {_switch(report.timestamp)}"
    yield "    Hide Username logging: disabled"
    yield "    Standby logging: disabled"
    yield "    Debug-trace logging: disabled"
    yield f"    Console logging: {_use(uses.get('console'))}"
    yield "    Monitor logging: disabled"
    yield f"    Buffer logging: {_use(uses.get('buffered'))}"
    yield f"    Trap logging: {_use(trap, f'facility {report.facility}, ')}"
    for host in trap.hosts if trap else ():
        yield (
            f"        Logging to {host.interface} {host.address}, "
            f"UDP TX:{host.sent} errors: {host.errors}  dropped: {host.dropped}"
        )
    yield "    Permit-hostdown logging: disabled"
    yield "    History logging: disabled"
    yield f"    Device ID: {_device(report)}"
    yield "    Mail logging: disabled"
    yield "    ASDM logging: disabled"
    yield from report.lines


def _switch(on: bool) -> str:
    return "enabled" if on else "disabled"


def _use(use: LogUse | None, more: str = "") -> str:
    return f"level {LEVELS[use.level]}, {more}{use.logged} messages logged" if use else "disabled"


def _device(report: LoggingReport) -> str:
    match report.device_id:
        case None:
            return "disabled"
        case "hostname":
            return f'hostname "{report.hostname}"'
        case text:
            return f'string "{text}"'
