"""What workers go by, and how a living worker gets another.

The channel's messages are short and a policy need not be, so it travels as a file without a name, together with a
pipe on which the worker answers. A worker that ends instead of answering closes the pipe; its successor is born with
the policy. Root is believed: it could as well have forked the worker with anything.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import select
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from appliance.config.config import Timeouts
from appliance.config.inspections import Inspection
from appliance.daemon import endings

#: How long a worker may take to answer (s): it looks up after 64 packets at most.
PATIENCE = 5.0

_NEWS = b"policy"


@dataclass(frozen=True, slots=True)
class Policy:
    """`inspections` and the numbers of their counter `blocks` are known by the mark's DECISION, interfaces by index."""

    inspections: Mapping[int, Inspection]
    blocks: Mapping[int, int]
    interfaces: Mapping[int, str]
    timeouts: Timeouts

    @property
    def fail_open(self) -> bool:
        """Some class wants packets to pass where no worker is (row 19)."""
        return any(each.fail_open for each in self.inspections.values())


def send(policy: Policy, channel: socket.socket) -> int:
    """Tell the worker at the other end; the descriptor on which it answers. OSError if it is gone."""
    file = os.memfd_create("policy", os.MFD_CLOEXEC)
    try:
        with os.fdopen(file, "wb", closefd=False) as out:
            pickle.dump(policy, out)
        answer, theirs = os.pipe2(os.O_CLOEXEC)
        try:
            socket.send_fds(channel, [_NEWS], [file, theirs])
        except OSError:
            os.close(answer)
            raise
        finally:
            os.close(theirs)
    finally:
        os.close(file)
    return answer


def answered(descriptor: int) -> bool:
    """Wait until the worker goes by what it was told, or has ended; False if it does neither in time."""
    return bool(select.select([descriptor], [], [], PATIENCE)[0])


def receive(channel: socket.socket) -> tuple[Policy, int] | bytes:
    """A policy and where to say ``answer``; or another message of root's, empty if root is gone."""
    message, descriptors, _, _ = socket.recv_fds(channel, endings.MAX_MESSAGE, 2)
    if not descriptors:
        return message
    file, answer = descriptors
    with os.fdopen(file, "rb") as told:
        told.seek(0)
        policy = pickle.load(told)
    assert isinstance(policy, Policy)  # root sends nothing else
    return policy, answer


def answer(descriptor: int) -> None:
    """Say that the policy is in force here."""
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb", 0) as out:  # root may have given up
        out.write(b"!")
