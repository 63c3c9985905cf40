"""Our filters on clsact: where a BPF program runs at a device's ingress and egress (tc-bpf(8); bpf-notes section 1)."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

from pyroute2 import IPRoute, NetlinkError

from appliance.kernel.bpf_program import Program
from appliance.kernel.errors import KernelError

PRIORITY = 1
HANDLE = 0xF1  # of our filter at its priority
PARENTS = {"ingress": "ffff:fff2", "egress": "ffff:fff3"}  # program → clsact's hook
ETH_P_ALL = 3


def attach(devices: Iterable[str], programs: Mapping[str, Program]) -> None:
    """Run `programs` at ingress and egress of `devices` of this network namespace, in place of earlier ones of ours.

    KernelError if a device is missing or takes no filter.
    """
    with IPRoute() as netlink:
        for device in devices:
            index = _index(netlink, device)
            try:
                netlink.tc("add", "clsact", index)
            except NetlinkError as error:
                if error.code != errno.EEXIST:
                    raise KernelError(f"{device} takes no clsact: {os.strerror(error.code)}") from error
            for name, parent in PARENTS.items():
                _replace(netlink, device, index, parent, programs[name])


def detach(devices: Iterable[str]) -> None:
    """Take our filters off `devices`, those of a run that was killed too, and clsact where it is empty then."""
    with IPRoute() as netlink:
        for device in devices:
            for index in netlink.link_lookup(ifname=device):
                _take_off(netlink, index)


def _index(netlink: IPRoute, device: str) -> int:
    found = netlink.link_lookup(ifname=device)
    if not found:
        raise KernelError(f"there is no network device {device}")
    return int(found[0])


def _replace(netlink: IPRoute, device: str, index: int, parent: str, program: Program) -> None:
    """Put `program` on a hook in one step: with the same handle and priority there is never none and never two."""
    try:
        netlink.tc(
            "replace-filter",
            "bpf",
            index,
            HANDLE,
            fd=program.fd,
            name=f"fixup-{program.name}",
            parent=parent,
            classid=1,
            direct_action=True,
            prio=PRIORITY,
            protocol=ETH_P_ALL,
        )
    except NetlinkError as error:
        raise KernelError(f"{device} does not take the {program.name} program: {os.strerror(error.code)}") from error


def _take_off(netlink: IPRoute, index: int) -> None:
    for parent in PARENTS.values():
        try:
            netlink.tc("del-filter", "bpf", index, HANDLE, parent=parent, prio=PRIORITY, protocol=ETH_P_ALL)
        except NetlinkError:
            continue  # no clsact, or no filter of ours
    hooks = (_handle(parent) for parent in PARENTS.values())
    if any(netlink.get_filters(index, parent=hook) for hook in hooks):
        return
    try:
        netlink.tc("del", "clsact", index)
    except NetlinkError as error:
        if error.code not in (errno.ENOENT, errno.EINVAL):
            raise KernelError(f"clsact cannot be removed: {os.strerror(error.code)}") from error


def _handle(parent: str) -> int:
    major, minor = parent.split(":")
    return int(major, 16) << 16 | int(minor, 16)
