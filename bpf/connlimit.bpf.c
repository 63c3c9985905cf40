/*
 * The connection table: every TCP connection to a static, its limits kept, its packets marked.
 *
 * Two programs on clsact, direct action, at every interface with a nameif. Ingress looks: it drops what is DEAD and
 * the SYN that finds max_conns reached, and marks what need not be inspected and what SYNPROXY has to answer; it takes
 * no place. Egress books what was really forwarded: the SYN takes its place there under the lock, and every change of
 * state is made there. So what rules, routing or a worker dropped has changed nothing. A third program, reap, does user
 * space's bidding on entries.
 *
 * TCP Intercept: a SYN at the embryonic limit is marked, and SYNPROXY answers it with a cookie, keeping nothing. Of its
 * client we hear again when the cookie came back: SYNPROXY then opens the connection to the server with a SYN of its
 * own, which carries the cookie as its acknowledgment number, and finishes that handshake. Both are seen at egress to
 * the server; the difference of cookie and server's number is kept, because conntrack puts the numbers right only
 * behind the rules: a client's acknowledgments at ingress, and the server's numbers at egress, are the cookie's.
 *
 * Rules: a change of an entry is made under its lock by whoever saw the old state there; who makes it CLOSED, and only
 * he, gives its place back and deletes it. One lock at a time. A place is taken before the entry that holds it is made.
 * A mark is a permission: what is not understood goes on unmarked, and is inspected.
 *
 * Source: design sections 2 and 3 (rows 14-16, 20, 21); asa.md 5.4 and 5.5. From user space come CONNECTIONS, STATICS,
 * RING_PAGES, MARK_OURS, MARK_DISPOSITION, MARK_SKIP, MARK_INTERCEPT, MARK_FULL,
 * WORKER_SHIFT and, where maps are pinned, PINS.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/pkt_cls.h>

#include "structs.h"
#include "parsing.h"
#include "maps.h"

/* What passes goes on to other people's filters, if there are any. */
#define PASS TC_ACT_UNSPEC
#define DROP TC_ACT_SHOT

/* One pure ACK in 64 KiB is queued, so that the worker can let go of what it keeps. */
#define ACK_SHIFT 16

/* Odd multipliers without structure: they spread addresses and ports over the word. */
#define SPREAD_ADDRESS 0x9e3779b1
#define SPREAD_PORT 0x85ebca6b
#define SPREAD_BOTH 0x2c1b3c6d

/* The places a limit counts, as a SYN found them. */
struct finding {
	u32 refusal;
	u32 count;
	u32 limit;
};

/* Where a packet belongs. */
struct place {
	struct conn_key key;
	__be32 real;
	u32 hash;
};

static __always_inline u64 clock(struct settings *set)
{
	return bpf_ktime_get_ns() + set->clock_offset;
}

static __always_inline u32 spread(__be32 address, __be16 port)
{
	u32 word = address * SPREAD_ADDRESS ^ port * SPREAD_PORT;

	word ^= word >> 15;
	word *= SPREAD_BOTH;
	return word ^ word >> 13;
}

/* The same for both directions. */
static __always_inline u32 hash(__be32 one, __be16 one_port, __be32 other, __be16 other_port)
{
	u32 sum = spread(one, one_port) + spread(other, other_port);

	return sum ^ sum >> 16;
}

static __always_inline void mark(struct __sk_buff *skb, u32 ours)
{
	u32 word = (skb->mark & ~MARK_OURS) | ours;

	/* else the compiler writes one byte of the context, which the verifier refuses */
	asm volatile("" : "+r"(word));
	skb->mark = word;
}

static __always_inline void emit(struct event *event)
{
	u32 zero = 0;

	if (events.ringbuf_output(event, sizeof(*event), BPF_RB_NO_WAKEUP)) {
		struct totals *total = totals.lookup(&zero);
		if (total)
			__sync_fetch_and_add(&total->lost_events, 1);
	}
}

static __always_inline void emit_built(struct place *at, u64 now)
{
	struct event event = {
		.time = now, .started = now, .mapped = at->key.mapped, .client = at->key.client, .port = at->key.port,
		.client_port = at->key.client_port, .real = at->real, .kind = BUILT,
	};
	emit(&event);
}

