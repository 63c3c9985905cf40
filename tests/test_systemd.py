"""The service unit, as systemd itself reads it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

UNIT = Path(__file__).parents[1] / "systemd" / "fixup.service"
INSTALLED = "/opt/fixup/.venv/bin/fixup"


def test_systemd_has_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="ascii")
    assert f"ExecStart={INSTALLED} run /etc/fixup/fixup.cfg\n" in text
    assert f"ExecReload={INSTALLED} reload\n" in text
    copy = tmp_path / UNIT.name
    copy.write_text(text.replace(INSTALLED, sys.executable), encoding="ascii")  # verify wants a program that is there
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
