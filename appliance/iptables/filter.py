"""The filter table: who may connect, what SYNPROXY answers, and what is queued."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from appliance.config.config import AccessGroup, Config, Interface
from appliance.config.inspections import Inspection
from appliance.config.limits import limited_classes, ways
from appliance.iptables.match import Matches, address, condition, denier, tag
from appliance.iptables.nat import called, far_end
from appliance.iptables.routing import THIS_NETWORK, broadcasts
from appliance.iptables.tables import ACCEPT, DROP, PREFIX, RETURN, Rule, Scene, Table, between, device
from appliance.marks import CLASS, DISPOSITION, GENERATION, OURS, WORKER, Disposition
from appliance.nat.static import Static
from appliance.nat.translation import Kind, Pool, Translation
from appliance.policy.acl import ANY, AccessList, Ace, Element
from appliance.syslog import AccessDenied, EntryHit, InboundDenied, NatMismatch, NoConnection, Record

#: What SYNPROXY tells clients to send at most (octets): the MSS of Ethernet, unless `sysopt connection tcpmss` is less.
#: Other options need timestamps, of which its own to the server would be wrong ones (bpf-notes §4, trap 5).
ETHERNET_MSS = 1460

#: Who is told what was dropped listens on this NFLOG group; low numbers are other people's. The prefix of a copy is
#: the id of the record it becomes.
LOG_GROUP = 2500
#: Of an entry with ``log`` the prefix goes on with its tag.
LOGGED = "106100-"
#: Copies of each kind at most, whatever a flood brings, and how many at once; the rules' counters have every packet.
_TOLD = ["-m", "limit", "--limit", "100/second", "--limit-burst", "200"]
#: Where a packet goes to be dropped, by what is said of it; all but the first are of TCP alone.
DENIED, UNASKED, STRAY = ["-g", "FIXUP_DENIED"], ["-g", "FIXUP_UNASKED"], ["-g", "FIXUP_STRAY"]
#: A SYN that SYNPROXY is to answer. It is known by the mark alone, which nothing else has: a flood consists of them,
#: and the way to where interfaces and connections are asked about is a tenth of what each costs.
INTERCEPT = ["-m", "mark", "--mark", DISPOSITION.match(Disposition.INTERCEPT)]
#: Where it goes; and where what comes without a connection, of which an ACK may bring a cookie back.
INTERCEPTED, RETURNED = ["-g", "FIXUP_INTERCEPTED"], ["-g", "FIXUP_RETURNED"]
_SAID: Mapping[str, type[Record]] = {DENIED[1]: AccessDenied, UNASKED[1]: InboundDenied, STRAY[1]: NoConnection}


def filter_(scene: Scene, queues: dict[str, list[Rule]]) -> Table:
    """The table; `queues` are the chains that FIXUP_QUEUE begins."""
    inside = [[way, device(each), *DROP] for each in scene.ours if each.shutdown for way in ("-i", "-o")]
    proxy = _proxy(scene)
    inside += [
        ["-m", "conntrack", "--ctstate", "INVALID,UNTRACKED", *(RETURNED if proxy else STRAY)],
        ["-p", "tcp", "!", "--syn", "-m", "conntrack", "--ctstate", "NEW", *STRAY],
        ["-m", "conntrack", "--ctstate", "NEW", "-j", "FIXUP_ACCESS"],
        ["-m", "mark", "--mark", CLASS.match(0), *ACCEPT],
        # An error that ICMP reports of an inspected connection: not a part of its stream.
        ["!", "-p", "tcp", *ACCEPT],
        ["-m", "mark", "--mark", DISPOSITION.match(Disposition.SKIP), *ACCEPT],
        ["-j", "FIXUP_QUEUE"],
        DROP,
    ]
    entrance = between(scene.ours)
    if proxy:
        entrance["FIXUP_FORWARD"].insert(0, [*INTERCEPT, *INTERCEPTED])
    chains = {
        **entrance,
        "FIXUP_BETWEEN": inside,
        **_access(scene),
        **proxy,
        **queues,
        **_said(scene.config),
    }
    return Table("filter", {"FORWARD": "FIXUP_FORWARD"}, chains)


def copied(config: Config, kind: type[Record]) -> Iterator[Rule]:
    """Words that hand the daemon a copy of a packet, where the log takes the record it makes of it."""
    if config.logging.takes(kind.id, kind.severity):
        yield [*_TOLD, "-j", "NFLOG", "--nflog-prefix", str(kind.id), "--nflog-group", str(LOG_GROUP)]


def _said(config: Config) -> dict[str, list[Rule]]:
    """The ends of what is dropped."""

    def copy(chain: str, kind: type[Record]) -> Iterator[Rule]:
        protocol = [] if chain == DENIED[1] else ["-p", "tcp"]
        yield from ([*protocol, *words] for words in copied(config, kind))

    said = {chain: [*copy(chain, kind), DROP] for chain, kind in _SAID.items()}
    # To SYNPROXY's chains comes what has no connection, too: it was not the access list that ended it.
    no_syn = ["-p", "tcp", "!", "--syn", *STRAY]
    return {**said, **{chain: [no_syn, *said[chain]] for chain in (DENIED[1], UNASKED[1])}}


# -- a connection's first packet


def _access(scene: Scene) -> dict[str, list[Rule]]:
    """FIXUP_ACCESS: a first packet returns if it may pass, else it is dropped (asa.md §6.5).

    The list of the interface it comes in by decides, behind it the global one; without either the security levels do.
    What has come so far is asked about once more where it leaves, if a list is there (FIXUP_EGRESS).
    """
    matches = Matches(scene)
    lists = _lists(scene)
    leaving = [each for each in scene.ours if (each.nameif, "out") in lists]
    permit = ["-g", "FIXUP_EGRESS"] if leaving else RETURN
    nowhere = [[end, str(THIS_NETWORK), *DROP] for end in ("-s", "-d")]
    nowhere += [["-s", f"{each}/32", *DROP] for each in broadcasts(scene)]
    access = [*nowhere, *_untranslated(scene), *_not_forwarded(scene), *_same_level(scene)]
    asked = {"FIXUP_REVERSE": list(_reverse(scene)), "FIXUP_CONTROL": list(_nat_control(scene))}
    chains = {chain: words for chain, words in asked.items() if words}
    access += [["-j", chain] for chain in chains]
    general = lists.get((None, "in"))
    rest = ["-g", "FIXUP_GLOBAL"] if general else DENIED
    for each in scene.ours:
        own = lists.get((each.nameif, "in"))
        if own is not None:
            chain = f"{PREFIX}IN_{device(each)}"
            access.append(["-i", device(each), "-g", chain])
            chains[chain] = [*_listed(scene, matches, own, permit, arriving=True), rest]
        elif general is not None:
            access.append(["-i", device(each), *rest])
        else:
            access += [
                ["-i", device(each), "-o", device(other), *permit]
                for other in scene.ours
                if _level(each) > _level(other) or (_level(each) == _level(other) and _allowed(scene, each, other))
            ]
    if general is not None:
        chains["FIXUP_GLOBAL"] = [*_listed(scene, matches, general, permit, arriving=True), DENIED]
    if leaving:
        ways = {device(each): f"{PREFIX}OUT_{device(each)}" for each in leaving}
        chains["FIXUP_EGRESS"] = [["-o", way, "-g", chain] for way, chain in ways.items()]
        for each in leaving:
            found = lists[each.nameif, "out"]
            chains[ways[device(each)]] = [*_listed(scene, matches, found, RETURN, arriving=False), DENIED]
    return {"FIXUP_ACCESS": [*access, UNASKED], **chains}


def _lists(scene: Scene) -> dict[tuple[str | None, str], AccessList]:
    """The lists that are applied, by interface (None: global) and direction."""

    def applied(group: AccessGroup) -> AccessList | None:
        return scene.config.access_list(group.access_list)

    groups = ((each, applied(each)) for each in scene.config.access_groups)
    return {(each.interface, each.direction): found for each, found in groups if found is not None}


def _listed(scene: Scene, matches: Matches, access_list: AccessList, permit: Rule, *, arriving: bool) -> Iterator[Rule]:
    """The list's elements, each with its tag, by which its counters are found."""
    words = matches.arriving if arriving else matches.here
    for ace in access_list.aces:
        for element in scene.elements.of(ace):
            known = tag(access_list, ace, element)
            target = ["-m", "comment", "--comment", known, *(permit if ace.permit else _denial(ace))]
            for rule in words(element):
                yield from ([*rule, *copy] for copy in _hit(scene.config, ace, known))
                yield from ([*rule, *mark] for mark in _blamed(scene.config, ace, known))
                yield [*rule, *target]


