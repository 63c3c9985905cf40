"""One NFQUEUE with whole packets: NetfilterQueue's queue, and what that library leaves out set over its own socket.

The library clamps copies at 4,016 octets and sets no flags. After its `bind`, one NFQNL_MSG_CONFIG asks for whole
packets, for GSO super-packets as they are and, if wanted, for FAIL_OPEN; `run_socket` then reads through `Queue.recv`,
which also lets the worker do what time or a control socket asks of it. Verdicts may be given in any order and long
after the callback, but the packet's octets must be read in it. A packet given back with other octets is taken as
complete: its checksums must be right. See linux/netfilter/nfnetlink_queue.h and design §2.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping

from netfilterqueue import NetfilterQueue, Packet

from appliance.kernel import queues
from appliance.kernel.errors import KernelError

MAX_LENGTH = 8192  # packets waiting in the kernel
_RECV = 66_000  # octets: the largest packet and its attributes; above 128 KiB every read would map memory
_RECEIVE_BUFFER = 16 << 20  # octets; beyond it the kernel drops (`lost`)
_BURST = 64  # packets between two ticks at most
_LINGER = 10_000  # µs to wait for the next packet of a busy queue: one system call where asking and polling are three
_CONFIG = 3 << 8 | 2  # NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG
_REQUEST, _REQUEST_ACK = 1, 1 | 4  # NLM_F_REQUEST, and NLM_F_ACK
_PARAMS, _MASK, _FLAGS = 2, 4, 5  # NFQA_CFG_*
_COPY_PACKET = 2
_FAIL_OPEN, _GSO = 1, 4  # NFQA_CFG_F_*

__all__ = ["MAX_LENGTH", "Packet", "Queue"]


class Queue:
    """Queue `number`; `on_packet` gets each packet, `on_tick` runs when idle and at least every 64 packets.

    `on_tick` returns the milliseconds until it wants to run again, None for "when something comes". `watch` maps other
    file descriptors to what is to be called when they are readable. KernelError if the queue cannot be had.
    """

    def __init__(
        self,
        number: int,
        on_packet: Callable[[Packet], None],
        on_tick: Callable[[], float | None],
        *,
        watch: Mapping[int, Callable[[], None]] | None = None,
        fail_open: bool = False,
    ) -> None:
        self.lost = 0  # times the kernel said it had dropped for want of buffer (ENOBUFS)
        self._on_tick = on_tick
        self._stopped = False
        self._burst = 0
        self._early: deque[bytes] = deque()  # packets that came before the answer to our configuration
        try:
            self._queue = NetfilterQueue()
            self._queue.bind(number, on_packet, max_len=MAX_LENGTH, sock_len=_RECEIVE_BUFFER)
        except OSError as error:
            raise KernelError(_refusal(number)) from error
        self._socket = socket.socket(fileno=os.dup(self._queue.get_fd()))
        self._watch = {self._socket.fileno(): _nothing, **(watch or {})}
        self._poll = select.poll()
        for descriptor in self._watch:
            self._poll.register(descriptor, select.POLLIN)
        self._number = number
        self._configure(fail_open)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, _LINGER))

    def run(self) -> None:
        """Serve the queue until `stop`."""
        self._queue.run_socket(self)

    def stop(self) -> None:
        """Make `run` return; for a callback to call."""
        self._stopped = True

    def fail_open(self, wanted: bool) -> None:
        """From now on packets that find the queue full pass, or are dropped."""
        if wanted != self._fail_open:
            self._ask(wanted, _REQUEST)  # an answer could find the socket full; it was not refused before either

    def close(self) -> None:
        """Give the queue back; the kernel drops what still waits for a verdict."""
        self._queue.unbind()
        self._socket.close()

    def recv(self, _size: int) -> bytes:
        """The next netlink message, for `run_socket`; raises EAGAIN, its word for the end, after `stop`."""
        while not self._stopped:
            if self._early:
                return self._early.popleft()
            self._burst += 1
            if self._burst < _BURST:
                try:
                    return self._socket.recv(_RECV)
                except BlockingIOError:
                    pass  # nothing within `_LINGER`
                except OSError as error:
                    if error.errno != errno.ENOBUFS:
                        raise
                    self.lost += 1
            self._burst = 0
            for descriptor, _ in self._poll.poll(self._on_tick()):
                self._watch[descriptor]()
        raise BlockingIOError(errno.EAGAIN, "stopped")

    def _configure(self, fail_open: bool) -> None:
        """Whole packets, GSO and, if wanted, FAIL_OPEN; KernelError if the kernel refuses them."""
        self._ask(fail_open, _REQUEST_ACK)
        while True:
            message = self._socket.recv(_RECV)
            if struct.unpack_from("=H", message, 4)[0] != 2:  # NLMSG_ERROR: the answer, 0 for yes
                self._early.append(message)
            elif code := struct.unpack_from("=i", message, 16)[0]:
                reason = os.strerror(-code)
                raise KernelError(f"NFQUEUE {self._number}: the kernel refused whole packets and GSO ({reason})")
            else:
                return

    def _ask(self, fail_open: bool, kind: int) -> None:
        self._fail_open = fail_open
        body = struct.pack("!BBH", 0, 0, self._number)
        body += struct.pack("=HH", 9, _PARAMS) + struct.pack("!IB3x", 0xFFFF, _COPY_PACKET)
        for attribute, flags in ((_FLAGS, _GSO | (_FAIL_OPEN if fail_open else 0)), (_MASK, _GSO | _FAIL_OPEN)):
            body += struct.pack("=HH", 8, attribute) + struct.pack("!I", flags)
        self._socket.send(struct.pack("=IHHII", 16 + len(body), _CONFIG, kind, 0, 0) + body)


def _refusal(number: int) -> str:
    if not queues.available():
        return "this kernel has no NFQUEUE: one with nfnetlink_queue is needed (modprobe nfnetlink_queue)"
    server = next((each.worker_pid for each in queues.uses() if each.number == number), None)
    if server is not None:
        return f"NFQUEUE {number} is served by process {server} already: stop it first"
    return f"NFQUEUE {number} cannot be had without CAP_NET_ADMIN: run fixup with sudo"


def _nothing() -> None:
    """The queue itself: `recv` reads it next."""
