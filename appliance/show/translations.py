"""``show xlate`` and ``show nat``: the statics, as translations that are in use and as rules that are hit.

A static is a translation from the start on and has no timeout; its idle time is counted from the latest connection
that was built through it (asa.md §3.6).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.config.config import Config
from appliance.datapath.snapshot import Snapshot
from appliance.nat.static import Static
from appliance.show.connections import AddressRange, ConnectionReport

_SECOND = 1_000_000_000  # ns


@dataclass(frozen=True, slots=True)
class TranslationsWanted:
    """What `show xlate` and `clear xlate` are asked for; None, or no interface, is any."""

    mapped: AddressRange | None = None  # ``global A[-B]``
    real: AddressRange | None = None  # ``local A[-B]``
    interfaces: tuple[str, ...] = ()  # on either side of it

    def takes(self, report: ConnectionReport) -> bool:
        """Whether `report` is of a connection that goes through a wanted translation."""
        pairs = ((report.lower, report.lower_mapped), (report.upper, report.upper_mapped))
        return any(
            self.holds(real.interface, real.address, mapped.interface, mapped.address)
            for real, mapped in pairs
            if real.address != mapped.address
        )

    def holds(self, real_interface: str, real: IPv4Address, mapped_interface: str, mapped: IPv4Address) -> bool:
        """Whether the translation of `real` to `mapped` is wanted."""
        return (
            (self.mapped is None or self.mapped.first <= mapped <= self.mapped.last)
            and (self.real is None or self.real.first <= real <= self.real.last)
            and (not self.interfaces or bool({real_interface, mapped_interface} & set(self.interfaces)))
        )


@dataclass(frozen=True, slots=True)
class TranslationReport:
    """One translation: ``NAT from inside:192.0.2.25 to outside:203.0.113.125``; times in seconds."""

    real_interface: str
    real: IPv4Address
    mapped_interface: str
    mapped: IPv4Address
    flags: str
    idle: int
    timeout: int


@dataclass(frozen=True, slots=True)
class TranslationsReport:
    """``show xlate``: how many there are, how many there were at most, and which (none for ``count``)."""

    in_use: int
    most_used: int
    translations: tuple[TranslationReport, ...]


def translations(config: Config, snapshot: Snapshot, wanted: TranslationsWanted) -> TranslationsReport:
    """The statics that are wanted, in the file's order."""
    in_use = len(config.statics)
    return TranslationsReport(
        in_use,
        max(in_use, snapshot.most_translations),
        tuple(
            _translation(each, snapshot)
            for each in config.statics
            if wanted.holds(each.real_interface, each.real, each.mapped_interface, each.mapped)
        ),
    )


def _translation(static: Static, snapshot: Snapshot) -> TranslationReport:
    used = snapshot.last_uses.get(static.mapped, snapshot.now)
    idle = max(0, snapshot.now - used) // _SECOND
    return TranslationReport(
        static.real_interface, static.real, static.mapped_interface, static.mapped, "s", idle, timeout=0
    )


@dataclass(frozen=True, slots=True)
class NatRuleReport:
    """One static as a rule: connections translated from the real side, and from the mapped one."""

    number: int
    real_interface: str
    real: IPv4Address
    mapped_interface: str
    mapped: IPv4Address
    translate_hits: int
    untranslate_hits: int


@dataclass(frozen=True, slots=True)
class NatReport:
    """``show nat``: a static is what 8.3 calls auto NAT, section 2."""

    rules: tuple[NatRuleReport, ...]


def nat(config: Config, hits: Iterable[tuple[int, int]]) -> NatReport:
    """The statics in the file's order; `hits` has for each how often it translated and untranslated."""
    return NatReport(
        tuple(
            NatRuleReport(number, each.real_interface, each.real, each.mapped_interface, each.mapped, *counts)
            for number, (each, counts) in enumerate(zip(config.statics, hits, strict=True), 1)
        )
    )
