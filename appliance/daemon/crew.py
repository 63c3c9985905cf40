"""The crew: one worker process per queue, forked, watched and restarted.

Workers are forked after all imports, so a checkout that only root can read works. A worker that ends by itself is
replaced at once, and after a second if it did not live that long; its queue keeps its packets or loses them, never
lets them through (row 19).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from appliance.daemon import clock, policy
from appliance.daemon.pages import Page
from appliance.daemon.policy import Policy
from appliance.kernel.errors import KernelError

#: A worker that lived less than this is not replaced before it is over.
PATIENCE = clock.SECOND

#: Messages that wait for a worker which does not read; beyond it the oldest is given up: the clock will tell.
UNREAD = 256

#: What a worker process runs: its number, its end of the channel, its counters. It does not return.
Body = Callable[[int, socket.socket, Page], None]


@dataclass(slots=True)
class Hand:
    """One worker as the root process sees it."""

    number: int
    page: Page
    pid: int = 0
    requests: socket.socket | None = None  # the root process's end
    born: int = 0
    unread: deque[bytes] = field(default_factory=lambda: deque(maxlen=UNREAD))

    def inform(self, messages: Iterable[bytes]) -> None:
        """Send the worker what waits and these messages, as far as it reads."""
        self.unread.extend(messages)
        with contextlib.suppress(OSError):  # it is busy, or gone
            while self.unread and self.requests is not None:
                self.requests.send(self.unread[0])
                self.unread.popleft()

    def hang_up(self) -> None:
        """Close our end of the channel."""
        self.unread.clear()
        if self.requests is not None:
            self.requests.close()
            self.requests = None


@dataclass(frozen=True, slots=True)
class Loss:
    """A worker ended by itself: ``signal 9``, ``exit 1``."""

    number: int
    ended: str


class Crew:
    """All workers. `pages` are made by the caller and survive any worker."""

    def __init__(self, pages: Sequence[Page], body: Body) -> None:
        self.hands = [Hand(number, page) for number, page in enumerate(pages)]
        self._body = body

    def start(self, hand: Hand) -> None:
        """Fork one worker. Its end of the channel is the only thing it can still ask root through."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.setblocking(False)
        pid = os.fork()
        if pid == 0:
            self._child(hand, theirs)
        theirs.close()
        hand.pid, hand.requests, hand.born = pid, ours, clock.monotonic()

    def _child(self, hand: Hand, channel: socket.socket) -> None:
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            _keep_only(channel)
            self._body(hand.number, channel, hand.page)
        except BaseException as error:  # it ends here, whatever it is: nothing of the parent may run in a child
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            print(f"fixup: worker {hand.number}: {type(error).__name__} at {place}: {error}", file=sys.stderr)
        finally:
            os._exit(1)  # a body that returns has failed too

    def tell(self, news: Policy) -> None:
        """Every worker goes by `news` when this returns, or ends; KernelError if one does not say so in time."""
        with contextlib.ExitStack() as open_pipes:
            asked = []
            for hand in self.hands:
                if hand.requests is not None:
                    with contextlib.suppress(OSError):  # it has just ended
                        descriptor = policy.send(news, hand.requests)
                        open_pipes.callback(os.close, descriptor)
                        asked.append((hand.number, descriptor))
            for number, descriptor in asked:
                if not policy.answered(descriptor):
                    raise KernelError(f"worker {number} did not take the new policy within {policy.PATIENCE:.0f} s")

    def losses(self) -> list[Loss]:
        """Workers that ended since the last call. Their channels stay open: what they said last is not lost."""
        found = []
        for hand in self.hands:
            if hand.pid:
                pid, status = os.waitpid(hand.pid, os.WNOHANG)
                if pid:
                    code = os.waitstatus_to_exitcode(status)
                    found.append(Loss(hand.number, f"signal {-code}" if code < 0 else f"exit {code}"))
                    hand.pid = 0
        return found

    def missing(self, now: int) -> list[Hand]:
        """Those to be started again: ended, hung up, and not born a moment ago."""
        return [hand for hand in self.hands if not hand.pid and hand.requests is None and now - hand.born >= PATIENCE]

    def stop(self) -> None:
        """End every worker and wait for it."""
        for hand in self.hands:
            if hand.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(hand.pid, signal.SIGKILL)  # it holds nothing: its packets are dropped either way
                os.waitpid(hand.pid, 0)
                hand.pid = 0
            hand.hang_up()


def _keep_only(channel: socket.socket) -> None:
    """Close every descriptor a worker has no business with: the tables, the control socket, other workers' ends."""
    keep = channel.fileno()
    os.closerange(3, keep)
    os.closerange(keep + 1, 65536)
