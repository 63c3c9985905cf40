"""Configurations out of thin air: a hypothesis strategy for everything the language can say, verified."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from string import ascii_letters, digits
from typing import Any

from hypothesis import strategies as st

from appliance.config.config import (
    Accepted,
    AccessGroup,
    Config,
    Interface,
    Logging,
    LoggingHost,
    MetricsListen,
    Name,
    Route,
    ServicePolicy,
    TcpInterceptStatistics,
    Timeouts,
)
from appliance.config.nat import (
    GlobalStatement,
    ManualNat,
    NatStatement,
    ObjectNat,
    PolicyStaticStatement,
    StaticStatement,
    Trailer,
)
from appliance.config.statements.accepted import Section
from appliance.config.statics import hosts
from appliance.config.statics import ports as port_statics
from appliance.config.versions import SEED, VERSIONS, named
from appliance.nat.translation import PortMap
from appliance.policy.acl import ANY, AccessList, Ace, IcmpType, Log, Named, Ports, Remark
from appliance.policy.maps import (
    Banner,
    ClassMap,
    Deed,
    ExemptEsmtp,
    Expression,
    InspectEsmtp,
    InspectMap,
    MailRelay,
    Match,
    MatchAccessList,
    MatchAny,
    MatchDefaultInspectionTraffic,
    MatchOther,
    MatchPort,
    Parameters,
    PolicyClass,
    PolicyMap,
    Reaction,
    SetConnection,
)
from appliance.policy.matches import CONDITIONS, Operand
from appliance.policy.objects import AddressRange, Fqdn, Group, GroupKind, NetworkObject, Service, ServiceObject
from appliance.policy.regex import Regex, RegexClass

NAMES = st.text(ascii_letters + digits + "_-./", min_size=1, max_size=12)
TEXTS = st.text(ascii_letters + "äß €!() ^|", min_size=1, max_size=20).map(str.strip)
MINUTES, RATES = st.integers(1, 1440), st.integers(25, 2147483647)
ADDRESSES = st.integers(0, (1 << 32) - 1).map(IPv4Address)
NETWORKS = st.builds(lambda a, p: IPv4Network((a, p), strict=False), ADDRESSES, st.integers(0, 32))
LEVELS = st.none() | st.integers(0, 7)


@st.composite
def ports(draw: st.DrawFn, operators: tuple[str, ...] = ("eq", "neq", "lt", "gt", "range")) -> Ports:
    operator = draw(st.sampled_from(operators))
    low = draw(st.sampled_from([25, 80]) | st.integers(1, 65534))
    return Ports(operator, low, draw(st.integers(low, 65535)) if operator == "range" else low)


ICMP_TYPES = st.builds(IcmpType, st.integers(0, 255), st.none() | st.integers(0, 255))
LOGS = st.just(Log()) | st.sampled_from([Log("disable"), Log("default")])
LOGS |= st.builds(Log, level=st.none() | st.integers(0, 7), interval=st.none() | st.integers(1, 600))


@dataclass(frozen=True)
class Known:
    """What entries may name."""

    objects: tuple[NetworkObject, ...] = ()
    services: tuple[ServiceObject, ...] = ()
    groups: tuple[Group, ...] = ()
    nameifs: tuple[str, ...] = ()

    def of_ports(self, protocol: str) -> list[Named]:
        """Groups of ports of `protocol`, and so is every group in them."""
        found: list[str] = []
        for group in self.groups:  # what a group holds stands before it
            held = [each.name for each in group.members if isinstance(each, Named) and each.kind == "group-object"]
            if protocol in group.protocol.split("-") and set(held) <= set(found):
                found.append(group.name)
        return [Named("object-group", each) for each in found]

    def of(self, kind: GroupKind) -> list[Named]:
        return [Named("object-group", each.name) for each in self.groups if each.kind is kind]

    @property
    def ends(self) -> list[Named]:
        objects = [Named("object", each.name) for each in self.objects]
        return [*objects, *self.of(GroupKind.NETWORK), *(Named("interface", each) for each in self.nameifs)]


def sampled(found: Sequence[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(found) if found else st.nothing()


@st.composite
def aces(draw: st.DrawFn, known: Known) -> Ace:
    protocol = draw(st.sampled_from(["ip", "icmp", "tcp", "udp", "sctp", "200"]))
    some = st.none() | ports() | sampled(known.of_ports(protocol)) if protocol in ("tcp", "udp") else st.none()
    named = [Named("object", each.name) for each in known.services]
    named += known.of(GroupKind.PROTOCOL) + known.of(GroupKind.SERVICE)
    ends = st.just(ANY) | NETWORKS | sampled(known.ends)
    icmp = draw(st.none() | ICMP_TYPES | sampled(known.of(GroupKind.ICMP_TYPE))) if protocol == "icmp" else None
    return Ace(
        draw(st.booleans()),
        draw(sampled(named)) if named and protocol == "200" else protocol,
        draw(ends),
        draw(some),
        draw(ends),
        draw(some),
        icmp=icmp,
        log=draw(st.none() | LOGS),
        inactive=draw(st.booleans()),
    )


PLACES = NETWORKS | st.builds(lambda a, b: AddressRange(min(a, b), max(a, b)), ADDRESSES, ADDRESSES)
PLACES |= st.just(Fqdn("mail.example.com"))


@st.composite
def services(draw: st.DrawFn) -> Service:
    protocol = draw(st.sampled_from(["tcp", "udp", "tcp-udp", "sctp", "icmp", "esp"]))
    if protocol == "icmp":
        return Service(protocol, icmp=draw(st.none() | ICMP_TYPES))
    some = st.none() if protocol == "esp" else st.none() | ports()
    return Service(protocol, draw(some), draw(some))


@st.composite
def groups(
    draw: st.DrawFn,
    objects: Sequence[NetworkObject] = (),
    known: Sequence[ServiceObject] = (),
    kinds: Sequence[GroupKind] = tuple(GroupKind),
) -> tuple[Group, ...]:
    found: list[Group] = []
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(kinds))
        protocol = draw(st.sampled_from(["", "tcp", "tcp-udp"])) if kind is GroupKind.SERVICE else ""
        members: st.SearchStrategy[Any] = {
            GroupKind.NETWORK: NETWORKS | sampled([Named("object", each.name) for each in objects]),
            GroupKind.SERVICE: ports() if protocol else services() | sampled([Named("object", e.name) for e in known]),
            GroupKind.PROTOCOL: st.sampled_from(["tcp", "udp", "gre", "200"]),
            GroupKind.ICMP_TYPE: ICMP_TYPES,
        }[kind]
        members |= sampled([Named("group-object", each.name) for each in found if each.kind is kind])
        inside = tuple(draw(st.lists(members, max_size=3, unique=True)))
        found.append(Group(f"G{number}", kind, protocol, inside, draw(st.just("") | TEXTS)))
    return tuple(found)


def unique(names: st.SearchStrategy[str], most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(names, max_size=most, unique=True)


@st.composite
def interfaces(draw: st.DrawFn) -> tuple[Interface, ...]:
    nameifs = draw(unique(NAMES, 3))
    return tuple(
        Interface(
            name=f"Ethernet0/{number}",
            hardware=draw(st.none() | st.just(f"eth{number}")),
            nameif=nameif,
            security_level=draw(st.integers(0, 100)),
            address=draw(st.none() | st.just(IPv4Interface(f"10.{number}.0.1/16"))),
            shutdown=draw(st.booleans()),
            description=draw(st.just("") | TEXTS),
            accepted=draw(st.sampled_from([(), ("speed 100", "duplex full")])),
        )
        for number, nameif in enumerate([*nameifs, None])
    )


def matched(entry: Ace | Remark) -> Ace | Remark:
    """What may stand once in a list."""
    return replace(entry, log=None, inactive=False) if isinstance(entry, Ace) else entry


@st.composite
def access_lists(draw: st.DrawFn, known: Known) -> tuple[AccessList, ...]:
    entry = aces(known) | TEXTS.filter(bool).map(Remark)
    return tuple(
        AccessList(name, tuple(draw(st.lists(entry, min_size=1, max_size=4, unique_by=matched))))
        for name in draw(unique(NAMES, 3))
    )


PATTERNS = st.sampled_from(["exe", "user1@example\\.com", "^(a|b){2,}", " two  blanks ", r"[^a-c\"\x20]+", "a b"])


@st.composite
def regexes(draw: st.DrawFn) -> tuple[Regex, ...]:
    names = draw(unique(NAMES.filter(lambda each: each.lower() != "class"), 3))
    return tuple(Regex(name, draw(PATTERNS)) for name in names)


@st.composite
def regex_classes(draw: st.DrawFn, known: tuple[Regex, ...]) -> tuple[RegexClass, ...]:
    some = unique(st.sampled_from([each.name for each in known]), 3) if known else st.just([])
    return tuple(RegexClass(name, tuple(draw(some)), draw(st.just("") | TEXTS)) for name in draw(unique(NAMES, 2)))


@st.composite
def matches(draw: st.DrawFn, known: tuple[Regex, ...], classes: tuple[RegexClass, ...]) -> Match:
    rows = [each for each in CONDITIONS if each.operand is not Operand.REGEX or known or classes]
    row = draw(st.sampled_from(rows))
    deed = draw(st.sampled_from(sorted(row.deeds, key=lambda each: each.value)))
    if deed is Deed.RATE_LIMIT:
        reaction = Reaction(deed, rate=draw(st.integers(1, 4_294_967_295)))
    else:
        reaction = Reaction(deed, deed is Deed.LOG or draw(st.booleans()))
    match = Match(row.key, reaction, negated=draw(st.booleans()))
    if row.operand is Operand.WORDS:
        return replace(match, words=tuple(draw(st.lists(st.sampled_from(row.words), min_size=1, unique=True))))
    if row.operand is Operand.NUMBER:
        return replace(match, limit=draw(st.integers(1, 4_294_967_295)))
    patterns = {each.name: each.pattern for each in known}
    named = [Expression(each.name, patterns=(each.pattern,)) for each in known]
    named += [Expression(each.name, True, tuple(patterns[name] for name in each.regexes)) for each in classes]
    return replace(match, expression=draw(st.sampled_from(named)))


CLOSES_OR_LOGS = st.sampled_from(
    [Reaction(Deed.DROP_CONNECTION), Reaction(Deed.DROP_CONNECTION, log=True), Reaction(Deed.LOG, log=True)]
)


@st.composite
def parameters(draw: st.DrawFn) -> Parameters:
    relay = st.builds(MailRelay, st.sampled_from(["example.com", "mx1.example.net"]), CLOSES_OR_LOGS)
    allow_tls = draw(st.booleans())
    return Parameters(
        banner=draw(st.sampled_from(Banner)),
        smuggling_guard=draw(st.booleans()),
        allow_tls=allow_tls,
        allow_tls_log=allow_tls and draw(st.booleans()),
        mail_relay=draw(st.none() | relay),
        special_character=draw(st.none() | CLOSES_OR_LOGS),
    )


@st.composite
def inspect_maps(draw: st.DrawFn, known: tuple[Regex, ...], classes: tuple[RegexClass, ...]) -> tuple[InspectMap, ...]:
    lines = st.lists(
        matches(known, classes),
        max_size=4,
        unique_by=lambda each: (each.condition, each.limit, each.words, each.negated, each.expression),
    )
    return tuple(
        InspectMap(name, draw(parameters()), tuple(draw(lines)), draw(st.just("") | TEXTS))
        for name in draw(unique(NAMES, 2))
    )


TRAILERS = st.builds(Trailer, st.booleans(), st.booleans(), st.integers(0, 65535), st.integers(0, 65536))


def translations(nameifs: list[str], objects: Sequence[NetworkObject]) -> st.SearchStrategy[tuple[Any, ...]]:
    if len(nameifs) < 2:
        return st.just(())
    between = st.permutations(nameifs).map(lambda each: each[:2])
    host = st.integers(0, 20)

    def static(between: list[str], mapped: int, real: int, port: int, trailer: Trailer) -> StaticStatement:
        addresses = IPv4Address(f"203.0.113.{mapped}"), IPv4Address(f"192.0.2.{real}")
        if port:
            return StaticStatement(*between, *addresses, 32, PortMap("tcp", port, port + 1))
        return StaticStatement(*between, *addresses, 32, None, trailer)

    statics = st.lists(
        st.builds(static, between, host, host, st.just(0) | st.integers(1, 99), TRAILERS),
        max_size=3,
        unique_by=(lambda each: each.mapped, lambda each: each.real),
    )
    nameif, number = st.sampled_from(nameifs), st.integers(1, 9)
    pools = st.builds(AddressRange, st.just(IPv4Address("203.0.113.60")), st.just(IPv4Address("203.0.113.70")))
    dynamic = st.lists(
        st.builds(NatStatement, nameif, number, NETWORKS)
        | st.builds(GlobalStatement, nameif, number, st.none() | pools),
        max_size=2,
        unique=True,
    )
    found = st.tuples(statics, dynamic)
    return found.map(lambda each: (*each[0], *each[1]))


SIDES = st.sampled_from([IPv4Network("198.51.100.0/28"), IPv4Network("198.51.100.128/32")])
OPTIONS = ("dns", "net-to-net", "no-proxy-arp", "route-lookup")
MANUAL_OPTIONS = (*OPTIONS, "unidirectional", "inactive")


@dataclass(frozen=True)
class Modern:
    """Translations of 8.3 and what they name."""

    objects: tuple[NetworkObject, ...] = ()
    services: tuple[ServiceObject, ...] = ()
    manual: tuple[ManualNat, ...] = ()
    of_objects: tuple[ObjectNat, ...] = ()


def _subnet(base: IPv4Network, number: int, far: bool) -> IPv4Network:
    """A network as large, of its own: no two rules have an address in common."""
    address = int(base.network_address) + number * base.num_addresses + (1 << 16 if far else 0)
    return IPv4Network((address, base.prefixlen))


@st.composite
def modern(draw: st.DrawFn, nameifs: list[str]) -> Modern:
    """Objects with a translation, and manual rules in both sections."""
    if len(nameifs) < 2:
        return Modern()
    found = Modern(services=SERVED)
    sides = st.sampled_from([*nameifs, "any"])
    for number in range(draw(st.integers(0, 3))):
        between = draw(st.tuples(sides, sides).filter(lambda each: each[0] != each[1]))
        size = draw(SIDES)
        real = NetworkObject(f"R{number}", _subnet(size, number, far=False))
        known = NetworkObject(f"T{number}", _subnet(size, number, far=True))
        found = replace(found, objects=(*found.objects, real, known))
        rule = draw(object_nats(real, known, between) | manual_nats(real, known, between))
        if isinstance(rule, ObjectNat):
            if _called(rule) is not None and _called(rule) in map(_called, found.of_objects):
                continue
            found = replace(found, of_objects=(*found.of_objects, rule))
        else:
            found = replace(found, manual=(*found.manual, rule))
    return found


def _called(rule: ObjectNat) -> object:
    """What a static takes of an interface's own address, which another one may not take; None for any other rule."""
    if rule.dynamic or rule.mapped is not None:
        return None
    port = (rule.ports.protocol, rule.ports.mapped) if rule.ports else None
    return rule.real_interface, rule.mapped_interface, port


