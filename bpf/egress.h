/* Behind the rules: what leaves was really forwarded, and is booked. */
#ifndef FIXUP_EGRESS_H
#define FIXUP_EGRESS_H

#include "admission.h"
#include "clock.h"
#include "intercept.h"
#include "life.h"
#include "verdicts.h"

/* Whether a SYN to an entry's server calls it otherwise than its client did: by another static, or as only some may. */
static __always_inline int by_another_name(struct conn *conn, struct place *at)
{
	return !same_name(conn->number, at->number) || (conn->flags ^ at->whose) & CALLED;
}

static __always_inline int open_to_server(struct __sk_buff *skb, struct conn *conn, struct place *at,
					  struct packet *packet, struct settings *set)
{
	u64 now = clock(set);
	struct finding busy = { .refusal = BUSY };

	if (!skb->ingress_ifindex && !packet->proxied)
		return PASS; /* the firewall's own */
	if (!packet->proxied && (skb->mark & MARK_DISPOSITION) == MARK_INTERCEPT)
		return DROP; /* nobody answered it: our rules are gone */
	u8 state = conn ? conn->state : WAITING; /* for its first place, too */
	if (state != WAITING && at->noted && conn && by_another_name(conn, at))
		return DROP; /* its tuple is that of a connection by another name of the server, which holds the place */
	switch (state) {
	case WAITING:
		return admit(conn, at, packet, now);
	case CLOSING:
	case DEAD:
		if (replace(conn, state, at, packet, now) == PASS)
			return PASS;
		break;
	case CLOSED: /* about to be deleted */
		break;
	default:
		return book_syn(conn, at, packet, now >> TICK_SHIFT);
	}
	return turn_away(at, packet, &busy, now);
}

/* A packet of `side` leaves by an entry that is not CLOSED; it opens nothing, or is the server's. */
static __always_inline int leaves(struct __sk_buff *skb, struct conn *conn, struct place *at, struct packet *packet, u32 side,
				  u64 now)
{
	int own = !skb->ingress_ifindex; /* the firewall's: SYNPROXY's, or an RST */
	struct step step = {};

	if (side == SERVER) {
		if (conn->flags & INTERCEPTED)
			to_intercepted(skb, conn, packet);
		if (own)
			return PASS;
		if (opens(packet))
			return DROP;
	}
	if (conn->state == DEAD && lets_go(packet) && (own || side == SERVER))
		close_dead(conn, at, &step);
	else if (!own)
		advance(conn, at, packet, side, now >> TICK_SHIFT, &step);
	else if (acknowledges(packet))
		settle(conn, at, packet, now >> TICK_SHIFT, &step);
	conclude(at, &step, now);
	return !own && (step.was.state == DEAD || step.beyond) ? DROP : PASS;
}

#endif
