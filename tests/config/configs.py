"""Configurations out of thin air: a hypothesis strategy for everything the language can say, verified."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from string import ascii_letters, digits

from hypothesis import strategies as st

from appliance.config.config import (
    AccessGroup,
    Config,
    Interface,
    Logging,
    LoggingHost,
    MetricsListen,
    Route,
    ServicePolicy,
    TcpInterceptStatistics,
    Timeouts,
)
from appliance.nat.static import Static
from appliance.policy.acl import ANY, AccessList, Ace, Ports, Remark
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
    MatchPort,
    Parameters,
    PolicyClass,
    PolicyMap,
    Reaction,
)
from appliance.policy.matches import CONDITIONS, Operand
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


@st.composite
def aces(draw: st.DrawFn) -> Ace:
    protocol = draw(st.sampled_from(["ip", "icmp", "tcp", "udp", "132"]))
    some = st.none() | ports() if protocol in ("tcp", "udp") else st.none()
    ends = st.just(ANY) | NETWORKS
    return Ace(draw(st.booleans()), protocol, draw(ends), draw(some), draw(ends), draw(some))


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
        )
        for number, nameif in enumerate([*nameifs, None])
    )


@st.composite
def access_lists(draw: st.DrawFn) -> tuple[AccessList, ...]:
    entry = aces() | TEXTS.filter(bool).map(Remark)
    return tuple(
        AccessList(name, tuple(draw(st.lists(entry, min_size=1, max_size=4, unique=True))))
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


def statics(nameifs: list[str]) -> st.SearchStrategy[tuple[Static, ...]]:
    if len(nameifs) < 2:
        return st.just(())
    between = st.permutations(nameifs).map(lambda each: each[:2])
    host = st.integers(0, 20)

    def static(between: list[str], mapped: int, real: int, limits: tuple[int, int]) -> Static:
        addresses = IPv4Address(f"203.0.113.{mapped}"), IPv4Address(f"192.0.2.{real}")
        return Static(between[0], between[1], *addresses, *limits)

    limits = st.tuples(st.integers(0, 65535), st.integers(0, 65536))
    many = st.lists(
        st.builds(static, between, host, host, limits),
        max_size=3,
        unique_by=(lambda each: each.mapped, lambda each: each.real),
    )
    return many.map(tuple)


@st.composite
def class_maps(draw: st.DrawFn, lists: tuple[AccessList, ...]) -> tuple[ClassMap, ...]:
    match = st.sampled_from([None, MatchAny(), MatchDefaultInspectionTraffic()])
    match |= st.builds(MatchPort, st.sampled_from(["tcp", "udp"]), ports(("eq", "range")))
    if lists:
        match |= st.sampled_from(lists).map(lambda each: MatchAccessList(each.name))
    return tuple(ClassMap(name, draw(match), draw(st.just("") | TEXTS)) for name in draw(unique(NAMES, 3)))


@st.composite
def policy_maps(draw: st.DrawFn, classes: tuple[ClassMap, ...], maps: tuple[InspectMap, ...]) -> tuple[PolicyMap, ...]:
    named = st.none() | st.sampled_from([each.name for each in maps]) if maps else st.none()
    inspect = st.none() | st.just(ExemptEsmtp()) | st.builds(InspectEsmtp, named, st.booleans())
    found = []
    for name in draw(unique(NAMES.filter(lambda each: not "type".startswith(each.lower())), 2)):
        chosen = draw(st.lists(st.sampled_from([each.name for each in classes]), unique=True)) if classes else []
        chosen += ["class-default"] if draw(st.booleans()) else []
        inside = tuple(PolicyClass(each, draw(inspect)) for each in chosen)
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


@st.composite
def configs(draw: st.DrawFn) -> Config:
    """A configuration that `verify` has nothing against."""
    ports_of_ours = draw(interfaces())
    nameifs = [each.nameif for each in ports_of_ours if each.nameif is not None]
    lists, known = draw(access_lists()), draw(regexes())
    expressions = draw(regex_classes(known))
    maps = draw(inspect_maps(known, expressions))
    classes = draw(class_maps(lists))
    policies = draw(policy_maps(classes, maps))
    groups = [AccessGroup(draw(st.sampled_from(lists)).name, each) for each in nameifs if lists and draw(st.booleans())]
    services = [
        ServicePolicy(draw(st.sampled_from(policies)).name, each)
        for each in (None, *nameifs)
        if policies and draw(st.booleans())
    ]
    routes: list[Route] = []
    if nameifs:
        route = st.builds(Route, st.sampled_from(nameifs), NETWORKS, ADDRESSES, st.integers(1, 255))
        routes = draw(st.lists(route, max_size=2, unique=True))
    return Config(
        hostname=draw(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?", fullmatch=True)),
        interfaces=ports_of_ours,
        routes=tuple(routes),
        access_lists=lists,
        access_groups=tuple(groups),
        statics=draw(statics(nameifs)),
        class_maps=classes,
        regexes=known,
        regex_classes=expressions,
        inspect_maps=maps,
        policy_maps=policies,
        service_policies=tuple(services),
        timeouts=Timeouts(*(draw(st.integers(300, 86400)) for _ in range(4))),
        logging=draw(loggings(nameifs)),
        tcp_intercept=draw(st.none() | st.builds(TcpInterceptStatistics, MINUTES, RATES, RATES)),
        metrics=draw(st.none() | st.builds(MetricsListen, ADDRESSES, st.integers(1, 65535))),
        workers=draw(st.none() | st.integers(1, 32)),
    )
