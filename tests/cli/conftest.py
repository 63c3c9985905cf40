"""A run directory in which somebody answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.answers import answer
from tests.control.daemon import Daemon


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[Path]:
    """A run directory whose control socket answers."""
    daemon = Daemon(tmp_path / "control.sock", answer)
    with daemon.serving():
        yield tmp_path
    daemon.close()
    assert not daemon.faults
