"""What entries with ``log`` matched, as 106100: a flow's first hit at once, then how many there were in each interval.

A flow is a protocol with its two ends at one entry. It is forgotten after an interval without a hit. With as many known
as may be, a new one is told hit by hit if it is permitted: the rules hand out so many copies a second at most; if it is
denied it is not told at all, and 106101 says that there are such (asa.md §4.5, §6.4). A reload keeps the flows of the
entries that it leaves as they were.
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
from appliance.syslog import DenyFlowsFull, EntryHit

#: Permitted flows that are known at once; of denied ones ``access-list deny-flow-max`` says how many.
FLOWS = 4096


@dataclass(slots=True)
class _Flow:
    first: EntryHit
    interval: int  # seconds
    due: int
    hits: int = 0  # since it was told of last


class LoggedFlows:
    """The flows of entries, which are known by the tags that their rules have."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[str, bool, Log]] = {}
        self._flows: dict[tuple[str, str, Endpoint, Endpoint], _Flow] = {}
        self._known = {True: 0, False: 0}  # by whether they are permitted
        self._most = {True: FLOWS, False: FLOWS}
        self._alert_interval = 0  # ns
        self._full = False  # a denied flow had no room since 106101 was told last
        self._alert_due = 0

    def configure(self, config: Config) -> None:
        """From now on `config` says which entries are logged, and how; flows of others are forgotten."""
        before, self._entries = self._entries, dict(_logged(config))
        for key in [key for key in self._flows if self._entries.get(key[0]) != before.get(key[0])]:
            self._forget(key)
        self._most[False] = config.deny_flow_max
        self._alert_interval = config.alert_interval * clock.SECOND

    @property
    def counts(self) -> tuple[int, int]:
        """How many flows are known, and how many of them are denied."""
        return sum(self._known.values()), self._known[False]

    def hit(self, tag: str, protocol: str, source: Endpoint, destination: Endpoint, now: int) -> EntryHit | None:
        """One hit; its record if it is the first of a flow that is told."""
        entry = self._entries.get(tag)
        if entry is None:  # a rule of the configuration before
            return None
        key = tag, protocol, source, destination
        flow = self._flows.get(key)
        if flow is not None:
            flow.hits += 1
            return None
        name, permits, log = entry
        first = EntryHit(name, permits, protocol, source, destination, 1, 0, tag, log.severity)
        if self._known[permits] < self._most[permits]:
            self._flows[key] = _Flow(first, log.seconds, now + log.seconds * clock.SECOND)
            self._known[permits] += 1
        elif not permits:
            self._full = True
            return None
        return first

    def due(self, now: int) -> Iterator[EntryHit | DenyFlowsFull]:
        """The records of the flows whose interval is over, and of there being no room for more."""
        for key, flow in [each for each in self._flows.items() if each[1].due <= now]:
            if flow.hits:
                yield replace(flow.first, count=flow.hits, interval=flow.interval)
                flow.hits, flow.due = 0, now + flow.interval * clock.SECOND
            else:
                self._forget(key)
        if self._full and now >= self._alert_due:
            self._full, self._alert_due = False, now + self._alert_interval
            yield DenyFlowsFull(self._most[False])

    def _forget(self, key: tuple[str, str, Endpoint, Endpoint]) -> None:
        self._known[self._flows.pop(key).first.permitted] -= 1


def _logged(config: Config) -> Iterator[tuple[str, tuple[str, bool, Log]]]:
    """By tag, of every element whose hits are told: its list, whether it permits, and how it is logged."""
    elements = Elements(config)
    for name in dict.fromkeys(each.access_list for each in config.access_groups):
        access_list = config.access_list(name)
        for ace in access_list.aces if access_list else ():
            if access_list is not None and ace.log is not None and ace.log.counted:
                for element in elements.of(ace):
                    yield tag(access_list, ace, element), (name, ace.permit, ace.log)
