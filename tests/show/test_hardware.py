"""The interfaces of the file beside the devices of the machine, and what the file goes by."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from appliance.config.config import Config
from appliance.show import ClockReport, clock, goes_by, interfaces
from tests.appliances import ETH0, HARDWARE


def test_an_interface_has_its_device_if_the_machine_does() -> None:
    found = interfaces(HARDWARE, {"eth0": ETH0}).interfaces
    assert [(each.nameif, each.hardware, each.device) for each in found] == [
        ("outside", "eth0", ETH0),
        ("inside", "eth1", None),
        (None, None, None),
    ]
    assert [str(each.address) for each in found] == ["203.0.113.1", "None", "None"]


@pytest.mark.parametrize(
    ("name", "number"), [("outside", 1), ("gigabitethernet0/2", 1), ("Outside", 0), ("eth0", 0), (None, 3)]
)
def test_one_is_asked_for_by_its_name_or_its_nameif(name: str | None, number: int) -> None:
    assert len(interfaces(HARDWARE, {}, name).interfaces) == number


def test_what_a_file_goes_by() -> None:
    assert goes_by(HARDWARE) == "ASA Version 8.2(5)"
    assert goes_by(replace(HARDWARE, compatibility="asa-8.4")) == "compatibility asa-8.4"
    assert goes_by(Config()) == ""


def test_a_moment_keeps_its_zone() -> None:
    zone = timezone(timedelta(hours=-5), "EST")
    assert clock(datetime(2017, 4, 5, 18, 56, 48, 410_999, zone)) == ClockReport("2017-04-05T18:56:48.410-05:00", "EST")