def _some(words: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(words), max_size=3, unique=True).map(tuple)


@st.composite
def object_nats(draw: st.DrawFn, real: NetworkObject, known: NetworkObject, between: tuple[str, str]) -> ObjectNat:
    assert isinstance(known.place, IPv4Network)
    dynamic, one = draw(st.booleans()), known.place.prefixlen == 32
    to = [known.place.network_address, known.name, *([None] if between[1] != "any" and (dynamic or one) else [])]
    mapped = draw(st.sampled_from(to))
    port = draw(st.none() | st.builds(PortMap, st.sampled_from(["tcp", "udp"]), st.integers(1, 99), st.integers(1, 99)))
    return ObjectNat(
        real.name,
        *between,
        dynamic,
        mapped,
        overload=dynamic and mapped is not None and draw(st.booleans()),
        ports=port if one and not dynamic else None,
        options=draw(_some(OPTIONS)),
    )


#: One port of a host; the same as another; ports of who is asked.
SERVED = (
    ServiceObject("from-25", Service("tcp", Ports("eq", 25, 25))),
    ServiceObject("from-2525", Service("tcp", Ports("eq", 2525, 2525))),
    ServiceObject("to-web", Service("tcp", None, Ports("range", 80, 88))),
)


@st.composite
def manual_nats(draw: st.DrawFn, real: NetworkObject, known: NetworkObject, between: tuple[str, str]) -> ManualNat:
    dynamic = draw(st.booleans())
    services = [None, ("to-web", "to-web")]
    assert isinstance(known.place, IPv4Network)
    services += [("from-25", "from-2525")] if not dynamic and known.place.prefixlen == 32 else []
    mapped = draw(st.sampled_from([known.name, real.name, *([None] if dynamic and between[1] != "any" else [])]))
    return ManualNat(
        *between,
        dynamic,
        real.name,
        mapped,
        draw(st.sampled_from([None, (real.name, real.name), (known.name, real.name)])),
        after_auto=draw(st.booleans()),
        overload=dynamic and mapped is not None and between[1] != "any" and draw(st.booleans()),
        options=draw(_some(MANUAL_OPTIONS)),
        services=draw(st.sampled_from(services)),
        description=draw(st.just("") | TEXTS),
    )


