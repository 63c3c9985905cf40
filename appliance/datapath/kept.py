"""The octets of a worker's connections that are kept until they are acknowledged: how many, and whose.

What comes again is answered from them, so new octets that find no room are dropped unread: TCP sends them again.

Rules:

* A connection may always keep its share; four times as much while all together keep little. What a sender has under
  way while a loss is repaired grows to its peer's window, and what finds no room here it sends again and again.
* What waited behind a gap was told to its sender: it finds the room it was promised, whatever is kept by then.
* At the worker's cap a few of those that are over give way, then one that has been quiet: the worker hears of few pure
  acknowledgments (design §2), so most of what that keeps has arrived long ago. If it has not, and comes again, the
  connection is reset. If nobody was quiet, one that was not gives way: packets do not hold the cap.
* What a dialogue keeps is never given up: all connections there may be keep no more of that than the cap.
* No call costs more because more connections keep octets.

Source: design §2, decision 20.
"""

from __future__ import annotations

from collections import OrderedDict

from appliance.datapath.inspected import Inspected
from appliance.tcp.stream import Stream

#: Octets a connection may keep, of both streams: its share, and at most.
SHARE, MAX_KEPT = 1 << 20, 4 << 20
#: Octets of all connections of a worker that may be kept. Beyond the first number each has its share and no more.
PLENTY, MAX_KEPT_IN_ALL = 64 << 20, 256 << 20
#: Octets of a stream that are never given up.
FEW = 1 << 10
#: Who has been quiet for so long (ns) gives way before others, of so many looked at; so many that are over do at once.
QUIET, LOOKS = 1_000_000_000, 16


class Kept:
    """What the connections of one worker keep. Who adds to `octets` adds to the connection's `kept`, too."""

    __slots__ = ("_lingering", "keeping", "octets")

    def __init__(self) -> None:
        self.octets = 0
        #: All that keep octets, or did, and when they began to or were last acknowledged any (ns)
        self.keeping: OrderedDict[Inspected, int] = OrderedDict()
        self._lingering: OrderedDict[Inspected, None] = OrderedDict()  # over by their FINs, and keep octets

    def keep(self, connection: Inspected, octets: int, now: int) -> None:
        """The connection keeps so many more."""
        if not connection.kept:
            self.keeping[connection] = now
        connection.kept += octets
        self.octets += octets

    def acknowledged(self, connection: Inspected, octets: int, now: int) -> None:
        """So many octets of the connection have arrived."""
        if octets:
            self.keeping[connection] = now
            self._keep_less(connection, octets)

    def _keep_less(self, connection: Inspected, octets: int) -> None:
        connection.kept -= octets
        self.octets -= octets
        if not connection.kept:
            self._lingering.pop(connection, None)

    def has_room(self, connection: Inspected, octets: int, promised: bool = False) -> bool:
        """Whether the connection may keep so many more, as far as it goes by what that one keeps."""
        most = MAX_KEPT if promised or self.octets < PLENTY else SHARE
        return connection.kept + octets <= most

    def is_full(self, octets: int) -> bool:
        """Whether there is no room for so many more of any connection."""
        return self.octets + octets > MAX_KEPT_IN_ALL

    def linger(self, connection: Inspected) -> None:
        """It is over, but its last octets may come again."""
        if connection.kept:
            self._lingering[connection] = None

    def longest_over(self) -> Inspected | None:
        """Of those that are over and keep octets, the one that has been for longest."""
        return next(iter(self._lingering), None)

    def quietest(self, but: Inspected, now: int) -> Inspected | None:
        """Of the next few that keep octets the one that gives way: first who is quiet.

        Then how many they are counts as much as how long ago any of them was acknowledged.
        """
        looked_at = [self._look_at_next() for _ in range(min(LOOKS, len(self.keeping)))]
        ages = {each: now - since for each, since in looked_at if each is not but and _gives(each)}
        return max(ages, key=lambda each: (now - each.last >= QUIET, each.kept * ages[each]), default=None)

    def give_up(self, connection: Inspected) -> None:
        """It keeps few octets that may go on, though nobody said that the others arrived."""
        for stream in _gives(connection):
            self._keep_less(connection, stream.give_up())

    def forget(self, connection: Inspected) -> None:
        """Nothing that it keeps is needed any more."""
        for stream in (connection.client, connection.server):
            stream.edits.forget()
        self.octets -= connection.kept
        connection.kept = 0
        self.keeping.pop(connection, None)
        self._lingering.pop(connection, None)

    def _look_at_next(self) -> tuple[Inspected, int]:
        """The next of those that keep octets; its turn comes again when all others had theirs."""
        connection, since = self.keeping.popitem(last=False)
        if connection.kept:
            self.keeping[connection] = since
        return connection, since


def _gives(connection: Inspected) -> list[Stream]:
    """Its streams that have octets to give up."""
    return [stream for stream in (connection.client, connection.server) if len(stream.edits) > FEW]
