"""The workers' counters: one shared-memory area per worker, written by the worker, summed by the root process.

An area outlives its worker: a restarted one goes on counting where the last one stopped, so no counter ever goes
back. It holds the engine's own counters first, then a block per inspection in the order of their numbers.
"""

from __future__ import annotations

import mmap
from collections.abc import MutableSequence, Sequence
from typing import cast

from appliance.datapath.counters import ENGINE
from appliance.policy.counters import BLOCK

_SLOT = 8  # octets


class Page:
    """One worker's area: `engine`, and `blocks[number - 1]` for inspection `number`, as writable runs of integers."""

    def __init__(self, inspections: int) -> None:
        slots = len(ENGINE) + inspections * BLOCK
        self._memory = mmap.mmap(-1, max(slots, 1) * _SLOT)
        everything = memoryview(self._memory).cast("Q")

        def run(start: int, length: int) -> MutableSequence[int]:
            # a view has no `insert`, and nobody may miss it
            return cast(MutableSequence[int], everything[start : start + length])

        self.engine = run(0, len(ENGINE))
        self.blocks = tuple(run(len(ENGINE) + index * BLOCK, BLOCK) for index in range(inspections))


def engine_totals(pages: Sequence[Page]) -> dict[str, int]:
    """The engine's counters over all workers, by name."""
    return {name: sum(page.engine[slot] for page in pages) for slot, name in enumerate(ENGINE)}


def block_totals(pages: Sequence[Page], number: int) -> tuple[int, ...]:
    """The counter block of inspection `number` over all workers."""
    return tuple(sum(slots) for slots in zip(*(page.blocks[number - 1] for page in pages), strict=True))
