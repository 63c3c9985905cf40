"""The startup configuration: read for this machine, each device that is missing said where it is named."""

from pathlib import Path

import pytest

from appliance.config.load import load
from appliance.daemon.startup import Startup, missing_devices

TEXT = """\
! two sides
interface Ethernet0/0
 nameif outside
 hardware lo
interface Ethernet0/1
 description hardware inside0 was here
 hardw inside0
 nameif inside
interface Ethernet0/2
 nameif dmz
interface Ethernet0/3
 nameif spare
 shutdown
interface Ethernet0/4
"""


def findings(text: str, *devices: str) -> list[tuple[int, int, str, str]]:
    config = load(text).config
    assert config is not None
    found = missing_devices(config, dict(enumerate(text.split("\n"), 1)), devices)
    return [(each.place.line, each.place.column, each.message, each.source) for each in found]


def test_each_missing_device_is_said_where_it_is_named() -> None:
    assert findings(TEXT, "lo") == [
        (7, 8, "ERROR: no such device: inside0 (see ip link)", " hardw inside0"),
        (
            9,
            1,
            'ERROR: interface Ethernet0/2 ("dmz") has no hardware: a Linux device must be named',
            "interface Ethernet0/2",
        ),
    ]


def test_what_has_no_name_or_is_shut_needs_no_device() -> None:
    assert findings(TEXT.replace(" nameif dmz\n", ""), "lo", "inside0") == []


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_is_refused_for_this_machine_that_is_none_elsewhere(tmp_path: Path, end: str) -> None:
    file = tmp_path / "box.cfg"
    file.write_bytes(TEXT.replace("inside0\n nameif", "nosuch0\n nameif").replace("\n", end).encode())
    loaded = Startup(file).load()
    assert loaded.config is None
    found = [(each.place.line, each.message.split(":")[0]) for each in loaded.diagnostics]
    assert found == [(7, "ERROR"), (9, "ERROR"), (11, "WARNING")]
    file.write_bytes(b"interface Ethernet0/0\n hardware lo\n nameif outside\n")
    assert Startup(file).load().config is not None


def test_a_bad_file_says_what_check_says(tmp_path: Path) -> None:
    file = tmp_path / "bad.cfg"
    file.write_text("interfce Ethernet0/0\n", encoding="ascii")
    assert Startup(file).load() == load(b"interfce Ethernet0/0\n")
