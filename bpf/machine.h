/* A connection's states and numbers: what a forwarded packet changes in an entry. No map is touched here, and what
 * writes an entry is called under its lock. Source: RFC 9293 sections 3.4 to 3.10, asa.md 5.5. */
#ifndef FIXUP_MACHINE_H
#define FIXUP_MACHINE_H

#include "ends.h"
#include "parsing.h"
#include "structs.h"

/* One pure ACK in 64 KiB is queued, so that the worker can let go of what it keeps. */
#define ACK_SHIFT 16

static __always_inline int embryonic(u8 state)
{
	return state == SYN || state == SYN_ACK;
}

/* SYNPROXY has sent its server a SYN, which is to answer. */
static __always_inline int proxy_began(struct conn *conn)
{
	return conn->flags & INTERCEPTED && embryonic(conn->state);
}

/* What an intercepted client counts more than its server. */
static __always_inline u32 shift(struct conn *conn)
{
	return conn->flags & INTERCEPTED ? conn->delta : 0;
}

/* An entry becomes a new connection, half-open; `kept` are the flags that outlive the one before it. */
static __always_inline void begin(struct conn *conn, struct packet *packet, u16 kept, u32 now)
{
	conn->state = SYN;
	conn->flags = kept | (packet->proxied ? INTERCEPTED : 0);
	conn->started = now;
	conn->last = now;
	conn->next[CLIENT] = packet->seq + 1;
	conn->next[SERVER] = packet->proxied; /* until its number is known, the server's SYN is 0 where one counts */
	conn->acked[CLIENT] = 0;
	conn->acked[SERVER] = packet->seq + 1;
	conn->delta = packet->proxied ? packet->ack : 0;
	conn->octets = 0;
}

/* A SYN while the handshake goes on: the same one again changes nothing, another one begins the handshake anew. */
static __always_inline void syn_again(struct conn *conn, struct packet *packet, u32 now)
{
	conn->last = now;
	if (conn->next[CLIENT] != packet->seq + 1 || packet->proxied) {
		conn->state = SYN;
		conn->next[CLIENT] = packet->seq + 1;
		conn->acked[SERVER] = packet->seq + 1;
	}
	if (packet->proxied) {
		conn->flags = (conn->flags & ~(RENAMED | CALLED)) | INTERCEPTED;
		conn->next[SERVER] = 1;
		conn->delta = packet->ack;
	}
}

/* Whether the receiver will obey the RST: its number is exactly the one expected (RFC 9293 3.10.7, RFC 5961 3.2). */
static __always_inline int obeyed(struct conn *conn, struct packet *packet, u32 side)
{
	if (conn->state == SYN && side == SERVER)
		return packet->flags & FLAG_ACK && packet->ack == conn->next[CLIENT];
	/* Behind a FIN its own number too: a client that closed without waiting for the 221 resets with it, Linux obeys. */
	if (conn->flags & FIN_FROM << side && packet->seq + 1 == conn->next[side])
		return 1;
	return packet->seq == conn->next[side] || packet->seq == conn->acked[!side];
}

/* Octets behind the FIN: the worker need not have seen that one, so they are stopped here (design row 21). */
static __always_inline int behind_fin(struct conn *conn, struct packet *packet, u32 side)
{
	return conn->flags & FIN_FROM << side && packet->payload &&
	       ahead(packet->seq + packet->payload + 1, conn->next[side]) > 0;
}

