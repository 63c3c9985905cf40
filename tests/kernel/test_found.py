"""The record of what was found: it survives, keeps first values, and refuses nonsense."""

from pathlib import Path

import pytest

from appliance.kernel.errors import KernelError
from appliance.kernel.found import Found, LinkDown, NoAddress, NoProxy, NoRoute, NoTable, Sysctl

EVERY_KIND = (
    Sysctl("net/ipv4/conf/outside0/forwarding", "0"),
    LinkDown("outside0"),
    NoAddress("outside0", "203.0.113.1/24"),
    NoRoute("203.0.113.125/32", "inside0", "", 0),
    NoProxy("203.0.113.125", "outside0"),
    NoTable("ip", "raw"),
)


def test_another_process_reads_what_this_one_noted(tmp_path: Path) -> None:
    mine = Found(tmp_path / "found.json")
    for change in EVERY_KIND:
        mine.note(change)
    assert Found(tmp_path / "found.json").changes == EVERY_KIND


def test_of_a_sysctl_the_first_value_stays(tmp_path: Path) -> None:
    """A run after kill -9 finds its predecessor's value, not the machine's."""
    Found(tmp_path / "found.json").note(Sysctl("net/ipv4/ip_forward", "0"))
    second = Found(tmp_path / "found.json")
    second.note(Sysctl("net/ipv4/ip_forward", "1"))
    assert second.changes == (Sysctl("net/ipv4/ip_forward", "0"),)


def test_nothing_is_noted_twice(tmp_path: Path) -> None:
    found = Found(tmp_path / "found.json")
    found.note(LinkDown("outside0"))
    found.note(LinkDown("outside0"))
    assert found.changes == (LinkDown("outside0"),)


def test_the_file_goes_with_the_last_change(tmp_path: Path) -> None:
    found = Found(tmp_path / "found.json")
    found.note(LinkDown("outside0"))
    assert list(tmp_path.iterdir()) == [tmp_path / "found.json"]
    found.forget(LinkDown("outside0"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"kind": "Sysctl"}]', '[{"kind": "Horse"}]', '{"kind": "Sysctl"}'])
def test_a_file_that_is_no_record_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "found.json").write_text(text)
    with pytest.raises(KernelError, match=r"found\.json is not a record of what was found") as refused:
        Found(tmp_path / "found.json")
    assert "\n" not in str(refused.value)


def test_a_record_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match=r"cannot write .*found\.json"):
        Found(tmp_path / "absent" / "found.json").note(LinkDown("outside0"))
