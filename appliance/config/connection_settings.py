"""Arguments about the life of connections: times, and the limits and timeouts of classes (asa.md §5.3, §6.6)."""

from __future__ import annotations

import re

from appliance.config.cursor import Argument, Cursor, Rejected, number
from appliance.config.names import NEVER
from appliance.config.words import one_of

_CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2})", re.ASCII)
#: What ``timeout`` sets and the least it takes, in seconds (asa.md §5.3, §6.6); ``embryonic`` here is ours.
TIMEOUTS = {"xlate": 60, "conn": 300, "half-closed": 30, "udp": 60, "icmp": 2, "embryonic": 5}
#: Those that may be none at all.
ENDLESS = ("conn", "half-closed", "udp")
#: What it sets besides, and a word that may stand behind the time.
OTHER_TIMEOUTS = {
    **dict.fromkeys(("conn-holddown", "floating-conn", "h225", "h323", "mgcp", "mgcp-pat", "pat-xlate"), ""),
    **dict.fromkeys(("rpc", "sctp", "sip", "sip-disconnect", "sip-invite", "sip-provisional-media", "sip_media"), ""),
    **dict.fromkeys(("sunrpc", "tcp-proxy-reassembly"), ""),
    "igp stale-route": "",
    "uauth": " absolute",
}
#: What ``set connection`` limits, and to what at most (asa.md §5.3).
LIMITS = ("conn-max", "embryonic-conn-max", "per-client-max", "per-client-embryonic-max")
MOST_CONNECTIONS = 2_000_000
#: The timeouts of a class and the least each takes, in seconds; ``tcp`` is what 7.x calls ``idle``.
CLASS_TIMEOUTS = {"embryonic": 5, "half-closed": 30, "idle": 300}
#: What ``set connection`` says besides, which is kept and not acted on.
_OTHER_LIMITS: dict[str, Argument] = {
    "random-sequence-number": lambda cursor: one_of(cursor, "enable", "disable"),
    "syn-cookie-mss": lambda cursor: str(number(48, 65535)(cursor)),
}


def _clock(cursor: Cursor) -> int:
    """``h:mm:ss`` in seconds, up to ASA's 1193:00:00; ``0`` is none of them."""
    word = cursor.take()
    if word.text == "0":
        return 0
    found = _CLOCK.fullmatch(word.text)
    if found is None:
        raise Rejected(word.column)
    hours, minutes, seconds = (int(each) for each in found.groups())
    if hours > 1193 or minutes > 59 or seconds > 59:
        raise Rejected(word.column)
    return hours * 3600 + minutes * 60 + seconds


def _lasting(cursor: Cursor, least: int, endless: bool = True) -> int:
    """A time of `least` seconds or more; 0, of what may be `endless`, is `NEVER`."""
    column = cursor.column
    found = _clock(cursor)
    if found < least and (found or not endless):
        raise Rejected(column)
    return found or NEVER


def connection_limits(cursor: Cursor) -> dict[str, int | str]:
    """``conn-max 50 per-client-max 5``: pairs up to the line's end, at least one, in any order; others as words."""
    found: dict[str, int | str] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        name = word.text.lower()
        if name in LIMITS:
            found[name] = number(0, MOST_CONNECTIONS)(cursor)
        elif name in _OTHER_LIMITS:
            found[name] = _OTHER_LIMITS[name](cursor)
        else:
            raise Rejected(word.column)
    return found


def _probes(cursor: Cursor) -> str:
    """Behind ``dcd``: ``[RETRY-INTERVAL [MAX-RETRIES]]``, as written."""
    start = cursor.at
    following = cursor.peek()
    if following is not None and _CLOCK.fullmatch(following.text):
        _clock(cursor)
        retries = cursor.peek()
        if retries is not None and retries.text.isdigit():
            number(1, 255)(cursor)
    return " ".join(each.text for each in cursor.line.words[start : cursor.at])


def class_timeouts(cursor: Cursor) -> dict[str, int | str]:
    """``embryonic 0:00:20 idle 2:00:00 reset``: pairs up to the line's end; ``reset`` is 1 behind ``idle``; ``dcd``."""
    found: dict[str, int | str] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        name = "idle" if word.text.lower() == "tcp" else word.text.lower()
        if name == "dcd":
            found[name] = _probes(cursor)
            continue
        if name not in CLASS_TIMEOUTS:
            raise Rejected(word.column)
        found[name] = _lasting(cursor, CLASS_TIMEOUTS[name])
        following = cursor.peek()
        if name == "idle":
            reset = int(following is not None and following.text.lower() == "reset")
            found["reset"] = reset
            cursor.at += reset
    return found


def timeouts(cursor: Cursor) -> dict[str, int]:
    """``conn 1:00:00 half-closed 0:10:00``: pairs up to the line's end, at least one, in any order."""
    found: dict[str, int] = {}
    while not found or cursor.peek() is not None:
        word = cursor.take()
        name = word.text.lower()
        if name == "igp":
            name = f"igp {cursor.take().text.lower()}"
        if name not in TIMEOUTS and name not in OTHER_TIMEOUTS:
            raise Rejected(word.column)
        least = TIMEOUTS.get(name)
        found[name] = _clock(cursor) if least is None else _lasting(cursor, least, name in ENDLESS)
        following = cursor.peek()
        if name == "uauth" and following is not None and following.text.lower() in ("absolute", "inactivity"):
            cursor.at += 1
    return found


def timeout_names(cursor: Cursor) -> tuple[str, ...]:
    """The same behind ``no``, with the times or without."""
    found: list[str] = []
    while not found or cursor.peek() is not None:
        word = cursor.take()
        if word.text.lower() in TIMEOUTS or word.text.lower() in OTHER_TIMEOUTS:
            found.append(word.text.lower())
        elif not found or not (word.text == "0" or _CLOCK.fullmatch(word.text)):
            raise Rejected(word.column)
    return tuple(found)
