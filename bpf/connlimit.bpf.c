/*
 * The connection table: every TCP connection through the box, the limits it is under kept, its packets marked.
 *
 * Two programs on clsact, direct action, at every interface with a nameif. Ingress looks: it drops what is DEAD and
 * the SYN that finds a limit of connections reached, and marks what need not be inspected and what SYNPROXY has to
 * answer; it takes no place. Egress books what was really forwarded: the SYN takes its places there under their locks,
 * and every change of state is made there. So what rules, routing or a worker dropped has changed nothing. A third
 * program, reap, does user space's bidding on entries, and a fourth, join, counts them among their clients'.
 *
 * An entry is known by the real addresses of its ends, so that one look finds it on either side of a translation,
 * whichever end sends. Up to three counts are charged for it: its static's, and in the class that limits it its
 * server's and its client's.
 *
 * TCP Intercept: a SYN at an embryonic limit is marked, and SYNPROXY answers it with a cookie, keeping nothing. Of its
 * client we hear again when the cookie came back: SYNPROXY then opens the connection to the server with a SYN of its
 * own, which carries the cookie as its acknowledgment number, and finishes that handshake. Both are seen at egress to
 * the server; the difference of cookie and server's number is kept, because conntrack puts the numbers right only
 * behind the rules: a client's acknowledgments at ingress, and the server's numbers at egress, are the cookie's. It
 * needs a static: before the rules, nothing else says where a SYN goes.
 *
 * Rules: a change of an entry is made under its lock (changes.h) by whoever saw the old state there; who makes it
 * CLOSED, and only he, gives its places back and deletes it. One lock at a time. Places are taken before the entry that
 * holds them is made. A mark is a permission: what is not understood goes on unmarked, and is inspected.
 *
 * Source: design sections 2 and 3 (rows 14-16, 20, 21); asa.md 5.3 to 5.5. From user space come CONNECTIONS, STATICS,
 * CLASSES, SHARES, RULES, INTERFACES, RING_PAGES, ORDERS, MARK_OURS, MARK_DISPOSITION, MARK_SKIP, MARK_INTERCEPT,
 * MARK_FULL, WORKER_SHIFT and, where maps are pinned, PINS.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/pkt_cls.h>

#include "structs.h"
#include "parsing.h"
#include "machine.h"
#include "places.h"
#include "changes.h"
#include "maps.h"

/* What passes goes on to other people's filters, if there are any. */
#define PASS TC_ACT_UNSPEC
#define DROP TC_ACT_SHOT

/* What take() finds but for a limit: no room in a table, or a count that another CPU is about to delete; then the SYN
 * comes again. */
#define NO_ROOM REFUSALS
#define BUSY (REFUSALS + 1)

static __always_inline u64 clock(struct settings *set)
{
	return bpf_ktime_get_ns() + set->clock_offset;
}

static __always_inline void mark(struct __sk_buff *skb, u32 ours)
{
	u32 word = (skb->mark & ~MARK_OURS) | ours;

	/* else the compiler writes one byte of the context, which the verifier refuses */
	asm volatile("" : "+r"(word));
	skb->mark = word;
}

/* Events */

/* Whose event it is: the ends of a connection, and the static by which its client calls the server. */
static __always_inline void about(struct event *event, struct conn_key *key, u16 flags, u16 static_number, u64 now)
{
	struct end client = client_end(key, flags), server = server_end(key, flags);
	u32 number = static_number;

	event->time = now;
	event->client = client.address;
	event->client_port = client.port;
	event->port = server.port;
	event->real = server.address;
	event->real_port = server.port;
	event->mapped = server.address;
	struct limit *limit = limits.lookup(&number);
	if (number && limit) {
		event->mapped = limit->mapped;
		event->port = limit->mapped_port ?: server.port;
	}
}

