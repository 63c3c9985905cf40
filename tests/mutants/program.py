"""Mutants of the kernel's program, bpf/: what it reads of a packet, how a connection goes on, which places it takes.

Each is compiled and run; one that the compiler or the verifier refuses is badly made, not caught.
"""

from __future__ import annotations

from tests.mutants.mutants import Mutant

ADMISSION = "bpf/admission.h"
ALIASES = "bpf/aliases.h"
CHANGES = "bpf/changes.h"
CLASSES = "bpf/classes.h"
CLOCK = "bpf/clock.h"
CONNLIMIT = "bpf/connlimit.bpf.c"
EGRESS = "bpf/egress.h"
ENDS = "bpf/ends.h"
EVENTS = "bpf/events.h"
FACES = "bpf/faces.h"
INGRESS = "bpf/ingress.h"
INTERCEPT = "bpf/intercept.h"
LIFE = "bpf/life.h"
MACHINE = "bpf/machine.h"
NOTES = "bpf/notes.h"
ORDERS = "bpf/orders.h"
PARSING = "bpf/parsing.h"
PLACES = "bpf/places.h"
REVERSE = "bpf/reverse.h"
VERDICTS = "bpf/verdicts.h"

#: The rules that the model keeps too, frames, and what may fail.
OF_TRANSLATED = ("tests/bpf/test_translated.py",)
OF_PROGRAM = ("tests/bpf/test_rules.py", "tests/bpf/test_frames.py", "tests/bpf/test_program.py")


def _mutant(rule: str, file: str, old: str, new: str) -> Mutant:
    return Mutant(f"program: {rule}", file, old, new, OF_PROGRAM)


_READING = (
    Mutant(
        "program: a priority tag leads around nothing",
        PARSING,
        "return skb->vlan_present && skb->vlan_tci & VLAN_ID;",
        "return skb->vlan_present;",
        ("tests/bpf/test_network.py",),
    ),
    Mutant(
        "program: nor does a tag within one",
        PARSING,
        "if (skb->vlan_present && tagged(skb))",
        "if (0)",
        ("tests/bpf/test_network.py",),
    ),
    _mutant("what is inspected says its mark", CONNLIMIT, "skb->mark & MARK_CLASS ? INSPECTED : 0", "INSPECTED"),
    _mutant(
        "it stays inspected",
        CHANGES,
        "conn->flags |= at->inspected;",
        "conn->flags = (conn->flags & ~INSPECTED) | at->inspected;",
    ),
    _mutant("a fragment at offset 1 is dropped", PARSING, "offset == 1 ? FORBIDDEN : OTHER", "OTHER"),
    _mutant(
        "a fragment without the whole header is dropped",
        PARSING,
        "return packet->whole ? OTHER : FORBIDDEN;\n\tpacket->saddr",
        "return OTHER;\n\tpacket->saddr",
    ),
    _mutant(
        "a fragment without all options is dropped",
        PARSING,
        "length < headers)\n\t\treturn packet->whole ? OTHER : FORBIDDEN;",
        "length < headers)\n\t\treturn OTHER;",
    ),
    _mutant(
        "a fragment with a flag that opens or ends is dropped",
        PARSING,
        "FLAG_SYN | FLAG_FIN | FLAG_RST)))",
        "FLAG_SYN)))",
    ),
    _mutant("a first fragment of headers alone is dropped", PARSING, "(packet->payload == 0 ||", "("),
    _mutant(
        "lengths are the IP header's, not the frame's",
        PARSING,
        "ip->tot_len ? ntohs(ip->tot_len) : skb->len - ETH_HLEN",
        "skb->len - ETH_HLEN",
    ),
    _mutant(
        "IP options are gone over",
        PARSING,
        "void *)(long)skb->data + ETH_HLEN + header;",
        "void *)(long)skb->data + ETH_HLEN + sizeof(*ip);",
    ),
    _mutant(
        "TCP options are no payload",
        PARSING,
        "u32 headers = header + (tcp->offset >> 4) * 4;",
        "u32 headers = header + TCP_HEADER;",
    ),
    _mutant(
        "a SYN with an ACK opens nothing",
        PARSING,
        "(FLAG_SYN | FLAG_ACK | FLAG_RST)) == FLAG_SYN;",
        "(FLAG_SYN | FLAG_RST)) == FLAG_SYN;",
    ),
    _mutant(
        "a SYN with an RST opens nothing",
        PARSING,
        "(FLAG_SYN | FLAG_ACK | FLAG_RST)) == FLAG_SYN;",
        "(FLAG_SYN | FLAG_ACK)) == FLAG_SYN;",
    ),
    _mutant(
        "a SYN with data is not plain",
        PARSING,
        "packet->whole && !packet->payload && !(packet->flags & (FLAG_FIN | FLAG_URG))",
        "packet->whole && !(packet->flags & (FLAG_FIN | FLAG_URG))",
    ),
    _mutant(
        "a SYN with a FIN is not plain",
        PARSING,
        "!(packet->flags & (FLAG_FIN | FLAG_URG))",
        "!(packet->flags & FLAG_URG)",
    ),
    _mutant(
        "a pure ACK has no URG",
        PARSING,
        "FLAG_ACK | FLAG_URG);\n\treturn flags == FLAG_ACK &&",
        "FLAG_ACK);\n\treturn flags == FLAG_ACK &&",
    ),
    _mutant(
        "a pure ACK has no payload",
        PARSING,
        "flags == FLAG_ACK && packet->whole && !packet->payload",
        "flags == FLAG_ACK && packet->whole",
    ),
    _mutant(
        "a FIN acknowledges no cookie",
        PARSING,
        "(FLAG_SYN | FLAG_FIN | FLAG_RST | FLAG_ACK)) == FLAG_ACK;",
        "(FLAG_SYN | FLAG_RST | FLAG_ACK)) == FLAG_ACK;",
    ),
    _mutant("sequence numbers wrap", PARSING, "return (s32)(of - than);", "return of < than ? -1 : of > than;"),
)

