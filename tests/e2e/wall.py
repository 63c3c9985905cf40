"""A running firewall in the example's place, with limits of its own: of a static, or of a class."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address

from appliance.lab.network import MAPPED_SERVER, SERVER
from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, firewall


class Wall(Firewall):
    """One whose SYNPROXY is watched; clients call the server by its mapped address."""

    server: IPv4Address = MAPPED_SERVER

    def __post_init__(self) -> None:
        self._had = self._targets()

    def proxied(self, target: str = "SYNPROXY") -> int:
        """How many packets SYNPROXY, or another target beside it, has had."""
        return self._targets()[target] - self._had[target]

    def _targets(self) -> Counter[str]:
        """By target, the packets of the first rule that has it: the first static's."""
        told = self.ground.run("firewall", "iptables", "-vxnL", "FIXUP_PROXY")
        rules = re.findall(r"^ *(\d+) +\d+ (\w+) ", told, re.MULTILINE)
        return Counter({target: int(count) for count, target in reversed(rules)})


class Open(Wall):
    """One where they call it by its own: no static stands for it."""

    server = SERVER


def untranslated(limits: str) -> str:
    """The example's rules where no static stands for the server, and the class of all there is has its limits."""
    static = next(line for line in EXAMPLE.splitlines() if line.startswith(f"static (inside,outside) {MAPPED_SERVER} "))
    _, conns, embryonic = limits.split()
    said = limited("", f"conn-max {conns}", f"embryonic-conn-max {embryonic}", name="everything")
    return said.replace(static.replace("tcp 50 100", ""), "").replace(f"host {MAPPED_SERVER} eq", f"host {SERVER} eq")


def limited(limits: str, *of_class: str, name: str = "all") -> str:
    """The example's rules with these limits of the static, and what `set connection` says of the class of all there is,
    whose `name` its counters go by."""
    said = "".join(f"  set connection {each}\n" for each in of_class)
    more = f"class-map {name}\n match any\npolicy-map global_policy\n class {name}\n{said}" if said else ""
    return EXAMPLE.replace("tcp 50 100", limits) + more


@contextmanager
def wall(limits: str) -> Iterator[Wall]:
    """One of its own, up with these limits."""
    with firewall("fxi", limited(limits), Wall) as made:
        yield made
