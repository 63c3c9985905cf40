"""Network namespaces by name, as `ip netns` keeps them: made, entered, emptied of their processes, removed.

Entering changes the network alone: mounts stay the caller's, so that what is mounted at /sys/fs/bpf stays in sight
(`ip netns exec` would hide it).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pyroute2 import netns

from appliance.kernel.errors import KernelError

_DIRECTORY = Path("/var/run/netns")


def exists(name: str) -> bool:
    """There is a namespace of that name."""
    return (_DIRECTORY / name).exists()


def create(name: str) -> None:
    """Make the namespace; KernelError if it is there already or we may not."""
    if exists(name):
        raise KernelError(f"there is a network namespace {name} already: fixup lab down, or another --name")
    try:
        netns.create(name)
    except OSError as error:
        raise KernelError(f"cannot make the network namespace {name} ({error.strerror}): run it with sudo") from error


def remove(name: str) -> None:
    """Remove the namespace's name; it goes with its devices when its last process has ended."""
    if exists(name):
        netns.remove(name)


def handle(name: str) -> int:
    """An open file descriptor of the namespace, for the caller to close; KernelError if there is none."""
    try:
        return os.open(_DIRECTORY / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise KernelError(f"there is no network namespace {name}: fixup lab up makes the lab's") from None


def enter(name: str) -> None:
    """Move this thread into the namespace for good."""
    descriptor = handle(name)
    try:
        netns.setns(descriptor)
    except OSError as error:
        raise KernelError(f"cannot enter the network namespace {name} ({error.strerror}): run it with sudo") from error
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def within(name: str) -> Iterator[None]:
    """This thread in the namespace for the length of a `with` block."""
    back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(name)
        yield
    finally:
        netns.setns(back)
        os.close(back)


def processes(name: str) -> list[int]:
    """The ids of the processes in the namespace."""
    here = (_DIRECTORY / name).stat()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):  # it ended while we looked
                its = (entry / "ns" / "net").stat()
                if (its.st_dev, its.st_ino) == (here.st_dev, here.st_ino):
                    found.append(int(entry.name))
    return found
