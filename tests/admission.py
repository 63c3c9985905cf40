"""The rules of admission as short scripts, each run on the model (tests/nat) and on the kernel's program (tests/bpf).

A rule is a function of a `Subject`: a table of a box between outside and inside with one static, whose packets arrive
(ingress) and leave (egress). The client's initial number is 100, the server's 500, unless a rule says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Protocol

from appliance.flow import Side
from appliance.nat.classes import LimitedClass, Limits, PortSpan
from appliance.nat.classes import Rule as ClassRule
from appliance.nat.connection import (
    Built,
    Ending,
    Event,
    Expired,
    Key,
    Limit,
    Obstructed,
    Refused,
    State,
    Stranded,
    TornDown,
    Unanswered,
)
from appliance.nat.limits import Table
from appliance.nat.machine import Packet, Verdict, lifetimes
from appliance.nat.static import Ends, Static
from appliance.nat.translation import PortMap
from appliance.tcp.segment import ACK, FIN, RST, SYN, URG

PASS, SKIP, INTERCEPT, FULL, COOKIE_BACK, DROP = Verdict
MAPPED, REAL, CLIENT = IPv4Address("203.0.113.125"), IPv4Address("192.0.2.25"), IPv4Address("203.0.113.10")
EMBRYONIC, HANDSHAKE, HALF_CLOSED, IDLE = 30, 24, 600, 3600  # seconds, the defaults
SECOND = 10**9

#: Hosts: the server behind the static, another inside without one, clients outside.
OTHER, FAR = IPv4Address("192.0.2.30"), IPv4Address("203.0.113.11")
#: And one that is translated by its port, and whose own connections get another one.
DESK = IPv4Address("192.0.2.40")
INTERFACES = {REAL: "inside", OTHER: "inside", DESK: "inside", CLIENT: "outside", FAR: "outside"}

#: And by what address some outside may call OTHER, as no static says.
SOME = IPv4Address("203.0.113.128")

#: The static of one port, and the address that DESK's connections get with a port of their own.
PORTS, POOL = PortMap("tcp", 2500, 25), IPv4Address("203.0.113.126")

#: Where hosts are intercepted that are called by their own address.
WAYS = frozenset({("outside", "inside")})


def real(key: Key) -> tuple[IPv4Address, int]:
    """Where the server of a connection is."""
    if key.mapped == MAPPED:
        return REAL, key.port
    if key.mapped == SOME:
        return OTHER, key.port
    return (DESK, 2500) if (key.mapped, key.port) == (POOL, 25) else (key.mapped, key.port)


def by_real(key: Key) -> Key:
    """The connection's tuple as the kernel's program knows it."""
    return Key(*real(key), key.client, key.client_port)


def static(max_conns: int = 0, max_embryonic: int = 0) -> Static:
    return Static("inside", "outside", MAPPED, REAL, max_conns, max_embryonic)


def key(port: int = 1000) -> Key:
    return Key(MAPPED, 25, CLIENT, port)


class Subject(Protocol):
    """A table under test. Its clock stands still but for `later`."""

    def set_limits(self, limits: Limits) -> list[Key]: ...
    def arrives(self, packet: Packet) -> Verdict: ...
    def leaves(self, packet: Packet) -> Verdict: ...
    def later(self, seconds: float) -> None: ...
    def sweep(self) -> int: ...
    def kill(self, key: Key) -> bool: ...
    def release(self, key: Key) -> bool: ...
    def clear(self, *keys: Key) -> int: ...
    def states(self) -> dict[Key, State]: ...
    def use(self) -> tuple[int, int]: ...
    def uses(self) -> dict[Ends, tuple[int, int]]: ...
    def shares(self) -> dict[str, tuple[dict[IPv4Address, tuple[int, int]], ...]]: ...
    def events(self) -> list[Event]: ...


class Model:
    """The model of nat/limits.py as a subject."""

    def __init__(self) -> None:
        seconds = lifetimes(IDLE, HALF_CLOSED, EMBRYONIC, HANDSHAKE)
        times = {state: value * SECOND for state, value in seconds.items()}
        self.table = Table(limits_of(static()), times, INTERFACES)
        self.now = 0

    def set_limits(self, limits: Limits) -> list[Key]:
        return self.table.set_limits(limits, self.now)

    def arrives(self, packet: Packet) -> Verdict:
        return self.table.ingress(packet, self.now)

    def leaves(self, packet: Packet) -> Verdict:
        return self.table.egress(packet, self.now)

    def later(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)

    def sweep(self) -> int:
        return self.table.sweep(self.now)

    def kill(self, key: Key) -> bool:
        return self.table.kill(key, self.now)

    def release(self, key: Key) -> bool:
        return self.table.release(key)

    def clear(self, *keys: Key) -> int:
        return self.table.clear(keys, self.now)

    def states(self) -> dict[Key, State]:
        return {entry.key: entry.state for entry in self.table.entries.values()}

    def use(self) -> tuple[int, int]:
        of = static().ends
        return self.table.places.total(of), self.table.places.embryonic(of)

    def uses(self) -> dict[Ends, tuple[int, int]]:
        places = self.table.places
        return {each.ends: (places.total(each.ends), places.embryonic(each.ends)) for each in self.table.limits.statics}

    def shares(self) -> dict[str, tuple[dict[IPv4Address, tuple[int, int]], ...]]:
        places = self.table.places
        found = {}
        for each in self.table.limits.classes:
            servers = {host: places.to_server(each, host) for host in INTERFACES}
            clients = {host: places.from_client(each, host) for host in INTERFACES}
            found[each.name] = tuple({host: row for host, row in rows.items() if row[0]} for rows in (servers, clients))
        return found

    def events(self) -> list[Event]:
        heard, self.table.events = self.table.events, []
        return heard


def limit(box: Subject, max_conns: int, max_embryonic: int = 0) -> None:
    """The static's limits, and no class."""
    box.set_limits(limits_of(static(max_conns, max_embryonic)))


def limits_of(
    of: Static, port: int = 0, classes: tuple[LimitedClass, ...] = (), rules: tuple[ClassRule, ...] = ()
) -> Limits:
    """The limits of the static, of connections to the port, and by classes; hosts inside are translated besides."""
    statics = of, Static("inside", "outside", POOL, DESK, port, ports=PORTS)
    return Limits(statics, classes, rules, frozenset({"inside"}), WAYS)


def client(flags: int, seq: int = 101, ack: int = 501, *, port: int = 1000, **more: Any) -> Packet:
    return Packet(key(port), Side.CLIENT, flags, seq, ack if flags & ACK else 0, **more)


def server(flags: int, seq: int = 501, ack: int = 101, *, port: int = 1000, **more: Any) -> Packet:
    return Packet(key(port), Side.SERVER, flags, seq, ack if flags & ACK else 0, **more)


def syn(port: int = 1000, seq: int = 100, **more: Any) -> Packet:
    return client(SYN, seq, port=port, **more)


def syn_ack(port: int = 1000) -> Packet:
    return server(SYN | ACK, 500, 101, port=port)


def crosses(box: Subject, packet: Packet) -> Verdict:
    """The packet arrives and, if it may, leaves; what became of it."""
    verdict = box.arrives(packet)
    return DROP if verdict is DROP or box.leaves(packet) is DROP else verdict


def handshake(box: Subject, port: int = 1000) -> None:
    for packet in (syn(port), syn_ack(port), client(ACK, port=port)):
        assert crosses(box, packet) is not DROP


def bring(box: Subject, state: State) -> None:
    """Port 1000's connection into `state`, its events forgotten."""
    script = {
        State.SYN: [syn()],
        State.SYN_ACK: [syn(), syn_ack()],
        State.ESTABLISHED: [syn(), syn_ack(), client(ACK)],
        State.HALF_CLOSED: [syn(), syn_ack(), client(ACK), client(ACK | FIN)],
        State.CLOSING: [syn(), syn_ack(), client(ACK), client(ACK | FIN), server(ACK | FIN)],
        State.DEAD: [syn(), syn_ack(), client(ACK)],
        State.WAITING: [],
    }[state]
    for packet in script:
        assert crosses(box, packet) is not DROP
    if state is State.DEAD:
        assert box.kill(key())
    if state is State.WAITING:
        limit(box, 1)
        handshake(box, 1999)
        assert box.leaves(syn()) is DROP
    assert box.states()[key()] is state
    box.events()


def only(events: list[Event]) -> Event:
    [event] = events
    return event


@dataclass(frozen=True)
class Rule:
    """A script with a name."""

    name: str
    script: Callable[[Subject], None]

    def __str__(self) -> str:
        return self.name


RULES: list[Rule] = []


def rule(script: Callable[[Subject], None]) -> Callable[[Subject], None]:
    RULES.append(Rule(script.__name__, script))
    return script


# The handshake


@rule
def a_handshake_is_embryonic_until_the_clients_ack(box: Subject) -> None:
    for packet, state, use in (
        (syn(), State.SYN, (1, 1)),
        (syn_ack(), State.SYN_ACK, (1, 1)),
        (client(ACK), State.ESTABLISHED, (1, 0)),
    ):
        crosses(box, packet)
        assert (box.states()[key()], box.use()) == (state, use)
    assert isinstance(only(box.events()), Built)


