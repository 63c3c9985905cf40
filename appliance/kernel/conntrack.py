"""The kernel's connection tracking: what must not come back by itself is taken out, and marks are looked for.

Many at once is the case that counts (`clear conn all`): requests go to the kernel `_BATCH` in a datagram, made here by
hand, for a library's way costs most of a millisecond each. Layouts: linux/netlink.h, linux/netfilter/nfnetlink.h and
nfnetlink_conntrack.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from itertools import islice

from appliance.kernel.errors import KernelError
from appliance.nat.connection import Key

_NETLINK_NETFILTER = 12
_DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
_REQUEST_ACK = 0x01 | 0x04  # NLM_F_REQUEST | NLM_F_ACK
_ERROR = 2  # NLMSG_ERROR: an acknowledgment too, with error 0
_NESTED = 0x8000
#: Requests in a datagram; their acknowledgments fit the socket's buffer.
_BATCH = 64

#: A request but for its tuple: nlmsghdr, nfgenmsg, CTA_TUPLE_ORIG {CTA_TUPLE_IP {…}, CTA_TUPLE_PROTO {…}}. Numbers of
#: netlink are in the machine's order, addresses and ports in the network's.
_HEAD = struct.Struct("=IHHIIBBHHH")
_IP = struct.pack("=HH", 20, _NESTED | 1)
_SOURCE, _DESTINATION = struct.pack("=HH", 8, 1), struct.pack("=HH", 8, 2)
_PROTO = struct.pack("=HH", 28, _NESTED | 2) + struct.pack("=HHBxxx", 5, 1, socket.IPPROTO_TCP)
_SOURCE_PORT, _DESTINATION_PORT = struct.pack("=HH", 6, 2), struct.pack("=HH", 6, 3)
_ANSWER = struct.Struct("=IHHIIi")

#: Looking for marks: a dump of what matches.
_REQUEST_DUMP = 0x1 | 0x300  # NLM_F_REQUEST | NLM_F_DUMP
_GET, _GET_ANSWER = 1 << 8 | 1, 1 << 8  # IPCTNL_MSG_CT_GET, and _NEW
_CTA_MARK, _CTA_MARK_MASK = 8, 21


def delete(keys: Iterable[Key]) -> int:
    """Forget TCP connections, known by the tuple their clients used (mapped, for a static); how many there were.

    KernelError if we may not, or if the kernel refuses for a reason other than there being none.
    """
    rest = iter(keys)
    done = 0
    with _open() as netlink:
        while some := list(islice(rest, _BATCH)):
            _send(netlink, b"".join(map(_deletion, some)))
            done += sum(_heard(netlink, len(some)))
    return done


def _open() -> socket.socket:
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
    netlink.bind((0, 0))
    return netlink


def _deletion(key: Key) -> bytes:
    return b"".join(
        (
            _HEAD.pack(72, _DELETE, _REQUEST_ACK, 0, 0, socket.AF_INET, 0, 0, 52, _NESTED | 1),
            _IP + _SOURCE,
            key.client.packed,
            _DESTINATION,
            key.mapped.packed,
            _PROTO + _SOURCE_PORT,
            key.client_port.to_bytes(2, "big") + b"\0\0",
            _DESTINATION_PORT,
            key.port.to_bytes(2, "big") + b"\0\0",
        )
    )


def _send(netlink: socket.socket, octets: bytes) -> None:
    try:
        netlink.send(octets)
    except OSError as error:
        raise KernelError(f"connection tracking cannot be told: {error.strerror}") from error


def _heard(netlink: socket.socket, count: int) -> Iterator[bool]:
    """For each of `count` requests, in order, whether there was something to forget."""
    while count:
        octets = netlink.recv(65_536)
        at = 0
        while at < len(octets) and count:
            length, kind, *_, code = _ANSWER.unpack_from(octets, at)
            at += length + 3 & ~3
            if kind == _ERROR:
                count -= 1
                yield _known(-code)


def _known(error: int) -> bool:
    """Whether there was such a connection, by how a request about it went."""
    if error == errno.EPERM:
        raise KernelError("connection tracking needs root: run it with sudo")
    if error not in (0, errno.ENOENT):
        raise KernelError(f"connection tracking refused a request: {os.strerror(error)}")
    return error == 0


def delete_carrying(value: int, mask: int) -> None:
    """Forget every connection whose mark holds `value` under `mask`; KernelError as `delete`."""
    with _open() as netlink:
        _send(netlink, _about_marks(_DELETE, _REQUEST_ACK, value, mask))
        for _ in _heard(netlink, 1):
            pass


def _about_marks(kind: int, flags: int, value: int, mask: int) -> bytes:
    """A request about what carries `value` under `mask`, which the kernel looks for."""
    request = struct.pack("=BBH", socket.AF_INET, 0, 0)
    for attribute, number in ((_CTA_MARK, value), (_CTA_MARK_MASK, mask)):
        request += struct.pack("=HH", 8, attribute) + struct.pack("!I", number)
    return struct.pack("=IHHII", 16 + len(request), kind, flags, 0, 0) + request


def carried(value: int, mask: int) -> bool:
    """Whether any IPv4 connection's mark holds `value` under `mask`. The kernel looks; of what it finds one is read."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER) as asked:
        asked.send(_about_marks(_GET, _REQUEST_DUMP, value, mask))
        answer = asked.recv(65_536)
    kind = struct.unpack_from("=H", answer, 4)[0]
    if kind == _ERROR and (code := struct.unpack_from("=i", answer, 16)[0]):
        raise KernelError(f"connection tracking cannot be read: {os.strerror(-code)}")
    return int(kind) == _GET_ANSWER
