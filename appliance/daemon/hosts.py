"""Which hosts have connections: ASA's local hosts, from a host's first connection to its last.

They are counted by the kernel's events; where some were lost, `recount` sets them right by the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.flow import Endpoint


@dataclass(slots=True)
class _Host:
    connections: int
    since: int  # ns


class Hosts:
    """The hosts behind each interface; times are the kernel's clock in ns."""

    def __init__(self) -> None:
        self._behind: dict[str, dict[IPv4Address, _Host]] = {}
        self._most: dict[str, int] = {}

    def enter(self, end: Endpoint, now: int) -> bool:
        """A connection of the host began; whether it is its only one."""
        behind = self._behind.setdefault(end.interface, {})
        host = behind.get(end.address)
        if host is not None:
            host.connections += 1
            return False
        behind[end.address] = _Host(1, now)
        self._most[end.interface] = max(self._most.get(end.interface, 0), len(behind))
        return True

    def leave(self, end: Endpoint, now: int) -> int | None:
        """A connection of the host ended; if it was the last, for how many ns it had any."""
        behind = self._behind.get(end.interface, {})
        host = behind.get(end.address)
        if host is None:
            return None  # its beginning was lost
        host.connections -= 1
        if host.connections:
            return None
        del behind[end.address]
        return max(0, now - host.since)

    def recount(self, ends: Iterable[tuple[Endpoint, int]]) -> None:
        """From now on these are the ends of all connections, each with when it began."""
        before, self._behind = self._behind, {}
        for end, started in ends:
            known = before.get(end.interface, {}).get(end.address)
            self.enter(end, known.since if known else started)

    def counts(self) -> dict[str, tuple[int, int]]:
        """By interface how many hosts there are, and how many there were at once at most."""
        return {name: (len(self._behind.get(name, {})), most) for name, most in self._most.items()}
