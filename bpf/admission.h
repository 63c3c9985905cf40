/* What becomes of a SYN: looked at before the rules, where it takes nothing; behind them it takes its places, or waits for
 * one, or takes those of a connection that is over, or is dropped. */
#ifndef FIXUP_ADMISSION_H
#define FIXUP_ADMISSION_H

#include "aliases.h"
#include "changes.h"
#include "clock.h"
#include "events.h"
#include "faces.h"
#include "places.h"
#include "verdicts.h"

/* A SYN has found a limit reached. It is counted; an event tells of it once a second, whatever a flood brings. */
static __always_inline void refuse(struct place *at, struct finding *found, u64 now)
{
	u32 tick = now >> TICK_SHIFT, which = found->refusal, row = found->of_class ? at->klass : at->number, zero = 0;
	u32 *told = 0;

	if (which == NO_ROOM || which == NO_SHARE) {
		struct totals *total = totals.lookup(&zero);
		if (total)
			__sync_fetch_and_add(which == NO_ROOM ? &total->table_full : &total->shares_full, 1);
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

/* A SYN that would find a limit reached, before the rules: it is intercepted or dropped. `allowed` is its
 * mark. */
static __always_inline int stop(struct place *at, struct packet *packet, struct finding *found, u64 now, u32 *allowed)
{
	refuse(at, found, now);
	if (!half_open_limit(found->refusal) || !plain_syn(packet))
		return DROP;
	u32 row = at->number;
	struct count *count = counts.lookup(&row);
	if (count) {
		count->cookie = (now >> TICK_SHIFT) ?: 1;
		__sync_fetch_and_add(&count->intercepted, 1);
	}
	*allowed = MARK_INTERCEPT;
	return PASS;
}

/* No place for a SYN: it is dropped, and comes again. Not SYNPROXY's, whose client believes that it is connected: it has to
 * be told, unless another CPU has made its entry. */
static __always_inline int turn_away(struct place *at, struct packet *packet, struct finding *found, u64 now)
{
	refuse(at, found, now);
	if (packet->proxied && found->refusal != OVERTAKEN)
		emit_numbers(STRANDED, &at->key, opener(at), at->number, &at->other, packet->ack + 1, packet->seq + 1, now);
	return DROP;
}

/* Makes the entry of a SYN that has its places: a new one, or of the one that waited for them. → 0, or what keeps it from
 * that. */
static __always_inline u32 enter(struct conn *waiting, struct place *at, struct packet *packet, struct conn *fresh, u32 now)
{
	u32 refusal = introduce(at, now);

	if (refusal != ADMITTED)
		return refusal;
	if (waiting)
		return begin_again(waiting, WAITING, at, packet, fresh->flags, now) ? ADMITTED : OVERTAKEN;
	begin(fresh, packet, fresh->flags, now);
	name(fresh, &at->other, at->whose);
	int error = conns.insert(&at->key, fresh);
	if (!error)
		return ADMITTED;
	if (error == -EEXIST)
		return OVERTAKEN;
	forget_introduced(at);
	return NO_ROOM;
}

/* A SYN takes its places, or is dropped. Over a limit of connections one that is guarded leaves an uncounted entry, unless it
 * has one already, which is `waiting`: conntrack knows the tuple now, and SYNPROXY must not answer it. */
static __always_inline int admit(struct conn *waiting, struct place *at, struct packet *packet, u64 now)
{
	struct finding found = {};
	struct holding holding = {};
	struct conn fresh = { .tag = at->hash, .number = at->number, .klass = at->klass };

	fresh.flags = take(at, &found, &holding) | opener(at);
	if (found.refusal == ADMITTED)
		found.refusal = enter(waiting, at, packet, &fresh, now >> TICK_SHIFT);
	if (found.refusal == ADMITTED) {
		emit_built(at, at->number, now);
		return PASS;
	}
	give_back(&holding, 1, 1);
	if (!waiting && !packet->proxied && found.refusal < NO_ROOM && guarded(at)) {
		begin(&fresh, packet, opener(at), now >> TICK_SHIFT);
		fresh.state = WAITING;
		fresh.klass = 0;
		conns.insert(&at->key, &fresh);
	}
	return turn_away(at, packet, &found, now);
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
		return DROP;
	give_back(&holding, 0, -1); /* half-open once more, before the entry says so */
	if (!begin_again(conn, from, at, packet, was.flags & (CLIENT_HIGH | PER_CLIENT), now >> TICK_SHIFT)) {
		give_back(&holding, 0, 1);
		return DROP;
	}
	if (!same_end(&other, &at->other))
		forget(&at->key, &was);
	if (from != DEAD) /* of which that was said when it died */
		emit_torn_down(&at->key, &was, REPLACED, now);
	emit_built(at, was.number, now);
	return PASS;
}

static __always_inline int book_syn(struct conn *conn, struct place *at, struct packet *packet, u32 now)
{
	struct conn was = { .flags = conn->flags, .delta = conn->delta, .octets = conn->octets };
	struct end other = other_end(&was);
	int renamed = embryonic(conn->state) && at->other.address && !same_end(&other, &at->other);

	if (renamed && introduce(at, now))
		return DROP; /* it comes again */
	handshake_again(conn, at, packet, now);
	if (renamed)
		forget(&at->key, &was);
	return PASS;
}

#endif
