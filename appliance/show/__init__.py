"""Reports: what the `show` commands say, as plain data made of a configuration and a snapshot.

A report holds no formatting: the client prints it as ASA does (`cli/format`) or as JSON. Everything it counts
comes from the snapshot, never from logs. A module for each family of commands.
"""

from appliance.show.access_lists import AccessListReport, AccessListsReport, ElementReport, EntryReport, access_lists
from appliance.show.asp import AspDrop, AspReport, asp
from appliance.show.configuration import RunningConfigReport, running_config
from appliance.show.connections import (
    AddressRange,
    Choice,
    ClearedReport,
    ConnectionReport,
    ConnectionsReport,
    PortRange,
    Progress,
    Reporter,
    Wanted,
    flags,
)
from appliance.show.hardware import (
    ClockReport,
    InterfaceReport,
    InterfacesReport,
    VersionReport,
    clock,
    goes_by,
    interfaces,
)
from appliance.show.local_hosts import (
    Behind,
    HostsWanted,
    HostUse,
    InterfaceHosts,
    LocalHost,
    LocalHostsReport,
    behind,
    local_hosts,
)
from appliance.show.logs import LoggingReport, logging
from appliance.show.policies import (
    ClassReport,
    ClientReport,
    InspectionReport,
    LimitsReport,
    MatchCount,
    PolicyReport,
    ServicePolicyReport,
    service_policy,
)
from appliance.show.threats import TOP, AttackReport, AttacksReport, attacks
from appliance.show.translations import (
    Chosen,
    NatReport,
    NatRuleReport,
    PortsReport,
    TranslationReport,
    TranslationsReport,
    TranslationsWanted,
    nat,
    standing,
    translations,
)

__all__ = [
    "TOP",
    "AccessListReport",
    "AccessListsReport",
    "AddressRange",
    "AspDrop",
    "AspReport",
    "AttackReport",
    "AttacksReport",
    "Behind",
    "Choice",
    "Chosen",
    "ClassReport",
    "ClearedReport",
    "ClientReport",
    "ClockReport",
    "ConnectionReport",
    "ConnectionsReport",
    "ElementReport",
    "EntryReport",
    "HostUse",
    "HostsWanted",
    "InspectionReport",
    "InterfaceHosts",
    "InterfaceReport",
    "InterfacesReport",
    "LimitsReport",
    "LocalHost",
    "LocalHostsReport",
    "LoggingReport",
    "MatchCount",
    "NatReport",
    "NatRuleReport",
    "PolicyReport",
    "PortRange",
    "PortsReport",
    "Progress",
    "Report",
    "Reporter",
    "RunningConfigReport",
    "ServicePolicyReport",
    "TranslationReport",
    "TranslationsReport",
    "TranslationsWanted",
    "VersionReport",
    "Wanted",
    "access_lists",
    "asp",
    "attacks",
    "behind",
    "clock",
    "flags",
    "goes_by",
    "interfaces",
    "local_hosts",
    "logging",
    "nat",
    "running_config",
    "service_policy",
    "standing",
    "translations",
]

Report = (
    ServicePolicyReport
    | ConnectionsReport
    | LoggingReport
    | RunningConfigReport
    | LocalHostsReport
    | TranslationsReport
    | NatReport
    | ClearedReport
    | AccessListsReport
    | AttacksReport
    | AspReport
    | VersionReport
    | InterfacesReport
)
