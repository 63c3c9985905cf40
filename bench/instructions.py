"""The machine instructions of a process, or of the kernel in its name, which a busy machine hardly disturbs.

What becomes of a packet that a process sends over virtual cables is counted with it, on every host it comes to, as
long as all that is done by one processor. Source: Linux, uapi/linux/perf_event.h; perf_event_open(2).
"""

from __future__ import annotations

import ctypes
import os
import struct

_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "ppc64le": 319, "s390x": 331}  # by machine
_ATTRIBUTES = struct.Struct("=IIQ16xQQ16x")  # type, size, config, read_format, flags; PERF_ATTR_SIZE_VER0
_HARDWARE, _INSTRUCTIONS, _EXCLUDE_USER, _EXCLUDE_KERNEL = 0, 1, 1 << 4, 1 << 5
_READ_FORMAT = 0b11  # the time it was asked for, and the time it counted: others count as well
_READ = struct.Struct("=QQQ")
_libc = ctypes.CDLL(None, use_errno=True)


class Instructions:
    """Those in the name of process `pid`, or (`own`) those it does itself, from now on; 0 if the machine counts none.

    The process that asks is 0.
    """

    def __init__(self, pid: int, own: bool = False) -> None:
        number = _PERF_EVENT_OPEN.get(os.uname().machine, -1)
        without = _EXCLUDE_KERNEL if own else _EXCLUDE_USER
        attributes = _ATTRIBUTES.pack(_HARDWARE, _ATTRIBUTES.size, _INSTRUCTIONS, _READ_FORMAT, without)
        self._counter = _libc.syscall(number, attributes, pid, -1, -1, 0)

    def so_far(self) -> float:
        """How many."""
        if self._counter < 0:
            return 0.0
        count, asked, counted = _READ.unpack(os.read(self._counter, _READ.size))
        return count * asked / counted if counted else 0.0

    def close(self) -> None:
        """Count no longer."""
        if self._counter >= 0:
            os.close(self._counter)
