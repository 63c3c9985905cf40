/* The maps. What must outlive the program is pinned: connections, the places they take, and what they are limited by. */
#ifndef FIXUP_MAPS_H
#define FIXUP_MAPS_H

#include "ends.h"
#include "structs.h"

#ifdef PINS
#define KEPT(kind, key, value, name, entries) BPF_TABLE_PINNED(kind, key, value, name, entries, PINS "/" #name)
#else
#define KEPT(kind, key, value, name, entries) BPF_TABLE(kind, key, value, name, entries)
#endif

/* tuple → connection; written by the program alone, deletion included. 128 octets each (bpf-notes section 2). */
KEPT("hash", struct conn_key, struct conn, conns, CONNECTIONS);

/* number of a static → its addresses and limits; written by user space, which keeps a number as long as a connection
 * has it. 0 is no static. */
KEPT("array", u32, struct limit, limits, STATICS);

/* number of a static → places taken; written by the program. */
KEPT("array", u32, struct count, counts, STATICS);

/* number of a class → its limits and timeouts; written by user space, as `limits`. 0 is no class. */
KEPT("array", u32, struct class, classes, CLASSES);

/* number of a class → SYNs refused; written by the program. */
KEPT("array", u32, struct refused, refusals, CLASSES);

/* class, and server or client → places taken; written by the program alone. A SYN that finds no room in it is refused. */
KEPT("hash", struct share_key, struct share, shares, SHARES);

/* what the classes match, twice: user space writes one half while the other is in force. */
BPF_TABLE("array", u32, struct rule, rules, 2 * RULES);

/* SYNs on their way through the rules, from interfaces that are CHOOSING; taken away as they leave, the oldest give way. */
BPF_TABLE("lru_hash", struct note_key, struct note, notes, NOTES);

/* interface and address → the static of that face; written by user space, which leaves those of a static that is gone as
 * long as connections know it by them. */
KEPT("hash", struct face_key, struct face, faces, 6 * STATICS);

/* the interfaces with a nameif → enum interface; written by user space. What comes from any other is not ours. */
BPF_TABLE("hash", u32, u32, interfaces, INTERFACES);

/* the ways on which calls to a host's own address may be intercepted; written by user space. */
BPF_TABLE("hash", struct way, u32, ways, WAYS);

/* 0 → settings; written by user space. */
BPF_TABLE("array", u32, struct settings, settings, 1);

/* 0 → totals; written by the program. */
BPF_TABLE("array", u32, struct totals, totals, 1);

/* 0 → what a program knows of the packet at hand; never read by another run of it. */
BPF_TABLE("percpu_array", u32, struct scratch, scratches, 1);

/* 0 → reap, which goes on with the next key that way; written by user space. */
BPF_PROG_ARRAY(again, 1);

/* events for user space; never blocks: what finds it full is counted in totals. */
BPF_RINGBUF_OUTPUT(events, RING_PAGES);

#endif
