"""Admission and the life of every connection, as a pure model: the specification of bpf/connlimit.bpf.c.

`ingress` is what the kernel's program does with a packet before the rules, `egress` what it does with one they let
through. Ingress only looks; places are taken and states change at egress, so that what was dropped between the two
has changed nothing. The model keeps no count: a place is taken by an entry that holds one, and the counts are the
table's own recount. That makes it the oracle the kernel's locked counters are tested against.

Rules: design section 2 (look at ingress, count at egress; WAITING; SYNPROXY's SYN adopted at egress), section 3 rows
14 (DEAD), 15 (max_conns), 16 (embryonic: TCP Intercept), 21 (the server opens nothing towards its client); asa.md 5.3
(`set connection`), 5.4, 5.5 (timeouts). Times are ns of whatever clock the caller passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import IPv4Address

from appliance.flow import Side
from appliance.nat.classes import LimitedClass, Limits, Opening, limited_class
from appliance.nat.connection import (
    Built,
    Ending,
    Event,
    Expired,
    Key,
    Limit,
    Refused,
    State,
    Stranded,
    TornDown,
    Unanswered,
)
from appliance.nat.machine import (
    EMBRYONIC,
    JOINING,
    REPLACEABLE,
    Entry,
    Packet,
    Verdict,
    as_server_counts,
    behind_fin,
    book,
    expiry,
    fresh,
    renumbered,
    skips,
    syn_again,
    turned,
)
from appliance.nat.static import End, Names, Static
from appliance.tcp.segment import ACK, FIN, RST, SYN
from appliance.tcp.seq import first_octet, to_seq

#: a limit that refuses is told of once in this time (ns), whatever a flood brings
TELL_EVERY = 1_000_000_000

#: how long (ns) the server may take to answer SYNPROXY before it is asked again
PATIENCE = 1_000_000_000

_SECOND = 1_000_000_000

_Row = tuple[Limit, object, int, int]

#: What an entry is found by: its two ends, real addresses, in no order.
Tuple = frozenset[End]


def lifetimes(conn: int, half_closed: int, embryonic: int, handshake: int) -> dict[State, int]:
    """How long an entry lives in each state: since the SYN while embryonic, else since its last packet.

    All in the same unit. `handshake` is how long conntrack remembers a SYN that got no answer.
    """
    return {
        State.SYN: embryonic,
        State.SYN_ACK: embryonic,
        State.ESTABLISHED: conn,
        State.HALF_CLOSED: half_closed,
        State.CLOSING: half_closed,
        State.DEAD: half_closed,
        State.WAITING: handshake,
    }


class Table:
    """The connections through a box with some limits; `interface` says behind which nameif an address is."""

    def __init__(self, limits: Limits, lifetimes: Mapping[State, int], interface: Mapping[IPv4Address, str]) -> None:
        self.lifetimes = lifetimes  # ns
        self.interface = interface
        self.entries: dict[Tuple, Entry] = {}
        self.events: list[Event] = []
        self.told: dict[tuple[object, Limit], int] = {}  # when the last event spoke of it
        self.classes: dict[str, LimitedClass] = {}  # as each was last, those that are gone too
        self.notes: set[tuple[End, End, int]] = set()  # SYNs that came in: sender, receiver, number
        self.set_limits(limits)

    def set_limits(self, limits: Limits) -> None:
        """From now on these; what lives keeps its places, and joins its client's where its class limits those now.

        Statics are not taken away.
        """
        self.limits = limits
        now = {each.identity: each for each in limits.classes}
        self.classes |= now
        for entry in self.entries.values():
            limited = now.get(entry.limited.identity) if entry.limited and entry.state in JOINING else None
            entry.per_client |= bool(limited and limited.per_client)
        self.names = Names(limits.statics)

    # the recount

    def total(self, name: End) -> int:
        """Places taken at the static `name`; DEAD connections hold theirs, WAITING ones have none."""
        return sum(each.static == name for each in self.entries.values())

    def embryonic(self, name: End) -> int:
        """Half-open connections at the static `name`."""
        return sum(each.static == name and each.state in EMBRYONIC for each in self.entries.values())

    def to_server(self, limited: LimitedClass, server: IPv4Address) -> tuple[int, int]:
        """Connections of a class to the real address `server`, and half-open ones."""
        return _both(each for each in self._of(limited) if self._real(each.key)[0] == server)

    def from_client(self, limited: LimitedClass, client: IPv4Address) -> tuple[int, int]:
        """Connections of a class that are counted among those from `client`, and half-open ones."""
        return _both(each for each in self._of(limited) if each.per_client and each.key.client == client)

    def _of(self, limited: LimitedClass) -> Iterator[Entry]:
        return (each for each in self.entries.values() if each.limited and each.limited.identity == limited.identity)

    # packets

    def ingress(self, packet: Packet, now: int) -> Verdict:
        """A packet arrives: what is dropped before the rules see it, and what need not be inspected."""
        verdict = self._ingress(packet, now)
        if packet.opens and verdict is not Verdict.DROP and self._chooses(packet):
            self.notes.add(self._note(packet))
        return verdict

    def _ingress(self, packet: Packet, now: int) -> Verdict:
        packet, entry = self._find(packet, leaving=False)
        if entry is not None and packet.side is Side.CLIENT and _called(packet.key) != _called(entry.key):
            entry = None  # it calls its server by another address: the rules see to it
        if packet.opens:
            if entry is not None and packet.side is Side.SERVER:
                return Verdict.DROP
            return self._look(packet, entry, now)
        if entry is None:
            cookie = packet.side is Side.CLIENT and packet.acknowledges
            return Verdict.FULL if cookie and self._full(packet) else Verdict.PASS
        if entry.state is State.DEAD:
            self._server_lets_go(packet, entry)
            return Verdict.DROP
        if entry.delta is not None and packet.side is Side.CLIENT:
            packet = as_server_counts(packet, entry.delta)
        return Verdict.SKIP if skips(entry, packet) else Verdict.PASS

    def egress(self, packet: Packet, now: int) -> Verdict:
        """A packet was let through: what it changes, and what is dropped after all."""
        if packet.opens and not packet.local and self._chooses(packet) and self._note(packet) not in self.notes:
            return Verdict.DROP  # nobody saw it come in: it comes again
        packet, entry = self._find(packet, leaving=True)
        if entry is not None and packet.side is Side.SERVER and _called(packet.key) != _called(entry.key):
            return Verdict.PASS
        if packet.local and not (packet.proxied and self._static(packet.key)):
            self._our_own(packet, entry, now)
            passes = True
        elif packet.opens and packet.side is Side.CLIENT:
            passes = self._admit(packet, entry, now)
        elif entry is None:
            passes = not (packet.flags & SYN and packet.flags & ACK and self._limited(packet))
        elif packet.opens:
            passes = False
        elif entry.state is State.DEAD:
            self._server_lets_go(packet, entry)
            passes = False
        else:
            if packet.side is Side.SERVER and entry.delta is not None:
                packet = renumbered(packet, entry) if packet.flags & RST else packet
                packet = as_server_counts(packet, entry.delta)
            passes = not behind_fin(entry, packet)
            ending = book(packet, entry, now) if passes and entry.state is not State.WAITING else None
            if ending is not None:
                self._end(entry, ending, now)
        return Verdict.PASS if passes else Verdict.DROP

    # what it is asked to do

    def kill(self, key: Key, now: int) -> bool:
        """Inspection closes the connection: it is DEAD, and reported as over."""
        entry = self.entries.get(self._tuple(key))
        if entry is None or entry.state in (State.DEAD, State.WAITING):
            return False
        self._report(entry, Ending.INSPECTION, now)
        entry.state, entry.last = State.DEAD, now
        return True

    def release(self, key: Key) -> bool:
        """Inspection is done with the connection."""
        entry = self.entries.get(self._tuple(key))
        if entry is None or entry.bypass:
            return False
        entry.bypass = True
        return True

    def clear(self, keys: Iterable[Key], now: int) -> int:
        """``clear conn``: how many there were."""
        found = [entry for key in keys if (entry := self.entries.get(self._tuple(key)))]
        for entry in found:
            self._end(entry, Ending.CLEARED, now)
        return len(found)

    def sweep(self, now: int) -> int:
        """End what has outlived its state: how many. Tells of servers that have not answered SYNPROXY."""
        over = []
        for entry in self.entries.values():
            since = entry.started if entry.state in EMBRYONIC else entry.last
            if now - since >= self._lifetime(entry):
                over.append(entry)
            elif entry.state is State.SYN and entry.delta is not None and now - since >= PATIENCE:
                seq, ack = first_octet(entry.delta), entry.next[Side.CLIENT]
                self.events.append(self._event(Unanswered, entry, seq, ack, now))
        for entry in over:
            self._end(entry, expiry(entry.state), now)
            if entry.state is State.ESTABLISHED and entry.limited and self.classes[entry.limited.identity].resets:
                seq = to_seq(entry.next[Side.SERVER], entry.delta or 0)
                self.events.append(self._event(Expired, entry, seq, entry.next[Side.CLIENT], now))
        return len(over)

    def _lifetime(self, entry: Entry) -> int:
        limited = self.classes[entry.limited.identity] if entry.limited else None
        own = limited.lifetimes.get(entry.state) if limited else None
        return self.lifetimes[entry.state] if own is None else own * _SECOND

    # admission

    def _look(self, packet: Packet, entry: Entry | None, now: int) -> Verdict:
        """A SYN before the rules. One to a static that has waited takes its place here: conntrack knows it."""
        passes = Verdict.SKIP if packet.plain_syn else Verdict.PASS
        if entry is None:
            if self._static(packet.key) is None:
                return passes
            match self._reached(packet, self._class(packet), now):
                case None:
                    return passes
                case limit if limit.half_open and packet.plain_syn:
                    return Verdict.INTERCEPT
                case _:
                    return Verdict.DROP
        if entry.state is State.WAITING and self._static(packet.key):
            admitted = self._take(packet, entry, self._class(packet), now)
            return passes if admitted else Verdict.DROP
        begun = entry.delta is not None and entry.state in EMBRYONIC  # what SYNPROXY has begun, it ends
        return Verdict.INTERCEPT if begun and packet.plain_syn else passes

    def _admit(self, packet: Packet, entry: Entry | None, now: int) -> bool:
        """A SYN takes a place, or the one that the connection before it on its tuple still holds."""
        if entry is None or entry.state is State.WAITING:
            return self._take(packet, entry, self._class(packet), now)
        if entry.state not in REPLACEABLE:
            syn_again(packet, entry, now)
            return True
        if entry.state is not State.DEAD:  # of which that was said when it died
            self._report(entry, Ending.REPLACED, now)
        self._build(packet, entry.static, entry.limited, entry.per_client, now)
        return True

    def _take(self, packet: Packet, entry: Entry | None, limited: LimitedClass | None, now: int) -> bool:
        """Takes the places of a new connection, or none of them."""
        static = self._static(packet.key)
        if self._reached(packet, limited, now, half_open=False) is None:
            self._build(packet, static.name if static else None, limited, bool(limited and limited.per_client), now)
            return True
        if packet.proxied:
            self._strand(packet, packet.ack, first_octet(packet.seq), now)
        elif entry is None:
            self.entries[self._tuple(packet.key)] = fresh(packet, State.WAITING, now)
        return False

    def _build(
        self, packet: Packet, static: End | None, limited: LimitedClass | None, per_client: bool, now: int
    ) -> None:
        entry = fresh(packet, State.SYN, now)
        entry.static, entry.limited, entry.per_client = static, limited, per_client
        entry.beyond = packet.beyond
        self.entries[self._tuple(packet.key)] = entry
        self.events.append(self._event(Built, packet, now))

    def _reached(self, packet: Packet, limited: LimitedClass | None, now: int, half_open: bool = True) -> Limit | None:
        """The limit that has no room for one more, told as an event; those of all connections are asked first."""
        rows = list(self._rows(packet.key, limited))
        for which, whose, count, limit in sorted(rows, key=lambda row: row[0].half_open):
            if limit and count >= limit and (half_open or not which.half_open):
                told = self.told.get((whose, which))
                if told is None or now - told >= TELL_EVERY:
                    self.told[whose, which] = now
                    self.events.append(self._event(Refused, packet, which, count, limit, now))
                return which
        return None

    def _rows(self, key: Key, limited: LimitedClass | None) -> Iterator[_Row]:
        """Each limit of a connection: which, whose, the places taken, and how many there are."""
        static = self._static(key)
        rows = (*self._of_static(static), *self._of_class(key, limited))
        own = static is not None and static.own
        return (row for row in rows if not (own and row[0].half_open))

    def _of_static(self, static: Static | None) -> Iterator[_Row]:
        if static is not None:
            yield Limit.MAX_CONNS, static.name, self.total(static.name), static.max_conns
            yield Limit.EMBRYONIC, static.name, self.embryonic(static.name), static.max_embryonic

    def _of_class(self, key: Key, limited: LimitedClass | None) -> Iterator[_Row]:
        if limited is not None:
            total, embryonic = self.to_server(limited, self._real(key)[0])
            yield Limit.MAX_CONNS, limited.identity, total, limited.max_conns
            yield Limit.EMBRYONIC, limited.identity, embryonic, limited.max_embryonic
            total, embryonic = self.from_client(limited, key.client)
            yield Limit.CLIENT_MAX, limited.identity, total, limited.client_max
            yield Limit.CLIENT_EMBRYONIC, limited.identity, embryonic, limited.client_embryonic

    def _full(self, packet: Packet) -> bool:
        """Whether a cookie that comes back now would find no place."""
        rows = list(self._rows(packet.key, self._class(packet))) if self._static(packet.key) else []
        intercepts = any(limit for which, _, _, limit in rows if which.half_open)
        return intercepts and any(limit and count >= limit for which, _, count, limit in rows if not which.half_open)

    def _limited(self, packet: Packet) -> bool:
        """Whether a SYN-ACK to nobody would open a connection that is not counted where some are."""
        static = self._static(packet.key) if packet.side is Side.SERVER else None
        return static is not None and bool(self.limits.rules or static.max_conns or static.max_embryonic)

    def _class(self, packet: Packet) -> LimitedClass | None:
        key, (server, port) = packet.key, self._real(packet.key)
        crossed = frozenset({self.interface[key.client], self.interface[server]})
        return limited_class(self.limits.rules, Opening(key.client, key.client_port, server, port, crossed))

    # the life of an entry

    def _our_own(self, packet: Packet, entry: Entry | None, now: int) -> None:
        """The firewall's own packet, but for SYNPROXY's SYN: SYNPROXY's ACK establishes what its SYN began."""
        if entry is None or packet.side is Side.SERVER:
            return
        if packet.flags & (FIN | RST) and entry.state is State.DEAD and not packet.opens:
            self._remove(entry)
        begun = entry.delta is not None and entry.state in EMBRYONIC and packet.seq == entry.next[Side.CLIENT]
        if begun and entry.delta is not None and packet.acknowledges:
            entry.state, entry.last = State.ESTABLISHED, now
            entry.next[Side.SERVER] = entry.acked[Side.CLIENT] = packet.ack
            entry.delta = to_seq(entry.delta - (packet.ack - 1), 0)

    def _server_lets_go(self, packet: Packet, entry: Entry) -> None:
        """A FIN or RST of the server gives a DEAD connection's place back (row 14)."""
        if packet.side is Side.SERVER and packet.flags & (FIN | RST):
            self._remove(entry)

    def _remove(self, entry: Entry) -> None:
        del self.entries[self._tuple(entry.key)]

    def _end(self, entry: Entry, ending: Ending, now: int) -> None:
        self._remove(entry)
        if entry.state not in (State.WAITING, State.DEAD):
            self._report(entry, ending, now)
        # the server never answered, and the client knows nothing of it
        if entry.delta is not None and entry.state in EMBRYONIC and ending in (Ending.SYN_TIMEOUT, Ending.CLEARED):
            self._strand(entry, entry.delta, entry.next[Side.CLIENT], now)

    def _strand(self, of: Packet | Entry, cookie: int, ack: int, now: int) -> None:
        self.events.append(self._event(Stranded, of, first_octet(cookie), ack, now))

    def _report(self, entry: Entry, ending: Ending, now: int) -> None:
        self.events.append(self._event(TornDown, entry, ending, entry.started, now, entry.octets))

    def _event(self, kind: Callable[..., Event], of: Packet | Entry, *rest: object) -> Event:
        real, port = self._real(of.key)
        return kind(of.key, real, *rest, real_port=port, beyond=of.beyond)

    # who is who

    def _find(self, packet: Packet, *, leaving: bool) -> tuple[Packet, Entry | None]:
        """The packet's entry, and the packet as of that connection; one that opens a connection is its client's.

        Beyond a translation that was chosen an entry is known by what its last SYN was called there; a SYN that leaves
        is known from where it came in.
        """
        entry = self.entries.get(self._tuple(packet.key))
        noted = leaving and packet.opens and not packet.local
        if packet.beyond and (packet.side is Side.CLIENT) == leaving and not noted:
            entry = entry if entry is not None and entry.beyond == packet.beyond else None
        if entry is not None:
            ours = (entry.key.client, entry.key.client_port) == (packet.key.client, packet.key.client_port)
            return (packet if ours else turned(packet, entry.key)), entry
        server, client = self._real(packet.key), (packet.key.client, packet.key.client_port)
        mapped = self.names.mapped(self.interface[server[0]], *client)
        other_way = packet.side is Side.SERVER if packet.opens else mapped != client
        return (turned(packet, Key(*mapped, *server)) if other_way else packet), None

    def _chooses(self, packet: Packet) -> bool:
        """Whether the packet comes from where some translation is chosen."""
        return self.interface[self._note(packet)[0][0]] in self.limits.choosing

    def _note(self, packet: Packet) -> tuple[End, End, int]:
        server, client = self._real(packet.key), (packet.key.client, packet.key.client_port)
        return (client, server, packet.seq) if packet.side is Side.CLIENT else (server, client, packet.seq)

    def _tuple(self, key: Key) -> Tuple:
        return frozenset({self._real(key), (key.client, key.client_port)})

    def _real(self, key: Key) -> End:
        return self.names.real(key.mapped, key.port)

    def _static(self, key: Key) -> Static | None:
        return self.names.called(key.mapped, key.port)


def _called(key: Key) -> End:
    return key.mapped, key.port


def _both(entries: Iterable[Entry]) -> tuple[int, int]:
    found = list(entries)
    return len(found), sum(each.state in EMBRYONIC for each in found)