static __always_inline void known_beyond(struct event *event, struct end *beyond)
{
	event->beyond = beyond->address;
	event->beyond_port = beyond->port;
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

static __always_inline void emit_built(struct place *at, u16 number, u64 now)
{
	struct event event = { .kind = BUILT, .started = now };

	about(&event, &at->key, opener(at), number, now);
	known_beyond(&event, &at->beyond);
	emit(&event);
}

static __always_inline void emit_refused(struct place *at, struct finding *found, u64 now)
{
	struct event event = {
		.kind = REFUSED, .why = found->refusal, .count = found->count, .limit = found->limit,
	};
	about(&event, &at->key, opener(at), at->number, now);
	known_beyond(&event, &at->beyond);
	emit(&event);
}

static __always_inline void emit_numbers(u32 kind, struct conn_key *key, u16 flags, u16 number, struct end *beyond,
					 u32 seq, u32 ack, u64 now)
{
	struct event event = { .kind = kind, .seq = seq, .ack = ack };

	about(&event, key, flags, number, now);
	known_beyond(&event, beyond);
	emit(&event);
}

static __always_inline void emit_torn_down(struct conn_key *key, struct conn *was, u32 ending, u64 now)
{
	u32 age = (u32)(now >> TICK_SHIFT) - was->started;
	struct end other = other_end(was);
	struct event event = {
		.kind = TORN_DOWN, .why = ending, .started = now - ((u64)age << TICK_SHIFT),
		.octets = was->octets << 16 >> 16,
	};
	about(&event, key, was->flags, was->number, now);
	known_beyond(&event, &other);
	emit(&event);
}

/* Places */

static __always_inline void give_back_share(u16 klass, u16 scope, __be32 address, u32 total, u32 half_open)
{
	struct share_key key = { .klass = klass, .scope = scope, .address = address };
	struct share *share = shares.lookup(&key);
	int last = 0;

	if (!share)
		return;
	bpf_spin_lock(&share->lock);
	if (share->key.klass == klass && share->key.scope == scope && share->key.address == address) {
		share->total -= total;
		share->embryonic -= half_open;
		last = !share->total;
		if (last)
			share->key.klass = 0;
	}
	bpf_spin_unlock(&share->lock);
	if (last)
		shares.delete(&key);
}

static __always_inline void give_back_static(u16 number, u32 total, u32 half_open)
{
	u32 row = number;
	struct count *count = counts.lookup(&row);

	if (!count)
		return;
	bpf_spin_lock(&count->lock);
	count->total -= total;
	count->embryonic -= half_open;
	bpf_spin_unlock(&count->lock);
}

/* Of everything a connection holds, `total` places and `half_open` ones. */
static __always_inline void give_back(struct holding *of, u32 total, u32 half_open)
{
	if (!(total | half_open))
		return;
	if (of->number)
		give_back_static(of->number, total, half_open);
	if (!of->klass)
		return;
	give_back_share(of->klass, TO_SERVER, of->server, total, half_open);
	if (of->client)
		give_back_share(of->klass, FROM_CLIENT, of->client, total, half_open);
}

static __always_inline void take_static(u16 number, struct finding *found)
{
	u32 row = number;
	struct count *count = counts.lookup(&row);
	struct limit *limit = limits.lookup(&row);

	if (!count || !limit)
		return;
	bpf_spin_lock(&count->lock);
	judge(found, count->total, 0, limit->max_conns, 0, 0, 0);
	if (found->refusal == ADMITTED) {
		count->total++;
		count->embryonic++;
		if (count->total > count->most)
			count->most = count->total;
	}
	bpf_spin_unlock(&count->lock);
}

static __always_inline void take_share(u16 klass, u16 scope, __be32 address, u32 most, struct finding *found)
{
	struct share_key key = { .klass = klass, .scope = scope, .address = address };
	struct share *share = shares.lookup(&key);

	if (!share) {
		struct share none = { .key = key };
		shares.insert(&key, &none); /* or another CPU does */
		share = shares.lookup(&key);
	}
	if (!share) {
		found->refusal = NO_ROOM;
		return;
	}
	bpf_spin_lock(&share->lock);
	if (share->key.klass != klass || share->key.scope != scope || share->key.address != address)
		found->refusal = BUSY;
	else
		judge(found, share->total, 0, most, 0, scope == FROM_CLIENT, 1);
	if (found->refusal == ADMITTED) {
		share->total++;
		share->embryonic++;
	}
	bpf_spin_unlock(&share->lock);
}

/* Takes a place of each count that a SYN is charged to, or of none; the embryonic limits were asked at ingress. → what
 * the connection's flags say of it. */
static __always_inline u16 take(struct place *at, struct finding *found)
{
	struct holding so_far = { .number = at->number, .server = at->receiver.address };
	u32 row = at->klass;

	if (at->number)
		take_static(at->number, found);
	if (found->refusal != ADMITTED || !row)
		return 0;
	struct class *klass = classes.lookup(&row);
	if (!klass)
		return 0;
	take_share(at->klass, TO_SERVER, at->receiver.address, klass->max_conns, found);
	if (found->refusal == ADMITTED) {
		if (!(klass->client_max | klass->client_embryonic))
			return 0;
		take_share(at->klass, FROM_CLIENT, at->sender.address, klass->client_max, found);
		if (found->refusal == ADMITTED)
			return PER_CLIENT;
		so_far.klass = at->klass;
	}
	give_back(&so_far, 1, 1);
	return 0;
}

/* The places of a class that are taken, as a SYN would find them. */
static __always_inline void look_at_share(u16 klass, u16 scope, __be32 address, u32 most, u32 most_half_open,
					  struct finding *found)
{
	struct share_key key = { .klass = klass, .scope = scope, .address = address };

	if (!(most | most_half_open))
		return;
	struct share *share = shares.lookup(&key);
	if (share)
		judge(found, share->total, share->embryonic, most, most_half_open, scope == FROM_CLIENT, 1);
}

/* Which limit a SYN to a static would find reached now; nothing is locked. → whether any of them is one of half-open
 * connections. */
static __always_inline int survey(struct place *at, struct finding *found)
{
	u32 row = at->number;
	struct count *count = counts.lookup(&row);
	struct limit *limit = limits.lookup(&row);
	u32 intercepts = 0, all = 0;

	if (count && limit) {
		all = any(limit->own) - 1; /* every bit, or none */
		intercepts = limit->max_embryonic & all;
		judge(found, count->total, count->embryonic, limit->max_conns, intercepts, 0, 0);
	}
	row = at->klass;
	struct class *klass = classes.lookup(&row);
	if (row && klass) {
		u32 half_open = klass->max_embryonic & all, of_client = klass->client_embryonic & all;

		intercepts |= half_open | of_client;
		look_at_share(at->klass, TO_SERVER, at->receiver.address, klass->max_conns, half_open, found);
		look_at_share(at->klass, FROM_CLIENT, at->sender.address, klass->client_max, of_client, found);
	}
	return intercepts != 0;
}

/* The class that limits a connection, by its first packet: the first rule it meets decides. */
static __always_inline u16 classify(struct place *at, struct settings *set)
{
	u32 row = set->first_rule;

	for (int turn = 0; turn < RULES; turn++) {
		if (row >= set->last_rule)
			break;
		struct rule *rule = rules.lookup(&row);
		if (!rule)
			break;
		if (misses(rule, at)) {
			row++;
			continue;
		}
		if (rule->klass)
			return rule->klass;
		row = rule->otherwise;
	}
	return 0;
}

/* CPUs' clocks read a little before or behind each other. */
static __always_inline int long_ago(u32 told, u32 tick)
{
	return tick + SECOND - told >= 2 * SECOND;
}

/* A SYN has found a limit reached. It is counted; an event tells of it once a second, whatever a flood brings. */
static __always_inline void refuse(struct place *at, struct finding *found, u64 now)
{
	u32 tick = now >> TICK_SHIFT, which = found->refusal, row = found->of_class ? at->klass : at->number, zero = 0;
	u32 *told = 0;

	if (which == NO_ROOM) {
		struct totals *total = totals.lookup(&zero);
		if (total)
			__sync_fetch_and_add(&total->table_full, 1);
	} else if (which >= REFUSALS) {
		return;
	} else if (found->of_class) {
		struct refused *refused = refusals.lookup(&row);
		if (refused) {
			__sync_fetch_and_add(&refused->count[which], 1);
			told = &refused->told[which];
		}
	} else {
		struct count *count = counts.lookup(&row);
		if (count) {
			__sync_fetch_and_add(which == MAX_CONNS ? &count->refused_max : &count->refused_embryonic, 1);
			told = &count->told[which];
		}
	}
	if (told && long_ago(*told, tick)) {
		*told = tick;
		emit_refused(at, found, now);
	}
}

/* Aliases */

/* Makes the packet's connection known by what its sender is called where it leaves; → 0, or what keeps it from that. */
static __always_inline u32 introduce(struct place *at, u32 now)
{
	struct place there = { .sender = at->beyond, .receiver = at->receiver };
	struct conn alias = { .state = ALIAS, .last = now };

	if (!at->beyond.address)
		return 0;
	identify(&there);
	alias.tag = there.hash;
	alias.flags = opener(&there);
	name(&alias, &at->sender);
	int error = conns.insert(&there.key, &alias);
	if (error != -EEXIST)
		return error ? NO_ROOM : 0;
	struct conn *known = conns.lookup(&there.key);
	if (!known || known->state != ALIAS)
		return BUSY; /* somebody's own address is used for others, too */
	struct end other = other_end(known);
	if (!same_end(&other, &at->sender))
		conns.update(&there.key, &alias); /* connection tracking has forgotten the one before it */
	return 0;
}

/* What a connection was known by beyond a translation, unless another one is by now. */
static __always_inline void forget(struct conn_key *key, struct conn *was)
{
	if (!(was->flags & TRANSLATED))
		return;
	struct conn_key there = other_key(key, was);
	struct conn *alias = conns.lookup(&there);
	if (!alias || alias->state != ALIAS)
		return;
	struct end ours = client_end(key, was->flags), other = other_end(alias);
	if (same_end(&ours, &other))
		conns.delete(&there);
}

/* What introduce() has made for a SYN that is refused after all. */
static __always_inline void forget_beyond(struct place *at)
{
	struct conn was = { .flags = opener(at) };

	name(&was, &at->beyond);
	forget(&at->key, &was);
}

/* Admission */

/* No place for a SYN: it is dropped. The client of one of SYNPROXY's believes that it is connected: it has to be told. */
static __always_inline int turn_away(struct place *at, struct packet *packet, struct finding *found, u64 now)
{
	refuse(at, found, now);
	if (packet->proxied)
		emit_numbers(STRANDED, &at->key, opener(at), at->number, &at->beyond, packet->ack + 1, packet->seq + 1, now);
	return DROP;
}

/* Takes the places of a new connection and makes it known; or neither. → flags, as of take(). */
static __always_inline u16 enter(struct place *at, struct finding *found, u64 now)
{
	u16 flags = take(at, found);

	if (found->refusal != ADMITTED)
		return 0;
	found->refusal = introduce(at, now >> TICK_SHIFT);
	if (found->refusal != ADMITTED) {
		struct holding holding = taken(at, flags);
		give_back(&holding, 1, 1);
	}
	return flags;
}

/* A SYN that waited for a place takes it, or is dropped once more. */
static __always_inline int admit_waiting(struct conn *conn, struct place *at, struct packet *packet, u64 now)
{
	struct finding found = {};
	u16 flags = enter(at, &found, now) | opener(at);

	if (found.refusal != ADMITTED)
		return turn_away(at, packet, &found, now);
	if (!begin_again(conn, WAITING, at, packet, flags, now >> TICK_SHIFT)) {
		struct holding holding = taken(at, flags);
		give_back(&holding, 1, 1);
		return DROP; /* it comes again */
	}
	emit_built(at, at->number, now);
	return PASS;
}

/* A SYN on the tuple of a connection that is over but for its places: it takes those. */
static __always_inline int replace(struct conn *conn, u8 from, struct place *at, struct packet *packet, u64 now)
{
	struct conn was = {
		.started = conn->started, .octets = conn->octets, .number = conn->number, .flags = conn->flags,
		.delta = conn->delta,
	};
	struct holding holding = held(&at->key, conn);
	struct end other = other_end(&was);

	if (introduce(at, now >> TICK_SHIFT))
		return DROP; /* it comes again */
	give_back(&holding, 0, -1); /* half-open once more, before the entry says so */
	if (!begin_again(conn, from, at, packet, was.flags & (CLIENT_HIGH | PER_CLIENT), now >> TICK_SHIFT)) {
		give_back(&holding, 0, 1);
		return DROP; /* it comes again */
	}
	if (!same_end(&other, &at->beyond))
		forget(&at->key, &was);
	if (from != DEAD) /* of which that was said when it died */
		emit_torn_down(&at->key, &was, REPLACED, now);
	emit_built(at, was.number, now);
	return PASS;
}

/* A SYN without an entry takes its places. Over a limit it leaves an uncounted entry: conntrack knows the tuple now. */
static __always_inline int admit(struct place *at, struct packet *packet, u64 now)
{
	struct finding found = {};
	struct conn fresh = { .tag = at->hash, .number = at->number, .klass = at->klass };
	u16 flags = enter(at, &found, now) | opener(at);

	begin(&fresh, packet, flags, &at->beyond, now >> TICK_SHIFT);
	if (found.refusal != ADMITTED) {
		if (!packet->proxied && found.refusal < NO_ROOM) {
			fresh.state = WAITING;
			fresh.klass = 0;
			fresh.flags &= ~TRANSLATED;
			fresh.octets = 0;
			conns.insert(&at->key, &fresh);
		}
		return turn_away(at, packet, &found, now);
	}
	int error = conns.insert(&at->key, &fresh);
	if (error) {
		struct holding holding = taken(at, flags);

		give_back(&holding, 1, 1);
		if (error == -EEXIST) /* another CPU has the same SYN */
			return DROP;
		forget_beyond(at);
		found.refusal = NO_ROOM;
		return turn_away(at, packet, &found, now);
	}
	emit_built(at, at->number, now);
	return PASS;
}

static __always_inline int book_syn(struct conn *conn, struct place *at, struct packet *packet, u32 now)
{
	struct conn was = { .flags = conn->flags, .delta = conn->delta, .octets = conn->octets };
	struct end other = other_end(&was);
	int renamed = embryonic(conn->state) && at->beyond.address && !same_end(&other, &at->beyond);

	if (renamed && introduce(at, now))
		return DROP; /* it comes again */
	handshake_again(conn, at, packet, now);
	if (renamed)
		forget(&at->key, &was);
	return PASS;
}

/* The life of an entry */

/* Gives back what an entry held that the caller has made CLOSED, or DEAD if it is not to be `gone`, from another state;
 * says so if anyone cared for it. */
static __always_inline void finish(struct conn_key *key, struct conn *was, int gone, u32 ending, u64 now)
{
	if (was->state != WAITING) {
		struct holding holding = held(key, was);
		give_back(&holding, gone, embryonic(was->state));
	}
	if (gone) {
		forget(key, was);
		conns.delete(key);
	}
	if (was->state != WAITING && was->state != DEAD)
		emit_torn_down(key, was, ending, now);
}

/* A packet of `side` was forwarded: the entry follows. */
static __always_inline int follow(struct conn *conn, struct place *at, struct packet *packet, u32 side, u64 now)
{
	struct step step = { .ending = GOES_ON, .state = CLOSED };
	struct conn *was = &step.was;

	advance(conn, at, packet, side, now >> TICK_SHIFT, &step);
	if (was->state == DEAD || step.beyond)
		return DROP;
	if (embryonic(was->state) && !embryonic(step.state)) {
		struct holding holding = held(&at->key, was);
		give_back(&holding, 0, 1);
		was->state = step.state;
	}
	if (step.ending)
		finish(&at->key, was, 1, step.ending, now);
	return PASS;
}

/* SYNPROXY's ACK to the server: the connection it opened is established, and both numbers of the server are known. */
static __always_inline void establish(struct conn *conn, struct place *at, struct packet *packet, u64 now)
{
	struct conn was = { .number = conn->number, .klass = conn->klass };

	if (settle(conn, at, packet, now >> TICK_SHIFT, &was)) {
		struct holding holding = held(&at->key, &was);
		give_back(&holding, 0, 1);
	}
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

/* The server lets go of a DEAD connection: its places are free. */
static __always_inline void bury(struct conn *conn, struct place *at, u64 now)
{
	struct conn was = {
		.state = DEAD, .number = conn->number, .klass = conn->klass, .flags = conn->flags, .delta = conn->delta,
		.octets = conn->octets,
	};

	if (close_dead(conn, at))
		finish(&at->key, &was, 1, INSPECTION, now);
}

/* Where a packet belongs */

/* A port's own face goes before that of its address. */
static __always_inline struct face *face_of(u32 ifindex, struct end *end, u32 peer)
{
	struct face_key key = { .ifindex = ifindex, .address = end->address, .peer = peer };
	struct face *whole = faces.lookup(&key);

	if (!whole || !whole->by_port)
		return whole;
	key.port = end->port;
	struct face *port = faces.lookup(&key);
	if (port)
		return port;
	return whole->number ? whole : 0;
}

/* The end that is called `address` at `ifindex`, by its real address. */
static __always_inline void real_end(struct place *at, struct end *end, u32 ifindex)
{
	struct face *face = face_of(ifindex, end, 0);

	if (face) {
		end->address = face->real;
		if (face->port)
			end->port = face->port;
		at->named = face->number;
	}
}

/* Before the rules the receiver may be called by a mapped address; of a static it is known where it is. */
static __always_inline void arriving(struct place *at, struct packet *packet, u32 ifindex)
{
	*at = (struct place){};
	at->sender.address = packet->saddr;
	at->sender.port = packet->sport;
	at->receiver.address = packet->daddr;
	at->receiver.port = packet->dport;
	real_end(at, &at->receiver, ifindex);
	identify(at);
}

/* Behind the rules it is the sender that may be. */
static __always_inline void leaving(struct place *at, struct packet *packet, u32 ifindex)
{
	*at = (struct place){};
	at->sender.address = packet->saddr;
	at->sender.port = packet->sport;
	at->receiver.address = packet->daddr;
	at->receiver.port = packet->dport;
	real_end(at, &at->sender, ifindex);
	identify(at);
}

/* The entry of a packet's connection. */
static __always_inline struct conn *find(struct place *at)
{
	struct conn *conn = conns.lookup(&at->key);

	if (!conn || conn->state != ALIAS)
		return conn;
	unveil(at, conn);
	conn = conns.lookup(&at->key);
	return conn && conn->state != ALIAS ? conn : 0;
}

/* Ingress */

/* What opens a connection, before the rules: of what calls a static the way is known, and the class. */
static __always_inline void opening(struct place *at, u32 ifindex, struct packet *packet, struct settings *set)
{
	struct end called = { packet->daddr, packet->dport };
	struct face *face = at->named ? face_of(ifindex, &called, 0) : 0;

	at->in = ifindex;
	if (!face)
		return;
	at->number = at->named;
	at->out = face->opposite;
	at->klass = classify(at, set);
}

/* A SYN to a static before the rules: it is only looked at. `allowed` is its mark. */
static __always_inline int look(struct place *at, struct packet *packet, u64 now, u32 *allowed)
{
	struct finding found = {};

	survey(at, &found);
	if (found.refusal == ADMITTED)
		return PASS;
	refuse(at, &found, now);
	if (!half_open_limit(found.refusal) || !plain_syn(packet))
		return DROP;
	u32 row = at->number;
	struct count *count = counts.lookup(&row);
	if (count)
		__sync_fetch_and_add(&count->intercepted, 1);
	*allowed = MARK_INTERCEPT;
	return PASS;
}

/* A SYN of an entry's client. One to a static that has waited takes its place here: conntrack knows it already. */
static __always_inline int look_again(struct __sk_buff *skb, struct conn *conn, struct place *at, struct packet *packet,
				      struct settings *set, u32 *allowed)
{
	u8 state = conn->state;

	if (plain_syn(packet))
		*allowed = MARK_SKIP;
	if (state == WAITING && at->named) {
		opening(at, skb->ifindex, packet, set);
		return admit_waiting(conn, at, packet, clock(set));
	}
	/* what SYNPROXY has begun, it ends: conntrack must not take this SYN for one of its own */
	if (conn->flags & INTERCEPTED && embryonic(state) && plain_syn(packet))
		*allowed = MARK_INTERCEPT;
	return PASS;
}

/* Whether a cookie that comes back now would find no place. */
static __always_inline int full(struct place *at)
{
	struct finding found = {};

	return survey(at, &found) && found.refusal != ADMITTED && !half_open_limit(found.refusal);
}

/* A packet of an entry. `allowed` is its mark. */
static __always_inline int known(struct __sk_buff *skb, struct conn *conn, struct place *at, struct packet *packet, u32 side,
				 struct settings *set, u32 *allowed)
{
	if (opens(packet)) {
		if (side == SERVER) /* towards a client that has opened this very connection */
			return DROP;
		return look_again(skb, conn, at, packet, set, allowed);
	}
	if (conn->state == DEAD) {
		if (side == SERVER && lets_go(packet))
			bury(conn, at, clock(set));
		return DROP;
	}
	if (side == CLIENT)
		packet->ack -= shift(conn);
	*allowed = skips(conn, packet, side) ? MARK_SKIP : 0;
	return PASS;
}

/* A packet without an entry. */
static __always_inline int unknown(struct __sk_buff *skb, struct place *at, struct packet *packet,
				   struct settings *set, u32 *allowed)
{
	if (plain_syn(packet))
		*allowed = MARK_SKIP;
	if (!at->named)
		return PASS;
	if (opens(packet)) {
		opening(at, skb->ifindex, packet, set);
		return look(at, packet, clock(set), allowed);
	}
	if (acknowledges(packet)) {
		opening(at, skb->ifindex, packet, set);
		if (full(at))
			*allowed = MARK_FULL;
	}
	return PASS;
}

/* Notes a SYN of which it is not known yet how it will leave. */
static __always_inline void note(struct place *at, struct packet *packet, u32 ifindex)
{
	u32 *kind = interfaces.lookup(&ifindex);

	if (!kind || *kind != CHOOSING)
		return;
	struct note_key key = noted(packet);
	struct note note = {
		.sender = at->sender.address, .receiver = at->receiver.address, .sender_port = at->sender.port,
		.receiver_port = at->receiver.port, .named = at->named,
	};
	notes.update(&key, &note);
}

int ingress(struct __sk_buff *skb)
{
	u32 zero = 0, allowed = 0;
	struct settings *set = settings.lookup(&zero);
	struct scratch *scratch = scratches.lookup(&zero);
	int verdict;

	if (skb->vlan_present || !set || !scratch) /* the VLAN's own interface has its own program */
		return PASS;
	struct packet *packet = &scratch->packet;
	struct place *at = &scratch->at;
	mark(skb, 0);
	switch (parse(skb, packet)) {
	case OTHER:
		return PASS;
	case FORBIDDEN:
		return DROP;
	case TCP:
		break;
	}
	arriving(at, packet, skb->ifindex);
	struct conn *conn = find(at);
	/* about to be deleted, or a client that calls its server by another address */
	if (!conn || conn->state == CLOSED || (sender(conn, at) == CLIENT && conn->number != at->named))
		verdict = unknown(skb, at, packet, set, &allowed);
	else
		verdict = known(skb, conn, at, packet, sender(conn, at), set, &allowed);
	if (verdict == DROP)
		return DROP;
	if (opens(packet))
		note(at, packet, skb->ifindex);
	mark(skb, allowed | worker(at->hash, set) << WORKER_SHIFT);
	return PASS;
}

/* Egress */

/* What a SYN says of the connection it opens. */
enum opening {
	OURS,
	FOREIGN, /* it has no entry: not from an interface of ours, or its receiver is known by other ends there */
	UNKNOWN /* nobody has seen it come in; it comes again */
};

/* Of a SYN that was let through, who sent it: where its address or port was chosen, as it came in. */
static __always_inline enum opening recognize(struct place *at, struct packet *packet, u32 in)
{
	u32 *kind = interfaces.lookup(&in);

	at->in = in;
	if (!kind)
		return in ? FOREIGN : OURS;
	if (*kind != CHOOSING)
		return OURS;
	struct note_key key = noted(packet);
	struct note *note = notes.lookup(&key);
	if (!note)
		return UNKNOWN;
	struct end sender = { note->sender, note->sender_port }, receiver = { note->receiver, note->receiver_port };
	if (!same_end(&receiver, &at->receiver))
		return FOREIGN;
	at->noted = 1;
	at->number = note->named;
	if (!same_end(&sender, &at->sender)) {
		at->beyond.address = packet->saddr;
		at->beyond.port = packet->sport;
		at->sender = sender;
		identify(at);
	}
	return OURS;
}

/* The static and the class of what opens a connection. */
static __always_inline void opened(struct place *at, struct packet *packet, struct __sk_buff *skb, struct settings *set)
{
	u32 in = skb->ingress_ifindex;
	struct face *face = face_of(skb->ifindex, &at->receiver, in ? in : OURSELVES);

	at->out = skb->ifindex;
	if (face) {
		at->number = at->noted ? at->number : face->number;
		at->in = face->opposite;
	}
	packet->proxied = !in && face && packet->ack;
	at->klass = classify(at, set);
}

static __always_inline int open_to_server(struct __sk_buff *skb, struct conn *conn, struct place *at,
					  struct packet *packet, struct settings *set)
{
	u64 now = clock(set);

	if (!skb->ingress_ifindex && !packet->proxied)
		return PASS; /* the firewall's own */
	if (!packet->proxied && (skb->mark & MARK_DISPOSITION) == MARK_INTERCEPT)
		return DROP; /* nobody answered it: our rules are gone */
	if (!conn)
		return admit(at, packet, now);
	u8 state = conn->state;
	switch (state) {
	case CLOSED:
		return DROP; /* about to be deleted: it comes again */
	case WAITING:
		return admit_waiting(conn, at, packet, now);
	case CLOSING:
	case DEAD:
		return replace(conn, state, at, packet, now);
	}
	return book_syn(conn, at, packet, now >> TICK_SHIFT);
}

static __always_inline int leaves_to_server(struct __sk_buff *skb, struct conn *conn, struct place *at,
					    struct packet *packet, u64 now)
{
	if (skb->ingress_ifindex)
		return follow(conn, at, packet, CLIENT, now);
	/* the firewall's own: SYNPROXY's, or an RST */
	if (acknowledges(packet))
		establish(conn, at, packet, now);
	if (conn->state == DEAD && lets_go(packet))
		bury(conn, at, now);
	return PASS;
}

static __always_inline int leaves_to_client(struct __sk_buff *skb, struct conn *conn, struct place *at,
					    struct packet *packet, u64 now)
{
	if (conn->flags & INTERCEPTED) {
		if (packet->flags & FLAG_RST) {
			renumber(skb, conn, packet);
			packet->seq = conn->next[SERVER];
		} else {
			packet->seq -= conn->delta;
		}
	}
	if (skb->ingress_ifindex == 0) /* the firewall's own: SYNPROXY's, or an RST */
		return PASS;
	if (opens(packet))
		return DROP;
	if (conn->state == DEAD) {
		if (lets_go(packet))
			bury(conn, at, now);
		return DROP;
	}
	return follow(conn, at, packet, SERVER, now);
}

/* Whether an answer to a SYN that nobody has seen would open a connection that is not counted where some are. */
static __always_inline int uncounted(struct place *at, struct packet *packet, struct settings *set)
{
	u32 row = at->named;
	struct limit *limit = limits.lookup(&row);

	if (!(packet->flags & FLAG_SYN && packet->flags & FLAG_ACK))
		return 0;
	return row && limit && (set->first_rule < set->last_rule || limit->max_conns | limit->max_embryonic);
}

int egress(struct __sk_buff *skb)
{
	u32 zero = 0, side = CLIENT;
	struct settings *set = settings.lookup(&zero);
	struct scratch *scratch = scratches.lookup(&zero);

	if (skb->vlan_present || !set || !scratch)
		return PASS;
	struct packet *packet = &scratch->packet;
	struct place *at = &scratch->at;
	switch (parse(skb, packet)) {
	case OTHER:
		return PASS;
	case FORBIDDEN:
		return DROP;
	case TCP:
		break;
	}
	leaving(at, packet, skb->ifindex);
	if (opens(packet)) {
		switch (recognize(at, packet, skb->ingress_ifindex)) {
		case FOREIGN:
			return PASS;
		case UNKNOWN:
			return DROP;
		case OURS:
			opened(at, packet, skb, set);
		}
	}
	struct conn *conn = find(at);
	u8 state = conn ? conn->state : CLOSED;
	if (state != CLOSED)
		side = sender(conn, at);
	if (side == SERVER && conn) {
		if (conn->number != at->named) /* it leaves by another address than its client called */
			return PASS;
		return leaves_to_client(skb, conn, at, packet, clock(set));
	}
	if (opens(packet))
		return open_to_server(skb, conn, at, packet, set);
	if (state != CLOSED && conn)
		return leaves_to_server(skb, conn, at, packet, clock(set));
	return skb->ingress_ifindex && uncounted(at, packet, set) ? DROP : PASS;
}

/* Orders */

/* An ALIAS of what is over, or is known otherwise by now, goes with the time that conntrack remembers a SYN. */
static __always_inline void tidy(struct conn_key *key, struct conn *alias, struct settings *set, u32 tick)
{
	struct conn_key there = other_key(key, alias);
	struct conn *conn = conns.lookup(&there);
	struct end ours = client_end(key, alias->flags), other = {};

	if (conn)
		other = other_end(conn);
	if (!same_end(&ours, &other) && ahead(tick, alias->last) >= (s32)set->timeout[WAITING])
		conns.delete(key);
}

/* Counts an entry among its client's, where its class has come to limit those since it was opened; → 1 if it was not. Who
 * gives back its places sees the flag under the lock. What is over but for its last packets stays as it is. */
static __always_inline int enlist(struct conn_key *key)
{
	struct conn *conn = conns.lookup(key);
	struct end low = { key->low, key->low_port }, high = { key->high, key->high_port };
	u8 tag = hash(&low, &high);

	if (!conn || conn->state == ALIAS)
		return 0;
	struct finding found = {};
	struct conn was = { .klass = conn->klass, .flags = conn->flags };
	__be32 client = client_end(key, was.flags).address;
	u32 row = was.klass;

	struct class *klass = row ? classes.lookup(&row) : 0;
	if (!klass || !(klass->client_max | klass->client_embryonic) || was.flags & PER_CLIENT)
		return 0;
	take_share(was.klass, FROM_CLIENT, client, UNLIMITED, &found);
	if (found.refusal != ADMITTED)
		return 0;
	u8 state = count_among(conn, tag, &was);
	if (!embryonic(state))
		give_back_share(was.klass, FROM_CLIENT, client, state == CLOSED, 1);
	return state != CLOSED;
}

/* Carries out one order on one entry; → 1 if that changed it; of WORKER, its worker. */
static __always_inline int obey(u16 order, struct conn_key *key, struct settings *set, u64 now)
{
	struct conn *conn = conns.lookup(key);
	struct conn was = {};
	u32 tick = now >> TICK_SHIFT, resets = 0;
	struct end low = { key->low, key->low_port }, high = { key->high, key->high_port };
	u8 tag = hash(&low, &high);
	int done, unanswered = 0;

	if (order == WORKER)
		return worker(hash(&low, &high), set);
	if (!conn)
		return 0;
	if (conn->state == ALIAS) {
		if (order == SWEEP)
			tidy(key, conn, set, tick);
		return 0;
	}
	u32 row = conn->klass, timeout = set->timeout[conn->state % STATES];
	struct class *klass = row ? classes.lookup(&row) : 0;
	if (klass) {
		resets = klass->resets;
		timeout = klass->timeout[conn->state % STATES] ?: timeout;
	}
	done = carry_out(conn, tag, order, timeout, tick, &was, &unanswered);
	u8 state = was.state;
	if (!(done | unanswered) || order == RELEASE)
		return done;
	u32 kind = 0, seq = was.delta + 1;
	struct end other = other_end(&was);
	if (done)
		finish(key, &was, order != KILL, order == KILL ? INSPECTION : order == CLEAR ? CLEARED : expiry(state), now);
	if (!done) {
		kind = UNANSWERED;
	} else if (was.flags & INTERCEPTED && embryonic(state)) { /* the server never answered, the client knows nothing of it */
		kind = order == KILL ? 0 : STRANDED;
	} else if (order == SWEEP && state == ESTABLISHED && resets) {
		kind = EXPIRED;
		seq = was.next[SERVER] + shift(&was);
	}
	if (kind)
		emit_numbers(kind, key, was.flags, was.number, &other, seq, was.next[CLIENT], now);
	return done;
}

/* Run by user space alone, its packet an order and keys; → how many entries it changed, or the worker of one key. */
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

/* Run by user space as reap is, whatever the order: its entries join their client's; → how many did. A program of its
 * own, for the verifier walks every way through the turns of a loop. */
int join(struct __sk_buff *skb)
{
	struct conn_key key;
	int done = 0;

	for (int i = 0; i < ORDERS; i++) {
		if (bpf_skb_load_bytes(skb, offsetof(struct orders, keys) + i * sizeof(key), &key, sizeof(key)))
			break;
		done += enlist(&key);
	}
	return done;
}