static __always_inline void emit_refused(struct place *at, struct finding *found, u64 now)
{
	struct event event = {
		.time = now, .mapped = at->key.mapped, .client = at->key.client, .port = at->key.port,
		.client_port = at->key.client_port, .real = at->real, .kind = REFUSED, .why = found->refusal,
		.count = found->count, .limit = found->limit,
	};
	emit(&event);
}

static __always_inline void emit_stranded(struct conn_key *key, __be32 real, u32 seq, u32 ack, u64 now)
{
	struct event event = {
		.time = now, .mapped = key->mapped, .client = key->client, .port = key->port,
		.client_port = key->client_port, .real = real, .kind = STRANDED, .seq = seq, .ack = ack,
	};
	emit(&event);
}

static __always_inline void emit_torn_down(struct conn_key *key, struct conn *was, u32 ending, u64 now)
{
	u32 age = (u32)(now >> TICK_SHIFT) - was->started;
	struct event event = {
		.time = now, .started = now - ((u64)age << TICK_SHIFT), .octets = was->octets, .mapped = key->mapped,
		.client = key->client, .port = key->port, .client_port = key->client_port, .real = was->real,
		.kind = TORN_DOWN, .why = ending,
	};
	emit(&event);
}

static __always_inline int embryonic(u8 state)
{
	return state == SYN || state == SYN_ACK;
}

/* Which limit refuses one more: max_conns is asked first (design row 16). */
static __always_inline void judge(struct finding *found, u32 total, u32 half_open, u32 max_conns, u32 max_embryonic)
{
	found->refusal = ADMITTED;
	if (max_conns && total >= max_conns) {
		found->refusal = MAX_CONNS;
		found->count = total;
		found->limit = max_conns;
	} else if (max_embryonic && half_open >= max_embryonic) {
		found->refusal = EMBRYONIC;
		found->count = half_open;
		found->limit = max_embryonic;
	}
}

/* Takes a place at the static, or finds max_conns reached; the embryonic limit was asked at ingress. */
static __always_inline void take(struct count *count, struct limit *limit, struct finding *found)
{
	u32 max_conns = limit ? limit->max_conns : 0;

	bpf_spin_lock(&count->lock);
	judge(found, count->total, 0, max_conns, 0);
	if (found->refusal == ADMITTED) {
		count->total++;
		count->embryonic++;
		if (count->total > count->most)
			count->most = count->total;
	}
	bpf_spin_unlock(&count->lock);
}

static __always_inline void give_back(struct count *count, u32 total, u32 half_open)
{
	if (!count || !(total | half_open))
		return;
	bpf_spin_lock(&count->lock);
	count->total -= total;
	count->embryonic -= half_open;
	bpf_spin_unlock(&count->lock);
}

/* A SYN has found a limit reached. It is counted; an event tells of it once a second, whatever a flood brings. */
static __always_inline void refuse(struct place *at, struct count *count, struct finding *found, u64 now)
{
	u32 tick = now >> TICK_SHIFT, which = found->refusal;

	if (which == MAX_CONNS)
		__sync_fetch_and_add(&count->refused_max, 1);
	else
		__sync_fetch_and_add(&count->refused_embryonic, 1);
	/* CPUs' clocks read a little before or behind each other */
	if (which < REFUSALS && tick + SECOND - count->told[which] >= 2 * SECOND) {
		count->told[which] = tick;
		emit_refused(at, found, now);
	}
}

static __always_inline void begin(struct conn *conn, struct place *at, struct packet *packet, u64 now)
{
	conn->state = SYN;
	conn->flags = packet->proxied ? INTERCEPTED : 0;
	conn->tag = at->hash;
	conn->real = at->real;
	conn->started = now >> TICK_SHIFT;
	conn->last = now >> TICK_SHIFT;
	conn->next[CLIENT] = packet->seq + 1;
	conn->next[SERVER] = packet->proxied; /* until its number is known, the server's SYN is 0 where one counts */
	conn->acked[CLIENT] = 0;
	conn->acked[SERVER] = packet->seq + 1;
	conn->delta = packet->proxied ? packet->ack : 0;
	conn->octets = 0;
}

