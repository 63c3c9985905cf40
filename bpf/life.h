/* The life of an entry behind its SYN: what its changes mean for the places it holds and for those who are told. */
#ifndef FIXUP_LIFE_H
#define FIXUP_LIFE_H

#include "aliases.h"
#include "changes.h"
#include "events.h"
#include "places.h"
#include "verdicts.h"

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

#endif
