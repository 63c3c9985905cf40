/* From an skb to the TCP packet in it. Lengths come from the IP header: a frame may be padded, a super-packet is not linear. */
#ifndef FIXUP_PARSING_H
#define FIXUP_PARSING_H

#include <uapi/linux/if_ether.h>
#include <uapi/linux/in.h>
#include <uapi/linux/ip.h>

#define VLAN_ID 0xfff

#define FLAG_FIN 0x01
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_ACK 0x10
#define FLAG_URG 0x20

#define TCP_HEADER 20 /* octets without options, RFC 9293 */
#define MORE_FRAGMENTS 0x2000
#define FRAGMENT_OFFSET 0x1fff

/* The fields of a TCP header by offset: its bit-fields are of no use where flags are taken as a whole. */
struct tcp_header {
	__be16 source;
	__be16 destination;
	__be32 seq;
	__be32 ack;
	u8 offset; /* upper half: length in 32-bit words */
	u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};

struct packet {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	u32 seq;
	u32 ack;
	u32 payload; /* octets */
	u32 header; /* where the TCP header is in the frame */
	u16 id; /* of the IP header; as it is written, as the window */
	u16 window;
	u8 flags;
	u8 whole; /* not a fragment */
	u8 proxied; /* SYNPROXY's own SYN */
};

enum parsed {
	OTHER, /* not TCP, or not readable, or a later fragment: not ours to judge */
	FORBIDDEN, /* a fragment that hides the header or a flag (design row 21, RFC 1858, RFC 3128); or tag within tag */
	TCP
};

static __always_inline int reach(struct __sk_buff *skb, u32 length)
{
	if ((void *)(long)skb->data + length <= (void *)(long)skb->data_end)
		return 1;
	return bpf_skb_pull_data(skb, length) == 0;
}

/* A frame of a VLAN: its own interface has its own program. A tag of number 0 is a priority alone (IEEE 802.1Q 9.6), and
 * the frame that of the interface. */
static __always_inline int of_vlan(struct __sk_buff *skb)
{
	return skb->vlan_present && skb->vlan_tci & VLAN_ID;
}

static __always_inline int tagged(struct __sk_buff *skb)
{
	return skb->protocol == htons(ETH_P_8021Q) || skb->protocol == htons(ETH_P_8021AD);
}

static __always_inline enum parsed parse(struct __sk_buff *skb, struct packet *packet)
{
	packet->proxied = 0;
	if (skb->vlan_present && tagged(skb)) /* the kernel takes off both, and may deliver here what nobody has read */
		return FORBIDDEN;
	if (skb->protocol != htons(ETH_P_IP) || !reach(skb, ETH_HLEN + sizeof(struct iphdr)))
		return OTHER;
	struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return OTHER;
	u32 header = ip->ihl * 4;
	if (ip->version != 4 || header < sizeof(*ip) || ip->protocol != IPPROTO_TCP)
		return OTHER;
	/* 0 is a super-packet of more than 65,535 octets (BIG TCP) */
	u32 length = ip->tot_len ? ntohs(ip->tot_len) : skb->len - ETH_HLEN;
	u16 fragment = ntohs(ip->frag_off);
	u16 offset = fragment & FRAGMENT_OFFSET;
	if (offset)
		return offset == 1 ? FORBIDDEN : OTHER;
	packet->whole = !(fragment & MORE_FRAGMENTS);
	if (length < header + TCP_HEADER)
		return packet->whole ? OTHER : FORBIDDEN;
	packet->saddr = ip->saddr;
	packet->daddr = ip->daddr;
	packet->id = ip->id;

	if (length + ETH_HLEN > skb->len || !reach(skb, ETH_HLEN + header + TCP_HEADER))
		return OTHER;
	struct tcp_header *tcp = (void *)(long)skb->data + ETH_HLEN + header;
	if ((void *)(tcp + 1) > (void *)(long)skb->data_end)
		return OTHER;
	u32 headers = header + (tcp->offset >> 4) * 4;
	if ((tcp->offset >> 4) * 4 < TCP_HEADER || length < headers)
		return packet->whole ? OTHER : FORBIDDEN;
	packet->sport = tcp->source;
	packet->dport = tcp->destination;
	packet->seq = ntohl(tcp->seq);
	packet->ack = ntohl(tcp->ack);
	packet->window = tcp->window;
	packet->flags = tcp->flags;
	packet->header = ETH_HLEN + header;
	packet->payload = length - headers;
	/* a first fragment of headers alone would pass for a pure ACK with its payload behind */
	if (!packet->whole && (packet->payload == 0 || packet->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST)))
		return FORBIDDEN;
	return TCP;
}

/* A packet that opens a connection, whatever else it carries. */
static __always_inline int opens(struct packet *packet)
{
	return (packet->flags & (FLAG_SYN | FLAG_ACK | FLAG_RST)) == FLAG_SYN;
}

/* A SYN and nothing more: no data, nothing that would have to be inspected. */
static __always_inline int plain_syn(struct packet *packet)
{
	return opens(packet) && packet->whole && !packet->payload && !(packet->flags & (FLAG_FIN | FLAG_URG));
}

static __always_inline int pure_ack(struct packet *packet)
{
	u8 flags = packet->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST | FLAG_ACK | FLAG_URG);
	return flags == FLAG_ACK && packet->whole && !packet->payload;
}

/* An ACK that neither opens nor ends anything, whatever it carries. */
static __always_inline int acknowledges(struct packet *packet)
{
	return (packet->flags & (FLAG_SYN | FLAG_FIN | FLAG_RST | FLAG_ACK)) == FLAG_ACK;
}

/* Signed distance of two sequence numbers (RFC 9293 section 3.4). */
static __always_inline s32 ahead(u32 of, u32 than)
{
	return (s32)(of - than);
}

#endif
