"""Values as plain data and back: what is written is read again, and nothing else is."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.plain import PlainError, from_plain, to_plain


class Colour(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


@dataclass(frozen=True)
class Inner:
    address: IPv4Address
    flag: bool


@dataclass(frozen=True)
class Outer:
    count: int
    name: str
    octets: bytes
    colour: Colour
    number: Number
    inner: tuple[Inner, ...]
    perhaps: Inner | None
    counts: Mapping[str, int]


INNERS = st.builds(Inner, st.ip_addresses(v=4), st.booleans())
OUTERS = st.builds(
    Outer,
    st.integers(1 - 2**64, 2**64 - 1),
    st.text(),
    st.binary(),
    st.just(Colour.RED),
    st.just(Number.ONE),
    st.lists(INNERS, max_size=3).map(tuple),
    st.none() | INNERS,
    st.dictionaries(st.text(), st.integers(0, 10), max_size=3),
)


@given(OUTERS)
def test_what_is_written_is_read_again(value: Outer) -> None:
    assert from_plain(Outer, json.loads(json.dumps(to_plain(value)))) == value


INNER = {"address": "192.0.2.25", "flag": True}
OUTER = to_plain(Outer(1, "a", b"b", Colour.RED, Number.ONE, (), None, {}))


def test_plain_form() -> None:
    assert OUTER == {
        "count": 1,
        "name": "a",
        "octets": "b",
        "colour": "red",
        "number": 1,
        "inner": [],
        "perhaps": None,
        "counts": {},
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": "1"}, "Outer.count: not a number"),
        ({"count": True}, "Outer.count: not a number"),
        ({"count": 1.0}, "Outer.count: not a number"),
        ({"count": 2**64}, "Outer.count: not a number"),
        ({"name": 1}, "Outer.name: not a text"),
        ({"octets": "\u0100"}, "Outer.octets: not octets"),
        ({"colour": "green"}, "Outer.colour: no such Colour"),
        ({"colour": []}, "Outer.colour: no such Colour"),
        ({"number": True}, "Outer.number: no such Number"),
        ({"inner": INNER}, "Outer.inner: not a list"),
        ({"inner": [INNER | {"flag": 1}]}, "Outer.inner: Inner.flag: neither true nor false"),
        ({"perhaps": INNER | {"address": "192.0.2"}}, "Outer.perhaps: Inner.address: not an address"),
        ({"perhaps": INNER | {"more": 1}}, "Outer.perhaps: Inner has other fields"),
        ({"perhaps": []}, "Outer.perhaps: Inner has other fields"),
        ({"counts": []}, "Outer.counts: not an object"),
        ({"counts": {"a": None}}, "Outer.counts: not a number"),
    ],
)
def test_anything_else_is_refused_with_its_place(change: dict, words: str) -> None:
    with pytest.raises(PlainError, match=words):
        from_plain(Outer, OUTER | change)


def test_what_has_no_plain_form_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        to_plain(object())
    with pytest.raises(TypeError):
        from_plain(tuple[int, str], [])
