"""Our values as plain data, and back: what crosses between processes, and what ``| json`` prints.

A dataclass is an object with its fields by name, an enumeration its value, an address its text. Reading is driven
by the types the dataclass states, and takes exactly what writing makes: whatever else arrives is a `PlainError`.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from ipaddress import AddressValueError, IPv4Address
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

#: Numbers on both sides of what a counter of the kernel holds: 64 bits.
_LARGEST = (1 << 64) - 1

#: What is the same in JSON.
_AS_THEY_ARE = (type(None), bool, int, str)
#: Addresses, and texts of them, that are remembered: a listing says the same ones again and again.
_ADDRESSES = 16_384

T = TypeVar("T")


class PlainError(ValueError):
    """The data is not what the type says; the text names the place."""


def to_plain(value: Any) -> Any:
    """`value` as JSON's types. TypeError for what has no such form: a programming error."""
    kind: Any = type(value)
    return _writer(kind)(value)


@cache
def _writer(kind: type) -> Callable[[Any], Any]:
    """What writes a `kind`: worked out once, because a listing has a million values."""
    if issubclass(kind, enum.Enum):
        return lambda value: value.value
    if kind in _AS_THEY_ARE:
        return lambda value: value
    if kind is bytes:
        return lambda value: value.decode("latin-1")
    if issubclass(kind, IPv4Address):
        return lambda value: _address_text(int(value))
    if issubclass(kind, tuple):
        return lambda value: [to_plain(each) for each in value]
    if issubclass(kind, Mapping):
        return lambda value: {key: to_plain(each) for key, each in value.items()}
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        written = tuple((each.name, hints[each.name] in _AS_THEY_ARE) for each in fields(kind))
        return lambda value: {
            name: getattr(value, name) if as_it_is else to_plain(getattr(value, name)) for name, as_it_is in written
        }
    raise TypeError(f"no plain form: {kind.__name__}")


def from_plain(kind: type[T], data: Any) -> T:
    """The `kind` that `data` tells; PlainError if it tells none."""
    hashable: Any = kind
    made: T = _reader(hashable)(data)
    return made


@cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    """What reads a `kind`."""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if isinstance(kind, UnionType):
        return _optional(*(each for each in get_args(kind) if each is not type(None)))
    match get_origin(kind):
        case origin if origin is tuple:
            return _tuple(*get_args(kind))
        case origin if isinstance(origin, type) and issubclass(origin, Mapping):
            return _mapping(*get_args(kind))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _enumeration(kind)
    if is_dataclass(kind):
        return _dataclass(kind)
    raise TypeError(f"no plain form: {kind}")


def _dataclass(kind: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(kind)
    readers = {each.name: _reader(hints[each.name]) for each in fields(kind)}

    def read(data: Any) -> Any:
        if not isinstance(data, dict) or data.keys() != readers.keys():
            raise PlainError(f"{kind.__name__} has other fields")
        values = {}
        for name, reader in readers.items():
            try:
                values[name] = reader(data[name])
            except PlainError as error:
                raise PlainError(f"{kind.__name__}.{name}: {error}") from None
        return kind(**values)

    return read


def _optional(kind: Any) -> Callable[[Any], Any]:
    """The only unions there are: a type or None."""
    reader = _reader(kind)
    return lambda data: None if data is None else reader(data)


def _tuple(kind: Any, rest: Any) -> Callable[[Any], Any]:
    if rest is not ...:
        raise TypeError("only tuples of one type have a plain form")
    reader = _reader(kind)

    def read(data: Any) -> Any:
        if not isinstance(data, list):
            raise PlainError("not a list")
        return tuple(reader(each) for each in data)

    return read


def _mapping(key: Any, kind: Any) -> Callable[[Any], Any]:
    if key is not str:
        raise TypeError("only mappings of texts have a plain form")
    reader = _reader(kind)

    def read(data: Any) -> Any:
        if not isinstance(data, dict):
            raise PlainError("not an object")
        return {_text(name): reader(each) for name, each in data.items()}

    return read


def _enumeration(kind: type[enum.Enum]) -> Callable[[Any], Any]:
    members = {(type(each.value), each.value): each for each in kind}

    def read(data: Any) -> Any:
        try:
            return members[type(data), data]
        except (KeyError, TypeError):
            raise PlainError(f"no such {kind.__name__}") from None

    return read


def _number(data: Any) -> int:
    if type(data) is not int or not -_LARGEST <= data <= _LARGEST:
        raise PlainError("not a number of 64 bits")
    return data


def _truth(data: Any) -> bool:
    if type(data) is not bool:
        raise PlainError("neither true nor false")
    return data


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise PlainError("not a text")
    return data


def _octets(data: Any) -> bytes:
    try:
        return _text(data).encode("latin-1")
    except UnicodeEncodeError:
        raise PlainError("not octets") from None


def _address(data: Any) -> IPv4Address:
    try:
        return _address_of(_text(data))
    except AddressValueError:
        raise PlainError("not an address") from None


_address_of = lru_cache(_ADDRESSES)(IPv4Address)


@lru_cache(_ADDRESSES)
def _address_text(number: int) -> str:
    return str(IPv4Address(number))


_SIMPLE: Mapping[Any, Callable[[Any], Any]] = {
    int: _number,
    bool: _truth,
    str: _text,
    bytes: _octets,
    IPv4Address: _address,
}