def _denial(ace: Ace) -> Rule:
    """Where a packet goes that an entry denies: 106023 is told of it unless the entry has its own word for that."""
    return DENIED if ace.log is None or ace.log.keyword == "default" else DROP


def _hit(config: Config, ace: Ace, known: str) -> Iterator[Rule]:
    """Words that hand the daemon a copy of what an entry with ``log`` matches (106100)."""
    if ace.log is not None and ace.log.counted and config.logging.takes(EntryHit.id, ace.log.severity):
        yield [*_TOLD, "-j", "NFLOG", "--nflog-prefix", f"{LOGGED}{known}", "--nflog-group", str(LOG_GROUP)]


def _blamed(config: Config, ace: Ace, known: str) -> Iterator[Rule]:
    """Words that write into the mark of a packet which entry denies it, where 106023 tells of it: it ends here."""
    if not ace.permit and _denial(ace) == DENIED and config.logging.takes(AccessDenied.id, AccessDenied.severity):
        yield ["-j", "MARK", "--set-xmark", f"{denier(known):#x}/{OURS:#x}"]


def _level(interface: Interface) -> int:
    return interface.security_level or 0


def _same_level(scene: Scene) -> Iterator[Rule]:
    """Between interfaces of one level, and back out by the same, nothing passes unless it is permitted to."""
    for source in scene.ours:
        for destination in scene.ours:
            if _level(source) == _level(destination) and not _allowed(scene, source, destination):
                yield ["-i", device(source), "-o", device(destination), *DROP]