/* Makes an entry seen in state `from` a new connection; 0 if it is not in that state any more. */
static __always_inline int begin_again(struct conn *conn, u8 from, struct place *at, struct packet *packet, u64 now)
{
	int mine;

	bpf_spin_lock(&conn->lock);
	mine = conn->state == from && conn->tag == (u16)at->hash;
	if (mine)
		begin(conn, at, packet, now);
	bpf_spin_unlock(&conn->lock);
	return mine;
}

/* No place for a SYN: it is dropped. The client of one of SYNPROXY's believes that it is connected: it has to be told. */
static __always_inline int turn_away(struct place *at, struct packet *packet, struct count *count,
				     struct finding *found, u64 now)
{
	refuse(at, count, found, now);
	if (packet->proxied)
		emit_stranded(&at->key, at->real, packet->ack + 1, packet->seq + 1, now);
	return DROP;
}

/* A SYN that waited for a place takes it, or is dropped once more. */
static __always_inline int admit_waiting(struct conn *conn, struct place *at, struct packet *packet, u64 now)
{
	struct finding found = {};
	struct count *count = counts.lookup(&at->key.mapped);

	if (!count)
		return DROP;
	take(count, limits.lookup(&at->key.mapped), &found);
	if (found.refusal != ADMITTED)
		return turn_away(at, packet, count, &found, now);
	if (!begin_again(conn, WAITING, at, packet, now)) {
		give_back(count, 1, 1);
		return DROP; /* it comes again */
	}
	emit_built(at, now);
	return PASS;
}

/* A SYN on the tuple of a connection that is over but for its place: it takes that place. */
static __always_inline int replace(struct conn *conn, u8 from, struct place *at, struct packet *packet, u64 now)
{
	struct count *count = counts.lookup(&at->key.mapped);
	struct conn was = { .started = conn->started, .octets = conn->octets, .real = conn->real };

	give_back(count, 0, -1); /* half-open once more, before the entry says so */
	if (!begin_again(conn, from, at, packet, now)) {
		give_back(count, 0, 1);
		return DROP; /* it comes again */
	}
	if (from != DEAD) /* of which that was said when it died */
		emit_torn_down(&at->key, &was, REPLACED, now);
	emit_built(at, now);
	return PASS;
}

/* A SYN without an entry takes a place. Over max_conns it leaves an uncounted entry: conntrack knows the tuple now. */
static __always_inline int admit(struct place *at, struct packet *packet, u64 now)
{
	struct finding found = {};
	struct conn fresh = {};
	struct count *count = counts.lookup(&at->key.mapped);
	u32 zero = 0;

	if (!count)
		return DROP;
	take(count, limits.lookup(&at->key.mapped), &found);
	begin(&fresh, at, packet, now);
	if (found.refusal != ADMITTED) {
		if (!packet->proxied) {
			fresh.state = WAITING;
			conns.insert(&at->key, &fresh);
		}
		return turn_away(at, packet, count, &found, now);
	}
	int error = conns.insert(&at->key, &fresh);
	if (error) {
		struct totals *total = totals.lookup(&zero);

		give_back(count, 1, 1);
		if (total && error != -EEXIST) /* which is another CPU with the same SYN */
			__sync_fetch_and_add(&total->table_full, 1);
		return DROP;
	}
	emit_built(at, now);
	return PASS;
}

/* A SYN while the handshake goes on: the same one again changes nothing, another one begins the handshake anew. */
static __always_inline void book_syn(struct conn *conn, struct place *at, struct packet *packet, u32 now)
{
	bpf_spin_lock(&conn->lock);
	if (conn->tag == (u16)at->hash && embryonic(conn->state)) {
		conn->last = now;
		if (conn->next[CLIENT] != packet->seq + 1 || packet->proxied) {
			conn->state = SYN;
			conn->next[CLIENT] = packet->seq + 1;
			conn->acked[SERVER] = packet->seq + 1;
		}
		if (packet->proxied) {
			conn->flags |= INTERCEPTED;
			conn->next[SERVER] = 1;
			conn->delta = packet->ack;
		}
	}
	bpf_spin_unlock(&conn->lock);
}

