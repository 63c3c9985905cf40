"""A running firewall in the example's place, with limits of its own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, firewall


class Wall(Firewall):
    """One whose SYNPROXY is watched."""

    def proxied(self, target: str = "SYNPROXY") -> int:
        """How many packets SYNPROXY, or another target beside it, has had."""
        told = self.ground.run("firewall", "iptables", "-vxnL", "FIXUP_PROXY")
        return int(re.findall(rf"^ *(\d+) +\d+ {target}", told, re.MULTILINE)[0])


@contextmanager
def wall(limits: str, *of_class: str) -> Iterator[Wall]:
    """The example's firewall with these limits of the static, and what `set connection` says of all there is."""
    said = "".join(f"  set connection {each}\n" for each in of_class)
    more = f"class-map all\n match any\npolicy-map global_policy\n class all\n{said}" if said else ""
    with firewall("fxi", EXAMPLE.replace("tcp 50 100", limits) + more, Wall) as made:
        yield made
