"""One inspecting process: its queue, its engine, and the little it may ask of root.

What it goes by is its `policy`: the one it was forked with, until root tells it another.

It runs as an ordinary user with CAP_NET_ADMIN, which verdicts need, and no way to get more. What it closes it drops
itself from that verdict on; the kernel's table and the log follow as the root process reads the channel.
"""

from __future__ import annotations

import fcntl
import gc
import os
import signal
import socket
import termios
from array import array
from collections import deque
from collections.abc import Iterable
from typing import NoReturn, assert_never

from appliance.config.config import Timeouts
from appliance.daemon import channel, clock, endings
from appliance.daemon.pages import Page
from appliance.daemon.policy import Policy, answer, receive
from appliance.datapath.counters import EARLY, QUEUE_OVERFLOWS, UNDECIDED, UNSENT, WAITED, verdict_slot
from appliance.datapath.datapath import LIFETIMES, Datapath
from appliance.datapath.effects import Accept, Drop, Effect, Emit, Kill, Modify, Release, SendReset
from appliance.kernel import privileges
from appliance.kernel.nfqueue import Packet, Queue
from appliance.tcp.connection import State

#: Worker n serves queue QUEUE_BASE + n; low numbers are other people's.
QUEUE_BASE = 2500
#: Requests that wait while the root process does not read, and as many records behind them; beyond it the oldest is
#: given up. Without root a connection is as closed, and as well let through: its packets only still come here.
BACKLOG = 4096
#: How long a full channel is left alone, and one in which something waits to be read (ms).
RETRY, SOON = 20, 1

_MILLISECOND = 1_000_000  # ns


class Worker:
    """Worker `number`, as the crew's body; `policy` is what the next one to be forked begins with."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._account = privileges.worker_account()
        self._parent = os.getpid()
        self._orders: deque[channel.Request] = deque(maxlen=BACKLOG)
        self._records: deque[channel.Request] = deque(maxlen=BACKLOG)

    def __call__(self, number: int, requests: socket.socket, page: Page) -> NoReturn:
        """Serve queue `number` until the root process ends."""
        privileges.become(self._account)
        privileges.die_with_parent(signal.SIGKILL)
        if os.getppid() != self._parent:
            os._exit(0)  # it ended before it could be asked to take us along
        gc.disable()  # the engine makes no cycles (tests/datapath/test_garbage.py), and looking for them takes long
        self._requests = requests
        self._unread = array("i", [0])  # octets
        self._page = page
        self._datapath = Datapath({}, {}, {}, page.engine, clock.monotonic())
        self._go_by(self.policy)
        watch = {requests.fileno(): self._root_spoke}
        self._engine = page.engine
        self._overflows = page.engine[QUEUE_OVERFLOWS]  # of those before us
        page.engine[WAITED] = page.engine[EARLY] + page.engine[UNDECIDED]  # what waited with them is gone
        fail_open = self.policy.fail_open
        self._queue = Queue(QUEUE_BASE + number, self._packet, self._tick, watch=watch, fail_open=fail_open)
        self._queue.run()
        os._exit(0)

    def _packet(self, packet: Packet) -> None:
        octets, mark, now = packet.get_payload(), packet.get_mark(), clock.monotonic()
        self._perform(self._datapath.packet(packet, octets, mark, packet.indev, packet.outdev, now))
        self._engine[verdict_slot(clock.monotonic() - now)] += 1

    def _tick(self) -> float:
        """What time asks for; the milliseconds until it asks again."""
        self._flush()
        self._engine[QUEUE_OVERFLOWS] = self._overflows + self._queue.lost
        now = clock.monotonic()
        if now >= self._datapath.next_deadline:
            self._perform(self._datapath.tick(now))
            now = clock.monotonic()
        wait = max(0, self._datapath.next_deadline - now) // _MILLISECOND + 1
        if self._datapath.untold:
            return min(wait, SOON)
        return min(wait, RETRY) if self._orders or self._records else wait

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Accept):  # nearly always: `match` takes half as long again to see it
                effect.handle.accept()
                continue
            match effect:
                case Modify(handle, packet):
                    handle.set_payload(packet)
                    handle.accept()
                case Drop(handle):
                    handle.drop()
                case Kill() | Release() | SendReset():
                    self._ask(self._orders, effect)
                case Emit():
                    self._ask(self._records, effect)
                case _:
                    assert_never(effect)
        if self._orders or self._records or self._datapath.untold:
            self._flush()

    def _ask(self, requests: deque[channel.Request], request: channel.Request) -> None:
        """Root has one more thing to do; beyond BACKLOG the oldest of its kind is given up."""
        self._engine[UNSENT] += len(requests) == requests.maxlen
        requests.append(request)

    def _flush(self) -> None:
        """Send what root has to do, oldest first and records last, as far as the channel takes it.

        What clients are told of packets that wait goes when root has read all else, or it would come too late.
        """
        while unsent := self._orders or self._records:
            try:
                self._requests.send(channel.encode(unsent[0]))
            except BlockingIOError:
                return
            unsent.popleft()
        if self._datapath.untold and self._all_read():
            self._orders.extend(self._datapath.tell())
            self._flush()

    def _all_read(self) -> bool:
        """Whether root has read all that was sent."""
        fcntl.ioctl(self._requests, termios.TIOCOUTQ, self._unread)
        return not self._unread[0]

    def _root_spoke(self) -> None:
        """Another policy, or connections that are over, or root is gone."""
        told = receive(self._requests)
        if not told:
            os._exit(0)
        if isinstance(told, bytes):
            now = clock.monotonic()
            for key, when, by_fins in endings.decode(told):
                self._perform(self._datapath.ended(key, when, by_fins, now))
            return
        policy, waiting = told
        self._go_by(policy)
        self._queue.fail_open(policy.fail_open)
        answer(waiting)

    def _go_by(self, policy: Policy) -> None:
        self.policy = policy
        blocks = {decision: self._page.block(number) for decision, number in policy.blocks.items()}
        self._datapath.configure(policy.inspections, policy.interfaces, blocks, _lifetimes(policy.timeouts))


def _lifetimes(timeouts: Timeouts) -> dict[State, int]:
    """How long the engine remembers idle connections: never less than the kernel does, whose timers are the ones that
    count. Keep-alives are seen by the kernel alone, hence twice its time."""
    connection = max(LIFETIMES[State.OPEN], 2 * timeouts.conn * clock.SECOND)
    return {
        State.OPEN: connection,
        State.BYPASS: connection,
        State.CLOSED: LIFETIMES[State.CLOSED],
        State.RESET: LIFETIMES[State.RESET],
        State.DEAD: timeouts.dead * clock.SECOND,
    }