/* Whether the receiver will obey the RST: its number is exactly the one expected (RFC 9293 3.10.7, RFC 5961 3.2). */
static __always_inline int obeyed(struct conn *conn, struct packet *packet, u32 side)
{
	if (conn->state == SYN && side == SERVER)
		return packet->flags & FLAG_ACK && packet->ack == conn->next[CLIENT];
	/* Behind a FIN its own number too: a client that closed without waiting for the 221 resets with it, Linux obeys. */
	if (conn->flags & FIN_FROM << side && packet->seq + 1 == conn->next[side])
		return 1;
	return packet->seq == conn->next[side] || packet->seq == conn->acked[!side];
}

/* Octets behind the FIN: the worker need not have seen that one, so they are stopped here (design row 21). */
static __always_inline int behind_fin(struct conn *conn, struct packet *packet, u32 side)
{
	return conn->flags & FIN_FROM << side && packet->payload &&
	       ahead(packet->seq + packet->payload + 1, conn->next[side]) > 0;
}

/* Books numbers, octets and FIN of a packet of `side` on an established connection; → FINS when both are acknowledged. */
static __always_inline u32 book_data(struct conn *conn, struct packet *packet, u32 side)
{
	u32 end = packet->seq + packet->payload + (packet->flags & FLAG_FIN);

	if (packet->flags & FLAG_ACK && ahead(packet->ack, conn->acked[side]) > 0 &&
	    ahead(conn->next[!side], packet->ack) >= 0)
		conn->acked[side] = packet->ack;
	if (packet->payload) {
		conn->octets += packet->payload;
		conn->flags |= DATA_FROM << side;
	}
	/* A pure ACK is SKIP and overtakes a FIN that waits for the worker: its number says nothing of what was forwarded. */
	if (end != packet->seq && ahead(end, conn->next[side]) > 0 && !(conn->flags & FIN_FROM << side)) {
		conn->next[side] = end;
		if (packet->flags & FLAG_FIN) {
			conn->flags |= FIN_FROM << side;
			conn->state = conn->state == ESTABLISHED ? HALF_CLOSED : CLOSING;
		}
	}
	if (conn->state == CLOSING && conn->acked[CLIENT] == conn->next[SERVER] &&
	    conn->acked[SERVER] == conn->next[CLIENT])
		return FINS;
	return GOES_ON;
}

/* Books a forwarded packet of `side`, under the entry's lock; → how the connection ended by it. */
static __always_inline u32 book(struct conn *conn, struct packet *packet, u32 side, u32 now)
{
	u8 syn_ack = (packet->flags & (FLAG_SYN | FLAG_ACK)) == (FLAG_SYN | FLAG_ACK);

	conn->last = now;
	if (packet->flags & FLAG_RST) {
		if (!obeyed(conn, packet, side))
			return GOES_ON;
		return side == CLIENT ? RESET_BY_CLIENT : RESET_BY_SERVER;
	}
	if (side == SERVER && syn_ack && embryonic(conn->state) && packet->ack == conn->next[CLIENT]) {
		conn->state = SYN_ACK;
		conn->next[SERVER] = packet->seq + 1;
		conn->acked[CLIENT] = packet->seq + 1;
	}
	if (side == SERVER && syn_ack) /* the server begins another connection on the tuple: that one is inspected */
		conn->flags &= ~BYPASS;
	if (packet->flags & FLAG_SYN)
		return GOES_ON;
	if (side == CLIENT && conn->state == SYN_ACK && packet->flags & FLAG_ACK && packet->ack == conn->next[SERVER])
		conn->state = ESTABLISHED;
	if (embryonic(conn->state))
		return GOES_ON;
	return book_data(conn, packet, side);
}

