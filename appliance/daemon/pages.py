"""The workers' counters: one shared-memory area per worker, written by the worker, summed by the root process.

An area outlives its worker: a restarted one goes on counting where the last one stopped, so no counter ever goes
back. It holds the engine's own counters first, then `BLOCKS` blocks, of which a class of a policy has one
(`generations`). A block that nobody ever had costs no memory.
"""

from __future__ import annotations

import mmap
from collections.abc import MutableSequence, Sequence
from typing import cast

from appliance.datapath.counters import ENGINE
from appliance.policy.counters import BLOCK

#: Blocks: twice as many as a policy may have classes, so that one may take over from another.
BLOCKS = 2048

_SLOT = 8  # octets


class Page:
    """One worker's area: `engine`, and `block(number)`, as writable runs of integers."""

    def __init__(self) -> None:
        self._slots = memoryview(mmap.mmap(-1, (len(ENGINE) + BLOCKS * BLOCK) * _SLOT)).cast("Q")
        self.engine = self._run(0, len(ENGINE))

    def block(self, number: int) -> MutableSequence[int]:
        """Block `number`, from 0."""
        return self._run(len(ENGINE) + number * BLOCK, BLOCK)

    def clear(self, number: int) -> None:
        """Block `number` is somebody else's from now on, and counts from 0."""
        self.block(number)[:] = memoryview(bytes(BLOCK * _SLOT)).cast("Q")

    def _run(self, start: int, length: int) -> MutableSequence[int]:
        # a view has no `insert`, and nobody may miss it
        return cast(MutableSequence[int], self._slots[start : start + length])


def engine_totals(pages: Sequence[Page]) -> dict[str, int]:
    """The engine's counters over all workers, by name."""
    return {name: sum(page.engine[slot] for page in pages) for slot, name in enumerate(ENGINE)}


def block_totals(pages: Sequence[Page], number: int) -> tuple[int, ...]:
    """The counters of block `number` over all workers."""
    return tuple(sum(slots) for slots in zip(*(page.block(number) for page in pages), strict=True))
