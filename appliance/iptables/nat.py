"""The nat table: every rule of translation in its order, for connections opened from either side.

POSTROUTING is told apart by the interface a packet came in by too, which the kernel knows there from 5.7 on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Network

from appliance.iptables.match import address, protocol
from appliance.iptables.tables import PREFIX, RETURN, Rule, Scene, Table
from appliance.nat.translation import Far, Kind, Pool, Translation
from appliance.policy.acl import ANY, Element


def nat(scene: Scene) -> Table:
    """The table."""
    chains: dict[str, list[Rule]] = {f"{PREFIX}{name}": [] for name in ("PREROUTING", "OUTPUT", "POSTROUTING")}
    before, own, after = chains.values()
    for each in scene.translations:
        before += prerouting(scene, each)
        own += output(scene, each)
        after += postrouting(scene, each)
    return Table("nat", {chain.removeprefix(PREFIX): chain for chain in chains}, chains)


def prerouting(scene: Scene, rule: Translation) -> Iterator[Rule]:
    """Where a connection is opened from the mapped side; and the other end, where the real side addresses it."""
    far = rule.far
    if rule.kind is not Kind.DYNAMIC and not rule.one_way and isinstance(rule.mapped, IPv4Network):
        known = [*far_end(far, "-s", "--sport"), *_mapped(rule.mapped), *_port(rule, "--dport", mapped=True)]
        for way in scene.among(rule.mapped_interface):
            if rule.kind is Kind.STATIC and rule.mapped != rule.real:
                yield from (["-i", way, "-d", f"{own}/32", *RETURN] for own in _own(scene, way, rule.mapped))
            yield ["-i", way, *known, *_to(rule, "DNAT", rule.mapped, rule.real, mapped=False)]
    if far is not None and far.mapped != far.real:
        for way in scene.among(rule.real_interface):
            ends = [*address("-s", rule.real), *far_end(replace(far, real=far.mapped), "-d", "--dport")]
            yield ["-i", way, *ends, *_rewrite("DNAT", far.mapped, far.real)]


def output(scene: Scene, rule: Translation) -> Iterator[Rule]:
    """What SYNPROXY opens for a client is the firewall's own packet."""
    known = called(scene, rule)
    if known and isinstance(rule.mapped, IPv4Network):
        yield [*known, *_to(rule, "DNAT", rule.mapped, rule.real, mapped=False)]


def called(scene: Scene, rule: Translation) -> Rule:
    """What SYNPROXY's packets have that `rule` translates, whatever interface its client is behind; or nothing.

    What the firewall sends to an address of its own is its own.
    """
    always = rule.kind is Kind.STATIC and rule.far is None and not rule.one_way
    always = always and (rule.ports is None or rule.ports.protocol == "tcp")
    if not always or isinstance(rule.mapped, Pool):
        return []
    if rule.mapped.prefixlen == 32 and rule.mapped.network_address in scene.config.own_addresses:
        return []
    return [*_mapped(rule.mapped), *_port(rule, "--dport", mapped=True)]


def postrouting(scene: Scene, rule: Translation) -> Iterator[Rule]:
    far = rule.far
    source = [*address("-s", rule.real), *far_end(far, "-d", "--dport")]
    for way in scene.among(rule.mapped_interface):
        for entrance in _entrances(scene, rule, way):
            known = [*source, *entrance, "-o", way]
            if isinstance(rule.mapped, Pool):
                yield [*known, "-j", "SNAT", "--to-source", str(rule.mapped)]
            else:
                known += _port(rule, "--sport", mapped=False)
                yield [*known, *_to(rule, "SNAT", rule.real, rule.mapped, mapped=True)]
    if far is not None and far.mapped != far.real and isinstance(rule.mapped, IPv4Network):
        for way in scene.among(rule.real_interface):
            ends = [*far_end(far, "-s", "--sport"), *address("-d", rule.real), "-o", way]
            yield [*ends, *_rewrite("SNAT", far.real, far.mapped)]


def _entrances(scene: Scene, rule: Translation, way: str) -> list[Rule]:
    """By which interfaces comes in what the rule is for; of a static's few hosts the address tells it alone."""
    if rule.kind is Kind.STATIC and rule.real.prefixlen >= 24:
        return [[]]
    return [["-i", each] for each in scene.among(rule.real_interface) if each != way]


def far_end(far: Far | None, end: str, port: str) -> Rule:
    """The other end of a rule that asks for it, which is the source (``-s``, ``--sport``) or the destination."""
    if far is None:
        return []
    words = address(end, far.real)
    if far.protocol:
        words = [*words, *protocol(Element(True, far.protocol, ANY, None, ANY, None))]
    return words if far.ports is None else [*words, port, f"{far.ports[0]}:{far.ports[1]}"]


def _mapped(network: IPv4Network) -> Rule:
    return address("-d", network)


def _own(scene: Scene, way: str, mapped: IPv4Network) -> list[str]:
    """The firewall's own address among those of a network that is translated as a whole."""
    if mapped.prefixlen == 32:
        return []
    interfaces = (each for each in scene.ours if each.hardware == way and each.address is not None)
    return [str(each.address.ip) for each in interfaces if each.address and each.address.ip in mapped]


def _port(rule: Translation, option: str, *, mapped: bool) -> Rule:
    if rule.ports is None:
        return []
    return ["-p", rule.ports.protocol, option, str(rule.ports.mapped if mapped else rule.ports.real)]


def _to(rule: Translation, target: str, old: IPv4Network, new: IPv4Network, *, mapped: bool) -> Rule:
    """The target: no change for identity, a port where the rule has one."""
    if rule.kind is Kind.NONE:
        return RETURN
    if rule.ports is None:
        return _rewrite(target, old, new)
    port = rule.ports.mapped if mapped else rule.ports.real
    option = "--to-destination" if target == "DNAT" else "--to-source"
    return ["-j", target, option, f"{new.network_address}:{port}"]


def _rewrite(target: str, old: IPv4Network, new: IPv4Network) -> Rule:
    """Address for address; of a network every one keeps its place in it."""
    if old.prefixlen < 32:
        return ["-j", "NETMAP", "--to", str(new)]
    option = "--to-destination" if target == "DNAT" else "--to-source"
    return ["-j", target, option, str(new.network_address)]
