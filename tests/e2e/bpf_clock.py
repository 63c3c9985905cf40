"""The clock of a running firewall's connection table, put forward: ages of minutes and hours, waited for by nobody."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from pathlib import Path

from bcc.libbcc import lib

_INFO = struct.Struct("=6I16s")  # uapi struct bpf_map_info as far as the name


def put_forward(pid: int, seconds: int) -> None:
    """By so much for the daemon `pid`, until it tells its program of other settings."""
    descriptor = _settings(pid)
    key, value = ctypes.c_uint32(0), ctypes.create_string_buffer(256)
    try:
        assert lib.bpf_lookup_elem(descriptor, ctypes.byref(key), value) == 0
        (offset,) = struct.unpack_from("=q", value)  # the first member of struct settings
        struct.pack_into("=q", value, 0, offset + seconds * 10**9)
        assert lib.bpf_update_elem(descriptor, ctypes.byref(key), value, 0) == 0
    finally:
        os.close(descriptor)


def _settings(pid: int) -> int:
    """A descriptor of the map called settings that the process holds."""
    for held in Path(f"/proc/{pid}/fdinfo").iterdir():
        number = re.search(r"^map_id:\t(\d+)$", held.read_text(), re.MULTILINE)
        if number is None:
            continue
        descriptor = lib.bpf_map_get_fd_by_id(int(number[1]))
        told, length = ctypes.create_string_buffer(512), ctypes.c_uint32(512)
        if lib.bpf_obj_get_info(descriptor, told, ctypes.byref(length)) == 0:
            *_, name = _INFO.unpack_from(told)
            if name.rstrip(b"\0") == b"settings":
                return int(descriptor)
        os.close(descriptor)
    raise AssertionError(f"process {pid} has no settings of a program")
