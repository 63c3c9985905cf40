/* Which way an address is, as the kernel's routes have it. */
#ifndef FIXUP_REVERSE_H
#define FIXUP_REVERSE_H

#include <uapi/linux/bpf.h>

#include "parsing.h"

#define IPV4 2 /* AF_INET */

/* The interface by which a packet of `from` would be forwarded to `to`; 0 if by none, or not forwarded. */
static __always_inline u32 leads_to(struct __sk_buff *skb, __be32 from, __be32 to)
{
	struct bpf_fib_lookup way = { .family = IPV4, .ifindex = skb->ifindex, .ipv4_src = from, .ipv4_dst = to };
	int found = bpf_fib_lookup(skb, &way, sizeof(way), 0);

	return found == BPF_FIB_LKUP_RET_SUCCESS || found == BPF_FIB_LKUP_RET_NO_NEIGH ? way.ifindex : 0;
}

/* Whether a packet came in by the interface that leads back to its sender: asked where it changes something before the
 * rules do, for rpfilter is behind us (decision 19). */
static __always_inline int leads_back(struct __sk_buff *skb, struct packet *packet)
{
	return leads_to(skb, packet->daddr, packet->saddr) == skb->ifindex;
}

#endif
