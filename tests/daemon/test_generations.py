"""Which policy a mark means, for how long, and where its classes count."""

from dataclasses import replace

import pytest

from appliance.config.config import Timeouts
from appliance.config.inspections import Inspection
from appliance.daemon.generations import Generations, decision
from appliance.daemon.pages import BLOCKS, Page, block_totals
from appliance.kernel.errors import KernelError
from appliance.marks import CLASS, DECISION, GENERATION
from appliance.policy.counters import Slot
from appliance.policy.defaults import DEFAULT_MAP
from appliance.policy.maps import ClassMap, MatchAny

MAIL = Inspection(1, None, "global_policy", ClassMap("mail", MatchAny()), DEFAULT_MAP)
OTHER = replace(MAIL, number=2, class_map=ClassMap("other", MatchAny()))
STRICT = replace(MAIL, inspect_map=replace(DEFAULT_MAP, name="strict"))


class Connections:
    """Connection tracking, as the generations ask it."""

    def __init__(self) -> None:
        self.carried = set[int]()
        self.pages = [Page(), Page()]
        self.generations = Generations(self.pages, self.carried.__contains__)

    def of(self, *inspections: Inspection) -> int:
        return self.generations.of(inspections)

    def counts(self, generation: int, number: int = 1) -> int:
        block = self.generations.blocks(generation)[number]
        return block_totals(self.pages, block)[Slot.PACKET]

    def count(self, generation: int, number: int = 1) -> None:
        for page in self.pages:
            page.block(self.generations.blocks(generation)[number])[Slot.PACKET] += 1


@pytest.fixture
def connections() -> Connections:
    return Connections()


def test_a_mark_says_class_and_generation_in_one_number() -> None:
    assert decision(0, 7) == 7
    mark = CLASS.put(7) | GENERATION.put(3) | 0xFF
    assert DECISION.get(mark) == decision(3, 7)


def test_other_classes_are_another_generation_and_the_old_one_stays_known(connections: Connections) -> None:
    first, second = connections.of(MAIL), connections.of(STRICT)
    assert first != second
    policy = connections.generations.policy({}, Timeouts())
    assert policy.inspections == {decision(first, 1): MAIL, decision(second, 1): STRICT}


def test_the_same_classes_are_the_same_generation(connections: Connections) -> None:
    first = connections.of(MAIL, OTHER)
    connections.of(STRICT)
    assert connections.of(MAIL, OTHER) == first


def test_an_old_generation_ends_with_its_last_connection(connections: Connections) -> None:
    first, second = connections.of(MAIL), connections.of(STRICT)
    connections.carried.add(first)
    assert not connections.generations.end_one(second)
    connections.carried.clear()
    assert connections.generations.end_one(second)
    assert connections.generations.policy({}, Timeouts()).inspections == {decision(second, 1): STRICT}
    assert not connections.generations.end_one(second), "the current one is not old"


def test_a_number_that_a_connection_carries_is_not_given_again(connections: Connections) -> None:
    connections.carried |= set(range(1, GENERATION.top))  # of a firewall that was killed
    assert connections.of(MAIL) == GENERATION.top
    with pytest.raises(KernelError, match="connections live under 63 older configurations"):
        connections.of(STRICT)
    connections.carried.remove(5)
    assert connections.of(STRICT) == 5


def test_numbers_are_given_in_turn(connections: Connections) -> None:
    given = []
    for number in range(70):
        current = connections.of(replace(MAIL, policy=f"policy{number}"))
        while connections.generations.end_one(current):
            pass
        given.append(current)
    assert given == [*range(1, 64), *range(1, 8)]


def test_a_class_left_as_it_was_goes_on_counting_where_others_begin_at_nothing(connections: Connections) -> None:
    first = connections.of(MAIL, OTHER)
    connections.count(first, 1)
    for _ in range(2):
        connections.count(first, 2)
    second = connections.of(replace(OTHER, number=1), replace(STRICT, number=2))
    assert connections.counts(second, 1) == 4, "it has another number, and is the same class"
    assert connections.counts(second, 2) == 0
    assert connections.counts(first, 1) == 2, "what lives under the old one counts on unseen"


def test_a_block_given_again_counts_from_nothing(connections: Connections) -> None:
    for number in range(BLOCKS + 3):
        current = connections.of(replace(MAIL, policy=f"policy{number}"))
        connections.generations.end_one(current)
        assert connections.counts(current) == 0
        connections.count(current)


def test_more_classes_than_blocks_are_refused_and_leave_nothing_behind(connections: Connections) -> None:
    many = [replace(MAIL, number=number, policy=f"policy{number}") for number in range(1, 1001)]
    connections.of(*many)
    connections.of(*(replace(each, interface="outside") for each in many))
    with pytest.raises(KernelError, match=f"more than {BLOCKS} classes inspect"):
        connections.of(*(replace(each, interface="inside") for each in many))
    assert connections.of(MAIL) == 4
