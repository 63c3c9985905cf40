/*
 * TCP Intercept: a SYN at an embryonic limit is marked, and SYNPROXY answers it with a cookie, keeping nothing. Of its
 * client we hear again when the cookie came back: SYNPROXY then opens the connection to the server with a SYN of its
 * own, which carries the cookie as its acknowledgment number, and finishes that handshake. Both are seen at egress to
 * the server; the difference of cookie and server's number is kept, because conntrack puts the numbers right only
 * behind the rules: a client's acknowledgments at ingress, and the server's numbers at egress, are the cookie's. It
 * needs a static: before the rules, nothing else says where a SYN goes.
 */
#ifndef FIXUP_INTERCEPT_H
#define FIXUP_INTERCEPT_H

#include "changes.h"
#include "life.h"
#include "parsing.h"
#include "places.h"

/* SYNPROXY's ACK to the server: the connection it opened is established, and both numbers of the server are known. */
static __always_inline void establish(struct conn *conn, struct place *at, struct packet *packet, u64 now)
{
	struct conn was = { .number = conn->number, .klass = conn->klass };

	if (settle(conn, at, packet, now >> TICK_SHIFT, &was)) {
		struct holding holding = held(&at->key, &was);
		give_back(&holding, 0, 1);
	}
}

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

#endif
