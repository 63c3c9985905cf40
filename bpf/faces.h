/* Statics as packets meet them: which address stands for which at an interface, and what opens a connection by one. */
#ifndef FIXUP_FACES_H
#define FIXUP_FACES_H

#include "classes.h"
#include "ends.h"
#include "maps.h"

/* A port's own face goes before that of its address. */
static __always_inline struct face *face_of(u32 ifindex, struct end *end, u32 peer)
{
	struct face_key key = { .ifindex = ifindex, .address = end->address, .peer = peer };
	struct face *whole = faces.lookup(&key);

	if (!whole || !whole->by_port)
		return whole;
	key.port = end->port;
	struct face *port = faces.lookup(&key);
	if (port)
		return port;
	return whole->number ? whole : 0;
}

/* The end that is called `end` at `ifindex`, by its real address. */
static __always_inline void real_end(struct place *at, struct end *end, u32 ifindex, struct settings *set)
{
	if (!(set->mapped >> (ntohl(end->address) & 63) & 1)) /* most stand for no other: no need to look it up */
		return;
	struct face *face = face_of(ifindex, end, 0);
	if (face) {
		end->address = face->real;
		if (face->port)
			end->port = face->port;
		at->named = face->number;
		at->out = face->opposite;
	}
}

static __always_inline void ends_of(struct place *at, struct packet *packet)
{
	*at = (struct place){};
	at->sender.address = packet->saddr;
	at->sender.port = packet->sport;
	at->receiver.address = packet->daddr;
	at->receiver.port = packet->dport;
}

/* Before the rules the receiver may be called by a mapped address; of a static it is known where it is. */
static __always_inline void arriving(struct place *at, struct packet *packet, u32 ifindex, struct settings *set)
{
	ends_of(at, packet);
	real_end(at, &at->receiver, ifindex, set);
	identify(at);
	at->in = ifindex;
}

/* Behind the rules it is the sender that may be. */
static __always_inline void leaving(struct place *at, struct packet *packet, u32 ifindex, struct settings *set)
{
	ends_of(at, packet);
	real_end(at, &at->sender, ifindex, set);
	identify(at);
}

/* The static and the class of what opens a connection by calling one, before the rules. */
static __always_inline void opening(struct place *at, struct settings *set)
{
	at->number = at->named;
	at->klass = classify(at, set);
}

/* The static and the class of what opens a connection. */
static __always_inline void opened(struct place *at, struct packet *packet, struct __sk_buff *skb, struct settings *set)
{
	u32 in = skb->ingress_ifindex;
	struct face *face = face_of(skb->ifindex, &at->receiver, in ? in : OURSELVES);

	at->out = skb->ifindex;
	if (face) {
		at->number = at->noted ? at->number : face->number;
		at->in = face->opposite;
	}
	packet->proxied = !in && face && packet->ack;
	at->klass = classify(at, set);
}

/* Whether an answer to a SYN that nobody has seen would open a connection that is not counted where some are. */
static __always_inline int uncounted(struct place *at, struct packet *packet, struct settings *set)
{
	u32 row = at->named;
	struct limit *limit = limits.lookup(&row);

	if (!(packet->flags & FLAG_SYN && packet->flags & FLAG_ACK))
		return 0;
	return row && limit && (set->first_rule < set->last_rule || limit->max_conns | limit->max_embryonic);
}

#endif
