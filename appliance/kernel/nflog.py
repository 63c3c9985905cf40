"""Copies of packets that a rule hands out by NFLOG: one group of this network namespace, without a library.

The kernel counts what it had no room for, and so does who reads: a log is not worth a stall. Layouts: linux/netlink.h,
linux/netfilter/nfnetlink.h and nfnetlink_log.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.kernel.errors import KernelError

_NETLINK_NETFILTER = 12
_PACKET, _CONFIG = 4 << 8 | 0, 4 << 8 | 1  # NFNL_SUBSYS_ULOG; NFULNL_MSG_PACKET, NFULNL_MSG_CONFIG
_REQUEST_ACK = 0x01 | 0x04  # NLM_F_REQUEST, NLM_F_ACK
_ERROR = 2  # NLMSG_ERROR
_HEADER = struct.Struct("=IHHII")  # nlmsghdr
_GROUP = struct.Struct("!BBH")  # nfgenmsg: family, version, group
_ATTRIBUTE = struct.Struct("=HH")
_MODE_PACKET = 2  # NFULNL_COPY_PACKET
#: NFULA_MARK, NFULA_IFINDEX_INDEV, NFULA_IFINDEX_OUTDEV, NFULA_PAYLOAD, NFULA_PREFIX
_MARK, _INDEV, _OUTDEV, _PAYLOAD, _PREFIX = 2, 4, 5, 9, 10
#: Octets of a packet that are copied: an IP header with options and a TCP header without.
_COPIED = 96
#: Datagrams read in one go; a flood does not keep the reader.
_AT_A_TURN = 256


@dataclass(frozen=True, slots=True)
class Copy:
    """The beginning of a packet, the indexes of the interfaces it came in by and would have left by (0: none), the
    rule's prefix, and the packet's mark."""

    prefix: str
    came_in: int
    goes_out: int
    packet: bytes
    mark: int = 0


class Listener:
    """Listens on a group; KernelError, one line, if it cannot."""

    def __init__(self, group: int) -> None:
        self._lost = 0
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, _NETLINK_NETFILTER
        )
        try:
            self._socket.bind((0, 0))
            self._configure(group, _attribute(1, b"\x01\0\0\0"))  # NFULA_CFG_CMD: NFULNL_CFG_CMD_BIND
            mode = _attribute(2, struct.pack("!IBB", _COPIED, _MODE_PACKET, 0))  # NFULA_CFG_MODE
            at_once = _attribute(5, struct.pack("!I", 1))  # NFULA_CFG_QTHRESH
            self._configure(group, mode + at_once)
        except OSError as error:
            self._socket.close()
            if error.errno == errno.EPERM:  # the kernel's word for a group that has a listener too
                raise KernelError(
                    f"NFLOG group {group} is refused: another instance has it, or run it with sudo"
                ) from error
            raise KernelError(f"NFLOG group {group} cannot be listened to: {error.strerror}") from error

    @property
    def lost(self) -> int:
        """How often copies found no room in our buffer."""
        return self._lost

    def fileno(self) -> int:
        """For a selector: readable when there are copies."""
        return self._socket.fileno()

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()

    def read(self) -> Iterator[Copy]:
        """What there is, without waiting, and so much at most that there is time for other work."""
        for _ in range(_AT_A_TURN):
            try:
                octets = self._socket.recv(65_536)
            except BlockingIOError:
                return
            except OSError:  # ENOBUFS
                self._lost += 1
                continue
            yield from _copies(octets)

    def _configure(self, group: int, attributes: bytes) -> None:
        """Ask, and hear whether it was done: the kernel has answered when send returns."""
        body = _GROUP.pack(socket.AF_UNSPEC, 0, group) + attributes
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), _CONFIG, _REQUEST_ACK, 0, 0) + body)
        for _length, kind, message in _messages(self._socket.recv(65_536)):
            code = struct.unpack_from("=i", message)[0]
            if kind == _ERROR and code:
                raise OSError(-code, os.strerror(-code))


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _messages(octets: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Length, type and body of each message of a datagram."""
    at = 0
    while at + _HEADER.size <= len(octets):
        length, kind, *_ = _HEADER.unpack_from(octets, at)
        if length < _HEADER.size:
            return
        yield length, kind, octets[at + _HEADER.size : at + length]
        at += length + 3 & ~3


def _copies(octets: bytes) -> Iterator[Copy]:
    for _length, kind, message in _messages(octets):
        if kind == _PACKET:
            found = dict(_attributes(message[_GROUP.size :]))
            prefix = found.get(_PREFIX, b"").rstrip(b"\0").decode("ascii", "replace")
            came_in, goes_out, mark = (_number(found.get(each)) for each in (_INDEV, _OUTDEV, _MARK))
            yield Copy(prefix, came_in, goes_out, found.get(_PAYLOAD, b""), mark)


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(octets):
        length, kind = _ATTRIBUTE.unpack_from(octets, at)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, octets[at + _ATTRIBUTE.size : at + length]
        at += length + 3 & ~3


def _number(octets: bytes | None) -> int:
    return int.from_bytes(octets, "big") if octets else 0