/* Gives back and deletes an entry that the caller has made CLOSED, which it was not; says so if anyone cared for it. */
static __always_inline void remove(struct conn_key *key, struct conn *was, u32 ending, u64 now)
{
	if (was->state != WAITING)
		give_back(counts.lookup(&key->mapped), 1, embryonic(was->state));
	conns.delete(key);
	if (was->state != WAITING && was->state != DEAD)
		emit_torn_down(key, was, ending, now);
}

/* A packet of `side` was forwarded: the entry follows. */
static __always_inline int follow(struct conn *conn, struct place *at, struct packet *packet, u32 side, u64 now)
{
	struct conn was = {};
	u32 ending = GOES_ON;
	u8 state = CLOSED;
	int beyond = 0;

	bpf_spin_lock(&conn->lock);
	if (conn->tag == (u16)at->hash) {
		state = was.state = conn->state;
		beyond = behind_fin(conn, packet, side);
		if (!beyond && state != CLOSED && state != DEAD && state != WAITING) {
			ending = book(conn, packet, side, now >> TICK_SHIFT);
			state = conn->state;
			was.started = conn->started;
			was.octets = conn->octets;
			was.real = conn->real;
			if (ending)
				conn->state = CLOSED;
		}
	}
	bpf_spin_unlock(&conn->lock);
	if (was.state == DEAD || beyond)
		return DROP;
	if (embryonic(was.state) && !embryonic(state)) {
		give_back(counts.lookup(&at->key.mapped), 0, 1);
		was.state = state;
	}
	if (ending)
		remove(&at->key, &was, ending, now);
	return PASS;
}

/* SYNPROXY's ACK to the server: the connection it opened is established, and both numbers of the server are known. */
static __always_inline void establish(struct conn *conn, struct place *at, struct packet *packet, u64 now)
{
	int mine;

	bpf_spin_lock(&conn->lock);
	mine = conn->tag == (u16)at->hash && conn->flags & INTERCEPTED && embryonic(conn->state) &&
	       packet->seq == conn->next[CLIENT];
	if (mine) {
		conn->state = ESTABLISHED;
		conn->last = now >> TICK_SHIFT;
		conn->next[SERVER] = packet->ack;
		conn->acked[CLIENT] = packet->ack;
		conn->delta -= packet->ack - 1;
	}
	bpf_spin_unlock(&conn->lock);
	if (mine)
		give_back(counts.lookup(&at->key.mapped), 0, 1);
}

/*
 * An RST to the client of an intercepted connection, the server's or the firewall's own, gets the number its client
 * expects: conntrack gives every one of the server's the cookie's (bpf-notes section 4.4), the firewall counts as the
 * server does, and a client obeys no other number.
 */
static __always_inline void renumber(struct __sk_buff *skb, struct conn *conn, struct packet *packet)
{
	__be32 was = htonl(packet->seq), is = htonl(conn->next[SERVER] + conn->delta);

	bpf_l4_csum_replace(skb, packet->header + offsetof(struct tcp_header, checksum), was, is, sizeof(is));
	bpf_skb_store_bytes(skb, packet->header + offsetof(struct tcp_header, seq), &is, sizeof(is), 0);
}

/* The server lets go of a DEAD connection: its place is free. */
static __always_inline void bury(struct conn *conn, struct place *at, u64 now)
{
	struct conn was = { .state = DEAD };
	int mine;

	bpf_spin_lock(&conn->lock);
	mine = conn->tag == (u16)at->hash && conn->state == DEAD;
	if (mine)
		conn->state = CLOSED;
	bpf_spin_unlock(&conn->lock);
	if (mine)
		remove(&at->key, &was, INSPECTION, now);
}

static __always_inline int lets_go(struct packet *packet)
{
	return packet->flags & (FLAG_FIN | FLAG_RST);
}

static __always_inline struct face *face_of(u32 ifindex, __be32 address, u32 side)
{
	struct face_key key = { .ifindex = ifindex, .address = address };
	struct face *face = faces.lookup(&key);

	return face && face->side == side ? face : 0;
}

static __always_inline void from_client(struct place *at, struct packet *packet, struct face *face)
{
	at->key.mapped = face->mapped;
	at->key.client = packet->saddr;
	at->key.port = packet->dport;
	at->key.client_port = packet->sport;
	at->real = face->real;
	at->hash = hash(face->mapped, packet->dport, packet->saddr, packet->sport);
}

