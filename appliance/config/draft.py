"""A configuration while it is being read: the parts of it, one module of `statements` each, and what they come to.

Each method of a part is one statement of the `grammar`; its parameters are the fields of the statement's syntax. A
method that can't do what the statement says raises `Rejected` with the column and ASA's words. Names that other
statements define are not looked at here: `verify` resolves them when the file is whole. Things are kept by name in
dictionaries, which keep the file's order: a long file costs time in proportion.
"""

from __future__ import annotations

from dataclasses import replace

from appliance.config.config import Config
from appliance.config.nat import section
from appliance.config.statements.access_lists import AccessLists
from appliance.config.statements.box import Box
from appliance.config.statements.early_translations import EarlyTranslations
from appliance.config.statements.fixups import Fixups
from appliance.config.statements.interfaces import Interfaces
from appliance.config.statements.logs import Logs
from appliance.config.statements.object_translations import ObjectTranslations
from appliance.config.statements.routes import Routes
from appliance.config.statics import hosts, ports


class Draft(Box, Interfaces, Routes, AccessLists, EarlyTranslations, ObjectTranslations, Fixups, Logs):
    """What has been read so far."""

    def config(self) -> Config:
        """The configuration read."""
        self.inspect_by_default()
        found = replace(
            self.box,
            accepted=self.accepted(),
            interfaces=self.all_interfaces(),
            names_shown=self.names_shown,
            names=tuple(self.names.values()),
            objects=tuple(self.objects.values()),
            service_objects=tuple(self.service_objects.values()),
            groups=self.groups(),
            time_ranges=self.time_ranges(),
            inter_interface="inter-interface" in self.same_level,
            intra_interface="intra-interface" in self.same_level,
            routes=tuple(self.routes.values()),
            access_lists=self.access_lists(),
            access_groups=tuple(self.access_groups.values()),
            translations=tuple(sorted(self.translations, key=section)),
            nat_control=self.nat_control,
            class_maps=tuple(self.class_maps.values()),
            regexes=tuple(self.regexes.values()),
            regex_classes=tuple(self.regex_classes.values()),
            inspect_maps=self.inspect_maps(),
            policy_maps=self.policy_maps(),
            service_policies=tuple(self.services.values()),
            timeouts=self.timeouts,
            logging=self.logs(),
        )
        return replace(found, statics=hosts(found), port_statics=ports(found))
