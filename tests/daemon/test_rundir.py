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
    assert sorted(each.name for each in directory.path.iterdir()) == ["lock", "note"]
    (tmp_path / "run" / "note").unlink()
    again = RunDirectory(tmp_path / "run")
    again.take(0)
    again.leave()
    assert not directory.path.exists(), "its lock had said whose it is"


def test_what_others_may_write_to_is_not_believed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o777)
    (tmp_path / "run").chmod(0o777)
    with pytest.raises(KernelError, match="writable by nobody else"):
        RunDirectory(tmp_path / "run").take(0)
    (tmp_path / "theirs").mkdir(mode=0o755)
    os.chown(tmp_path / "theirs", 65534, 65534)
    with pytest.raises(KernelError, match="must be root's"):
        RunDirectory(tmp_path / "theirs").take(0)


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "run" / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(KernelError, match="cannot use the run directory"):
        RunDirectory(tmp_path / "run").take(0)
    assert (tmp_path / "victim").read_text() == "precious"


def test_a_directory_that_was_there_stays(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    directory = RunDirectory(tmp_path / "run")
    directory.take(0)
    directory.leave()
    assert list((tmp_path / "run").iterdir()) == []


def test_one_that_a_killed_run_left_goes_with_the_next(tmp_path: Path) -> None:
    killed = RunDirectory(tmp_path / "run")
    killed.take(0)
    assert killed._lock is not None
    os.close(killed._lock)
    directory = RunDirectory(tmp_path / "run")
    directory.take(0)
    directory.leave()
    assert not (tmp_path / "run").exists()


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KernelError, match="cannot use the run directory"):
        RunDirectory(tmp_path / "file" / "run").take(0)