def _not_forwarded(scene: Scene) -> Iterator[Rule]:
    """``no forward interface``"""
    for source in scene.ours:
        for destination in scene.ours:
            if not _forwards(source, destination):
                yield ["-i", device(source), "-o", device(destination), *DROP]


def _forwards(source: Interface, destination: Interface) -> bool:
    return destination.name.lower() not in (each.lower() for each in source.no_forward)


def _allowed(scene: Scene, source: Interface, destination: Interface) -> bool:
    return scene.config.intra_interface if source is destination else scene.config.inter_interface


def _untranslated(scene: Scene) -> Iterator[Rule]:
    """A host behind statics is reached by what they call it alone: its real address would go round the limits.

    By which of its names it was called is no matter: what any rule has translated came by one.
    """
    for each in scene.translations:
        real, mapped = each.real_interface, each.mapped_interface
        if each.kind is not Kind.STATIC or each.far or each.one_way or isinstance(each.mapped, Pool):
            continue
        if real is None or mapped is None:
            continue
        way = ["-i", scene.devices[mapped], "-o", scene.devices[real], "-d", str(each.real)]
        if each.ports is not None:
            way += ["-p", each.ports.protocol, "--dport", str(each.ports.real)]
        known = each.mapped.network_address if each.mapped.prefixlen == 32 else each.mapped
        untouched = ["-m", "conntrack", "!", "--ctstate", "DNAT", "!", "--ctorigdst", str(known)]
        yield from _mismatched(scene.config, [*way, *untouched])