_HANDSHAKE = (
    _mutant(
        "half-open until the client's ACK", MACHINE, "return state == SYN || state == SYN_ACK;", "return state == SYN;"
    ),
    _mutant(
        "a SYN again changes nothing",
        MACHINE,
        "if (conn->next[CLIENT] != packet->seq + 1 || packet->proxied) {",
        "if (packet->seq || packet->proxied) {",
    ),
    _mutant(
        "another SYN begins the handshake anew",
        MACHINE,
        "if (conn->next[CLIENT] != packet->seq + 1 || packet->proxied) {",
        "if (packet->proxied) {",
    ),
    _mutant(
        "the last cookie holds",
        MACHINE,
        "conn->next[SERVER] = 1;\n\t\tconn->delta = packet->ack;",
        "conn->next[SERVER] = 1;",
    ),
    _mutant(
        "a SYN-ACK of another SYN is none",
        MACHINE,
        "embryonic(conn->state) && packet->ack == conn->next[CLIENT]) {",
        "embryonic(conn->state)) {",
    ),
    _mutant(
        "a SYN-ACK is the server's", MACHINE, "if (side == SERVER && syn_ack && embryonic", "if (syn_ack && embryonic"
    ),
    _mutant(
        "the SYN-ACK's number is recorded",
        MACHINE,
        "\t\tconn->next[SERVER] = packet->seq + 1;\n\t\tconn->acked[CLIENT]",
        "\t\tconn->acked[CLIENT]",
    ),
    _mutant(
        "only the ACK of the server's number establishes",
        MACHINE,
        "packet->flags & FLAG_ACK && packet->ack == conn->next[SERVER])",
        "packet->flags & FLAG_ACK)",
    ),
    _mutant(
        "no ACK before the SYN-ACK establishes",
        MACHINE,
        "if (side == CLIENT && conn->state == SYN_ACK &&",
        "if (side == CLIENT && embryonic(conn->state) &&",
    ),
    _mutant(
        "the server's ACK does not establish",
        MACHINE,
        "if (side == CLIENT && conn->state == SYN_ACK &&",
        "if (conn->state == SYN_ACK &&",
    ),
    _mutant(
        "a number without an ACK flag establishes nothing",
        MACHINE,
        "packet->flags & FLAG_ACK && packet->ack == conn->next[SERVER])",
        "packet->ack == conn->next[SERVER])",
    ),
    _mutant(
        "octets of a half-open connection are not counted",
        MACHINE,
        "\tif (embryonic(conn->state))\n\t\treturn GOES_ON;\n\treturn book_data",
        "\treturn book_data",
    ),
    _mutant(
        "a half-open place comes back with the handshake's end",
        LIFE,
        " || (embryonic(step->was.state) && !embryonic(step->state)))",
        ")",
    ),
    _mutant(
        "a connection of both ends' SYNs is refused",
        INGRESS,
        "if (side == SERVER) /* towards a client that has opened this very connection */\n\t\t\treturn DROP;",
        "if (side == SERVER)\n\t\t\treturn PASS;",
    ),
    _mutant(
        "the server's SYN does not leave either", EGRESS, "\t\tif (opens(packet))\n\t\t\treturn DROP;\n\t}\n", "\t}\n"
    ),
    _mutant(
        "the client's SYN again is skipped",
        INGRESS,
        "proxy_began(conn) ? MARK_INTERCEPT : MARK_SKIP",
        "proxy_began(conn) ? MARK_INTERCEPT : 0",
    ),
)

