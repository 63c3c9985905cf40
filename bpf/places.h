/* The places that connections take of their limits: looked at before the rules, taken behind them, given back at the end.
 * A count is changed under its lock, one lock at a time; what is refused a place of one count gives back those of the
 * others. Source: design rows 15, 16; asa.md 5.3, 5.4. */
#ifndef FIXUP_PLACES_H
#define FIXUP_PLACES_H

#include "ends.h"
#include "maps.h"
#include "structs.h"

/* What a SYN finds but for a limit. Of all but the first it comes again. */
#define NO_ROOM REFUSALS /* among the connections */
#define NO_SHARE (REFUSALS + 1) /* among the counts of classes */
#define BUSY (REFUSALS + 2) /* a count that another CPU is about to delete, or an address that is somebody's own */
#define OVERTAKEN (REFUSALS + 3) /* another CPU has made the entry */

/* The places a limit counts, as a SYN found them. */
struct finding {
	u32 refusal;
	u32 count;
	u32 limit;
	u32 of_class; /* a limit of the class, not of the static */
};

/* What a connection holds of each limit's places. */
struct holding {
	u16 number;
	u16 klass;
	__be32 server;
	__be32 client; /* 0: it is not counted among its client's */
};

static __always_inline struct holding held(struct conn_key *key, struct conn *conn)
{
	struct holding holding = { .number = conn->number, .klass = conn->klass };

	holding.server = server_end(key, conn->flags).address;
	holding.client = conn->flags & PER_CLIENT ? client_end(key, conn->flags).address : 0;
	return holding;
}

/* Notes that one of two limits has no room for one more; a limit of all connections goes before one of half-open ones. */
static __always_inline void judge(struct finding *found, u32 total, u32 half_open, u32 most, u32 most_half_open,
				  u32 of_client, u32 of_class)
{
	u32 known = found->refusal;

	if (most && total >= most && known != MAX_CONNS && known != CLIENT_MAX) {
		found->refusal = of_client ? CLIENT_MAX : MAX_CONNS;
		found->count = total;
		found->limit = most;
		found->of_class = of_class;
	} else if (most_half_open && half_open >= most_half_open && known == ADMITTED) {
		found->refusal = of_client ? CLIENT_EMBRYONIC : EMBRYONIC;
		found->count = half_open;
		found->limit = most_half_open;
		found->of_class = of_class;
	}
}

static __always_inline int half_open_limit(u32 refusal)
{
	return refusal == EMBRYONIC || refusal == CLIENT_EMBRYONIC;
}

static __always_inline void give_back_share(u16 klass, u16 scope, __be32 address, u32 total, u32 half_open)
{
	struct share_key key = { .klass = klass, .scope = scope, .address = address };
	struct share *share = shares.lookup(&key);
	int last = 0;

	if (!share)
		return;
	bpf_spin_lock(&share->lock);
	if (share->key.klass == klass && share->key.scope == scope && share->key.address == address) {
		share->total -= total;
		share->embryonic -= half_open;
		last = !share->total;
		if (last)
			share->key.klass = 0;
	}
	bpf_spin_unlock(&share->lock);
	if (last)
		shares.delete(&key);
}

static __always_inline void give_back_static(u16 number, u32 total, u32 half_open)
{
	u32 row = number;
	struct count *count = counts.lookup(&row);

	if (!count)
		return;
	bpf_spin_lock(&count->lock);
	count->total -= total;
	count->embryonic -= half_open;
	bpf_spin_unlock(&count->lock);
}

/* Of everything a connection holds, `total` places and `half_open` ones. */
static __always_inline void give_back(struct holding *of, u32 total, u32 half_open)
{
	if (!(total | half_open))
		return;
	if (of->number)
		give_back_static(of->number, total, half_open);
	if (!of->klass)
		return;
	give_back_share(of->klass, TO_SERVER, of->server, total, half_open);
	if (of->client)
		give_back_share(of->klass, FROM_CLIENT, of->client, total, half_open);
}

