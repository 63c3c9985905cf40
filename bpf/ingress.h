/* Before the rules: what arrives is looked at and marked; nothing is changed but what waited for a place,
 * or held one for a server that lets go of it. */
#ifndef FIXUP_INGRESS_H
#define FIXUP_INGRESS_H

#include "admission.h"
#include "clock.h"
#include "events.h"
#include "faces.h"
#include "intercept.h"
#include "life.h"
#include "machine.h"
#include "notes.h"
#include "reverse.h"
#include "verdicts.h"

/* A SYN of an entry's client. */
static __always_inline int look_again(struct conn *conn, struct packet *packet, u32 *allowed)
{
	if (plain_syn(packet)) /* what SYNPROXY has begun, it ends: conntrack must not take this SYN for one of its own */
		*allowed = proxy_began(conn) ? MARK_INTERCEPT : MARK_SKIP;
	return PASS;
}

/* A packet of an entry. `allowed` is its mark. */
static __always_inline int known(struct __sk_buff *skb, struct conn *conn, struct place *at, struct packet *packet, u32 side,
				 struct settings *set, u32 *allowed)
{
	struct step step = {};

	if (opens(packet)) {
		if (side == SERVER) /* towards a client that has opened this very connection */
			return DROP;
		return look_again(conn, packet, allowed);
	}
	if (conn->state == DEAD) {
		if (side == SERVER && lets_go(packet) && leads_back(skb, packet)) {
			close_dead(conn, at, &step);
			conclude(at, &step, clock(set));
		}
		return DROP;
	}
	if (obstructs(conn, packet, side)) {
		struct end other = other_end(conn);

		if (leads_back(skb, packet) && tell_once(conn, at))
			emit_numbers(OBSTRUCTED, &at->key, conn->flags, conn->number, &other, packet->ack, packet->seq, clock(set));
		return DROP;
	}
	if (side == CLIENT)
		packet->ack -= shift(conn);
	*allowed = skips(conn, packet, side) ? MARK_SKIP : 0;
	if (side == CLIENT && proxy_began(conn) && acknowledges(packet)) /* SYNPROXY asks the server once more */
		*allowed = MARK_COOKIE;
	return PASS;
}

/* Whether a cookie may come back: a static that has given none out of late gets stray ACKs alone, as do all the hosts
 * together that are called by their own address. */
static __always_inline int gave_cookies(struct place *at, u64 now)
{
	u32 row = at->named;
	struct count *count = counts.lookup(&row);

	/* a second more on both sides: another CPU's clock may read before the one that was told (clock.h) */
	return count && count->cookie && (u32)(now >> TICK_SHIFT) + SECOND - count->cookie < COOKIE_AGE + SECOND;
}

/* A packet without an entry, or a SYN whose entry waits. One that waits takes its place here: conntrack knows it already. */
static __always_inline int unknown(struct __sk_buff *skb, struct place *at, struct packet *packet, struct settings *set, u32 *allowed)
{
	struct finding found = {};

	if (plain_syn(packet))
		*allowed = MARK_SKIP;
	if (!opens(packet) && !(acknowledges(packet) && gave_cookies(at, clock(set))))
		return PASS;
	if (!opening(skb, at, set))
		return PASS;
	if (at->waits) {
		struct conn *waiting = conns.lookup(&at->key);

		return waiting ? admit(waiting, at, packet, clock(set)) : DROP;
	}
	survey(at, &found);
	int refused = found.refusal != ADMITTED;
	if (opens(packet))
		return refused ? stop(at, packet, &found, clock(set), allowed) : PASS;
	*allowed = refused && !half_open_limit(found.refusal) ? MARK_FULL : MARK_COOKIE;
	return PASS;
}

#endif