_END = (
    _mutant("one FIN is half a close", MACHINE, "conn->state == ESTABLISHED ? HALF_CLOSED : CLOSING", "CLOSING"),
    _mutant("a FIN again is one FIN", MACHINE, " && !(conn->flags & FIN_FROM << side)) {", ") {"),
    _mutant(
        "the client acknowledges the server's FIN", MACHINE, "conn->acked[CLIENT] == conn->next[SERVER] &&\n\t    ", ""
    ),
    _mutant(
        "the server acknowledges the client's FIN",
        MACHINE,
        " &&\n\t    conn->acked[SERVER] == conn->next[CLIENT])",
        ")",
    ),
    _mutant("acknowledgments do not go back", MACHINE, "ahead(packet->ack, conn->acked[side]) > 0 &&\n\t    ", ""),
    _mutant("nothing unsent is acknowledged", MACHINE, " &&\n\t    ahead(conn->next[!side], packet->ack) >= 0)", ")"),
    _mutant("octets are added up", MACHINE, "conn->octets += packet->payload;", "conn->octets = packet->payload;"),
    _mutant("who has sent data is known", MACHINE, "conn->flags |= DATA_FROM << side;", ";"),
    _mutant(
        "what is sent again moves no number",
        MACHINE,
        "if (end != packet->seq && ahead(end, conn->next[side]) > 0 &&",
        "if (end != packet->seq &&",
    ),
    _mutant("an overtaking ACK moves no number", MACHINE, "if (end != packet->seq && ahead", "if (ahead"),
    _mutant(
        "octets behind a FIN are stopped", EGRESS, "(step.was.state == DEAD || step.beyond)", "step.was.state == DEAD"
    ),
    _mutant(
        "octets before a FIN may come again",
        MACHINE,
        "ahead(packet->seq + packet->payload + 1, conn->next[side]) > 0;",
        "ahead(packet->seq + packet->payload + 1, conn->next[side]) >= 0;",
    ),
    _mutant(
        "a reset ends at the expected number alone",
        MACHINE,
        "return packet->seq == conn->next[side] || packet->seq == conn->acked[!side];",
        "return packet->seq != 0;",
    ),
    _mutant("a reset at what the peer expects is obeyed", MACHINE, " || packet->seq == conn->acked[!side];", ";"),
    _mutant(
        "a reset behind all that was sent is obeyed", MACHINE, "return packet->seq == conn->next[side] || ", "return "
    ),
    _mutant(
        "a reset with its FIN's own number is obeyed",
        MACHINE,
        "packet->seq + 1 == conn->next[side])\n\t\treturn 1;",
        "packet->seq + 1 == conn->next[side])\n\t\treturn 0;",
    ),
    _mutant(
        "a server refuses with the client's number",
        MACHINE,
        "return packet->flags & FLAG_ACK && packet->ack == conn->next[CLIENT];",
        "return packet->flags & FLAG_ACK;",
    ),
    _mutant(
        "a reset is its sender's",
        MACHINE,
        "side == CLIENT ? RESET_BY_CLIENT : RESET_BY_SERVER",
        "side == SERVER ? RESET_BY_CLIENT : RESET_BY_SERVER",
    ),
    _mutant(
        "a reset is booked at egress",
        INGRESS,
        "\tif (side == CLIENT)\n\t\tpacket->ack -= shift(conn);",
        "\tif (packet->flags & FLAG_RST) {\n\t\tadvance(conn, at, packet, side, clock(set) >> TICK_SHIFT, &step);\n"
        "\t\tconclude(at, &step, clock(set));\n\t\treturn PASS;\n\t}\n"
        "\tif (side == CLIENT)\n\t\tpacket->ack -= shift(conn);",
    ),
    _mutant(
        "a connection that ended gives its place back",
        LIFE,
        "step->ending != GOES_ON, step->ending, now);",
        "0, step->ending, now);",
    ),
    _mutant(
        "a SYN replaces a closing connection",
        EGRESS,
        "\tcase CLOSING:\n\tcase DEAD:\n\t\tif (replace",
        "\tcase DEAD:\n\t\tif (replace",
    ),
    _mutant(
        "a SYN replaces a dead connection",
        EGRESS,
        "\tcase CLOSING:\n\tcase DEAD:\n\t\tif (replace",
        "\tcase CLOSING:\n\t\tif (replace",
    ),
    _mutant(
        "what replaces is half-open again", ADMISSION, "\tgive_back(&holding, 0, -1);", "\tgive_back(&holding, 0, 0);"
    ),
    _mutant("what is replaced is told of", ADMISSION, "if (from != DEAD) /* of which", "if (from == DEAD) /* of which"),
    _mutant(
        "what replaces is told of",
        ADMISSION,
        "emit_torn_down(&at->key, &was, REPLACED, now);\n\temit_built(at, was.number, now);",
        "emit_torn_down(&at->key, &was, REPLACED, now);",
    ),
    _mutant(
        "what replaces keeps its client's place",
        ADMISSION,
        "was.flags & (CLIENT_HIGH | PER_CLIENT)",
        "was.flags & CLIENT_HIGH",
    ),
)

