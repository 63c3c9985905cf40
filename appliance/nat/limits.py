"""Admission and the life of every connection, as a pure model: the specification of bpf/connlimit.bpf.c.

`ingress` is what the kernel's program does with a packet before the rules, `egress` what it does with one they let
through. Ingress only looks; places are taken and states change at egress, so that what was dropped between the two
has changed nothing. Counts are the table's own recount (nat/places.py): the oracle the kernel's locked counters are
tested against.

Rules: design section 2 (look at ingress, count at egress; WAITING; SYNPROXY's SYN adopted at egress), section 3 rows
14 (DEAD), 15 (max_conns), 16 (embryonic: TCP Intercept), 21 (the server opens nothing towards its client); asa.md 5.3
(`set connection`), 5.4, 5.5 (timeouts). Times are ns of whatever clock the caller passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
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
    Obstructed,
    Parties,
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
    obstructs,
    renumbered,
    skips,
    syn_again,
    turned,
)
from appliance.nat.places import Charge, Places, Row, Tuple
from appliance.nat.remembered import Remembered
from appliance.nat.static import End, Ends, Static, same_name
from appliance.nat.whereabouts import Whereabouts
from appliance.tcp.segment import ACK, FIN, RST, SYN
from appliance.tcp.seq import first_octet, to_seq

#: a limit that refuses is told of once in this time (ns), whatever a flood brings
TELL_EVERY = 1_000_000_000

#: how long (ns) the server may take to answer SYNPROXY before it is asked again
PATIENCE = 1_000_000_000

#: how long (ns) a cookie is good for, at most (Linux, net/ipv4/syncookies.c: 2 periods of 60 s)
COOKIE_AGE = 120_000_000_000

#: how long (ns) it is remembered that a SYN came in which has not left yet
NOTE_AGE = 10_000_000_000

_SECOND = 1_000_000_000

#: A SYN as it came in: sender, receiver, number.
_Note = tuple[End, End, int]


class Table:
    """The connections through a box with some limits; `interface` says behind which nameif an address is."""

    def __init__(self, limits: Limits, lifetimes: Mapping[State, int], interface: Mapping[IPv4Address, str]) -> None:
        self.lifetimes = lifetimes  # ns
        self.entries: dict[Tuple, Entry] = {}
        self.places = Places(self.entries)
        self.events: list[Event] = []
        self.told: dict[tuple[Ends | str, Limit], int] = {}  # when the last event spoke of it
        self.cookies: dict[Ends | None, int] = {}  # when a static gave one out last; None: all who have none
        self.notes: dict[_Note, tuple[int, Ends | None]] = {}  # SYNs on their way: since when, and the static called
        self.remembered = Remembered()
        self.where = Whereabouts(interface, self.remembered)
        self.set_limits(limits, 0)

    def set_limits(self, limits: Limits, now: int) -> list[Key]:
        """From now on these; the connections that end by it, for what their clients called is another static's.

        What else lives keeps its places, and joins its client's where its class limits those now.
        """
        self.limits = limits
        self.remembered.put(limits, self.entries.values())
        self.told = {row: when for row, when in self.told.items() if self.remembered.knows(row[0])}
        self.cookies = {at: when for at, when in self.cookies.items() if at is None or self.remembered.knows(at)}
        diverted = [entry for entry in self.entries.values() if self.remembered.diverts(entry)]
        for entry in diverted:
            self._end(entry, Ending.CLEARED, now)
        living = {each.identity: each for each in limits.classes}
        for entry in self.entries.values():
            limited = living.get(entry.limited.identity) if entry.limited and entry.state in JOINING else None
            entry.per_client |= bool(limited and limited.per_client)
        return [entry.key for entry in diverted]

    # packets

    def ingress(self, packet: Packet, now: int) -> Verdict:
        """A packet arrives: what is dropped before the rules see it, and what need not be inspected."""
        verdict = self._ingress(packet, now)
        if packet.opens and verdict is not Verdict.DROP and self._chooses(packet):
            called = self.where.static(packet.key) if packet.side is Side.CLIENT else self.where.of_client(packet)
            self.notes[self._note(packet)] = now, called.ends if called else None
        return verdict

    def _ingress(self, packet: Packet, now: int) -> Verdict:
        packet, entry = self._find(packet, leaving=False)
        if entry is not None and packet.side is Side.CLIENT and not self.where.calls(packet, entry):
            entry = None  # it calls its server by another address: the rules see to it
        if packet.opens:
            if entry is not None and packet.side is Side.SERVER:
                return Verdict.DROP
            return self._look(packet, entry, now)
        if entry is None:
            return self._cookie(packet, now) if packet.side is Side.CLIENT and packet.acknowledges else Verdict.PASS
        if entry.state is State.DEAD:
            self._server_lets_go(packet, entry)
            return Verdict.DROP
        if obstructs(entry, packet):
            if not entry.told:
                self._tell(Obstructed, entry.parties, packet.ack, packet.seq, now)
            entry.told = True
            return Verdict.DROP
        if entry.delta is not None and packet.side is Side.CLIENT:
            if entry.state in EMBRYONIC and packet.acknowledges:
                return Verdict.COOKIE  # SYNPROXY asks the server once more
            packet = as_server_counts(packet, entry.delta)
        return Verdict.SKIP if skips(entry, packet) else Verdict.PASS

    def egress(self, packet: Packet, now: int) -> Verdict:
        """A packet was let through: what it changes, and what is dropped after all."""
        noted = packet.opens and not packet.local and self._chooses(packet)
        since, called = self.notes.pop(self._note(packet), (now - NOTE_AGE, None)) if noted else (now, None)
        if now - since >= NOTE_AGE:
            return Verdict.DROP  # nobody saw it come in: it comes again
        packet, entry = self._find(packet, leaving=True)
        if entry is not None and packet.side is Side.SERVER and not self.where.calls(packet, entry):
            entry = None  # it leaves by another address than its client called
        static = self.remembered.static(called) if noted else self.where.leading_to(packet)
        if packet.local and not (packet.proxied and self.where.behind(packet.key.client)):
            self._our_own(packet, entry, now)
            passes = True
        elif packet.opens and packet.side is Side.CLIENT:
            passes = not (noted and _by_another_name(packet, entry, static)) and self._admit(packet, entry, static, now)
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
        entry = self._of(key)
        if entry is None or entry.state in (State.DEAD, State.WAITING):
            return False
        self._report(entry, Ending.INSPECTION, now)
        entry.state, entry.last = State.DEAD, now
        return True

    def release(self, key: Key) -> bool:
        """Inspection is done with the connection."""
        entry = self._of(key)
        if entry is None or entry.bypass:
            return False
        entry.bypass = True
        return True

    def clear(self, keys: Iterable[Key], now: int) -> int:
        """``clear conn``: how many there were."""
        found = [entry for key in keys if (entry := self._of(key))]
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
                self._tell(Unanswered, entry.parties, seq, ack, now)
                entry.told = False
        for entry in over:
            self._end(entry, expiry(entry.state), now)
            if entry.state is State.ESTABLISHED and entry.limited and self.remembered.current(entry.limited).resets:
                seq = to_seq(entry.next[Side.SERVER], entry.delta or 0)
                self._tell(Expired, entry.parties, seq, entry.next[Side.CLIENT], now)
        return len(over)

    def _lifetime(self, entry: Entry) -> int:
        limited = self.remembered.current(entry.limited) if entry.limited else None
        own = limited.lifetimes.get(entry.state) if limited else None
        return self.lifetimes[entry.state] if own is None else own * _SECOND

    # admission

    def _look(self, packet: Packet, entry: Entry | None, now: int) -> Verdict:
        """A SYN before the rules. One that is guarded and has waited takes its place here: conntrack knows it."""
        passes = Verdict.SKIP if packet.plain_syn else Verdict.PASS
        static = self.where.static(packet.key)
        if entry is None:
            if not self._guarded(packet, static):
                return passes
            row = self.places.reached(self._charge(packet, static))
            if row is None:
                return passes
            self._refuse(row, self.where.parties(packet, static), now)
            if not row.which.half_open or not packet.plain_syn:
                return Verdict.DROP
            self.cookies[static.ends if static else None] = now
            return Verdict.INTERCEPT
        if entry.state is State.WAITING and self._guarded(packet, static):
            return passes if self._take(packet, entry, static, now) else Verdict.DROP
        begun = entry.delta is not None and entry.state in EMBRYONIC  # what SYNPROXY has begun, it ends
        return Verdict.INTERCEPT if begun and packet.plain_syn else passes

    def _admit(self, packet: Packet, entry: Entry | None, static: Static | None, now: int) -> bool:
        """A SYN takes a place, or the one that the connection before it on its tuple still holds."""
        if entry is None or entry.state is State.WAITING:
            return self._take(packet, entry, static, now)
        if entry.state not in REPLACEABLE:
            syn_again(packet, entry, now)
            return True
        if entry.state is not State.DEAD:  # of which that was said when it died
            self._report(entry, Ending.REPLACED, now)
        parties = replace(entry.parties, beyond=packet.beyond)
        self._build(packet, parties, entry.static, entry.limited, entry.per_client, now)
        return True

    def _take(self, packet: Packet, entry: Entry | None, static: Static | None, now: int) -> bool:
        """Takes the places of a new connection, or none of them."""
        charge, parties = self._charge(packet, static), self.where.parties(packet, static)
        row = self.places.reached(charge, half_open=False)
        called = static.ends if static else None
        if row is None:
            limited = charge.limited
            self._build(packet, parties, called, limited, bool(limited and limited.per_client), now)
            return True
        self._refuse(row, parties, now)
        if packet.proxied:
            self._strand(parties, packet.ack, first_octet(packet.seq), now)
        elif entry is None and self._guarded(packet, static, self.where.server(packet)[0]):
            # conntrack knows it now, and SYNPROXY must not answer it
            waiting = fresh(packet, replace(parties, beyond=None), State.WAITING, now)
            waiting.static = called
            self.entries[self.where.ends(packet)] = waiting
        return False

    def _build(
        self,
        packet: Packet,
        parties: Parties,
        static: Ends | None,
        limited: LimitedClass | None,
        per_client: bool,
        now: int,
    ) -> None:
        entry = self.entries[self.where.ends(packet)] = fresh(packet, parties, State.SYN, now)
        entry.static, entry.limited, entry.per_client = static, limited, per_client
        self._tell(Built, parties, now)

    def _refuse(self, row: Row, parties: Parties, now: int) -> None:
        """A SYN has found a limit reached."""
        told = self.told.get((row.whose, row.which))
        if told is None or now - told >= TELL_EVERY:
            self.told[row.whose, row.which] = now
            self._tell(Refused, parties, row.which, row.count, row.limit, now)

    def _cookie(self, packet: Packet, now: int) -> Verdict:
        """An ACK that may bring a cookie back; none is valid for longer than `COOKIE_AGE`."""
        static = self.where.static(packet.key)
        given = self.cookies.get(static.ends if static else None)
        if given is None or now - given >= COOKIE_AGE or not self._guarded(packet, static):
            return Verdict.PASS
        return Verdict.FULL if self.places.full(self._charge(packet, static)) else Verdict.COOKIE

    def _guarded(self, packet: Packet, static: Static | None, to: IPv4Address | None = None) -> bool:
        """Whether TCP Intercept answers a SYN at a limit: to a static, or to a host by its own address where the way
        there is one for that and the class limits half-open connections. `to` is it; else as it is called."""
        limited, called = self._class(packet), to or self.where.called(packet)[0]
        way = self.where.behind(packet.key.client), self.where.behind(called)
        return static is not None or bool(limited and limited.intercepts and way in self.limits.ways)

    def _limited(self, packet: Packet) -> bool:
        """Whether a SYN-ACK to nobody would open a connection that is not counted where some are."""
        static = self.where.static(packet.key) if packet.side is Side.SERVER else None
        return static is not None and bool(self.limits.rules or static.max_conns or static.max_embryonic)

    def _charge(self, packet: Packet, static: Static | None) -> Charge:
        return Charge(static, self._class(packet), self.where.server(packet)[0], packet.key.client)

    def _class(self, packet: Packet) -> LimitedClass | None:
        key, (server, port) = packet.key, self.where.server(packet)
        crossed = frozenset({self.where.behind(key.client), self.where.behind(server)})
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
        del self.entries[frozenset({entry.server, entry.client})]

    def _end(self, entry: Entry, ending: Ending, now: int) -> None:
        self._remove(entry)
        if entry.state not in (State.WAITING, State.DEAD):
            self._report(entry, ending, now)
        # the server never answered, and the client knows nothing of it
        if entry.delta is not None and entry.state in EMBRYONIC and ending in (Ending.SYN_TIMEOUT, Ending.CLEARED):
            self._strand(entry.parties, entry.delta, entry.next[Side.CLIENT], now)

    def _strand(self, of: Parties, cookie: int, ack: int, now: int) -> None:
        self._tell(Stranded, of, first_octet(cookie), ack, now)

    def _report(self, entry: Entry, ending: Ending, now: int) -> None:
        self._tell(TornDown, entry.parties, ending, entry.started, now, entry.octets)

    def _tell(self, kind: Callable[..., Event], of: Parties, *rest: object) -> None:
        self.events.append(kind(of.key, of.real, *rest, real_port=of.real_port, beyond=of.beyond))

    # who is who

    def _find(self, packet: Packet, *, leaving: bool) -> tuple[Packet, Entry | None]:
        """The packet's entry, and the packet as of that connection; one that opens a connection is its client's.

        Beyond a translation that was chosen an entry is known by what its last SYN was called there; a SYN that leaves
        is known from where it came in.
        """
        entry = self.entries.get(self.where.ends(packet))
        noted = leaving and packet.opens and not packet.local
        servers_side = (packet.side is Side.CLIENT) == leaving
        if packet.beyond and servers_side and not noted:
            entry = entry if entry is not None and entry.parties.beyond == packet.beyond else None
        if packet.place and not servers_side and not noted:
            entry = entry if entry is not None and entry.key == packet.key and not entry.static else None
        if entry is not None:
            ours = (entry.key.client, entry.key.client_port) == (packet.key.client, packet.key.client_port)
            return (packet if ours else turned(packet, entry.key)), entry
        named = self.where.of_client(packet)
        if not (packet.side is Side.SERVER if packet.opens else named):
            return packet, None
        client = packet.key.client, packet.key.client_port
        mapped = named.called(client[1]) if named else client
        return turned(packet, Key(*mapped, *self.where.server(packet))), None

    def _chooses(self, packet: Packet) -> bool:
        """Whether the packet comes from where some translation is chosen."""
        return self.where.behind(self._note(packet)[0][0]) in self.limits.choosing

    def _note(self, packet: Packet) -> _Note:
        client, called = (packet.key.client, packet.key.client_port), (packet.key.mapped, packet.key.port)
        if packet.side is Side.SERVER:
            return self.where.server(packet), client, packet.seq
        return client, called, packet.seq

    def _of(self, key: Key) -> Entry | None:
        """The connection that is known as `key`."""
        return next((each for each in self.entries.values() if each.key == key), None)


def _by_another_name(packet: Packet, entry: Entry | None, static: Static | None) -> bool:
    """Whether a SYN to `static` has the tuple of a connection by another name of its server, which holds the place."""
    if entry is None or entry.state is State.WAITING:
        return False
    called = not entry.static and (entry.key.mapped, entry.key.port) != entry.parties.server
    return not same_name(entry.static, static.ends if static else None) or called != bool(packet.place)