static __always_inline void from_server(struct place *at, struct packet *packet, struct face *face)
{
	at->key.mapped = face->mapped;
	at->key.client = packet->daddr;
	at->key.port = packet->sport;
	at->key.client_port = packet->dport;
	at->real = face->real;
	at->hash = hash(face->mapped, packet->sport, packet->daddr, packet->dport);
}

static __always_inline u32 worker(u32 hash, struct settings *set)
{
	return (set->workers ? hash % set->workers : 0) << WORKER_SHIFT;
}

/*
 * A FIN or RST with nothing to inspect, right behind what was forwarded: the worker holds nothing that goes before it.
 * It learns of the end from user space, which hears of it by an event.
 */
static __always_inline int ends_in_order(struct conn *conn, struct packet *packet, u32 side)
{
	u8 flags = packet->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST | FLAG_ACK | FLAG_URG);

	if (packet->payload || conn->state < ESTABLISHED || packet->seq != conn->next[side])
		return 0;
	return flags == (FLAG_FIN | FLAG_ACK) || flags == FLAG_RST || flags == (FLAG_RST | FLAG_ACK);
}

/* The mark's disposition for a packet of `side` on an entry: MARK_SKIP where it need not be inspected. */
static __always_inline u32 permission(struct conn *conn, struct packet *packet, u32 side)
{
	u8 state = conn->state;
	int same = packet->ack >> ACK_SHIFT == conn->acked[side] >> ACK_SHIFT;

	if (state < SYN_ACK || state > CLOSING || !packet->whole || packet->flags & FLAG_SYN)
		return 0;
	if (packet->flags & (FLAG_FIN | FLAG_RST))
		return ends_in_order(conn, packet, side) && (same || packet->flags & FLAG_RST) ? MARK_SKIP : 0;
	if (conn->flags & BYPASS)
		return MARK_SKIP;
	return pure_ack(packet) && same ? MARK_SKIP : 0;
}

/* A SYN towards a static, before the rules: it is only looked at. `allowed` is its mark. */
static __always_inline int look(struct conn *conn, struct place *at, struct packet *packet, u64 now, u32 *allowed)
{
	u8 state = conn ? conn->state : CLOSED;
	struct finding found = {};

	if (plain_syn(packet))
		*allowed = MARK_SKIP;
	if (state == WAITING)
		return admit_waiting(conn, at, packet, now);
	if (state != CLOSED) { /* what SYNPROXY has begun, it ends: conntrack must not take this SYN for one of its own */
		if (conn && conn->flags & INTERCEPTED && embryonic(state) && plain_syn(packet))
			*allowed = MARK_INTERCEPT;
		return PASS;
	}
	struct count *count = counts.lookup(&at->key.mapped);
	struct limit *limit = limits.lookup(&at->key.mapped);
	if (!count || !limit)
		return PASS;
	judge(&found, count->total, count->embryonic, limit->max_conns, limit->max_embryonic);
	if (found.refusal == ADMITTED)
		return PASS;
	refuse(at, count, &found, now);
	if (found.refusal == MAX_CONNS || !plain_syn(packet))
		return DROP;
	*allowed = MARK_INTERCEPT;
	return PASS;
}

/* Whether a cookie that comes back now would find no place. */
static __always_inline int full(struct place *at)
{
	struct count *count = counts.lookup(&at->key.mapped);
	struct limit *limit = limits.lookup(&at->key.mapped);

	return count && limit && limit->max_embryonic && limit->max_conns && count->total >= limit->max_conns;
}

static __always_inline int arrives_from_client(struct __sk_buff *skb, struct place *at, struct packet *packet,
					       struct settings *set)
{
	struct conn *conn = conns.lookup(&at->key);
	u32 allowed = 0;

	if (opens(packet)) {
		if (look(conn, at, packet, clock(set), &allowed) == DROP)
			return DROP;
	} else if (conn) {
		if (conn->state == DEAD)
			return DROP;
		packet->ack -= conn->delta;
		allowed = permission(conn, packet, CLIENT);
	} else if (acknowledges(packet) && full(at)) {
		allowed = MARK_FULL;
	}
	mark(skb, allowed | worker(at->hash, set));
	return PASS;
}

