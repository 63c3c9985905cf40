"""What the machine was like before us, so that a stop puts exactly that back.

Each change is written down before it is made, in a file that outlives us: after ``kill -9``, `fixup cleanup` reads
the same record and undoes the same changes. Only what we changed is in it: an address that was there already is
nobody's to remove. The record is a list in the order of the changes and is undone from its end.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from appliance.kernel.errors import KernelError


@dataclass(frozen=True, slots=True)
class Sysctl:
    """A kernel setting, by its path below /proc/sys, and the value it had."""

    path: str
    value: str


@dataclass(frozen=True, slots=True)
class LinkDown:
    """A device that was down."""

    device: str


@dataclass(frozen=True, slots=True)
class Mtu:
    """The largest packet that a device sent, in octets."""

    device: str
    octets: int


@dataclass(frozen=True, slots=True)
class NoAddress:
    """An address (``192.0.2.1/24``) the device did not have."""

    device: str
    address: str


@dataclass(frozen=True, slots=True)
class NoRoute:
    """A route that was not there; `gateway` is empty for one to the device itself."""

    destination: str
    device: str
    gateway: str
    metric: int


@dataclass(frozen=True, slots=True)
class NoProxy:
    """An address the device did not answer ARP for."""

    address: str
    device: str


@dataclass(frozen=True, slots=True)
class NoTable:
    """A netfilter table that was not there; `family` is ``ip`` or ``ip6``."""

    family: str
    name: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A device our BPF programs were not attached to."""

    device: str


Change = Sysctl | LinkDown | Mtu | NoAddress | NoRoute | NoProxy | NoTable | Filter
_KINDS: dict[str, type[Change]] = {
    kind.__name__: kind for kind in (Sysctl, LinkDown, Mtu, NoAddress, NoRoute, NoProxy, NoTable, Filter)
}


def subject(change: Change) -> object:
    """What a change is of: a setting's path, a device's MTU, whatever the value."""
    match change:
        case Sysctl(path=path):
            return path
        case Mtu(device=device):
            return Mtu, device
        case _:
            return change


class Found:
    """The record in the file `path`; what a killed run left there is taken over as its own.

    Of a sysctl and an MTU the first value noted stays: what a run after a crash finds is that run's own work. The
    record is of one network namespace, by its inode, and KernelError in any other: there its changes were never made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._namespace = Path("/proc/thread-self/ns/net").stat().st_ino
        self._changes = _read(path, self._namespace)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Everything noted, oldest first."""
        return tuple(self._changes)

    def note(self, change: Change) -> None:
        """Write `change` down; call this before making it."""
        if subject(change) in map(subject, self._changes):
            return
        self._changes.append(change)
        self._write()

    def forget(self, change: Change) -> None:
        """`change` is undone; the file goes with the last one."""
        self._changes.remove(change)
        self._write()

    def _write(self) -> None:
        if not self._changes:
            self._path.unlink(missing_ok=True)
            return
        changes = [{"kind": type(each).__name__, **asdict(each)} for each in self._changes]
        text = json.dumps({"namespace": self._namespace, "changes": changes}, indent=1)
        beside = self._path.with_suffix(".new")
        try:
            beside.write_text(text + "\n", encoding="ascii")
            beside.replace(self._path)
        except OSError as error:
            raise KernelError(f"cannot write {self._path}: {error.strerror}; nothing further was changed") from error


def _read(path: Path, namespace: int) -> list[Change]:
    try:
        record = json.loads(path.read_text(encoding="ascii"))
        changes = [_KINDS[row.pop("kind")](**row) for row in record["changes"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KernelError(
            f"{path} is not a record of what was found ({error}): put the network back by hand and remove the file"
        ) from error
    if record["namespace"] != namespace:
        raise KernelError(
            f"{path} is of another network namespace: go there first (ip netns exec NAME fixup …, fixup lab exec …)"
        )
    return changes
