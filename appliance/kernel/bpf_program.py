"""A BPF source file compiled and loaded by bcc, and its programs run by hand.

bcc is Debian's ``python3-bpfcc`` and is imported when it is first needed, so that its absence is an error that
says what to install, not a traceback. It aborts the process on some errors of its compiler; ours is one file, tested.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from appliance.kernel import headers
from appliance.kernel.errors import KernelError

_TEST_RUN = 10  # enum bpf_cmd, uapi/linux/bpf.h
_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}  # bpf(2), by machine
_CONTEXT = 192  # octets, at least struct __sk_buff
_PACKET = 4096  # octets; a test run takes less than a page
_ROOM = ctypes.create_string_buffer  # memory the kernel writes to

_INCLUDE = re.compile(r'^#include "(.+)"$', re.MULTILINE)  # of a header beside the source

_libc = ctypes.CDLL(None, use_errno=True)


class Skb(ctypes.Structure):
    """The head of ``struct __sk_buff`` (uapi/linux/bpf.h): what a test run may set and tells back."""

    _fields_ = tuple(
        (name, ctypes.c_uint32)
        for name in (
            *("len", "pkt_type", "mark", "queue_mapping", "protocol", "vlan_present", "vlan_tci", "vlan_proto"),
            *("priority", "ingress_ifindex", "ifindex"),
        )
    )


class _TestRun(ctypes.Structure):
    """``union bpf_attr`` of BPF_PROG_TEST_RUN (uapi/linux/bpf.h)."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("prog_fd", "retval", "data_size_in", "data_size_out")),
        *((name, ctypes.c_uint64) for name in ("data_in", "data_out")),
        *((name, ctypes.c_uint32) for name in ("repeat", "duration", "ctx_size_in", "ctx_size_out")),
        *((name, ctypes.c_uint64) for name in ("ctx_in", "ctx_out")),
    )


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of a program came to: its return value, the mark it left, ns per repetition, the frame it left."""

    value: int
    mark: int
    duration: int
    frame: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Program:
    """One loaded program of type SCHED_CLS."""

    name: str
    fd: int

    def run(self, frame: bytes, *, mark: int = 0, ifindex: int = 0, ingress_ifindex: int = 0, repeat: int = 1) -> Run:
        """Run it on an Ethernet frame of 14 to some 3,700 octets (BPF_PROG_TEST_RUN); KernelError if the kernel won't.

        `ifindex` (0: loopback) must be a device of the current network namespace.
        """
        context = Skb(mark=mark, ifindex=ifindex, ingress_ifindex=ingress_ifindex)
        given, told = _ROOM(bytes(context), _CONTEXT), _ROOM(_CONTEXT)
        data, out = _ROOM(frame, len(frame)), _ROOM(_PACKET)
        attributes = _TestRun(
            prog_fd=self.fd,
            data_size_in=len(frame),
            data_size_out=_PACKET,
            data_in=ctypes.addressof(data),
            data_out=ctypes.addressof(out),
            repeat=repeat,
            ctx_size_in=_CONTEXT,
            ctx_size_out=_CONTEXT,
            ctx_in=ctypes.addressof(given),
            ctx_out=ctypes.addressof(told),
        )
        number = _SYSCALL.get(os.uname().machine)
        if number is None:
            raise KernelError(f"BPF programs cannot be run on a {os.uname().machine}: its bpf(2) is not known here")
        if _libc.syscall(number, _TEST_RUN, ctypes.byref(attributes), ctypes.sizeof(attributes)) < 0:
            raise KernelError(f"the kernel did not run BPF program {self.name}: {os.strerror(ctypes.get_errno())}")
        value = ctypes.c_int32(attributes.retval).value
        return Run(value, Skb.from_buffer(told).mark, attributes.duration, out.raw[: attributes.data_size_out])


def whole(source: Path) -> str:
    """The text of `source` with its own headers in it, each once, where it is first named.

    bcc finds maps used in the file it is given and in none that this includes. What the compiler says keeps its place.
    """
    return _with_headers(source, set())


def _with_headers(source: Path, there: set[str]) -> str:
    there.add(source.name)
    text, at = [f'#line 1 "{source.name}"\n'], 0
    said = source.read_text(encoding="utf-8")
    for found in _INCLUDE.finditer(said):
        text.append(said[at : found.start()])
        if found[1] not in there:
            following = said.count("\n", 0, found.end()) + 2
            text.append(_with_headers(source.parent / found[1], there) + f'#line {following} "{source.name}"')
        at = found.end()
    return "".join((*text, said[at:]))


class Module:
    """A compiled source file: its programs and, as bcc tables, its maps. Raises KernelError, one line."""

    def __init__(self, source: Path, macros: Iterable[str], programs: Iterable[str], cache: Path) -> None:
        try:
            import bcc
        except ImportError as error:
            raise KernelError("bcc is missing: apt-get install python3-bpfcc (PyPI's bcc is another thing)") from error
        headers.provide(cache)
        flags = ["-Xclang", "-disable-llvm-passes", "-Wno-macro-redefined", *(f"-D{macro}" for macro in macros)]
        try:
            self._bpf: Any = bcc.BPF(text=whole(source).encode(), cflags=flags)
            self.programs = {
                name: Program(name, self._bpf.load_func(name.encode(), bcc.BPF.SCHED_CLS).fd) for name in programs
            }
        except OSError as error:
            raise KernelError(f"{error.filename or source}: {error.strerror}") from error
        except Exception as error:  # bcc raises nothing more precise
            raise KernelError(f"{source.name} could not be loaded: {error}") from error

    def table(self, name: str) -> Any:
        """The map called `name`."""
        return self._bpf[name.encode()]

    def listen(self, name: str, hear: Any) -> None:
        """Call `hear(event)` for the events of ring `name` when `consume` runs, until it returns False.

        `event` is valid during the call.
        """
        ring = self.table(name)
        shape: Any = None

        def raw(_context: object, data: Any, _size: int) -> int:
            nonlocal shape
            if shape is None:
                shape = type(ring.event(data))  # which bcc found in the C; its own cast at every event is slow
            return 0 if hear(shape.from_address(data)) else -1

        ring.open_ring_buffer(raw)

    def consume(self) -> None:
        """Hear what the rings hold."""
        self._bpf.ring_buffer_consume()

    def close(self) -> None:
        """Let go of programs and maps; what is attached or pinned stays in the kernel."""
        self._bpf.cleanup()
