"""The machines' set-up: shell that parses, and a rule file in which each device's name is found to be replaced."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted((ROOT / "vagrant").glob("*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_parses_and_is_some_machines(script: Path) -> None:
    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    assert f'path: "{script.name}"' in (ROOT / "vagrant" / "Vagrantfile").read_text(encoding="ascii")


def test_the_firewalls_devices_are_put_into_the_example() -> None:
    script = (ROOT / "vagrant" / "firewall.sh").read_text(encoding="ascii")
    example = (ROOT / "examples" / "mail.cfg").read_text(encoding="ascii").splitlines()
    replaced = re.findall(r"s/(hardware \w+)/", script)
    assert [line.strip() for line in example if line.startswith(" hardware ")] == replaced
