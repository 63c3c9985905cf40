"""The inspect map `inspect esmtp` uses when it names none (asa.md §2.8)."""

from __future__ import annotations

from appliance.policy.maps import InspectMap
from appliance.policy.matches import CONDITIONS

DEFAULT_MAP = InspectMap(
    name="_default_esmtp_map",
    matches=tuple(each.match() for each in CONDITIONS if each.default is not None),
    description="Default ESMTP policy-map",
)
