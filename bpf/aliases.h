/* Entries of other ends of a connection whose client's address or port is chosen as it connects, or whose server is called
 * by an address that only some may call it by: an ALIAS leads to the connection itself from beyond that translation, or
 * from before it (decision 18). */
#ifndef FIXUP_ALIASES_H
#define FIXUP_ALIASES_H

#include "changes.h"
#include "ends.h"
#include "machine.h"
#include "maps.h"
#include "places.h"

/* The entry of a packet's connection. */
static __always_inline struct conn *find(struct place *at)
{
	struct conn *conn = conns.lookup(&at->key);

	if (!conn || conn->state != ALIAS)
		return conn;
	unveil(at, conn);
	conn = conns.lookup(&at->key);
	return conn && conn->state != ALIAS ? conn : 0;
}

/* Makes the packet's connection known by what one of its ends is called at the other side; → 0, or what keeps it from that. */
static __always_inline u32 introduce(struct place *at, u32 now)
{
	struct end *renamed = at->whose & CALLED ? &at->receiver : &at->sender;
	struct end *kept = at->whose & CALLED ? &at->sender : &at->receiver;
	struct place there = { .sender = at->other, .receiver = *kept };
	struct conn alias = { .state = ALIAS, .last = now };

	if (!at->other.address)
		return 0;
	identify(&there);
	alias.tag = there.hash;
	alias.flags = opener(&there);
	name(&alias, renamed, RENAMED);
	int error = conns.insert(&there.key, &alias);
	if (error != -EEXIST)
		return error ? NO_ROOM : 0;
	struct conn *known = conns.lookup(&there.key);
	if (!known || known->state != ALIAS)
		return BUSY; /* somebody's own address is used for others, too */
	struct end other = other_end(known);
	if (!same_end(&other, renamed))
		conns.update(&there.key, &alias); /* connection tracking has forgotten the one before it */
	return 0;
}

/* What a connection was known by at the other side of a translation, unless another one is by now. */
static __always_inline void forget(struct conn_key *key, struct conn *was)
{
	if (!(was->flags & RENAMED))
		return;
	struct conn_key there = other_key(key, was);
	struct conn *alias = conns.lookup(&there);
	if (!alias || alias->state != ALIAS)
		return;
	struct end ours = renamed_end(key, was->flags), other = other_end(alias);
	if (same_end(&ours, &other))
		conns.delete(&there);
}

/* What introduce() has made for a SYN that is refused after all. */
static __always_inline void forget_introduced(struct place *at)
{
	struct conn was = { .flags = opener(at) };

	name(&was, &at->other, at->whose);
	forget(&at->key, &was);
}

/* An ALIAS of what is over, or is known otherwise by now, goes with the time that conntrack remembers a SYN. */
static __always_inline void tidy(struct conn_key *key, struct conn *alias, struct settings *set, u32 tick)
{
	struct conn_key there = other_key(key, alias);
	struct conn *conn = conns.lookup(&there);
	struct end ours = renamed_end(key, alias->flags), other = {};

	if (conn)
		other = other_end(conn);
	if (!same_end(&ours, &other) && ahead(tick, alias->last) >= (s32)set->timeout[WAITING])
		conns.delete(key);
}

#endif
