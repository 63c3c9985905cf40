"""Mutants of what limits connections outside the kernel's program: the model, its loader, and what is told and shown.

The model is the program's oracle, so a rule that it breaks unnoticed could be broken in both.
"""

from __future__ import annotations

from tests.mutants.mutants import Mutant

WHEREABOUTS = "appliance/nat/whereabouts.py"
MODEL = "appliance/nat/limits.py"
PLACES = "appliance/nat/places.py"
REMEMBERED = "appliance/nat/remembered.py"
MACHINE = "appliance/nat/machine.py"
CLASSES = "appliance/nat/classes.py"
ATTACKS = "appliance/nat/attacks.py"
LOADER = "appliance/kernel/bpf.py"
ENTRIES = "appliance/kernel/bpf_entries.py"
MAPS = "appliance/kernel/bpf_limits.py"
PINS = "appliance/kernel/bpf_pins.py"
FORGETTING = "appliance/kernel/conntrack.py"
TOLD = "appliance/syslog/connections.py"
DENIED = "appliance/syslog/denied.py"
BOOKS = "appliance/daemon/books.py"
RECORDS = "appliance/daemon/records.py"
HOSTS = "appliance/daemon/hosts.py"
USES = "appliance/daemon/translations.py"
CONNECTIONS = "appliance/show/connections.py"
LOCAL_HOSTS = "appliance/show/local_hosts.py"
POLICIES = "appliance/show/policies.py"
THREATS = "appliance/show/threats.py"
TRANSLATIONS = "appliance/show/translations.py"

OF_MODEL = ("tests/nat",)
OF_LOADER = (
    "tests/bpf/test_rules.py",
    "tests/bpf/test_frames.py",
    "tests/bpf/test_program.py",
    "tests/bpf/test_network.py",
)
OF_STATICS = ("tests/bpf/test_statics.py", "tests/bpf/test_program.py")
OF_CONNTRACK = ("tests/kernel/test_conntrack.py",)
OF_RECORDS = (
    "tests/syslog/test_catalogue.py",
    "tests/daemon/test_books.py",
    "tests/daemon/test_records.py",
    "tests/daemon/test_hosts.py",
    "tests/daemon/test_translations.py",
)
OF_SHOW = ("tests/show", "tests/cli/test_format.py")


