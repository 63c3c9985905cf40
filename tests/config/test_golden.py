"""Golden rule files: NAME.cfg -> NAME.ok (running-config, which parses to itself); bad/NAME.cfg -> NAME.err.

The rules they become, NAME.rules, are `tests/test_iptables.py`'s.
"""

from pathlib import Path

import pytest

from appliance.config.diagnostics import render
from appliance.config.load import load
from appliance.config.render import running_config

GOLDEN = Path(__file__).parent.parent / "golden" / "config"
GOOD = sorted(GOLDEN.glob("*.cfg"))
BAD = sorted((GOLDEN / "bad").glob("*.cfg"))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_good_file_becomes_its_running_config(path: Path) -> None:
    loaded = load(path.read_bytes())
    assert loaded.config is not None, render(loaded.diagnostics, path.name)
    assert running_config(loaded.config) == path.with_suffix(".ok").read_text()


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_a_running_config_parses_to_itself(path: Path) -> None:
    expected = path.with_suffix(".ok").read_text()
    loaded = load(expected)
    assert loaded.config is not None, render(loaded.diagnostics, path.name)
    assert running_config(loaded.config) == expected
    assert loaded.config == load(path.read_bytes()).config


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_file_is_told_all_its_errors(path: Path) -> None:
    loaded = load(path.read_bytes())
    assert loaded.config is None
    assert render(loaded.diagnostics, path.name) == path.with_suffix(".err").read_text()


def test_every_golden_file_belongs_to_a_rule_file() -> None:
    stems = {path.with_suffix("") for path in (*GOOD, *BAD)}
    products = {path.with_suffix("") for suffix in ("ok", "rules", "err") for path in GOLDEN.rglob(f"*.{suffix}")}
    assert products == stems
    assert len(GOOD) + len(BAD) >= 60
