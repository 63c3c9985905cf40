"""A bad line between outside and the firewall: frames get lost, come twice, late or in another order.

A process of its own copies Ethernet frames between two packet sockets in a fourth namespace, PREFIX-line. What
happens to a frame is decided by seeded dice, so that a run can be repeated as far as the machine allows; ARP is left
alone. Offloads must be off: a frame has to be what a wire would carry, its checksum computed.
"""

from __future__ import annotations

import heapq
import os
import random
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pyroute2 import IPRoute

from appliance.kernel import namespaces
from appliance.lab.network import Network

_ETH_P_ALL, _ETH_P_IP = 0x0003, b"\x08\x00"
_OUTGOING = 4  # linux/if_packet.h: what we sent ourselves
_SO_RCVBUFFORCE = 33
_BUFFER = 8 << 20  # octets


@dataclass(frozen=True, slots=True)
class Impairment:
    """Of frames each way: which part is lost, comes twice, comes `later` s after its turn; and the delay of all."""

    loss: float = 0.01
    twice: float = 0.01
    reordered: float = 0.05
    delay: float = 0.025  # s each way: 50 ms there and back
    later: float = 0.003  # s
    seed: int = 4

    def fates(self, dice: random.Random) -> list[float]:
        """How long one frame's copies take (s); none if it is lost."""
        if dice.random() < self.loss:
            return []
        delay = self.delay + (self.later if dice.random() < self.reordered else 0.0)
        return [delay, delay] if dice.random() < self.twice else [delay]


@contextmanager
def line(network: Network, impairment: Impairment) -> Iterator[None]:
    """Between outside and the firewall of a network that was built with `offloads=False` and is not yet in use."""
    name = f"{network.prefix}-line"
    namespaces.create(name)
    try:
        _insert(network, name)
        relay = os.fork()
        if relay == 0:
            try:
                namespaces.enter(name)
                _relay(impairment)
            finally:
                os._exit(1)
        try:
            yield
        finally:
            os.kill(relay, signal.SIGKILL)
            os.waitpid(relay, 0)
    finally:
        namespaces.remove(name)


def _insert(network: Network, name: str) -> None:
    """The far end of outside's cable goes into the line, which gets another cable to the firewall."""
    firewall, between = (namespaces.handle(each) for each in (network.namespace("firewall"), name))
    try:
        with namespaces.within(network.namespace("firewall")), IPRoute() as ipr:
            ipr.link("set", index=ipr.link_lookup(ifname="outside0")[0], net_ns_fd=between)
        with namespaces.within(name), IPRoute() as ipr:
            ipr.link("set", index=ipr.link_lookup(ifname="outside0")[0], ifname="left")
            ipr.link("add", ifname="right", kind="veth", peer={"ifname": "outside0", "net_ns_fd": firewall})
            for device in ("left", "right"):
                ipr.link("set", index=ipr.link_lookup(ifname=device)[0], mtu=network.mtu, state="up")
    finally:
        os.close(firewall)
        os.close(between)
    for where, device in ((name, "left"), (name, "right"), (network.namespace("firewall"), "outside0")):
        with namespaces.within(where):
            switches = [word for each in ("tso", "gso", "gro", "tx", "rx", "sg") for word in (each, "off")]
            subprocess.run(["ethtool", "-K", device, *switches], check=True, capture_output=True)


def _relay(impairment: Impairment) -> None:
    """Copy frames until killed."""
    left, right = _port("left"), _port("right")
    other = {left: right, right: left}
    dice = random.Random(impairment.seed)
    due: list[tuple[float, int, bytes, socket.socket]] = []
    number = 0
    while True:
        wait = None if not due else max(0.0, due[0][0] - time.monotonic())
        for port in select.select([left, right], [], [], wait)[0]:
            for frame in _frames(port):
                fates = impairment.fates(dice) if frame[12:14] == _ETH_P_IP else [0.0]
                for delay in fates:
                    number += 1
                    heapq.heappush(due, (time.monotonic() + delay, number, frame, other[port]))
        now = time.monotonic()
        while due and due[0][0] <= now:
            _, _, frame, port = heapq.heappop(due)
            port.send(frame)


def _port(device: str) -> socket.socket:
    port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.htons(_ETH_P_ALL))
    port.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    port.bind((device, _ETH_P_ALL))
    return port


def _frames(port: socket.socket) -> Iterator[bytes]:
    """What has come in, 64 frames at most."""
    for _ in range(64):
        try:
            frame, address = port.recvfrom(1 << 16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        if address[2] != _OUTGOING:
            yield frame
