"""The startup configuration: the rule file that `run` was given, read afresh at each reload.

What `check` can only warn of is an error here: a named interface that no device of this machine stands for would be
a firewall with a side missing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from appliance.config.config import Config, Interface
from appliance.config.diagnostics import Diagnostic, Place, Severity
from appliance.config.lexer import FILE_OCTETS
from appliance.config.load import Loaded, load


@dataclass(frozen=True, slots=True)
class Startup:
    """The file `path`, which is absolute: a daemon's working directory is nobody's business."""

    path: Path

    def text(self) -> bytes:
        """What it holds, as far as a rule file may be long and one octet more; OSError if it can't be read."""
        with self.path.open("rb") as file:
            return file.read(FILE_OCTETS + 1)

    def load(self) -> Loaded:
        """The configuration it holds, for this machine; OSError if it can't be read."""
        text = self.text()
        return here(load(text), lines_of(text))

    def save(self, text: bytes) -> None:
        """Make it hold `text`, whole or not at all, and keep what it held as NAME.old; OSError if it can't be."""
        path = self.path.resolve()
        former = path.stat()
        beside, old = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.old")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            os.fchown(file.fileno(), former.st_uid, former.st_gid)
            os.fchmod(file.fileno(), former.st_mode & 0o777)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        old.unlink(missing_ok=True)
        old.hardlink_to(path)
        beside.replace(path)


def lines_of(text: bytes) -> dict[int, str]:
    """The lines of a rule file by their numbers."""
    return dict(enumerate(text.decode("utf-8", "surrogateescape").split("\n"), 1))


def here(loaded: Loaded, lines: Mapping[int, str]) -> Loaded:
    """What was read from `lines`, by their numbers, if this machine has its devices."""
    if loaded.config is None:
        return loaded
    devices = {name for _, name in socket.if_nameindex()}
    missing = tuple(missing_devices(loaded.config, lines, devices))
    if not missing:
        return loaded
    places = {each.place.line for each in missing}
    others = (each for each in loaded.diagnostics if each.place.line not in places)
    return Loaded(None, tuple(sorted((*others, *missing), key=lambda each: each.place)))


def missing_devices(config: Config, lines: Mapping[int, str], devices: Collection[str]) -> Iterator[Diagnostic]:
    """The named interfaces of `lines` for which none of `devices` stands, each where its device should be."""
    for each in config.interfaces:
        if each.nameif is None or each.shutdown or each.hardware in devices:
            continue
        if each.hardware is None:
            message = f'ERROR: interface {each.name} ("{each.nameif}") has no hardware: a Linux device must be named'
        else:
            message = f"ERROR: no such device: {each.hardware} (see ip link)"
        place = _place(each, lines)
        yield Diagnostic(Severity.ERROR, place, message, lines[place.line].removesuffix("\r"))


def _place(interface: Interface, lines: Mapping[int, str]) -> Place:
    """Where its device is named, or the interface itself."""
    for number in range(interface.line, max(lines) + 1):
        before, found, _ = lines.get(number, "").partition(f" {interface.hardware}")
        if found and before.split() and "hardware".startswith(before.split()[0].lower()):
            return Place(number, len(before) + 2)
    opening = lines[interface.line]
    return Place(interface.line, len(opening) - len(opening.lstrip()) + 1)
