"""The run directory: what one instance of the firewall owns on disk, and the lock that keeps a second one out."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from appliance.kernel.errors import KernelError


class RunDirectory:
    """``/run/fixup`` or what ``--run-dir`` names, 0750 root:fixup."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self._ours = False

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
        """Make the directory and lock it; KernelError if another instance has it, or others may write to it."""
        try:
            # a lock that a killed run left says that the directory was made for it
            self._ours = not self.path.exists() or (self.path / "lock").exists()
            self.path.mkdir(mode=0o750, parents=True, exist_ok=True)
            directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                self._own(directory, gid)
                flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
                self._lock = os.open("lock", flags, 0o640, dir_fd=directory)
            finally:
                os.close(directory)
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

    def _own(self, directory: int, gid: int) -> None:
        """What is in the directory is believed and removed as root, so nobody else may put anything there."""
        found = os.fstat(directory)
        if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise KernelError(f"the run directory {self.path} must be root's and writable by nobody else")
        os.fchown(directory, -1, gid)
        os.fchmod(directory, 0o750)

    def leave(self) -> None:
        """Let go of the lock, and remove the directory if it is ours and nothing is left in it."""
        if self._lock is None:
            return
        # The lock stays with what else is ours there: it says whose directory this is.
        if not self._ours or [each.name for each in self.path.iterdir()] == ["lock"]:
            (self.path / "lock").unlink(missing_ok=True)
        if self._ours:
            with contextlib.suppress(OSError):
                self.path.rmdir()
        os.close(self._lock)
        self._lock = None
