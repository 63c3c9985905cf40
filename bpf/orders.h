/* What user space wants of entries: done under their locks, as packets' changes are. */
#ifndef FIXUP_ORDERS_H
#define FIXUP_ORDERS_H

#include "aliases.h"
#include "changes.h"
#include "clock.h"
#include "ends.h"
#include "events.h"
#include "life.h"
#include "machine.h"
#include "places.h"

/* Counts an entry among its client's, where its class has come to limit those since it was opened; → 1 if it was not. Who
 * gives back its places sees the flag under the lock. What is over but for its last packets stays as it is. */
static __always_inline int enlist(struct conn_key *key, struct conn *conn, u8 tag)
{
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

/* The worker of a connection: by its ends as its first packet called them. */
static __always_inline u32 worker_of(struct conn_key *key, struct conn *conn, struct settings *set)
{
	struct end low = { key->low, key->low_port }, high = { key->high, key->high_port };

	if (!conn || !(conn->flags & CALLED))
		return worker(hash(&low, &high), set);
	struct end client = client_end(key, conn->flags), called = other_end(conn);
	return worker(hash(&client, &called), set);
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
		return worker_of(key, conn, set);
	if (!conn)
		return 0;
	if (conn->state == ALIAS) {
		if (order == SWEEP)
			tidy(key, conn, set, tick);
		return 0;
	}
	if (order == JOIN)
		return enlist(key, conn, tag);
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

#endif
