"""The run directory: one instance, and nothing left of it."""

import os
import stat
from pathlib import Path

import pytest

from appliance.daemon.rundir import RunDirectory
from appliance.kernel.errors import KernelError

pytestmark = pytest.mark.root  # it belongs to root and the group


def test_a_second_instance_is_told_who_has_it(tmp_path: Path) -> None:
    first, second = RunDirectory(tmp_path / "run"), RunDirectory(tmp_path / "run")
    first.take(0)
    with pytest.raises(KernelError, match=f"process {os.getpid()}.*--run-dir"):
        second.take(0)
    first.leave()
    second.take(0)
    second.leave()


def test_it_is_closed_to_others_and_goes_when_empty(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.take(0)
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o750
    directory.leave()
    assert not directory.path.exists()


def test_what_somebody_keeps_there_is_kept(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.take(0)
    (directory.path / "note").write_text("mine")
    directory.leave()
    assert [each.name for each in directory.path.iterdir()] == ["note"]


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KernelError, match="cannot use the run directory"):
        RunDirectory(tmp_path / "file" / "run").take(0)
