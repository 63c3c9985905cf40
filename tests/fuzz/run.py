"""Fuzzes one target for ever or as libFuzzer is told: ``python -m tests.fuzz.run session -max_total_time=600``

New inputs go to .cache/fuzz/TARGET, beside them tests/fuzz/corpus/TARGET is read. What breaks a promise is written as
./crash-…: minimise it (``-minimize_crash=1``) and put it into the corpus, where the ordinary suite plays it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["appliance.esmtp", "appliance.policy"]):
    from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
LONGEST = 1536  # octets of an input


def main() -> None:
    name, options = sys.argv[1], sys.argv[2:]
    found = HERE.parents[1] / ".cache" / "fuzz" / name
    found.mkdir(parents=True, exist_ok=True)
    arguments = [f"-dict={HERE / 'words.dict'}", f"-max_len={LONGEST}", "-timeout=20", *options]
    atheris.Setup([sys.argv[0], *arguments, str(found), str(HERE / "corpus" / name)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
