/* Behind the rules: what leaves was really forwarded, and is booked. */
#ifndef FIXUP_EGRESS_H
#define FIXUP_EGRESS_H

#include "admission.h"
#include "clock.h"
#include "intercept.h"
#include "life.h"
#include "verdicts.h"

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

#endif