@st.composite
def policy_nats(draw: st.DrawFn, nameifs: list[str]) -> tuple[tuple[AccessList, ...], tuple[Any, ...]]:
    """Translations of 8.2 for some peers alone, and the lists that name them."""
    if len(nameifs) < 2 or draw(st.booleans()):
        return (), ()
    host, net = IPv4Network("198.51.100.200"), IPv4Network("192.0.2.0/24")
    asked = st.none() | ports(("eq", "lt", "gt", "range"))
    peers = Ace(True, "ip", host, None, draw(NETWORKS), None)
    web = Ace(True, draw(st.sampled_from(["tcp", "udp"])), net, None, draw(NETWORKS), draw(asked))
    between = draw(st.permutations(nameifs).map(lambda each: each[:2]))
    mapped, prefix = IPv4Address("203.0.113.200"), draw(st.none() | st.just(32))
    static = PolicyStaticStatement(*between, mapped, "policy-static", prefix)
    nat = NatStatement(between[0], draw(st.integers(0, 9)), None, "policy-nat")
    lists = AccessList("policy-static", (peers,)), AccessList("policy-nat", (web,))
    return lists, (static, nat)


@st.composite
def class_maps(draw: st.DrawFn, lists: tuple[AccessList, ...]) -> tuple[ClassMap, ...]:
    match = st.sampled_from([None, MatchAny(), MatchDefaultInspectionTraffic(), MatchOther(("match dscp ef",))])
    match |= st.builds(MatchPort, st.sampled_from(["tcp", "udp"]), ports(("eq", "range")))
    if lists:
        match |= st.sampled_from(lists).map(lambda each: MatchAccessList(each.name))
        match |= st.sampled_from(lists).map(lambda each: MatchDefaultInspectionTraffic(each.name))
    return tuple(ClassMap(name, draw(match), draw(st.just("") | TEXTS)) for name in draw(unique(NAMES, 3)))


