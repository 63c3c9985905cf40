/* The class of a policy map that limits a connection: the first rule its first packet meets, on real addresses. */
#ifndef FIXUP_CLASSES_H
#define FIXUP_CLASSES_H

#include "ends.h"
#include "maps.h"
#include "structs.h"

/* 1 of anything but 0. Without a branch, as all that follows: the verifier walks every way through the rules. The compiler
 * must not see what it is, or it makes one. */
static __always_inline u32 any(u32 bits)
{
	u32 minus = -bits;

	asm volatile("" : "+r"(minus));
	return (bits | minus) >> 31;
}

static __always_inline u32 outside(__be16 port, u16 ports[2], u8 but)
{
	u32 number = ntohs(port);

	return ((number - ports[0]) | (ports[1] - number)) >> 31 ^ but;
}

/* Whether a connection's first packet is not what a rule speaks of. */
static __always_inline u32 misses(struct rule *rule, struct place *at)
{
	return (any(rule->ifindex) & any(rule->ifindex ^ at->in) & any(rule->ifindex ^ at->out)) |
	       ((at->sender.address & rule->source_mask) ^ rule->source) |
	       ((at->receiver.address & rule->destination_mask) ^ rule->destination) |
	       outside(at->sender.port, rule->source_ports, rule->source_but) |
	       outside(at->receiver.port, rule->destination_ports, rule->destination_but);
}

/* The class that limits a connection, by its first packet: the first rule it meets decides. */
static __always_inline u16 classify(struct place *at, struct settings *set)
{
	u32 row = set->first_rule;

	for (int turn = 0; turn < RULES; turn++) {
		struct rule *rule = row < set->last_rule ? rules.lookup(&row) : 0;
		if (!rule)
			break;
		u32 missed = -any(misses(rule, at)); /* every bit, or none */

		asm volatile("" : "+r"(missed)); /* else the compiler makes a branch of it */
		if (rule->klass & ~missed)
			return rule->klass;
		row = ((row + 1) & missed) | (rule->otherwise & ~missed);
	}
	return 0;
}

#endif