static __always_inline void take_static(u16 number, struct finding *found)
{
	u32 row = number;
	struct count *count = counts.lookup(&row);
	struct limit *limit = limits.lookup(&row);

	if (!count || !limit)
		return;
	bpf_spin_lock(&count->lock);
	judge(found, count->total, 0, limit->max_conns, 0, 0, 0);
	if (found->refusal == ADMITTED) {
		count->total++;
		count->embryonic++;
		if (count->total > count->most)
			count->most = count->total;
	}
	bpf_spin_unlock(&count->lock);
}

static __always_inline void take_share(u16 klass, u16 scope, __be32 address, u32 most, struct finding *found)
{
	struct share_key key = { .klass = klass, .scope = scope, .address = address };
	struct share *share = shares.lookup(&key);

	if (!share) {
		struct share none = { .key = key };
		shares.insert(&key, &none); /* or another CPU does */
		share = shares.lookup(&key);
	}
	if (!share) {
		found->refusal = NO_SHARE;
		return;
	}
	bpf_spin_lock(&share->lock);
	if (share->key.klass != klass || share->key.scope != scope || share->key.address != address)
		found->refusal = BUSY;
	else
		judge(found, share->total, 0, most, 0, scope == FROM_CLIENT, 1);
	if (found->refusal == ADMITTED) {
		share->total++;
		share->embryonic++;
	}
	bpf_spin_unlock(&share->lock);
}

/* Takes a place of each count that a SYN is charged to, as far as there are any; the embryonic limits were asked at ingress.
 * `holding` is what was taken. → what the connection's flags say of it. */
static __always_inline u16 take(struct place *at, struct finding *found, struct holding *holding)
{
	u32 row = at->klass;

	if (at->number) {
		take_static(at->number, found);
		if (found->refusal != ADMITTED)
			return 0;
		holding->number = at->number;
	}
	struct class *klass = row ? classes.lookup(&row) : 0;
	if (!klass)
		return 0;
	take_share(row, TO_SERVER, at->receiver.address, klass->max_conns, found);
	if (found->refusal != ADMITTED)
		return 0;
	holding->klass = row;
	holding->server = at->receiver.address;
	if (!(klass->client_max | klass->client_embryonic))
		return 0;
	take_share(row, FROM_CLIENT, at->sender.address, klass->client_max, found);
	if (found->refusal != ADMITTED)
		return 0;
	holding->client = at->sender.address;
	return PER_CLIENT;
}

/* The places of a class that are taken, as a SYN would find them. */
static __always_inline void look_at_share(u16 klass, u16 scope, __be32 address, u32 most, u32 most_half_open,
					  struct finding *found)
{
	struct share_key key = { .klass = klass, .scope = scope, .address = address };

	if (!(most | most_half_open))
		return;
	struct share *share = shares.lookup(&key);
	if (share)
		judge(found, share->total, share->embryonic, most, most_half_open, scope == FROM_CLIENT, 1);
}

/* Which limit a SYN would find reached now; nothing is locked. */
static __always_inline void survey(struct place *at, struct finding *found)
{
	u32 row = at->number;
	struct count *count = counts.lookup(&row);
	struct limit *limit = limits.lookup(&row);
	u32 all = 0;

	if (count && limit) {
		all = any(limit->own) - 1; /* every bit, or none */
		judge(found, count->total, count->embryonic, limit->max_conns, limit->max_embryonic & all, 0, 0);
	}
	row = at->klass;
	struct class *klass = classes.lookup(&row);
	if (row && klass) {
		u32 half_open = klass->max_embryonic & all, of_client = klass->client_embryonic & all;

		look_at_share(at->klass, TO_SERVER, at->receiver.address, klass->max_conns, half_open, found);
		look_at_share(at->klass, FROM_CLIENT, at->sender.address, klass->client_max, of_client, found);
	}
}

#endif
