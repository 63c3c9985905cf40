"""Reports as ASA prints them: data in, lines out; nothing is looked up. A module for each family of commands."""

from appliance.cli.format.configuration import running_config
from appliance.cli.format.connections import conn, conn_count, conn_detail, span
from appliance.cli.format.logs import logging
from appliance.cli.format.policies import service_policy, service_policy_esmtp
from appliance.cli.format.replays import replay

__all__ = [
    "conn",
    "conn_count",
    "conn_detail",
    "logging",
    "replay",
    "running_config",
    "service_policy",
    "service_policy_esmtp",
    "span",
]
