"""What holds for every test: hypothesis repeats itself, and without root the root tests are left out, said aloud."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("fixup", derandomize=True, deadline=None, database=None)
settings.load_profile("fixup")

LEFT_OUT = pytest.StashKey[Counter[str]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what needs root where there is none: left out, not skipped, and counted."""
    if os.geteuid() == 0:
        return
    left_out = [item for item in items if item.get_closest_marker("root")]
    items[:] = [item for item in items if not item.get_closest_marker("root")]
    config.hook.pytest_deselected(items=left_out)
    config.stash[LEFT_OUT] = Counter(str(item.path.relative_to(Path(__file__).parent.parent)) for item in left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what was left out, file by file."""
    left_out = config.stash.get(LEFT_OUT, Counter())
    if left_out:
        files = ", ".join(f"{path} ({count})" for path, count in sorted(left_out.items()))
        terminalreporter.write_line(f"left out without root, {left_out.total()} tests: {files}", yellow=True)
