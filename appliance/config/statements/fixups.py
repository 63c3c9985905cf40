"""``fixup protocol smtp``, which PIX 6 had in the place of policies: turned into them, as PIX 7 does (asa.md §1.1)."""

from __future__ import annotations

from dataclasses import replace

from appliance.config.config import Config, ServicePolicy
from appliance.config.statements.policies import Policies
from appliance.config.syntax import Mode, both
from appliance.policy.acl import Ports
from appliance.policy.maps import ClassMap, InspectEsmtp, MatchDefaultInspectionTraffic, MatchPort, PolicyClass

#: What it is turned into.
FIXUP_POLICY, FIXUP_CLASS = "global_policy", "inspection_default"
SMTP = 25


class Fixups(Policies):
    """Reads them into the policies."""

    def fixup(self, ports: Ports | None = None) -> None:
        """``fixup protocol smtp 25``"""
        if not self.version.pix6:
            told = "" if ports is None else f" {_span(ports)}"
            self.warn("", f"INFO: converting 'fixup protocol smtp{told}' to MPF commands")
        self.inspect_by_default()
        self.inspect_ports(ports, InspectEsmtp())

    def no_fixup(self, ports: Ports | None = None) -> None:
        """Of one port; without one all others go and 25 comes back (asa.md §1.1)."""
        self.inspect_by_default()
        if ports is not None and (ports.low, ports.high) == (SMTP, SMTP):
            self.inspect_ports(ports, None)
            return
        if ports is not None:
            name = f"class_smtp_{_span(ports)}"
            self._policies.get(self._global_policy(), {}).pop(name, None)
            self.class_maps.pop(name, None)
            return
        for name in [each for each in self._policies.get(self._global_policy(), {}) if each.startswith("class_smtp_")]:
            del self._policies[self._global_policy()][name], self.class_maps[name]
        self.inspect_ports(None, InspectEsmtp())

    def inspect_by_default(self) -> None:
        """Where the version has ``fixup protocol smtp 25`` and the file says nothing of the matter."""
        if self.version.pix6 and None not in self.services:
            self.inspect_ports(None, InspectEsmtp())

    def _global_policy(self) -> str:
        known = self.services.get(None)
        return known.policy_map if known is not None else FIXUP_POLICY

    def inspect_ports(self, ports: Ports | None, inspect: InspectEsmtp | None) -> None:
        name, match = FIXUP_CLASS, MatchDefaultInspectionTraffic()
        if ports is not None and (ports.low, ports.high) != (SMTP, SMTP):
            name, port = f"class_smtp_{_span(ports)}", MatchPort("tcp", ports)
            self.class_maps.setdefault(name, ClassMap(name, port, line=self._line.number))
        self.class_maps.setdefault(FIXUP_CLASS, ClassMap(FIXUP_CLASS, match, line=self._line.number))
        policy = self._global_policy()
        classes = self._policies.setdefault(policy, {})
        classes[name] = replace(classes.get(name, PolicyClass(name)), inspect=inspect)
        self.services.setdefault(None, ServicePolicy(policy, None, self._line.number))


def fixup_lines(config: Config) -> list[str]:
    """The ``fixup protocol smtp`` statements that say what the maps of `config` say; none where they say more."""
    policy = config.policy_map(FIXUP_POLICY)
    draft, lines = Fixups(), []
    for each in policy.classes if policy else ():
        class_map = config.class_map(each.name)
        match = class_map.match if class_map is not None else None
        ports = match.ports if isinstance(match, MatchPort) else Ports("eq", SMTP, SMTP)
        inspect = each.inspect if isinstance(each.inspect, InspectEsmtp) else None
        draft.inspect_ports(ports, inspect)
        lines.append(f"{'' if inspect else 'no '}fixup protocol smtp {_span(ports)}")
    said = tuple(draft.class_maps.values()), draft.policy_maps(), tuple(draft.services.values())
    return lines if said == (config.class_maps, config.policy_maps, config.service_policies) else []


def _span(ports: Ports) -> str:
    return str(ports.low) if ports.low == ports.high else f"{ports.low}-{ports.high}"


STATEMENTS = {
    Mode.CONFIGURE: (
        *both(
            "fixup protocol smtp [<ports:port-span>]",
            Fixups.fixup,
            Fixups.no_fixup,
            says="PIX 6's inspect esmtp: becomes a class of the global policy",
        ),
    ),
}
