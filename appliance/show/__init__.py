"""Reports: what the `show` commands say, as plain data made of a configuration and a snapshot.

A report holds no formatting: the client prints it as ASA does (`cli/format`) or as JSON. Everything it counts
comes from the snapshot, never from logs. A module for each family of commands.
"""

from appliance.show.configuration import RunningConfigReport, running_config
from appliance.show.connections import (
    AddressRange,
    ConnectionReport,
    ConnectionsReport,
    PortRange,
    Progress,
    Reporter,
    Wanted,
    flags,
)
from appliance.show.logs import LoggingReport, logging
from appliance.show.policies import (
    ClassReport,
    InspectionReport,
    MatchCount,
    PolicyReport,
    ServicePolicyReport,
    service_policy,
)

__all__ = [
    "AddressRange",
    "ClassReport",
    "ConnectionReport",
    "ConnectionsReport",
    "InspectionReport",
    "LoggingReport",
    "MatchCount",
    "PolicyReport",
    "PortRange",
    "Progress",
    "Report",
    "Reporter",
    "RunningConfigReport",
    "ServicePolicyReport",
    "Wanted",
    "flags",
    "logging",
    "running_config",
    "service_policy",
]

Report = ServicePolicyReport | ConnectionsReport | LoggingReport | RunningConfigReport
