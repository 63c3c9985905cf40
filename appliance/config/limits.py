"""What limits connections, of a whole configuration: its statics."""

from __future__ import annotations

from collections.abc import Set

from appliance.config.config import Config
from appliance.nat.classes import Limits


def limits(config: Config, interfaces: Set[str]) -> Limits:
    """The limits of a verified `config` where only `interfaces` (each a nameif) have a device."""
    usable = (each for each in config.statics if {each.real_interface, each.mapped_interface} <= interfaces)
    return Limits(tuple(usable))
