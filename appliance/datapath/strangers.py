"""Connections nobody here knows, by what comes of their two ends.

A stranger is reset, and an RST counts only at exactly the number its receiver expects (RFC 9293 §3.10.7.4); a client
that is not hit waits for minutes before it tries again. What an end expects it says itself in whatever it sends, so a
client that sends is known at once. Of one that waits it is known by what its server sends: who gets no acknowledgment
sends again from its oldest octet that has none, and that is where its peer stands. What comes for the third time, and
is the oldest that came, is that octet. The second time would not do: before its timer runs out a sender repeats its
last segment once (RFC 8985 §7).
"""

from __future__ import annotations

from collections import OrderedDict

from appliance.tcp.connection import reverse
from appliance.tcp.segment import Segment
from appliance.tcp.seq import to_offset

#: How often the oldest octet has come when it is believed to be the oldest.
SIGHTS = 3
#: Servers' ends that are remembered; beyond, the one longest unheard is forgotten.
LIMIT = 4_096


class Strangers:
    """By a server's key: the lowest sequence number that came of it, how often it did, and its last acknowledgment."""

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        # ordered: a dict whose front was deleted takes long to find its first
        self._heard: OrderedDict[bytes, tuple[int, int, int]] = OrderedDict()

    def server_expects(self, segment: Segment) -> int:
        """The number that the receiver of a client's `segment` expects: what it said, else where the segment is."""
        return self._heard.pop(reverse(segment.key), (0, 0, segment.seq))[2]

    def client_expects(self, segment: Segment) -> int | None:
        """The number that the receiver of a server's `segment` expects, None if it is not known yet."""
        key, seq = segment.key, segment.seq
        oldest, sights, _ = self._heard.pop(key, (seq, 0, 0))
        ahead = to_offset(seq, oldest, 0)
        if ahead < 0:
            oldest, sights = seq, 0
        sights += ahead <= 0
        if sights >= SIGHTS:
            return oldest
        if len(self._heard) >= LIMIT:
            del self._heard[next(iter(self._heard))]
        self._heard[key] = oldest, sights, segment.ack
        return None
