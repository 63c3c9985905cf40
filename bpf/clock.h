/* Time: the kernel's clock is read here alone. */
#ifndef FIXUP_CLOCK_H
#define FIXUP_CLOCK_H

#include "structs.h"

static __always_inline u64 clock(struct settings *set)
{
	return bpf_ktime_get_ns() + set->clock_offset;
}

/* CPUs' clocks read a little before or behind each other. */
static __always_inline int long_ago(u32 told, u32 tick)
{
	return tick + SECOND - told >= 2 * SECOND;
}

#endif
