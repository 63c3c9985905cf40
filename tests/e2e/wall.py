"""A running firewall in the example's place, with limits of its own."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.appliances import EXAMPLE
from tests.e2e.firewall import Firewall, firewall


class Wall(Firewall):
    """One whose SYNPROXY is watched."""

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


def limited(limits: str, *of_class: str) -> str:
    """The example's rules with these limits of the static, and what `set connection` says of all there is."""
    said = "".join(f"  set connection {each}\n" for each in of_class)
    more = f"class-map all\n match any\npolicy-map global_policy\n class all\n{said}" if said else ""
    return EXAMPLE.replace("tcp 50 100", limits) + more


@contextmanager
def wall(limits: str) -> Iterator[Wall]:
    """One of its own, up with these limits."""
    with firewall("fxi", limited(limits), Wall) as made:
        yield made
