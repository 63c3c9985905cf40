"""What entries with ``log`` matched, as 106100: a flow's first hit at once, then how many there were in each interval.

A flow is a protocol with its two ends at one entry. It is forgotten after an interval without a hit. With `FLOWS` of
them known, a new one is told hit by hit: the rules hand out so many copies a second at most (asa.md §4.5, §6.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from appliance.config.config import Config
from appliance.config.elements import Elements
from appliance.daemon import clock
from appliance.flow import Endpoint
from appliance.iptables.match import tag
from appliance.policy.acl import Log
from appliance.syslog import EntryHit

#: Flows that are known at once, ASA's ``access-list deny-flow-max``.
FLOWS = 4096


@dataclass(slots=True)
class _Flow:
    first: EntryHit
    interval: int  # seconds
    due: int
    hits: int = 0  # since it was told of last


class LoggedFlows:
    """The flows of one configuration's entries, known by the tags that their rules have."""

    def __init__(self, config: Config) -> None:
        self._entries = dict(_logged(config))
        self._flows: dict[tuple[str, str, Endpoint, Endpoint], _Flow] = {}

    def hit(self, tag: str, protocol: str, source: Endpoint, destination: Endpoint, now: int) -> EntryHit | None:
        """One hit; its record if it is a flow's first."""
        entry = self._entries.get(tag)
        if entry is None:  # a rule of the configuration before
            return None
        flow = self._flows.get((tag, protocol, source, destination))
        if flow is not None:
            flow.hits += 1
            return None
        name, permits, log = entry
        first = EntryHit(name, permits, protocol, source, destination, 1, 0, tag, log.severity)
        if len(self._flows) < FLOWS:
            due = now + log.seconds * clock.SECOND
            self._flows[tag, protocol, source, destination] = _Flow(first, log.seconds, due)
        return first

    def due(self, now: int) -> Iterator[EntryHit]:
        """The records of the flows whose interval is over."""
        for key, flow in [each for each in self._flows.items() if each[1].due <= now]:
            if flow.hits:
                yield replace(flow.first, count=flow.hits, interval=flow.interval)
                flow.hits, flow.due = 0, now + flow.interval * clock.SECOND
            else:
                del self._flows[key]


def _logged(config: Config) -> Iterator[tuple[str, tuple[str, bool, Log]]]:
    """By tag, of every element whose hits are told: its list, whether it permits, and how it is logged."""
    elements = Elements(config)
    for name in dict.fromkeys(each.access_list for each in config.access_groups):
        access_list = config.access_list(name)
        for ace in access_list.aces if access_list else ():
            if access_list is not None and ace.log is not None and ace.log.counted:
                for element in elements.of(ace):
                    yield tag(access_list, ace, element), (name, ace.permit, ace.log)
