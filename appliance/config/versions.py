"""What a firewall's version decides: one table, a row a generation of the software.

The head of a file (``ASA Version 8.2(5)``) or ``compatibility`` (ours) names the row; a file with neither has the
first, the seed's. Sources: asa.md §1.1-1.2 (the seven commands of PIX 6), §1.7-1.8 (banner and VRFY in captures),
§2.5 and §8.6 (allow-tls), §3.1 (what ``show service-policy`` prints), §5.2 (addresses), §6.5 (nat-control); design
rows 1, 2, 17.
"""

from __future__ import annotations

import enum
import functools
import re
from dataclasses import dataclass, replace

from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import Banner, Deed, InspectMap, Match, Parameters, Reaction


class Addresses(enum.Enum):
    """By which address access lists (and syslog) know a host that a static translates."""

    BOTH = "both"  # by either (row 17): real ones are compared, a mapped one stands for its real one
    MAPPED = "mapped"  # as a packet has it where it comes in
    REAL = "real"


_LINE = "packet {packet}, drop {drop}, reset-drop {reset_drop}"
_LINE_8 = "packet {packet}, lock fail 0, drop {drop}, reset-drop {reset_drop}"
_LINE_9 = f"{_LINE_8}, 5-min-pkt-rate 0 pkts/sec, v6-fail-close 0 sctp-drop-override 0"


@dataclass(frozen=True, slots=True)
class Version:
    """A row: what is so unless the file says otherwise."""

    name: str  # as `compatibility` has it
    since: tuple[int, int]  # the first release of it
    addresses: Addresses
    banner: Banner = Banner.KEEP_2_AND_0
    vrfy: bool = True  # VRFY is a known parameter of the EHLO reply
    allow_tls: bool = False
    pix6: bool = False  # the seven commands of RFC 821 alone, EHLO not among them; `fixup`, and its own spelling
    nat_control: bool = False
    inspect_line: str = _LINE  # behind the map's name in `show service-policy`

    @property
    def parameters(self) -> Parameters:
        """What an inspect map has that states no parameters."""
        return Parameters(banner=self.banner, allow_tls=self.allow_tls, vrfy=self.vrfy)

    @property
    def default_map(self) -> InspectMap:
        """What ``inspect esmtp`` stands for where it names no map."""
        return _default_map(self)


SEED = Version("", (0, 0), Addresses.BOTH)

#: Oldest first.
VERSIONS = (
    Version("pix-6.3", (0, 0), Addresses.MAPPED, vrfy=False, pix6=True, nat_control=True),
    Version("asa-7.2", (7, 0), Addresses.MAPPED, vrfy=False),
    Version("asa-8.2", (8, 0), Addresses.MAPPED, inspect_line=_LINE_8),
    Version("asa-8.4", (8, 3), Addresses.REAL, inspect_line=_LINE_8),
    Version("asa-9.4", (9, 4), Addresses.REAL, Banner.ALL, allow_tls=True, inspect_line=_LINE_9),
)

_RELEASE = re.compile(r"(\d{1,2})\.(\d{1,2})\D")
_BEYOND_BASIC = ("AUTH", "EHLO", "ETRN", "HELP", "SAML", "SEND", "SOML", "VRFY")


def named(name: str) -> Version:
    """The row called `name`, the seed's without one; KeyError if there is none."""
    return {each.name: each for each in (SEED, *VERSIONS)}[name]


def of_release(release: str) -> Version:
    """The row of a release, ``8.2(5)``: the youngest that began before it."""
    found = _RELEASE.match(release)
    number = (int(found[1]), int(found[2])) if found else (0, 0)
    return max((each for each in VERSIONS if each.since <= number), key=lambda each: each.since)


@functools.cache
def _default_map(version: Version) -> InspectMap:
    matches = DEFAULT_MAP.matches
    if version.pix6:
        matches = (Match("cmd-verb", Reaction(Deed.MASK), words=_BEYOND_BASIC), *matches)
    return replace(DEFAULT_MAP, parameters=version.parameters, matches=matches)
