"""The mangle table: the class of a connection, decided on its first packet; and the MSS that SYNs may announce."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from appliance.config.inspections import Inspection
from appliance.iptables.filter import INTERCEPT, INTERCEPTED, intercepts
from appliance.iptables.match import Matches, ports
from appliance.iptables.tables import PREFIX, RETURN, Rule, Scene, Table, between
from appliance.marks import CLASS, CONNECTION, GENERATION
from appliance.policy.acl import Element, Ports
from appliance.policy.maps import MatchAccessList, MatchAny, MatchDefaultInspectionTraffic, MatchOther, MatchPort

#: What `match default-inspection-traffic` is for ESMTP (asa.md §6.1).
SMTP = Ports("eq", 25, 25)


def mangle(scene: Scene, classes: tuple[Inspection, ...], generation: int) -> Table:
    """The table for these classes, whose numbers are of `generation`."""
    decided = CLASS.mask | GENERATION.mask
    undecided = ["-m", "mark", "--mark", GENERATION.match(0)]
    matches = Matches(scene)
    first: list[Rule] = []
    chains: dict[str, list[Rule]] = {}
    for number, each in enumerate(classes, 1):
        chain = f"{PREFIX}CLASS_{number}"
        mark = CLASS.put(each.number) | GENERATION.put(generation)
        target = ["-j", "MARK", "--set-xmark", f"{mark:#x}/{decided:#x}"]
        chains[chain] = list(_class(scene, matches, each, target))
        if each.interface is None:
            first.append([*undecided, "-j", chain])
        elif each.interface in scene.devices:
            first += [[*undecided, way, scene.devices[each.interface], "-j", chain] for way in ("-i", "-o")]
    masks = ["--nfmask", f"{CONNECTION:#x}", "--ctmask", f"{CONNECTION:#x}"]
    first = [
        ["-j", "MARK", "--set-xmark", f"0x0/{decided:#x}"],
        *first,
        [*undecided, "-j", "MARK", "--set-xmark", f"{GENERATION.put(generation):#x}/{decided:#x}"],
        ["-j", "CONNMARK", "--save-mark", *masks],
    ]
    clamp = list(_clamp(scene.config.tcpmss))
    inside = [
        *clamp,
        # RELATED is a first packet too: a connection that someone's conntrack helper expected.
        ["-p", "tcp", "-m", "conntrack", "--ctstate", "NEW,RELATED", "-g", "FIXUP_FIRST"],
        ["-j", "CONNMARK", "--restore-mark", *masks],
    ]
    chains = {"FIXUP_FIRST": first, **chains}
    ways = between(scene.ours)
    if intercepts(scene):
        inside.append(["-p", "tcp", "--tcp-flags", "SYN,ACK", "SYN,ACK", *undecided, "-g", "FIXUP_BACK_FIRST"])
        chains |= {_back(chain): [_turned(rule) for rule in each] for chain, each in chains.items()}
        ways["FIXUP_FORWARD"].insert(0, [*INTERCEPT, *INTERCEPTED])
        chains[INTERCEPTED[1]] = clamp
    return Table("mangle", {"FORWARD": "FIXUP_FORWARD"}, {**ways, "FIXUP_BETWEEN": inside, **chains})


def _clamp(most: int) -> Iterator[Rule]:
    """``sysopt connection tcpmss``: no SYN, of either side, announces more than `most` octets; 0 leaves them alone."""
    if most:
        more = ["--tcp-flags", "SYN,RST", "SYN", "-m", "tcpmss", "--mss", f"{most + 1}:65535"]
        yield ["-p", "tcp", *more, "-j", "TCPMSS", "--set-mss", str(most)]


_TURNED = {"-s": "-d", "-d": "-s", "--sport": "--dport", "--dport": "--sport"}


def _back(chain: str) -> str:
    """What the chain is called that decides as `chain` does, of a packet of the other side."""
    return chain.replace(PREFIX, f"{PREFIX}BACK_", 1)


def _turned(rule: Rule) -> Rule:
    """A rule of a chain that is `_back`, with the sides swapped."""
    return [_back(word) if word.startswith(PREFIX) else _TURNED.get(word, word) for word in rule]


def _class(scene: Scene, matches: Matches, inspection: Inspection, target: Rule) -> Iterator[Rule]:
    """The rules of a class's chain: `target` where it matches. An entry that denies ends the class, not the search."""
    match inspection.class_map.match:
        case MatchAny():
            yield target
        case MatchDefaultInspectionTraffic(access_list=""):
            yield ["-p", "tcp", *ports("--dport", SMTP), *target]
        case MatchDefaultInspectionTraffic(access_list=name):
            yield ["-p", "tcp", "!", "--dport", str(SMTP.low), *RETURN]
            yield ["!", "-p", "tcp", *RETURN]
            yield from _listed(scene, matches, name, target, addresses_alone=True)
        case MatchPort(protocol=protocol, ports=of):
            yield ["-p", protocol, *ports("--dport", of), *target]
        case MatchAccessList(name=name):
            yield from _listed(scene, matches, name, target)
        case MatchOther() | None:
            return
        case other:
            assert_never(other)


def _listed(scene: Scene, matches: Matches, name: str, target: Rule, addresses_alone: bool = False) -> Iterator[Rule]:
    """`target` for what the list permits; `addresses_alone`: whatever it says of protocols and ports (asa.md §6.1)."""
    found = scene.config.access_list(name)
    for element in scene.elements.of_list(found) if found else ():
        asked = element
        if addresses_alone:
            asked = Element(element.permit, "ip", element.source, None, element.destination, None)
        for words in matches.here(asked):
            yield [*words, *(target if element.permit else RETURN)]
