"""The machine: its devices with their counters, its processors, its memory. Everything is read, nothing is changed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from appliance.datapath.snapshot import DeviceUse, Machine
from appliance.kernel.errors import KernelError

_IFF_UP, _IFF_LOWER_UP = 1, 1 << 16  # linux/if.h
_CLASS = Path("/sys/class/net")
_PROCESSORS = Path("/proc/cpuinfo")


def devices(names: Collection[str]) -> dict[str, DeviceUse]:
    """Those of these devices that this network namespace has; KernelError if it can't be asked."""
    try:
        with IPRoute() as netlink:
            links = {link.get_attr("IFLA_IFNAME"): link for link in netlink.get_links()}
    except (OSError, NetlinkError) as error:
        raise KernelError(f"the kernel does not tell its devices: {error}") from error
    return {name: _device(name, links[name]) for name in names if name in links}


def machine() -> Machine:
    """This machine."""
    system = os.uname()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    return Machine(system.machine, system.release, _processor(), os.cpu_count() or 1, memory)


def _device(name: str, link: Any) -> DeviceUse:
    counted = link.get_attr("IFLA_STATS64")
    speed, duplex, driver = _physical(name, link["index"])
    kind = (link.get_attr("IFLA_LINKINFO") or _NOTHING).get_attr("IFLA_INFO_KIND")
    return DeviceUse(
        name=name,
        kind=driver or kind or "unknown",
        address=link.get_attr("IFLA_ADDRESS") or "",
        mtu=link.get_attr("IFLA_MTU"),
        up=bool(link["flags"] & _IFF_UP),
        carrier=bool(link["flags"] & _IFF_LOWER_UP),
        speed=speed,
        duplex=duplex,
        packets_in=counted["rx_packets"],
        octets_in=counted["rx_bytes"],
        multicast_in=counted["multicast"],
        errors_in=counted["rx_errors"],
        bad_length=counted["rx_length_errors"],
        bad_checksum=counted["rx_crc_errors"],
        bad_frame=counted["rx_frame_errors"],
        overrun=counted["rx_over_errors"] + counted["rx_fifo_errors"],
        missed=counted["rx_missed_errors"],
        dropped_in=counted["rx_dropped"],
        packets_out=counted["tx_packets"],
        octets_out=counted["tx_bytes"],
        errors_out=counted["tx_errors"],
        underrun=counted["tx_fifo_errors"],
        dropped_out=counted["tx_dropped"],
        collisions=counted["collisions"],
    )


class _Nothing:
    def get_attr(self, _name: str) -> None:
        return None


_NOTHING = _Nothing()


def _physical(name: str, index: int) -> tuple[int | None, str | None, str]:
    """Speed, duplex and driver, as far as sysfs tells; it may be that of another network namespace."""
    there = _CLASS / name
    with contextlib.suppress(OSError, ValueError):
        if int((there / "ifindex").read_text()) != index:
            return None, None, ""
        driver = there / "device" / "driver"
        driven = driver.resolve().name if driver.exists() else ""
        with contextlib.suppress(OSError, ValueError):  # of a device that is down, or knows no such thing
            speed, duplex = int((there / "speed").read_text()), (there / "duplex").read_text().strip()
            return (speed if speed > 0 else None), (duplex if duplex != "unknown" else None), driven
        return None, None, driven
    return None, None, ""


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in _PROCESSORS.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return "unknown"
