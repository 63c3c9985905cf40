/* What user space is told of connections, by the ring: a ring that is full blocks nothing, what it loses is counted. */
#ifndef FIXUP_EVENTS_H
#define FIXUP_EVENTS_H

#include "ends.h"
#include "machine.h"
#include "maps.h"
#include "places.h"
#include "structs.h"

/* Whose event it is: the ends of a connection, and the static by which its client calls the server. */
static __always_inline void about(struct event *event, struct conn_key *key, u16 flags, u16 static_number, u64 now)
{
	struct end client = client_end(key, flags), server = server_end(key, flags);
	u32 number = static_number;

	event->time = now;
	event->client = client.address;
	event->client_port = client.port;
	event->port = server.port;
	event->real = server.address;
	event->real_port = server.port;
	event->mapped = server.address;
	struct limit *limit = limits.lookup(&number);
	if (number && limit) {
		event->mapped = limit->mapped;
		event->port = limit->mapped_port ?: server.port;
	}
}

/* And what one of them is at the other side of a translation, if `flags` say of one. */
static __always_inline void known_otherwise(struct event *event, struct end *other, u16 flags)
{
	if (flags & CALLED) {
		event->mapped = other->address;
		event->port = other->port;
	} else {
		event->beyond = other->address;
		event->beyond_port = other->port;
	}
}

static __always_inline void emit(struct event *event)
{
	u32 zero = 0;

	if (events.ringbuf_output(event, sizeof(*event), BPF_RB_NO_WAKEUP)) {
		struct totals *total = totals.lookup(&zero);
		if (total)
			__sync_fetch_and_add(&total->lost_events, 1);
	}
}

static __always_inline void emit_built(struct place *at, u16 number, u64 now)
{
	struct event event = { .kind = BUILT, .started = now };

	about(&event, &at->key, opener(at), number, now);
	known_otherwise(&event, &at->other, at->whose);
	emit(&event);
}

static __always_inline void emit_refused(struct place *at, struct finding *found, u64 now)
{
	struct event event = {
		.kind = REFUSED, .why = found->refusal, .count = found->count, .limit = found->limit,
	};
	about(&event, &at->key, opener(at), at->number, now);
	known_otherwise(&event, &at->other, at->whose);
	emit(&event);
}

static __always_inline void emit_numbers(u32 kind, struct conn_key *key, u16 flags, u16 number, struct end *other,
					 u32 seq, u32 ack, u64 now)
{
	struct event event = { .kind = kind, .seq = seq, .ack = ack };

	about(&event, key, flags, number, now);
	known_otherwise(&event, other, flags);
	emit(&event);
}

static __always_inline void emit_torn_down(struct conn_key *key, struct conn *was, u32 ending, u64 now)
{
	u32 age = (u32)(now >> TICK_SHIFT) - was->started;
	struct end other = other_end(was);
	struct event event = {
		.kind = TORN_DOWN, .why = ending, .started = now - ((u64)age << TICK_SHIFT),
		.octets = was->octets << 16 >> 16,
	};
	about(&event, key, was->flags, was->number, now);
	known_otherwise(&event, &other, was->flags);
	emit(&event);
}

#endif
