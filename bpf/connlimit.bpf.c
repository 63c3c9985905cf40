/*
 * The connection table: every TCP connection through the box, the limits it is under kept, its packets marked.
 *
 * Two programs on clsact, direct action, at every interface with a nameif. Ingress looks: it drops what is DEAD and
 * the SYN that finds a limit of connections reached, and marks what need not be inspected and what SYNPROXY has to
 * answer; it takes no place. Egress books what was really forwarded: the SYN takes its places there under their locks,
 * and every change of state is made there. So what rules, routing or a worker dropped has changed nothing. A third
 * program, reap, does user space's bidding on entries.
 *
 * An entry is known by the real addresses of its ends, so that one look finds it on either side of a translation,
 * whichever end sends. Up to three counts are charged for it: its static's, and in the class that limits it its
 * server's and its client's.
 *
 * Rules: a change of an entry is made under its lock (changes.h) by whoever saw the old state there; who makes it
 * CLOSED, and only he, gives its places back and deletes it. One lock at a time. Places are taken before the entry that
 * holds them is made. A mark is a permission: what is not understood goes on unmarked, and is inspected.
 *
 * Source: design sections 2 and 3 (rows 14-16, 20, 21); asa.md 5.3 to 5.5. From user space come CONNECTIONS, STATICS,
 * CLASSES, SHARES, RULES, NOTES, INTERFACES, WAYS, RING_PAGES, ORDERS, MARK_OURS, MARK_CLASS,
 * MARK_DISPOSITION, MARK_SKIP, MARK_INTERCEPT, MARK_FULL, MARK_COOKIE, WORKER_SHIFT and, where maps are pinned, PINS; and the text of the
 * headers in place of their names, for bcc knows an access to a map in the main file alone.
 */
/* what there is */
#include "structs.h"
#include "maps.h"
#include "clock.h"

/* a packet, and whose it is */
#include "parsing.h"
#include "ends.h"
#include "reverse.h"
#include "faces.h"
#include "notes.h"

/* what limits a connection */
#include "classes.h"
#include "places.h"

/* an entry, and who is told of it */
#include "machine.h"
#include "changes.h"
#include "aliases.h"
#include "events.h"

/* what becomes of a SYN, and of all that follows it */
#include "admission.h"
#include "life.h"
#include "intercept.h"

/* the programs' own steps */
#include "verdicts.h"
#include "ingress.h"
#include "egress.h"
#include "orders.h"

int ingress(struct __sk_buff *skb)
{
	u32 zero = 0, allowed = 0;
	struct settings *set = settings.lookup(&zero);
	struct scratch *scratch = scratches.lookup(&zero);
	int verdict;

	if (of_vlan(skb) || !set || !scratch)
		return PASS;
	struct packet *packet = &scratch->packet;
	struct place *at = &scratch->at;
	mark(skb, 0);
	switch (parse(skb, packet)) {
	case OTHER:
		return PASS;
	case FORBIDDEN:
		return DROP;
	case TCP:
		break;
	}
	arriving(at, packet, skb->ifindex, set);
	u32 spread_by = at->hash; /* as its first packet met no entry, whose worker connection tracking keeps */
	struct conn *conn = find(at);
	/* about to be deleted, or a client that calls its server by another address */
	if (conn && (conn->state == CLOSED || (sender(conn, at) == CLIENT && !same_name(conn->number, at->named))))
		conn = 0;
	at->waits = conn && conn->state == WAITING && sender(conn, at) == CLIENT && opens(packet);
	if (conn && !at->waits)
		verdict = known(skb, conn, at, packet, sender(conn, at), set, &allowed);
	else
		verdict = unknown(skb, at, packet, set, &allowed);
	if (verdict == DROP)
		return DROP;
	if (opens(packet) && !note(at, packet, skb->ifindex, clock(set) >> TICK_SHIFT))
		return DROP;
	mark(skb, allowed | worker(spread_by, set) << WORKER_SHIFT);
	return PASS;
}

int egress(struct __sk_buff *skb)
{
	u32 zero = 0, side = CLIENT;
	struct settings *set = settings.lookup(&zero);
	struct scratch *scratch = scratches.lookup(&zero);

	if (of_vlan(skb) || !set || !scratch)
		return PASS;
	struct packet *packet = &scratch->packet;
	struct place *at = &scratch->at;
	switch (parse(skb, packet)) {
	case OTHER:
		return PASS;
	case FORBIDDEN:
		return DROP;
	case TCP:
		break;
	}
	leaving(at, packet, skb->ifindex, set);
	at->inspected = skb->mark & MARK_CLASS ? INSPECTED : 0;
	if (opens(packet)) {
		switch (recognize(at, packet, skb->ingress_ifindex, clock(set) >> TICK_SHIFT)) {
		case FOREIGN:
			return PASS;
		case UNKNOWN:
			return DROP;
		case OURS:
			opened(at, packet, skb, set);
		}
	}
	struct conn *conn = find(at);
	u8 state = conn ? conn->state : CLOSED;
	if (state != CLOSED)
		side = sender(conn, at);
	if (side == CLIENT && opens(packet))
		return open_to_server(skb, conn, at, packet, set);
	/* a server's that leaves by another address than its client called is not of this connection */
	if (state != CLOSED && conn && (side == CLIENT || same_name(conn->number, at->named)))
		return leaves(skb, conn, at, packet, side, clock(set));
	return skb->ingress_ifindex && uncounted(at, packet, set) ? DROP : PASS;
}

/* Run by user space alone, its packet an order and keys; → how many entries it changed, or the worker of one key. It goes
 * on with the next key by calling itself, for the verifier would walk every way through every turn of a loop; the context
 * knows which key it is at and how many entries were changed. */
int reap(struct __sk_buff *skb)
{
	struct conn_key key;
	u32 zero = 0, turn = skb->cb[0], done = skb->cb[1];
	u16 order;
	struct settings *set = settings.lookup(&zero);

	if (!set || turn >= ORDERS || bpf_skb_load_bytes(skb, offsetof(struct orders, order), &order, sizeof(order)) ||
	    bpf_skb_load_bytes(skb, offsetof(struct orders, keys) + turn * sizeof(key), &key, sizeof(key)))
		return done;
	done += obey(order, &key, set, clock(set));
	skb->cb[0] = turn + 1;
	skb->cb[1] = done;
	again.call(skb, 0);
	return done;
}