_LIMITS = (
    _mutant("max_conns admits no one more", PLACES, "if (most && total >= most &&", "if (most && total > most &&"),
    _mutant(
        "the embryonic limit admits no one more",
        PLACES,
        "most_half_open && half_open >= most_half_open",
        "most_half_open && half_open > most_half_open",
    ),
    _mutant("0 is no limit of connections", PLACES, "if (most && total >= most", "if (total >= most"),
    _mutant("0 is no limit of half-open ones", PLACES, "if (most_half_open && half_open", "if (half_open"),
    _mutant(
        "a limit of all goes before one of half-open ones",
        PLACES,
        "half_open >= most_half_open && known == ADMITTED",
        "half_open >= most_half_open",
    ),
    _mutant("a client's limit is told as such", PLACES, "of_client ? CLIENT_MAX : MAX_CONNS", "MAX_CONNS"),
    _mutant(
        "a client's embryonic limit is told as such", PLACES, "of_client ? CLIENT_EMBRYONIC : EMBRYONIC", "EMBRYONIC"
    ),
    _mutant(
        "a client's embryonic limit intercepts",
        PLACES,
        "return refusal == EMBRYONIC || refusal == CLIENT_EMBRYONIC;",
        "return refusal == EMBRYONIC;",
    ),
    _mutant(
        "max_conns is asked at egress",
        PLACES,
        "judge(found, count->total, 0, limit->max_conns, 0, 0, 0);",
        "judge(found, count->total, 0, 0, 0, 0, 0);",
    ),
    _mutant(
        "a class's limits are asked at egress",
        PLACES,
        "judge(found, share->total, 0, most, 0, scope == FROM_CLIENT, 1);",
        "judge(found, share->total, 0, 0, 0, scope == FROM_CLIENT, 1);",
    ),
    _mutant(
        "the embryonic limit is not asked at egress",
        PLACES,
        "judge(found, count->total, 0, limit->max_conns, 0, 0, 0);",
        "judge(found, count->total, count->embryonic, limit->max_conns, limit->max_embryonic, 0, 0);",
    ),
    _mutant("egress counts at the static", PLACES, "\t\tcount->total++;\n", ""),
    _mutant("egress counts half-open ones at the static", PLACES, "\t\tcount->embryonic++;\n", ""),
    _mutant("egress counts in the class", PLACES, "\t\tshare->total++;\n", ""),
    _mutant("egress counts half-open ones in the class", PLACES, "\t\tshare->embryonic++;\n", ""),
    _mutant(
        "ingress takes no place",
        INGRESS,
        "\tif (opens(packet))\n\t\treturn refused",
        "\ttake_static(at->number, &found);\n\tif (opens(packet))\n\t\treturn refused",
    ),
    _mutant(
        "ingress asks the static",
        PLACES,
        "judge(found, count->total, count->embryonic, limit->max_conns, limit->max_embryonic & all, 0, 0);",
        ";",
    ),
    _mutant(
        "ingress asks the server's places in the class",
        PLACES,
        "look_at_share(at->klass, TO_SERVER, at->receiver.address, klass->max_conns, half_open, found);",
        ";",
    ),
    _mutant(
        "ingress asks the client's places in the class",
        PLACES,
        "look_at_share(at->klass, FROM_CLIENT, at->sender.address, klass->client_max, of_client, found);",
        ";",
    ),
    _mutant(
        "each client has its own places",
        PLACES,
        "take_share(row, FROM_CLIENT, at->sender.address,",
        "take_share(row, FROM_CLIENT, at->receiver.address,",
    ),
    _mutant(
        "clients are counted where a class asks",
        PLACES,
        "if (!(klass->client_max | klass->client_embryonic))",
        "if (!klass->client_max)",
    ),
    _mutant(
        "who joins its client's is counted once",
        ORDERS,
        " || was.flags & PER_CLIENT)\n\t\treturn 0;",
        ")\n\t\treturn 0;",
    ),
    _mutant(
        "who joins established is not half-open",
        ORDERS,
        "client, state == CLOSED, 1);",
        "client, state == CLOSED, 0);",
    ),
    _mutant("a place of one limit goes back when another refuses", PLACES, "\t\tholding->number = at->number;\n", ""),
    _mutant("a server's place goes back when its client's is refused", PLACES, "\tholding->klass = row;\n", ""),
    _mutant("a static's place goes back", PLACES, "\tcount->total -= total;\n", ""),
    _mutant("a static's half-open place goes back", PLACES, "\tcount->embryonic -= half_open;\n", ""),
    _mutant("a class's place goes back", PLACES, "\t\tshare->total -= total;\n", ""),
    _mutant(
        "a client's place goes back",
        PLACES,
        "\tif (of->client)\n\t\tgive_back_share",
        "\tif (0)\n\t\tgive_back_share",
    ),
    _mutant("who has no place is no row", PLACES, "\tif (last)\n\t\tshares.delete(&key);", ""),
    _mutant("a full table takes no place", ADMISSION, "\tgive_back(&holding, 1, 1);\n\tif (!waiting", "\tif (!waiting"),
    _mutant("a full table refuses", ADMISSION, "\treturn NO_ROOM;", "\treturn ADMITTED;"),
    _mutant(
        "a full table is told of", ADMISSION, "if (which == NO_ROOM || which == NO_SHARE) {", "if (which == NO_SHARE) {"
    ),
    _mutant(
        "full counts of classes are no full table", PLACES, "found->refusal = NO_SHARE;", "found->refusal = NO_ROOM;"
    ),
    Mutant(
        "program: faces outlive it",
        "bpf/maps.h",
        'KEPT("hash", struct face_key',
        'BPF_TABLE("hash", struct face_key',
        ("tests/bpf/test_statics.py",),
    ),
    _mutant(
        "refusals are counted by limit",
        ADMISSION,
        "which == MAX_CONNS ? &count->refused_max : &count->refused_embryonic",
        "which != MAX_CONNS ? &count->refused_max : &count->refused_embryonic",
    ),
    _mutant(
        "of refusals one a second is told",
        CLOCK,
        "return tick + SECOND - told >= 2 * SECOND;",
        "return tick != told + SECOND * 1000;",
    ),
    _mutant(
        "which limit was told of is known by limit",
        ADMISSION,
        "told = &count->told[which];",
        "told = &count->told[ADMITTED];",
    ),
    _mutant(
        "a refused SYN is dropped",
        ADMISSION,
        "packet->ack + 1, packet->seq + 1, now);\n\treturn DROP;",
        "packet->ack + 1, packet->seq + 1, now);\n\treturn PASS;",
    ),
    _mutant("a line that denies leads on", CLASSES, "(rule->otherwise & ~missed)", "((row + 1) & ~missed)"),
    _mutant(
        "the first line met decides",
        CLASSES,
        "\t\tif (rule->klass & ~missed)",
        "\t\tif (rule->klass & ~missed && row + 1 >= set->last_rule)",
    ),
    _mutant("a line asks for the source", CLASSES, "((at->sender.address & rule->source_mask) ^ rule->source) |\n", ""),
    _mutant(
        "a line asks for the destination",
        CLASSES,
        "((at->receiver.address & rule->destination_mask) ^ rule->destination) |\n",
        "",
    ),
    _mutant(
        "a line asks for the source port",
        CLASSES,
        "outside(at->sender.port, rule->source_ports, rule->source_but) |\n",
        "",
    ),
    _mutant(
        "a span of ports has its last one", CLASSES, "(ports[1] - number)) >> 31", "(ports[1] - number - 1)) >> 31"
    ),
    _mutant("all ports but these", CLASSES, ">> 31 ^ but;", ">> 31;"),
    _mutant(
        "an interface's policy is of what crosses it",
        CLASSES,
        "any(rule->ifindex ^ at->in) & any(rule->ifindex ^ at->out)",
        "any(rule->ifindex ^ at->in)",
    ),
    _mutant(
        "a SYN-ACK to nobody is dropped where there are limits",
        FACES,
        "limit->max_conns | limit->max_embryonic);",
        "limit->max_conns);",
    ),
    _mutant(
        "where nothing is limited a SYN-ACK to nobody passes",
        FACES,
        "return row && limit && (set->first_rule < set->last_rule ||",
        "return row && limit && (set->first_rule <= set->last_rule ||",
    ),
    *(
        Mutant(f"program: {rule}", NOTES, old, new, OF_TRANSLATED)
        for rule, old, new in (
            ("two SYNs alike are not on their way at once", "\treturn same;\n", "\treturn 1;\n"),
            ("the same SYN comes again", "\treturn same;\n", "\treturn 0;\n"),
            ("of another port is another SYN", "known->sender_port == note.sender_port", "1"),
            (
                "a note goes as its SYN leaves",
                "\tstruct note note = *known;\n\tnotes.delete(&key);\n",
                "\tstruct note note = *known;\n",
            ),
            ("a note is of no use for long", "if (!known || outdated(known, now))", "if (!known)"),
            ("an old note keeps nobody away", "\t\tnotes.delete(&key);\n\t}\n\treturn same;", "\t}\n\treturn same;"),
        )
    ),
    _mutant("an interface without a name is not ours", NOTES, "return in ? FOREIGN : OURS;", "return OURS;"),
    _mutant(
        "the firewall's own connections are not counted",
        EGRESS,
        "\tif (!skb->ingress_ifindex && !packet->proxied)\n\t\treturn PASS;",
        "\tif (0)\n\t\treturn PASS;",
    ),
)

