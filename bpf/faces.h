/* Statics as packets meet them: which address stands for which at an interface, and what opens a connection by one. */
#ifndef FIXUP_FACES_H
#define FIXUP_FACES_H

#include "classes.h"
#include "ends.h"
#include "maps.h"
#include "reverse.h"

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

/* Whether TCP Intercept answers, at a limit, what opens a connection: to a static, or to a host by its own address where the
 * way there is one for that and the class limits half-open connections. Else nothing is asked of it before the rules. */
static __always_inline int guarded(struct place *at)
{
	struct way way = { .came_in = at->in, .goes_out = at->out };
	u32 row = at->klass;

	if (at->number)
		return 1;
	struct class *klass = row ? classes.lookup(&row) : 0;
	return klass && klass->max_embryonic | klass->client_embryonic && ways.lookup(&way);
}

/* The static and the class of what opens a connection, before the rules; → whether it is guarded. Of whom no static stands
 * for the kernel's routes tell where it is. */
static __always_inline int opening(struct __sk_buff *skb, struct place *at, struct settings *set)
{
	at->number = at->named;
	if (!at->named && !set->ways)
		return 0;
	if (!at->named)
		at->out = leads_to(skb, at->sender.address, at->receiver.address);
	at->klass = classify(at, set);
	return guarded(at);
}

/* The static and the class of what opens a connection. The firewall's own packets are in somebody's name whose way is one of
 * our interfaces if they are SYNPROXY's, whose SYN alone has an acknowledgment number; then its client is there. */
static __always_inline void opened(struct place *at, struct packet *packet, struct __sk_buff *skb, struct settings *set)
{
	u32 in = skb->ingress_ifindex;
	struct face *face = face_of(skb->ifindex, &at->receiver, in ? in : OURSELVES);

	at->out = skb->ifindex;
	if (!in && packet->ack) {
		at->in = leads_to(skb, at->receiver.address, at->sender.address);
		packet->proxied = face || interfaces.lookup(&at->in);
		if (face && at->in && at->in != face->opposite) /* he calls it by its own address, not by its static's */
			face = 0;
	}
	if (face) {
		at->number = at->noted ? at->number : face->number;
		at->in = face->opposite;
	}
	at->klass = classify(at, set);
}

/* Whether a static, or none, calls a server by its own address. */
static __always_inline int own_name(u16 number)
{
	u32 row = number;
	struct limit *limit = limits.lookup(&row);

	return !number || (limit && limit->mapped == limit->real && limit->mapped_port == limit->real_port);
}

/* Whether a server is called alike by both: reloads make statics, and take them away, in which an address stands for itself. */
static __always_inline int same_name(u16 one, u16 other)
{
	return one == other || (own_name(one) && own_name(other));
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
