"""Ground for tests that need a real network: three namespaces of the test's own, and work done inside them."""

import os
import pickle
import select
import signal
import socket
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from appliance.config.config import Config, Interface
from appliance.config.nat import StaticStatement, Trailer
from appliance.kernel import links, namespaces
from appliance.kernel.found import Found
from appliance.lab.lab import Lab
from appliance.lab.network import INSIDE, OUTSIDE, Network
from appliance.nat.static import Static

#: Interfaces alone: a router between outside and inside.
ROUTER = Config(
    interfaces=(
        Interface("Ethernet0/0", "outside0", "outside", 0, OUTSIDE),
        Interface("Ethernet0/1", "inside0", "inside", 100, INSIDE),
    )
)


class Child:
    """A function that runs in another process, and what it returned."""

    def __init__(self, namespace: str, work: Callable[[], Any]) -> None:
        self._answer, theirs = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                namespaces.enter(namespace)
                answer = (True, work())
            except BaseException:
                answer = (False, traceback.format_exc())
            os.write(theirs, pickle.dumps(answer))
            os._exit(0)
        os.close(theirs)

    def result(self, timeout: float = 30.0) -> Any:
        """What the function returned; fails with its traceback if it raised, or after `timeout` s."""
        if not self.done(timeout):
            self.kill()
            raise AssertionError(f"no answer from the child within {timeout} s")
        data = b""
        while piece := os.read(self._answer, 1 << 16):
            data += piece
        os.close(self._answer)
        os.waitpid(self.pid, 0)
        self.pid = 0
        ok, answer = pickle.loads(data) if data else (False, "the child was killed")
        assert ok, answer
        return answer

    def done(self, timeout: float = 0.0) -> bool:
        """It has returned, or returns within `timeout` s."""
        return bool(select.select([self._answer], [], [], timeout)[0])

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self._answer)
            self.pid = 0


class Ground:
    """The three hosts, and children that are ended with them."""

    def __init__(self, network: Network, record: Path | None = None) -> None:
        self.network = network
        self.record = record or Path("/nonexistent")
        self._children: list[Child] = []

    def beside(self, host: str, work: Callable[[], Any]) -> Child:
        """Start `work` in a host, in a process of its own."""
        child = Child(self.network.namespace(host), work)
        self._children.append(child)
        return child

    def within(self, host: str) -> Any:
        """`with ground.within(host)`: this process is in that host."""
        return namespaces.within(self.network.namespace(host))

    @contextmanager
    def capture(self, device: str) -> Iterator[Callable[[], list[bytes]]]:
        """`with ground.capture("eth0") as seen`: what crosses a device of this process's host, as IPv4 packets."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as tap:
            tap.bind((device, 0x0800))
            tap.setblocking(False)
            packets: list[bytes] = []

            def seen() -> list[bytes]:
                with suppress(BlockingIOError):
                    while True:
                        packets.append(tap.recv(1 << 17))
                return packets

            yield seen

    def run(self, host: str, *command: str, text: str = "") -> str:
        """A command's output in a host; fails with its errors."""
        with self.within(host):
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def end(self) -> None:
        """End the children."""
        for child in self._children:
            child.kill()


@contextmanager
def ground(prefix: str, *, mtu: int = 1500, offloads: bool = True) -> Iterator[Ground]:
    """Three hosts whose firewall has bare devices."""
    here = Ground(Network(prefix, mtu, offloads))
    here.network.build()
    try:
        yield here
    finally:
        here.end()
        Lab(here.network, Path("/nonexistent")).down()


@contextmanager
def router(prefix: str, record: Path) -> Iterator[Ground]:
    """Three hosts whose firewall forwards everything."""
    with ground(prefix) as here:
        here.record = record
        with here.within("firewall"):
            links.apply(ROUTER, Found(record))
        yield here


def translating(config: Config, static: Static) -> Config:
    """`config` with this one static, as its statement and as the host it translates."""
    limits = Trailer(tcp=static.max_conns, embryonic=static.max_embryonic)
    interfaces = static.real_interface, static.mapped_interface
    statement = StaticStatement(*interfaces, static.mapped, static.real, trailer=limits)
    return replace(config, statics=(static,), translations=(statement,))