@st.composite
def connections(draw: st.DrawFn) -> SetConnection:
    count = st.just(0) | st.integers(0, 2_000_000)
    times = [draw(st.none() | st.integers(least, 4_000_000)) for least in (5, 30, 300)]
    reset = times[2] is not None and draw(st.booleans())
    return SetConnection(draw(count), draw(count), draw(count), draw(count), *times, reset=reset)


@st.composite
def policy_maps(draw: st.DrawFn, classes: tuple[ClassMap, ...], maps: tuple[InspectMap, ...]) -> tuple[PolicyMap, ...]:
    named = st.none() | st.sampled_from([each.name for each in maps]) if maps else st.none()
    inspect = st.none() | st.just(ExemptEsmtp()) | st.builds(InspectEsmtp, named, st.booleans())
    found = []
    for name in draw(unique(NAMES.filter(lambda each: not "type".startswith(each.lower())), 2)):
        chosen = draw(st.lists(st.sampled_from([each.name for each in classes]), unique=True)) if classes else []
        chosen += ["class-default"] if draw(st.booleans()) else []
        kept = st.sampled_from([(), ("inspect ftp strict",), ("inspect dns", "police input 8000")])
        inside = tuple(PolicyClass(each, draw(inspect), draw(kept), draw(connections())) for each in chosen)
        found.append(PolicyMap(name, inside, draw(st.just("") | TEXTS)))
    return tuple(found)


