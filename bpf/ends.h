/* Whose packet it is: both ends by their real addresses, and what the connection between them is known by, whichever of
 * them sends. No map is touched here. */
#ifndef FIXUP_ENDS_H
#define FIXUP_ENDS_H

#include "parsing.h"
#include "structs.h"

/* Odd multipliers without structure: they spread addresses and ports over the word. */
#define SPREAD_ADDRESS 0x9e3779b1
#define SPREAD_PORT 0x85ebca6b
#define SPREAD_BOTH 0x2c1b3c6d

/* A packet's connection: its ends by their real addresses, and of one that opens it what limits it. */
struct place {
	struct conn_key key;
	struct end sender;
	struct end receiver;
	struct end other; /* of one that opens: its sender as it leaves, or its receiver as it came in; address 0 if a static
			   * says which, or it is the same */
	u32 hash;
	u32 in; /* the interface it came from; 0 for the firewall's own */
	u32 out; /* and the one it leaves by, 0 if the rules have yet to say */
	u16 named; /* the static by which the end beyond a translation is called here, 0 for none */
	u16 number; /* of one that opens: its static */
	u16 klass; /* and its class */
	u16 inspected; /* INSPECTED, if the packet carries a class that inspects */
	u16 whose; /* of `other`: RENAMED, and CALLED if it is the receiver's */
	u8 sender_high;
	u8 waits; /* of one that opens: it has an entry already, which is WAITING */
	u8 noted; /* its first packet was seen to come in, and `number` is by what that called */
};

/* What is known of the packet at hand. Not on the stack: the verifier would tell its values apart, and walk every way
 * through what follows for each of them. */
struct scratch {
	struct packet packet;
	struct place at;
};

static __always_inline u32 spread(struct end *end)
{
	u32 word = end->address * SPREAD_ADDRESS ^ end->port * SPREAD_PORT;

	word ^= word >> 15;
	word *= SPREAD_BOTH;
	return word ^ word >> 13;
}

/* The same for both directions. */
static __always_inline u32 hash(struct end *one, struct end *other)
{
	u32 sum = spread(one) + spread(other);

	return sum ^ sum >> 16;
}

/* The worker of a connection. */
static __always_inline u32 worker(u32 hash, struct settings *set)
{
	return set->workers ? hash % set->workers : 0;
}

static __always_inline u8 higher(struct end *than, struct end *end)
{
	if (end->address != than->address)
		return end->address > than->address;
	return end->port > than->port;
}

/* The key and hash of a connection whose ends are known. */
static __always_inline void identify(struct place *at)
{
	u8 high = higher(&at->receiver, &at->sender);
	struct end *low_end = high ? &at->receiver : &at->sender, *high_end = high ? &at->sender : &at->receiver;

	at->sender_high = high;
	at->key.low = low_end->address;
	at->key.low_port = low_end->port;
	at->key.high = high_end->address;
	at->key.high_port = high_end->port;
	at->hash = hash(&at->sender, &at->receiver);
}

static __always_inline u32 sender(struct conn *conn, struct place *at)
{
	return at->sender_high == !!(conn->flags & CLIENT_HIGH) ? CLIENT : SERVER;
}

/* The flag by which an entry knows its client's end, of one whose sender opens it. */
static __always_inline u16 opener(struct place *at)
{
	return at->sender_high ? CLIENT_HIGH : 0;
}

/* One of the key's ends. Both are read first: else the compiler reckons with addresses, which the verifier refuses. */
static __always_inline struct end an_end(struct conn_key *key, int high)
{
	u32 low_address = key->low, high_address = key->high, low_port = key->low_port, high_port = key->high_port;
	struct end end = {};

	asm volatile("" : "+r"(low_address), "+r"(high_address), "+r"(low_port), "+r"(high_port));
	end.address = high ? high_address : low_address;
	end.port = high ? high_port : low_port;
	return end;
}

static __always_inline struct end client_end(struct conn_key *key, u16 flags)
{
	return an_end(key, flags & CLIENT_HIGH);
}

static __always_inline struct end server_end(struct conn_key *key, u16 flags)
{
	return an_end(key, !(flags & CLIENT_HIGH));
}

/* Of an entry that has another one, or is an ALIAS: the end that is known otherwise there, and the one that is not. */
static __always_inline struct end renamed_end(struct conn_key *key, u16 flags)
{
	return an_end(key, !!(flags & CLIENT_HIGH) ^ !!(flags & CALLED));
}

static __always_inline struct end kept_end(struct conn_key *key, u16 flags)
{
	return an_end(key, !!(flags & CLIENT_HIGH) ^ !(flags & CALLED));
}

/* What that end is in an entry's other entry; address 0 if there is none. */
static __always_inline struct end other_end(struct conn *conn)
{
	struct end end = {};

	if (conn->flags & RENAMED) {
		end.address = conn->other;
		end.port = conn->octets >> PORT_SHIFT;
	}
	return end;
}

static __always_inline void name(struct conn *conn, struct end *other, u16 whose)
{
	if (!other->address)
		return;
	conn->flags |= whose;
	conn->other = other->address;
	conn->octets = (conn->octets << 16 >> 16) | (u64)other->port << PORT_SHIFT;
}

/* The key of an entry's other entry: that of an ALIAS of its connection, that of a RENAMED connection of its ALIAS. */
static __always_inline struct conn_key other_key(struct conn_key *key, struct conn *conn)
{
	struct place at = {};

	at.sender = other_end(conn);
	at.receiver = kept_end(key, conn->flags);
	identify(&at);
	return at.key;
}

/* A packet that met an ALIAS, by the real addresses of its ends. */
static __always_inline void unveil(struct place *at, struct conn *alias)
{
	if (sender(alias, at) == CLIENT)
		at->sender = other_end(alias);
	else
		at->receiver = other_end(alias);
	identify(at);
}

static __always_inline int same_end(struct end *one, struct end *other)
{
	return one->address == other->address && one->port == other->port;
}

#endif
