"""Where maps outlive the process: a directory in a BPF file system, named by the layout of what is in it.

A new program adopts the maps it finds there, so connections and their counts survive a restart (design row 20). The
name changes with the structures, so a map of another layout is never adopted.
"""

from __future__ import annotations

import ctypes
import os
import re
import zlib
from pathlib import Path

from appliance.kernel.errors import KernelError

_MAGIC = "bpf"
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_libc = ctypes.CDLL(None, use_errno=True)


def mount(directory: Path) -> Path:
    """Make `directory` a BPF file system of our own, unless it lies in one; KernelError if that is refused."""
    directory.mkdir(parents=True, exist_ok=True)
    if _filesystem(directory) == _MAGIC:
        return directory
    if _libc.mount(b"bpf", os.fsencode(directory), b"bpf", 0, b"mode=0700") != 0:
        raise KernelError(f"no BPF file system at {directory}: {os.strerror(ctypes.get_errno())}")
    return directory


def unmount(directory: Path) -> None:
    """Undo `mount` where it made a file system of its own; pins in it go with it."""
    if directory.is_mount() and _libc.umount2(os.fsencode(directory), 0) != 0:
        raise KernelError(f"{directory} cannot be unmounted: {os.strerror(ctypes.get_errno())}")


def versioned(directory: Path, layout: str) -> Path:
    """The directory of the maps whose declarations, in C, are `layout`, made if need be. Their comments say nothing."""
    words = " ".join(_COMMENT.sub("", layout).split())
    pins = directory / f"{zlib.crc32(words.encode()):08x}"
    try:
        pins.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise KernelError(f"maps cannot be pinned at {directory}: {error.strerror}") from error
    return pins


def uncounted(directory: Path) -> Path:
    """What is there, beside the maps, while connections of earlier runs may be in none of them: from before a start
    that adopts none makes its own until it has ended those. A BPF file system has directories, and no files."""
    return directory / "uncounted"


def remove(directory: Path, but: Path | None = None) -> None:
    """Remove every version's pins, or all `but` one's; maps that a program still uses live on with it."""
    for pins in directory.iterdir() if directory.is_dir() else ():
        if pins.is_dir() and pins != but:
            for pin in pins.iterdir():
                pin.unlink()
            pins.rmdir()


def _filesystem(directory: Path) -> str:
    """The type of the file system `directory` is in, by the longest mount point that holds it."""
    best, found = "", ""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split(" ")
        at = point.encode().decode("unicode_escape")
        if directory.resolve().is_relative_to(at) and len(at) >= len(best):
            best, found = at, kind
    return found
