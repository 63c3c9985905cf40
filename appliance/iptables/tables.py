"""Tables as values, and as text for iptables-restore: what is there of ours is replaced in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.config.config import Config, Interface
from appliance.config.elements import Elements
from appliance.config.translations import translations
from appliance.nat.translation import Translation

#: What every chain of ours is called.
PREFIX = "FIXUP_"

#: A rule is its words without ``-A CHAIN``.
Rule = list[str]
DROP, ACCEPT, RETURN = ["-j", "DROP"], ["-j", "ACCEPT"], ["-j", "RETURN"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table's chains in order, and its hooks: built-in chain -> ours."""

    name: str
    hooks: Mapping[str, str]
    chains: Mapping[str, list[Rule]]


@dataclass(frozen=True, slots=True)
class Scene:
    """What all tables are rendered from: a verified configuration, and of it what is looked up again and again."""

    config: Config
    ours: tuple[Interface, ...]  # named, and with a device
    devices: Mapping[str, str]  # by nameif
    elements: Elements
    translations: tuple[Translation, ...]

    @staticmethod
    def of(config: Config) -> Scene:
        """The scene of `config`."""
        ours = tuple(each for each in config.interfaces if each.nameif is not None and each.hardware is not None)
        devices = {str(each.nameif): str(each.hardware) for each in ours}
        found = (each for each in translations(config) if _is_ours(each, devices))
        return Scene(config, ours, devices, Elements(config), tuple(found))

    def among(self, nameif: str | None) -> list[str]:
        """The device of an interface; all of them where it is any."""
        return [self.devices[nameif]] if nameif is not None else list(self.devices.values())


def _is_ours(translation: Translation, devices: Mapping[str, str]) -> bool:
    ends = translation.real_interface, translation.mapped_interface
    return all(each is None or each in devices for each in ends)


def device(interface: Interface) -> str:
    """The Linux device of an interface that has one."""
    assert interface.hardware is not None, "only interfaces with a device are rendered"
    return interface.hardware


def between(ours: Iterable[Interface]) -> dict[str, list[Rule]]:
    """The way into FIXUP_BETWEEN for what comes in and goes out by an interface of ours; all else returns."""
    devices = [device(each) for each in ours]
    return {
        "FIXUP_FORWARD": [["-i", each, "-g", "FIXUP_OUT"] for each in devices],
        "FIXUP_OUT": [["-o", each, "-g", "FIXUP_BETWEEN"] for each in devices],
    }


# -- what is there, and the text that replaces it


@dataclass(frozen=True, slots=True)
class Found:
    """What a table holds of ours: chains, jumps to them as iptables-save writes them, ``FORWARD -j FIXUP_…``, and the
    counters of tagged rules, by chain and tag."""

    chains: dict[str, None]
    jumps: list[str]
    counters: dict[tuple[str, str], str]


def nothing() -> Found:
    """A table that holds nothing of ours."""
    return Found({}, [], {})


_TABLE = re.compile(r"\*(mangle|filter|raw|nat)")
_CHAIN = re.compile(rf":({PREFIX}\S+) ")
_JUMP = re.compile(rf"(?:\[\d+:\d+\] )?-A ((?!{PREFIX})\S+ .*-[jg] {PREFIX}\S+)")
_TAGGED = re.compile(rf"(\[\d+:\d+\]) -A ({PREFIX}\S+) .*--comment \"?(0x[0-9a-f]{{8}})\"? ")


def found(saved: str) -> dict[str, Found]:
    """What iptables-save (with or without ``-c``) says is there of ours, by table."""
    tables: dict[str, Found] = {}
    here = nothing()
    for line in saved.splitlines():
        if line.startswith("*"):
            table = _TABLE.fullmatch(line.strip())
            here = nothing()
            if table:
                tables[table[1]] = here
        elif chain := _CHAIN.match(line):
            here.chains[chain[1]] = None
        elif jump := _JUMP.fullmatch(line):
            here.jumps.append(jump[1])
        elif counted := _TAGGED.match(line):
            here.counters[counted[2], counted[3]] = counted[1]
    return {name: each for name, each in tables.items() if each.chains or each.jumps}


def text(table: Table, there: Found) -> str:
    """One table's transaction: every chain of ours emptied, the hooks put first, the rules, the chains of old gone.

    A tagged rule that was there, in the same chain, keeps its counters.
    """
    old = [chain for chain in there.chains if chain not in table.chains]
    lines = [f"*{table.name}"]
    lines += [f":{chain} - [0:0]" for chain in (*table.chains, *old)]
    lines += [f"-D {jump}" for jump in there.jumps]
    lines += [f"-I {builtin} 1 -j {chain}" for builtin, chain in table.hooks.items()]
    for chain, rules in table.chains.items():
        lines += [_line(chain, rule, there) for rule in rules]
    lines += [f"-X {chain}" for chain in old]
    return "\n".join([*lines, "COMMIT", ""])


def _line(chain: str, rule: Rule, there: Found) -> str:
    words = " ".join(["-A", chain, *rule])
    counter = there.counters.get((chain, rule[rule.index("--comment") + 1])) if "--comment" in rule else None
    return words if counter is None else f"{counter} {words}"