@rule
def ingress_takes_no_place(box: Subject) -> None:
    assert box.arrives(syn()) is SKIP
    assert (box.states(), box.use(), box.events()) == ({}, (0, 0), [])


@rule
def what_is_dropped_between_ingress_and_egress_changes_nothing(box: Subject) -> None:
    bring(box, State.SYN_ACK)
    for packet in (client(ACK), client(RST), server(RST), client(ACK | FIN)):
        box.arrives(packet)
        assert box.states()[key()] is State.SYN_ACK


@rule
def a_retransmitted_syn_counts_once(box: Subject) -> None:
    for _ in range(3):
        assert crosses(box, syn()) is SKIP
    assert box.use() == (1, 1)
    crosses(box, syn_ack())
    assert crosses(box, syn()) is SKIP
    assert (box.states()[key()], box.use()) == (State.SYN_ACK, (1, 1))
    assert isinstance(only(box.events()), Built)


@rule
def another_syn_begins_the_handshake_anew_in_the_same_place(box: Subject) -> None:
    bring(box, State.SYN_ACK)
    crosses(box, syn(seq=900))
    assert (box.states()[key()], box.use()) == (State.SYN, (1, 1))
    crosses(box, server(SYN | ACK, 700, 901))
    crosses(box, client(ACK, 901, 701))
    assert (box.states()[key()], box.use()) == (State.ESTABLISHED, (1, 0))


@rule
def no_other_ack_establishes(box: Subject) -> None:
    bring(box, State.SYN_ACK)
    for wrong in (
        client(ACK, ack=500),
        client(ACK, ack=502),
        client(ACK, ack=0),
        Packet(key(), Side.CLIENT, 0, 101, 501),  # the number is there, the flag is not
        server(ACK, ack=101),
        server(ACK, ack=501),
    ):
        assert crosses(box, wrong) is not DROP
        assert box.states()[key()] is State.SYN_ACK


@rule
def an_ack_before_the_syn_ack_establishes_nothing(box: Subject) -> None:
    bring(box, State.SYN)
    for ack in (0, 1, 501):
        crosses(box, client(ACK, ack=ack))
    assert box.states()[key()] is State.SYN


@rule
def a_syn_ack_of_another_syn_is_not_recorded(box: Subject) -> None:
    bring(box, State.SYN)
    crosses(box, server(SYN | ACK, 500, 99))
    assert box.states()[key()] is State.SYN


@rule
def a_syn_ack_is_the_servers(box: Subject) -> None:
    bring(box, State.SYN)
    crosses(box, client(SYN | ACK, 500, 101))
    assert box.states()[key()] is State.SYN


@rule
def octets_count_from_the_handshakes_end_on(box: Subject) -> None:
    bring(box, State.SYN_ACK)
    crosses(box, client(ACK, ack=500, payload=7))
    crosses(box, client(ACK, payload=5))
    crosses(box, client(ACK, 106, payload=5))
    box.clear(key())
    event = only(box.events())
    assert isinstance(event, TornDown)
    assert event.octets == 10


@rule
def numbers_wrap(box: Subject) -> None:
    top = 2**32 - 1
    crosses(box, syn(seq=top))
    crosses(box, server(SYN | ACK, top, 0))
    crosses(box, client(ACK, 0, 0))
    assert box.states()[key()] is State.ESTABLISHED


# The limits


@rule
def max_conns_admits_exactly_so_many(box: Subject) -> None:
    limit(box, 3)
    assert [crosses(box, syn(port)) for port in (1, 2, 3, 4, 5)] == [SKIP, SKIP, SKIP, DROP, DROP]
    assert box.use() == (3, 3)


@rule
def max_conns_counts_established_ones_too(box: Subject) -> None:
    limit(box, 2)
    handshake(box, 1)
    handshake(box, 2)
    assert box.arrives(syn(3)) is DROP
    assert box.use() == (2, 0)


@rule
def a_refused_syn_is_told_with_its_limit(box: Subject) -> None:
    limit(box, 1)
    crosses(box, syn(1))
    box.events()
    box.arrives(syn(2))
    event = only(box.events())
    assert isinstance(event, Refused)
    assert (event.key, event.real, event.which, event.count, event.limit) == (key(2), REAL, Limit.MAX_CONNS, 1, 1)


@rule
def an_ended_connection_makes_room(box: Subject) -> None:
    limit(box, 1)
    handshake(box, 1)
    assert box.arrives(syn(2)) is DROP
    crosses(box, client(RST, 101, port=1))
    assert crosses(box, syn(2)) is SKIP
    assert box.use() == (1, 1)


@rule
def max_conns_is_exact_when_all_have_passed_ingress(box: Subject) -> None:
    limit(box, 2)
    ports = (1, 2, 3, 4)
    assert [box.arrives(syn(port)) for port in ports] == [SKIP] * 4
    assert [box.leaves(syn(port)) for port in ports] == [PASS, PASS, DROP, DROP]
    assert box.use() == (2, 2)
    assert box.states()[key(3)] is State.WAITING


@rule
def at_the_embryonic_limit_syns_are_intercepted(box: Subject) -> None:
    limit(box, 0, 2)
    handshake(box, 1)
    assert [box.arrives(syn(port)) for port in (2, 3, 4)] == [SKIP, SKIP, SKIP]
    assert [box.leaves(syn(port)) for port in (2, 3)] == [PASS, PASS]
    box.events()
    assert box.arrives(syn(4)) is INTERCEPT
    assert (box.use(), set(box.states())) == ((3, 2), {key(1), key(2), key(3)})
    refused = only(box.events())
    assert isinstance(refused, Refused)
    assert (refused.which, refused.count, refused.limit) == (Limit.EMBRYONIC, 2, 2)
    crosses(box, syn_ack(2))
    assert box.arrives(syn(4)) is INTERCEPT
    crosses(box, client(ACK, port=2))
    assert crosses(box, syn(4)) is SKIP


@rule
def the_embryonic_limit_is_not_asked_again_at_egress(box: Subject) -> None:
    limit(box, 0, 1)
    assert [box.arrives(syn(port)) for port in (1, 2)] == [SKIP, SKIP]
    assert [box.leaves(syn(port)) for port in (1, 2)] == [PASS, PASS]
    assert box.use() == (2, 2)


@rule
def only_a_plain_syn_is_intercepted(box: Subject) -> None:
    limit(box, 0, 1)
    crosses(box, syn(1))
    for packet in (syn(2, payload=5), client(SYN | URG, 100, port=2), client(SYN | FIN, 100, port=2)):
        assert box.arrives(packet) is DROP


@rule
def with_max_conns_below_the_embryonic_limit_it_bites_first(box: Subject) -> None:
    limit(box, 2, 4)
    for port in (1, 2, 3):
        crosses(box, syn(port))
    refused = box.events()[-1]
    assert isinstance(refused, Refused)
    assert refused.which is Limit.MAX_CONNS


@rule
def any_limit_of_all_goes_before_any_of_half_open_ones(box: Subject) -> None:
    for of_class, of_static in ((mail(max_embryonic=1), (1, 0)), (mail(max_conns=1), (0, 1))):
        police(box, of_class, statics=of_static)
        assert crosses(box, syn(1)) is SKIP
        assert box.arrives(syn(2)) is DROP
        refused = box.events()[-1]
        assert isinstance(refused, Refused)
        assert refused.which is Limit.MAX_CONNS
        box.clear(*box.states())
        box.events()


@rule
def no_limit_is_no_limit(box: Subject) -> None:
    limit(box, 0, 0)
    assert {crosses(box, syn(port)) for port in range(1, 300)} == {SKIP}
    assert box.use() == (299, 299)


@rule
def a_syn_of_a_known_connection_is_never_refused(box: Subject) -> None:
    limit(box, 1, 1)
    crosses(box, syn())
    assert crosses(box, syn()) is SKIP
    crosses(box, syn_ack())
    crosses(box, client(ACK))
    assert crosses(box, syn()) is SKIP
    assert box.states()[key()] is State.ESTABLISHED


@rule
def of_refusals_one_a_second_is_told(box: Subject) -> None:
    limit(box, 2, 1)
    crosses(box, syn(1))
    box.events()
    for seconds, told in ((0, 1), (0.5, 0), (1.5, 1), (0, 0)):
        box.later(seconds)
        for port in (2, 3):
            assert box.arrives(syn(port)) is INTERCEPT
        assert [event.which for event in box.events() if isinstance(event, Refused)] == [Limit.EMBRYONIC] * told
    handshake(box, 1)
    handshake(box, 4)
    box.events()
    assert [box.arrives(syn(port)) for port in (5, 6)] == [DROP, DROP]
    refused = only(box.events())  # the other limit's
    assert isinstance(refused, Refused)
    assert refused.which is Limit.MAX_CONNS


# TCP Intercept: the client counts the server's octets from COOKIE, the server from 500