@st.composite
def loggings(draw: st.DrawFn, nameifs: list[str]) -> Logging:
    hosts = []
    if nameifs:
        for address in draw(st.lists(ADDRESSES, max_size=2, unique=True)):
            hosts.append(LoggingHost(draw(st.sampled_from(nameifs)), address, draw(st.integers(1, 65535))))
    return Logging(
        enabled=draw(st.booleans()),
        timestamp=draw(st.booleans()),
        buffered=draw(LEVELS),
        buffer_size=draw(st.integers(4096, 1048576)),
        console=draw(LEVELS),
        trap=draw(LEVELS),
        facility=draw(st.integers(16, 23)),
        device_id=draw(st.none() | st.just("hostname") | NAMES),
        hosts=tuple(hosts),
        disabled=frozenset(draw(st.lists(st.integers(100000, 999999), max_size=3))),
    )


#: Addresses that stand in translations, masks among them; names that could be taken for something else.
NAMED = st.builds(
    Name,
    st.sampled_from(["mail", "mail-server", "any", "host", "tcp", "10.0.0.1", "eq", "interface", "0"]) | NAMES,
    st.sampled_from(["192.0.2.7", "203.0.113.7", "10.0.0.1", "10.1.0.1", "0.0.0.0", "255.255.0.0"]).map(IPv4Address)
    | ADDRESSES,
    st.just("") | TEXTS,
)

