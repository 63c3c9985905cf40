"""Which connections, hosts and translations a command means, in ASA's words (asa.md §3.4, §3.6, §3.7).

``address A[-B] [netmask M] port P[-Q] protocol tcp state up,data_in`` with two addresses and two ports at most, one
for each end; ``A[-B] connection tcp N[-M]``; ``global A[-B] local A[-B] interface IFC``. Words come in pairs: a
keyword and its value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import TypeVar

from appliance.cli.call import UsageError, unknown
from appliance.config.names import TCP_PORTS
from appliance.show import AddressRange, HostsWanted, PortRange, Progress, TranslationsWanted, Wanted

T = TypeVar("T")

#: Of each kind, one for each end of a connection.
_ENDS = 2
#: By name or number; whether it is the one of which there are entries.
_PROTOCOLS = {"tcp": True, "6": True, "udp": False, "17": False}


def wanted(command: str, words: Sequence[str], instead: Sequence[str] = ()) -> Wanted:
    """What `words`, the operands of `command`, ask for; UsageError for what is no such thing.

    `instead` could have stood in the place of the first.
    """
    return _read(command, words, Wanted(), _CONNECTIONS, instead)


def translations_wanted(command: str, words: Sequence[str], instead: Sequence[str] = ()) -> TranslationsWanted:
    """Likewise, of translations."""
    return _read(command, words, TranslationsWanted(), _TRANSLATIONS, instead)


def hosts_wanted(command: str, words: Sequence[str], instead: Sequence[str] = ()) -> HostsWanted:
    """Likewise, of hosts: an address stands first, without a keyword, and ``connection`` before ``tcp``."""
    alone = words[:1] if words[:1] and words[0].lower() != _CONNECTION else ()
    found, rest = HostsWanted(addresses(command, alone, (*instead, _CONNECTION))), words[len(alone) :]
    if not rest:
        return found
    if rest[0].lower() != _CONNECTION:
        raise unknown(command, rest[0], (_CONNECTION,))
    if len(rest) == 1:
        raise UsageError(f"{command}: {_CONNECTION}: incomplete command")
    return _read(f"{command}: {_CONNECTION}", rest[1:], found, _HOSTS)


_CONNECTION = "connection"


def addresses(command: str, words: Sequence[str], instead: Sequence[str] = ()) -> AddressRange | None:
    """Likewise, of one address or range, if there is one."""
    if not words:
        return None
    if not words[0][:1].isdigit():
        raise unknown(command, words[0], ("an address", *instead))
    try:
        return address_range(words[0])
    except ValueError as error:
        raise UsageError(f"{command}: {error}: {words[0]}") from None


def _read(
    command: str,
    words: Sequence[str],
    found: T,
    readers: Mapping[str, Callable[[T, str], T]],
    instead: Sequence[str] = (),
) -> T:
    rest = iter(words)
    for word in rest:
        reader = readers.get(word.lower())
        if reader is None:
            raise unknown(command, word, (*instead, *readers))
        instead = ()
        value = next(rest, None)
        if value is None:
            raise UsageError(f"{command}: {word}: incomplete command")
        try:
            found = reader(found, value)
        except ValueError as error:
            raise UsageError(f"{command}: {word}: {error}: {value}") from None
    return found


def address_range(text: str) -> AddressRange:
    """``A`` or ``A-B``; ValueError, without the text, for another."""
    if "/" in text:
        raise ValueError("a range is written A-B, not with a slash")
    first, dash, last = text.partition("-")
    try:
        found = AddressRange(IPv4Address(first), IPv4Address(last if dash else first))
    except AddressValueError:
        raise ValueError("neither an address nor a range of them") from None
    if found.last < found.first:
        raise ValueError("the range ends before it begins")
    return found


def port_range(text: str) -> PortRange:
    """``P`` or ``P-Q``; ValueError, without the text, for another."""
    text = text.lower()
    if text in TCP_PORTS:  # some have a dash in them
        return PortRange(TCP_PORTS[text], TCP_PORTS[text])
    first, dash, last = text.partition("-")
    found = PortRange(_port(first), _port(last if dash else first))
    if found.last < found.first:
        raise ValueError("the range ends before it begins")
    return found


def _port(text: str) -> int:
    if text in TCP_PORTS:
        return TCP_PORTS[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise ValueError("neither a port nor a range of them")
    return int(text)


def _address(found: Wanted, value: str) -> Wanted:
    if len(found.addresses) == _ENDS:
        raise ValueError("a connection has two ends")
    return replace(found, addresses=(*found.addresses, address_range(value)))


def _netmask(found: Wanted, value: str) -> Wanted:
    if not found.addresses:
        raise ValueError("behind an address only")
    *others, last = found.addresses
    try:
        network = IPv4Network(f"{last.first}/{IPv4Address(value)}", strict=False)
    except (AddressValueError, NetmaskValueError):
        raise ValueError("not a mask") from None
    return replace(found, addresses=(*others, AddressRange(network[0], network[-1])))


def _ports(found: Wanted, value: str) -> Wanted:
    if len(found.ports) == _ENDS:
        raise ValueError("a connection has two ends")
    return replace(found, ports=(*found.ports, port_range(value)))


def _protocol(found: Wanted, value: str) -> Wanted:
    if value.lower() not in _PROTOCOLS:
        raise ValueError("neither tcp nor udp")
    return replace(found, tcp=_PROTOCOLS[value.lower()])


def _states(found: Wanted, value: str) -> Wanted:
    return replace(found, states=tuple(_progress(each) for each in value.split(",")))


def _progress(word: str) -> Progress:
    known = {each.value: each for each in Progress}
    if word.lower() not in known:
        raise ValueError(f"states are {', '.join(known)}")
    return known[word.lower()]


_CONNECTIONS: Mapping[str, Callable[[Wanted, str], Wanted]] = {
    "address": _address,
    "netmask": _netmask,
    "port": _ports,
    "protocol": _protocol,
    "state": _states,
}


def _interface(found: TranslationsWanted, value: str) -> TranslationsWanted:
    return replace(found, interfaces=tuple(value.split(",")))


_TRANSLATIONS: Mapping[str, Callable[[TranslationsWanted, str], TranslationsWanted]] = {
    "global": lambda found, value: replace(found, mapped=address_range(value)),
    "local": lambda found, value: replace(found, real=address_range(value)),
    "interface": _interface,
}


def _numbers(text: str) -> range:
    """``N``, which is at least N, or ``N-M``."""
    first, dash, last = text.partition("-")
    if not all(each.isascii() and each.isdigit() and len(each) <= 7 for each in ((first, last) if dash else (first,))):
        raise ValueError("neither a number nor a range of them")
    return range(int(first), int(last) + 1 if dash else _ANY_NUMBER)


_ANY_NUMBER = 1 << 31

_HOSTS: Mapping[str, Callable[[HostsWanted, str], HostsWanted]] = {
    "tcp": lambda found, value: replace(found, connections=_numbers(value)),
    "embryonic": lambda found, value: replace(found, embryonic=_numbers(value)),
}
