"""The run directory: what one instance of the firewall owns on disk, and the lock that keeps a second one out."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from appliance.kernel.errors import KernelError


class RunDirectory:
    """``/run/fixup`` or what ``--run-dir`` names, 0750 root:fixup."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.path / "control.sock"

    @property
    def found(self) -> Path:
        """What the links and sysctls were before us, for restoring."""
        return self.path / "found.json"

    @property
    def maps(self) -> Path:
        """Where the pinned BPF maps are."""
        return self.path / "bpf"

    def take(self, gid: int) -> None:
        """Make the directory and lock it; KernelError if another instance has it."""
        try:
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
            os.chown(self.path, 0, gid)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise KernelError(f"cannot use the run directory {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 16, 0).decode("ascii", "replace").strip()
            os.close(self._lock)
            self._lock = None
            raise KernelError(
                f"another instance (process {holder or 'unknown'}) runs in {self.path}: stop it, or use --run-dir DIR"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def leave(self) -> None:
        """Let go of the lock and remove the directory if nothing of ours is left in it."""
        if self._lock is None:
            return
        (self.path / "lock").unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None
        try:
            self.path.rmdir()
        except OSError:
            return  # somebody keeps something there