COOKIE = 7_000_000
SHIFT = COOKIE - 500


def proxied_syn(port: int = 1000, cookie: int = COOKIE) -> Packet:
    return Packet(key(port), Side.CLIENT, SYN, 100, cookie, local=True)


def proxied_ack(port: int = 1000, seq: int = 101, ack: int = 501) -> Packet:
    return Packet(key(port), Side.CLIENT, ACK, seq, ack, local=True)


def opened_by_proxy(box: Subject, port: int = 1000) -> None:
    assert box.leaves(proxied_syn(port)) is PASS
    assert box.arrives(syn_ack(port)) is PASS  # which SYNPROXY swallows
    assert box.leaves(proxied_ack(port)) is PASS


def to_client(flags: int, seq: int = 501, ack: int = 101, **more: Any) -> Packet:
    """What leaves to an intercepted client: conntrack has put the server's number right."""
    return server(flags, seq + SHIFT, ack, **more)


@rule
def what_synproxy_opens_is_a_connection_like_any_other(box: Subject) -> None:
    limit(box, 5, 5)
    assert box.leaves(proxied_syn()) is PASS
    assert (box.states()[key()], box.use()) == (State.SYN, (1, 1))
    assert isinstance(only(box.events()), Built)
    assert box.arrives(syn_ack()) is PASS
    assert box.leaves(proxied_ack()) is PASS
    assert (box.states()[key()], box.use()) == (State.ESTABLISHED, (1, 0))
    for arriving, leaving in (
        (server(ACK, 501, 101, payload=30), to_client(ACK, 501, 101, payload=30)),
        (client(ACK, 101, 531 + SHIFT, payload=10), client(ACK, 101, 531, payload=10)),
        (server(ACK | FIN, 531, 111), to_client(ACK | FIN, 531, 111)),
        (client(ACK | FIN, 111, 532 + SHIFT), client(ACK | FIN, 111, 532)),
    ):
        assert box.arrives(arriving) is (SKIP if arriving.flags & FIN else PASS)
        assert box.leaves(leaving) is PASS
    assert box.states()[key()] is State.CLOSING
    assert box.leaves(to_client(ACK, 532, 112)) is PASS
    event = only(box.events())
    assert isinstance(event, TornDown)
    assert (event.ending, event.octets, box.use()) == (Ending.FINS, 40, (0, 0))


@rule
def the_embryonic_limit_does_not_refuse_who_sent_the_cookie_back(box: Subject) -> None:
    limit(box, 0, 1)
    crosses(box, syn(1))
    assert box.leaves(proxied_syn(2)) is PASS
    assert box.use() == (2, 2)


@rule
def an_intercepted_clients_pure_acks_are_skipped(box: Subject) -> None:
    opened_by_proxy(box)
    assert box.arrives(client(ACK, 101, 501 + SHIFT)) is SKIP
    assert box.arrives(client(ACK, 101, 501 + SHIFT + (1 << 16))) is PASS
    assert box.arrives(server(ACK)) is SKIP


@rule
def only_synproxys_own_ack_establishes_what_it_began(box: Subject) -> None:
    box.leaves(proxied_syn())
    for packet in (proxied_ack(seq=102), client(ACK), client(ACK, ack=501 + SHIFT), server(ACK)):
        box.leaves(packet)
        assert box.states()[key()] is State.SYN
    box.leaves(proxied_ack())
    assert box.states()[key()] is State.ESTABLISHED
    box.clear(key())
    bring(box, State.SYN_ACK)
    box.leaves(proxied_ack())
    assert box.states()[key()] is State.SYN_ACK  # which the client began


@rule
def synproxys_syn_again_counts_once_and_its_last_cookie_holds(box: Subject) -> None:
    box.leaves(proxied_syn(cookie=COOKIE + 9))
    box.leaves(proxied_syn())
    assert box.use() == (1, 1)
    box.leaves(proxied_ack())
    assert box.arrives(client(ACK, 101, 65535 + SHIFT)) is SKIP
    assert box.arrives(client(ACK, 101, 65536 + SHIFT)) is PASS


@rule
def a_syn_of_what_synproxy_has_begun_is_intercepted_again(box: Subject) -> None:
    box.leaves(proxied_syn())
    assert box.arrives(syn()) is INTERCEPT
    assert box.arrives(syn(seq=900)) is INTERCEPT
    for packet in (client(ACK, 101, COOKIE + 1), client(ACK, 101, COOKIE + 1, payload=5)):
        assert box.arrives(packet) is COOKIE_BACK, "what its client sends meanwhile has SYNPROXY ask once more"
    assert box.arrives(client(RST, 101)) is PASS
    box.leaves(proxied_ack())
    assert box.arrives(syn()) is SKIP
    assert box.arrives(client(ACK, 101, COOKIE + 1)) is SKIP


@rule
def a_reset_of_an_intercepted_connection_ends_it(box: Subject) -> None:
    for packet, ending in (
        (client(RST, 101), Ending.RESET_BY_CLIENT),
        (server(RST, COOKIE + 1), Ending.RESET_BY_SERVER),  # conntrack gives every one this number
    ):
        opened_by_proxy(box)
        box.leaves(to_client(ACK, 501, payload=30))
        box.leaves(client(ACK, 101, 531))
        box.events()
        assert box.leaves(packet) is PASS
        event = only(box.events())
        assert isinstance(event, TornDown)
        assert (event.ending, box.use()) == (ending, (0, 0))


@rule
def a_server_that_refuses_synproxy_ends_it(box: Subject) -> None:
    box.leaves(proxied_syn())
    box.events()
    assert box.leaves(server(RST | ACK, COOKIE + 1, 101)) is PASS
    event = only(box.events())
    assert isinstance(event, TornDown)
    assert (event.ending, box.use()) == (Ending.RESET_BY_SERVER, (0, 0))


@rule
def the_firewalls_own_reset_ends_nothing_but_dead_ones(box: Subject) -> None:
    opened_by_proxy(box)
    for packet in (client(RST, 101, local=True), server(RST, 501, local=True)):
        assert box.leaves(packet) is PASS
    assert box.states()[key()] is State.ESTABLISHED
    box.kill(key())
    box.leaves(client(RST, 101, local=True))
    assert box.states() == {}


@rule
def a_connection_of_the_firewalls_own_is_not_counted(box: Subject) -> None:
    for packet in (client(SYN, 100, local=True), client(ACK, local=True), client(ACK | FIN, local=True)):
        assert box.leaves(packet) is PASS
    assert (box.states(), box.use()) == ({}, (0, 0))


@rule
def a_cookie_that_comes_back_to_no_place_is_marked(box: Subject) -> None:
    limit(box, 2, 1)
    crosses(box, syn(1))
    assert box.arrives(syn(2)) is INTERCEPT
    assert box.arrives(client(ACK, port=2)) is COOKIE_BACK, "who comes back with one is not refused for being half-open"
    handshake(box, 3)
    assert box.arrives(client(ACK, port=2)) is FULL
    assert box.arrives(client(ACK, payload=5, port=2)) is FULL
    for other in (client(RST, port=2), client(ACK | FIN, port=2), server(ACK, port=2), client(ACK, port=3)):
        assert box.arrives(other) is not FULL
    limit(box, 2)  # nobody is intercepted any more
    assert box.arrives(client(ACK, port=2)) is FULL
    box.later(121)
    assert box.arrives(client(ACK, port=2)) is PASS


@rule
def an_ack_may_bring_a_cookie_back_where_one_was_given_of_late(box: Subject) -> None:
    limit(box, 0, 1)
    crosses(box, syn(1))
    for none in (syn(1), syn(2, payload=5), client(SYN | URG, 100, port=2)):
        box.arrives(none)
        assert box.arrives(client(ACK, port=2)) is PASS
    assert box.arrives(syn(2)) is INTERCEPT
    box.later(119)
    assert box.arrives(client(ACK, port=2)) is COOKIE_BACK
    for other in (client(RST, port=2), client(ACK | FIN, port=2), server(ACK, port=2), client(ACK, port=1)):
        assert box.arrives(other) is not COOKIE_BACK
    box.later(2)
    assert box.arrives(client(ACK, port=2)) is PASS


@rule
def a_client_whose_place_was_taken_meanwhile_is_stranded(box: Subject) -> None:
    limit(box, 1, 1)
    handshake(box, 1)
    box.events()
    assert box.leaves(proxied_syn(2)) is DROP
    refused, stranded = box.events()
    assert isinstance(refused, Refused)
    assert refused.which is Limit.MAX_CONNS
    assert isinstance(stranded, Stranded)
    assert (stranded.key, stranded.real, stranded.seq, stranded.ack) == (key(2), REAL, COOKIE + 1, 101)
    assert set(box.states()) == {key(1)}  # and not WAITING
    box.clear(key(1))
    assert box.leaves(proxied_syn(2)) is PASS
    assert box.use() == (1, 1)


