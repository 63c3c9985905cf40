"""Kernel headers for bcc: the running kernel's, else the newest installed ones merged, else a line that helps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from appliance.kernel import headers
from appliance.kernel.errors import KernelError
from appliance.kernel.headers import ENVIRONMENT, HeadersMissing, provide

MACHINE = headers.ARCHITECTURES.get(os.uname().machine, os.uname().machine)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, "")  # so that what a test sets is undone
    monkeypatch.delenv(ENVIRONMENT)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """/usr/src with two kernels' headers, as Debian splits them."""
    for version in ("6.1.0-9", "6.1.0-56"):
        common = tmp_path / f"src/linux-headers-{version}-common"
        special = tmp_path / f"src/linux-headers-{version}-{MACHINE}"
        for file in (common / "include/linux/bpf.h", common / "arch/x86/include/asm/page.h", common / "Makefile"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(version)
        for file in (special / "include/generated/autoconf.h", special / "arch/x86/include/generated/asm/a.h"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(version)
    return tmp_path / "src"


def test_both_packages_are_one_tree_of_the_newest(tmp_path: Path, sources: Path) -> None:
    tree = provide(tmp_path / "cache", sources=sources, modules=tmp_path / "none")
    assert os.environ[ENVIRONMENT] == str(tree)
    for name in (
        "include/linux/bpf.h",
        "include/generated/autoconf.h",
        "arch/x86/include/asm/page.h",
        "arch/x86/include/generated/asm/a.h",
    ):
        assert (tree / name).read_text() == "6.1.0-56"


def test_nothing_is_copied_and_nothing_built_twice(
    tmp_path: Path, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = provide(tmp_path / "cache", sources=sources, modules=tmp_path / "none")
    assert not [
        file for file in tree.rglob("*") if file.is_file() and not file.is_symlink() and tree in file.resolve().parents
    ]
    made = tree.stat().st_ctime_ns
    monkeypatch.delenv(ENVIRONMENT)
    assert provide(tmp_path / "cache", sources=sources, modules=tmp_path / "none") == tree
    assert tree.stat().st_ctime_ns == made
    assert [entry.name for entry in tree.parent.iterdir()] == [tree.name]


def test_a_tree_left_unfinished_is_not_taken(tmp_path: Path, sources: Path) -> None:
    (tmp_path / f"cache/.linux-headers-6.1.0-56-{MACHINE}.1").mkdir(parents=True)
    tree = provide(tmp_path / "cache", sources=sources, modules=tmp_path / "none")
    assert (tree / "include/linux/bpf.h").exists()


def test_the_running_kernels_own_headers_come_first(tmp_path: Path, sources: Path) -> None:
    build = tmp_path / "modules" / os.uname().release / "build"
    (build / "include").mkdir(parents=True)
    assert provide(tmp_path / "cache", sources=sources, modules=tmp_path / "modules") == build
    assert ENVIRONMENT not in os.environ
    assert not (tmp_path / "cache").exists()


def test_what_the_environment_names_is_left_alone(
    tmp_path: Path, sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own/include").mkdir(parents=True)
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "own"))
    assert provide(tmp_path / "cache", sources=sources, modules=tmp_path / "none") == tmp_path / "own"


def test_without_headers_the_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeadersMissing, match=f"apt-get install linux-headers-{MACHINE}$") as raised:
        provide(tmp_path / "cache", sources=tmp_path, modules=tmp_path)
    assert isinstance(raised.value, KernelError)
    assert "\n" not in str(raised.value)


def test_half_a_pair_is_no_headers(tmp_path: Path) -> None:
    (tmp_path / "linux-headers-6.1.0-56-common/include").mkdir(parents=True)
    with pytest.raises(HeadersMissing):
        provide(tmp_path / "cache", sources=tmp_path, modules=tmp_path)


def test_a_cache_that_cannot_be_made_is_said(tmp_path: Path, sources: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(HeadersMissing, match=r"cannot be merged under .*cache"):
        provide(tmp_path / "cache", sources=sources, modules=tmp_path / "none")