_INTERCEPT = (
    _mutant(
        "at the embryonic limit SYNs are intercepted",
        ADMISSION,
        "if (!half_open_limit(found->refusal) || !plain_syn(packet))\n\t\treturn DROP;",
        "if (found->refusal)\n\t\treturn DROP;",
    ),
    _mutant(
        "at max_conns SYNs are not intercepted",
        ADMISSION,
        "if (!half_open_limit(found->refusal) || !plain_syn(packet))",
        "if (!plain_syn(packet))",
    ),
    _mutant(
        "only a plain SYN is intercepted",
        ADMISSION,
        "if (!half_open_limit(found->refusal) || !plain_syn(packet))",
        "if (!half_open_limit(found->refusal))",
    ),
    _mutant(
        "a SYN that nobody answered goes no further",
        EGRESS,
        "\tif (!packet->proxied && (skb->mark & MARK_DISPOSITION) == MARK_INTERCEPT)\n\t\treturn DROP;",
        "\tif (0)\n\t\treturn DROP;",
    ),
    _mutant(
        "what SYNPROXY has begun, it ends",
        INGRESS,
        "proxy_began(conn) ? MARK_INTERCEPT : MARK_SKIP",
        "MARK_SKIP",
    ),
    _mutant(
        "what its client sends meanwhile has SYNPROXY ask once more",
        INGRESS,
        "\t\t*allowed = MARK_COOKIE;\n\treturn PASS;\n}\n\n/* Whether a cookie",
        "\t\t;\n\treturn PASS;\n}\n\n/* Whether a cookie",
    ),
    _mutant(
        "only what SYNPROXY has begun is its own",
        CHANGES,
        "(u8)at->hash && conn->flags & INTERCEPTED && embryonic(conn->state) &&",
        "(u8)at->hash && embryonic(conn->state) &&",
    ),
    _mutant(
        "SYNPROXY's ACK has the client's number",
        CHANGES,
        "embryonic(conn->state) &&\n\t    packet->seq == conn->next[CLIENT]) {",
        "embryonic(conn->state)) {",
    ),
    _mutant(
        "the server's number makes the difference",
        CHANGES,
        "conn->delta -= packet->ack - 1;",
        "conn->delta -= packet->ack;",
    ),
    _mutant(
        "SYNPROXY's ACK gives the half-open place back",
        CHANGES,
        "step->state = conn->state = ESTABLISHED;",
        "step->state = SYN, conn->state = ESTABLISHED;",
    ),
    _mutant("a client's acknowledgments at ingress are the cookie's", INGRESS, "packet->ack -= shift(conn);", ";"),
    _mutant("the server's numbers at egress are the cookie's", INTERCEPT, "packet->seq -= conn->delta;", ";"),
    _mutant("a reset to an intercepted client is renumbered", INTERCEPT, "\t\trenumber(skb, conn, packet);\n", ""),
    _mutant(
        "a renumbered reset has its checksum",
        INTERCEPT,
        "\tbpf_l4_csum_replace(skb, packet->header + offsetof(struct tcp_header, checksum), was, is, sizeof(is));\n",
        "",
    ),
    _mutant("a renumbered reset ends its connection", INTERCEPT, "\t\tpacket->seq = conn->next[SERVER];\n", ""),
    _mutant(
        "who comes while a connection is deleted is told",
        EGRESS,
        "\treturn turn_away(at, packet, &busy, now);\n",
        "\treturn DROP;\n",
    ),
    _mutant(
        "an address that stands for itself is one name",
        FACES,
        "one == other || (own_name(one) && own_name(other))",
        "one == other",
    ),
    _mutant("what is in SYNPROXY's way is told of", INGRESS, "\tif (obstructs(conn, packet, side)) {", "\tif (0) {"),
    _mutant("only the server itself is heard", INGRESS, "if (leads_back(skb, packet) && tell_once", "if (tell_once"),
    _mutant("it is told of once", INGRESS, " && tell_once(conn, at))", ")"),
    _mutant("and again at the next sweep", CHANGES, "\t\t\t\tconn->flags &= ~TOLD_OF;\n", "\t\t\t\t;\n"),
    _mutant("another client resets it itself", INTERCEPT, " && conn->flags & INTERCEPTED &&\n", " &&\n"),
    _mutant(
        "nothing is in the way of what is open",
        INTERCEPT,
        "side == SERVER && conn->state == SYN &&",
        "side == SERVER &&",
    ),
    _mutant(
        "a reset is in nobody's way",
        INTERCEPT,
        "(packet->flags & (FLAG_ACK | FLAG_RST)) ==",
        "(packet->flags & FLAG_ACK) ==",
    ),
    _mutant(
        "nor is the answer",
        INTERCEPT,
        " &&\n\t       !(packet->flags & FLAG_SYN && packet->ack == conn->next[CLIENT]);",
        ";",
    ),
    _mutant(
        "nothing but a SYN-ACK is one",
        INTERCEPT,
        "!(packet->flags & FLAG_SYN && packet->ack == conn->next[CLIENT])",
        "packet->ack != conn->next[CLIENT]",
    ),
    _mutant(
        "a client without a place is told", ADMISSION, "if (packet->proxied && found->refusal != OVERTAKEN)", "if (0)"
    ),
    _mutant(
        "SYNPROXY's SYN does not wait",
        ADMISSION,
        "if (!waiting && !packet->proxied && found.refusal",
        "if (!waiting && found.refusal",
    ),
    _mutant(
        "a cookie that comes back to no place is marked",
        INGRESS,
        "refused && !half_open_limit(found.refusal) ? MARK_FULL : MARK_COOKIE",
        "MARK_COOKIE",
    ),
    _mutant(
        "an embryonic limit is no reason to be full",
        INGRESS,
        "refused && !half_open_limit(found.refusal) ? MARK_FULL",
        "refused ? MARK_FULL",
    ),
    _mutant(
        "no ACK brings a cookie back where none was given",
        INGRESS,
        "(acknowledges(packet) && gave_cookies(at, clock(set)))",
        "acknowledges(packet)",
    ),
    _mutant("a cookie was given by whom it comes back to", INGRESS, "u32 row = at->named;", "u32 row = 0;"),
    _mutant("a host by its own address is guarded", FACES, "\tif (!at->named && !set->ways)\n", "\tif (!at->named)\n"),
    _mutant("on some ways alone", FACES, " && ways.lookup(&way);", ";"),
    _mutant(
        "and by a class's embryonic limits alone",
        FACES,
        "klass && klass->max_embryonic | klass->client_embryonic &&",
        "klass &&",
    ),
    _mutant(
        "what a class guards waits, too",
        ADMISSION,
        "found.refusal < NO_ROOM && guarded(at))",
        "found.refusal < NO_ROOM && at->number)",
    ),
    Mutant(
        "program: SYNPROXY's client calls by the static of where he is",
        FACES,
        "if (face && at->in && at->in != face->opposite)",
        "if (0)",
        ("tests/bpf/test_statics.py",),
    ),
    _mutant(
        "or by the host's own address",
        FACES,
        "packet->proxied = face || interfaces.lookup(&at->in);",
        "packet->proxied = !!face;",
    ),
    Mutant(
        "program: SYNPROXY's clients are behind our interfaces",
        FACES,
        "packet->proxied = face || interfaces.lookup(&at->in);",
        "packet->proxied = 1;",
        ("tests/bpf/test_statics.py",),
    ),
    _mutant("a cookie is good for so long", INGRESS, "< COOKIE_AGE + SECOND;", "< COOKIE_AGE / 2;"),
    _mutant("an ACK may be a cookie's", ADMISSION, "count->cookie = (now >> TICK_SHIFT) ?: 1;", ";"),
    _mutant(
        "the server's answer in vain is told to the client",
        ORDERS,
        "kind = order == KILL ? 0 : STRANDED;",
        "kind = 0;",
    ),
)

