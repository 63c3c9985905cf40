"""A configuration as iptables rules: text for iptables-restore, nothing executed.

Ours are chains called FIXUP_…, each table's hooked into the built-in chains by one jump that stands first; no rule of
anyone else is read, moved or removed. Only packets that come in *and* go out by one of our interfaces are ours, and
of those what we accept is accepted; all others return untouched. The tables, in the order they are applied (marks
before what relies on them, doors last):

* **mangle** decides the class of a connection on its first packet, on real addresses (DNAT lies behind), and keeps
  class, generation and worker in the connmark; later packets get them back. A generation is never 0: a mark without
  one is undecided.
* **filter** drops what conntrack can't place, asks the access list or the security levels about a connection's first
  packet, and queues every TCP packet of an inspected connection to its worker unless the BPF marked it SKIP; of what
  it drops the daemon gets a copy by NFLOG, where the log takes a record of it.
* **raw** keeps a SYN that is marked INTERCEPT from conntrack.
* **nat** translates the statics.

TCP Intercept, where a static has an embryonic limit: a SYN marked INTERCEPT and the ACK that brings its cookie back
reach filter FORWARD untracked and untranslated; whom the access list permits they reach SYNPROXY there, which opens
the connection to the server through nat OUTPUT. Such a connection's first packet in FORWARD is the server's SYN-ACK:
its class is decided by the same rules with the sides swapped.

Between two tables of one packet's way: mangle FORWARD runs before filter FORWARD. Chain names are shorter than the
kernel's 29 octets. Source: DESIGN §2, rows 15-21; asa.md §6; bpf-notes §4.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import assert_never

from appliance.config.config import Config, Interface
from appliance.config.inspections import Inspection, inspections
from appliance.marks import CLASS, CONNECTION, DISPOSITION, GENERATION, WORKER, Disposition
from appliance.nat.static import Static
from appliance.policy.acl import ANY, AccessList, Ace, Ports
from appliance.policy.maps import MatchAccessList, MatchAny, MatchDefaultInspectionTraffic, MatchPort
from appliance.syslog import AccessDenied, InboundDenied, NoConnection, Record

#: What every chain of ours is called.
PREFIX = "FIXUP_"
#: What `match default-inspection-traffic` is for ESMTP (asa.md §6.1).
SMTP = Ports("eq", 25, 25)

#: What SYNPROXY tells clients to send at most (octets): the MSS of Ethernet. Other options need timestamps, of which
#: its own to the server would be wrong ones (bpf-notes §4, trap 5).
SYNPROXY = ["-j", "SYNPROXY", "--mss", "1460"]

#: A rule is its words without ``-A CHAIN``; a table is its chains in order, and its hooks built-in chain -> ours.
_Rule = list[str]
_DROP, _ACCEPT, _RETURN = ["-j", "DROP"], ["-j", "ACCEPT"], ["-j", "RETURN"]

#: Who is told what was dropped listens on this NFLOG group; low numbers are other people's. The prefix of a copy is
#: the id of the record it becomes.
LOG_GROUP = 2500
#: Copies of each kind at most, whatever a flood brings, and how many at once; the rules' counters have every packet.
_TOLD = ["-m", "limit", "--limit", "100/second", "--limit-burst", "200"]
#: Where a packet goes to be dropped, by what is said of it; all but the first are of TCP alone.
_DENIED, _UNASKED, _STRAY = "FIXUP_DENIED", "FIXUP_UNASKED", "FIXUP_STRAY"
_SAID: Mapping[str, type[Record]] = {_DENIED: AccessDenied, _UNASKED: InboundDenied, _STRAY: NoConnection}


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    hooks: Mapping[str, str]
    chains: Mapping[str, list[_Rule]]


def rules(config: Config, *, generation: int, workers: int, queue_base: int, saved: str = "") -> str:
    """The text for ``iptables-restore --noflush`` that makes the rules those of a verified `config`.

    `generation` (1-63) is the policy generation new connections get; worker n of `workers` (1-32) listens on queue
    `queue_base` + n. `saved` is what iptables-save prints now: what it holds of ours is replaced, in the same
    transaction. ValueError for a number out of range.
    """
    if not 1 <= generation <= GENERATION.top:
        raise ValueError(f"generation {generation} is not between 1 and {GENERATION.top}")
    if not 1 <= workers <= WORKER.top + 1 or not 0 <= queue_base <= 65536 - workers:
        raise ValueError(f"{workers} workers from queue {queue_base} on")
    ours = [each for each in config.interfaces if each.nameif is not None and each.hardware is not None]
    classes, found = inspections(config), _found(saved)
    tables = (
        _mangle(config, ours, classes, generation),
        _filter(config, ours, _queues(classes, generation, workers, queue_base)),
        _raw(config, ours),
        _nat(config, ours),
    )
    return "".join(_text(each, found.get(each.name, _NOTHING)) for each in tables if each.chains or each.name in found)


def rules6(config: Config, *, saved: str = "") -> str:
    """The text for ``ip6tables-restore --noflush``: IPv6 between our interfaces is dropped (DESIGN §6)."""
    ours = [each for each in config.interfaces if each.nameif is not None and each.hardware is not None]
    table = _Table("filter", {"FORWARD": "FIXUP_FORWARD"}, {**_between(ours), "FIXUP_BETWEEN": [_DROP]})
    return _text(table, _found(saved).get(table.name, _NOTHING))


def removal(saved: str) -> str:
    """The text that removes everything of ours that `saved`, iptables-save's output, holds; empty if there is none."""
    found = _found(saved)
    doors_first = sorted(found, key=("nat", "raw", "filter", "mangle").index)
    return "".join(_text(_Table(name, {}, {}), found[name]) for name in doors_first)