@rule
def synproxys_syn_takes_a_waiting_place_and_that_of_a_closing_connection(box: Subject) -> None:
    bring(box, State.WAITING)
    box.clear(key(1999))
    assert box.leaves(proxied_syn()) is PASS
    assert (box.states()[key()], box.use()) == (State.SYN, (1, 1))
    box.clear(key())
    limit(box, 1, 1)
    bring(box, State.CLOSING)
    assert box.leaves(proxied_syn()) is PASS
    assert (box.states()[key()], box.use()) == (State.SYN, (1, 1))
    box.leaves(proxied_ack())
    assert box.arrives(client(ACK, 101, 501 + SHIFT)) is SKIP


@rule
def what_synproxy_began_in_vain_ends_by_the_clock(box: Subject) -> None:
    box.leaves(proxied_syn())
    box.events()
    box.later(EMBRYONIC + 1)
    assert box.sweep() == 1
    event, stranded = box.events()
    assert isinstance(event, TornDown)
    assert (event.ending, box.use()) == (Ending.SYN_TIMEOUT, (0, 0))
    assert isinstance(stranded, Stranded)
    assert (stranded.key, stranded.seq, stranded.ack) == (key(), COOKIE + 1, 101)
    opened_by_proxy(box)
    box.later(IDLE + 1)
    assert box.sweep() == 1
    assert not any(isinstance(each, Stranded) for each in box.events())


@rule
def a_server_that_does_not_answer_synproxy_is_told_of_at_each_sweep(box: Subject) -> None:
    box.leaves(syn(2))  # its client sends it again itself
    box.leaves(proxied_syn())
    box.events()
    assert (box.sweep(), box.events()) == (0, [])
    for _ in range(2):
        box.later(2)
        assert box.sweep() == 0
        event = only(box.events())
        assert isinstance(event, Unanswered)
        assert (event.key, event.real, event.seq, event.ack) == (key(), REAL, COOKIE + 1, 101)
        box.leaves(proxied_syn())
    assert box.states()[key()] is State.SYN
    box.leaves(server(SYN | ACK, 500, 101))
    box.later(2)
    assert (box.sweep(), box.events()) == (0, [])


@rule
def a_connection_in_the_way_of_synproxys_is_told_of_and_stays_at_its_server(box: Subject) -> None:
    box.leaves(syn(2))
    challenge = server(ACK, 900, 300)
    assert box.arrives(server(ACK, 900, 300, port=2)) is PASS  # its client resets it itself
    assert box.arrives(challenge) is PASS
    box.leaves(proxied_syn())
    box.events()
    for answer in (
        challenge,
        server(ACK, 900, 300, payload=8),
        server(ACK | FIN, 900, 300),
        server(SYN | ACK, 900, 300),
        server(ACK, 900, 101, payload=8),  # the clients had the same number
    ):
        assert box.arrives(answer) is DROP
        event = only(box.events())
        assert isinstance(event, Obstructed)
        assert (event.key, event.real, event.seq, event.ack) == (key(), REAL, answer.ack, 900)
        assert box.arrives(answer) is DROP
        assert box.events() == [], "once at each sweep, however often it comes"
        box.later(2)
        box.sweep()
        assert isinstance(only(box.events()), Unanswered)
    assert box.arrives(server(RST | ACK, 900, 300)) is PASS
    assert box.arrives(syn_ack()) is PASS
    assert box.leaves(proxied_ack()) is PASS
    assert box.arrives(challenge) is not DROP
    assert not any(isinstance(each, Obstructed) for each in box.events())


# WAITING


@rule
def a_waiting_syn_takes_its_place_at_ingress(box: Subject) -> None:
    bring(box, State.WAITING)
    assert box.arrives(syn()) is DROP
    box.clear(key(1999))
    box.events()
    assert box.arrives(syn()) is SKIP
    assert (box.states()[key()], box.use()) == (State.SYN, (1, 1))
    assert isinstance(only(box.events()), Built)
    assert box.leaves(syn()) is PASS
    assert box.use() == (1, 1)


@rule
def a_waiting_syn_in_flight_takes_its_place_at_egress(box: Subject) -> None:
    bring(box, State.WAITING)
    assert not box.kill(key())  # it holds nothing that could be DEAD
    assert box.leaves(syn()) is DROP
    box.clear(key(1999))
    assert box.leaves(syn()) is PASS
    assert box.use() == (1, 1)


@rule
def waiting_is_forgotten_with_conntracks_handshake(box: Subject) -> None:
    bring(box, State.WAITING)
    box.later(HANDSHAKE - 1)
    assert box.sweep() == 0
    box.later(2)
    assert box.sweep() == 1
    assert (set(box.states()), box.use(), box.events()) == ({key(1999)}, (1, 0), [])


# The end


def _fins(box: Subject, first: Side) -> None:
    bring(box, State.ESTABLISHED)
    if first is Side.CLIENT:
        exchange = [
            (client(ACK | FIN, 101, 501), State.HALF_CLOSED),
            (server(ACK, 501, 102), State.HALF_CLOSED),
            (server(ACK | FIN, 501, 102), State.CLOSING),
            (client(ACK, 102, 501), State.CLOSING),
        ]
        last = client(ACK, 102, 502)
    else:
        exchange = [
            (server(ACK | FIN, 501, 101), State.HALF_CLOSED),
            (client(ACK, 101, 502), State.HALF_CLOSED),
            (client(ACK | FIN, 101, 502), State.CLOSING),
            (server(ACK, 502, 101), State.CLOSING),
        ]
        last = server(ACK, 502, 102)
    for packet, state in exchange:
        assert crosses(box, packet) is not DROP
        assert (box.states()[key()], box.use()) == (state, (1, 0))
    crosses(box, last)
    assert (box.states(), box.use()) == ({}, (0, 0))
    event = only(box.events())
    assert isinstance(event, TornDown)
    assert event.ending is Ending.FINS


@rule
def fins_the_client_first(box: Subject) -> None:
    _fins(box, Side.CLIENT)


@rule
def fins_the_server_first(box: Subject) -> None:
    _fins(box, Side.SERVER)


