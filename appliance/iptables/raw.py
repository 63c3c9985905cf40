"""The raw table: the reverse path of every packet, and what connection tracking does not see of TCP Intercept."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.iptables.filter import INTERCEPT, copied, intercepting, unnamed
from appliance.iptables.tables import DROP, PREFIX, Rule, Scene, Table
from appliance.syslog import SpoofedSource

_SPOOFED = ["-g", "FIXUP_SPOOFED"]
_ANSWER = ["-p", "tcp", "--tcp-flags", "SYN,ACK", "SYN,ACK"]
_RESET = ["-p", "tcp", "--tcp-flags", "RST", "RST"]
_UNTRACKED = ["-j", "CT", "--notrack"]
#: In somebody else's name: no other SYN-ACK or RST of the firewall's own is.
_FOREIGN = ["-m", "addrtype", "!", "--src-type", "LOCAL"]


def raw(scene: Scene) -> Table:
    """The table.

    SYNPROXY's answer is kept from connection tracking as the SYN is: that would begin a connection with it, and then
    find that nothing begins so. So is an RST of ours to a server that is called by its own address: it ends what is in
    the way of SYNPROXY's connection, and would end that. A chain for each interface, because comparing its name is what
    a rule costs most by.
    """
    statics = intercepting(scene)
    faces = dict.fromkeys((scene.devices[each.mapped_interface], each.mapped) for each in statics)
    called = unnamed(scene)
    own = [scene.devices[each.real_interface] for each in statics if each.mapped == each.real]
    servers = dict.fromkeys([*own, *(way for ways_out in called.values() for way in ways_out)])
    intercepted = {*called, *(way for way, _ in faces)}
    told = list(copied(scene.config, SpoofedSource)) if scene.config.reverse_path else []
    ways = {device: f"{PREFIX}FROM_{device}" for device in scene.devices.values()}
    chains: dict[str, list[Rule]] = {
        "FIXUP_PREROUTING": [["-i", device, "-g", chain] for device, chain in ways.items()],
        "FIXUP_OUTPUT": [
            *(["-o", way, "-s", f"{address}/32", *_ANSWER, *_UNTRACKED] for way, address in faces),
            *(["-o", way, *_ANSWER, *_FOREIGN, *_UNTRACKED] for way in called),
            *(["-o", way, *_RESET, *_FOREIGN, *_UNTRACKED] for way in servers),
        ],
        "FIXUP_SPOOFED": [*told, DROP] if told else [],
    }
    for nameif, device in scene.devices.items():
        end = _SPOOFED if told and nameif in scene.config.reverse_path else DROP
        chains[ways[device]] = list(_from(end, device in intercepted))
    chains = {chain: rules for chain, rules in chains.items() if rules}
    hooks = {builtin: f"{PREFIX}{builtin}" for builtin in ("PREROUTING", "OUTPUT")}
    return Table("raw", {builtin: chain for builtin, chain in hooks.items() if chain in chains}, chains)


def _from(end: Rule, intercepts: bool) -> Iterator[Rule]:
    """What comes in by an interface: to `end` with what is not routed back by it."""
    yield ["-m", "rpfilter", "--invert", *end]
    if intercepts:
        yield [*INTERCEPT, *_UNTRACKED]