# -- what is there, and the text that replaces it


@dataclass(frozen=True, slots=True)
class _Found:
    """What a table holds of ours: chains, and jumps to them as iptables-save writes them, ``FORWARD -j FIXUP_…``."""

    chains: dict[str, None]
    jumps: list[str]


_NOTHING = _Found({}, [])
_TABLE = re.compile(r"\*(mangle|filter|raw|nat)")
_CHAIN = re.compile(rf":({PREFIX}\S+) ")
_JUMP = re.compile(rf"-A ((?!{PREFIX})\S+ .*-[jg] {PREFIX}\S+)")


def _found(saved: str) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    here = _Found({}, [])
    for line in saved.splitlines():
        if line.startswith("*"):
            table = _TABLE.fullmatch(line.strip())
            here = _Found({}, [])
            if table:
                found[table[1]] = here
        elif chain := _CHAIN.match(line):
            here.chains[chain[1]] = None
        elif jump := _JUMP.fullmatch(line):
            here.jumps.append(jump[1])
    return {name: each for name, each in found.items() if each.chains or each.jumps}


def _text(table: _Table, found: _Found) -> str:
    """One table's transaction: every chain of ours emptied, the hooks put first, the rules, the chains of old gone."""
    old = [chain for chain in found.chains if chain not in table.chains]
    lines = [f"*{table.name}"]
    lines += [f":{chain} - [0:0]" for chain in (*table.chains, *old)]
    lines += [f"-D {jump}" for jump in found.jumps]
    lines += [f"-I {builtin} 1 -j {chain}" for builtin, chain in table.hooks.items()]
    lines += [" ".join(["-A", chain, *rule]) for chain, chain_rules in table.chains.items() for rule in chain_rules]
    lines += [f"-X {chain}" for chain in old]
    return "\n".join([*lines, "COMMIT", ""])


def _between(ours: Iterable[Interface]) -> dict[str, list[_Rule]]:
    """The way into FIXUP_BETWEEN for what comes in and goes out by an interface of ours; all else returns."""
    devices = [_device(each) for each in ours]
    return {
        "FIXUP_FORWARD": [["-i", device, "-g", "FIXUP_OUT"] for device in devices],
        "FIXUP_OUT": [["-o", device, "-g", "FIXUP_BETWEEN"] for device in devices],
    }


def _device(interface: Interface) -> str:
    assert interface.hardware is not None, "only interfaces with a device are rendered"
    return interface.hardware


# -- mangle: the class of a connection


