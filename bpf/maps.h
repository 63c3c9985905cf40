/* The maps. What must outlive the program is pinned: connections, their counts, their limits. */
#ifndef FIXUP_MAPS_H
#define FIXUP_MAPS_H

#ifdef PINS
#define KEPT(kind, key, value, name, entries) BPF_TABLE_PINNED(kind, key, value, name, entries, PINS "/" #name)
#else
#define KEPT(kind, key, value, name, entries) BPF_TABLE(kind, key, value, name, entries)
#endif

/* tuple → connection; written by the program alone, deletion included. */
KEPT("hash", struct conn_key, struct conn, conns, CONNECTIONS);

/* mapped address → places taken; rows are made by user space, the numbers in them by the program. */
KEPT("hash", __be32, struct count, counts, STATICS);

/* mapped address → limits; written by user space. */
KEPT("hash", __be32, struct limit, limits, STATICS);

/* interface and address → face of a static; written by user space. */
BPF_TABLE("hash", struct face_key, struct face, faces, 2 * STATICS);

/* 0 → settings; written by user space. */
BPF_TABLE("array", u32, struct settings, settings, 1);

/* 0 → totals; written by the program. */
BPF_TABLE("array", u32, struct totals, totals, 1);

/* events for user space; never blocks: what finds it full is counted in totals. */
BPF_RINGBUF_OUTPUT(events, RING_PAGES);

#endif
