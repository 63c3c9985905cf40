"""Interfaces, addresses, routes, proxy ARP and sysctls, as the configuration wants them and as they were before.

The box becomes a router for its own `nameif` interfaces alone: forwarding is set per device, so that nothing else on
the machine starts to be routed, and a stop closes it again. A mapped address is nobody's local address: the box
answers ARP for it on the mapped side and has a route for it towards the real side, so that what no rule translates
takes the FORWARD path and is dropped there (bpf-notes §4). Everything is IPv4.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, assert_never

from pyroute2 import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from appliance.config.answered import answered
from appliance.config.config import Config, Interface
from appliance.config.limits import longest, shortest_embryonic
from appliance.kernel import modules
from appliance.kernel.errors import KernelError
from appliance.kernel.found import (
    Change,
    Filter,
    Found,
    LinkDown,
    Mtu,
    NoAddress,
    NoProxy,
    NoRoute,
    NoTable,
    Sysctl,
    subject,
)

_SYSCTL = Path("/proc/sys")
_CONNTRACK = "net/netfilter/nf_conntrack_tcp_"
_NTF_PROXY = 8  # linux/neighbour.h
_IFF_UP = 1  # linux/if.h
_MAIN_TABLE = 254  # linux/rtnetlink.h RT_TABLE_MAIN
_SCOPE_LINK = 253  # linux/rtnetlink.h RT_SCOPE_LINK
#: what the kernel says of something that is gone already
_GONE = {errno.ESRCH, errno.ENOENT, errno.EADDRNOTAVAIL, errno.ENODEV}


def indices(config: Config) -> dict[int, str]:
    """The kernel's index of each device in use -> its nameif; KernelError if a device does not exist."""
    with _netlink() as ipr:
        return {_index(ipr, device): nameif for nameif, device in _devices(config).items()}


def apply(config: Config, found: Found) -> None:
    """Bring the machine to what `config` says, noting in `found` what was otherwise; KernelError if it can't be."""
    with _netlink() as ipr:
        for device in _devices(config).values():
            _index(ipr, device)  # every device is looked for before the first change
        for change in _wanted(config):
            match change:
                case LinkDown():
                    _raise(ipr, change, found)
                case Mtu():
                    _resize(ipr, change, found)
                case NoAddress():
                    _add_address(ipr, change, found)
                case Sysctl(path, value):
                    _set(path, value, found)
                case NoRoute():
                    _add_route(ipr, change, found)
                case NoProxy():
                    _add_proxy(ipr, change, found)
                case _:
                    assert_never(change)


def retire(config: Config, found: Found) -> None:
    """Undo what is noted and `config` has no use for; before its rules come, so that what the old ones guard closes."""
    kept = {subject(change) for change in _wanted(config)}
    with _netlink() as ipr:
        _undo_all(ipr, [change for change in found.changes if subject(change) not in kept], found)


def restore(found: Found) -> None:
    """Undo what is noted, last change first. What is gone already is as good as undone."""
    with _netlink() as ipr:
        _undo_all(ipr, found.changes, found)


def _undo_all(ipr: Any, changes: Sequence[Change], found: Found) -> None:
    for change in reversed(changes):
        match change:
            case Sysctl(path, value):
                _write_back(path, value)
            case LinkDown(device):
                _undo(ipr, device, partial(_lower, ipr))
            case Mtu(device, octets):
                _undo(ipr, device, partial(_set_mtu, ipr, octets))
            case NoAddress(device, address):
                _undo(ipr, device, partial(_address, ipr, "del", IPv4Interface(address)))
            case NoRoute(device=device):
                _undo(ipr, device, partial(_route, ipr, "del", change))
            case NoProxy(address, device):
                _undo(ipr, device, partial(_proxy, ipr, "del", address))
            case NoTable() | Filter():
                continue  # netfilter's, and the connection table's
            case _:
                assert_never(change)
        found.forget(change)