def _mangle(config: Config, ours: list[Interface], classes: tuple[Inspection, ...], generation: int) -> _Table:
    decided = CLASS.mask | GENERATION.mask
    undecided = ["-m", "mark", "--mark", GENERATION.match(0)]
    devices = {each.nameif: _device(each) for each in ours}
    first: list[_Rule] = []
    chains: dict[str, list[_Rule]] = {}
    for number, each in enumerate(classes, 1):
        chain = f"{PREFIX}CLASS_{number}"
        mark = CLASS.put(each.number) | GENERATION.put(generation)
        chains[chain] = list(_class(config, each, ["-j", "MARK", "--set-xmark", f"{mark:#x}/{decided:#x}"]))
        if each.interface is None:
            first.append([*undecided, "-j", chain])
        elif each.interface in devices:
            first += [[*undecided, way, devices[each.interface], "-j", chain] for way in ("-i", "-o")]
    masks = ["--nfmask", f"{CONNECTION:#x}", "--ctmask", f"{CONNECTION:#x}"]
    first = [
        ["-j", "MARK", "--set-xmark", f"0x0/{decided:#x}"],
        *first,
        [*undecided, "-j", "MARK", "--set-xmark", f"{GENERATION.put(generation):#x}/{decided:#x}"],
        ["-j", "CONNMARK", "--save-mark", *masks],
    ]
    between = [
        # RELATED is a first packet too: a connection that someone's conntrack helper expected.
        ["-p", "tcp", "-m", "conntrack", "--ctstate", "NEW,RELATED", "-g", "FIXUP_FIRST"],
        ["-j", "CONNMARK", "--restore-mark", *masks],
    ]
    chains = {"FIXUP_FIRST": first, **chains}
    if _intercepting(config, ours):
        between.append(["-p", "tcp", "--tcp-flags", "SYN,ACK", "SYN,ACK", *undecided, "-g", "FIXUP_BACK_FIRST"])
        chains |= {_back(chain): [_turned(rule) for rule in each] for chain, each in chains.items()}
    return _Table("mangle", {"FORWARD": "FIXUP_FORWARD"}, {**_between(ours), "FIXUP_BETWEEN": between, **chains})


_TURNED = {"-s": "-d", "-d": "-s", "--sport": "--dport", "--dport": "--sport"}


def _back(chain: str) -> str:
    """What the chain is called that decides as `chain` does, of a packet of the other side."""
    return chain.replace(PREFIX, f"{PREFIX}BACK_", 1)


def _turned(rule: _Rule) -> _Rule:
    """A rule of a chain that is `_back`, with the sides swapped."""
    return [_back(word) if word.startswith(PREFIX) else _TURNED.get(word, word) for word in rule]


def _class(config: Config, inspection: Inspection, target: _Rule) -> Iterator[_Rule]:
    """The rules of a class's chain: `target` where it matches. An entry that denies ends the class, not the search."""
    match inspection.class_map.match:
        case MatchAny():
            yield target
        case MatchDefaultInspectionTraffic():
            yield ["-p", "tcp", *_ports("--dport", SMTP), *target]
        case MatchPort(protocol=protocol, ports=ports):
            yield ["-p", protocol, *_ports("--dport", ports), *target]
        case MatchAccessList(name=name):
            found = config.access_list(name)
            for ace in found.aces if found else ():
                for words in _ace(ace, config.statics):
                    yield [*words, *(target if ace.permit else _RETURN)]
        case None:
            return
        case other:
            assert_never(other)


# -- filter: who may connect, and what is queued


def _filter(config: Config, ours: list[Interface], queues: dict[str, list[_Rule]]) -> _Table:
    between = [[way, _device(each), *_DROP] for each in ours if each.shutdown for way in ("-i", "-o")]
    entrance, proxy = _proxy(config, ours)
    between += entrance
    between += [
        ["-m", "conntrack", "--ctstate", "INVALID,UNTRACKED", "-g", _STRAY],
        ["-p", "tcp", "!", "--syn", "-m", "conntrack", "--ctstate", "NEW", "-g", _STRAY],
        ["-m", "conntrack", "--ctstate", "NEW", "-j", "FIXUP_ACCESS"],
        ["-m", "mark", "--mark", CLASS.match(0), *_ACCEPT],
        # An error that ICMP reports of an inspected connection: not a part of its stream.
        ["!", "-p", "tcp", *_ACCEPT],
        ["-m", "mark", "--mark", DISPOSITION.match(Disposition.SKIP), *_ACCEPT],
        ["-j", "FIXUP_QUEUE"],
        _DROP,
    ]
    chains = {**_between(ours), "FIXUP_BETWEEN": between, **_access(config, ours), **proxy, **queues, **_said(config)}
    return _Table("filter", {"FORWARD": "FIXUP_FORWARD"}, chains)


def _said(config: Config) -> dict[str, list[_Rule]]:
    """The ends of what is dropped: the daemon gets a copy where the log takes what it makes of it."""

    def copy(chain: str, kind: type[Record]) -> Iterator[_Rule]:
        if config.logging.takes(kind.id, kind.severity):
            protocol = [] if chain == _DENIED else ["-p", "tcp"]
            group = ["--nflog-prefix", str(kind.id), "--nflog-group", str(LOG_GROUP)]
            yield [*protocol, *_TOLD, "-j", "NFLOG", *group]

    said = {chain: [*copy(chain, kind), _DROP] for chain, kind in _SAID.items()}
    # To SYNPROXY's chains comes what has no connection, too: it was not the access list that ended it.
    return {**said, _DENIED: [["-p", "tcp", "!", "--syn", "-g", _STRAY], *said[_DENIED]]}


