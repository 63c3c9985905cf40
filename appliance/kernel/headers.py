"""Where bcc finds kernel headers: the running kernel's own, or the newest installed ones merged into one tree.

Our BPF programs use only uapi structures, which do not change, so headers of any recent kernel serve. Debian
splits them into a ``-common`` and an architecture package, while bcc wants one directory: we merge the two into a
tree of links in the cache directory (design section 6). Nothing is copied, and a tree once built is only looked at.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from appliance.kernel.errors import KernelError

CACHE = Path("/var/cache/fixup")
SOURCES = Path("/usr/src")
MODULES = Path("/lib/modules")
ENVIRONMENT = "BCC_KERNEL_SOURCE"

#: what uname calls a machine → what Debian calls it
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "ppc64le": "ppc64el", "s390x": "s390x", "riscv64": "riscv64"}
#: the parts of a header package that a compiler looks at
PARTS = ("include", "arch")


class HeadersMissing(KernelError):
    """No kernel headers for bcc; the message is one line and names the package to install."""


def provide(cache: Path = CACHE, *, sources: Path = SOURCES, modules: Path = MODULES) -> Path:
    """Make bcc find kernel headers, by BCC_KERNEL_SOURCE if need be, and say where they are.

    Raises HeadersMissing. Idempotent: a second call looks at three paths and returns.
    """
    named = os.environ.get(ENVIRONMENT)
    if named and Path(named, "include").is_dir():
        return Path(named)
    own = modules / os.uname().release / "build"
    if (own / "include").is_dir():
        return own
    merged = _merged(cache, sources)
    os.environ[ENVIRONMENT] = str(merged)
    return merged


def _merged(cache: Path, sources: Path) -> Path:
    architecture = ARCHITECTURES.get(os.uname().machine, os.uname().machine)
    pairs = [
        (common, special)
        for common in sources.glob("linux-headers-*-common")
        if (special := common.with_name(common.name.removesuffix("common") + architecture)).is_dir()
    ]
    if not pairs:
        raise HeadersMissing(f"no kernel headers for the BPF program: apt-get install linux-headers-{architecture}")
    common, special = max(pairs, key=lambda pair: _version(pair[0].name))
    tree = cache / special.name
    if not tree.is_dir():
        try:
            _build(tree, common, special)
        except OSError as error:
            raise HeadersMissing(f"kernel headers cannot be merged under {cache}: {error.strerror}") from error
    return tree


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", name))


def _build(tree: Path, common: Path, special: Path) -> None:
    """Build under another name and rename, so that a tree that is there is whole."""
    tree.parent.mkdir(parents=True, exist_ok=True)
    unfinished = tree.with_name(f".{tree.name}.{os.getpid()}")
    unfinished.mkdir()
    try:
        for part in PARTS:
            _merge(unfinished / part, [root / part for root in (special, common) if (root / part).is_dir()])
        unfinished.rename(tree)
    except OSError:
        if not tree.is_dir():  # else another process was faster, with the same result
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _merge(target: Path, origins: list[Path]) -> None:
    """Link `target` to its one origin, or make it a directory of what all origins hold."""
    if len(origins) == 1:
        target.symlink_to(origins[0])
        return
    target.mkdir()
    names = sorted({entry.name for origin in origins for entry in origin.iterdir()})
    for name in names:
        holders = [origin / name for origin in origins if (origin / name).exists()]
        if not holders:
            continue  # a dangling link in the package
        _merge(target / name, holders if all(holder.is_dir() for holder in holders) else holders[:1])