def _wanted(config: Config) -> Iterator[LinkDown | Mtu | NoAddress | Sysctl | NoRoute | NoProxy]:
    """What `config` makes of the machine, in order: what will not be down or missing, and what settings will be."""
    devices = _devices(config)
    for interface in _used(config):
        yield LinkDown(str(interface.hardware))
        if interface.mtu is not None:
            yield Mtu(str(interface.hardware), interface.mtu)
        if interface.address is not None:
            yield NoAddress(str(interface.hardware), str(interface.address))
    for path, value in _sysctls(config, list(devices.values())):
        yield Sysctl(path, value)
    for each in answered(config):
        if {each.real_interface, each.mapped_interface} <= devices.keys():
            yield NoRoute(f"{each.address}/32", devices[each.real_interface], "", 0)
            if each.arp:
                yield NoProxy(str(each.address), devices[each.mapped_interface])
    for route in config.routes:
        if route.interface in devices:
            yield NoRoute(str(route.network), devices[route.interface], str(route.gateway), route.metric)


def _used(config: Config) -> list[Interface]:
    return [each for each in config.interfaces if each.nameif and each.hardware and not each.shutdown]


def _devices(config: Config) -> dict[str, str]:
    return {str(each.nameif): str(each.hardware) for each in _used(config)}


def _sysctls(config: Config, devices: list[str]) -> Iterator[tuple[str, str]]:
    for device in devices:
        yield f"net/ipv4/conf/{device}/forwarding", "1"
        yield f"net/ipv4/neigh/{device}/proxy_delay", "0"  # else the first answer waits up to 0.8 s
    # A connection is known from its SYN on or not at all (row 20).
    yield f"{_CONNTRACK}loose", "0"
    # A handshake that conntrack still knows must not be taken for TCP Intercept's (bpf-notes §4, trap 1), so
    # conntrack forgets it before the connection table does.
    handshake = str(conntrack_handshake(shortest_embryonic(config)))
    timeouts = longest(config)
    yield f"{_CONNTRACK}timeout_syn_sent", handshake
    yield f"{_CONNTRACK}timeout_syn_recv", handshake
    yield f"{_CONNTRACK}timeout_established", str(timeouts.conn)
    yield f"{_CONNTRACK}timeout_fin_wait", str(timeouts.half_closed)
    yield f"{_CONNTRACK}timeout_close_wait", str(timeouts.half_closed)
    yield "net/netfilter/nf_conntrack_udp_timeout", str(timeouts.udp)
    yield "net/netfilter/nf_conntrack_udp_timeout_stream", str(timeouts.udp)
    yield "net/netfilter/nf_conntrack_icmp_timeout", str(timeouts.icmp)