def _access(config: Config, ours: list[Interface]) -> dict[str, list[_Rule]]:
    """FIXUP_ACCESS: a first packet returns if it may pass, else it is dropped (asa.md §6.5)."""
    access = list(_untranslated(config.statics, ours))
    lists: dict[str, list[_Rule]] = {}
    access += [
        ["-i", _device(source), "-o", _device(destination), *_DROP]
        for source in ours
        for destination in ours
        if _level(source) == _level(destination)
    ]
    for each in ours:
        group = next((group for group in config.access_groups if group.interface == each.nameif), None)
        found = config.access_list(group.access_list) if group else None
        if found is not None:
            chain = f"{PREFIX}IN_{_device(each)}"
            access.append(["-i", _device(each), "-g", chain])
            lists[chain] = [*_list(found, config.statics), ["-g", _DENIED]]
        else:
            access += [
                ["-i", _device(each), "-o", _device(other), *_RETURN] for other in ours if _level(each) > _level(other)
            ]
    return {"FIXUP_ACCESS": [*access, ["-g", _UNASKED]], **lists}


def _level(interface: Interface) -> int:
    return interface.security_level or 0


def _untranslated(statics: Iterable[Static], ours: list[Interface]) -> Iterator[_Rule]:
    """A host behind a static is reached by its mapped address alone: its real one would go round the limits."""
    devices = {each.nameif: _device(each) for each in ours}
    for each in statics:
        if each.mapped_interface in devices and each.real_interface in devices:
            way = ["-i", devices[each.mapped_interface], "-o", devices[each.real_interface], "-d", f"{each.real}/32"]
            yield [*way, "-m", "conntrack", "!", "--ctorigdst", str(each.mapped), *_DROP]


def _list(access_list: AccessList, statics: tuple[Static, ...]) -> Iterator[_Rule]:
    for ace in access_list.aces:
        for words in _ace(ace, statics):
            yield [*words, *(_RETURN if ace.permit else ["-g", _DENIED])]


def _proxy(config: Config, ours: list[Interface]) -> tuple[list[_Rule], dict[str, list[_Rule]]]:
    """SYNPROXY for those whom the access list permits: the way to it, and its chains.

    What comes here is not translated, so a chain is for one static and asks about its real address at once.
    """
    untracked = ["-p", "tcp", "-m", "conntrack", "--ctstate", "INVALID,UNTRACKED"]
    entrance: list[_Rule] = []
    chains: dict[str, list[_Rule]] = {}
    by_name = {each.nameif: each for each in ours}
    for number, each in enumerate(_intercepting(config, ours), 1):
        chain, device = f"{PREFIX}PROXY_{number}", _device(by_name[each.mapped_interface])
        entrance.append(["-i", device, "-d", f"{each.mapped}/32", *untracked, "-g", chain])
        asked = any(group.interface == each.mapped_interface for group in config.access_groups)
        chains[chain] = [*_permitted(config, each, by_name), ["-g", _DENIED if asked else _UNASKED]]
    if chains:
        full = ["-m", "mark", "--mark", DISPOSITION.match(Disposition.FULL)]
        reset = ["-p", "tcp", *full, "-j", "REJECT", "--reject-with", "tcp-reset"]
        chains["FIXUP_PROXY"] = [reset, ["-p", "tcp", *SYNPROXY], ["-g", _STRAY]]
    return entrance, chains


def _permitted(config: Config, static: Static, ours: Mapping[str | None, Interface]) -> Iterator[_Rule]:
    """To SYNPROXY for what may be opened to `static`; of the access list, what speaks of its real address."""
    source, destination = ours[static.mapped_interface], ours[static.real_interface]
    group = next((group for group in config.access_groups if group.interface == source.nameif), None)
    found = config.access_list(group.access_list) if group else None
    if _level(source) == _level(destination):
        return
    if found is None:
        if _level(source) > _level(destination):
            yield ["-g", "FIXUP_PROXY"]
        return
    for ace in found.aces:
        reached = any(static.real in network for network in _real(ace.destination, config.statics))
        if reached and ace.protocol in ("ip", "tcp", "6"):
            to_any = replace(ace, protocol="tcp", destination=ANY)
            for words in _ace(to_any, config.statics):
                yield [*words, *["-g", "FIXUP_PROXY" if ace.permit else _DENIED]]


def _intercepting(config: Config, ours: Iterable[Interface]) -> list[Static]:
    """The statics between interfaces of ours whose SYNs may be intercepted."""
    names = {each.nameif for each in ours}
    return [
        each
        for each in config.statics
        if each.max_embryonic and each.mapped_interface in names and each.real_interface in names
    ]


