/* SYNs on their way through the rules, from where the sender's address or port is chosen: what they were as they came in. */
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

/* Notes a SYN of which it is not known yet how it will leave; → 0 if it must not go on, for by what it is known there another
 * one is on its way: a sender chooses all of that, and would have its connections taken for one. It comes again. */
static __always_inline int note(struct place *at, struct packet *packet, u32 ifindex, u32 now)
{
	u32 *kind = interfaces.lookup(&ifindex);

	if (!kind || *kind != CHOOSING)
		return 1;
	struct note_key key = noted(packet);
	struct note note = {
		.sender = at->sender.address, .receiver = at->receiver.address, .sender_port = at->sender.port,
		.receiver_port = at->receiver.port, .named = at->named, .since = now,
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
	FOREIGN, /* it has no entry: not from an interface of ours, or its receiver is known by other ends there */
	UNKNOWN /* nobody has seen it come in; it comes again */
};

/* Of a SYN that was let through, who sent it: where its address or port was chosen, as it came in. A note is of one SYN. */
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
	if (!same_end(&receiver, &at->receiver))
		return FOREIGN;
	at->noted = 1;
	at->number = note.named;
	if (!same_end(&sender, &at->sender)) {
		at->beyond.address = packet->saddr;
		at->beyond.port = packet->sport;
		at->sender = sender;
		identify(at);
	}
	return OURS;
}

#endif