static __always_inline int arrives_from_server(struct __sk_buff *skb, struct place *at, struct packet *packet,
					       struct settings *set)
{
	struct conn *conn = conns.lookup(&at->key);
	u32 allowed = 0;

	if (conn && conn->state != CLOSED) {
		if (opens(packet)) /* towards a client that has opened this very connection */
			return DROP;
		if (conn->state == DEAD) {
			if (lets_go(packet))
				bury(conn, at, clock(set));
			return DROP;
		}
		allowed = permission(conn, packet, SERVER);
	}
	mark(skb, allowed | worker(at->hash, set));
	return PASS;
}

static __always_inline int leaves_to_server(struct __sk_buff *skb, struct place *at, struct packet *packet, u64 now)
{
	struct conn *conn = conns.lookup(&at->key);
	u8 state = conn ? conn->state : CLOSED;

	if (skb->ingress_ifindex == 0) { /* the firewall's own: SYNPROXY's, an RST, or a connection of its own */
		packet->proxied = opens(packet) && packet->ack;
		if (conn && acknowledges(packet))
			establish(conn, at, packet, now);
		if (state == DEAD && lets_go(packet))
			bury(conn, at, now);
		if (!packet->proxied)
			return PASS;
	} else if (opens(packet) && (skb->mark & MARK_DISPOSITION) == MARK_INTERCEPT) {
		return DROP; /* nobody answered it: our rules are gone */
	}
	if (!opens(packet))
		return conn ? follow(conn, at, packet, CLIENT, now) : PASS;
	if (!conn)
		return admit(at, packet, now);
	switch (state) {
	case CLOSED:
		return DROP; /* about to be deleted: it comes again */
	case WAITING:
		return admit_waiting(conn, at, packet, now);
	case CLOSING:
	case DEAD:
		return replace(conn, state, at, packet, now);
	}
	book_syn(conn, at, packet, now >> TICK_SHIFT);
	return PASS;
}

static __always_inline int leaves_to_client(struct __sk_buff *skb, struct place *at, struct packet *packet, u64 now)
{
	struct conn *conn = conns.lookup(&at->key);

	if (conn && conn->state != CLOSED && conn->flags & INTERCEPTED) {
		if (packet->flags & FLAG_RST) {
			renumber(skb, conn, packet);
			packet->seq = conn->next[SERVER];
		} else {
			packet->seq -= conn->delta;
		}
	}
	if (skb->ingress_ifindex == 0) /* the firewall's own: SYNPROXY's, or an RST */
		return PASS;
	if (conn && conn->state != CLOSED) {
		if (opens(packet))
			return DROP;
		if (conn->state == DEAD) {
			if (lets_go(packet))
				bury(conn, at, now);
			return DROP;
		}
		return follow(conn, at, packet, SERVER, now);
	}
	/* a SYN-ACK to nobody we know would open a connection that is not counted */
	struct limit *limit = limits.lookup(&at->key.mapped);
	if (packet->flags & FLAG_SYN && packet->flags & FLAG_ACK && limit && (limit->max_conns || limit->max_embryonic))
		return DROP;
	return PASS;
}

int ingress(struct __sk_buff *skb)
{
	struct packet packet = {};
	struct place at = {};
	struct face *face;
	u32 zero = 0;
	struct settings *set = settings.lookup(&zero);

	if (skb->vlan_present || !set) /* the VLAN's own interface has its own program */
		return PASS;
	mark(skb, 0);
	switch (parse(skb, &packet)) {
	case OTHER:
		return PASS;
	case FORBIDDEN:
		return DROP;
	case TCP:
		break;
	}
	face = face_of(skb->ifindex, packet.daddr, CLIENT);
	if (face) {
		from_client(&at, &packet, face);
		return arrives_from_client(skb, &at, &packet, set);
	}
	face = face_of(skb->ifindex, packet.saddr, SERVER);
	if (face) {
		from_server(&at, &packet, face);
		return arrives_from_server(skb, &at, &packet, set);
	}
	mark(skb, worker(hash(packet.saddr, packet.sport, packet.daddr, packet.dport), set));
	return PASS;
}

