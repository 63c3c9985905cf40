"""Taking a connection out of the kernel's connection tracking, when it must not come back by itself."""

from __future__ import annotations

import errno
from ipaddress import IPv4Address
from socket import IPPROTO_TCP

from pyroute2.netlink.exceptions import NetlinkError
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTAttrTuple, NFCTSocket

from appliance.kernel.errors import KernelError


def delete(client: IPv4Address, client_port: int, server: IPv4Address, server_port: int) -> bool:
    """Forget the TCP connection, `server` being the address the client connected to (mapped, for a static).

    False if there was none; KernelError if we may not.
    """
    original = NFCTAttrTuple(
        saddr=str(client), daddr=str(server), proto=IPPROTO_TCP, sport=client_port, dport=server_port
    )
    try:
        with NFCTSocket() as conntrack:
            conntrack.entry("del", tuple_orig=original)
    except NetlinkError as error:
        if error.code == errno.ENOENT:
            return False
        if error.code == errno.EPERM:
            raise KernelError("changing connection tracking needs root: run it with sudo") from error
        raise KernelError(f"connection tracking refused to forget a connection: {error}") from error
    return True