_WAITING = (
    _mutant("who finds no place at egress waits", ADMISSION, "\t\tfresh.state = WAITING;\n", ""),
    _mutant("what nothing guards waits for nothing", ADMISSION, "< NO_ROOM && guarded(at))", "< NO_ROOM)"),
    _mutant("a waiting SYN takes its place at ingress", CONNLIMIT, "at->waits = conn &&", "at->waits = 0 && conn &&"),
    _mutant(
        "a waiting SYN takes its place at egress",
        EGRESS,
        "\tcase WAITING:\n\t\treturn admit(conn, at, packet, now);\n",
        "\tcase WAITING:\n\t\treturn conn ? DROP : admit(0, at, packet, now);\n",
    ),
    _mutant(
        "a waiting SYN takes a place by its static",
        CHANGES,
        "\t\t\tconn->number = at->number;\n",
        "\t\t\tconn->number = 0;\n",
    ),
    _mutant("a waiting SYN takes a place by its class", CHANGES, "\t\t\tconn->klass = at->klass;\n", ""),
    _mutant(
        "what waited holds nothing",
        LIFE,
        "\tif (was->state != WAITING) {\n\t\tstruct holding holding",
        "\tif (was) {\n\t\tstruct holding holding",
    ),
    _mutant(
        "what waited is no connection that ends",
        LIFE,
        "if (ending && was->state != WAITING && was->state != DEAD)",
        "if (ending && was->state != DEAD)",
    ),
    _mutant("what waits cannot be dead", CHANGES, "done = state != DEAD && state != WAITING;", "done = state != DEAD;"),
)