int egress(struct __sk_buff *skb)
{
	struct packet packet = {};
	struct place at = {};
	struct face *face;
	u32 zero = 0;
	struct settings *set = settings.lookup(&zero);

	if (skb->vlan_present || !set)
		return PASS;
	switch (parse(skb, &packet)) {
	case OTHER:
		return PASS;
	case FORBIDDEN:
		return DROP;
	case TCP:
		break;
	}
	/* what comes to the real address from a third interface is not the static's */
	face = face_of(skb->ifindex, packet.daddr, SERVER);
	if (face && (skb->ingress_ifindex == face->opposite || skb->ingress_ifindex == 0)) {
		from_client(&at, &packet, face);
		return leaves_to_server(skb, &at, &packet, clock(set));
	}
	face = face_of(skb->ifindex, packet.saddr, CLIENT);
	if (face) {
		from_server(&at, &packet, face);
		return leaves_to_client(skb, &at, &packet, clock(set));
	}
	return PASS;
}

/* How an entry in `state` ends when its time is over. */
static __always_inline u32 expiry(u8 state)
{
	if (embryonic(state))
		return SYN_TIMEOUT;
	return state == ESTABLISHED ? IDLE_TIMEOUT : FIN_TIMEOUT;
}

/* Carries out one order on one entry; → 1 if that changed it. */
static __always_inline int obey(u16 order, struct conn_key *key, struct settings *set, u64 now)
{
	struct conn *conn = conns.lookup(key);
	struct conn was = {};
	u32 tick = now >> TICK_SHIFT;
	u16 tag = hash(key->mapped, key->port, key->client, key->client_port);
	int done = 0;

	if (!conn)
		return 0;
	u32 timeout = set->timeout[conn->state % STATES];
	bpf_spin_lock(&conn->lock);
	u8 state = conn->state;
	was.state = state;
	was.started = conn->started;
	was.octets = conn->octets;
	was.real = conn->real;
	was.flags = conn->flags;
	was.delta = conn->delta;
	was.next[CLIENT] = conn->next[CLIENT];
	if (conn->tag == tag && state != CLOSED) {
		if (order == RELEASE) {
			done = !(conn->flags & BYPASS);
			conn->flags |= BYPASS;
		} else if (order == KILL) {
			done = state != DEAD && state != WAITING;
			if (done) {
				conn->state = DEAD;
				conn->last = tick;
			}
		} else {
			u32 since = embryonic(state) ? conn->started : conn->last;

			done = order == CLEAR || ahead(tick, since) >= (s32)timeout;
			if (done)
				conn->state = CLOSED;
		}
	}
	bpf_spin_unlock(&conn->lock);
	if (!done || order == RELEASE)
		return done;
	if (order == KILL) {
		give_back(counts.lookup(&key->mapped), 0, embryonic(state));
		emit_torn_down(key, &was, INSPECTION, now);
	} else {
		remove(key, &was, order == CLEAR ? CLEARED : expiry(state), now);
		if (was.flags & INTERCEPTED && embryonic(state)) /* the server never answered, the client knows nothing of it */
			emit_stranded(key, was.real, was.delta + 1, was.next[CLIENT], now);
	}
	return 1;
}

/* Run by user space alone, its packet an order and keys; → how many entries it changed. */
int reap(struct __sk_buff *skb)
{
	struct conn_key key;
	u32 zero = 0;
	u16 order;
	int done = 0;
	struct settings *set = settings.lookup(&zero);

	if (!set || bpf_skb_load_bytes(skb, offsetof(struct orders, order), &order, sizeof(order)))
		return 0;
	for (int i = 0; i < ORDERS; i++) {
		if (bpf_skb_load_bytes(skb, offsetof(struct orders, keys) + i * sizeof(key), &key, sizeof(key)))
			break;
		done += obey(order, &key, set, clock(set));
	}
	return done;
}