@rule
def fins_crossing(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    crosses(box, client(ACK | FIN, 101, 501))
    crosses(box, server(ACK | FIN, 501, 101))
    crosses(box, client(ACK, 102, 502))
    assert box.states()[key()] is State.CLOSING
    crosses(box, server(ACK, 502, 102))
    assert box.states() == {}


@rule
def a_pure_ack_that_overtakes_its_sides_fin_takes_nothing_from_it(box: Subject) -> None:
    """FINs wait for the worker, pure ACKs don't."""
    bring(box, State.ESTABLISHED)
    crosses(box, server(ACK | FIN, 501, 101))
    crosses(box, client(ACK, 102, 502))
    crosses(box, client(ACK | FIN, 101, 501))
    assert box.states()[key()] is State.CLOSING
    crosses(box, server(ACK, 502, 102))
    assert box.states() == {}


@rule
def a_retransmitted_fin_is_one_fin(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    for _ in range(3):
        crosses(box, client(ACK | FIN, 101, 501))
    assert box.states()[key()] is State.HALF_CLOSED


@rule
def what_is_sent_again_moves_no_number(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    crosses(box, client(ACK, payload=10))
    crosses(box, client(ACK, payload=5))
    assert box.arrives(client(RST, 106)) is PASS
    assert crosses(box, client(RST, 111)) is SKIP
    assert box.states() == {}


@rule
def nothing_moves_a_fin(box: Subject) -> None:
    bring(box, State.HALF_CLOSED)
    for behind in (client(ACK, 102, 501, payload=10), client(ACK | FIN, 112, 501)):
        crosses(box, behind)
        assert box.states()[key()] is State.HALF_CLOSED
    crosses(box, server(ACK | FIN, 501, 102))
    crosses(box, client(ACK, 102, 502))
    assert box.states() == {}


@rule
def an_old_acknowledgment_takes_nothing_back(box: Subject) -> None:
    bring(box, State.HALF_CLOSED)
    crosses(box, server(ACK, 501, 102))
    crosses(box, server(ACK | FIN, 501, 101))
    crosses(box, client(ACK, 102, 502))
    assert box.states() == {}


@rule
def what_was_never_sent_is_not_acknowledged(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    crosses(box, client(ACK, 101, 600))
    crosses(box, server(RST, 600))
    assert box.states()[key()] is State.ESTABLISHED


@rule
def a_reset_with_the_number_of_its_own_fin_ends_it(box: Subject) -> None:
    """A client that closes behind QUIT without waiting answers the 221 so: that segment acknowledges no FIN."""
    bring(box, State.ESTABLISHED)
    crosses(box, client(RST, 100))
    assert box.states()[key()] is State.ESTABLISHED
    crosses(box, client(ACK | FIN, 101, 501))
    crosses(box, server(ACK, 516, 102))
    crosses(box, client(RST, 101))
    assert box.states() == {}


@rule
def a_reset_ends_it_and_says_whose(box: Subject) -> None:
    for state, packet, ending in (
        (State.SYN, server(RST | ACK, 0, 101), Ending.RESET_BY_SERVER),
        (State.SYN_ACK, client(RST, 101), Ending.RESET_BY_CLIENT),
        (State.SYN_ACK, server(RST, 501), Ending.RESET_BY_SERVER),
        (State.ESTABLISHED, client(RST | ACK, 101), Ending.RESET_BY_CLIENT),
        (State.ESTABLISHED, server(RST | ACK, 501), Ending.RESET_BY_SERVER),
        (State.HALF_CLOSED, server(RST, 501), Ending.RESET_BY_SERVER),
        (State.CLOSING, client(RST, 102), Ending.RESET_BY_CLIENT),
    ):
        bring(box, state)
        assert crosses(box, packet) is (PASS if state in (State.SYN, State.SYN_ACK) else SKIP)
        assert (box.states(), box.use()) == ({}, (0, 0)), state
        event = only(box.events())
        assert isinstance(event, TornDown)
        assert event.ending is ending


@rule
def a_reset_the_receiver_will_not_obey_ends_nothing(box: Subject) -> None:
    for state, packet in (
        (State.SYN, server(RST | ACK, 0, 100)),
        (State.SYN, server(RST, 0)),
        (State.SYN_ACK, server(RST, 0)),
        (State.ESTABLISHED, client(RST, 105)),
        (State.ESTABLISHED, server(RST, 500)),
    ):
        bring(box, state)
        assert crosses(box, packet) is PASS
        assert box.states()[key()] is state
        box.clear(key())
        box.events()


@rule
def a_reset_behind_lost_data_ends_it(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    crosses(box, client(ACK, 101, 501, payload=10))  # which the server never got, its ACK still says 101
    assert crosses(box, client(RST, 101)) is PASS
    assert box.states() == {}


@rule
def octets_are_payload_of_both_sides(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    crosses(box, client(ACK, 101, 501, payload=10))
    crosses(box, server(ACK, 501, 111, payload=20))
    crosses(box, client(RST, 111))
    event = only(box.events())
    assert isinstance(event, TornDown)
    assert event.octets == 30


@rule
def a_syn_takes_the_place_of_a_closing_connection(box: Subject) -> None:
    limit(box, 1)
    bring(box, State.CLOSING)
    assert crosses(box, syn(seq=900)) is SKIP
    assert (box.states()[key()], box.use()) == (State.SYN, (1, 1))
    ended, built = box.events()
    assert isinstance(ended, TornDown)
    assert ended.ending is Ending.REPLACED
    assert isinstance(built, Built)


@rule
def a_syn_on_a_living_connection_changes_nothing(box: Subject) -> None:
    for state in (State.ESTABLISHED, State.HALF_CLOSED):
        bring(box, state)
        assert crosses(box, syn(seq=900)) is SKIP
        assert box.states()[key()] is state
        box.clear(key())
        box.events()


@rule
def the_server_opens_nothing_towards_its_client(box: Subject) -> None:
    for state in State:
        if state is State.CLOSED:
            continue
        bring(box, state)
        assert box.arrives(server(SYN, 900)) is DROP
        assert box.leaves(server(SYN, 900)) is DROP
        assert box.states()[key()] is state
        limit(box, 0)
        box.clear(key(), key(1999))


@rule
def the_servers_own_connections_take_no_place_at_the_static(box: Subject) -> None:
    limit(box, 1, 1)
    for packet, state in (
        (server(SYN, 900, 0), State.SYN),
        (client(SYN | ACK, 300, 901), State.SYN_ACK),
        (server(ACK, 901, 301), State.ESTABLISHED),
        (server(ACK | FIN, 901, 301), State.HALF_CLOSED),
    ):
        assert crosses(box, packet) is not DROP
        assert (box.states(), box.use()) == ({outbound(REAL, 25, CLIENT, 1000): state}, (0, 0))
    assert crosses(box, syn(2)) is SKIP
    assert box.use() == (1, 1)


# Connections to no static


def outbound(client: IPv4Address, client_port: int, server: IPv4Address, port: int) -> Key:
    return Key(server, port, client, client_port)


@rule
def every_connection_has_an_entry(box: Subject) -> None:
    limit(box, 1, 1)
    for made, host, peer in ((outbound(OTHER, 1000, FAR, 25), OTHER, FAR), (Key(OTHER, 25, FAR, 1000), FAR, OTHER)):
        for side, flags, seq, ack, state in (
            (Side.CLIENT, SYN, 100, 0, State.SYN),
            (Side.SERVER, SYN | ACK, 500, 101, State.SYN_ACK),
            (Side.CLIENT, ACK, 101, 501, State.ESTABLISHED),
        ):
            assert crosses(box, Packet(made, side, flags, seq, ack)) is not DROP
            assert box.states() == {made: state}
        built = only(box.events())
        assert isinstance(built, Built)
        assert (built.key, built.real, built.key.client) == (made, peer, host)
        assert box.arrives(Packet(made, Side.CLIENT, ACK, 101, 501)) is SKIP
        assert crosses(box, Packet(made, Side.SERVER, RST, 501)) is SKIP
        ended = only(box.events())
        assert isinstance(ended, TornDown)
        assert (ended.ending, box.states(), box.use()) == (Ending.RESET_BY_SERVER, {}, (0, 0))


@rule
def who_calls_back_calls_the_static(box: Subject) -> None:
    limit(box, 1)
    crosses(box, syn(1))
    back = Packet(outbound(REAL, 25, CLIENT, 2), Side.SERVER, SYN, 100)
    assert crosses(box, back) is DROP
    box.clear(key(1))
    assert crosses(box, back) is SKIP
    assert (box.states(), box.use()) == ({key(2): State.SYN}, (1, 1))


@rule
def neither_end_of_a_connection_opens_another_on_its_tuple(box: Subject) -> None:
    made = outbound(OTHER, 1000, FAR, 25)
    crosses(box, Packet(made, Side.CLIENT, SYN, 100))
    simultaneous = Packet(made, Side.SERVER, SYN, 500)
    assert (box.arrives(simultaneous), box.leaves(simultaneous)) == (DROP, DROP)
    assert box.states() == {made: State.SYN}


@rule
def a_client_that_calls_the_real_address_is_not_of_the_statics_connection(box: Subject) -> None:
    bring(box, State.DEAD)
    stranger = Key(REAL, 25, CLIENT, 1000)
    assert box.arrives(Packet(stranger, Side.CLIENT, ACK, 101, 501)) is PASS
    assert box.arrives(client(ACK)) is DROP


# Classes


def span(low: int = 0, high: int = 65535, but: bool = False) -> PortSpan:
    return PortSpan(low, high, but)


def line(limited: LimitedClass | None, **more: Any) -> ClassRule:
    anything = IPv4Network("0.0.0.0/0")
    fields = {"source": anything, "source_ports": span(), "destination": anything, "destination_ports": span()}
    return ClassRule(**{**fields, "interface": None, "limited": limited, **more})


def police(box: Subject, *classes: LimitedClass, statics: tuple[int, int] = (0, 0), rules: Any = None) -> None:
    """Classes in turn, each of all connections unless there are `rules`."""
    lines = tuple(line(each) for each in classes) if rules is None else tuple(rules)
    box.set_limits(limits_of(static(*statics), 0, classes, lines))


def mail(**limits: Any) -> LimitedClass:
    return LimitedClass("global_policy", None, "mail", **limits)


@rule
def a_class_admits_exactly_so_many_to_each_server(box: Subject) -> None:
    police(box, mail(max_conns=2))
    assert [crosses(box, syn(port)) for port in (1, 2, 3)] == [SKIP, SKIP, DROP]
    [refused] = [event for event in box.events() if isinstance(event, Refused)]
    assert (refused.which, refused.count, refused.limit) == (Limit.MAX_CONNS, 2, 2)
    to_another = [Packet(Key(OTHER, 25, CLIENT, port), Side.CLIENT, SYN, 100) for port in (1, 2, 3)]
    assert [crosses(box, packet) for packet in to_another] == [SKIP, SKIP, DROP]
    assert box.shares() == {"mail": ({REAL: (2, 2), OTHER: (2, 2)}, {})}


@rule
def a_class_limits_connections_opened_from_inside(box: Subject) -> None:
    police(box, mail(max_conns=1))
    made = [Packet(outbound(OTHER, port, FAR, 25), Side.CLIENT, SYN, 100) for port in (1, 2)]
    assert [crosses(box, packet) for packet in made] == [SKIP, DROP]
    assert box.states() == {made[0].key: State.SYN}, "only SYNPROXY's clients wait: what is refused must fill no table"
    box.clear(made[0].key)
    assert crosses(box, made[1]) is SKIP
    assert box.shares() == {"mail": ({FAR: (1, 1)}, {})}


def to_some(flags: int, seq: int = 101, ack: int = 501, *, port: int = 1, side: Side = Side.CLIENT) -> Packet:
    """A packet of a connection to a server as only some may call it."""
    return Packet(Key(SOME, 25, CLIENT, port), side, flags, seq, ack, place=(OTHER, 25))


@rule
def a_class_limits_what_only_some_may_call(box: Subject) -> None:
    one = mail(max_conns=1)
    some = frozenset({"inside", "outside"})
    box.set_limits(replace(limits_of(static(), 0, (one,), (line(one),)), choosing=some))
    first, second = to_some(SYN, 100), to_some(SYN, 100, port=2)
    assert [crosses(box, packet) for packet in (first, second)] == [SKIP, DROP]
    built, refused = box.events()
    assert isinstance(built, Built)
    assert isinstance(refused, Refused)
    assert (built.key, built.server, built.beyond) == (first.key, (OTHER, 25), None)
    assert (refused.key, refused.server) == (second.key, (OTHER, 25))
    assert box.shares() == {"mail": ({OTHER: (1, 1)}, {})}
    assert crosses(box, to_some(SYN | ACK, 500, 101, side=Side.SERVER)) is PASS
    assert crosses(box, to_some(ACK)) is SKIP
    assert box.states() == {first.key: State.ESTABLISHED}
    assert crosses(box, to_some(SYN, 900)) is SKIP
    assert box.release(first.key)
    assert crosses(box, replace(to_some(ACK), payload=5)) is SKIP
    assert box.kill(first.key)
    assert crosses(box, to_some(RST, 501, side=Side.SERVER)) is DROP
    assert box.states() == {}, "its server has let go"
    assert crosses(box, second) is SKIP


@rule
def the_lower_of_static_and_class_applies(box: Subject) -> None:
    for of_static, of_class in ((1, 3), (3, 1), (0, 1), (1, 0)):
        police(box, mail(max_conns=of_class), statics=(of_static, 0))
        assert [crosses(box, syn(port)) for port in (1, 2)] == [SKIP, DROP]
        box.clear(*box.states())
        box.later(2)
    assert (box.use(), box.shares()) == ((0, 0), {"mail": ({}, {})})


@rule
def who_takes_a_closing_connections_tuple_takes_all_its_places(box: Subject) -> None:
    for state in (State.CLOSING, State.DEAD):
        police(box, mail(max_conns=9, client_max=9), statics=(9, 0))
        bring(box, state)
        assert crosses(box, syn(seq=900)) is SKIP
        assert (box.use(), box.shares()) == ((1, 1), {"mail": ({REAL: (1, 1)}, {CLIENT: (1, 1)})})
        box.clear(key())
        assert (box.use(), box.shares()) == ((0, 0), {"mail": ({}, {})})


@rule
def each_client_has_its_own_places(box: Subject) -> None:
    police(box, mail(client_max=2))
    far = [Packet(Key(MAPPED, 25, FAR, port), Side.CLIENT, SYN, 100) for port in (1, 2, 3)]
    assert [crosses(box, syn(port)) for port in (1, 2, 3)] == [SKIP, SKIP, DROP]
    assert [crosses(box, packet) for packet in far] == [SKIP, SKIP, DROP]
    [refused] = [event for event in box.events() if isinstance(event, Refused)]
    assert (refused.which, refused.count, refused.limit) == (Limit.CLIENT_MAX, 2, 2)
    assert box.shares() == {"mail": ({REAL: (4, 4)}, {CLIENT: (2, 2), FAR: (2, 2)})}
    box.clear(*box.states())
    assert box.shares() == {"mail": ({}, {})}


@rule
def a_client_has_what_it_opened_before_it_was_limited(box: Subject) -> None:
    """But for what is over: of that only the last packets are to come."""
    police(box, mail(max_conns=9))
    for port in (1, 3):
        for packet in (syn(port), syn_ack(port), client(ACK, port=port)):
            crosses(box, packet)
    for packet in (syn(2), client(ACK | FIN, port=3), server(ACK | FIN, ack=102, port=3)):
        crosses(box, packet)
    assert box.shares() == {"mail": ({REAL: (3, 1)}, {})}
    for _ in range(2):  # once, however often it is said
        police(box, mail(client_max=2))
        assert box.shares() == {"mail": ({REAL: (3, 1)}, {CLIENT: (2, 1)})}
    assert crosses(box, syn(4)) is DROP
    box.clear(key(2))
    assert crosses(box, syn(4)) is SKIP
    box.clear(*box.states())
    assert box.shares() == {"mail": ({}, {})}


@rule
def what_one_limit_refuses_takes_no_place_of_another(box: Subject) -> None:
    police(box, mail(max_conns=5, client_max=1), statics=(5, 0))
    assert box.leaves(syn(1)) is PASS
    assert box.leaves(syn(2)) is DROP
    assert (box.use(), box.shares()) == ((1, 1), {"mail": ({REAL: (1, 1)}, {CLIENT: (1, 1)})})


@rule
def at_an_embryonic_limit_of_a_class_syns_are_intercepted(box: Subject) -> None:
    for limits, which in (({"max_embryonic": 1}, Limit.EMBRYONIC), ({"client_embryonic": 1}, Limit.CLIENT_EMBRYONIC)):
        police(box, mail(**limits))
        assert [crosses(box, syn(port)) for port in (1, 2)] == [SKIP, INTERCEPT]
        told = [event.which for event in box.events() if isinstance(event, Refused)]
        assert told == [which]
        crosses(box, syn_ack(1))
        crosses(box, client(ACK, port=1))
        box.clear(key(2))  # which the intercepted SYN left, as it went on here for once
        assert crosses(box, syn(3)) is SKIP
        box.clear(*box.states())


@rule
def towards_the_less_secure_side_nothing_is_intercepted(box: Subject) -> None:
    police(box, mail(max_embryonic=1, client_embryonic=1))
    made = [Packet(outbound(OTHER, port, FAR, 25), Side.CLIENT, SYN, 100) for port in (1, 2)]
    assert [crosses(box, packet) for packet in made] == [SKIP, SKIP]


# A host that is called by its own address: a class limits it, and no static has a part in it


def direct(port: int) -> Key:
    return Key(OTHER, 25, CLIENT, port)


def calling(port: int, flags: int = SYN, seq: int = 100, ack: int = 0, **more: Any) -> Packet:
    return Packet(direct(port), Side.CLIENT, flags, seq, ack, **more)


def answering(port: int) -> Packet:
    return Packet(direct(port), Side.SERVER, SYN | ACK, 500, 101)


@rule
def at_its_classes_embryonic_limit_a_host_by_its_own_address_is_intercepted(box: Subject) -> None:
    for limits, which in (({"max_embryonic": 1}, Limit.EMBRYONIC), ({"client_embryonic": 1}, Limit.CLIENT_EMBRYONIC)):
        police(box, mail(**limits))
        assert crosses(box, calling(1)) is SKIP
        box.events()
        assert box.arrives(calling(2)) is INTERCEPT
        refused = only(box.events())
        assert isinstance(refused, Refused)
        assert (refused.key, refused.real, refused.which) == (direct(2), OTHER, which)
        assert box.arrives(calling(3, payload=5)) is DROP
        crosses(box, answering(1))
        crosses(box, calling(1, ACK, 101, 501))
        assert crosses(box, calling(3)) is SKIP
        box.clear(*box.states())
        box.events()


@rule
def without_an_embryonic_limit_of_its_class_it_is_not_asked_about_before_the_rules(box: Subject) -> None:
    for limits in ({}, {"max_conns": 1, "client_max": 1}):
        police(box, mail(**limits))
        crosses(box, calling(1))
        assert box.arrives(calling(2)) is SKIP
        assert box.arrives(calling(3, ACK, 101, 501)) is PASS
        box.clear(*box.states())


@rule
def what_synproxy_opens_to_it_is_a_connection_of_its_class(box: Subject) -> None:
    police(box, mail(max_embryonic=1, client_max=9))
    assert box.leaves(calling(1, ack=COOKIE, local=True)) is PASS
    assert box.states() == {direct(1): State.SYN}
    assert box.shares() == {"mail": ({OTHER: (1, 1)}, {CLIENT: (1, 1)})}
    assert box.arrives(calling(1)) is INTERCEPT
    assert box.arrives(answering(1)) is PASS
    assert box.leaves(calling(1, ACK, 101, 501, local=True)) is PASS
    assert box.shares() == {"mail": ({OTHER: (1, 0)}, {CLIENT: (1, 0)})}
    assert box.arrives(calling(1, ACK, 101, 501 + SHIFT)) is SKIP
    box.events()
    assert box.leaves(Packet(direct(1), Side.SERVER, RST, COOKIE + 1)) is PASS
    event = only(box.events())
    assert isinstance(event, TornDown)
    assert (event.ending, box.states()) == (Ending.RESET_BY_SERVER, {})
    assert (box.use(), box.shares()) == ((0, 0), {"mail": ({}, {})})


@rule
def a_cookie_that_comes_back_to_it_is_marked_for_as_long_as_it_is_good(box: Subject) -> None:
    police(box, mail(max_embryonic=1, max_conns=2))
    crosses(box, calling(1))
    returned = calling(2, ACK, 101, COOKIE + 1)
    assert box.arrives(returned) is PASS
    assert box.arrives(calling(2)) is INTERCEPT
    assert box.arrives(returned) is COOKIE_BACK
    assert box.arrives(client(ACK, port=2)) is PASS, "the static has given none"
    assert box.arrives(calling(2, RST, 101)) is PASS
    assert box.leaves(calling(3)) is PASS
    assert box.arrives(returned) is FULL
    box.later(121)
    assert box.arrives(returned) is PASS


@rule
def a_client_of_its_whose_place_was_taken_meanwhile_is_stranded(box: Subject) -> None:
    police(box, mail(max_embryonic=1, max_conns=1))
    crosses(box, calling(1))
    box.events()
    assert box.leaves(calling(2, ack=COOKIE, local=True)) is DROP
    refused, stranded = box.events()
    assert isinstance(refused, Refused)
    assert isinstance(stranded, Stranded)
    assert (stranded.key, stranded.real, stranded.seq, stranded.ack) == (direct(2), OTHER, COOKIE + 1, 101)
    assert set(box.states()) == {direct(1)}


@rule
def a_syn_to_it_that_found_no_place_behind_the_rules_waits(box: Subject) -> None:
    police(box, mail(max_embryonic=9, max_conns=1))
    assert [box.arrives(calling(port)) for port in (1, 2)] == [SKIP, SKIP]
    assert [box.leaves(calling(port)) for port in (1, 2)] == [PASS, DROP]
    assert box.states() == {direct(1): State.SYN, direct(2): State.WAITING}
    assert box.arrives(calling(2)) is DROP
    police(box, mail(max_embryonic=1, max_conns=9))
    assert box.arrives(calling(2)) is SKIP, "never intercepted: connection tracking knows it"
    assert box.states() == {direct(1): State.SYN, direct(2): State.SYN}
    assert box.leaves(calling(2)) is PASS
    assert box.shares() == {"mail": ({OTHER: (2, 2)}, {})}


@rule
def where_its_class_limits_no_half_open_ones_nobody_waits(box: Subject) -> None:
    """Nothing is asked before the rules: what is refused must fill no table."""
    police(box, mail(max_conns=1))
    crosses(box, calling(1))
    assert crosses(box, calling(2)) is DROP
    assert set(box.states()) == {direct(1)}


@rule
def the_first_line_met_decides_the_class(box: Subject) -> None:
    one, two = (LimitedClass("global_policy", None, name, max_conns=9) for name in ("one", "two"))
    host = IPv4Network("203.0.113.10")
    lines = (
        line(None, source=host, destination_ports=span(25, 25), otherwise=2),
        line(one, source=host),
        line(two, destination_ports=span(25, 26), source_ports=span(7, 7, but=True)),
    )
    for packet, named in (
        (client(SYN, 100, port=5), "two"),  # a denial ends the class, not the search
        (Packet(Key(MAPPED, 80, CLIENT, 5), Side.CLIENT, SYN, 100), "one"),
        (Packet(Key(MAPPED, 26, FAR, 5), Side.CLIENT, SYN, 100), "two"),
        (Packet(Key(MAPPED, 26, FAR, 7), Side.CLIENT, SYN, 100), None),
        (Packet(Key(MAPPED, 27, FAR, 5), Side.CLIENT, SYN, 100), None),
        (Packet(outbound(OTHER, 5, FAR, 25), Side.CLIENT, SYN, 100), "two"),
    ):
        police(box, one, two, rules=lines)
        assert crosses(box, packet) is SKIP
        assert {name: bool(servers) for name, (servers, _) in box.shares().items()} == {
            name: name == named for name in ("one", "two")
        }
        box.clear(packet.key)


@rule
def a_line_may_speak_of_one_server(box: Subject) -> None:
    limited = mail(max_conns=1)
    police(box, limited, rules=(line(limited, destination=IPv4Network(OTHER)),))
    assert [crosses(box, syn(port)) for port in (1, 2)] == [SKIP, SKIP]
    to_it = [Packet(Key(OTHER, 25, CLIENT, port), Side.CLIENT, SYN, 100) for port in (1, 2)]
    assert [crosses(box, packet) for packet in to_it] == [SKIP, DROP]


@rule
def an_interfaces_class_is_of_what_crosses_it(box: Subject) -> None:
    inner = LimitedClass("inside_policy", "inside", "inner", max_conns=1)
    police(box, inner, rules=(line(inner, interface="inside"),))
    assert [crosses(box, syn(port)) for port in (1, 2)] == [SKIP, DROP]
    elsewhere = LimitedClass("outside_policy", "outside", "outer", max_conns=1)
    police(box, elsewhere, rules=(line(elsewhere, interface="outside", destination=IPv4Network("192.0.2.25")),))
    assert [crosses(box, syn(port)) for port in (3, 4)] == [SKIP, DROP]
    within = [Packet(outbound(OTHER, port, REAL, 25), Side.CLIENT, SYN, 100) for port in (5, 6)]
    assert [crosses(box, packet) for packet in within] == [SKIP, SKIP], "what stays inside does not cross it"


@rule
def a_class_has_its_own_times(box: Subject) -> None:
    own = {State.SYN: 10, State.SYN_ACK: 10, State.ESTABLISHED: 7200, State.HALF_CLOSED: 60}
    police(box, mail(lifetimes=own))
    for state, seconds in own.items():
        bring(box, state)
        box.later(seconds - 1)
        assert box.sweep() == 0
        box.later(2)
        assert box.sweep() == 1
        assert (box.states(), box.shares()) == ({}, {"mail": ({}, {})})
        box.events()
    police(box)
    bring(box, State.SYN)
    box.later(EMBRYONIC - 1)
    assert box.sweep() == 0


@rule
def a_class_may_reset_what_was_idle_for_too_long(box: Subject) -> None:
    police(box, mail(lifetimes={State.ESTABLISHED: 600}, resets=True))
    bring(box, State.ESTABLISHED)
    crosses(box, client(ACK, payload=10))
    box.later(601)
    assert box.sweep() == 1
    ended, expired = box.events()
    assert isinstance(ended, TornDown)
    assert isinstance(expired, Expired)
    assert (ended.ending, expired.key, expired.seq, expired.ack) == (Ending.IDLE_TIMEOUT, key(), 501, 111)
    for end in (lambda: box.clear(key()), lambda: box.kill(key())):
        bring(box, State.ESTABLISHED)
        end()
        assert not any(isinstance(event, Expired) for event in box.events())
        box.clear(key())
    bring(box, State.SYN)
    box.later(EMBRYONIC + 1)
    assert box.sweep() == 1
    assert not any(isinstance(event, Expired) for event in box.events())


@rule
def where_a_class_says_no_times_they_are_everyones(box: Subject) -> None:
    police(box, mail(max_conns=9, lifetimes={State.SYN: 10}))
    bring(box, State.ESTABLISHED)
    box.later(IDLE - 1)
    assert box.sweep() == 0
    box.later(2)
    assert box.sweep() == 1


# Limits that change


@rule
def limits_change_and_the_counts_stay(box: Subject) -> None:
    police(box, mail(max_conns=3, client_max=9), statics=(9, 0))
    handshake(box, 1)
    handshake(box, 2)
    police(box, mail(max_conns=2, client_max=9), statics=(9, 0))
    assert crosses(box, syn(3)) is DROP
    police(box, mail(max_conns=0, client_max=2), statics=(9, 0))
    assert crosses(box, syn(3)) is DROP
    police(box, mail(max_conns=0, client_max=3), statics=(2, 0))
    assert crosses(box, syn(3)) is DROP
    police(box, mail(max_conns=3, client_max=3), statics=(3, 0))
    assert crosses(box, syn(3)) is SKIP
    assert (box.use(), box.shares()) == ((3, 1), {"mail": ({REAL: (3, 1)}, {CLIENT: (3, 1)})})


@rule
def a_class_that_is_gone_keeps_count_of_its_connections(box: Subject) -> None:
    police(box, mail(max_conns=2))
    handshake(box, 1)
    police(box)
    assert crosses(box, syn(2)) is SKIP
    police(box, mail(max_conns=2))
    assert box.shares() == {"mail": ({REAL: (1, 0)}, {})}
    assert [crosses(box, syn(port)) for port in (3, 4)] == [SKIP, DROP]
    box.clear(key(1))
    assert crosses(box, syn(4)) is SKIP


@rule
def a_syn_ack_to_nobody_is_dropped_where_there_are_limits(box: Subject) -> None:
    assert box.leaves(syn_ack()) is PASS
    limit(box, 1)
    assert box.leaves(syn_ack()) is DROP
    limit(box, 0, 1)
    assert box.leaves(syn_ack()) is DROP


# Timeouts


@rule
def each_state_has_its_time(box: Subject) -> None:
    for state, seconds, ending in (
        (State.SYN, EMBRYONIC, Ending.SYN_TIMEOUT),
        (State.SYN_ACK, EMBRYONIC, Ending.SYN_TIMEOUT),
        (State.ESTABLISHED, IDLE, Ending.IDLE_TIMEOUT),
        (State.HALF_CLOSED, HALF_CLOSED, Ending.FIN_TIMEOUT),
        (State.CLOSING, HALF_CLOSED, Ending.FIN_TIMEOUT),
    ):
        bring(box, state)
        box.later(seconds - 1)
        assert box.sweep() == 0
        box.later(2)
        assert box.sweep() == 1
        assert (box.states(), box.use()) == ({}, (0, 0))
        event = only(box.events())
        assert isinstance(event, TornDown)
        assert event.ending is ending
        assert abs(event.time - event.started - (seconds + 1) * SECOND) < SECOND


@rule
def a_packet_keeps_an_established_connection(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    for _ in range(3):
        box.later(IDLE - 1)
        crosses(box, server(ACK))
        assert box.sweep() == 0


@rule
def retransmissions_do_not_keep_a_half_open_one(box: Subject) -> None:
    bring(box, State.SYN_ACK)
    for _ in range(4):
        box.later(8)
        crosses(box, syn())
        crosses(box, syn_ack())
    assert box.sweep() == 1


# DEAD, BYPASS, clear


@rule
def nothing_of_a_dead_connection_passes(box: Subject) -> None:
    bring(box, State.DEAD)
    for packet in (
        client(ACK),
        client(ACK, payload=5),
        client(RST),
        client(ACK | FIN),
        server(ACK),
        server(ACK, payload=5),
    ):
        assert box.arrives(packet) is DROP
        assert box.leaves(packet) is DROP
        assert (box.states()[key()], box.use()) == (State.DEAD, (1, 0))


@rule
def a_killed_connection_is_told_once_and_keeps_its_place(box: Subject) -> None:
    for state in (State.SYN, State.SYN_ACK, State.ESTABLISHED, State.HALF_CLOSED, State.CLOSING):
        bring(box, state)
        assert [box.kill(key()), box.kill(key())] == [True, False]
        assert (box.states()[key()], box.use()) == (State.DEAD, (1, 0))
        event = only(box.events())
        assert isinstance(event, TornDown)
        assert event.ending is Ending.INSPECTION
        box.clear(key())
        assert (box.events(), box.use()) == ([], (0, 0))
    assert not box.kill(key())


@rule
def the_servers_fin_or_reset_gives_a_dead_place_back(box: Subject) -> None:
    for flags in (RST, ACK | FIN, RST | ACK):
        bring(box, State.DEAD)
        assert box.arrives(server(flags)) is DROP
        assert (box.states(), box.use(), box.events()) == ({}, (0, 0), [])


@rule
def a_dead_place_comes_back_with_time(box: Subject) -> None:
    bring(box, State.DEAD)
    box.later(HALF_CLOSED - 1)
    box.arrives(server(ACK))
    assert box.sweep() == 0
    box.later(2)
    assert box.sweep() == 1
    assert (box.use(), box.events()) == ((0, 0), [])


@rule
def a_syn_takes_the_place_of_a_dead_connection(box: Subject) -> None:
    limit(box, 1)
    bring(box, State.DEAD)
    assert crosses(box, syn(2000)) is DROP
    box.events()
    assert crosses(box, syn(seq=900)) is SKIP
    assert (box.states()[key()], box.use()) == (State.SYN, (1, 1))
    assert isinstance(only(box.events()), Built)


@rule
def clear_removes_and_tells(box: Subject) -> None:
    handshake(box, 1)
    crosses(box, syn(2))
    box.events()
    assert box.clear(key(1), key(2), key(3)) == 2
    assert (box.states(), box.use()) == ({}, (0, 0))
    endings = [event.ending for event in box.events() if isinstance(event, TornDown)]
    assert endings == [Ending.CLEARED] * 2


# What need not be inspected


@rule
def pure_acks_of_a_known_connection_are_skipped(box: Subject) -> None:
    assert box.arrives(client(ACK)) is PASS
    bring(box, State.ESTABLISHED)
    for packet, verdict in (
        (client(ACK), SKIP),
        (server(ACK), SKIP),
        (client(ACK, payload=1), PASS),
        (server(ACK, payload=1), PASS),
        (client(ACK | URG), PASS),
        (server(SYN | ACK, 500, 101), PASS),
        (client(0), PASS),
        (client(ACK, payload=8, whole=False), PASS),
    ):
        assert box.arrives(packet) is verdict, packet


@rule
def the_handshakes_ack_is_skipped_the_syn_ack_is_not(box: Subject) -> None:
    assert [crosses(box, packet) for packet in (syn(), syn_ack(), client(ACK))] == [SKIP, PASS, SKIP]


@rule
def before_the_servers_answer_nothing_is_skipped(box: Subject) -> None:
    bring(box, State.SYN)
    for packet in (client(ACK), server(ACK), client(ACK | FIN), client(RST)):
        assert box.arrives(packet) is PASS, packet


@rule
def only_a_plain_syn_is_skipped(box: Subject) -> None:
    for packet in (syn(payload=5), client(SYN | URG, 100), client(SYN | FIN, 100)):
        assert box.arrives(packet) is PASS


@rule
def one_pure_ack_in_64_kib_is_queued(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    queued = 0
    step = 1000
    for seq in range(501, 501 + 400 * step, step):
        crosses(box, server(ACK, seq, payload=step))
        queued += crosses(box, client(ACK, ack=seq + step)) is PASS
    assert queued == 400 * step // 65536


@rule
def another_connection_on_a_released_tuple_is_not_released(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    box.release(key())
    crosses(box, server(ACK | FIN, 501))
    crosses(box, syn(seq=900))  # the server has forgotten its half, the entry has not
    crosses(box, server(SYN | ACK, 7000, 901))
    assert box.arrives(client(ACK, 901, 7001, payload=5)) is PASS


@rule
def a_released_connection_is_skipped_but_for_its_end(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    assert [box.release(key()), box.release(key()), box.release(key(2))] == [True, False, False]
    for packet, verdict in (
        (client(ACK, payload=5), SKIP),
        (server(ACK, payload=5), SKIP),
        (client(ACK | URG), SKIP),
        (client(ACK | FIN, 102), PASS),
        (server(RST, 502), PASS),
        (server(SYN | ACK, 500, 101), PASS),
        (client(ACK, payload=8, whole=False), PASS),
    ):
        assert box.arrives(packet) is verdict, packet


@rule
def an_end_behind_all_that_was_forwarded_is_skipped(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    crosses(box, client(ACK, payload=5))
    for flags in (ACK | FIN, RST, RST | ACK):
        for packet, verdict in (
            (client(flags, 106), SKIP),
            (server(flags, 501, 106), SKIP),
            (client(flags, 105), PASS),
            (client(flags, 107), PASS),
            (client(flags, 106, payload=1), PASS),
            (client(flags | URG, 106), PASS),
            (client(flags | SYN, 106), PASS),
        ):
            assert box.arrives(packet) is verdict, packet
    assert box.arrives(client(FIN, 106)) is PASS
    assert box.arrives(client(FIN | RST, 106)) is PASS
    assert box.arrives(server(ACK | FIN, 501, 106 + 65536)) is PASS, "the worker has to hear that much acknowledged"


@rule
def octets_behind_a_fin_go_no_further(box: Subject) -> None:
    bring(box, State.ESTABLISHED)
    crosses(box, client(ACK, payload=5))
    crosses(box, client(ACK | FIN, 106))
    for packet, verdict in (
        (client(ACK, 101, payload=5), PASS),
        (client(ACK, 101, payload=6), DROP),
        (client(ACK, 106, payload=1), DROP),
        (client(ACK, 107, payload=1), DROP),
        (client(ACK | FIN, 101, payload=5), PASS),
        (client(ACK, 107), PASS),
        (server(ACK, 501, 107, payload=9), PASS),
    ):
        assert box.leaves(packet) is verdict, packet


@rule
def a_new_connection_on_a_released_tuple_is_inspected(box: Subject) -> None:
    bring(box, State.CLOSING)
    box.release(key())
    for packet in (syn(), syn_ack(), client(ACK)):
        crosses(box, packet)
    assert box.arrives(client(ACK, payload=5)) is PASS


@rule
def an_address_that_stands_for_itself_is_one_name_with_its_static_and_without(box: Subject) -> None:
    klass = mail(max_conns=5)
    own = limits_of(Static("inside", "outside", OTHER, OTHER), 0, (klass,), (line(klass),))
    none = limits_of(static(), 0, (klass,), (line(klass),))
    for port, (before, after) in enumerate(((own, none), (none, own)), 1000):
        called = Key(OTHER, 25, CLIENT, port), Key(OTHER, 25, CLIENT, port + 10)
        for each, limits in zip(called, (before, after), strict=True):
            box.set_limits(limits)
            for side, flags, seq, ack in (
                (Side.CLIENT, SYN, 100, 0),
                (Side.SERVER, SYN | ACK, 500, 101),
                (Side.CLIENT, ACK, 101, 501),
            ):
                assert crosses(box, Packet(each, side, flags, seq, ack)) is not DROP
        for each in called:
            assert box.states()[each] is State.ESTABLISHED
            for side, flags, seq, ack in (
                (Side.SERVER, ACK | FIN, 501, 101),
                (Side.CLIENT, ACK | FIN, 101, 502),
                (Side.SERVER, ACK, 502, 102),
            ):
                crosses(box, Packet(each, side, flags, seq, ack))
            assert each not in box.states()
