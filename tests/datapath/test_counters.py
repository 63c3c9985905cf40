"""The engine's counters: each name has its slot, and how long a packet took has one too."""

import pytest

from appliance.datapath.counters import ENGINE, PACKETS, QUEUE_OVERFLOWS, VERDICTS, verdict_slot


def test_names_are_unique_and_in_the_order_of_the_slots() -> None:
    assert len(set(ENGINE)) == len(ENGINE)
    assert (ENGINE[PACKETS], ENGINE[QUEUE_OVERFLOWS], ENGINE[VERDICTS]) == (
        "packets",
        "queue_overflows",
        "verdicts_16us",
    )


@pytest.mark.parametrize(
    ("took", "name"),
    [
        (0, "verdicts_16us"),
        (16_383, "verdicts_16us"),
        (16_384, "verdicts_33us"),
        (131_071, "verdicts_131us"),
        (1_000_000, "verdicts_1ms"),
        (2_097_152, "verdicts_slower"),
        (60_000_000_000, "verdicts_slower"),
    ],
)
def test_how_long_a_packet_took(took: int, name: str) -> None:
    assert ENGINE[verdict_slot(took)] == name
