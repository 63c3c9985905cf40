"""Reports as ASA prints them: data in, lines out; nothing is looked up. A module for each family of commands."""

from appliance.cli.format.access_lists import access_list, access_lists
from appliance.cli.format.asp import asp_drop, asp_queue
from appliance.cli.format.configuration import applied, ended, running_config, section, startup_config, written
from appliance.cli.format.connections import cleared, conn, conn_count, conn_detail, conn_long, span
from appliance.cli.format.hardware import clock, interface, interface_brief, version
from appliance.cli.format.local_hosts import local_host, local_host_brief, local_host_detail
from appliance.cli.format.logs import logging
from appliance.cli.format.policies import service_policy, service_policy_connections, service_policy_esmtp
from appliance.cli.format.replays import replay
from appliance.cli.format.threats import attacks
from appliance.cli.format.traces import trace
from appliance.cli.format.translations import nat, xlate, xlate_count

__all__ = [
    "access_list",
    "access_lists",
    "applied",
    "asp_drop",
    "asp_queue",
    "attacks",
    "cleared",
    "clock",
    "conn",
    "conn_count",
    "conn_detail",
    "conn_long",
    "ended",
    "interface",
    "interface_brief",
    "local_host",
    "local_host_brief",
    "local_host_detail",
    "logging",
    "nat",
    "replay",
    "running_config",
    "section",
    "service_policy",
    "service_policy_connections",
    "service_policy_esmtp",
    "span",
    "startup_config",
    "trace",
    "version",
    "written",
    "xlate",
    "xlate_count",
]
