"""A running firewall in the example's place, with limits of its own, and servers and clients around it."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from appliance.control.client import ask
from appliance.control.protocol import ShowConnections, ShowLogging
from appliance.kernel import queues
from appliance.lab.lab import EXAMPLE, Lab
from appliance.lab.network import SERVER, Network
from tests.e2e.box import eventually, workspace
from tests.ground import Child, Ground


@dataclass
class Wall:
    """A running firewall, and work beside it."""

    lab: Lab
    ground: Ground

    def outside(self, work: Callable[[], Any]) -> Child:
        return self.ground.beside("outside", work)

    def serve(self, serve: Callable[[], Any]) -> Child:
        """A server inside that is listening when this returns."""
        return serving(self.ground, serve)

    def in_use(self) -> int:
        return int(ask(self.lab.directory / "control.sock", ShowConnections(count_only=True)).in_use)

    def workers(self) -> set[int]:
        with self.ground.within("firewall"):
            return {each.worker_pid for each in queues.uses()}

    def log(self) -> str:
        return "\n".join(ask(self.lab.directory / "control.sock", ShowLogging()).lines)

    def proxied(self, target: str = "SYNPROXY") -> int:
        """How many packets SYNPROXY, or another target beside it, has had."""
        told = self.ground.run("firewall", "iptables", "-vxnL", "FIXUP_PROXY")
        return int(re.findall(rf"^ *(\d+) +\d+ {target}", told, re.MULTILINE)[0])


def serving(ground: Ground, serve: Callable[[], Any]) -> Child:
    """A server inside that is listening when this returns."""
    server = ground.beside("inside", serve)
    assert eventually(lambda: f"{SERVER}:25 " in ground.run("inside", "ss", "-tln"))
    return server


@contextmanager
def wall(limits: str, *of_class: str) -> Iterator[Wall]:
    """The example's firewall with these limits of the static, and what `set connection` says of all there is."""
    with workspace() as home:
        config = home / "wall.cfg"
        said = "".join(f"  set connection {each}\n" for each in of_class)
        more = f"class-map all\n match any\npolicy-map global_policy\n class all\n{said}" if said else ""
        config.write_text(EXAMPLE.read_text().replace("tcp 50 100", limits) + more)
        lab = Lab(Network(f"fxi{os.getpid()}"), home / "run")
        lab.up(config)
        ground = Ground(lab.network)
        try:
            yield Wall(lab, ground)
        finally:
            ground.end()
            lab.down()