def conntrack_handshake(embryonic: int) -> int:
    """Conntrack's syn_sent and syn_recv timeouts in seconds: four fifths of the shortest embryonic one."""
    return max(1, embryonic * 4 // 5)


@contextlib.contextmanager
def _netlink() -> Iterator[IPRoute]:
    try:
        with IPRoute() as ipr:
            yield ipr
    except NetlinkError as error:
        if error.code == errno.EPERM:
            raise KernelError("changing addresses and routes needs root: run it with sudo") from error
        raise KernelError(f"the kernel refused a change of addresses or routes: {error}") from error


def _index(ipr: Any, device: str) -> int:
    found: list[int] = ipr.link_lookup(ifname=device)
    if not found:
        raise KernelError(f"no such device: {device} (see ip link; `hardware` in the rule file names it)")
    return found[0]


def _raise(ipr: Any, change: LinkDown, found: Found) -> None:
    index = _index(ipr, change.device)
    if not ipr.get_links(index)[0]["flags"] & _IFF_UP:
        found.note(change)
        ipr.link("set", index=index, state="up")


def _resize(ipr: Any, change: Mtu, found: Found) -> None:
    index = _index(ipr, change.device)
    before = ipr.get_links(index)[0].get_attr("IFLA_MTU")
    if before == change.octets:
        return
    found.note(Mtu(change.device, before))
    try:
        _set_mtu(ipr, change.octets, index)
    except NetlinkError as error:
        if error.code == errno.EINVAL:
            raise KernelError(f"{change.device} takes no packets of {change.octets} octets (mtu)") from error
        raise


def _set_mtu(ipr: Any, octets: int, index: int) -> None:
    ipr.link("set", index=index, mtu=octets)


def _add_address(ipr: Any, change: NoAddress, found: Found) -> None:
    index, address = _index(ipr, change.device), IPv4Interface(change.address)
    if not ipr.get_addr(family=2, index=index, address=str(address.ip), prefixlen=address.network.prefixlen):
        found.note(change)
        _address(ipr, "add", address, index)


def _set(path: str, value: str, found: Found) -> None:
    file = _SYSCTL / path
    try:
        if not file.exists():
            _load_conntrack(file)
        before = file.read_text(encoding="ascii").strip()
        if before != value:
            found.note(Sysctl(path, before))
            file.write_text(value, encoding="ascii")
    except OSError as error:
        raise KernelError(f"cannot set {path.replace('/', '.')}: {error.strerror}") from error


def _load_conntrack(file: Path) -> None:
    # The settings appear with the module; a kernel that has it built in always shows them.
    modules.load("nf_conntrack")
    if not file.exists():
        raise KernelError(
            "this kernel has no connection tracking: one with nf_conntrack is needed (modprobe nf_conntrack)"
        )


def _write_back(path: str, value: str) -> None:
    # The device or the module may be gone, and its settings with it.
    with contextlib.suppress(FileNotFoundError):
        (_SYSCTL / path).write_text(value, encoding="ascii")


def _add_route(ipr: Any, change: NoRoute, found: Found) -> None:
    index = _index(ipr, change.device)
    if (change.destination, change.gateway, change.metric) not in set(_routes(ipr, index)):
        found.note(change)
        try:
            _route(ipr, "add", change, index)
        except NetlinkError as error:
            found.forget(change)
            if error.code == errno.EEXIST:
                raise KernelError(
                    f"there is another route to {change.destination} already: ip route del {change.destination}"
                ) from error
            if error.code == errno.ENETUNREACH:
                raise KernelError(
                    f"no way to the gateway {change.gateway}: it is not in a network of {change.device}"
                ) from error
            raise


def _routes(ipr: Any, index: int) -> Iterator[tuple[str, str, int]]:
    """The main table's routes out of a device: destination, gateway (or nothing), metric."""
    for each in ipr.get_routes(family=2, table=_MAIN_TABLE, oif=index):
        network = f"{each.get('dst') or '0.0.0.0'}/{each['dst_len']}"
        yield network, each.get("gateway") or "", each.get("priority") or 0


def _add_proxy(ipr: Any, change: NoProxy, found: Found) -> None:
    index = _index(ipr, change.device)
    try:
        _proxy(ipr, "get", change.address, index)
    except NetlinkError as error:
        if error.code != errno.ENOENT:
            raise
        found.note(change)
        _proxy(ipr, "add", change.address, index)


def _undo(ipr: Any, device: str, deed: Callable[[int], object]) -> None:
    for index in ipr.link_lookup(ifname=device):
        try:
            deed(index)
        except NetlinkError as error:
            if error.code not in _GONE:
                raise


def _spec(index: int, change: NoRoute) -> dict[str, object]:
    spec: dict[str, object] = {"dst": change.destination, "oif": index}
    if change.gateway:
        return spec | {"gateway": change.gateway, "priority": change.metric}
    return spec | {"scope": _SCOPE_LINK}


def _lower(ipr: Any, index: int) -> None:
    ipr.link("set", index=index, state="down")


def _address(ipr: Any, verb: str, address: IPv4Interface, index: int) -> None:
    ipr.addr(
        verb,
        index=index,
        address=str(address.ip),
        prefixlen=address.network.prefixlen,
        broadcast=str(address.network.broadcast_address),
    )


def _route(ipr: Any, verb: str, change: NoRoute, index: int) -> None:
    ipr.route(verb, **_spec(index, change))


def _proxy(ipr: Any, verb: str, address: str, index: int) -> None:
    ipr.neigh(verb, dst=address, ifindex=index, flags=_NTF_PROXY)