_DEAD = (
    _mutant("a dead connection holds its place", ORDERS, "finish(key, &was, order != KILL,", "finish(key, &was, 1,"),
    _mutant(
        "a killed half-open connection is half-open no more",
        LIFE,
        "give_back(&holding, gone, embryonic(was->state));",
        "give_back(&holding, gone, gone && embryonic(was->state));",
    ),
    _mutant(
        "nothing of a dead connection arrives",
        INGRESS,
        "clock(set));\n\t\t}\n\t\treturn DROP;",
        "clock(set));\n\t\t}\n\t\treturn PASS;",
    ),
    _mutant(
        "the client does not give a dead place back",
        INGRESS,
        "if (side == SERVER && lets_go(packet) && leads_back",
        "if (lets_go(packet) && leads_back",
    ),
    _mutant(
        "the server gives a dead place back",
        INGRESS,
        "if (side == SERVER && lets_go(packet) && leads_back",
        "if (0 && leads_back",
    ),
    _mutant("nobody else does in its name", INGRESS, "lets_go(packet) && leads_back(skb, packet)", "lets_go(packet)"),
    _mutant(
        "who is behind another interface is not the server",
        REVERSE,
        "packet->saddr) == skb->ifindex",
        "packet->saddr) != 0",
    ),
    _mutant(
        "a FIN lets go too",
        MACHINE,
        "return packet->flags & (FLAG_FIN | FLAG_RST);\n}\n\n#endif",
        "return packet->flags & FLAG_RST;\n}\n\n#endif",
    ),
    _mutant(
        "a reset lets go too",
        MACHINE,
        "return packet->flags & (FLAG_FIN | FLAG_RST);\n}\n\n#endif",
        "return packet->flags & FLAG_FIN;\n}\n\n#endif",
    ),
    _mutant(
        "our own reset to the server gives a dead place back",
        EGRESS,
        "lets_go(packet) && (own || side == SERVER))",
        "lets_go(packet) && side == SERVER)",
    ),
    _mutant(
        "what is dead was told of",
        LIFE,
        "if (ending && was->state != WAITING && was->state != DEAD)",
        "if (ending && was->state != WAITING)",
    ),
    _mutant("killed once", CHANGES, "done = state != DEAD && state != WAITING;", "done = state != WAITING;"),
)

_TIME = (
    _mutant(
        "a half-open connection's time is from its SYN",
        CHANGES,
        "embryonic(state) ? conn->started : conn->last",
        "conn->last",
    ),
    _mutant(
        "an established connection's time is from its last packet",
        CHANGES,
        "embryonic(state) ? conn->started : conn->last",
        "conn->started",
    ),
    _mutant(
        "a packet is the last one",
        MACHINE,
        "\tconn->last = now;\n\tif (packet->flags & FLAG_RST) {",
        "\tif (packet->flags & FLAG_RST) {",
    ),
    _mutant("a class has its own times", ORDERS, "klass->timeout[conn->state % STATES] ?: timeout", "timeout"),
    _mutant(
        "where a class says nothing the times are everyone's",
        ORDERS,
        "klass->timeout[conn->state % STATES] ?: timeout",
        "klass->timeout[conn->state % STATES]",
    ),
    _mutant(
        "a half-open connection times out as one",
        MACHINE,
        "\tif (embryonic(state))\n\t\treturn SYN_TIMEOUT;",
        "\tif (embryonic(state))\n\t\treturn IDLE_TIMEOUT;",
    ),
    _mutant(
        "a half-closed connection times out as one",
        MACHINE,
        "state == ESTABLISHED ? IDLE_TIMEOUT : FIN_TIMEOUT",
        "IDLE_TIMEOUT",
    ),
    _mutant("a class may reset what was idle", ORDERS, "order == SWEEP && state == ESTABLISHED && resets", "0"),
    _mutant(
        "what is cleared is not reset",
        ORDERS,
        "order == SWEEP && state == ESTABLISHED && resets",
        "state == ESTABLISHED && resets",
    ),
    _mutant(
        "what was half-open is not reset",
        ORDERS,
        "order == SWEEP && state == ESTABLISHED && resets",
        "order == SWEEP && resets",
    ),
    _mutant(
        "a reset of what was idle has the client's number",
        ORDERS,
        "seq = was.next[SERVER] + shift(&was);",
        "seq = was.next[CLIENT];",
    ),
    _mutant("clear waits for no time", CHANGES, "done = order == CLEAR ||", "done ="),
    _mutant("clear is told as such", ORDERS, "order == CLEAR ? CLEARED : expiry(state)", "expiry(state)"),
)

