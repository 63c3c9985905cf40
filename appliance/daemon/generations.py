"""The policies that connections still carry in their marks, and the counters of their classes.

A generation is one set of numbered classes. New connections get the current one; an older one lives as long as
connection tracking knows a connection with its number, and only then is the number free. A configuration whose classes
are those of a living generation gets that one again.

A class that a new configuration leaves as it was (where it is applied, its policy, its name, its inspect map) keeps
its counters; any other begins at 0 in a block that no living class counts in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from appliance import marks
from appliance.config.config import Timeouts
from appliance.config.inspections import Inspection
from appliance.daemon.pages import BLOCKS, Page
from appliance.daemon.policy import Policy
from appliance.kernel.errors import KernelError
from appliance.policy.maps import InspectMap

#: What makes two classes of two configurations the same one, for who watches its counters.
_Same = tuple[str | None, str, str, InspectMap | None]


class Generations:
    """The living generations; `carried` asks connection tracking whether it knows a connection of one."""

    def __init__(self, pages: Sequence[Page], carried: Callable[[int], bool]) -> None:
        self._pages = pages
        self._carried = carried
        self._living: dict[int, Mapping[int, Inspection]] = {}  # by generation, the classes by number
        self._blocks: dict[_Same, int] = {}
        self._unused = 0  # blocks from here on nobody has had
        self._last = 0

    def of(self, inspections: Sequence[Inspection]) -> int:
        """The generation of these classes, living from now on; KernelError if there is no number or no block left."""
        classes = {each.number: each for each in inspections if each.number}
        for generation, known in self._living.items():
            if known == classes:
                return generation
        generation = self._last = self._free()
        self._living[generation] = classes
        try:
            self._count_in_blocks(classes)
        except KernelError:
            self._end(generation)
            raise
        return generation

    def end_one(self, current: int) -> bool:
        """End a generation that no connection carries, but never the `current` one; False if there is none."""
        for generation in self._living:
            if generation != current and not self._carried(generation):
                self._end(generation)
                return True
        return False

    def policy(self, interfaces: Mapping[int, str], timeouts: Timeouts) -> Policy:
        """What the workers are told: every living generation, and where and for how long connections are."""
        inspections = {
            decision(generation, number): each
            for generation, classes in self._living.items()
            for number, each in classes.items()
        }
        blocks = {key: self._blocks[_same(each)] for key, each in inspections.items()}
        return Policy(inspections, blocks, interfaces, timeouts)

    def blocks(self, generation: int) -> dict[int, int]:
        """The counter block of each class of a living generation."""
        return {number: self._blocks[_same(each)] for number, each in self._living[generation].items()}

    def _free(self) -> int:
        numbers = range(1, marks.GENERATION.top + 1)
        following: list[int] = [*numbers[self._last :], *numbers[: self._last]]
        for generation in following:
            if generation not in self._living and not self._carried(generation):
                return generation
        raise KernelError(
            f"connections live under {marks.GENERATION.top} older configurations, as many as can be told apart: "
            "let some end, or end them with clear conn"
        )

    def _count_in_blocks(self, classes: Mapping[int, Inspection]) -> None:
        for each in classes.values():
            if _same(each) not in self._blocks:
                self._blocks[_same(each)] = self._free_block()

    def _free_block(self) -> int:
        if self._unused < BLOCKS:  # one that was given back may still be counted in by a connection's last timer
            self._unused += 1
            return self._unused - 1
        taken = set(self._blocks.values())
        block = next((each for each in range(BLOCKS) if each not in taken), None)
        if block is None:
            raise KernelError(f"more than {BLOCKS} classes inspect, those of living connections counted in")
        for page in self._pages:
            page.clear(block)
        return block

    def _end(self, generation: int) -> None:
        del self._living[generation]
        living = {_same(each) for classes in self._living.values() for each in classes.values()}
        self._blocks = {each: block for each, block in self._blocks.items() if each in living}


def decision(generation: int, number: int) -> int:
    """How the mark of a connection of class `number` in `generation` reads."""
    return marks.DECISION.get(marks.GENERATION.put(generation) | marks.CLASS.put(number))


def _same(inspection: Inspection) -> _Same:
    return inspection.interface, inspection.policy, inspection.class_map.name, inspection.inspect_map
