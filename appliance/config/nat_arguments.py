"""Arguments of address translation: between which interfaces, and what ends a statement (asa.md §5.1, §5.2)."""

from __future__ import annotations

import re
from typing import Any

from appliance.config import traffic
from appliance.config.cursor import Cursor, Kind, Reference, Rejected, decimal, number
from appliance.config.nat import ANYWHERE, Trailer
from appliance.config.words import any_name, text_to_end
from appliance.nat.translation import PortMap

_INTERFACE = re.compile(r"\([ \t]*([!-'*+\--~]+)[ \t]*\)")  # a name without parenthesis and comma
_INTERFACES = re.compile(r"\([ \t]*([!-~]+?)[ \t]*,[ \t]*([!-~]+?)[ \t]*\)")
_NAT_OPTIONS = ("dns", "net-to-net", "no-proxy-arp", "route-lookup", "unidirectional", "inactive")


def interfaces(cursor: Cursor) -> tuple[str, str]:
    """``(real_ifc,mapped_ifc)``"""
    word = cursor.take()
    found = _INTERFACES.fullmatch(word.text)
    if found is None:
        raise Rejected(word.column)
    for group in (1, 2):
        column = word.column + found.start(group)
        cursor.references.append(Reference(Kind.NAMEIF, found.group(group), cursor.line, column))
    return found.group(1), found.group(2)


def any_interfaces(cursor: Cursor) -> tuple[str, str]:
    """The same as `interfaces`; ``any`` may stand for either."""
    known = len(cursor.references)
    found = interfaces(cursor)
    cursor.references[known:] = [each for each in cursor.references[known:] if each.name != ANYWHERE]
    return found


def in_brackets(cursor: Cursor) -> str:
    """``(inside)``"""
    word = cursor.take()
    found = _INTERFACE.fullmatch(word.text)
    if found is None:
        raise Rejected(word.column)
    name = found.group(1)
    cursor.references.append(Reference(Kind.NAMEIF, name, cursor.line, word.column + found.start(1)))
    return name


def place(cursor: Cursor) -> str:
    """An object or a group of addresses by name, or ``any``."""
    word = cursor.peek()
    name = str(any_name(cursor))
    if name == ANYWHERE or word is None:
        return name
    return cursor.name(Kind.PLACE, word)


def trailer(cursor: Cursor) -> Trailer:
    """``dns norandomseq tcp MAX EMBRYONIC udp MAX`` in any order; without ``tcp``, PIX 6's."""
    found: dict[str, Any] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        text = word.text.lower()
        if text in found or (text != "udp" and text.isdigit() and "tcp" in found):
            raise Rejected(word.column)
        match text:
            case "dns" | "norandomseq":
                found[text] = True
            case "udp":
                found["udp"] = number(0, 65535)(cursor)
            case _:
                if text != "tcp":
                    cursor.at -= 1
                found["tcp"] = number(0, 65535)(cursor)
                following = cursor.peek()
                if following is not None and decimal(following.text) is not None:
                    found["embryonic"] = number(0, 65536)(cursor)
    return Trailer(**found)


#: How a `pat-pool` gives its addresses and ports.
PAT_WORDS = ("round-robin", "extended", "flat", "include-reserve", "block-allocation")


def pat_options(cursor: Cursor) -> tuple[str, ...]:
    """What stands behind a `pat-pool`: one word of `PAT_WORDS` at least."""
    words: dict[str, None] = {}
    while (word := cursor.peek()) is not None and word.text.lower() in PAT_WORDS and word.text.lower() not in words:
        words[cursor.take().text.lower()] = None
    if not words:
        raise Rejected(cursor.take().column)
    return tuple(words)


def nat_options(cursor: Cursor) -> dict[str, Any]:
    """What a `nat` of 8.3 ends with; ``service tcp REAL MAPPED`` among it."""
    words: dict[str, None] = {}
    found: dict[str, Any] = {}
    while cursor.peek() is not None:
        word = cursor.take()
        text = word.text.lower()
        if text in _NAT_OPTIONS and text not in words:
            words[text] = None
        elif text == "service" and not found:
            found |= _nat_service(cursor)
        elif text == "description":
            found["description"] = text_to_end(cursor)
        else:
            raise Rejected(word.column)
    return {"words": tuple(words), **found}


def _nat_service(cursor: Cursor) -> dict[str, Any]:
    protocol = cursor.take().text.lower()
    if protocol not in ("tcp", "udp"):
        cursor.at -= 1
        return {"services": (cursor.name(Kind.SERVICE, cursor.take()), cursor.name(Kind.SERVICE, cursor.take()))}
    port = traffic.port(protocol)
    return {"ports": PortMap(protocol, port(cursor), port(cursor))}