def _reverse(scene: Scene) -> Iterator[Rule]:
    """A host that a dynamic rule hides is not reached by its real address either: its answers would be translated.

    What an earlier rule exempts is, and so is what came to a mapped address of a static.
    """
    rules = scene.translations
    last = max((at for at, each in enumerate(rules, 1) if each.kind is Kind.DYNAMIC), default=0)
    for each in rules[:last]:
        if each.kind is Kind.STATIC:
            continue
        ends = [*far_end(each.far, "-s", "--sport"), *address("-d", each.real)]
        for way in scene.among(each.mapped_interface):
            for inside in scene.among(each.real_interface):
                crosses = ["-i", way, "-o", inside, *ends]
                if way == inside:
                    continue
                if each.kind is Kind.NONE:
                    yield [*crosses, *RETURN]
                else:
                    untouched = ["-m", "conntrack", "!", "--ctstate", "DNAT"]
                    yield from _mismatched(scene.config, [*crosses, *untouched])


def _mismatched(config: Config, words: Rule) -> Iterator[Rule]:
    """What matches `words` is dropped, for its answers would be translated otherwise, and told of (305013)."""
    yield from ([*words, *copy] for copy in copied(config, NatMismatch))
    yield [*words, *DROP]


def _nat_control(scene: Scene) -> Iterator[Rule]:
    """``nat-control``: to a lower level passes only what some rule translates, or exempts (asa.md §6.5)."""
    config = scene.config
    if not (config.defaults.nat_control if config.nat_control is None else config.nat_control):
        return
    for each in scene.translations:
        for way in scene.among(each.real_interface):
            for out in scene.among(each.mapped_interface):
                if way != out:
                    yield ["-i", way, "-o", out, *_source(each), *RETURN]
    for source in scene.ours:
        for destination in scene.ours:
            if _level(source) > _level(destination):
                yield ["-i", device(source), "-o", device(destination), *DROP]


def _source(translation: Translation) -> Rule:
    words = address("-s", translation.real)
    if translation.ports is not None:
        words = [*words, "-p", translation.ports.protocol, "--sport", str(translation.ports.real)]
    return [*words, *far_end(translation.far, "-d", "--dport")]


# -- TCP Intercept


def intercepts(scene: Scene) -> bool:
    """Whether SYNs to anybody may be intercepted."""
    return bool(intercepting(scene) or unnamed(scene))


def unnamed(scene: Scene) -> dict[str, list[str]]:
    """The devices by which hosts are called by their own address whose SYNs may be intercepted, and where those are."""
    found: dict[str, list[str]] = {}
    for one, other in sorted(ways(scene.config, scene.devices.keys())):
        found.setdefault(scene.devices[one], []).append(scene.devices[other])
    return found


def intercepting(scene: Scene) -> list[Static]:
    """The statics between interfaces of ours, none of them shut down, whose SYNs may be intercepted."""
    names = {each.nameif for each in scene.ours if not each.shutdown}
    any_of_them = any(each.intercepts for each in limited_classes(scene.config))
    return [
        each
        for each in scene.config.all_statics
        if (any_of_them or each.max_embryonic) and not each.own
        if each.mapped_interface in names and each.real_interface in names
    ]


