"""Kernel modules, asked for before they are missed; a kernel with everything built in needs no modprobe."""

from __future__ import annotations

import contextlib
import subprocess


def load(name: str) -> None:
    """Ask for the module; whether that helped, the caller sees by what the module brings."""
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["modprobe", name], check=False, capture_output=True)
