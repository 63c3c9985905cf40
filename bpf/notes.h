/* SYNs on their way through the rules, from where an end's address or port is translated as no static says: what they were
 * as they came in. */
#ifndef FIXUP_NOTES_H
#define FIXUP_NOTES_H

#include "ends.h"
#include "maps.h"

/* What a SYN is known by beyond the rules. */
static __always_inline struct note_key noted(struct packet *packet)
{
	struct note_key key = { .seq = packet->seq, .id = packet->id, .window = packet->window };

	return key;
}

static __always_inline int outdated(struct note *note, u32 now)
{
	return ahead(now, note->since) >= NOTE_AGE;
}

/* Whom a SYN calls as it comes in: of a static, where that is; whatever entry it has met. */
static __always_inline struct end as_called(struct place *at, struct packet *packet)
{
	struct end end = { packet->daddr, packet->dport };

	return at->named ? at->receiver : end;
}

/* Notes a SYN of which it is not known yet how it will leave; → 0 if it must not go on, for by what it is known there another
 * one is on its way: a sender chooses all of that, and would have its connections taken for one. It comes again. */
static __always_inline int note(struct place *at, struct packet *packet, u32 ifindex, u32 now)
{
	u32 *kind = interfaces.lookup(&ifindex);

	if (!kind || *kind != CHOOSING)
		return 1;
	struct note_key key = noted(packet);
	struct end receiver = as_called(at, packet);
	struct note note = {
		.sender = packet->saddr, .receiver = receiver.address, .sender_port = packet->sport,
		.receiver_port = receiver.port, .named = at->named, .since = now,
	};
	if (!notes.insert(&key, &note))
		return 1;
	struct note *known = notes.lookup(&key);
	if (!known)
		return 0;
	int same = known->sender == note.sender && known->sender_port == note.sender_port &&
		   known->receiver == note.receiver && known->receiver_port == note.receiver_port;
	if (same) {
		known->named = note.named;
		known->since = now;
	} else if (outdated(known, now)) {
		notes.delete(&key);
	}
	return same;
}

/* What a SYN says of the connection it opens. */
enum opening {
	OURS,
	FOREIGN, /* it has no entry: not from an interface of ours, or both of its ends are known by others there */
	UNKNOWN /* nobody has seen it come in, and it comes again; or its client has to try from another port */
};

/* Of a SYN that was let through, whom it is between: where one of its ends was translated, what that was as it came in. A
 * note is of one SYN. */
static __always_inline enum opening recognize(struct place *at, struct packet *packet, u32 in, u32 now)
{
	u32 *kind = interfaces.lookup(&in);

	at->in = in;
	if (!kind)
		return in ? FOREIGN : OURS;
	if (*kind != CHOOSING)
		return OURS;
	struct note_key key = noted(packet);
	struct note *known = notes.lookup(&key);
	if (!known || outdated(known, now))
		return UNKNOWN;
	struct note note = *known;
	notes.delete(&key);
	struct end sender = { note.sender, note.sender_port }, receiver = { note.receiver, note.receiver_port };
	u32 moved = !same_end(&sender, &at->sender), called = !same_end(&receiver, &at->receiver);
	if (called && moved && sender.address == at->sender.address) /* its port is taken, by one that has another name */
		return UNKNOWN;
	if (called && (moved || note.named)) /* there is room for one other end, and a static's are known */
		return FOREIGN;
	at->noted = 1;
	at->number = note.named;
	if (called) {
		at->whose = RENAMED | CALLED;
		at->other = receiver;
	} else if (moved) {
		at->whose = RENAMED;
		at->other.address = packet->saddr;
		at->other.port = packet->sport;
		at->sender = sender;
		identify(at);
	}
	return OURS;
}

#endif
