/* What a program says of a packet: that it goes on or is dropped, and in its mark, that it need not be inspected. */
#ifndef FIXUP_VERDICTS_H
#define FIXUP_VERDICTS_H

#include <uapi/linux/bpf.h>
#include <uapi/linux/pkt_cls.h>

/* What passes goes on to other people's filters, if there are any. */
#define PASS TC_ACT_UNSPEC
#define DROP TC_ACT_SHOT

static __always_inline void mark(struct __sk_buff *skb, u32 ours)
{
	u32 word = (skb->mark & ~MARK_OURS) | ours;

	/* else the compiler writes one byte of the context, which the verifier refuses */
	asm volatile("" : "+r"(word));
	skb->mark = word;
}

#endif
