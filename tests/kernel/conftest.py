"""Namespaces for the tests of the kernel's edge: each test has its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ground import Ground, ground, router


@pytest.fixture
def bare() -> Iterator[Ground]:
    """Three hosts; the firewall's devices are down and have no address."""
    with ground(f"fxk{os.getpid()}") as here:
        yield here


@pytest.fixture
def routed(tmp_path: Path) -> Iterator[Ground]:
    """Three hosts; the firewall forwards, and filters nothing."""
    with router(f"fxk{os.getpid()}", tmp_path / "router.json") as here:
        yield here
