"""Ground for tests that need a real network: three namespaces of the test's own, and work done inside them."""

import os
import pickle
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
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


#: s to wait for what will happen; no test measures time.
PATIENCE = 60.0


def eventually(so: Callable[[], Any], patience: float = PATIENCE) -> bool:
    """Whether it becomes so."""
    deadline = time.monotonic() + patience
    while not so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def workspace() -> Iterator[Path]:
    """A directory that every user may enter: Postfix's is not root."""
    home = Path(tempfile.mkdtemp(prefix="fixup-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Moment:
    """Something that processes begun after it was made wait for, or say: once it has come, it has for all of them."""

    def __init__(self) -> None:
        self._event = os.eventfd(0)

    def come(self) -> None:
        """It is now, and from now on."""
        os.eventfd_write(self._event, 1)

    def has_come(self, within: float = 0.0) -> bool:
        """It has, or does `within` s."""
        poll = select.poll()  # `select` knows no descriptor above 1,023
        poll.register(self._event, select.POLLIN)
        return bool(poll.poll(within * 1000))  # it is never read, so it stays

    def wait(self) -> None:
        """Until it has come."""
        assert self.has_come(PATIENCE), "the moment did not come"

    def close(self) -> None:
        """Nobody waits for it any more."""
        os.close(self._event)


class Child:
    """A function that runs in another process, and what it returned; processes of its own end with it."""

    def __init__(self, namespace: str, work: Callable[[], Any]) -> None:
        self._answer, theirs = os.pipe()
        self.pid = os.fork()
        os.setpgid(self.pid, 0)  # on either side of the fork: whoever comes first
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
        self._end()
        ok, answer = pickle.loads(data) if data else (False, "the child was killed")
        assert ok, answer
        return answer

    def done(self, timeout: float = 0.0) -> bool:
        """It has returned, or returns within `timeout` s."""
        return bool(select.select([self._answer], [], [], timeout)[0])

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.pid:
            self._end()

    def _end(self) -> None:
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._answer)
        self.pid = 0


class Ground:
    """The three hosts, and children that are ended with them."""

    def __init__(self, network: Network, record: Path | None = None) -> None:
        self.network = network
        self.record = record or Path("/nonexistent")
        self._children: list[Child] = []
        self._moments: list[Moment] = []

    def beside(self, host: str, work: Callable[[], Any]) -> Child:
        """Start `work` in a host, in a process of its own."""
        child = Child(self.network.namespace(host), work)
        self._children.append(child)
        return child

    def moment(self) -> Moment:
        """One for the children to come; it is over with them."""
        self._moments.append(Moment())
        return self._moments[-1]

    def serve(self, serve: Callable[[], Any], ports: int = 1) -> Child:
        """A server inside that is listening, at so many ports, when this returns."""
        server = self.beside("inside", serve)
        assert eventually(lambda: len(self.run("inside", "ss", "-tlnH").splitlines()) >= ports)
        return server

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

    def unspread(self) -> None:
        """Every packet is handled by the CPU that sends it, as if it came by a queue of its own."""
        script = "for queue in /sys/class/net/*side0/queues/rx-*; do echo 0 > $queue/rps_cpus; done"
        # `ip netns exec` mounts the sysfs of that namespace.
        command = ["ip", "netns", "exec", self.network.namespace("firewall"), "sh", "-c", script]
        subprocess.run(command, check=True, capture_output=True)

    def end(self) -> None:
        """End the children, and what they wait for."""
        for each in self._children:
            each.kill()
        for moment in self._moments:
            moment.close()
        self._children, self._moments = [], []


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