def _proxy(scene: Scene) -> dict[str, list[Rule]]:
    """SYNPROXY for those whom the access list permits: its chains, the way to it first.

    What comes here is not translated, so a chain is for one static and asks about its real address at once. Who is
    called by no static's name is called by its own address: its packets are as they always are.
    """
    entrance: list[Rule] = []
    chains: dict[str, list[Rule]] = {}
    by_name = {str(each.nameif): each for each in scene.ours}
    # A port's chain is asked before that of its host.
    statics = sorted(intercepting(scene), key=lambda each: each.ports is None)
    for number, each in enumerate(statics, 1):
        chain, way = f"{PREFIX}PROXY_{number}", scene.devices[each.mapped_interface]
        port = ["--dport", str(each.ports.mapped)] if each.ports else []
        entrance.append(["-i", way, "-d", f"{each.mapped}/32", "-p", "tcp", *port, "-g", chain])
        leaving = _lists(scene).get((each.real_interface, "out"))
        permit = ["-g", "FIXUP_PROXY"]
        if leaving is not None:
            behind = f"{PREFIX}PROXY_OUT_{number}"
            chains[behind] = [*_spoken_of(scene, each, leaving, permit, arriving=False), DENIED]
            permit = ["-g", behind]
        asked = {(each.mapped_interface, "in"), (None, "in")} & _lists(scene).keys()
        chains[chain] = [*_permitted(scene, each, by_name, permit), DENIED if asked else UNASKED]
    own = [(came_in, goes_out) for came_in, ways_out in unnamed(scene).items() for goes_out in ways_out]
    entrance += [["-i", came_in, "-o", goes_out, "-p", "tcp", "-g", "FIXUP_UNNAMED"] for came_in, goes_out in own]
    if own:
        chains["FIXUP_UNNAMED"] = [*_named_elsewhere(scene), ["-j", "FIXUP_ACCESS"], ["-g", "FIXUP_PROXY"]]
    if chains:
        full = ["-m", "mark", "--mark", DISPOSITION.match(Disposition.FULL)]
        cookie = ["-m", "mark", "--mark", DISPOSITION.match(Disposition.COOKIE)]
        reset = ["-p", "tcp", *full, "-j", "REJECT", "--reject-with", "tcp-reset"]
        mss = min(ETHERNET_MSS, scene.config.tcpmss or ETHERNET_MSS)
        chains["FIXUP_PROXY"] = [reset, ["-p", "tcp", "-j", "SYNPROXY", "--mss", str(mss)], STRAY]
        returned = [[*each, *INTERCEPTED] for each in (cookie, full)]
        chains = {RETURNED[1]: [*returned, STRAY], INTERCEPTED[1]: [*entrance, STRAY], **chains}
    return chains


def _named_elsewhere(scene: Scene) -> Iterator[Rule]:
    """What is the name of a static elsewhere: SYNPROXY's own packets would be translated, its client's are not."""
    for each in scene.translations:
        itself = each.mapped == each.real and (each.ports is None or each.ports.mapped == each.ports.real)
        if not itself and (known := called(scene, each)):
            yield [*known, *STRAY]


def _permitted(scene: Scene, static: Static, ours: Mapping[str, Interface], permit: Rule) -> Iterator[Rule]:
    """`permit` for what may be opened to `static`; of the access lists, what speaks of its address."""
    source, destination = ours[static.mapped_interface], ours[static.real_interface]
    lists = _lists(scene)
    applied = [each for each in (lists.get((source.nameif, "in")), lists.get((None, "in"))) if each is not None]
    if not _forwards(source, destination):
        return
    if _level(source) == _level(destination) and not _allowed(scene, source, destination):
        return
    for each in applied:
        yield from _spoken_of(scene, static, each, permit, arriving=True)
    if not applied and _level(source) >= _level(destination):
        yield permit


def _spoken_of(
    scene: Scene, static: Static, access_list: AccessList, permit: Rule, *, arriving: bool
) -> Iterator[Rule]:
    """What a list says of TCP to the static's address, whatever is asked of the source; ``log`` is not heeded."""
    matches = Matches(scene)
    as_called = arriving and matches.mapped
    server, port = static.name if as_called else static.place
    for element in scene.elements.of_list(access_list):
        asked = [element] if as_called else matches.real.of(element, sources=False)
        for each in dict.fromkeys(_of_tcp(each, port) for each in asked if _names(each, server, port)):
            yield [*condition(each), *(permit if each.permit else DENIED)]


def _names(element: Element, server: IPv4Address, port: int) -> bool:
    """Whether an element speaks of TCP to `server`; and to its `port`, which 0 leaves open."""
    holds = not port or element.destination_ports is None or element.destination_ports.holds(port)
    return holds and server in element.destination and element.protocol in ("ip", "tcp")


def _of_tcp(element: Element, port: int) -> Element:
    """What an element asks of a packet of which it is known that it goes to that server, and port."""
    left = None if port else element.destination_ports
    return replace(element, protocol="tcp", destination=ANY, destination_ports=left)


# -- the queues


def queues(classes: Iterable[Inspection], generation: int, workers: int, base: int) -> dict[str, list[Rule]]:
    """One rule a worker. A class that fails open has rules that let pass where nobody listens (row 19)."""

    def by_worker(*options: str) -> list[Rule]:
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
