/* The way back to a packet's sender, asked where it changes something before the rules do: rpfilter is behind us (decision 19). */
#ifndef FIXUP_REVERSE_H
#define FIXUP_REVERSE_H

#include <uapi/linux/bpf.h>

#include "parsing.h"

#define IPV4 2 /* AF_INET */

/* Whether a packet came in by the interface that leads back to its sender. */
static __always_inline int leads_back(struct __sk_buff *skb, struct packet *packet)
{
	struct bpf_fib_lookup way = {
		.family = IPV4, .ifindex = skb->ifindex, .ipv4_src = packet->daddr, .ipv4_dst = packet->saddr,
	};
	int found = bpf_fib_lookup(skb, &way, sizeof(way), 0);

	return (found == BPF_FIB_LKUP_RET_SUCCESS || found == BPF_FIB_LKUP_RET_NO_NEIGH) && way.ifindex == skb->ifindex;
}

#endif
