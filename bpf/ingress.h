/* Before the rules: what arrives is looked at and marked; nothing is changed but what waited for a place. */
#ifndef FIXUP_INGRESS_H
#define FIXUP_INGRESS_H

#include "admission.h"
#include "clock.h"
#include "faces.h"
#include "life.h"
#include "machine.h"
#include "notes.h"
#include "verdicts.h"

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

#endif