_MARKS = (
    _mutant(
        "foreign bits of the mark stay", VERDICTS, "u32 word = (skb->mark & ~MARK_OURS) | ours;", "u32 word = ours;"
    ),
    _mutant(
        "a mark from outside is no permission",
        VERDICTS,
        "u32 word = (skb->mark & ~MARK_OURS) | ours;",
        "u32 word = skb->mark | ours;",
    ),
    _mutant("a SYN-ACK is never skipped", MACHINE, "!packet->whole || packet->flags & FLAG_SYN)", "!packet->whole)"),
    _mutant("a fragment is never skipped", MACHINE, "state > CLOSING || !packet->whole ||", "state > CLOSING ||"),
    _mutant(
        "a half-open connection's packets are not skipped", MACHINE, "if (state < SYN_ACK ||", "if (state < SYN ||"
    ),
    _mutant(
        "one pure ACK in 64 KiB is queued",
        MACHINE,
        "return conn->flags & BYPASS || (pure_ack(packet) && same);",
        "return conn->flags & BYPASS || pure_ack(packet);",
    ),
    _mutant("data is queued", MACHINE, "(pure_ack(packet) && same);", "same;"),
    _mutant("a released connection is skipped", MACHINE, "return conn->flags & BYPASS || (", "return ("),
    _mutant(
        "an end out of turn is queued",
        MACHINE,
        "conn->state < ESTABLISHED || packet->seq != conn->next[side])",
        "conn->state < ESTABLISHED)",
    ),
    _mutant(
        "an end with data is queued",
        MACHINE,
        "if (packet->payload || conn->state < ESTABLISHED",
        "if (conn->state < ESTABLISHED",
    ),
    _mutant(
        "an end with URG is queued",
        MACHINE,
        "FLAG_RST | FLAG_ACK | FLAG_URG);\n\n\tif (packet->payload",
        "FLAG_RST | FLAG_ACK);\n\n\tif (packet->payload",
    ),
    _mutant("a FIN that acknowledges much is queued", MACHINE, "(same || packet->flags & FLAG_RST);", "1;"),
    _mutant("another connection on a released tuple is inspected", MACHINE, "\t\tconn->flags &= ~BYPASS;", "\t\t;"),
    _mutant(
        "both directions have one worker",
        ENDS,
        "u32 sum = spread(one) + spread(other);",
        "u32 sum = spread(one) - spread(other);",
    ),
    _mutant("workers get equal shares", ENDS, "return sum ^ sum >> 16;", "return (sum ^ sum >> 16) & ~1u;"),
    _mutant(
        "an end called by another address is another's",
        CONNLIMIT,
        "(sender(conn, at) == CLIENT && !same_name(conn->number, at->named))",
        "0",
    ),
    Mutant(
        "program: a tuple in use is not good for another name",
        EGRESS,
        "conn && by_another_name(conn, at))",
        "0)",
        ("tests/bpf/test_statics.py",),
    ),
    Mutant(
        "program: an answer by another name is not of the connection",
        CONNLIMIT,
        "(side == CLIENT || same_name(conn->number, at->named))",
        "1",
        ("tests/bpf/test_statics.py",),
    ),
)

#: Of servers that only some may call by an address: an entry's other end is its server's.
_CALLED = tuple(
    Mutant(f"program: {rule}", file, old, new, OF_TRANSLATED)
    for rule, file, old, new in (
        ("of a static it is noted where that is", NOTES, "return at->named ? at->receiver : end;", "return end;"),
        (
            "whom a SYN calls is noted as it came in",
            NOTES,
            "return at->named ? at->receiver : end;",
            "return at->receiver;",
        ),
        (
            "who calls another name from a port in use tries again",
            NOTES,
            "if (called && moved && sender.address == at->sender.address)",
            "if (0)",
        ),
        ("only of his address it is his own doing", NOTES, "moved && sender.address == at->sender.address)", "moved)"),
        ("there is room for one other end", NOTES, "if (called && (moved || note.named))", "if (called && note.named)"),
        ("a static leads where it says", NOTES, "if (called && (moved || note.named))", "if (called && moved)"),
        (
            "the end that is called otherwise is the server's",
            NOTES,
            "at->whose = RENAMED | CALLED;",
            "at->whose = RENAMED;",
        ),
        ("an alias stands for the server", ALIASES, "at->whose & CALLED ? &at->receiver : &at->sender", "&at->sender"),
        (
            "and is of the client's packets",
            ALIASES,
            "at->whose & CALLED ? &at->sender : &at->receiver",
            "&at->receiver",
        ),
        (
            "an alias goes with its connection",
            ALIASES,
            "if (!(was->flags & RENAMED))",
            "if (was->flags & CALLED)",
        ),
        ("it is that connection's alone", ALIASES, "renamed_end(key, was->flags)", "client_end(key, was->flags)"),
        (
            "where an alias is, the other end says",
            ENDS,
            "!!(flags & CLIENT_HIGH) ^ !(flags & CALLED)",
            "!(flags & CLIENT_HIGH)",
        ),
        ("the server's own name is another name", EGRESS, " || (conn->flags ^ at->whose) & CALLED", ""),
        ("what is called so is told so", EVENTS, "if (flags & CALLED)", "if (0)"),
        (
            "connection tracking keeps the first packet's worker",
            CONNLIMIT,
            "worker(spread_by, set)",
            "worker(at->hash, set)",
        ),
        ("who asks for a worker gets that one", ORDERS, "if (!conn || !(conn->flags & CALLED))", "if (1)"),
    )
)

PROGRAM = (*_READING, *_HANDSHAKE, *_END, *_LIMITS, *_INTERCEPT, *_WAITING, *_DEAD, *_TIME, *_MARKS, *_CALLED)
