"""Breaks every rule once and sees whether the tests notice: ``python -m tests.mutants.run [WORD ...]``

Works on copies in a temporary directory; with words, only mutants with one of them in their rule. Fails if a mutant
survives, if its text is gone, or if the tests fail without it. Only those of the kernel's program and of what talks to
the kernel need root; without it they are left out, and said to be.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue

from tests.mutants.limits import LIMITS
from tests.mutants.mutants import MUTANTS, Mutant
from tests.mutants.program import PROGRAM

ROOT = Path(__file__).parents[2]
PARTS = ("appliance", "tests", "bpf", "bench", "docs", "examples", "systemd", "pyproject.toml", "README.md", "Makefile")
#: s, enough for every test on a busy machine; a mutant that makes one hang is noticed too.
PATIENCE = 1800
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider")
#: Mutants that are tried at once, each in a copy of its own.
AT_ONCE = max(1, (os.cpu_count() or 1) // 2)
#: pytest's words for "passed" and "tests failed".
UNNOTICED, NOTICED = 0, 1
#: Ours, and no exit code of pytest's: the compiler or the verifier refused the kernel's program.
REFUSED = -1
#: What `kernel.bpf_program` says then.
REFUSAL = b"connlimit.bpf.c could not be loaded"


def copy(to: Path) -> None:
    """The parts of the tree that tests read."""
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, to / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy(source, to / part)


def needs_root(mutant: Mutant) -> bool:
    """Whether the kernel itself is asked."""
    return mutant.file.startswith(("bpf/", "appliance/kernel/"))


def tested(tree: Path, tests: Iterable[str], *, root: bool) -> int:
    """pytest's exit code for `tests` in `tree`, or REFUSED; with `root` those that need it, too."""
    # Without written byte code: a file changed twice within a second would be taken for the one before.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
    command = [*PYTEST, *([] if root else ["-m", "not root"]), *tests]
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return NOTICED
    return REFUSED if root and REFUSAL in done.stdout else done.returncode


def fate(trees: SimpleQueue[Path], mutant: Mutant) -> str:
    """What became of a mutant in one of the `trees`: ``caught``, or what is wrong."""
    tree = trees.get()
    try:
        return _fate(tree, mutant)
    finally:
        trees.put(tree)


def _fate(tree: Path, mutant: Mutant) -> str:
    path = tree / mutant.file
    sound = path.read_text(encoding="utf-8")
    if (found := sound.count(mutant.old)) != 1:
        return f"its text is in {mutant.file} {found} times, not once"
    path.write_text(sound.replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        code = tested(tree, mutant.tests, root=needs_root(mutant))
    finally:
        path.write_text(sound, encoding="utf-8")
    became = {UNNOTICED: "SURVIVED", NOTICED: "caught", REFUSED: "is no program the kernel loads"}
    return became.get(code, f"does not load (pytest says {code})")


def main() -> int:
    words = sys.argv[1:]
    known = (*MUTANTS, *LIMITS, *PROGRAM)
    chosen = [each for each in known if not words or any(word in each.rule for word in words)]
    if os.geteuid() != 0:
        left_out = [each for each in chosen if needs_root(each)]
        chosen = [each for each in chosen if not needs_root(each)]
        print(f"{len(left_out)} mutants need root: left out")
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="fixup-mutants-") as place:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_ONCE):
            tree = Path(place) / str(number)
            tree.mkdir()
            copy(tree)
            trees.put(tree)
        for root in (False, True):
            everything = sorted({test for each in chosen if needs_root(each) is root for test in each.tests})
            if everything and tested(tree, everything, root=root):
                print(f"without a mutant these fail already: {' '.join(everything)}")
                return 1
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for mutant, became in zip(chosen, pool.map(partial(fate, trees), chosen), strict=True):
                wrong += became != "caught"
                print(f"{became:>8}  {mutant.rule}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} caught")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
