/* The changes of an entry that packets and orders make: each under its lock, and only where the entry is still the one
 * its caller saw. What follows from a change, of places and of events, is the caller's. No map is touched here. */
#ifndef FIXUP_CHANGES_H
#define FIXUP_CHANGES_H

#include "machine.h"
#include "parsing.h"
#include "places.h"
#include "structs.h"

/* How a forwarded packet found an entry, and what came of it. */
struct step {
	struct conn was; /* as it was, with what is booked of the packet; its numbers are not kept */
	u32 ending;
	u8 state; /* the one it is in by the packet, if it has not ended */
	u8 beyond; /* octets behind the FIN: nothing is booked */
};

/* What has to be known of an entry that will be another one, or none. */
static __always_inline void remember(struct conn *was, struct conn *conn)
{
	was->flags = conn->flags;
	was->number = conn->number;
	was->klass = conn->klass;
	was->started = conn->started;
	was->octets = conn->octets;
	was->delta = conn->delta;
}

/* Makes an entry seen in state `from` a new connection; 0 if it is not in that state any more. */
static __always_inline int begin_again(struct conn *conn, u8 from, struct place *at, struct packet *packet, u16 kept,
				       u32 now)
{
	int mine;

	bpf_spin_lock(&conn->lock);
	mine = conn->state == from && conn->tag == (u8)at->hash;
	if (mine) {
		if (from == WAITING) {
			conn->number = at->number;
			conn->klass = at->klass;
		}
		begin(conn, packet, kept, now);
		name(conn, &at->other, at->whose);
	}
	bpf_spin_unlock(&conn->lock);
	return mine;
}

/* A SYN of the client while the handshake goes on; at any other time it changes nothing. */
static __always_inline void handshake_again(struct conn *conn, struct place *at, struct packet *packet, u32 now)
{
	bpf_spin_lock(&conn->lock);
	if (conn->tag == (u8)at->hash && embryonic(conn->state)) {
		syn_again(conn, packet, now);
		name(conn, &at->other, at->whose);
	}
	bpf_spin_unlock(&conn->lock);
}

/* Books a packet of `side`; an entry that ends by it is CLOSED. */
static __always_inline void advance(struct conn *conn, struct place *at, struct packet *packet, u32 side, u32 now,
				    struct step *step)
{
	struct conn *was = &step->was;
	u8 state;

	bpf_spin_lock(&conn->lock);
	if (conn->tag == (u8)at->hash) {
		state = step->state = was->state = conn->state;
		step->beyond = behind_fin(conn, packet, side);
		if (!step->beyond && state != CLOSED && state != DEAD && state != WAITING) {
			conn->flags |= at->inspected;
			step->ending = book(conn, packet, side, now);
			step->state = conn->state;
			remember(was, conn);
			if (step->ending)
				conn->state = CLOSED;
		}
	}
	bpf_spin_unlock(&conn->lock);
}

/* SYNPROXY's ACK to the server opens the connection, if it is that: both numbers of the server are known then. */
static __always_inline void settle(struct conn *conn, struct place *at, struct packet *packet, u32 now, struct step *step)
{
	bpf_spin_lock(&conn->lock);
	if (conn->tag == (u8)at->hash && conn->flags & INTERCEPTED && embryonic(conn->state) &&
	    packet->seq == conn->next[CLIENT]) {
		step->was.state = conn->state;
		remember(&step->was, conn);
		step->state = conn->state = ESTABLISHED;
		conn->last = now;
		conn->next[SERVER] = packet->ack;
		conn->acked[CLIENT] = packet->ack;
		conn->delta -= packet->ack - 1;
	}
	bpf_spin_unlock(&conn->lock);
}

/* Notes that user space is told what obstructs an entry; 0 if it was since the last sweep: it comes as often as it likes. */
static __always_inline int tell_once(struct conn *conn, struct place *at)
{
	int first;

	bpf_spin_lock(&conn->lock);
	first = conn->tag == (u8)at->hash && !(conn->flags & TOLD_OF);
	if (first)
		conn->flags |= TOLD_OF;
	bpf_spin_unlock(&conn->lock);
	return first;
}

/* The server lets go of a DEAD entry: it is CLOSED. */
static __always_inline void close_dead(struct conn *conn, struct place *at, struct step *step)
{
	step->was.state = DEAD;
	bpf_spin_lock(&conn->lock);
	if (conn->tag == (u8)at->hash && conn->state == DEAD) {
		remember(&step->was, conn);
		step->ending = INSPECTION;
		conn->state = CLOSED;
	}
	bpf_spin_unlock(&conn->lock);
}

/* Notes that an entry, seen as `was`, holds a place among its client's; → its state, CLOSED if that is not to be. */
static __always_inline u8 count_among(struct conn *conn, u8 tag, struct conn *was)
{
	u8 state = CLOSED;

	bpf_spin_lock(&conn->lock);
	if (conn->tag == tag && conn->klass == was->klass && !((conn->flags ^ was->flags) & (PER_CLIENT | CLIENT_HIGH)) &&
	    conn->state >= SYN && conn->state <= HALF_CLOSED) {
		conn->flags |= PER_CLIENT;
		state = conn->state;
	}
	bpf_spin_unlock(&conn->lock);
	return state;
}

/* Carries out one order on an entry whose time is over after `timeout` ticks; → 1 if that changed it. `was` is what it
 * was before; `unanswered` is whether the server has yet to answer SYNPROXY. */
static __always_inline int carry_out(struct conn *conn, u8 tag, u16 order, u32 timeout, u32 tick, struct conn *was,
				     int *unanswered)
{
	int done = 0;

	bpf_spin_lock(&conn->lock);
	u8 state = conn->state;
	was->state = state;
	remember(was, conn);
	was->next[CLIENT] = conn->next[CLIENT];
	was->next[SERVER] = conn->next[SERVER];
	if (conn->tag == tag && state != CLOSED) {
		if (order == RELEASE) {
			done = !(conn->flags & BYPASS);
			conn->flags |= BYPASS;
		} else if (order == KILL) {
			done = state != DEAD && state != WAITING;
			if (done) {
				conn->state = DEAD;
				conn->last = tick;
			}
		} else {
			u32 since = embryonic(state) ? conn->started : conn->last;

			done = order == CLEAR || ahead(tick, since) >= (s32)timeout;
			*unanswered = state == SYN && conn->flags & INTERCEPTED && ahead(tick, since) >= PATIENCE;
			if (done)
				conn->state = CLOSED;
			if (*unanswered)
				conn->flags &= ~TOLD_OF;
		}
	}
	bpf_spin_unlock(&conn->lock);
	return done;
}

#endif