/* Books numbers, octets and FIN of a packet of `side` on an established connection; → FINS when both are acknowledged. */
static __always_inline u32 book_data(struct conn *conn, struct packet *packet, u32 side)
{
	u32 end = packet->seq + packet->payload + (packet->flags & FLAG_FIN);

	if (packet->flags & FLAG_ACK && ahead(packet->ack, conn->acked[side]) > 0 &&
	    ahead(conn->next[!side], packet->ack) >= 0)
		conn->acked[side] = packet->ack;
	if (packet->payload) {
		conn->octets += packet->payload;
		conn->flags |= DATA_FROM << side;
	}
	/* A pure ACK is SKIP and overtakes a FIN that waits for the worker: its number says nothing of what was forwarded. */
	if (end != packet->seq && ahead(end, conn->next[side]) > 0 && !(conn->flags & FIN_FROM << side)) {
		conn->next[side] = end;
		if (packet->flags & FLAG_FIN) {
			conn->flags |= FIN_FROM << side;
			conn->state = conn->state == ESTABLISHED ? HALF_CLOSED : CLOSING;
		}
	}
	if (conn->state == CLOSING && conn->acked[CLIENT] == conn->next[SERVER] &&
	    conn->acked[SERVER] == conn->next[CLIENT])
		return FINS;
	return GOES_ON;
}

/* Books a forwarded packet of `side`; → how the connection ended by it. */
static __always_inline u32 book(struct conn *conn, struct packet *packet, u32 side, u32 now)
{
	u8 syn_ack = (packet->flags & (FLAG_SYN | FLAG_ACK)) == (FLAG_SYN | FLAG_ACK);

	conn->last = now;
	if (packet->flags & FLAG_RST) {
		if (!obeyed(conn, packet, side))
			return GOES_ON;
		return side == CLIENT ? RESET_BY_CLIENT : RESET_BY_SERVER;
	}
	if (side == SERVER && syn_ack && embryonic(conn->state) && packet->ack == conn->next[CLIENT]) {
		conn->state = SYN_ACK;
		conn->next[SERVER] = packet->seq + 1;
		conn->acked[CLIENT] = packet->seq + 1;
	}
	if (side == SERVER && syn_ack) /* the server begins another connection on the tuple: that one is inspected */
		conn->flags &= ~BYPASS;
	if (packet->flags & FLAG_SYN)
		return GOES_ON;
	if (side == CLIENT && conn->state == SYN_ACK && packet->flags & FLAG_ACK && packet->ack == conn->next[SERVER])
		conn->state = ESTABLISHED;
	if (embryonic(conn->state))
		return GOES_ON;
	return book_data(conn, packet, side);
}

/* A FIN or RST with nothing to inspect, right behind what was forwarded: the worker holds nothing that goes before it.
 * It learns of the end from user space, which hears of it by an event. */
static __always_inline int ends_in_order(struct conn *conn, struct packet *packet, u32 side)
{
	u8 flags = packet->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST | FLAG_ACK | FLAG_URG);

	if (packet->payload || conn->state < ESTABLISHED || packet->seq != conn->next[side])
		return 0;
	return flags == (FLAG_FIN | FLAG_ACK) || flags == FLAG_RST || flags == (FLAG_RST | FLAG_ACK);
}

/* Whether a packet of `side` need not be inspected: MARK_SKIP. A SYN-ACK always is. */
static __always_inline int skips(struct conn *conn, struct packet *packet, u32 side)
{
	u8 state = conn->state;
	int same = packet->ack >> ACK_SHIFT == conn->acked[side] >> ACK_SHIFT;

	if (state < SYN_ACK || state > CLOSING || !packet->whole || packet->flags & FLAG_SYN)
		return 0;
	if (packet->flags & (FLAG_FIN | FLAG_RST))
		return ends_in_order(conn, packet, side) && (same || packet->flags & FLAG_RST);
	return conn->flags & BYPASS || (pure_ack(packet) && same);
}

/* How an entry in `state` ends when its time is over. */
static __always_inline u32 expiry(u8 state)
{
	if (embryonic(state))
		return SYN_TIMEOUT;
	return state == ESTABLISHED ? IDLE_TIMEOUT : FIN_TIMEOUT;
}

static __always_inline int lets_go(struct packet *packet)
{
	return packet->flags & (FLAG_FIN | FLAG_RST);
}

#endif
