"""One direction of a connection: what has been read of it, what may go on, which packets wait.

Four offsets, never out of order, say it all::

    acknowledged  <=  decided  <=  next
         |               |           |  ... a gap ...  early packets
         |               |           the next octet to be read; all before it were seen exactly once, in order
         |               octets before this one may go on; from here to `next` their packets wait, undecided
         octets before this one are the peer's: they are not kept

Rules:

* An octet is read once, when all before it were. From then on its value is settled: a packet's payload is always
  taken from what is kept, so a retransmission carries what was released at first, whatever it brought (first data
  wins), and NULs below the acknowledged offset.
* A packet beyond a gap waits and is read, in order of offsets, the moment the gap fills. While it waits its receiver
  sends no duplicate ACK for it; a loss before the firewall is repaired by the sender's timers.
* After the FIN the stream has no more octets.
* Where nothing waits and everything is decided the stream is *straight*: a segment at exactly `straight_at` goes on as
  it came unless an inspector objects. That is nearly every segment there is.
* Behind TCP Intercept the receiver's numbers are not the sender's: SYNPROXY answered the client before the server
  did, and whoever is between adds a constant to the client's acknowledgments that nobody tells us. The first of them
  that cannot be the sender's own is taken for "nothing received yet": that is too much by what had been received
  then, so octets are kept a little longer, never let go too early.

Sources: design §2, rows 16 and 21.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from appliance.tcp.assembler import Assembler
from appliance.tcp.edits import Edits
from appliance.tcp.segment import FIN, Segment
from appliance.tcp.seq import to_offset, to_seq

#: How far beyond the next octet a packet may be: the largest window there is (RFC 7323 §2.3), in octets.
MAX_WINDOW = 1 << 30

#: Runs of octets that one acknowledgment without timestamps can tell of (RFC 2018 §3).
SACK_BLOCKS = 4

#: In the place of how many octets an acknowledgment frees: it is of octets that never went on.
BEYOND = -1

#: In the place of a sequence number: a segment of none goes straight on.
NOWHERE = -1

_by_start = attrgetter("start")


class Parcel:
    """A packet that waits: its handle, the offsets of its payload, when it arrived (ns)."""

    __slots__ = ("arrived", "end", "handle", "segment", "start")

    def __init__(self, handle: Any, segment: Segment, start: int, end: int, arrived: int) -> None:
        self.handle = handle
        self.segment = segment
        self.start = start
        self.end = end
        self.arrived = arrived

    @property
    def octets(self) -> int:
        """How long the payload is; of a bare FIN it is 0."""
        return self.end - self.start

    @property
    def behind(self) -> int:
        """The offset behind the packet: a FIN has one, too."""
        return self.end + (self.segment.flags & FIN)


class Stream:
    """One direction. `first` is the sequence number of offset 0; `fin` the offset of the FIN once it was read."""

    __slots__ = (
        "_held",
        "_proxied",
        "_shift",
        "_too_far",
        "acked",
        "decided",
        "early",
        "edits",
        "fin",
        "first",
        "given_up",
        "next",
        "stamp",
        "straight_at",
        "undecided",
        "window",
    )

    def __init__(self, first: int, proxied: bool = False) -> None:
        """`proxied`: its receiver may count from another number than its sender."""
        self.first = first
        self._proxied = proxied
        self._shift = 0  # at least what the receiver's numbers are ahead of the sender's
        self._too_far = 0  # by how much `_shift` is more than that, at most
        self.acked: int | None = None  # the highest acknowledgment number looked at
        self.window = 0  # what the receiver offered when `acked` was looked at
        self.next = 0
        self.straight_at = first  # the sequence number; NOWHERE where the stream is not straight, or may not be
        self.decided = 0
        self.fin: int | None = None
        self.stamp: int | None = None  # the timestamp of what went on last when a gap was filled
        self.given_up = 0  # what is before this offset, and not acknowledged, is not kept all the same
        self.edits = Edits()
        self.early: list[Parcel] = []  # beyond a gap, by offset, then by arrival
        self.undecided: list[Parcel] = []  # read, not decided, by arrival
        self._held: Assembler | None = None  # the offsets of `early`; None: to be made of it when needed

    def acknowledge(self, ack: int) -> int:
        """The peer sent this acknowledgment number. How many octets need not be kept any more.

        What was never let go should not have been received: of a number beyond that, BEYOND. But a FIN right behind
        all of it may have gone on unseen, and has a number (decision 14).
        """
        if ack == self.straight_at and not self._shift:  # the receiver has it all
            self.acked = ack
            return self.edits.forget()
        before, self.acked = self.acked, ack
        offset = self._offset(ack)
        end = self.gone
        most = end + (self.fin is None and self.decided == self.next)
        if self._proxied:
            if before is None and not 0 <= offset <= most:
                self._shift, offset, self._too_far = ack - self.first, 0, end
            elif 0 <= offset <= most:
                self._too_far = min(self._too_far, max(0, end - offset))
        if offset > most:
            self.acked = before
            return BEYOND
        if before is not None and offset < self._offset(before) <= most:  # of an older packet: it takes nothing back
            self.acked = before
        return self.edits.acknowledge(min(offset, self.decided))

    def give_up(self) -> int:
        """Let go of all that may go on, though nobody said that it arrived. How many octets that were."""
        self.given_up = min([self.decided, *(each.start for each in self.undecided)])
        return self.edits.acknowledge(self.given_up)

    def misses(self, start: int, end: int) -> bool:
        """Whether octets from `start` to before `end` were given up, and nobody has said since that they arrived."""
        arrived = 0 if self.acked is None else self._offset(self.acked)
        return max(start, arrived) < min(end, self.given_up)

    def overtaken(self, ack: int) -> bool:
        """Whether `ack` is of octets that never went on; a FIN alone may have passed unseen (decision 14)."""
        return to_offset(ack, self.first, self.decided) > self.decided + 1

    def _offset(self, ack: int) -> int:
        """The offset that an acknowledgment number stands for."""
        return to_offset(ack - self._shift, self.first, self.decided)

    def straighten(self) -> None:
        """Find out where it is straight."""
        straight = self.decided == self.next and self.fin is None and not self.early
        self.straight_at = to_seq(self.next, self.first) if straight else NOWHERE

    @property
    def gone(self) -> int:
        """How far the stream may have gone on, the FIN's own number included."""
        return self.decided + (self.fin == self.decided)

    def beyond_end(self, end: int, fin: bool) -> bool:
        """Whether a segment ending at `end` contradicts the end: octets behind the FIN, or a FIN before octets."""
        if self.fin is None:
            return fin and end < self.next
        return end > self.fin or (fin and end < self.fin)

    @property
    def expected_seq(self) -> int:
        """The sequence number its receiver expects next, as that counts."""
        return to_seq(self.gone + self._shift - self._too_far, self.first)

    def expects(self, start: int) -> bool:
        """Whether an RST at offset `start` is at the next expected octet: the receiver's, or the sender's own."""
        return start == self.decided or start == self.next + (self.fin is not None)

    def hold(self, parcel: Parcel) -> bool:
        """Keep a packet that is beyond a gap; False if it has nothing that is not waiting already."""
        if not self.lacks(parcel):
            return False
        self._spans().add(parcel.start, parcel.behind)
        insort(self.early, parcel, key=_by_start)
        return True

    def lacks(self, parcel: Parcel) -> bool:
        """Whether a packet that is beyond a gap has anything that is not waiting already."""
        return not self._spans().holds(parcel.start, parcel.behind)

    def _spans(self) -> Assembler:
        """The offsets of `early`."""
        if self._held is None:
            self._held = Assembler()
            for each in self.early:
                self._held.add(each.start, each.behind)
        return self._held

    def runs_around(self, offsets: Iterable[int]) -> list[tuple[tuple[int, int], ...]]:
        """Runs of early octets by their sequence numbers, those around `offsets` first, in pieces of SACK_BLOCKS.

        None if none of `offsets` waits.
        """
        runs = self._held.around(offsets, SACK_BLOCKS) if self._held is not None else []
        told = [(to_seq(start, self.first), to_seq(end, self.first)) for start, end in runs]
        return [tuple(told[at : at + SACK_BLOCKS]) for at in range(0, len(told), SACK_BLOCKS)]

    def take_ready(self) -> Parcel | None:
        """The first early packet, if the gap before it is filled; it does not wait any more."""
        if not self.early or self.early[0].start > self.next:
            return None
        parcel = self.early.pop(0)
        if self._held is not None and self.early:
            self._held.pass_by(self.early[0].start)
        else:
            self._held = None
        return parcel

    def take_decided(self) -> Parcel | None:
        """The first packet whose octets have been decided; it does not wait any more."""
        for at, parcel in enumerate(self.undecided):
            if parcel.end <= self.decided:
                return self.undecided.pop(at)
        return None

    def take(self, parcel: Parcel) -> None:
        """A packet that waits does not any more. Its octets are new again, though others may have them too."""
        if parcel in self.undecided:
            self.undecided.remove(parcel)
            return
        del self.early[self.early.index(parcel, bisect_left(self.early, parcel.start, key=_by_start))]
        if self._held is not None:
            self._held.remove(parcel.start, parcel.behind)

    def take_all(self) -> list[Parcel]:
        """Every packet that waits, those to be decided first; none does any more."""
        taken = [*self.undecided, *self.early]
        self.undecided.clear()
        self.early.clear()
        self._held = None
        return taken

    def append(self, octets: bytes) -> None:
        """The octets from `next` on are read."""
        self.straight_at = NOWHERE  # until they are decided
        self.edits.append(octets)
        self.next += len(octets)

    def mask(self, start: int, octets: bytes) -> None:
        """Write `octets` over the stream; ValueError if some of it has been decided before."""
        if start < self.decided:
            raise ValueError(f"offset {start} is decided, {self.decided} is not")
        self.edits.write(start, octets)

    def rejuvenated(self, segment: Segment) -> Segment:
        """A segment that fills a gap, or waited behind it, no older than what its receiver may have had by then.

        It would be taken for one of another time, and dropped (PAWS, RFC 7323 §5): what waited goes on behind the later
        one that filled the gap, and a late one behind what was sent after it.
        """
        segment = segment.not_older_than(self.stamp)
        self.stamp = segment.timestamp
        return segment

    def released(self, segment: Segment, start: int, end: int) -> Segment:
        """`segment` as it may go on: its payload, which is at `start` to before `end`, is what was released there."""
        return segment.with_payload(self.edits.read(start, end))
