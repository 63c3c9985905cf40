"""Files made to exhaust what reads them: each ends, with an error or without, and what it may come to is bounded."""

from __future__ import annotations

import pytest

from appliance.config.diagnostics import Severity
from appliance.config.lexer import FILE_OCTETS
from appliance.config.load import load
from appliance.config.statics import STATICS
from appliance.config.verify import DEEPEST

BETWEEN = "interface a\n nameif inside\ninterface b\n nameif outside\n"


def errors(text: str | bytes) -> list[str]:
    return [each.message for each in load(text).diagnostics if each.severity is Severity.ERROR]


def nested(depth: int) -> str:
    """Groups of which each holds the next."""
    held = "".join(f"object-group network g{n}\n group-object g{n + 1}\n" for n in range(depth - 1))
    return f"{held}object-group network g{depth - 1}\n network-object host 192.0.2.25\n"


def members(count: int) -> str:
    hosts = "".join(f" network-object host 10.0.{n >> 8}.{n & 255}\n" for n in range(count))
    return f"object-group network g\n{hosts}"


def test_ten_megabytes_are_refused_unread() -> None:
    assert errors(b"hostname x\n" * 1_000_000) == [f"ERROR: the file is larger than {FILE_OCTETS} octets"]


def test_groups_nest_so_deep_and_no_deeper() -> None:
    assert errors(nested(DEEPEST)) == []
    assert errors(nested(DEEPEST + 1)) == [f"ERROR: object-group g0: groups nest more than {DEEPEST} deep"]
    assert [each for each in errors(nested(20_000)) if "nest more than" in each], "and nobody's stack is as deep"


@pytest.mark.parametrize("length", [1, 2, 5000])
def test_a_group_that_holds_itself_is_refused(length: int) -> None:
    circle = "".join(f"object-group network g{n}\n group-object g{(n + 1) % length}\n" for n in range(length))
    assert errors(circle) == [f"ERROR: object-group g0 holds itself by way of g{length - 1}"]


def test_groups_that_hold_each_other_many_times_over_are_opened_once() -> None:
    def pair(n: int) -> str:
        both = f" group-object a{n + 1}\n group-object b{n + 1}\n"
        return f"object-group network a{n}\n{both}object-group network b{n}\n{both}"

    leaves = "".join(f"object-group network {each}{DEEPEST - 1}\n network-object host 192.0.2.25\n" for each in "ab")
    text = "".join(map(pair, range(DEEPEST - 1))) + leaves
    assert errors(f"{text}access-list x permit ip object-group a0 object-group b0\n") == []


def test_a_product_of_groups_is_refused_at_its_entry() -> None:
    entry = "access-list x permit ip object-group g object-group g\n"
    assert errors(members(100) + entry) == []
    (found,) = (each for each in load(members(1000) + entry).diagnostics if each.severity is Severity.ERROR)
    assert found.place.line == 1002
    assert "elements" in found.message


def test_translated_hosts_are_counted_not_made() -> None:
    networks = "".join(
        f"static (inside,outside) 10.{n >> 8}.{n & 255}.0 11.{n >> 8}.{n & 255}.0 netmask 255.255.255.0\n"
        for n in range(5000)
    )
    assert errors(BETWEEN + networks) == [f"ERROR: at most {STATICS} hosts are translated by statics"]


def test_a_long_file_of_entries_is_read_as_it_is() -> None:
    lines = [f"access-list x permit tcp host 198.51.100.{n & 255} any eq {n + 1}" for n in range(20_000)]
    config = load("\n".join(lines)).config
    assert config is not None
    assert len(config.access_lists[0].entries) == 20_000


@pytest.mark.parametrize(
    "statement",
    [
        "nat (inside) 0 access-list x",
        "nat (inside) 1 access-list x\nglobal (outside) 1 interface",
        "static (inside,outside) 203.0.113.9 access-list x",
    ],
)
def test_lists_of_translations_that_come_to_too_much(statement: str) -> None:
    members = [[f" network-object host 10.{net}.{at // 250}.{at % 250}" for at in range(1_000)] for net in (0, 1)]
    groups = "".join(f"object-group network g{at}\n" + "\n".join(each) + "\n" for at, each in enumerate(members))
    interfaces = "interface E0\n nameif outside\ninterface E1\n nameif inside\n"
    listed = "access-list x permit ip object-group g0 object-group g1\n"
    loaded = load(f"{interfaces}{groups}{listed}{statement}\n")
    assert loaded.config is None
    assert "more than 200000 elements here" in loaded.diagnostics[-1].message
