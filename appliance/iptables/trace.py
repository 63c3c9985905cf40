"""``packet-tracer``: what becomes of the first packet of a connection, phase by phase, and which line decides.

The answer comes from the rules as they are rendered (`walk`), so it cannot differ from them; of each rule that decides
it is told which line of the configuration it was made of. It speaks of a firewall without connections: limits are told,
not asked. Phases and reasons are an ASA's, in its order (K: its command reference, `packet-tracer`; outputs of an 8.2
and of a 9.x, key TRACES).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from appliance.config.config import Config, Interface
from appliance.config.inspections import inspections
from appliance.config.limits import rules
from appliance.config.nat import ObjectNat
from appliance.config.statements.access_lists import access_group_line, ace_text
from appliance.config.statements.class_maps import class_map_lines
from appliance.config.statements.policies import policy_map_lines
from appliance.config.statements.translations import translation_line
from appliance.config.versions import Addresses
from appliance.iptables.filter import DENIED, RETURNED, STRAY, UNASKED, filter_
from appliance.iptables.mangle import mangle
from appliance.iptables.match import tag
from appliance.iptables.nat import nat, postrouting, prerouting
from appliance.iptables.routing import delivered, next_hop, spoofed, unforwardable
from appliance.iptables.tables import DROP, PREFIX, Rule, Scene
from appliance.iptables.walk import Hit, Packet, Walked, walk
from appliance.marks import CLASS
from appliance.nat.classes import Opening, limited_class
from appliance.nat.static import Names
from appliance.nat.translation import Kind, Translation

_ACL_DROP = "(acl-drop) Flow is denied by configured rule"
_NO_ROUTE = "(no-route) No route to host"
_DOWN = "(interface-down) Interface is down"
_SPOOFED = "(sp-security-failed) Slowpath security checks failed"
_OURS = "(to-the-box) For the firewall itself: rules of your own decide"
_REVERSE = "(rpf-violated) Reverse-path verify failed"
_NO_CONNECTION = "(inspect-icmp-error-no-existing-conn) ICMP Error Inspect no existing conn"
_NO_XLATE = "(nat-xlate-failed) NAT failed"


@dataclass(frozen=True, slots=True)
class Phase:
    """One step: what it is, whether the packet goes on, the lines that decide, and the rules they were made into."""

    type: str
    subtype: str
    allowed: bool
    config: tuple[str, ...] = ()
    information: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceReport:
    """The phases and what they come to; `source` and `destination` as the packet leaves, `inspection` 0 for none."""

    phases: tuple[Phase, ...]
    input: str
    output: str
    allowed: bool
    reason: str
    source: IPv4Address
    source_port: int
    destination: IPv4Address
    destination_port: int
    inspection: int


def trace(config: Config, nameif: str, packet: Packet) -> TraceReport:
    """What becomes of `packet`, coming in by `nameif`; ValueError if there is no interface of that name."""
    return _Tracer(config, nameif, packet).report()


class _Stopped(Exception):
    """The packet goes no further."""


class _Tracer:
    def __init__(self, config: Config, nameif: str, packet: Packet) -> None:
        self._config = config
        self._scene = Scene.of(config)
        self._classes = inspections(config)
        interface = config.interface(nameif)
        if interface is None:
            raise ValueError(f"ERROR: interface <{nameif}> does not exist")
        self._input = interface
        self._packet = packet
        self._output: Interface | None = None
        self._inspection = 0
        self._phases: list[Phase] = []
        self._reason = ""

    def report(self) -> TraceReport:
        try:
            self._run()
        except _Stopped as stopped:
            self._reason = str(stopped)
        packet = self._packet
        return TraceReport(
            tuple(self._phases),
            str(self._input.nameif),
            str(self._output.nameif) if self._output else "",
            not self._reason,
            self._reason,
            packet.source,
            packet.source_port,
            packet.destination,
            packet.destination_port,
            self._inspection,
        )

    def _run(self) -> None:
        if self._input.shutdown or self._input.hardware is None:
            raise _Stopped(_DOWN)
        self._at(came_in=self._input.hardware)
        self._verify_source()
        tables = nat(self._scene).chains
        self._untranslate(walk(tables, f"{PREFIX}PREROUTING", self._packet, "destination"))
        self._route()
        self._classify()
        self._access()
        permitted = len(self._phases)
        self._settings()
        self._inspect()
        services = self._phases[permitted:]
        self._translate(walk(tables, f"{PREFIX}POSTROUTING", self._packet, "source"))
        if self._config.defaults.addresses is Addresses.REAL:  # from 8.3 on it is told before what classes do
            self._phases[permitted:] = [*self._phases[permitted + len(services) :], *services]
        self._phase("FLOW-CREATION", "", True, information=["New flow created, packet dispatched to next module"])

    def _at(self, **fields: str | int) -> None:
        self._packet = self._packet.at(**fields)

    def _phase(
        self,
        type: str,
        subtype: str,
        allowed: bool,
        config: Iterable[str] = (),
        information: Iterable[str] = (),
        hits: Iterable[Hit] = (),
    ) -> None:
        rules = tuple(" ".join(["-A", each.chain, *each.rule]) for each in hits)
        self._phases.append(Phase(type, subtype, allowed, tuple(config), tuple(information), rules))

    # --- addresses ------------------------------------------------------------------------------------------------

    def _untranslate(self, walked: Walked) -> None:
        before, after = self._packet, walked.packet
        self._packet = after
        if walked.target not in ("DNAT", "NETMAP"):
            return
        rule = self._translation(walked.hits[-1], lambda each: prerouting(self._scene, each))
        said = [f"Untranslate {_destination(before)} to {_destination(after)}"]
        if rule.real_interface is not None:
            said.insert(0, f"NAT divert to egress interface {rule.real_interface}")
        self._phase("UN-NAT", "static", True, self._lines(rule), said, walked.hits[-1:])

    def _translate(self, walked: Walked) -> None:
        before, after = self._packet, walked.packet
        self._packet = after
        if not walked.hits:
            return
        rule = self._translation(walked.hits[-1], lambda each: postrouting(self._scene, each))
        if walked.target == "RETURN":
            self._phase("NAT-EXEMPT", "", True, self._lines(rule), (), walked.hits[-1:])
            return
        kind = "dynamic" if rule.kind is Kind.DYNAMIC else "static"
        said = [f"{kind.capitalize()} translate {_source(before)} to {_source(after)}"]
        self._phase("NAT", "", True, self._lines(rule), said, walked.hits[-1:])

    def _translation(self, hit: Hit, rendered: Callable[[Translation], Iterator[Rule]]) -> Translation:
        """The translation whose rule was hit."""
        behind = 0
        for each in self._scene.translations:
            behind += sum(1 for _ in rendered(each))
            if hit.index < behind:
                return each
        raise AssertionError("every rule is some translation's")

    def _lines(self, rule: Translation) -> list[str]:
        statement = next((each for each in self._config.translations if each.line == rule.line), None)
        if statement is None:
            return []
        head = [f"object network {statement.name}"] if isinstance(statement, ObjectNat) else []
        return [*head, f"{' ' if head else ''}{translation_line(statement)}"]

    # --- the way ----------------------------------------------------------------------------------------------------

    def _route(self) -> None:
        destination = self._packet.destination
        if spoofed(self._scene, self._packet.source):
            self._phase("ROUTE-LOOKUP", "Resolve Egress Interface", False)
            raise _Stopped(_SPOOFED)
        if delivered(self._scene, destination):
            self._phase("ROUTE-LOOKUP", "Resolve Egress Interface", True, information=["found next-hop identity"])
            raise _Stopped(_OURS)
        found = None if unforwardable(destination) else next_hop(self._scene, destination)
        if found is None:
            self._phase("ROUTE-LOOKUP", "Resolve Egress Interface", False)
            raise _Stopped(_NO_ROUTE)
        egress, hop = found
        self._output = self._config.interface(egress)
        assert self._output is not None, "a route is by one of the interfaces"
        self._at(goes_out=str(self._output.hardware))
        said = [f"found next-hop {hop} using egress ifc  {self._output.nameif}"]
        self._phase("ROUTE-LOOKUP", "Resolve Egress Interface", True, information=said)

    def _verify_source(self) -> None:
        """Its source is routed back the way it came; asked always, told of where ``ip verify reverse-path`` is said."""
        back = next_hop(self._scene, self._packet.source)
        known = back is not None and back[0] == self._input.nameif
        verified = self._input.nameif in self._config.reverse_path
        if verified or not (known or spoofed(self._scene, self._packet.source)):  # which the route says
            said = [f"ip verify reverse-path interface {self._input.nameif}"] if verified else []
            self._phase("ROUTE-LOOKUP", "Reverse Path", known, said)
            if not known:
                raise _Stopped(_REVERSE)

    # --- classes ----------------------------------------------------------------------------------------------------

    def _classify(self) -> None:
        walked = walk(mangle(self._scene, self._classes, 1).chains, f"{PREFIX}FORWARD", self._packet)
        self._packet = walked.packet
        self._inspection = CLASS.get(walked.packet.mark)
        marking = [each for each in walked.hits if each.chain.startswith(f"{PREFIX}CLASS_") and "MARK" in each.rule]
        self._decided = marking[-1] if marking else None

    def _inspect(self) -> None:
        if self._decided is None:
            return
        each = self._classes[int(self._decided.chain.removeprefix(f"{PREFIX}CLASS_")) - 1]
        subtype = "inspect-esmtp" if each.number else "no inspect-esmtp"
        said = [f"under {each.inspect_map.name}"] if each.inspect_map else ["exempt from inspection"]
        if each.implied:
            said = [f"no class of policy-map {each.policy} matches, which inspects on interface {each.interface}"]
        lines = self._lines_of_class(each.policy, each.interface, each.class_map.name, "inspect esmtp")
        self._phase("INSPECT", subtype, True, lines, said, [self._decided])

    def _lines_of_class(self, policy: str, interface: str | None, name: str, action: str) -> Iterator[str]:
        """The class map, and of the policy map what is done with the class: lines that begin with `action`."""
        class_map = self._config.class_map(name)
        yield from (line for line in class_map_lines(class_map) if line != "!") if class_map else ()
        yield f"policy-map {policy}"
        yield f" class {name}"
        policy_map = self._config.policy_map(policy)
        inside = False
        for line in policy_map_lines(policy_map) if policy_map else ():
            inside = line == f" class {name}" if line.startswith(" class ") else inside
            if inside and line.strip().removeprefix("no ").startswith(action):
                yield line
        yield f"service-policy {policy} {'global' if interface is None else f'interface {interface}'}"

    # --- who may ------------------------------------------------------------------------------------------------------

    def _access(self) -> None:
        tables = filter_(self._scene, {"FIXUP_QUEUE": [["-j", "NFQUEUE"]]}).chains
        walked = walk(tables, f"{PREFIX}FORWARD", self._packet)
        for hit in walked.hits:
            self._judge(hit)
        if walked.dropped:
            self._phase("ACCESS-LIST", "", False, ["Implicit Rule"], (), walked.hits[-1:])
            raise _Stopped(_ACL_DROP)

    def _judge(self, hit: Hit) -> None:
        """A phase for a rule that says who may; _Stopped if it ends here."""
        if hit.chain.startswith((f"{PREFIX}IN_", f"{PREFIX}OUT_", "FIXUP_GLOBAL")) and "--comment" in hit.rule:
            permitted = hit.rule[-1] not in (DENIED[1], DROP[1])
            self._phase("ACCESS-LIST", "log", permitted, self._entry(hit), (), [hit])
            if not permitted:
                raise _Stopped(_ACL_DROP)
        elif hit.chain in ("FIXUP_BETWEEN", RETURNED[1]) and hit.rule[-1] == STRAY[1]:
            self._phase("INSPECT", "inspect-icmp-error", False, (), ["an error or an answer of no connection"], [hit])
            raise _Stopped(_NO_CONNECTION)
        elif hit.chain == "FIXUP_CONTROL" and hit.rule[-1] == "DROP":
            self._phase("NAT", "nat-control", False, ["nat-control"], (), [hit])
            raise _Stopped(_NO_XLATE)
        elif hit.rule[-1] == "DROP" and (hit.chain == "FIXUP_REVERSE" or "--ctorigdst" in hit.rule):
            self._phase("NAT", "rpf-check", False, (), ["known here by its mapped address alone"], [hit])
            raise _Stopped(_ACL_DROP)
        elif hit.chain == "FIXUP_ACCESS" and hit.rule[-1] in ("DROP", UNASKED[1]):
            self._phase("ACCESS-LIST", "", False, ["Implicit Rule"], (), [hit])
            raise _Stopped(_ACL_DROP)
        elif hit.chain == "FIXUP_ACCESS" and hit.rule[-1] in ("RETURN", "FIXUP_EGRESS"):
            self._phase("ACCESS-LIST", "", True, ["Implicit Rule"], (), [hit])

    def _entry(self, hit: Hit) -> list[str]:
        """The group and the entry that a rule with a tag was made of."""
        wanted = hit.rule[hit.rule.index("--comment") + 1]
        interfaces = {None, self._input.nameif, self._output.nameif if self._output else None}
        for group in self._config.access_groups:
            if group.interface not in interfaces:
                continue
            access_list = self._config.access_list(group.access_list)
            for ace in access_list.aces if access_list else ():
                for element in self._scene.elements.of(ace):
                    if access_list is not None and tag(access_list, ace, element) == wanted:
                        entry = f"access-list {access_list.name} extended {ace_text(ace)}"
                        return [access_group_line(group), entry]
        return []

    def _settings(self) -> None:
        """The limits there are for it, of its static and of its class; whether they are reached is not asked."""
        packet, crossed = self._packet, {str(each.nameif) for each in (self._input, self._output) if each}
        if packet.protocol != "tcp":
            return
        names = Names(self._config.all_statics)
        static = names.of(str(self._input.nameif), packet.destination, packet.destination_port)
        if static is not None and (static.max_conns or static.max_embryonic):
            limits = f"conn-max {static.max_conns} embryonic-conn-max {static.max_embryonic}"
            self._phase("CONN-SETTINGS", "", True, information=[limits])
        ends = packet.source, packet.source_port, packet.destination, packet.destination_port
        limited = limited_class(rules(self._config), Opening(*ends, frozenset(crossed)))
        if limited is not None:
            lines = self._lines_of_class(limited.policy, limited.interface, limited.name, "set connection")
            self._phase("CONN-SETTINGS", "", True, lines)


def _source(packet: Packet) -> str:
    return f"{packet.source}/{packet.source_port}"


def _destination(packet: Packet) -> str:
    return f"{packet.destination}/{packet.destination_port}"