ACCEPTED = (
    Accepted("enable password x encrypted", Section.NAME),
    Accepted("pager lines 24", Section.ACCESS_LISTS),
    Accepted("no failover", Section.ACCESS_LISTS),
    Accepted("tcp-map normal", Section.CLASSES, ("  check-retransmission",)),
)


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A configuration that `verify` has nothing against."""
    ports_of_ours = draw(interfaces())
    nameifs = [each.nameif for each in ports_of_ours if each.nameif is not None]
    objects = tuple(
        NetworkObject(f"N{at}", place, draw(st.just("") | TEXTS))
        for at, place in enumerate(draw(st.lists(st.none() | PLACES, max_size=2)))
    )
    service_objects = tuple(
        ServiceObject(f"S{at}", each) for at, each in enumerate(draw(st.lists(st.none() | services(), max_size=2)))
    )
    grouped = draw(groups(objects, service_objects))
    lists = draw(access_lists(Known(objects, service_objects, grouped, tuple(nameifs))))
    policy_lists, policy_rules = draw(policy_nats(nameifs))
    translated = draw(modern(nameifs))
    known = draw(regexes())
    expressions = draw(regex_classes(known))
    maps = draw(inspect_maps(known, expressions))
    classes = draw(class_maps(lists))
    policies = draw(policy_maps(classes, maps))
    applied = [
        AccessGroup(draw(st.sampled_from(lists)).name, nameif, direction)
        for nameif, direction in [(None, "in"), *itertools.product(nameifs, ("in", "out"))]
        if lists and draw(st.booleans())
    ]
    services_ = [
        ServicePolicy(draw(st.sampled_from(policies)).name, each)
        for each in (None, *nameifs)
        if policies and draw(st.booleans())
    ]
    routes: list[Route] = []
    if nameifs:
        route = st.builds(Route, st.sampled_from(nameifs), NETWORKS, ADDRESSES, st.integers(1, 255))
        routes = draw(st.lists(route, max_size=2, unique=True))
    names = [
        name
        for name in ("", *(each.name for each in VERSIONS))
        if any(each.interface is None for each in services_) or name != "pix-6.3"
    ]
    compatibility = draw(st.sampled_from(names))
    version = named(compatibility) if compatibility else SEED
    maps = tuple(replace(each, parameters=replace(each.parameters, vrfy=version.vrfy)) for each in maps)
    found = Config(
        compatibility=compatibility,
        accepted=draw(st.sampled_from([(), ACCEPTED])),
        names_shown=draw(st.booleans()),
        names=draw(st.lists(NAMED, max_size=3, unique_by=lambda each: each.name).map(tuple)),
        objects=(*objects, *translated.objects),
        service_objects=(*service_objects, *translated.services),
        groups=grouped,
        inter_interface=draw(st.booleans()),
        intra_interface=draw(st.booleans()),
        tcpmss=draw(st.sampled_from([0, 1380, 1460])),
        nat_control=draw(st.sampled_from([None, False, True])),
        hostname=draw(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True)),
        interfaces=ports_of_ours,
        routes=tuple(routes),
        access_lists=(*lists, *policy_lists),
        access_groups=tuple(applied),
        translations=(
            *draw(translations(nameifs, objects)),
            *policy_rules,
            *(each for each in translated.manual if not each.after_auto),
            *translated.of_objects,
            *(each for each in translated.manual if each.after_auto),
        ),
        class_maps=classes,
        regexes=known,
        regex_classes=expressions,
        inspect_maps=maps,
        policy_maps=policies,
        service_policies=tuple(services_),
        timeouts=Timeouts(*(draw(st.integers(300, 86400)) for _ in range(6)), others=(("sip", 1800),)),
        logging=draw(loggings(nameifs)),
        tcp_intercept=draw(st.none() | st.builds(TcpInterceptStatistics, MINUTES, RATES, RATES)),
        metrics=draw(st.none() | st.builds(MetricsListen, ADDRESSES, st.integers(1, 65535))),
        workers=draw(st.none() | st.integers(1, 32)),
    )
    return replace(found, statics=hosts(found), port_statics=port_statics(found))
