/*
 * A flood's SYNs: a run has SYNS copies of its packet come in by the device it is run at, each from another source, and
 * goes on with the next source or port where the one before it ended. Nothing is made in user space, nothing is sent by
 * another host, and no system call is made for each, so that what is measured is what becomes of them.
 *
 * The sources are those of the packet's own /24. The mark is the turn, and is raised. From user space come SYNS, a
 * divisor of SOURCES, and FIRST_PORT.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/if_ether.h>

#define SOURCES 256
#define TURNS (SOURCES / SYNS) /* with the same port */
#define PORTS (65536 - FIRST_PORT)
#define ONES 0xffff /* what checksums are sums of 16-bit words modulo of (RFC 1071) */

/* A frame, as words where it changes: what one word of a checksum gains another one loses (RFC 1624). */
struct frame {
	u8 ethernet[ETH_HLEN];
	u16 ip[2];
	u16 id; /* loses what the source gains */
	u16 more[4];
	union {
		u16 source;
		u8 octets[2];
	} low; /* half of the source's address */
	u16 to[2];
	u16 port;
	u16 to_port;
	u16 high;
	u16 seq; /* its lower half: loses what the source and the port gain */
} __attribute__((packed));

int flood(struct __sk_buff *skb)
{
	u32 turn = skb->mark;
	u16 port = htons(FIRST_PORT + turn / TURNS % PORTS);

	for (u32 i = 0; i < SYNS; i++) {
		if (bpf_skb_pull_data(skb, sizeof(struct frame)))
			return 0;
		struct frame *frame = (void *)(long)skb->data;
		if ((void *)(frame + 1) > (void *)(long)skb->data_end)
			return 0;
		u32 before = frame->low.source;
		frame->low.octets[1] = turn % TURNS * SYNS + i;
		u32 lost = before + ONES - frame->low.source;
		frame->id = (frame->id + lost) % ONES;
		frame->seq = (frame->seq + lost + frame->port + ONES - port) % ONES;
		frame->port = port;
		bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	}
	skb->mark = turn + 1;
	return 0;
}
