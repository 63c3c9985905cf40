/*
 * TCP Intercept: a SYN at an embryonic limit is marked, and SYNPROXY answers it with a cookie, keeping nothing. Of its
 * client we hear again when the cookie came back: SYNPROXY then opens the connection to the server with a SYN of its
 * own, which carries the cookie as its acknowledgment number, and finishes that handshake. Both are seen at egress to
 * the server; the difference of cookie and server's number is kept, because conntrack puts the numbers right only
 * behind the rules: a client's acknowledgments at ingress, and the server's numbers at egress, are the cookie's. It
 * answers for whom a static stands, and for hosts that are called by their own address where nothing on the way chooses
 * the client's: before the rules, nothing else says where a SYN goes.
 */
#ifndef FIXUP_INTERCEPT_H
#define FIXUP_INTERCEPT_H

#include "parsing.h"
#include "structs.h"

/*
 * An RST to the client of an intercepted connection, the server's or the firewall's own, gets the number its client
 * expects: conntrack gives every one of the server's the cookie's (bpf-notes section 4.4), the firewall counts as the
 * server does, and a client obeys no other number.
 */
static __always_inline void renumber(struct __sk_buff *skb, struct conn *conn, struct packet *packet)
{
	__be32 was = htonl(packet->seq), is = htonl(conn->next[SERVER] + conn->delta);

	bpf_l4_csum_replace(skb, packet->header + offsetof(struct tcp_header, checksum), was, is, sizeof(is));
	bpf_skb_store_bytes(skb, packet->header + offsetof(struct tcp_header, seq), &is, sizeof(is), 0);
}

/* What leaves to such a client is seen here by the cookie's numbers, and booked by the server's own. */
static __always_inline void to_intercepted(struct __sk_buff *skb, struct conn *conn, struct packet *packet)
{
	if (packet->flags & FLAG_RST) {
		renumber(skb, conn, packet);
		packet->seq = conn->next[SERVER];
	} else {
		packet->seq -= conn->delta;
	}
}

/* Whether a server answers SYNPROXY's SYN out of a connection on the same tuple that it has not given up: the end of that
 * one never reached it. Other clients reset it themselves (RFC 9293 section 3.5.2), this one believes that it is connected. */
static __always_inline int obstructs(struct conn *conn, struct packet *packet, u32 side)
{
	return side == SERVER && conn->state == SYN && conn->flags & INTERCEPTED &&
	       (packet->flags & (FLAG_ACK | FLAG_RST)) == FLAG_ACK &&
	       !(packet->flags & FLAG_SYN && packet->ack == conn->next[CLIENT]);
}

#endif
