/* The life of an entry behind its SYN: what its changes mean for the places it holds and for those who are told. */
#ifndef FIXUP_LIFE_H
#define FIXUP_LIFE_H

#include "aliases.h"
#include "changes.h"
#include "events.h"
#include "places.h"
#include "verdicts.h"

/* Gives back what an entry holds no more: its half-open place if it was seen in such a state, and all if it is `gone`,
 * CLOSED by the caller. Says how it ended, if it has and anyone cared for it. */
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
	if (ending && was->state != WAITING && was->state != DEAD)
		emit_torn_down(key, was, ending, now);
}

/* What follows from a step of an entry. */
static __always_inline void conclude(struct place *at, struct step *step, u64 now)
{
	if (step->ending || (embryonic(step->was.state) && !embryonic(step->state)))
		finish(&at->key, &step->was, step->ending != GOES_ON, step->ending, now);
}

#endif