def _queues(classes: Iterable[Inspection], generation: int, workers: int, base: int) -> dict[str, list[_Rule]]:
    """One rule a worker. A class that fails open has rules that let pass where nobody listens (row 19)."""

    def by_worker(*options: str) -> list[_Rule]:
        return [
            ["-m", "mark", "--mark", WORKER.match(number), "-j", "NFQUEUE", "--queue-num", str(base + number), *options]
            for number in range(workers)
        ]

    decided = CLASS.mask | GENERATION.mask
    # Class numbers of an older generation mean other classes: those connections stay closed.
    opening = [
        f"{CLASS.put(each.number) | GENERATION.put(generation):#x}/{decided:#x}" for each in classes if each.fail_open
    ]
    gates = [["-m", "mark", "--mark", mark, "-g", "FIXUP_FAIL_OPEN"] for mark in opening]
    chains = {"FIXUP_QUEUE": [*gates, *by_worker()]}
    return {**chains, "FIXUP_FAIL_OPEN": by_worker("--queue-bypass")} if opening else chains


# -- raw: what SYNPROXY answers


def _raw(config: Config, ours: list[Interface]) -> _Table:
    devices = {each.nameif: _device(each) for each in ours}
    intercept = ["-p", "tcp", "--syn", "-m", "mark", "--mark", DISPOSITION.match(Disposition.INTERCEPT)]
    rules = [
        ["-i", devices[each.mapped_interface], "-d", f"{each.mapped}/32", *intercept, "-j", "CT", "--notrack"]
        for each in _intercepting(config, ours)
    ]
    if not rules:
        return _Table("raw", {}, {})
    return _Table("raw", {"PREROUTING": "FIXUP_PREROUTING"}, {"FIXUP_PREROUTING": rules})


# -- nat: the statics


def _nat(config: Config, ours: list[Interface]) -> _Table:
    devices = {each.nameif: _device(each) for each in ours}
    prerouting: list[_Rule] = []
    output: list[_Rule] = []
    postrouting: list[_Rule] = []
    for each in config.statics:
        device = devices.get(each.mapped_interface)
        if device is None or each.real_interface not in devices:
            continue
        dnat = ["-d", f"{each.mapped}/32", "-j", "DNAT", "--to-destination", str(each.real)]
        prerouting.append(["-i", device, *dnat])
        output.append(dnat)
        snat = ["-j", "SNAT", "--to-source", str(each.mapped)]
        postrouting.append(["-s", f"{each.real}/32", "-o", device, *snat])
    chains = {"FIXUP_PREROUTING": prerouting, "FIXUP_OUTPUT": output, "FIXUP_POSTROUTING": postrouting}
    return _Table("nat", {chain.removeprefix(PREFIX): chain for chain in chains}, chains)


# -- one entry of an access list


def expanded(ace: Ace, statics: tuple[Static, ...]) -> list[_Rule]:
    """The rules that an entry of an access list becomes, without their targets."""
    return list(_ace(ace, statics))


def _ace(ace: Ace, statics: tuple[Static, ...]) -> Iterator[_Rule]:
    """The matches of an entry, on real addresses: an entry that names a mapped address is each real one's (row 17)."""
    protocol = [] if ace.protocol == "ip" else ["-p", ace.protocol]
    source_ports = _ports("--sport", ace.source_ports)
    destination_ports = _ports("--dport", ace.destination_ports)
    for source in _real(ace.source, statics):
        for destination in _real(ace.destination, statics):
            addresses = [*_address("-s", source), *_address("-d", destination)]
            yield [*addresses, *protocol, *source_ports, *destination_ports]


def _real(network: IPv4Network, statics: tuple[Static, ...]) -> list[IPv4Network]:
    host: IPv4Address | None = network.network_address if network.prefixlen == 32 else None
    reals = dict.fromkeys(IPv4Network(each.real) for each in statics if each.mapped == host)
    return list(reals) or [network]


def _address(option: str, network: IPv4Network) -> _Rule:
    return [] if network == ANY else [option, str(network)]


def _ports(option: str, ports: Ports | None) -> _Rule:
    if ports is None:
        return []
    spans = {"eq": "{low}", "neq": "{low}", "lt": "0:{below}", "gt": "{above}:65535", "range": "{low}:{high}"}
    span = spans[ports.operator].format(low=ports.low, high=ports.high, below=ports.low - 1, above=ports.low + 1)
    return ["!", option, span] if ports.operator == "neq" else [option, span]