def _model(rule: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(f"model: {rule}", file, old, new, OF_MODEL)


def _loader(rule: str, file: str, old: str, new: str, tests: tuple[str, ...] = OF_LOADER) -> Mutant:
    return Mutant(f"loader: {rule}", file, old, new, tests)


def _told(rule: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(f"told: {rule}", file, old, new, OF_RECORDS)


def _shown(rule: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(f"shown: {rule}", file, old, new, OF_SHOW)


_MODEL = (
    _model(
        "half-open until the client's ACK", MACHINE, "frozenset({State.SYN, State.SYN_ACK})", "frozenset({State.SYN})"
    ),
    _model(
        "a SYN again changes nothing",
        MACHINE,
        "if entry.next[Side.CLIENT] != first_octet(packet.seq) or packet.proxied:",
        "if packet.opens:",
    ),
    _model(
        "another SYN begins the handshake anew",
        MACHINE,
        "if entry.next[Side.CLIENT] != first_octet(packet.seq) or packet.proxied:",
        "if packet.proxied:",
    ),
    _model(
        "a SYN-ACK of another SYN is none",
        MACHINE,
        "        if packet.ack == entry.next[Side.CLIENT]:\n",
        "        if packet.flags:\n",
    ),
    _model(
        "a SYN-ACK is the server's",
        MACHINE,
        "if packet.side is Side.SERVER and bits == SYN | ACK and entry",
        "if bits == SYN | ACK and entry",
    ),
    _model(
        "only the ACK of the server's number establishes",
        MACHINE,
        "bits == ACK and packet.ack == entry.next[Side.SERVER]",
        "bits == ACK",
    ),
    _model(
        "no ACK before the SYN-ACK establishes",
        MACHINE,
        "if mine and entry.state is State.SYN_ACK:",
        "if mine and entry.state in EMBRYONIC:",
    ),
    _model("the server's ACK does not establish", MACHINE, "mine = packet.side is Side.CLIENT and bits", "mine = bits"),
    _model(
        "octets of a half-open connection are not counted",
        MACHINE,
        "if packet.flags & SYN or entry.state in EMBRYONIC:\n        return None",
        "if packet.flags & SYN:\n        return None",
    ),
    _model(
        "one FIN is half a close",
        MACHINE,
        "State.CLOSING if len(entry.fin) == 2 else State.HALF_CLOSED",
        "State.CLOSING",
    ),
    _model(
        "a FIN again is one FIN",
        MACHINE,
        "_ahead(end, entry.next[side]) > 0 and side not in entry.fin:",
        "_ahead(end, entry.next[side]) > 0:",
    ),
    _model(
        "both FINs are acknowledged",
        MACHINE,
        "all(entry.acked[side] == entry.next[side.peer] for side in Side)",
        "any(entry.acked[side] == entry.next[side.peer] for side in Side)",
    ),
    _model("acknowledgments do not go back", MACHINE, "        and _ahead(packet.ack, entry.acked[side]) > 0\n", ""),
    _model(
        "nothing unsent is acknowledged", MACHINE, "        and _ahead(entry.next[side.peer], packet.ack) >= 0\n", ""
    ),
    _model(
        "what is sent again moves no number",
        MACHINE,
        "if end != packet.seq and _ahead(end, entry.next[side]) > 0 and",
        "if end != packet.seq and",
    ),
    _model("octets are added up", MACHINE, "entry.octets += packet.payload", "entry.octets = packet.payload"),
    _model(
        "octets before a FIN may come again",
        MACHINE,
        "_ahead(end, entry.next[packet.side]) > 0\n\n\ndef lifetimes",
        "_ahead(end, entry.next[packet.side]) >= 0\n\n\ndef lifetimes",
    ),
    _model(
        "a reset ends at the expected number alone",
        MACHINE,
        "return packet.seq in (entry.next[packet.side], entry.acked[packet.side.peer])",
        "return True",
    ),
    _model(
        "a reset at what the peer expects is obeyed",
        MACHINE,
        "(entry.next[packet.side], entry.acked[packet.side.peer])",
        "(entry.next[packet.side],)",
    ),
    _model(
        "a reset behind all that was sent is obeyed",
        MACHINE,
        "(entry.next[packet.side], entry.acked[packet.side.peer])",
        "(entry.acked[packet.side.peer],)",
    ),
    _model(
        "a reset with its FIN's own number is obeyed",
        MACHINE,
        "to_seq(1, packet.seq) == entry.next[packet.side]:\n        return True",
        "to_seq(1, packet.seq) == entry.next[packet.side]:\n        return False",
    ),
    _model(
        "a server refuses with the client's number",
        MACHINE,
        "return bool(packet.flags & ACK) and packet.ack == entry.next[Side.CLIENT]",
        "return bool(packet.flags & ACK)",
    ),
    _model(
        "a SYN-ACK is never skipped",
        MACHINE,
        "not packet.whole or packet.flags & SYN:\n        return False",
        "not packet.whole:\n        return False",
    ),
    _model(
        "one pure ACK in 64 KiB is queued",
        MACHINE,
        "entry.bypass or (packet.pure_ack and same)",
        "entry.bypass or packet.pure_ack",
    ),
    _model(
        "an end out of turn is queued",
        MACHINE,
        " or packet.seq != entry.next[packet.side]:\n        return False",
        ":\n        return False",
    ),
    _model("another connection on a released tuple is inspected", MACHINE, "entry.bypass = False", "pass"),
    _model(
        "a half-closed connection times out as one",
        MACHINE,
        "Ending.IDLE_TIMEOUT if state is State.ESTABLISHED else Ending.FIN_TIMEOUT",
        "Ending.IDLE_TIMEOUT",
    ),
    _model(
        "a SYN replaces a closing connection",
        MACHINE,
        "REPLACEABLE = frozenset({State.CLOSING, State.DEAD})",
        "REPLACEABLE = frozenset({State.DEAD})",
    ),
    _model(
        "a SYN replaces a dead connection",
        MACHINE,
        "REPLACEABLE = frozenset({State.CLOSING, State.DEAD})",
        "REPLACEABLE = frozenset({State.CLOSING})",
    ),
    _model("a limit admits no one more", PLACES, "self.count >= self.limit)", "self.count > self.limit)"),
    _model("0 is no limit", PLACES, "bool(self.limit and self.count", "bool(self.count"),
    _model(
        "a limit of all goes before one of half-open ones",
        PLACES,
        "key=lambda row: row.which.half_open)",
        "key=lambda row: not row.which.half_open)",
    ),
    _model(
        "the embryonic limit is not asked at egress",
        MODEL,
        "self.places.reached(charge, half_open=False)",
        "self.places.reached(charge)",
    ),
    _model(
        "a dead connection holds its place",
        PLACES,
        "return sum(each.static == static for each in self._holders())",
        "return sum(each.static == static and each.state is not State.DEAD for each in self._holders())",
    ),
    _model(
        "who waits has no place",
        PLACES,
        "self._entries.values() if each.state is not State.WAITING)",
        "self._entries.values())",
    ),
    _model(
        "each client has its own places",
        PLACES,
        "if each.per_client and each.key.client == client)",
        "if each.per_client)",
    ),
    _model("each server has its own places", PLACES, "if each.server[0] == server)", "if each.key)"),
    _model(
        "of refusals one a second is told", MODEL, "if told is None or now - told >= TELL_EVERY:", "if told is None:"
    ),
    _model("a flood is told of once", MODEL, "if told is None or now - told >= TELL_EVERY:", "if now >= 0:"),
    _model(
        "only a plain SYN is intercepted",
        MODEL,
        "if not row.which.half_open or not packet.plain_syn:",
        "if not row.which.half_open:",
    ),
    _model(
        "a connection of both ends' SYNs is refused",
        MODEL,
        "if entry is not None and packet.side is Side.SERVER:\n                return Verdict.DROP",
        "if entry is not None and packet.side is Side.SERVER:\n                return Verdict.PASS",
    ),
    _model(
        "a waiting SYN takes its place at ingress",
        MODEL,
        "if entry.state is State.WAITING and self._guarded(packet, static):",
        "if entry.state is State.CLOSED:",
    ),
    _model(
        "what SYNPROXY has begun, it ends",
        MODEL,
        "Verdict.INTERCEPT if begun and packet.plain_syn else passes",
        "passes",
    ),
    _model("SYNPROXY's ACK has the client's number", MODEL, " and packet.seq == entry.next[Side.CLIENT]\n", "\n"),
    _model(
        "SYNPROXY's SYN does not wait",
        MODEL,
        "        if packet.proxied:\n            self._strand",
        "        if packet.side is Side.SERVER:\n            self._strand",
    ),
    _model(
        "the server gives a dead place back",
        MODEL,
        "if packet.side is Side.SERVER and packet.flags & (FIN | RST):",
        "if packet.side is Side.SERVER and packet.flags & RST:",
    ),
    _model(
        "killed once",
        MODEL,
        "if entry is None or entry.state in (State.DEAD, State.WAITING):",
        "if entry is None or entry.state is State.WAITING:",
    ),
    _model(
        "what replaces a dead connection says no end",
        MODEL,
        "if entry.state is not State.DEAD:  # of which",
        "if entry.state is not State.CLOSED:  # of which",
    ),
    _model(
        "what waited is no connection that ends",
        MODEL,
        "if entry.state not in (State.WAITING, State.DEAD):",
        "if entry.state is not State.DEAD:",
    ),
    _model(
        "a half-open connection's time is from its SYN",
        MODEL,
        "since = entry.started if entry.state in EMBRYONIC else entry.last",
        "since = entry.last",
    ),
    _model(
        "a class has its own times",
        MODEL,
        "return self.lifetimes[entry.state] if own is None else own * _SECOND",
        "return self.lifetimes[entry.state]",
    ),
    _model(
        "a class guards on some ways alone",
        MODEL,
        "limited.intercepts and way in self.limits.ways",
        "limited.intercepts",
    ),
    _model(
        "and by its embryonic limits alone",
        MODEL,
        "bool(limited and limited.intercepts and way in self.limits.ways)",
        "way in self.limits.ways",
    ),
    _model(
        "a host that is called by its own address is guarded",
        MODEL,
        "return static is not None or bool(limited and",
        "return static is not None and bool(limited and",
    ),
    _model(
        "a SYN-ACK to nobody is dropped where there are limits",
        MODEL,
        "static.max_conns or static.max_embryonic)",
        "static.max_conns)",
    ),
    _model("a line that denies leads on", CLASSES, "at = rule.otherwise", "at += 1"),
    _model(
        "all ports but these", CLASSES, "(self.low <= port <= self.high) != self.but", "self.low <= port <= self.high"
    ),
    _model(
        "an interface's policy is of what crosses it",
        CLASSES,
        "(self.interface is None or self.interface in packet.interfaces)",
        "(packet.interfaces is not None)",
    ),
    _model(
        "an attack is traced by server",
        ATTACKS,
        "self._latest[next((name for name in names if name in self._counted), None)] = server",
        "self._latest.setdefault((server.mapped, 0), server)",
    ),
    _model(
        "a burst is of the last sample",
        ATTACKS,
        "return trace.samples[0] * _SECOND // self._period",
        "return trace.samples[-1] * _SECOND // self._period",
    ),
    _model(
        "the average is of the window",
        ATTACKS,
        "burst, average = self._rate(trace), trace.total // self._window",
        "burst, average = self._rate(trace), self._rate(trace)",
    ),
    _model(
        "what was before is no attack",
        ATTACKS,
        "before = self._counted.setdefault(name, count)",
        "before = self._counted.get(name, 0)",
    ),
    _model(
        "a tuple in use is not good for another name",
        MODEL,
        "noted and _by_another_name(packet, entry, static)",
        "False",
    ),
    _model("nor for one that only some may call", MODEL, " or called != bool(packet.place)", ""),
    _model(
        "a server is where the rules lead",
        WHEREABOUTS,
        "return packet.place or self._remembered",
        "return self._remembered",
    ),
    _model(
        "what only some may call is known as it was called",
        WHEREABOUTS,
        "if static else self.called(packet)",
        "if static else (server, port)",
    ),
    _model(
        "what waits holds no tuple for its name",
        MODEL,
        "if entry is None or entry.state is State.WAITING:\n        return False",
        "if entry is None:\n        return False",
    ),
)

_LOADER = (
    _loader("a static that is gone has no limits", MAPS, "rows[number] = self._row(number)\n", "pass\n"),
    _loader(
        "a static keeps its number while it has connections",
        MAPS,
        "if (word(real), swap(port)) not in ends}",
        "if places}",
        OF_STATICS,
    ),
    _loader("SYNPROXY opens by the static that is intercepted", MAPS, "if not static.own:", "if static:", OF_STATICS),
    _loader(
        "a number is not another static's at once",
        MAPS,
        "free = iter(sorted(left, key=taken.__contains__))",
        "free = iter(left)",
        OF_STATICS,
    ),
    _loader(
        "what is gone is let go of by a later reload",
        MAPS,
        "if each not in self._statics and self.ends[each] not in wanted]",
        "if self.ends[each] not in wanted]",
        OF_STATICS,
    ),
    _loader(
        "a class that takes another's number has its own counts",
        MAPS,
        "if self._names.get(number) != _name(each):",
        "if number not in self._names:",
        OF_STATICS,
    ),
    _loader(
        "what ended while events were lost is known",
        LOADER,
        "if over and lost > before:",
        "if over and lost < before:",
        OF_STATICS,
    ),
    _loader(
        "what ended while nothing was lost was heard of",
        LOADER,
        "if over and lost > before:",
        "if over:",
        OF_STATICS,
    ),
    _loader(
        "what a host has opened is a reason to know its static",
        "appliance/kernel/bpf_entries.py",
        "found |= {(low, 0), (low, key.low_port), (high, 0), (high, key.high_port)}",
        "found |= {(low, 0), (low, key.low_port)}",
        OF_STATICS,
    ),
    _loader(
        "a class keeps its number while it has connections",
        MAPS,
        'return set(self._names) - {key.klass for key in self._maps["shares"]}',
        "return set(self._names)",
    ),
    _loader(
        "a class that is gone has no limits",
        MAPS,
        "            row.max_conns = row.max_embryonic = row.client_max = row.client_embryonic = 0\n",
        "",
    ),
    _loader("rules go into the half that is not in force", MAPS, "self._half = RULES - self._half", "self._half = 0"),
    _loader(
        "what a denial leads to is in the same half",
        MAPS,
        "row.otherwise = self._half + rule.otherwise",
        "row.otherwise = rule.otherwise",
    ),
    _loader(
        "more lines than there is room for are said",
        MAPS,
        "if len(limits.rules) > RULES:",
        "if len(limits.rules) > 2 * RULES:",
    ),
    _loader(
        "an interface without a name goes",
        MAPS,
        "            del table[old]\n\n    def _set_rules",
        "            pass\n\n    def _set_rules",
    ),
    _loader(
        "a class's times are by state", MAPS, "row.timeout[state] = ticks(seconds)", "row.timeout[0] = ticks(seconds)"
    ),
    _loader("both ends are reset where a class says so", MAPS, "row.resets = each.resets", "row.resets = 0"),
    _loader(
        "clients' and servers' places are two",
        MAPS,
        "_TO_SERVER, _FROM_CLIENT = 0, 1",
        "_TO_SERVER, _FROM_CLIENT = 1, 0",
    ),
    _loader(
        "who acknowledged a FIN is told", ENTRIES, " and leaf.acked[_INDEX[side]] == leaf.next[_INDEX[side.peer]]", ""
    ),
    _loader(
        "times are the kernel's",
        ENTRIES,
        "ahead = (tick - (now >> TICK_SHIFT) + _HALF) % (2 * _HALF) - _HALF",
        "ahead = 0",
    ),
    _loader("mapped addresses are told by their last bits", MAPS, "& 63 for key in rows", "& 31 for key in rows"),
    _loader("so many events at once", LOADER, "return len(self._events) < EVENTS", "return True"),
    _loader(
        "orders of more keys than one holds are several",
        LOADER,
        "for start in range(0, len(keys), length))",
        "for start in range(0, min(len(keys), length), length))",
    ),
    _loader(
        "a table of another layout is another",
        LOADER,
        'for name in ("structs.h", "ends.h", "maps.h")',
        "for name in ()",
    ),
    _loader(
        "pins are removed", PINS, "                pin.unlink()\n            pins.rmdir()", "                break"
    ),
    _loader(
        "what was not there is not counted as forgotten", FORGETTING, "return error == 0", "return True", OF_CONNTRACK
    ),
    _loader(
        "the client's port is asked for",
        FORGETTING,
        'key.client_port.to_bytes(2, "big") + b"\\0\\0"',
        'key.port.to_bytes(2, "big") + b"\\0\\0"',
        OF_CONNTRACK,
    ),
)

_TOLD = (
    _told(
        "201011 has count and limit",
        TOLD,
        "{record.count}/{record.limit} for input packet",
        "{record.limit}/{record.count} for input packet",
    ),
    _told(
        "a limit is told on the client's interface",
        TOLD,
        "on interface {record.source.interface}",
        "on interface {record.destination.interface}",
    ),
    _told("what the clock ended is forgotten everywhere", BOOKS, "if event.ending in _BY_CLOCK:", "if False:"),
    _told(
        "events on their way are heard before a count",
        BOOKS,
        "if self._astray and len(events) < EVENTS:",
        "if self._astray:",
    ),
    _told("a loss of events is told once", BOOKS, "self._lost = lost", "self._lost = 0"),
    _told("what inspection closed is not in use", BOOKS, "if each.in_use:", "if True:"),
    _told("302014 has its reason", TOLD, "bytes {self.octets} {self.reason.value}", "bytes {self.octets}"),
    _told(
        "302013 has mapped addresses",
        TOLD,
        "({self.lower_mapped.place}) to {self.upper} ({self.upper_mapped.place})",
        "({self.lower.place}) to {self.upper} ({self.upper.place})",
    ),
    _told("a duration has minutes", TOLD, "{seconds // 60 % 60:02d}", "{seconds // 60:02d}"),
    _told("a duration's hours are not padded", TOLD, "{seconds // 3600}:", "{seconds // 3600:02d}:"),
    _told(
        "a connection keeps its number",
        RECORDS,
        "number, ends = known or (self._next(),",
        "number, ends = (self._next(),",
    ),
    _told(
        "-O is from the less secure side",
        RECORDS,
        "from_lower = (ending is Ending.RESET_BY_CLIENT) == inbound",
        "from_lower = ending is Ending.RESET_BY_CLIENT",
    ),
    _told(
        "each limit has its message",
        RECORDS,
        "Limit.CLIENT_EMBRYONIC: ClientEmbryonicLimitExceeded",
        "Limit.CLIENT_EMBRYONIC: EmbryonicLimitExceeded",
    ),
    _told(
        "limits name the server as their version does",
        RECORDS,
        "server = ends.server_mapped if self._mapped else ends.server",
        "server = ends.server",
    ),
    _told(
        "a connection that was not closed says why",
        RECORDS,
        "Ending.IDLE_TIMEOUT: Reason.CONN_TIMEOUT",
        "Ending.IDLE_TIMEOUT: Reason.FIN_TIMEOUT",
    ),
    _told(
        "what inspection closed says so",
        RECORDS,
        "Ending.INSPECTION: Reason.INSPECTION",
        "Ending.INSPECTION: Reason.FINS",
    ),
    _told(
        "a host is there once",
        HOSTS,
        "            host.connections += 1\n            return False",
        "            host.connections += 1\n            return True",
    ),
    _told(
        "a host is there until its last connection ends",
        HOSTS,
        "        if host.connections:\n            return None\n",
        "",
    ),
    _told("the most hosts there were", HOSTS, "max(self._most.get(end.interface, 0), len(behind))", "len(behind)"),
    _told(
        "limits make no other static",
        USES,
        "if name not in coming or _ends(coming[name]) != _ends(use.static):",
        "if name not in coming or coming[name] != use.static:",
    ),
    _told(
        "a static that leads elsewhere is another",
        USES,
        "if name not in coming or _ends(coming[name]) != _ends(use.static):",
        "if name not in coming:",
    ),
    _told(
        "two spaces behind the flags", DENIED, "flags {record.flags}  on interface", "flags {record.flags} on interface"
    ),
    _told(
        "translations: what connections were given",
        USES,
        "return self._standing + self._chosen + len(self._called)",
        "return self._standing + len(self._called)",
    ),
    _told(
        "translations: so many at once, with what was given",
        USES,
        "            self.most = max(self.most, self.in_use)\n        return made\n",
        "            pass\n        return made\n",
    ),
    _told(
        "translations: as whom only some call a server is one",
        USES,
        "return self._standing + self._chosen + len(self._called)",
        "return self._standing + self._chosen",
    ),
    _told(
        "translations: it is there to the last connection",
        USES,
        "        called.connections -= 1\n        if called.connections:\n            return None\n",
        "",
    ),
    _told("translations: another port is another", USES, "    if real.port != mapped.port:", "    if False:"),
    _told("translations: they stay as old", USES, "called.since = known.since if known else called.since", "pass"),
    _told("translations: what was given goes with its connection", USES, "self._chosen -= 1", "self._chosen -= 0"),
)

_SHOWN = (
    _shown("a SYN from outside", CONNECTIONS, '("SaA" if inbound else "saA")', '("saA" if inbound else "SaA")'),
    _shown("an answered SYN", CONNECTIONS, '("a" if inbound else "A") + opened', '("A" if inbound else "a") + opened'),
    _shown(
        "small letters are of the inside",
        CONNECTIONS,
        "outside = Side.CLIENT if inbound else Side.SERVER",
        "outside = Side.CLIENT",
    ),
    _shown(
        "I is data from outside",
        CONNECTIONS,
        "data_in = connection.from_client if inbound else connection.from_server",
        "data_in = connection.from_client",
    ),
    _shown(
        "O is data from inside",
        CONNECTIONS,
        "data_out = connection.from_server if inbound else connection.from_client",
        "data_out = connection.from_server",
    ),
    _shown(
        "an address is of either end",
        CONNECTIONS,
        "any(self.first <= each.address <= self.last for each in ends)",
        "all(self.first <= each.address <= self.last for each in ends)",
    ),
    _shown(
        "mapped addresses are asked too",
        CONNECTIONS,
        "every = (ends.client, ends.server, ends.client_mapped, ends.server_mapped)",
        "every = (ends.client, ends.server)",
    ),
    _shown(
        "a half-open connection's timeout",
        CONNECTIONS,
        "        return timeouts.embryonic\n",
        "        return timeouts.conn\n",
    ),
    _shown(
        "a half-closed connection's timeout",
        CONNECTIONS,
        "timeouts.conn if connection.state is State.ESTABLISHED else timeouts.half_closed",
        "timeouts.conn",
    ),
    _shown("a class's own timeout", CONNECTIONS, "connection.lifetime or _timeout", "_timeout"),
    _shown(
        "drop is of what was refused, not intercepted",
        POLICIES,
        "for limit, count in use.refused.items() if not limit.half_open)",
        "for limit, count in use.refused.items())",
    ),
    _shown(
        "limits that are none are not shown",
        POLICIES,
        "{name: limit for name, limit in limits.items() if limit}",
        "limits",
    ),
    _shown(
        "ten servers at the top",
        THREATS,
        "snapshot.attacks if everything else snapshot.attacks[:TOP]",
        "snapshot.attacks",
    ),
    _shown(
        "a translation of one port", TRANSLATIONS, 'address, "sr", idle, 0, known)', 'address, "s", idle, 0, known)'
    ),
    _shown(
        "translations that are wanted: by mapped address",
        TRANSLATIONS,
        "(self.mapped is None or self.mapped.first <= mapped <= self.mapped.last)",
        "(self.mapped is None or self.mapped.first <= mapped)",
    ),
    _shown(
        "what a connection was given goes with it",
        TRANSLATIONS,
        "if each.beyond is None or not each.in_use:",
        "if each.beyond is None:",
    ),
    _shown(
        "a client's own port is no translation",
        TRANSLATIONS,
        "real, mapped = ends.client, ends.beyond",
        "real, mapped = ends.client, ends.client",
    ),
    _shown("a rule for both ends", TRANSLATIONS, '("T" if twice else "")', '""'),
    _shown(
        "a rule for both ends leads from one address to one",
        TRANSLATIONS,
        "mapped in called and int(mapped) - int(called.network_address) == int(real) - int(to.network_address)",
        "mapped in called and real in to",
    ),
    _shown("a port of some peers is there by them", TRANSLATIONS, "is not None and not _called(rule)", "is not None"),
    _shown("what was given is dynamic", TRANSLATIONS, '"ri", idle,', '"r", idle,'),
    _shown("manual rules behind objects' own", TRANSLATIONS, "return 3 if statement.after_auto else 1", "return 1"),
)

LIMITS = (*_MODEL, *_LOADER, *_TOLD, *_SHOWN)
