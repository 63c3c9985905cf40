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

/* Notes a SYN of which it is not known yet how it will leave. */
static __always_inline void note(struct place *at, struct packet *packet, u32 ifindex)
{
	u32 *kind = interfaces.lookup(&ifindex);

	if (!kind || *kind != CHOOSING)
		return;
	struct note_key key = noted(packet);
	struct note note = {
		.sender = at->sender.address, .receiver = at->receiver.address, .sender_port = at->sender.port,
		.receiver_port = at->receiver.port, .named = at->named,
	};
	notes.update(&key, &note);
}

/* What a SYN says of the connection it opens. */
enum opening {
	OURS,
	FOREIGN, /* it has no entry: not from an interface of ours, or its receiver is known by other ends there */
	UNKNOWN /* nobody has seen it come in; it comes again */
};

/* Of a SYN that was let through, who sent it: where its address or port was chosen, as it came in. */
static __always_inline enum opening recognize(struct place *at, struct packet *packet, u32 in)
{
	u32 *kind = interfaces.lookup(&in);

	at->in = in;
	if (!kind)
		return in ? FOREIGN : OURS;
	if (*kind != CHOOSING)
		return OURS;
	struct note_key key = noted(packet);
	struct note *note = notes.lookup(&key);
	if (!note)
		return UNKNOWN;
	struct end sender = { note->sender, note->sender_port }, receiver = { note->receiver, note->receiver_port };
	if (!same_end(&receiver, &at->receiver))
		return FOREIGN;
	at->noted = 1;
	at->number = note->named;
	if (!same_end(&sender, &at->sender)) {
		at->beyond.address = packet->saddr;
		at->beyond.port = packet->sport;
		at->sender = sender;
		identify(at);
	}
	return OURS;
}

#endif
