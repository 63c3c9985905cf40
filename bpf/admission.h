/* What becomes of a SYN: looked at before the rules, where it takes nothing; behind them it takes its places, or waits for
 * one, or takes those of a connection that is over, or is dropped. */
#ifndef FIXUP_ADMISSION_H
#define FIXUP_ADMISSION_H

#include "aliases.h"
#include "changes.h"
#include "clock.h"
#include "events.h"
#include "places.h"
#include "verdicts.h"

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

#endif
